"""The codemod `sqlalchemy-habits`: forms of SQLAlchemy 2.0 that mongotic writes differently.  Called by `running`.

`merge()` is not awaited; single values of `execute()` are taken through `scalars()`, and awaited; SQL's operators on
the fields of ODMantic models go through `col()`; imports come from mongotic.
"""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from .bindings import Entered, Imported, Parameter, Value, absolute, dotted, origins
from .facade import Imports, bracketed, called, code
from .importing import KeepingComments, with_imports
from .kinds import Project
from .report import FileReport
from .sources import Source

HOMES: Mapping[str, str] = {
    **dict.fromkeys(("and_", "asc", "case", "delete", "desc", "distinct", "func", "insert", "literal"), "mongotic"),
    **dict.fromkeys(("inspect", "joinedload", "make_transient", "noload", "not_", "object_session", "or_"), "mongotic"),
    **dict.fromkeys(("raiseload", "scoped_session", "select", "selectinload", "Session", "sessionmaker"), "mongotic"),
    **dict.fromkeys(("update", "event", "MultipleResultsFound", "NoResultFound"), "mongotic"),
    **dict.fromkeys(("IntegrityError", "InvalidRequestError", "PendingRollbackError"), "mongotic"),
    "StaleDataError": "mongotic",
    **dict.fromkeys(("AsyncSession", "async_scoped_session", "async_sessionmaker"), "mongotic.asyncio"),
}
OPERATORS = frozenset(
    {"between", "contains", "endswith", "icontains", "ilike", "is_", "is_not", "like", "regexp_match", "startswith"}
)
SCALAR = {"scalar_one": "one", "scalar_one_or_none": "one_or_none", "scalar": "first"}
TERMINALS = frozenset({"all", "first", "one", "one_or_none"})
UNSUPPORTED = {
    "query": "session.query() is SQLAlchemy 1: write session.scalars(select(Model).where(...))",
    "begin_nested": "MongoDB has no savepoints: let the transaction end, or open a second session",
    "run_sync": "mongotic loads nothing lazily: call the async methods themselves",
}


def rewrite(project: Project, reports: Mapping[int, FileReport]) -> dict[int, cst.Module]:
    """Return the files as they are afterwards, by the `id` of their sources; the reports are filled in."""
    plain_results = any("sync_results=True" in source.module.code for source in project.sources)
    done: dict[int, cst.Module] = {}
    for source in project.sources:
        report, imports = reports[id(source)], Imports(source)
        text = source.module.code
        if "mongotic" not in text and "sqlalchemy" not in text:
            done[id(source)] = source.module
            continue
        changed = source.module.visit(_Rewriter(project, source, imports, report, plain_results=plain_results))
        done[id(source)] = with_imports(source, changed, imports.wanted) if report.changed else source.module
    return done


