"""What could make one session for several calls mean something else than a call of its own for each.

ODMantic writes what it is told to save; a commit writes every change of every instance the session holds.  `planning`
asks here before it lets calls share a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from .bindings import Element, Parameter, Value, origins
from .facade import has_yield
from .kinds import ENGINE, Project
from .provenance import Provenances
from .sites import Site
from .sources import Source

MUTATORS = frozenset(
    {
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
    }
    | {"update"}
)
HARMLESS = frozenset(
    {"copy", "dict", "json", "model_copy", "model_dump", "model_dump_doc", "model_dump_json", "model_fields_set"}
)


@dataclass(frozen=True)
class Event:
    """One thing that happens in a region: `change` of a name, `save` of names, `commit`, or `jump` in a loop."""

    kind: str
    node: cst.CSTNode
    names: frozenset[str] = frozenset()


class Hazards:
    """Finds out whether calls may share a session.

    Arguments:
        opening: the names of functions that may open a session of their own, which takes no instance of another one.
    """

    def __init__(
        self, project: Project, source: Source, provenances: Provenances, opening: frozenset[str] = frozenset()
    ) -> None:
        self._project, self._source, self._provenances, self._opening = project, source, provenances, opening

    def reason(
        self, statements: Sequence[cst.CSTNode], sites: Iterable[Site], *, is_transaction: bool, is_shared: bool
    ) -> str | None:
        """Return why the calls among *statements* cannot share a session, or None if they can.

        Arguments:
            statements: what the session is open for.
            sites: the calls in them that go through it.
            is_transaction: queries write what is pending, and the end commits.
            is_shared: the session comes from outside, and may hold what came along.
        """
        sites = list(sites)
        held = self._held(sites, is_shared=is_shared)
        if found := self._lent(statements, sites, held) or self._yielded(statements, sites) or self._begun(sites):
            return found
        writing = [site for site in sites if site.is_write and site.method != "remove"]
        if not writing and not is_transaction:
            return None
        if found := self._caught(statements, writing):
            return found
        if found := self._read_twice(sites):
            return found
        events = _Events(self._source, sites, is_transaction=is_transaction)
        for each in statements:
            each.visit(events)
        last = [Event("commit", statements[-1])] if is_transaction else []
        return self._unsaved([*events.found, *last], held)

    def _caught(self, statements: Sequence[cst.CSTNode], writing: Iterable[Site]) -> str | None:
        """What failed to be written stays pending, and a handler that goes on would write it again."""
        for site in writing:
            for each in self._source.above(site.outer):
                if isinstance(each, (cst.Try, cst.TryStar)) and self._lies_in(site.outer, each.body):
                    for handler in each.handlers:
                        if not _leaves(handler.body):
                            line = self._source.line(handler)
                            return f"the except clause on line {line} goes on after a failed write, which stays pending"
                if each in statements:
                    break
        return None

    def _lent(self, statements: Sequence[cst.CSTNode], sites: Sequence[Site], held: _Held) -> str | None:
        """An instance of an open session must not come to a function that opens another one."""
        own = {id(site.call) for site in sites}
        for call in _calls(statements):
            names = {_last_name(call.func)} | {_last_name(each.value) for each in call.args}
            if id(call) in own or not names & self._opening:
                continue
            for argument in call.args:
                reads = [site for site in sites if not site.is_write and self._lies_in(site.outer, argument)]
                given = [name for name in _bare_names(argument.value) if held.holds(name, call)]
                if reads or given:
                    line = self._source.line(call)
                    return f"what is read is passed on line {line} to a function that uses the engine itself"
        return None

    def _yielded(self, statements: Sequence[cst.CSTNode], sites: Sequence[Site]) -> str | None:
        """What is yielded goes on to somewhere else while the session is open; only streams give it free."""
        if not any(has_yield(each) for each in statements) or all(site.usage == "walked" for site in sites):
            return None
        return "a value is yielded while the session is open"

    def _begun(self, sites: Sequence[Site]) -> str | None:
        """A transaction cannot begin while documents are on their way outside of it."""
        for walked in (site for site in sites if site.usage == "walked" and site.thing.role == ENGINE):
            if any(site.thing.role != ENGINE and self._lies_in(site.outer, walked.carrier) for site in sites):
                return "a transaction begins while documents are walked"
        return None

    def _lies_in(self, node: cst.CSTNode, body: cst.CSTNode) -> bool:
        return any(each is body for each in self._source.above(node))

    def _read_twice(self, sites: Sequence[Site]) -> str | None:
        """The same document, read before and after, is one instance in a session and two without."""
        seen: dict[str, Site] = {}
        for site in sites:
            if site.method != "find_one":
                continue
            asked = self._source.code(site.call, 10_000)
            first = seen.setdefault(asked, site)
            if first is not site and first.carrier is not site.carrier and self._follows(first, site):
                line = self._source.line(first.call)
                return f"the document read on line {line} is read again, and would be the same instance"
        return None

    def _follows(self, first: Site, second: Site) -> bool:
        """Tell whether *second* runs after *first* in one go: they do not stand in branches that exclude each other."""
        around = {id(each) for each in self._source.above(first.carrier) if isinstance(each, cst.BaseSuite)}
        return any(id(each) in around for each in self._source.above(second.carrier) if isinstance(each, cst.BaseSuite))

    def _held(self, sites: Iterable[Site], *, is_shared: bool) -> _Held:
        names: set[str] = set()
        for site in sites:
            if site.method in {"save", "save_all"}:
                names |= names_in(site.call.args[0].value)
            names |= site.saved
        return _Held(self._project, self._source, self._provenances, frozenset(names), frozenset(sites), is_shared)

    def _unsaved(self, events: Sequence[Event], held: _Held) -> str | None:
        for number, event in enumerate(events):
            if event.kind != "change":
                continue
            name = next(iter(event.names))
            roots = held.roots(name, event.node)
            if not held.holds(name, event.node):
                continue
            line = self._source.line(event.node)
            if not self._is_saved(events, number, roots):
                return f"{name} is changed on line {line}, and not saved before something else is"
        return None

    def _is_saved(self, events: Sequence[Event], number: int, roots: frozenset[str]) -> bool:
        """Tell whether a change is saved before anything else is written."""
        change = events[number]
        later = events[number + 1 :]
        blocks = [each for each in self._source.above(change.node) if isinstance(each, (cst.BaseSuite, cst.Module))]
        jumped = False
        for place, event in enumerate(later):
            if event.kind == "jump":
                jumped = True
            if event.kind == "save" and event.names & roots:
                certain = self._block(event.node) in blocks and not jumped
                rest = [each for each in later[place + 1 :] if each.kind in {"save", "commit"}]
                return certain or not rest
            if event.kind == "commit":
                return False
            if event.kind == "save" and not self._run_reaches(later[place:], roots):
                return False
        earlier = events[:number]  # nothing is written any more, unless a loop begins again
        loops = [each for each in self._source.above(change.node) if isinstance(each, (cst.For, cst.While))]
        return not any(
            event.kind in {"save", "commit"} and any(each in loops for each in self._source.above(event.node))
            for event in earlier
        )

    def _run_reaches(self, events: Sequence[Event], roots: frozenset[str]) -> bool:
        """Tell whether saves that follow one another, with nothing between them, come to one of *roots*."""
        block = self._block(events[0].node)
        body: Sequence[cst.CSTNode] = block.body if isinstance(block, (cst.IndentedBlock, cst.Module)) else ()
        statements = [self._line(event.node) for event in events if event.kind == "save"]
        first = next((number for number, each in enumerate(body) if each is statements[0]), None)
        if first is None:
            return False
        saved: set[str] = set()
        for number, statement in enumerate(body[first:]):
            if number >= len(statements) or statements[number] is not statement:
                break
            saved |= next(
                event.names for event in events if event.kind == "save" and self._line(event.node) is statement
            )
        return bool(saved & roots)

    def _line(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._source.nearest(node, cst.SimpleStatementLine)

    def _block(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return next((each for each in self._source.above(node) if isinstance(each, (cst.BaseSuite, cst.Module))), None)


@dataclass(frozen=True)
class _Held:
    """Which names may stand for instances that the session holds."""

    project: Project
    source: Source
    provenances: Provenances
    saved: frozenset[str]
    sites: frozenset[Site]
    is_shared: bool

    def roots(self, name: str, node: cst.CSTNode, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return a name with those its value is a part of: the list it was taken from, the document it is in."""
        found = {name}
        for origin in origins(self.source, name, node) if name not in seen else ():
            value = origin.node if isinstance(origin, (Value, Element)) else None
            if isinstance(value, (cst.Name, cst.Attribute, cst.Subscript)) and (root := root_of(value)):
                found |= self.roots(root, node, seen | {name})
        return frozenset(found)

    def holds(self, name: str, node: cst.CSTNode) -> bool:
        roots = self.roots(name, node)
        if roots & self.saved:
            return True
        for root in roots:
            for origin in origins(self.source, root, node):
                if self.project.of_origin(self.source, origin) is not None:
                    continue  # an engine is no instance
                value = origin.node if isinstance(origin, (Value, Element)) else None
                if value is not None and self.provenances.of(value).sites & self.sites:
                    return True
                if self.is_shared and isinstance(origin, Parameter) and self._may_be_a_model(origin.node):
                    return True
        return False

    def _may_be_a_model(self, node: cst.Param) -> bool:
        if node.annotation is None:
            return node.default is not None  # Depends(get_user); self has no default
        declared = node.annotation.annotation
        if isinstance(declared, cst.Subscript) and isinstance(declared.slice[0].slice, cst.Index):
            declared = declared.slice[0].slice.value
        if self.project.primary_field(self.source, declared) is not None:
            return True
        known_home = self.project.qualified(self.source, declared).split(".")[0] in {"fastapi", "pydantic", "starlette"}
        return (
            not known_home
            and self.project.definition(self.source, declared) is None
            and bool(self.project.qualified(self.source, declared))
        )


