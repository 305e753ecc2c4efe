"""Where instances come from: read from the database, made here, or not known.

`writes` asks, because what is written for `save(x)` depends on it: what was read is updated, what was made here under
a key of its own is inserted, and what is not known stays an upsert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import libcst as cst

from .bindings import Element, Origin, Parameter, Value, dotted, origins, scope_of
from .kinds import Project
from .sites import Site
from .sources import Source

READ, MADE, UNKNOWN = "read", "made", "unknown"


@dataclass(frozen=True)
class Provenance:
    """Where an expression's instances come from.

    Attributes:
        kinds: one or more of the names above.
        sites: the calls that read them.
    """

    kinds: frozenset[str]
    sites: frozenset[Site] = frozenset()

    @property
    def is_known(self) -> bool:
        return UNKNOWN not in self.kinds

    @property
    def is_read(self) -> bool:
        return self.kinds == frozenset({READ})


NOT_KNOWN = Provenance(frozenset({UNKNOWN}))


class Provenances:
    """Tells of expressions of one file where their instances come from.

    Arguments:
        sites: the engine calls of the file.
        family: gives the same for another file.
    """

    def __init__(
        self, project: Project, source: Source, sites: Iterable[Site], family: Callable[[Source], Provenances]
    ) -> None:
        self._project, self._source, self._family = project, source, family
        self._by_value = {id(site.outer): site for site in sites}
        self._asked: set[str] = set()

    def of(self, node: cst.BaseExpression) -> Provenance:
        """Return where an instance comes from, or the instances of a list."""
        if site := self._by_value.get(id(node)):
            if site.method in {"find", "find_one"}:
                return Provenance(frozenset({READ}), frozenset({site}))
            return (
                self.of(site.call.args[0].value)
                if site.method in {"save", "save_all"} and site.call.args
                else NOT_KNOWN
            )
        if isinstance(node, cst.Name):
            return self._of_name(node)
        if isinstance(node, cst.Await) and isinstance(node.expression, cst.Call):
            return self._of_function(node.expression.func)
        if isinstance(node, cst.Call):
            return Provenance(frozenset({MADE})) if self._is_new(node) else self._of_function(node.func)
        if isinstance(node, cst.BooleanOperation) and isinstance(node.operator, cst.Or):
            return _united([self.of(node.left), self.of(node.right)])
        if isinstance(node, cst.IfExp):
            return _united([self.of(each) for each in (node.body, node.orelse) if dotted(each) != "None"])
        if isinstance(node, (cst.List, cst.Tuple)):
            return _united([self.of(each.value) for each in node.elements])
        if isinstance(node, cst.ListComp):
            return self.of(node.elt)
        if isinstance(node, cst.Subscript) and isinstance(node.value, cst.Name):
            return self._of_name(node.value)
        return NOT_KNOWN

    def _of_name(self, node: cst.Name) -> Provenance:
        key = f"{node.value} {id(scope_of(self._source, node))}"
        if key in self._asked:
            return Provenance(frozenset())  # x = save(x): says nothing new
        self._asked.add(key)
        try:
            return _united(
                [found for each in origins(self._source, node.value, node) if (found := self._of_origin(each))]
            )
        finally:
            self._asked.discard(key)

    def _of_origin(self, origin: Origin) -> Provenance | None:
        if isinstance(origin, Value):
            if origin.node is None or dotted(origin.node) == "None":
                return None
            return self.of(origin.node)
        if isinstance(origin, Element):
            return self.of(origin.node)
        if isinstance(origin, Parameter):
            return self._of_parameter(origin.node)
        return NOT_KNOWN

    def _of_parameter(self, node: cst.Param) -> Provenance:
        """Return where a parameter's value comes from, if FastAPI gives it what a function has read."""
        for call in _depends(node):
            return self._of_function(call.args[0].value) if call.args else NOT_KNOWN
        return NOT_KNOWN

    def _of_function(self, function: cst.BaseExpression) -> Provenance:
        """Return where the instances come from that a function of these files returns."""
        found = self._project.definition(self._source, function)
        if found is None or not isinstance(found.node, cst.FunctionDef):
            return NOT_KNOWN
        return self._family(found.source).returned_by(found.node)

    def returned_by(self, function: cst.FunctionDef) -> Provenance:
        """Return where the instances come from that a function of this file returns."""
        key = f"{function.name.value}()"
        if key in self._asked:
            return NOT_KNOWN
        self._asked.add(key)
        try:
            return _united([self.of(value) for value in _returned(function.body) if dotted(value) != "None"])
        finally:
            self._asked.discard(key)

    def _is_new(self, node: cst.Call) -> bool:
        """Tell whether a call makes an instance under a key that nobody has."""
        primary = self._project.primary_field(self._source, node.func)
        plain = all(not each.star and each.keyword is not None and each.keyword.value != primary for each in node.args)
        return primary == "id" and plain


def _united(found: list[Provenance]) -> Provenance:
    kinds = frozenset(kind for each in found for kind in each.kinds)
    return Provenance(kinds, frozenset(site for each in found for site in each.sites)) if kinds else NOT_KNOWN


def _depends(node: cst.Param) -> list[cst.Call]:
    found: list[cst.Call] = []
    if isinstance(node.default, cst.Call):
        found.append(node.default)
    if node.annotation is not None and isinstance(node.annotation.annotation, cst.Subscript):
        indices = [element.slice for element in node.annotation.annotation.slice[1:]]
        values = [index.value for index in indices if isinstance(index, cst.Index)]
        found += [value for value in values if isinstance(value, cst.Call)]
    return [call for call in found if dotted(call.func).rpartition(".")[2] == "Depends"]


def _returned(body: cst.CSTNode) -> list[cst.BaseExpression]:
    found: list[cst.BaseExpression] = []
    for child in body.children:
        if isinstance(child, cst.Return):
            if child.value is not None:
                found.append(child.value)
        elif not isinstance(child, (cst.FunctionDef, cst.Lambda)):
            found += _returned(child)
    return found