class _Rewriter(KeepingComments):
    def __init__(
        self, project: Project, source: Source, imports: Imports, report: FileReport, *, plain_results: bool
    ) -> None:
        super().__init__()
        self._project, self._source, self._imports, self._report = project, source, imports, report
        self._plain_results = plain_results

    # -- imports -------------------------------------------------------------------------------------------------

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        module = absolute(self._source, original_node)
        if module.split(".")[0] != "sqlalchemy":
            return updated_node
        line, text = self._source.line(original_node), self._source.code(original_node)
        if isinstance(updated_node.names, cst.ImportStar):
            self._report.leave(line, "the names are not written here", text)
            return updated_node
        names = list(updated_node.names)
        moved = [each for each in names if dotted(each.name) in HOMES and each.asname is None]
        kept = [each for each in names if each not in moved]
        for alias in kept:
            self._report.leave(
                line, f"mongotic has no {dotted(alias.name)} of this kind, or it has another name here", text
            )
        for alias in moved:
            self._imports.wanted.add((HOMES[dotted(alias.name)], dotted(alias.name)))
        if moved:
            self._report.change(line, "import", text)
        if not kept:
            return cst.RemoveFromParent()
        if kept[-1] is not names[-1]:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(names=kept)

    # -- calls ---------------------------------------------------------------------------------------------------

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        call = original_node.expression
        if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
            return updated_node
        if call.func.attr.value != "merge" or not self._is_session(call.func.value):
            return updated_node
        self._note(original_node, "merge")
        inner = updated_node.expression
        return inner.with_changes(lpar=[*updated_node.lpar, *inner.lpar], rpar=[*inner.rpar, *updated_node.rpar])

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        function = original_node.func
        if not isinstance(function, cst.Attribute) or not isinstance(updated_node.func, cst.Attribute):
            return updated_node
        name = function.attr.value
        if name in UNSUPPORTED and self._is_session(function.value):
            self._report.leave(self._source.line(original_node), UNSUPPORTED[name], self._source.code(original_node))
        if name in OPERATORS and self._is_plain_field(function.value):
            self._note(original_node, "col")
            col = cst.Call(code(self._imports.name("mongotic", "col")), [cst.Arg(updated_node.func.value)])
            return updated_node.with_changes(func=updated_node.func.with_changes(value=col))
        if name in SCALAR or name in TERMINALS:
            return self._terminal(original_node, updated_node, name)
        return updated_node

    def _terminal(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression:
        """Return a terminal method of what `execute()` gives in mongotic's way."""
        assert isinstance(original.func, cst.Attribute)
        assert isinstance(updated.func, cst.Attribute)
        result, scalars = _result_of(original.func.value)
        awaited = self._executed(result)
        if awaited is None or original.args or (name in SCALAR and scalars):
            return updated
        inner = updated.func.value
        if name in SCALAR:
            inner = called(inner, "scalars")
        terminal = called(inner, SCALAR.get(name, name))
        above = self._source.parent(original)
        if not awaited or self._plain_results:
            if name in TERMINALS:
                return updated
            self._note(original, "scalar")
            return terminal.with_changes(lpar=updated.lpar, rpar=updated.rpar)
        if isinstance(above, cst.Await):
            return updated
        if name == "all" and self._stays_a_list(original):
            return updated
        self._note(original, "result")
        done: cst.BaseExpression = cst.Await(terminal)
        if isinstance(above, (cst.Attribute, cst.Subscript)) or updated.lpar:
            done = bracketed(done)
        return done

    def _stays_a_list(self, node: cst.Call) -> bool:
        """Tell whether an un-awaited list of rows is walked at once, which mongotic allows."""
        above = self._source.parent(node)
        return isinstance(above, (cst.For, cst.CompFor)) and above.iter is node

    def _executed(self, node: cst.BaseExpression) -> bool | None:
        """Tell whether an expression is what `execute()` gives, awaited or not; None if it is something else."""
        if isinstance(node, cst.Name):
            found = origins(self._source, node.value, node)
            values = [each.node for each in found if isinstance(each, Value) and each.node is not None]
            kinds = {self._executed(value) for value in values}
            return kinds.pop() if len(kinds) == 1 and len(values) == len(found) else None
        awaited = isinstance(node, cst.Await)
        call = node.expression if isinstance(node, cst.Await) else node
        if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
            return None
        return awaited if call.func.attr.value == "execute" and self._is_session(call.func.value) else None

    # -- what is what --------------------------------------------------------------------------------------------

    def _is_session(self, node: cst.BaseExpression) -> bool:
        name = dotted(node)
        if name.rpartition(".")[2].endswith("session"):
            return True
        if not isinstance(node, cst.Name):
            return False
        for origin in origins(self._source, node.value, node):
            declared = origin.node.annotation if isinstance(origin, Parameter) else None
            if declared is not None and self._names_session(declared.annotation):
                return True
            opened = origin.node.item if isinstance(origin, Entered) else None
            if isinstance(opened, cst.Call) and self._makes_session(opened.func):
                return True
        return False

    def _names_session(self, node: cst.BaseExpression) -> bool:
        return self._project.qualified(self._source, node).rpartition(".")[2] in {"AsyncSession", "Session"}

    def _makes_session(self, node: cst.BaseExpression) -> bool:
        if self._names_session(node):
            return True
        makers = {"async_sessionmaker", "sessionmaker"}
        for origin in origins(self._source, dotted(node).split(".")[0], node):
            value = origin.node if isinstance(origin, Value) else None
            if isinstance(value, cst.Call) and dotted(value.func).rpartition(".")[2] in makers:
                return True
            if isinstance(origin, Imported) and "session" in origin.name.lower():
                return True
        return False

    def _is_plain_field(self, node: cst.BaseExpression) -> bool:
        """Tell whether an expression is a field of a model that has only ODMantic's operators."""
        root = node
        while isinstance(root, cst.Attribute) and isinstance(root.value, cst.Attribute):
            root = root.value
        if not isinstance(root, cst.Attribute) or not isinstance(root.value, cst.Name):
            return False
        found = origins(self._source, root.value.value, root.value)
        is_class = not any(isinstance(each, (Parameter, Value)) for each in found)
        return is_class and self._project.primary_field(self._source, root.value) is not None

    def _note(self, node: cst.CSTNode, rule: str) -> None:
        self._report.change(self._source.line(node), rule, self._source.code(node))


def _result_of(node: cst.BaseExpression) -> tuple[cst.BaseExpression, bool]:
    """Return the result that `scalars()` and `unique()` are called on, and whether `scalars()` is."""
    scalars = False
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and not node.args:
        name = node.func.attr.value
        if name not in {"scalars", "unique", "mappings", "tuples"}:
            break
        scalars = scalars or name == "scalars"
        node = node.func.value
    return node, scalars
