"""Which expressions are engines, and which are ODMantic's sessions, clients, databases and collections.

An engine is known by its annotation, by what it is assigned, by the FastAPI dependency that gives it, as an attribute
that is only ever given engines, or because the user names it.  The codemods for ODMantic and Motor ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import libcst as cst

from .bindings import Defined, Entered, Imported, Origin, Parameter, Value, dotted, origins
from .sources import Source

ENGINE, SESSION, TRANSACTION = "engine", "session", "transaction"
CLIENT, DATABASE, COLLECTION, DRIVER_SESSION = "client", "database", "collection", "driver session"


@dataclass(frozen=True)
class Thing:
    """What an expression is.

    Attributes:
        role: one of the names above.
        is_async: it is awaited; None where only the user's word is known.
    """

    role: str
    is_async: bool | None = None


_CLASSES = {
    "AIOEngine": Thing(ENGINE, True),
    "SyncEngine": Thing(ENGINE, False),
    "AIOSession": Thing(SESSION, True),
    "SyncSession": Thing(SESSION, False),
    "AIOTransaction": Thing(TRANSACTION, True),
    "SyncTransaction": Thing(TRANSACTION, False),
    "AsyncIOMotorClient": Thing(CLIENT, True),
    "AsyncIOMotorDatabase": Thing(DATABASE, True),
    "AsyncIOMotorCollection": Thing(COLLECTION, True),
    "AsyncIOMotorClientSession": Thing(DRIVER_SESSION, True),
    "AsyncMongoClient": Thing(CLIENT, True),
    "AsyncDatabase": Thing(DATABASE, True),
    "AsyncCollection": Thing(COLLECTION, True),
    "AsyncClientSession": Thing(DRIVER_SESSION, True),
}
_HOMES = ("odmantic", "mongotic.asyncio", "motor", "pymongo")
_WRAPPERS = frozenset(
    {"Annotated", "AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable", "ClassVar", "Final", "Generator"}
    | {"Iterable", "Iterator", "Optional"}
)
_OPENED = {"session": SESSION, "transaction": TRANSACTION}


@dataclass(frozen=True)
class Definition:
    """A class or function, and the file it is in."""

    source: Source
    node: cst.ClassDef | cst.FunctionDef


class Project:
    """All files of a run, and what their expressions are.

    Arguments:
        sources: the files.
        engines: names the user says are engines, dotted ones too.
    """

    def __init__(self, sources: Iterable[Source], engines: Iterable[str] = ()) -> None:
        self.sources = list(sources)
        self._named = frozenset(engines)
        self._modules: dict[str, list[Source]] = {}
        for source in self.sources:
            parts = source.name.split(".")
            for start in range(len(parts)):
                self._modules.setdefault(".".join(parts[start:]), []).append(source)
        self._known: dict[int, Thing | None] = {}
        self._models: dict[int, str | None] = {}
        self._attributes: dict[str, Thing] = {}
        self._attributes = self._find_attributes()
        self._known.clear()  # what was asked before the attributes were known

    # -- expressions ---------------------------------------------------------------------------------------------

    def thing(self, source: Source, node: cst.BaseExpression) -> Thing | None:
        """Return what an expression is, or None."""
        key = id(node)
        if key not in self._known:
            self._known[key] = None  # for whoever asks for it again meanwhile
            self._known[key] = self._thing(source, node)
        return self._known[key]

    def _thing(self, source: Source, node: cst.BaseExpression) -> Thing | None:
        name = dotted(node)
        if name and name in self._named:
            return self._of_origins(source, node) or Thing(ENGINE)
        if isinstance(node, cst.Name):
            return self._of_origins(source, node)
        if isinstance(node, cst.Attribute):
            return self._of_attribute(source, node)
        if isinstance(node, cst.Subscript):
            inner = self.thing(source, node.value)
            return _inside(inner)
        if isinstance(node, cst.Await):
            return self.thing(source, node.expression)
        if isinstance(node, cst.Call):
            return self._of_call(source, node)
        return None

    def _of_origins(self, source: Source, node: cst.BaseExpression) -> Thing | None:
        if not isinstance(node, cst.Name):
            return None
        found = [origin for origin in origins(source, node.value, node) if not _is_nothing(origin)]
        things = {self.of_origin(source, origin) for origin in found}
        return things.pop() if len(things) == 1 else None

    def of_origin(self, source: Source, origin: Origin) -> Thing | None:
        """Return what a name stands for whose value comes from there."""
        if isinstance(origin, Parameter):
            return self._of_parameter(source, origin.node)
        if isinstance(origin, Value):
            declared = self.annotated(source, origin.annotation) if origin.annotation is not None else None
            return declared or (self.thing(source, origin.node) if origin.node is not None else None)
        if isinstance(origin, Entered):
            return self.thing(source, origin.node.item)
        if isinstance(origin, Imported):
            return self._of_global(origin)
        return None

    def _of_global(self, origin: Imported) -> Thing | None:
        found = self.module(origin.module)
        return self.global_thing(found, origin.name) if found is not None and origin.name else None

    def global_thing(self, source: Source, name: str) -> Thing | None:
        """Return what a global name of a file stands for."""
        found = [origin for origin in origins(source, name, source.module) if not _is_nothing(origin)]
        things = {self.of_origin(source, origin) for origin in found}
        return things.pop() if len(things) == 1 else None

    def _of_parameter(self, source: Source, node: cst.Param) -> Thing | None:
        if node.annotation is not None and (found := self.annotated(source, node.annotation.annotation)):
            return found
        return self.thing(source, node.default) if node.default is not None else None

    def _of_attribute(self, source: Source, node: cst.Attribute) -> Thing | None:
        inner = self.thing(source, node.value)
        name = node.attr.value
        if inner is not None:
            if inner.role == ENGINE:
                return {"client": Thing(CLIENT, inner.is_async), "database": Thing(DATABASE, inner.is_async)}.get(name)
            return None if name.startswith("_") else _inside(inner)
        if isinstance(node.value, cst.Name):
            for origin in origins(source, node.value.value, node.value):
                if isinstance(origin, Imported):
                    path = origin.module if not origin.name else f"{origin.module}.{origin.name}"
                    module = self.module(path)
                    if module is not None and (found := self.global_thing(module, name)):
                        return found
        return self._attributes.get(name)

    def _of_call(self, source: Source, node: cst.Call) -> Thing | None:
        if isinstance(node.func, cst.Attribute):
            inner = self.thing(source, node.func.value)
            name = node.func.attr.value
            if inner is not None and inner.role in {ENGINE, SESSION} and name in _OPENED:
                return Thing(_OPENED[name], inner.is_async)
            if inner is not None and inner.role == ENGINE and name == "get_collection":
                return Thing(COLLECTION, inner.is_async)
            if inner is not None and inner.role == CLIENT and name == "start_session":
                return Thing(DRIVER_SESSION, inner.is_async)
            if inner is not None and name in {"get_database", "get_default_database", "get_collection"}:
                return _inside(inner)
        if found := self.named_class(source, node.func):
            return found
        if self.qualified(source, node.func).startswith("fastapi.") and dotted(node.func).endswith("Depends"):
            return self.thing_given(source, node.args[0].value) if node.args else None
        return self.thing_given(source, node.func)

    def thing_given(self, source: Source, function: cst.BaseExpression) -> Thing | None:
        """Return what a function of these files gives."""
        found = self.definition(source, function)
        if found is None or not isinstance(found.node, cst.FunctionDef):
            return None
        if found.node.returns is not None:
            return self.annotated(found.source, found.node.returns.annotation)
        key = id(found.node)
        if key not in self._known:
            self._known[key] = None
            given = {self.thing(found.source, value) for value in _given(found.node.body)}
            self._known[key] = given.pop() if len(given) == 1 else None
        return self._known[key]

    # -- annotations and classes ---------------------------------------------------------------------------------

    def annotated(self, source: Source, node: cst.BaseExpression) -> Thing | None:
        """Return what a value with that annotation is."""
        if isinstance(node, cst.SimpleString):
            text = node.evaluated_value
            try:
                inner = cst.parse_expression(text if isinstance(text, str) else "None")
            except cst.ParserSyntaxError:
                return None
            return self._quoted(source, inner, node)
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
            sides = [node.left, node.right]
            found = [self.annotated(source, side) for side in sides if dotted(side) != "None"]
            return found[0] if len(found) == 1 else None
        if isinstance(node, cst.Subscript):
            first = node.slice[0].slice
            if dotted(node.value).rpartition(".")[2] in _WRAPPERS and isinstance(first, cst.Index):
                return self.annotated(source, first.value)
            return self.named_class(source, node.value)
        return self.named_class(source, node) or self._alias(source, node)

    def _quoted(self, source: Source, inner: cst.BaseExpression, place: cst.BaseExpression) -> Thing | None:
        name = dotted(inner)
        if not name:
            return None
        first, _, rest = name.partition(".")
        for origin in origins(source, first, place):
            if isinstance(origin, Imported):
                full = ".".join(part for part in (origin.module, origin.name, rest) if part)
                return _class_of(full)
        return None

    def _alias(self, source: Source, node: cst.BaseExpression) -> Thing | None:
        found = self.alias(source, node)
        return self.annotated(*found) if found is not None else None

    def alias(self, source: Source, node: cst.BaseExpression) -> tuple[Source, cst.BaseExpression] | None:
        """Return the expression that a name for a type stands for, and its file: `EngineDep = Annotated[...]`."""
        if not isinstance(node, cst.Name):
            return None
        for origin in origins(source, node.value, node):
            if isinstance(origin, Value) and isinstance(origin.node, cst.Subscript):
                return source, origin.node
            if isinstance(origin, Imported) and origin.name:
                module = self.module(origin.module)
                if module is not None and module is not source:
                    for inner in origins(module, origin.name, module.module):
                        if isinstance(inner, Value) and isinstance(inner.node, cst.Subscript):
                            return module, inner.node
        return None

    def qualified(self, source: Source, node: cst.BaseExpression) -> str:
        """Return the full name of what a dotted name imports, or an empty text."""
        name = dotted(node)
        first, _, rest = name.partition(".")
        if not first:
            return ""
        for origin in origins(source, first, node):
            if isinstance(origin, Imported):
                if not origin.name and origin.module.startswith(f"{first}."):
                    return name  # import a.b: the name a, then as written
                return ".".join(part for part in (origin.module, origin.name, rest) if part)
        return ""

    def named_class(self, source: Source, node: cst.BaseExpression) -> Thing | None:
        """Return what an instance of a class is: one of ODMantic's or the drivers', or derived from one."""
        if (full := self.qualified(source, node)) and (found := _class_of(full)):
            return found
        defined = self.definition(source, node)
        if defined is None or not isinstance(defined.node, cst.ClassDef):
            return None
        key = id(defined.node)
        if key not in self._known:
            self._known[key] = None
            bases = (self.named_class(defined.source, base.value) for base in defined.node.bases)
            self._known[key] = next((base for base in bases if base), None)
        return self._known[key]

    def primary_field(self, source: Source, node: cst.BaseExpression) -> str | None:
        """Return the name of a model's primary field, if *node* names a model of these files; else None."""
        defined = self.definition(source, node)
        if defined is None or not isinstance(defined.node, cst.ClassDef):
            return None
        key = id(defined.node)
        if key not in self._models:
            self._models[key] = None
            self._models[key] = self._find_primary(defined)
        return self._models[key]

    def _find_primary(self, defined: Definition) -> str | None:
        assert isinstance(defined.node, cst.ClassDef)
        own = _own_primary(defined.node)
        for base in defined.node.bases:
            if self.qualified(defined.source, base.value) in {"odmantic.Model", "odmantic.model.Model"}:
                return own or "id"
            if inherited := self.primary_field(defined.source, base.value):
                return own or inherited
        return None

    # -- names across files --------------------------------------------------------------------------------------

    def module(self, name: str) -> Source | None:
        """Return the file of these that a module's name means, if exactly one does."""
        found = self._modules.get(name, ())
        exact = [source for source in found if source.name == name]
        return exact[0] if len(exact) == 1 else found[0] if len(found) == 1 else None

    def definition(self, source: Source, node: cst.BaseExpression) -> Definition | None:
        """Return the class or function that a name means, here or in another file."""
        if isinstance(node, cst.Name):
            found = origins(source, node.value, node)
            if len(found) == 1 and isinstance(found[0], Defined):
                return Definition(source, found[0].node)
        full = self.qualified(source, node)
        module_name, _, name = full.rpartition(".")
        module = self.module(module_name) if module_name else None
        if module is None:
            return None
        there = origins(module, name, module.module)
        if len(there) != 1:
            return None
        if isinstance(there[0], Defined):
            return Definition(module, there[0].node)
        if isinstance(there[0], Imported) and there[0].name:  # handed on: from .models import User
            further = self.module(there[0].module)
            if further is not None and further is not module:
                last = origins(further, there[0].name, further.module)
                if len(last) == 1 and isinstance(last[0], Defined):
                    return Definition(further, last[0].node)
        return None

    def _find_attributes(self) -> dict[str, Thing]:
        """Return the attributes that are given engines or clients and never anything else: `self.engine = engine`."""
        found: dict[str, set[Thing | None]] = {}
        for source in self.sources:
            for name, thing in _Attributes.of(self, source):
                found.setdefault(name, set()).add(thing)
        certain = {name: things for name, things in found.items() if len(things) == 1}
        return {name: thing for name, things in certain.items() if (thing := next(iter(things))) is not None}


