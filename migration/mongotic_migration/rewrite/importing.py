"""Adds the imports a rewritten file needs, and drops those that nothing uses any more.  Called by the codemods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor
from libcst.metadata import ImportAssignment

from .bindings import dotted
from .sources import Source, Unparsable, parsed


def with_imports(source: Source, changed: cst.Module, wanted: Iterable[tuple[str, str]]) -> cst.Module:
    """Return a changed file with what it needs imported, and without the imports that it has stopped to use.

    Arguments:
        source: the file as it was.
        wanted: modules and names; an empty name for the module itself.
    """
    context = CodemodContext()
    for module, name in sorted(wanted):
        AddImportsVisitor.add_needed_import(context, module, name or None)
    changed = AddImportsVisitor(context).transform_module(changed)
    used_before = _used(source)
    try:
        after = parsed(changed.bytes, source.path, source.name)
    except Unparsable as error:  # never seen; a file that cannot be read is not written
        raise AssertionError(f"{source.path}: what was written cannot be parsed: {error}") from error
    dropped = used_before - _used(after)
    return after.module.visit(_Dropping(dropped)) if dropped and not source.is_package else after.module


def _used(source: Source) -> set[str]:
    """Return the names that are imported at the top of a file and used in it."""
    scopes = {id(scope): scope for scope in source.scopes.values() if scope is not None}
    found: set[str] = set()
    for scope in scopes.values():
        for assignment in scope.assignments:
            if isinstance(assignment, ImportAssignment) and len(assignment.references) > 0:
                found.add(assignment.name.split(".")[0])
    return found | _exported(source.module)


def _exported(module: cst.Module) -> set[str]:
    """Return the names in `__all__`."""
    found: set[str] = set()
    for each in module.body:
        for small in each.body if isinstance(each, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.Assign) and dotted(small.targets[0].target) == "__all__":
                elements = small.value.elements if isinstance(small.value, (cst.List, cst.Tuple)) else ()
                for element in elements:
                    if isinstance(element.value, cst.SimpleString) and isinstance(element.value.evaluated_value, str):
                        found.add(element.value.evaluated_value)
    return found


class KeepingComments(cst.CSTTransformer):
    """A transformer whose emptied lines leave their comments and the space above them to the next ones."""

    def __init__(self) -> None:
        super().__init__()
        self._emptied: list[cst.SimpleStatementLine] = []

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        if updated_node.body:
            return updated_node
        self._emptied.append(updated_node.with_changes(body=[cst.Pass()]))
        return self._emptied[-1]

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return updated_node.with_changes(body=self._filled(updated_node.body))

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        kept = self._filled(updated_node.body)
        return updated_node.with_changes(body=kept) if kept else updated_node

    def _filled(self, body: Sequence[cst.BaseStatement]) -> list[cst.BaseStatement]:
        """Return statements without the emptied lines, whose comments and space go to the next ones."""
        kept: list[cst.BaseStatement] = []
        above: list[cst.EmptyLine] = []
        for each in body:
            if isinstance(each, cst.SimpleStatementLine) and any(each is emptied for emptied in self._emptied):
                above += each.leading_lines
                if each.trailing_whitespace.comment is not None:
                    above.append(cst.EmptyLine(comment=each.trailing_whitespace.comment))
                continue
            if above and isinstance(each, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
                # one blank line is enough between what is left
                lines = above if any(line.comment for line in above) or not each.leading_lines else []
                each = each.with_changes(leading_lines=[*lines, *each.leading_lines])
            above = []
            kept.append(each)
        return kept


class _Dropping(KeepingComments):
    """Takes names out of imports."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        return self._without(updated_node, list(updated_node.names))

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import | cst.RemovalSentinel:
        kept = [each for each in updated_node.names if not self._is_dropped(each)]
        if len(kept) == len(updated_node.names):
            return updated_node
        return updated_node.with_changes(names=_closed(kept)) if kept else cst.RemoveFromParent()

    def _without(self, node: cst.ImportFrom, names: list[cst.ImportAlias]) -> cst.ImportFrom | cst.RemovalSentinel:
        kept = [each for each in names if not self._is_dropped(each)]
        if len(kept) == len(names):
            return node
        if not kept:
            return cst.RemoveFromParent()
        has_brackets = node.lpar is not None
        return node.with_changes(names=kept if has_brackets and kept[-1] is names[-1] else _closed(kept))

    def _is_dropped(self, alias: cst.ImportAlias) -> bool:
        bound = dotted(alias.asname.name) if alias.asname is not None else dotted(alias.name)
        return bound.split(".")[0] in self._names


def _closed(names: list[cst.ImportAlias]) -> list[cst.ImportAlias]:
    return [*names[:-1], names[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
