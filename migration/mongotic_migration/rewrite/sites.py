"""The calls of an ODMantic engine in a file: which they are, how their values are used, and where they stand.

Called by `odmantic`, which decides what becomes of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import libcst as cst

from .bindings import dotted
from .kinds import COLLECTION, ENGINE, SESSION, TRANSACTION, Project, Thing
from .sources import Source

READS = frozenset({"find", "find_one", "count"})
WRITES = frozenset({"save", "save_all", "delete", "remove"})
EAGER = frozenset({"all", "any", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"})
LEFT_ALONE_QUIETLY = frozenset({"configure_database"})  # mongotic's engines have it, too

Function: TypeAlias = cst.FunctionDef | None
Carrier: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement


class Refusal(Exception):  # noqa: N818  # an answer, not a fault
    """A place is left alone; the message says why."""


@dataclass(eq=False)
class Site:
    """One call of an engine, or of a session or transaction of one.

    Attributes:
        call: the call.
        receiver: what it is called on.
        method: `find`, `save`, ...; `aggregate` and `count_documents` of a model's collection.
        thing: what the receiver is.
        is_async: the call is awaited, or walked by `async for`.
        outer: the expression that gives what the caller sees: the call, its await, or the `list()` around it.
        usage: `value`, or `walked` for a cursor that is iterated.
        carrier: the statement that it stands in; a compound one where it stands in the first line.
        function: the function it is in.
        writes: it is a call of a function that writes.
        saved: the names whose instances that function saves.
    """

    call: cst.Call
    receiver: cst.BaseExpression
    method: str
    thing: Thing
    is_async: bool
    outer: cst.BaseExpression
    usage: str
    carrier: Carrier
    function: Function
    writes: bool = False
    saved: frozenset[str] = frozenset()

    @property
    def is_write(self) -> bool:
        return self.writes or self.method in WRITES

    @property
    def model(self) -> str:
        """The model it asks for, as written."""
        return dotted(self.call.args[0].value) if self.call.args else ""


@dataclass(eq=False)
class Block:
    """`with engine.session() as name:` or `with engine.transaction() as name:`.

    Attributes:
        node: the whole statement.
        item: the part of it that opens.
        opened: `session` or `transaction`.
        receiver: the engine or session it is opened of.
        name: what it is called inside, or an empty text.
        is_async: it is an `async with`.
        function: the function it is in.
    """

    node: cst.With
    item: cst.WithItem
    opened: str
    receiver: cst.BaseExpression
    name: str
    is_async: bool
    function: Function


def sites_of(project: Project, source: Source) -> tuple[list[Site], list[Block], list[tuple[cst.CSTNode, str]]]:
    """Return the engine calls of a file, the blocks they open, and the calls left alone with the reasons."""
    finder = _Finder(project, source)
    source.module.visit(finder)
    return finder.sites, finder.blocks, finder.refused


class _Finder(cst.CSTVisitor):
    def __init__(self, project: Project, source: Source) -> None:
        super().__init__()
        self._project, self._source = project, source
        self.sites: list[Site] = []
        self.blocks: list[Block] = []
        self.refused: list[tuple[cst.CSTNode, str]] = []

    def visit_Call(self, node: cst.Call) -> None:
        if not isinstance(node.func, cst.Attribute):
            return
        method, receiver = node.func.attr.value, node.func.value
        thing = self._project.thing(self._source, receiver)
        if thing is None:
            return
        try:
            if thing.role == COLLECTION and method in {"aggregate", "count_documents"}:
                self._collection(node, receiver, method)
            elif thing.role in {ENGINE, SESSION, TRANSACTION} and method in READS | WRITES:
                self.sites.append(self._site(node, receiver, thing, method))
            elif thing.role in {ENGINE, SESSION} and method in {"session", "transaction"}:
                self._block(node, receiver, method)
            elif thing.role in {SESSION, TRANSACTION} and method in {"commit", "abort"}:
                self.sites.append(self._site(node, receiver, thing, method))
            elif thing.role == ENGINE and method == "get_collection" and not self._is_used_as_facade(node):
                raise Refusal("what is done with the raw collection has no form in a session")
        except Refusal as refusal:
            self.refused.append((node, str(refusal)))

    def _is_used_as_facade(self, node: cst.Call) -> bool:
        above = self._source.parent(node)
        return isinstance(above, cst.Attribute) and above.attr.value in {"aggregate", "count_documents"}

    def _collection(self, node: cst.Call, receiver: cst.BaseExpression, method: str) -> None:
        if not (isinstance(receiver, cst.Call) and isinstance(receiver.func, cst.Attribute)):
            return  # a raw collection of no known model
        inner = self._project.thing(self._source, receiver.func.value)
        if inner is None or inner.role != ENGINE or len(receiver.args) != 1:
            return
        self.sites.append(self._site(node, receiver.func.value, Thing(ENGINE, inner.is_async), method))

    def _block(self, node: cst.Call, receiver: cst.BaseExpression, method: str) -> None:
        item = self._source.parent(node)
        block = self._source.parent(item) if item is not None else None
        if not isinstance(item, cst.WithItem) or not isinstance(block, cst.With) or node.args:
            raise Refusal(f"{method}() is not the item of a with statement")
        alias = item.asname.name if item.asname is not None else None
        if alias is not None and not isinstance(alias, cst.Name):
            raise Refusal(f"what {method}() gives is not a plain name")
        name = alias.value if alias is not None else ""
        awaited = block.asynchronous is not None
        function = self._source.nearest(block, cst.FunctionDef)
        self.blocks.append(Block(block, item, method, receiver, name, awaited, function))

    def _site(self, node: cst.Call, receiver: cst.BaseExpression, thing: Thing, method: str) -> Site:
        above = self._source.parent(node)
        walks = self._walk(node)
        is_async = thing.is_async
        if is_async is None:
            function = self._source.nearest(node, cst.FunctionDef)
            is_async = (
                isinstance(above, cst.Await)
                or walks == "async"
                or (
                    method == "find" and function is not None and function.asynchronous is not None and walks != "plain"
                )
            )
        outer: cst.BaseExpression = node
        usage = "value"
        if is_async and isinstance(above, cst.Await):
            outer = above
            if method == "aggregate":
                raise Refusal("aggregate() of Motor is not awaited")
        elif method in {"find", "aggregate"}:
            outer, usage = self._cursor(node, walks, is_async=is_async, method=method)
        elif is_async:
            raise Refusal(f"{method}() is not awaited where it is called")
        return Site(node, receiver, method, thing, is_async, outer, usage, *place_of(self._source, outer))

    def _walk(self, node: cst.BaseExpression) -> str:
        """Tell whether an expression is what a loop walks: by `async`, `plain`, or not at all."""
        above = self._source.parent(node)
        if isinstance(above, (cst.For, cst.CompFor)) and above.iter is node:
            return "async" if above.asynchronous is not None else "plain"
        return ""

    def _cursor(self, node: cst.Call, walks: str, *, is_async: bool, method: str) -> tuple[cst.BaseExpression, str]:
        """Return the expression that gives the documents, and how it is used, where no cursor is awaited."""
        if walks == ("async" if is_async else "plain"):
            return node, "walked"
        above = self._source.parent(node)
        if method == "aggregate" and isinstance(above, cst.Attribute) and above.attr.value == "to_list":
            return self._to_list(above, is_async=is_async)
        if not is_async and isinstance(above, cst.StarredElement):
            return node, "walked"
        if not is_async and isinstance(above, cst.Arg):
            consumer = self._source.parent(above)
            if isinstance(consumer, cst.Call) and isinstance(consumer.func, cst.Name) and consumer.func.value in EAGER:
                if consumer.func.value == "list" and len(consumer.args) == 1:
                    return consumer, "value"
                return node, "walked"
        if walks:
            raise Refusal("its cursor is walked in the way of the other kind of engine")
        raise Refusal("its cursor is kept or passed on, where only its documents can be rewritten")

    def _to_list(self, attribute: cst.Attribute, *, is_async: bool) -> tuple[cst.BaseExpression, str]:
        call = self._source.parent(attribute)
        awaited = self._source.parent(call) if call is not None else None
        if isinstance(call, cst.Call) and all(dotted(argument.value) == "None" for argument in call.args):
            if is_async and isinstance(awaited, cst.Await):
                return awaited, "value"
            if not is_async:
                return call, "value"
        raise Refusal("to_list() with a length gives a part of the documents")


def place_of(source: Source, node: cst.CSTNode) -> tuple[Carrier, Function]:
    """Return the statement a session can be opened around, for an expression, and its function.

    Raises:
        Refusal: there is none.
    """
    carrier: Carrier | None = None
    for each in source.above(node):
        if isinstance(each, cst.SimpleStatementLine):
            carrier = each
            break
        if isinstance(each, (cst.Lambda, cst.ClassDef, cst.FunctionDef)):
            raise Refusal("it is part of a lambda, a decorator or a default value")
        if isinstance(each, cst.GeneratorExp) and not _is_consumed(source, each):
            raise Refusal("it is part of a generator expression, which may be run after its statement")
        if isinstance(each, cst.ExceptHandler):
            raise Refusal("it is part of an except clause")
        if isinstance(each, cst.BaseCompoundStatement):
            carrier = _whole(source, each)
            break
    if carrier is None:
        raise Refusal("it is not part of a statement")
    holder = next((each for each in source.above(carrier) if isinstance(each, (cst.FunctionDef, cst.ClassDef))), None)
    if isinstance(holder, cst.ClassDef):
        raise Refusal("it is part of the body of a class")
    return carrier, holder


def _whole(source: Source, statement: cst.BaseCompoundStatement) -> cst.BaseCompoundStatement:
    """Return the statement that begins where *statement* does in a block: an elif belongs to the first if."""
    above = source.parent(statement)
    while isinstance(statement, cst.If) and isinstance(above, cst.If):
        statement, above = above, source.parent(above)
    return statement


def _is_consumed(source: Source, node: cst.GeneratorExp) -> bool:
    argument = source.parent(node)
    call = source.parent(argument) if argument is not None else None
    return isinstance(call, cst.Call) and dotted(call.func) in EAGER