class _Attributes(cst.CSTVisitor):
    """Collects what attributes are given: by assignment, and by annotation in a class."""

    def __init__(self, project: Project, source: Source) -> None:
        super().__init__()
        self._project, self._source = project, source
        self.found: list[tuple[str, Thing | None]] = []

    @classmethod
    def of(cls, project: Project, source: Source) -> list[tuple[str, Thing | None]]:
        visitor = cls(project, source)
        source.module.visit(visitor)
        return visitor.found

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Attribute) and dotted(node.value) != "None":
                self.found.append((target.target.attr.value, self._project.thing(self._source, node.value)))

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        in_class = isinstance(self._source.nearest(node, cst.FunctionDef, cst.ClassDef), cst.ClassDef)
        if isinstance(node.target, cst.Attribute) or in_class:
            name = node.target.attr.value if isinstance(node.target, cst.Attribute) else dotted(node.target)
            self.found.append((name, self._project.annotated(self._source, node.annotation.annotation)))


def _inside(thing: Thing | None) -> Thing | None:
    """Return what a client has in it, or a database."""
    if thing is None:
        return None
    further = {CLIENT: DATABASE, DATABASE: COLLECTION}.get(thing.role)
    return Thing(further, thing.is_async) if further else None


def _class_of(full: str) -> Thing | None:
    home, _, name = full.rpartition(".")
    known = any(home == each or home.startswith(f"{each}.") for each in _HOMES)
    return _CLASSES.get(name) if known else None


def _is_nothing(origin: Origin) -> bool:
    """Tell whether a name is only declared there, or given None: `engine: AIOEngine | None = None`."""
    return isinstance(origin, Value) and origin.annotation is None and dotted(origin.node) == "None"


def _given(body: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """Return what a function returns or yields, without the functions inside of it."""
    for child in body.children:
        if isinstance(child, (cst.Return, cst.Yield)):
            if isinstance(child.value, cst.BaseExpression):
                yield child.value
        elif not isinstance(child, (cst.FunctionDef, cst.Lambda)):
            yield from _given(child)


def _own_primary(node: cst.ClassDef) -> str | None:
    for line in node.body.body:
        for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(statement, cst.AnnAssign) and isinstance(statement.value, cst.Call):
                for argument in statement.value.args:
                    if argument.keyword is not None and argument.keyword.value == "primary_field":
                        return dotted(statement.target)
    return None
