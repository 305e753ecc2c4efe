"""The codemod `mongotic-0.4`: `execute()` gave a number there; its result has the number as `.rowcount` now.

Called by `running`.  Where the code uses the result as mongotic 0.5 has it already, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst

from .bindings import Value, dotted, origins, scope_of
from .facade import bracketed
from .kinds import Project
from .report import FileReport
from .sources import Source

RESULT = frozenset(
    {"rowcount", "inserted_ids", "inserted_primary_keys", "matched_count", "modified_count", "upserted_id"}
)


def rewrite(project: Project, reports: Mapping[int, FileReport]) -> dict[int, cst.Module]:
    """Return the files as they are afterwards, by the `id` of their sources; the reports are filled in."""
    migrated = {name for source in project.sources for name in _functions_giving_results(source)}
    return {
        id(source): source.module.visit(_Rewriter(project, source, reports[id(source)], migrated))
        for source in project.sources
    }


class _Rewriter(cst.CSTTransformer):
    def __init__(self, project: Project, source: Source, report: FileReport, migrated: set[str]) -> None:
        super().__init__()
        self._project, self._source, self._report, self._migrated = project, source, report, migrated

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        if isinstance(original_node.expression, cst.Call):
            return self._counted(original_node, original_node.expression, updated_node)
        return updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if isinstance(self._source.parent(original_node), cst.Await):
            return updated_node
        return self._counted(original_node, original_node, updated_node)

    def _counted(self, outer: cst.BaseExpression, call: cst.Call, updated: cst.BaseExpression) -> cst.BaseExpression:
        if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "execute" or not call.args:
            return updated
        if not self._is_used_as_number(outer):
            return updated
        kind = self._statement(call.args[0].value)
        if kind == "":
            if dotted(call.func.value).rpartition(".")[2].endswith("session") and self._uses_mongotic():
                reason = "it cannot be told whether the statement is an update() or delete()"
                self._report.leave(self._source.line(call), reason, self._source.code(outer))
            return updated
        if kind not in {"update", "delete"}:
            return updated
        self._report.change(self._source.line(call), "rowcount", self._source.code(outer))
        inner = bracketed(updated) if isinstance(updated, cst.Await) else updated
        return cst.Attribute(inner, cst.Name("rowcount"))

    def _uses_mongotic(self) -> bool:
        return "mongotic" in self._source.module.code

    def _statement(self, node: cst.BaseExpression) -> str:
        """Return which of mongotic's statements an expression is, or an empty text."""
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if found := self._function(node.func):
                return found
            node = node.func.value
        if isinstance(node, cst.Call):
            return self._function(node.func)
        if isinstance(node, cst.Name):
            given = origins(self._source, node.value, node)
            kinds = {
                self._statement(each.node) if isinstance(each, Value) and each.node is not None else ""
                for each in given
                if not (isinstance(each, Value) and each.node is not None and _builds_on(each.node, node.value))
            }
            return kinds.pop() if len(kinds) == 1 else ""
        return ""

    def _function(self, node: cst.BaseExpression) -> str:
        home, _, name = self._project.qualified(self._source, node).rpartition(".")
        known = {"update", "delete", "insert", "select"}
        return name if home.split(".")[0] == "mongotic" and name in known else ""

    def _is_used_as_number(self, outer: cst.BaseExpression) -> bool:
        above = self._source.parent(outer)
        if isinstance(above, cst.Expr) or (isinstance(above, cst.Attribute) and above.value is outer):
            return False
        if isinstance(above, cst.Arg):
            call = self._source.parent(above)
            if isinstance(call, cst.Call) and dotted(call.func) in {"isinstance", "type"}:
                return False
        if isinstance(above, cst.Return):
            function = self._source.nearest(above, cst.FunctionDef)
            return function is not None and not self._gives_result(function)
        if isinstance(above, cst.AnnAssign) and "Result" in _names(above.annotation):
            return False
        target = above.target if isinstance(above, (cst.AnnAssign, cst.NamedExpr)) else None
        if isinstance(above, cst.Assign):
            target = above.targets[0].target
        return not (isinstance(target, cst.Name) and self._is_result(target))

    def _gives_result(self, function: cst.FunctionDef) -> bool:
        declared = set(_names(function.returns)) if function.returns is not None else set[str]()
        return "Result" in declared or function.name.value in self._migrated

    def _is_result(self, name: cst.Name) -> bool:
        """Tell whether a variable is used as mongotic 0.5's result somewhere."""
        return any(_as_result(self._source, node) for node in _accesses(self._source, name))


def _functions_giving_results(source: Source) -> Iterator[str]:
    """Return the names of functions whose value is used as mongotic 0.5's result."""
    for node in _attributes(source.module):
        if node.attr.value not in RESULT:
            continue
        value: cst.BaseExpression | None = node.value
        if isinstance(value, cst.Name):
            for origin in origins(source, value.value, value):
                if isinstance(origin, Value) and (name := _called(origin.node)):
                    yield name
        elif name := _called(value):
            yield name


def _called(node: cst.BaseExpression | None) -> str:
    if isinstance(node, cst.Await):
        node = node.expression
    return dotted(node.func).rpartition(".")[2] if isinstance(node, cst.Call) else ""


def _builds_on(node: cst.BaseExpression, name: str) -> bool:
    """Tell whether a statement is made of an earlier one of the same name: `statement = statement.where(...)`."""
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        node = node.func.value
    return dotted(node) == name


def _accesses(source: Source, name: cst.Name) -> Iterator[cst.CSTNode]:
    scope = scope_of(source, name)
    for assignment in scope[name.value] if scope is not None else ():
        for access in assignment.references:
            yield access.node


def _as_result(source: Source, node: cst.CSTNode) -> bool:
    above = source.parent(node)
    if isinstance(above, cst.Attribute) and above.attr.value in RESULT:
        return True
    call = source.parent(above) if isinstance(above, cst.Arg) else None
    return isinstance(call, cst.Call) and dotted(call.func) == "isinstance"


def _attributes(node: cst.CSTNode) -> Iterator[cst.Attribute]:
    if isinstance(node, cst.Attribute):
        yield node
    for child in node.children:
        yield from _attributes(child)


def _names(node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, cst.Name):
        yield node.value
    if isinstance(node, cst.SimpleString) and isinstance(node.evaluated_value, str):
        yield node.evaluated_value
    for child in node.children:
        yield from _names(child)
