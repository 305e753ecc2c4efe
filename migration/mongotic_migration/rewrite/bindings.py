"""What a name stands for in a file: every place that gives it a value.  Called by `kinds` and `provenance`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import libcst as cst
from libcst.metadata import Assignment, BuiltinAssignment, ImportAssignment, Scope

from .sources import Source


@dataclass(frozen=True)
class Imported:
    """A name of another module: `from a.b import name`, or the module itself where *name* is empty."""

    module: str
    name: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function."""

    node: cst.Param


@dataclass(frozen=True)
class Value:
    """The value of an assignment, with its annotation if it has one."""

    node: cst.BaseExpression | None
    annotation: cst.BaseExpression | None = None


@dataclass(frozen=True)
class Entered:
    """What a `with` item gives."""

    node: cst.WithItem


@dataclass(frozen=True)
class Element:
    """What a loop takes out of something."""

    node: cst.BaseExpression


@dataclass(frozen=True)
class Defined:
    """A class or function."""

    node: cst.ClassDef | cst.FunctionDef


@dataclass(frozen=True)
class Unknown:
    """Anything else: a part of an unpacked value, `except ... as name`, `global name`."""


Origin: TypeAlias = Imported | Parameter | Value | Entered | Element | Defined | Unknown


def dotted(node: cst.CSTNode | None) -> str:
    """Return `a.b.c` for names and their attributes, and an empty text for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr.value}"
    return ""


def scope_of(source: Source, node: cst.CSTNode) -> Scope | None:
    """Return the scope a node lies in."""
    found = source.scopes.get(node)
    if found is not None:
        return found
    return next((scope for each in source.above(node) if (scope := source.scopes.get(each)) is not None), None)


def origins(source: Source, name: str, node: cst.CSTNode) -> list[Origin]:
    """Return all places that may have given *name* its value, as seen from *node*."""
    scope = scope_of(source, node)
    if scope is None:
        return []
    return [origin_of(source, each) for each in scope[name] if not isinstance(each, BuiltinAssignment)]


def origin_of(source: Source, assignment: object) -> Origin:
    """Return what one assignment of a scope gives its name."""
    if isinstance(assignment, ImportAssignment):
        return imported(source, assignment)
    if not isinstance(assignment, Assignment):
        return Unknown()
    node = assignment.node
    if isinstance(node, cst.Param):
        return Parameter(node)
    if isinstance(node, (cst.ClassDef, cst.FunctionDef)):
        return Defined(node)
    return _target(source, node)


def _target(source: Source, node: cst.CSTNode) -> Origin:
    parent = source.parent(node)
    if isinstance(parent, cst.AssignTarget):
        assign = source.parent(parent)
        return Value(assign.value) if isinstance(assign, cst.Assign) else Unknown()
    if isinstance(parent, cst.AnnAssign) and parent.target is node:
        return Value(parent.value, parent.annotation.annotation)
    if isinstance(parent, cst.NamedExpr) and parent.target is node:
        return Value(parent.value)
    if isinstance(parent, cst.AsName):
        item = source.parent(parent)
        return Entered(item) if isinstance(item, cst.WithItem) else Unknown()
    if isinstance(parent, (cst.For, cst.CompFor)) and parent.target is node:
        return Element(parent.iter)
    return Unknown()


def imported(source: Source, assignment: ImportAssignment) -> Origin:
    """Return what an import gives its name."""
    statement = assignment.node
    if isinstance(statement, cst.ImportFrom):
        module = absolute(source, statement)
        if isinstance(statement.names, cst.ImportStar):
            return Unknown()
        for alias in statement.names:
            if _bound(alias) == assignment.name:
                return Imported(module, dotted(alias.name))
        return Unknown()
    if isinstance(statement, cst.Import):
        for alias in statement.names:
            if alias.asname is not None and _bound(alias) == assignment.name:
                return Imported(dotted(alias.name), "")
            if alias.asname is None and dotted(alias.name).split(".")[0] == assignment.name.split(".")[0]:
                return Imported(assignment.name, "")
    return Unknown()


def _bound(alias: cst.ImportAlias) -> str:
    return dotted(alias.asname.name) if alias.asname is not None else dotted(alias.name)


def absolute(source: Source, statement: cst.ImportFrom) -> str:
    """Return the dotted name of the module an import is from; a relative one is counted from the file's own."""
    module = dotted(statement.module)
    if not statement.relative:
        return module
    package = source.name.split(".")
    above = len(statement.relative) - (1 if source.is_package else 0)
    package = package[: len(package) - above] if above else package
    return ".".join([*package, module] if module else package)
