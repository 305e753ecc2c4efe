"""The codemod `motor`: PyMongo's own asyncio client in the place of Motor's, and mongotic's engine over it.

Called by `running`.  The two drivers have the same names for most things; this file has those that they await
differently.
"""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from .bindings import absolute, dotted
from .facade import Imports, bracketed, code
from .importing import KeepingComments, with_imports
from .kinds import CLIENT, COLLECTION, DATABASE, DRIVER_SESSION, Project
from .report import FileReport
from .sources import Source

CLASSES = {
    "AsyncIOMotorClient": ("pymongo", "AsyncMongoClient"),
    "AsyncIOMotorDatabase": ("pymongo.asynchronous.database", "AsyncDatabase"),
    "AsyncIOMotorCollection": ("pymongo.asynchronous.collection", "AsyncCollection"),
    "AsyncIOMotorCursor": ("pymongo.asynchronous.cursor", "AsyncCursor"),
    "AsyncIOMotorCommandCursor": ("pymongo.asynchronous.command_cursor", "AsyncCommandCursor"),
    "AsyncIOMotorChangeStream": ("pymongo.asynchronous.change_stream", "AsyncChangeStream"),
    "AsyncIOMotorClientSession": ("pymongo.asynchronous.client_session", "AsyncClientSession"),
}
AWAITED_NOW = {
    CLIENT: frozenset({"close", "watch"}),
    DATABASE: frozenset({"aggregate", "watch"}),
    COLLECTION: frozenset({"aggregate", "aggregate_raw_batches", "list_indexes", "list_search_indexes", "watch"}),
    DRIVER_SESSION: frozenset({"start_transaction"}),
}
DISTINCTIVE = AWAITED_NOW[COLLECTION] - {"watch"}
GONE = {
    "fetch_next": "cursors of PyMongo have no fetch_next; walk them with async for",
    "next_object": "cursors of PyMongo have no next_object(); walk them with async for",
    "get_io_loop": "clients of PyMongo have no loop of their own",
}
ENGINES = frozenset({"odmantic", "odmantic.engine"})


def rewrite(project: Project, reports: Mapping[int, FileReport]) -> dict[int, cst.Module]:
    """Return the files as they are afterwards, by the `id` of their sources; the reports are filled in."""
    done: dict[int, cst.Module] = {}
    for source in project.sources:
        imports, report = Imports(source), reports[id(source)]
        changed = source.module.visit(_Rewriter(project, source, imports, report))
        done[id(source)] = with_imports(source, changed, imports.wanted) if report.changed else source.module
    return done


