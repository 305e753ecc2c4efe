"""Functions that took an engine and take a session from now on, in the style `session`; used by `planning`.

FastAPI gives endpoints a session through a dependency of its own, written beside the one that gives the engine.  A
plain function takes one if every call of it can pass one.  Whatever does not fit keeps its engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import libcst as cst

from .analysis import Analysis
from .bindings import Parameter, Value, dotted, origins, scope_of
from .hazards import Hazards
from .kinds import ENGINE, Definition
from .regions import HelperCall, Plan, free_name
from .sites import Refusal, Site, place_of
from .sources import Source


@dataclass(eq=False)
class Candidate:
    """A function with one engine among its parameters.

    Attributes:
        getter: the function that gives FastAPI the engine; None for a plain function.
        alias: the file and name of a type alias that names the getter; None without one.
        session: what the parameter is called from now on.
        calls: the calls of a plain function, each with the file it is in.
    """

    source: Source
    function: cst.FunctionDef
    parameter: cst.Param
    is_async: bool
    getter: Definition | None
    alias: tuple[Source, str] | None
    session: str
    calls: list[tuple[Source, Site, HelperCall]] = field(default_factory=list[tuple[Source, Site, HelperCall]])


class SessionFunctions:
    """The functions that take a session.

    Arguments:
        analysis: what is known of the files.
        planned: plans a file with the functions as they are known so far.
    """

    def __init__(self, analysis: Analysis, planned: Callable[[Source, SessionFunctions], Plan] | None = None) -> None:
        self._analysis = analysis
        self._candidates: dict[int, Candidate] = {}
        self._dependents: dict[int, list[cst.FunctionDef]] = {}
        self._using: set[int] = set()
        if planned is not None:
            self._find()
            self._keep_what_fits(planned)

    # -- for the planner -----------------------------------------------------------------------------------------

    def takes_session(self, function: cst.FunctionDef | None) -> bool:
        return function is not None and id(function) in self._candidates

    def name(self, function: cst.FunctionDef) -> str:
        return self._candidates[id(function)].session

    def is_async(self, function: cst.FunctionDef) -> bool:
        return self._candidates[id(function)].is_async

    def calls_in(self, source: Source) -> list[tuple[Site, HelperCall]]:
        """Return the calls in a file that pass an engine where a session is taken."""
        return [
            (site, helper)
            for candidate in self._candidates.values()
            for where, site, helper in candidate.calls
            if where is source
        ]

    def of(self, source: Source) -> Iterator[Candidate]:
        """Return the functions of a file that take a session."""
        return (each for each in self._candidates.values() if each.source is source)

    def all(self) -> Iterable[Candidate]:
        return self._candidates.values()

    # -- finding -------------------------------------------------------------------------------------------------

    def _find(self) -> None:
        for source in self._analysis.project.sources:
            found = self._analysis.of(source)
            self._using |= {id(site.function) for site in found.sites} | {id(block.function) for block in found.blocks}
            for function in _functions(source.module):
                if candidate := self._candidate(source, function):
                    self._candidates[id(function)] = candidate
                    self._using.add(id(function))
                for needed in self._needed(source, function):
                    self._dependents.setdefault(id(needed), []).append(function)
        self._find_calls()

    def _needed(self, source: Source, function: cst.FunctionDef) -> Iterator[cst.CSTNode]:
        """Return the functions whose values FastAPI gives to a function."""
        given = function.params
        for each in (*given.posonly_params, *given.params, *given.kwonly_params):
            declared = each.annotation.annotation if each.annotation is not None else None
            if each.default is not None and (found := self._depended(source, each.default)):
                yield found.node
            if isinstance(declared, cst.Subscript) and (found := self._annotated(source, declared)):
                yield found.node
            if declared is not None and (alias := self._analysis.project.alias(source, declared)):
                where, expression = alias
                if isinstance(expression, cst.Subscript) and (found := self._annotated(where, expression)):
                    yield found.node

    def _candidate(self, source: Source, function: cst.FunctionDef) -> Candidate | None:
        project = self._analysis.project
        given = function.params
        every = [*given.posonly_params, *given.params, *given.kwonly_params]
        engines = [(each, thing) for each in every if (thing := project.of_origin(source, Parameter(each)))]
        if len(engines) != 1 or engines[0][1].role != ENGINE or engines[0][1].is_async is None:
            return None
        parameter, thing = engines[0]
        getter, alias = self._getter(source, parameter)
        if getter is None and (parameter.default is not None or not self._is_plain(source, function)):
            return None
        name = parameter.name.value
        wanted = name.replace("engine", "session") if "engine" in name else "session"
        session = free_name(source, function, (wanted, "session", "db_session"))
        return Candidate(source, function, parameter, bool(thing.is_async), getter, alias, session)

    def _is_plain(self, source: Source, function: cst.FunctionDef) -> bool:
        return (
            source.nearest(function, cst.FunctionDef, cst.ClassDef) is None
            and not function.decorators
            and not any(_yields(function.body))
        )

    def _getter(self, source: Source, parameter: cst.Param) -> tuple[Definition | None, tuple[Source, str] | None]:
        """Return the function that gives FastAPI the engine, and the alias it is named in."""
        if parameter.default is not None:
            return self._depended(source, parameter.default), None
        declared = parameter.annotation.annotation if parameter.annotation is not None else None
        if isinstance(declared, cst.Subscript) and dotted(declared.value).endswith("Annotated"):
            return self._annotated(source, declared), None
        if declared is not None and (found := self._analysis.project.alias(source, declared)):
            where, expression = found
            assert isinstance(expression, cst.Subscript)
            name = self._alias_name(declared, where)
            return (self._annotated(where, expression), (where, name)) if name else (None, None)
        return None, None

    def _alias_name(self, declared: cst.BaseExpression, where: Source) -> str:
        """Return an alias's name in its own file, if it has no other name here."""
        name = dotted(declared)
        return name if any(isinstance(each, Value) for each in origins(where, name, where.module)) else ""

    def _annotated(self, source: Source, node: cst.Subscript) -> Definition | None:
        for element in node.slice[1:]:
            if isinstance(element.slice, cst.Index) and (found := self._depended(source, element.slice.value)):
                return found
        return None

    def _depended(self, source: Source, node: cst.BaseExpression) -> Definition | None:
        if not isinstance(node, cst.Call) or not dotted(node.func).endswith("Depends") or len(node.args) != 1:
            return None
        found = self._analysis.project.definition(source, node.args[0].value)
        top_level = found is not None and found.source.nearest(found.node, cst.FunctionDef, cst.ClassDef) is None
        return found if top_level and found is not None and isinstance(found.node, cst.FunctionDef) else None

    def _find_calls(self) -> None:
        """Find every call of the plain functions; one that is used in another way is none of them."""
        plain = {each.function.name.value: each for each in self._candidates.values() if each.getter is None}
        unfit: set[int] = set()
        for source in self._analysis.project.sources:
            for node in _uses(source.module, plain):
                found = self._analysis.project.definition(source, node)
                candidate = self._candidates.get(id(found.node)) if found is not None else None
                if candidate is None or candidate.getter is not None:
                    continue
                try:
                    site, helper = self._call(source, node, candidate)
                    candidate.calls.append((source, site, helper))
                except Refusal:
                    unfit.add(id(candidate.function))
        for key, candidate in list(self._candidates.items()):
            if key in unfit or (candidate.getter is None and not candidate.calls):
                del self._candidates[key]

    def _call(self, source: Source, node: cst.BaseExpression, candidate: Candidate) -> tuple[Site, HelperCall]:
        call = source.parent(node)
        if not isinstance(call, cst.Call) or call.func is not node or any(each.star for each in call.args):
            raise Refusal("it is not called there")
        argument = _passed(call, candidate)
        thing = self._analysis.project.thing(source, argument.value)
        outer: cst.BaseExpression = call
        if candidate.function.asynchronous is not None:
            above = source.parent(call)
            if not isinstance(above, cst.Await):
                raise Refusal("it is not awaited where it is called")
            outer = above
        if thing is None or thing.role != ENGINE or not dotted(argument.value):
            raise Refusal("what is passed is not known to be an engine")
        carrier, function = place_of(source, outer)
        saved, writes = self._saves(candidate)
        names = frozenset(dotted(value) for name, value in _by_name(call, candidate) if name in saved)
        site = Site(
            call, argument.value, "call", thing, candidate.is_async, outer, "value", carrier, function, writes, names
        )
        return site, HelperCall(argument, candidate.session, writes)

    def _saves(self, candidate: Candidate) -> tuple[set[str], bool]:
        """Return the parameters a function saves, and whether it may write at all."""
        sites = [each for each in self._analysis.of(candidate.source).sites if each.function is candidate.function]
        saved = {
            dotted(each.call.args[0].value) for each in sites if each.method in {"save", "save_all"} and each.call.args
        }
        passes_on = any(each.function is not candidate.function for each in self._candidates.values())
        blocks = any(each.function is candidate.function for each in self._analysis.of(candidate.source).blocks)
        return saved, blocks or any(each.is_write for each in sites) or (passes_on and self._passes_on(candidate))

    def _passes_on(self, candidate: Candidate) -> bool:
        """Tell whether a function passes its engine to another one, which may write."""
        receivers = {id(each.receiver) for each in self._analysis.of(candidate.source).sites}
        return any(id(node) not in receivers for node in _references(candidate))

    # -- keeping what fits ---------------------------------------------------------------------------------------

    def _keep_what_fits(self, planned: Callable[[Source, SessionFunctions], Plan]) -> None:
        while self._candidates:
            sources = self._analysis.project.sources
            plans = {id(source): planned(source, self) for source in sources}
            unfit = [key for key, each in self._candidates.items() if not self._fits(each, plans)]
            if not unfit:
                return
            for key in unfit:
                del self._candidates[key]

    def _fits(self, candidate: Candidate, plans: dict[int, Plan]) -> bool:
        source, plan = candidate.source, plans[id(candidate.source)]
        own = [site for site in plan.region_of if site.function is candidate.function]
        used = {id(site.receiver) for site in own}
        used |= {id(block.receiver) for block, _, _ in plan.blocks.values()}
        references = list(_references(candidate))
        if not references or any(id(node) not in used for node in references):
            return False
        if any(self._is_inside(source, node, candidate.function) for node, _ in plan.refused):
            return False
        if any(site not in plans[id(where)].region_of for where, site, _ in candidate.calls):
            return False
        if any(not self._goes_along(each) for each in self._dependents.get(id(candidate.function), ())):
            return False
        body = candidate.function.body.body
        hazards = Hazards(
            self._analysis.project, source, self._analysis.of(source).provenances, self._analysis.opening()
        )
        return not isinstance(candidate.function.body, cst.SimpleStatementSuite) and not hazards.reason(
            body, own, is_transaction=False, is_shared=True
        )

    def _goes_along(self, dependent: cst.FunctionDef) -> bool:
        """Tell whether a function may be given instances that the session of the request holds: it has the same
        session, or opens none."""
        return id(dependent) in self._candidates or id(dependent) not in self._using

    def _is_inside(self, source: Source, node: cst.CSTNode, function: cst.FunctionDef) -> bool:
        return any(each is function for each in source.above(node))