class _Events(cst.CSTVisitor):
    """Lists what happens in a region, as written."""

    def __init__(self, source: Source, sites: Iterable[Site], *, is_transaction: bool) -> None:
        super().__init__()
        self._source = source
        self._sites = {id(site.outer): site for site in sites}
        self._is_transaction = is_transaction
        self.found: list[Event] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Continue(self, node: cst.Continue) -> None:
        self.found.append(Event("jump", node))

    def visit_Break(self, node: cst.Break) -> None:
        self.found.append(Event("jump", node))

    def on_leave(self, original_node: cst.CSTNode) -> None:
        site = self._sites.get(id(original_node))
        if site is not None and site.method in {"save", "save_all", "delete"}:
            names = names_in(site.call.args[0].value) if site.call.args else set[str]()
            self.found.append(Event("save", site.outer, frozenset(names)))
        elif site is not None and site.writes:
            self.found.append(Event("save", site.outer, site.saved))
        elif site is not None and (site.method == "commit" or (self._is_transaction and site.method != "abort")):
            self.found.append(Event("commit", site.outer))
        super().on_leave(original_node)

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._changed(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._changed(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._changed(node.target)

    def visit_Del(self, node: cst.Del) -> None:
        self._changed(node.target)

    def _changed(self, target: cst.BaseExpression) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._changed(element.value)
        elif isinstance(target, cst.Subscript) and not isinstance(target.value, (cst.Attribute, cst.Subscript)):
            return  # an element of a list or dict of the function's own
        elif root := root_of(target) if isinstance(target, (cst.Attribute, cst.Subscript)) else "":
            self.found.append(Event("change", target, frozenset({root})))

    def visit_Call(self, node: cst.Call) -> None:
        root = ""
        if isinstance(node.func, cst.Name) and node.func.value in {"setattr", "delattr"} and node.args:
            root = root_of(node.args[0].value)
        elif isinstance(node.func, cst.Attribute) and not self._is_site(node):
            name, direct = node.func.attr.value, isinstance(node.func.value, cst.Name)
            changes = name not in MUTATORS | HARMLESS if direct else name in MUTATORS | {"model_update"}
            root = root_of(node.func.value) if changes else ""
        if root:
            self.found.append(Event("change", node, frozenset({root})))

    def _is_site(self, node: cst.Call) -> bool:
        return any(site.call is node for site in self._sites.values())


def root_of(node: cst.BaseExpression) -> str:
    """Return the name that an expression begins with: `user` of `user.address.city`."""
    while isinstance(node, (cst.Attribute, cst.Subscript)):
        node = node.value
    return node.value if isinstance(node, cst.Name) else ""


def names_in(node: cst.CSTNode) -> set[str]:
    """Return the names in an expression."""
    if isinstance(node, cst.Name):
        return {node.value}
    return {name for child in node.children for name in names_in(child)}


def _calls(nodes: Iterable[cst.CSTNode]) -> Iterator[cst.Call]:
    for node in nodes:
        if isinstance(node, cst.Call):
            yield node
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            yield from _calls(node.children)


def _last_name(node: cst.BaseExpression) -> str:
    return node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""


def _bare_names(node: cst.CSTNode) -> set[str]:
    """Return the names that stand for themselves, and not for one of their attributes."""
    if isinstance(node, cst.Name):
        return {node.value}
    if isinstance(node, cst.Attribute):
        return set()
    return {name for child in node.children for name in _bare_names(child)}


def _leaves(body: cst.BaseSuite) -> bool:
    """Tell whether a block ends with leaving the function."""
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, (cst.Raise, cst.Return))