class _Rewriter(KeepingComments):
    def __init__(self, project: Project, source: Source, imports: Imports, report: FileReport) -> None:
        super().__init__()
        self._project, self._source, self._imports, self._report = project, source, imports, report
        self._uses_motor = "motor" in source.module.code

    # -- names ---------------------------------------------------------------------------------------------------

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        module = absolute(self._source, node)
        if module == "motor" or module.startswith("motor."):
            if isinstance(node.names, cst.ImportStar):
                self._report.leave(self._source.line(node), "the names are not written here", self._source.code(node))
            else:
                for alias in node.names:
                    if dotted(alias.name) not in CLASSES and dotted(alias.name) != "motor_asyncio":
                        reason = f"{dotted(alias.name)} has no counterpart that behaves alike"
                        self._report.leave(self._source.line(node), reason, self._source.code(node))
        return False

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        if absolute(self._source, original_node) not in ENGINES or isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        names = list(updated_node.names)
        kept = [each for each in names if dotted(each.name) != "AIOEngine" or each.asname is not None]
        for alias in names:
            if dotted(alias.name) == "AIOEngine" and alias.asname is not None:
                self._report.leave(
                    self._source.line(original_node),
                    "AIOEngine has another name here",
                    self._source.code(original_node),
                )
        if len(kept) == len(names):
            return updated_node
        self._imports.wanted.add(("mongotic.asyncio", "AIOEngine"))
        self._report.change(self._source.line(original_node), "engine", self._source.code(original_node))
        if not kept:
            return cst.RemoveFromParent()
        if kept[-1] is not names[-1]:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(names=kept)

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self._renamed(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        if self._uses_motor and (reason := GONE.get(original_node.attr.value)):
            self._report.leave(self._source.line(original_node), reason, self._source.code(original_node))
        if self._project.qualified(self._source, original_node) in {f"{home}.AIOEngine" for home in ENGINES}:
            self._imports.wanted.add(("mongotic.asyncio", ""))
            self._report.change(self._source.line(original_node), "engine", self._source.code(original_node))
            return code("mongotic.asyncio.AIOEngine")
        return self._renamed(original_node, updated_node)

    def _renamed(self, original: cst.Name | cst.Attribute, updated: cst.BaseExpression) -> cst.BaseExpression:
        above = self._source.parent(original)
        if isinstance(above, (cst.Param, cst.AssignTarget)) or (
            isinstance(above, (cst.Attribute, cst.Arg)) and getattr(above, "value", None) is not original
        ):
            return updated  # a name that is bound, or the last part of another
        home, _, name = self._project.qualified(self._source, original).rpartition(".")
        if name not in CLASSES or home.split(".")[0] != "motor":
            return updated
        self._report.change(self._source.line(original), "client", self._source.code(original))
        return code(self._imports.name(*CLASSES[name]))

    # -- calls ---------------------------------------------------------------------------------------------------

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        call = original_node.expression
        if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
            return updated_node
        thing = self._project.thing(self._source, call.func.value)
        if thing is None or thing.role != CLIENT or call.func.attr.value != "start_session":
            return updated_node
        self._report.change(self._source.line(original_node), "not-awaited", self._source.code(original_node))
        inner = updated_node.expression
        return inner.with_changes(lpar=[*updated_node.lpar, *inner.lpar], rpar=[*inner.rpar, *updated_node.rpar])

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        function = original_node.func
        if isinstance(function, (cst.Name, cst.Attribute)):
            updated_node = self._without_loop(original_node, updated_node)
        if not isinstance(function, cst.Attribute):
            return updated_node
        above = self._source.parent(original_node)
        if isinstance(above, cst.Await):
            return updated_node
        thing = self._project.thing(self._source, function.value)
        name = function.attr.value
        if thing is None:
            if self._uses_motor and name in DISTINCTIVE and self._imports_motor():
                self._leave(original_node, "it cannot be told whether this is a collection of Motor's")
            return updated_node
        if name not in AWAITED_NOW.get(thing.role, ()) or thing.is_async is not True:
            return updated_node
        scope = next((each for each in self._source.above(original_node) if _is_function(each)), None)
        if not isinstance(scope, cst.FunctionDef) or scope.asynchronous is None:
            self._leave(original_node, f"{name}() is to be awaited now, and this is no coroutine function")
            return updated_node
        self._report.change(self._source.line(original_node), "awaited", self._source.code(original_node))
        awaited = cst.Await(updated_node)
        return bracketed(awaited) if isinstance(above, (cst.Attribute, cst.Subscript, cst.Call)) else awaited

    def _without_loop(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        home, _, name = self._project.qualified(self._source, original.func).rpartition(".")
        if name != "AsyncIOMotorClient" or home.split(".")[0] != "motor":
            return updated
        kept = [each for each in updated.args if each.keyword is None or each.keyword.value != "io_loop"]
        if len(kept) == len(updated.args):
            return updated
        self._report.change(self._source.line(original), "io-loop", self._source.code(original))
        if kept and kept[-1] is not updated.args[-1]:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated.with_changes(args=kept)

    def _imports_motor(self) -> bool:
        return "import motor" in self._source.module.code or "from motor" in self._source.module.code

    def _leave(self, node: cst.CSTNode, reason: str) -> None:
        self._report.leave(self._source.line(node), reason, self._source.code(node))


def _is_function(node: cst.CSTNode) -> bool:
    return isinstance(node, (cst.FunctionDef, cst.Lambda, cst.ClassDef))