def _passed(call: cst.Call, candidate: Candidate) -> cst.Arg:
    """Return the argument of a call that is the engine."""
    name = candidate.parameter.name.value
    for argument in call.args:
        if argument.keyword is not None and argument.keyword.value == name:
            return argument
    positions = [*candidate.function.params.posonly_params, *candidate.function.params.params]
    number = next((number for number, each in enumerate(positions) if each is candidate.parameter), None)
    if number is None or number >= len(call.args) or call.args[number].keyword is not None:
        raise Refusal("the engine is not among the arguments")
    return call.args[number]


def _by_name(call: cst.Call, candidate: Candidate) -> Iterator[tuple[str, cst.BaseExpression]]:
    positions = [*candidate.function.params.posonly_params, *candidate.function.params.params]
    for number, argument in enumerate(call.args):
        if argument.keyword is not None:
            yield argument.keyword.value, argument.value
        elif number < len(positions):
            yield positions[number].name.value, argument.value


def _references(candidate: Candidate) -> Iterator[cst.CSTNode]:
    """Return every use of the engine in a function, and in those inside of it."""
    scope = scope_of(candidate.source, candidate.function.body.body[0])
    name = candidate.parameter.name.value
    for assignment in scope[name] if scope is not None else ():
        if getattr(assignment, "node", None) is not candidate.parameter:
            yield candidate.function  # it is given another value: no use that is known
        for access in assignment.references:
            yield access.node


def _functions(node: cst.CSTNode) -> Iterator[cst.FunctionDef]:
    if isinstance(node, cst.FunctionDef):
        yield node
    for child in node.children:
        yield from _functions(child)


def _uses(node: cst.CSTNode, names: Iterable[str]) -> Iterator[cst.BaseExpression]:
    """Return the expressions that may name one of the functions, where they are used."""
    wanted = set(names)
    if isinstance(node, (cst.Import, cst.ImportFrom)):
        return
    if isinstance(node, cst.Name) and node.value in wanted:
        yield node
        return
    if isinstance(node, cst.Attribute) and node.attr.value in wanted and dotted(node):
        yield node
        return
    for child in node.children:
        if isinstance(node, cst.FunctionDef) and child is node.name:
            continue
        if isinstance(node, cst.Arg) and child is node.keyword:
            continue
        yield from _uses(child, wanted)


def _yields(node: cst.CSTNode) -> Iterator[bool]:
    for child in node.children:
        if isinstance(child, cst.Yield):
            yield True
        elif not isinstance(child, (cst.FunctionDef, cst.Lambda)):
            yield from _yields(child)
