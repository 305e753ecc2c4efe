"""The codemod `odmantic`: engine calls become statements of mongotic sessions.  Called by `running`.

`sites` finds the calls, `planning` decides which session each goes through, `facade` and `writes` say what is written
in its place, and this file puts it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import libcst as cst

from .analysis import Analysis
from .dependencies import Dependencies
from .facade import Facade, Imports, code, comments, line
from .functions import SessionFunctions
from .importing import with_imports
from .kinds import Project
from .planning import Planner
from .regions import Plan, Region
from .report import FileReport
from .sites import Block, Site
from .sources import Source
from .writes import Writes


def rewrite(project: Project, style: str, reports: Mapping[int, FileReport]) -> dict[int, cst.Module]:
    """Return the files as they are afterwards, by the `id` of their sources; the reports are filled in.

    Arguments:
        style: `call` or `session`.
    """
    analysis = Analysis(project)

    def planned(source: Source, functions: SessionFunctions) -> Plan:
        return Planner(analysis, source, style, Facade(project, source, Imports(source)), functions).run()

    functions = SessionFunctions(analysis, planned if style == "session" else None)
    dependencies = Dependencies(project, functions)
    done: dict[int, cst.Module] = {}
    for source in project.sources:
        imports = Imports(source)
        facade = Facade(project, source, imports)
        planner = Planner(analysis, source, style, facade, functions)
        plan = planner.run()
        imports.wanted.clear()  # of what was tried
        writer = Writes(source, planner.provenances)
        report = reports[id(source)]
        rewriter = _Rewriter(source, plan, facade, writer, report)
        dependencies.prepare(source, rewriter, imports, facade, report)
        changed = source.module.visit(rewriter)
        for node, reason in plan.refused:
            report.leave(source.line(node), reason, source.code(node))
        done[id(source)] = with_imports(source, changed, imports.wanted) if report.changed else source.module
    return done


class _Rewriter(cst.CSTTransformer):
    """Carries out the plan of one file."""

    def __init__(self, source: Source, plan: Plan, facade: Facade, writes: Writes, report: FileReport) -> None:
        super().__init__()
        self._source, self._plan, self._facade, self._writes, self._report = source, plan, facade, writes, report
        self._by_outer = {id(site.outer): site for site in plan.region_of}
        self._remarks: dict[int, list[str]] = {}
        for site in plan.region_of:
            if site.method != "call":
                self._remarks.setdefault(id(site.carrier), []).extend(comments(site.call))
        self._starts = {id(first): region for first, _, region in plan.ranges}
        self._ends = {id(last): region for _, last, region in plan.ranges}
        self._marks: dict[cst.BaseStatement, Region] = {}
        self.parameters: dict[int, cst.Param] = {}
        self.after: dict[int, list[cst.BaseStatement]] = {}

    # -- expressions ---------------------------------------------------------------------------------------------

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        return self._replaced(original_node, updated_node)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return self._replaced(original_node, updated_node)

    def _replaced(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseExpression:
        site = self._by_outer.get(id(original))
        if site is None or site.method in {"save", "save_all", "delete"}:
            return updated
        region = self._plan.region_of[site]
        call = _inner_call(updated, site)
        if site.method == "call":
            return self._helper_call(site, region, updated, call)
        self._note(site)
        if site.method in {"commit", "abort"}:
            name = "commit" if site.method == "commit" else "rollback"
            done: cst.BaseExpression = code(f"{region.session}.{name}()")
            result = cst.Await(done) if site.is_async else done
        elif site.method == "remove":
            is_used = not isinstance(self._source.parent(original), cst.Expr)
            result = self._facade.remove(site, call, region.session, is_used=is_used)
        else:
            result = self._facade.read(site, call, region.session)
        if isinstance(updated, (cst.Await, cst.Call)) and updated.lpar:
            inner = result.with_changes(lpar=[], rpar=[]) if isinstance(result, cst.Await) else result
            result = inner.with_changes(lpar=updated.lpar, rpar=updated.rpar)
        return result

    def _helper_call(
        self, site: Site, region: Region, updated: cst.BaseExpression, call: cst.Call
    ) -> cst.BaseExpression:
        helper = self._plan.helpers[site]
        number = next(number for number, each in enumerate(site.call.args) if each is helper.argument)
        old = call.args[number]
        keyword = cst.Name(helper.keyword) if old.keyword is not None else None
        args = [
            *call.args[:number],
            old.with_changes(value=code(region.session), keyword=keyword),
            *call.args[number + 1 :],
        ]
        self._report.change(self._source.line(site.call), "session-parameter", self._source.code(site.call))
        new = call.with_changes(args=args)
        return updated.with_changes(expression=new) if isinstance(updated, cst.Await) else new

    def _note(self, site: Site) -> None:
        name = site.method.replace("_", "-")
        self._report.change(self._source.line(site.call), name, self._source.code(site.outer))

    # -- parameters ----------------------------------------------------------------------------------------------

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        new = self.parameters.get(id(original_node))
        return updated_node if new is None else new.with_changes(comma=updated_node.comma)

    # -- statements ----------------------------------------------------------------------------------------------

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        found = super().on_leave(original_node, updated_node)
        if not isinstance(original_node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            return found
        if not isinstance(found, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            return found
        statements: list[cst.BaseStatement] = [found]
        if isinstance(original_node, cst.SimpleStatementLine) and isinstance(found, cst.SimpleStatementLine):
            statements = self._line(original_node, found)
        if isinstance(original_node, cst.With) and isinstance(found, cst.With):
            statements = self._block(original_node, found)
        statements = self._with_remarks(original_node, statements)
        if region := self._plan.wrapped.get(id(original_node)):
            statements = [self._opened(region, statements)]
        statements += self.after.get(id(original_node), [])
        statements = self._marked(original_node, statements)
        if len(statements) == 1:
            return cast("cst.CSTNodeT", statements[0])
        return cst.FlattenSentinel(cast("list[cst.CSTNodeT]", statements))

    def _line(self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine) -> list[cst.BaseStatement]:
        if len(original.body) != 1:
            return [updated]
        small = original.body[0]
        value = small.value if isinstance(small, (cst.Expr, cst.Assign, cst.AnnAssign, cst.Return)) else None
        site = self._by_outer.get(id(value)) if value is not None else None
        if site is None or site.method not in {"save", "save_all", "delete"}:
            return [updated]
        self._note(site)
        return [*self._writes.statements(site, self._plan.region_of[site], updated)]

    def _with_remarks(self, original: cst.CSTNode, statements: list[cst.BaseStatement]) -> list[cst.BaseStatement]:
        """Put the comments from between arguments above the statement."""
        remarks = self._remarks.get(id(original))
        if not remarks or not statements:
            return statements
        first = statements[0]
        assert isinstance(first, (cst.SimpleStatementLine, cst.BaseCompoundStatement))
        lines = [*first.leading_lines, *(cst.EmptyLine(comment=cst.Comment(each)) for each in remarks)]
        return [first.with_changes(leading_lines=lines), *statements[1:]]

    def _opened(self, region: Region, statements: Sequence[cst.BaseStatement]) -> cst.With:
        """Return statements in a block that opens a session."""
        cls = self._facade.session_class(is_async=region.is_async)
        header = cst.parse_statement(
            f"{'async ' if region.is_async else ''}with {cls}({region.engine}) as {region.session}:\n    pass\n"
        )
        assert isinstance(header, cst.With)
        first = statements[0]
        assert isinstance(first, (cst.SimpleStatementLine, cst.BaseCompoundStatement))
        inner = [first.with_changes(leading_lines=[]), *statements[1:]]
        return header.with_changes(leading_lines=first.leading_lines, body=cst.IndentedBlock(inner))

    def _block(self, original: cst.With, updated: cst.With) -> list[cst.BaseStatement]:
        """Return what becomes of a block of an ODMantic session or transaction."""
        found = self._plan.blocks.get(id(original))
        if found is None:
            return [updated]
        block, region, opens = found
        self._report.change(self._source.line(original), block.opened, self._source.code(block.item))
        items: list[cst.WithItem] = []
        if opens:
            cls = self._facade.session_class(is_async=region.is_async)
            name = cst.AsName(cst.Name(region.session))
            items.append(cst.WithItem(cst.Call(code(cls), [cst.Arg(code(region.engine))]), name))
        if block.opened == "transaction":
            items.append(cst.WithItem(code(f"{region.session}.begin()")))
            updated = updated.with_changes(body=self._without_last_commit(original, updated, block))
        number = next(number for number, each in enumerate(original.items) if each is block.item)
        every = [*updated.items[:number], *items, *updated.items[number + 1 :]]
        if not every:
            body = updated.body.body
            first = body[0]
            if isinstance(first, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
                lines = [*updated.leading_lines, *first.leading_lines]
                return [
                    first.with_changes(leading_lines=lines),
                    *(
                        each
                        for each in body[1:]
                        if isinstance(each, (cst.SimpleStatementLine, cst.BaseCompoundStatement))
                    ),
                ]
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        every = [each.with_changes(comma=comma) for each in every[:-1]] + [
            every[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        ]
        return [updated.with_changes(items=every)]

    def _without_last_commit(self, original: cst.With, updated: cst.With, block: Block) -> cst.BaseSuite:
        """Return the body of a transaction without the commit that its end makes anyway."""
        last = original.body.body[-1] if original.body.body else None
        if (
            not isinstance(last, cst.SimpleStatementLine)
            or len(last.body) != 1
            or not isinstance(last.body[0], cst.Expr)
        ):
            return updated.body
        site = self._by_outer.get(id(last.body[0].value))
        if site is None or site.method != "commit" or self._source.code(site.receiver) != block.name:
            return updated.body
        body = updated.body
        final = body.body[-1]
        kept = list(body.body[:-1])
        if not isinstance(body, cst.IndentedBlock) or not isinstance(final, cst.SimpleStatementLine):
            return body
        remarks = [each for each in final.leading_lines if each.comment is not None]
        if final.trailing_whitespace.comment is not None:
            remarks.append(cst.EmptyLine(comment=final.trailing_whitespace.comment))
        if not kept:
            kept = [line("pass")]
        return body.with_changes(body=kept, footer=[*remarks, *body.footer])

    def _marked(self, original: cst.CSTNode, statements: list[cst.BaseStatement]) -> list[cst.BaseStatement]:
        """Mark the statements that several of a block are wrapped between."""
        if region := self._starts.get(id(original)):
            mark = cst.SimpleStatementLine([cst.Pass()])
            self._marks[mark] = region

            statements = [mark, *statements]
        if region := self._ends.get(id(original)):
            mark = cst.SimpleStatementLine([cst.Pass()])
            self._marks[mark] = region
            statements = [*statements, mark]
        return statements

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        places = [number for number, each in enumerate(updated_node.body) if each in self._marks]
        if not places:
            return updated_node
        first, last = places
        body = updated_node.body
        region = next(each for mark, each in self._marks.items() if mark is body[first])
        inside = [each for each in body[first + 1 : last] if _is_statement(each)]
        return updated_node.with_changes(body=[*body[:first], self._opened(region, inside), *body[last + 1 :]])


def _is_statement(node: cst.CSTNode) -> bool:
    return isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement))


def _inner_call(updated: cst.BaseExpression, site: Site) -> cst.Call:
    """Return the call itself, in what stands around it: its await, `list()`, or `to_list()`."""
    node = updated
    if isinstance(node, cst.Await):
        node = node.expression
    assert isinstance(node, cst.Call)
    if site.outer is not site.call:
        if (
            isinstance(node.func, cst.Attribute)
            and node.func.attr.value == "to_list"
            and isinstance(node.func.value, cst.Call)
        ):
            return node.func.value
        if isinstance(node.func, cst.Name) and node.func.value == "list" and isinstance(node.args[0].value, cst.Call):
            return node.args[0].value
    return node
