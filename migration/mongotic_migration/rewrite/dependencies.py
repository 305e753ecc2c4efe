"""What functions that take a session look like: their parameter, and the FastAPI dependency that gives it.

`odmantic` calls it before it rewrites a file; `functions` has decided which functions these are.
"""

from __future__ import annotations

from typing import Protocol

import libcst as cst

from .bindings import Defined, Imported, absolute, dotted, origins
from .facade import Facade, Imports, code
from .functions import Candidate, SessionFunctions
from .kinds import Definition, Project
from .regions import all_names
from .report import FileReport
from .sources import Source


class Changes(Protocol):
    """Where the new parameters and statements of a file go."""

    parameters: dict[int, cst.Param]
    after: dict[int, list[cst.BaseStatement]]


class Dependencies:
    """Writes the parameters and dependencies of a run."""

    def __init__(self, project: Project, functions: SessionFunctions) -> None:
        self._project, self._functions = project, functions
        self._getters: dict[int, tuple[Definition, str, bool]] = {}
        self._aliases: dict[tuple[int, str], tuple[Source, str, str]] = {}
        for candidate in functions.all():
            if candidate.getter is not None:
                self._name_getter(candidate, candidate.getter)

    def _name_getter(self, candidate: Candidate, getter: Definition) -> None:
        old = getter.node.name.value
        name = old.replace("engine", "session") if "engine" in old else "get_session"
        there = origins(getter.source, name, getter.source.module)
        if there and not (len(there) == 1 and isinstance(there[0], Defined) and _gives_session(there[0].node)):
            name = f"{name}_of_mongotic"
        self._getters[id(getter.node)] = (getter, name, candidate.is_async)
        if candidate.alias is not None:
            source, alias = candidate.alias
            new = alias.replace("Engine", "Session") if "Engine" in alias else "SessionDep"
            self._aliases[id(source), alias] = (source, new, name)

    def prepare(self, source: Source, changes: Changes, imports: Imports, facade: Facade, report: FileReport) -> None:
        """Set down what changes in a file: its parameters, and the dependencies that are defined in it."""
        for candidate in self._functions.of(source):
            cls = facade.session_class(is_async=candidate.is_async)
            changes.parameters[id(candidate.parameter)] = self._parameter(source, candidate, cls, changes)
            rule = "session-dependency" if candidate.getter is not None else "session-parameter"
            report.change(source.line(candidate.parameter), rule, source.code(candidate.parameter))
        for getter, name, is_async in self._getters.values():
            if getter.source is source and not origins(source, name, source.module):
                cls = facade.session_class(is_async=is_async)
                changes.after.setdefault(id(getter.node), []).append(self._getter(getter, name, cls, imports, is_async))
                report.change(source.line(getter.node), "session-dependency", f"def {name}")
        for (_, alias), (where, new, name) in self._aliases.items():
            if where is source and not origins(source, new, source.module):
                self._add_alias(source, alias, new, name, changes, facade)

    def _getter(self, getter: Definition, name: str, cls: str, imports: Imports, is_async: bool) -> cst.BaseStatement:
        engine = _engine_name(getter.source, imports, is_async=is_async)
        walk = imports.name("collections.abc", "AsyncIterator" if is_async else "Iterator")
        depends = imports.name("fastapi", "Depends")
        wait = "async " if is_async else ""
        argument = "session" if name != "session" else "opened"
        found = cst.parse_statement(
            f"{wait}def {name}(engine: {engine} = {depends}({getter.node.name.value})) -> {walk}[{cls}]:\n"
            f'    """Give a session that is open for one request."""\n'
            f"    {wait}with {cls}(engine) as {argument}:\n"
            f"        yield {argument}\n"
        )
        assert isinstance(found, cst.FunctionDef)
        return found.with_changes(leading_lines=[cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)])

    def _add_alias(self, source: Source, alias: str, new: str, name: str, changes: Changes, facade: Facade) -> None:
        is_async = next(is_async for _, each, is_async in self._getters.values() if each == name)
        cls = facade.session_class(is_async=is_async)
        for statement in source.module.body:
            for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
                if isinstance(small, cst.Assign) and dotted(small.targets[0].target) == alias:
                    assert isinstance(small.value, cst.Subscript)
                    value = self._annotated(source, small.value, cls, changes)
                    line = cst.SimpleStatementLine(
                        [small.with_changes(targets=[cst.AssignTarget(cst.Name(new))], value=value)]
                    )
                    changes.after.setdefault(id(statement), []).append(line)

    def _parameter(self, source: Source, candidate: Candidate, cls: str, changes: Changes) -> cst.Param:
        old = candidate.parameter
        declared = old.annotation.annotation if old.annotation is not None else None
        default = self._depends(source, old.default, changes) if old.default is not None else None
        annotation = code(cls)
        if candidate.getter is not None and old.default is None and declared is not None:
            if candidate.alias is not None:
                annotation = code(self._alias(source, candidate.alias, declared, changes))
            elif isinstance(declared, cst.Subscript):
                annotation = self._annotated(source, declared, cls, changes)
        new = (
            cst.Annotation(annotation) if old.annotation is None else old.annotation.with_changes(annotation=annotation)
        )
        return old.with_changes(name=cst.Name(candidate.session), annotation=new, default=default)

    def _annotated(self, source: Source, node: cst.Subscript, cls: str, changes: Changes) -> cst.Subscript:
        first = node.slice[0].with_changes(slice=cst.Index(code(cls)))
        rest: list[cst.SubscriptElement] = []
        for element in node.slice[1:]:
            inner = element.slice
            if isinstance(inner, cst.Index):
                element = element.with_changes(slice=cst.Index(self._depends(source, inner.value, changes)))
            rest.append(element)
        return node.with_changes(slice=[first, *rest])

    def _depends(self, source: Source, node: cst.BaseExpression, changes: Changes) -> cst.BaseExpression:
        """Return `Depends(get_session)` for `Depends(get_engine)`."""
        if not isinstance(node, cst.Call) or not node.args:
            return node
        given = node.args[0].value
        found = self._project.definition(source, given)
        if found is None or id(found.node) not in self._getters:
            return node
        name = self._getters[id(found.node)][1]
        if isinstance(given, cst.Attribute):
            new: cst.BaseExpression = given.with_changes(attr=cst.Name(name))
        else:
            new = cst.Name(name)
            self._import_beside(source, dotted(given), name, changes)
        return node.with_changes(args=[node.args[0].with_changes(value=new), *node.args[1:]])

    def _alias(self, source: Source, alias: tuple[Source, str], declared: cst.BaseExpression, changes: Changes) -> str:
        _, new, _ = self._aliases[id(alias[0]), alias[1]]
        self._import_beside(source, dotted(declared), new, changes)
        return new

    def _import_beside(self, source: Source, old: str, new: str, changes: Changes) -> None:
        """Import *new* from where *old* is imported, if it is."""
        for statement in source.module.body:
            for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
                if not isinstance(small, cst.ImportFrom) or isinstance(small.names, cst.ImportStar):
                    continue
                if not any(dotted(each.name) == old and each.asname is None for each in small.names):
                    continue
                if new in set(all_names(small)) or any(
                    new in set(all_names(each)) for each in _imports_of(source, small)
                ):
                    return
                added = small.with_changes(names=[cst.ImportAlias(cst.Name(new))], lpar=None, rpar=None)
                lines = changes.after.setdefault(id(statement), [])
                if not any(new in set(all_names(each)) for each in lines):
                    lines.append(cst.SimpleStatementLine([added]))
                return


def _imports_of(source: Source, like: cst.ImportFrom) -> list[cst.ImportFrom]:
    """Return the imports of a file that are from the same module."""
    module = absolute(source, like)
    lines = [each for each in source.module.body if isinstance(each, cst.SimpleStatementLine)]
    imports = [small for each in lines for small in each.body if isinstance(small, cst.ImportFrom)]
    return [each for each in imports if absolute(source, each) == module]


def _engine_name(source: Source, imports: Imports, *, is_async: bool) -> str:
    """Return how a file writes the class of its engines."""
    name = "AIOEngine" if is_async else "SyncEngine"
    for origin in origins(source, name, source.module):
        if isinstance(origin, Imported) and origin.name == name:
            return name
    return imports.name("odmantic", name)


def _gives_session(node: cst.CSTNode) -> bool:
    return (
        isinstance(node, cst.FunctionDef)
        and node.returns is not None
        and bool({"AsyncSession", "Session"} & set(all_names(node.returns)))
    )
