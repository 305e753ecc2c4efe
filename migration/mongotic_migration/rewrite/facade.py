"""mongotic's names and forms as source code: what the rewritten calls look like, and the imports they need.

Called by the codemods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import libcst as cst

from .bindings import Imported, dotted, origin_of
from .kinds import Project
from .sites import Refusal, Site
from .sources import Source

COMMA = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def code(text: str) -> cst.BaseExpression:
    """Return an expression as a tree."""
    return cst.parse_expression(text)


def line(text: str) -> cst.SimpleStatementLine:
    """Return a statement of one line as a tree."""
    found = cst.parse_statement(text)
    assert isinstance(found, cst.SimpleStatementLine)
    return found


def plain(argument: cst.Arg) -> cst.Arg:
    """Return an argument by position, without the space around it."""
    return cst.Arg(argument.value, star=argument.star, whitespace_after_star=argument.whitespace_after_star)


def listed(arguments: Iterable[cst.Arg]) -> list[cst.Arg]:
    """Return arguments with commas between them."""
    found = list(arguments)
    return [each.with_changes(comma=COMMA) for each in found[:-1]] + found[-1:]


def called(inner: cst.BaseExpression, name: str, arguments: Iterable[cst.Arg] = ()) -> cst.Call:
    """Return `inner.name(arguments)`."""
    return cst.Call(cst.Attribute(inner, cst.Name(name)), listed(arguments))


def bracketed(node: cst.BaseExpression) -> cst.BaseExpression:
    """Return an expression in brackets."""
    return node if node.lpar else node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def operand(node: cst.BaseExpression) -> cst.BaseExpression:
    """Return an expression that a method can be called on."""
    tight = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)
    return node if isinstance(node, tight) else bracketed(node)


class Imports:
    """The names of mongotic that a rewritten file uses.

    A name that the file gives another meaning is written with its module: `mongotic.delete`.
    """

    def __init__(self, source: Source) -> None:
        self._taken: dict[str, set[str]] = {}
        scopes = {id(scope): scope for scope in source.scopes.values() if scope is not None}
        for scope in scopes.values():
            for assignment in scope.assignments:
                origin = origin_of(source, assignment)
                full = f"{origin.module}.{origin.name}" if isinstance(origin, Imported) and origin.name else ""
                self._taken.setdefault(assignment.name, set()).add(full)
        self.wanted: set[tuple[str, str]] = set()  # module and name; an empty name for the module itself

    def is_free(self, module: str, name: str) -> bool:
        return self._taken.get(name, set()) <= {f"{module}.{name}"}

    def name(self, module: str, name: str) -> str:
        """Return how *name* of *module* is written in this file."""
        if self.is_free(module, name):
            self.wanted.add((module, name))
            return name
        self.wanted.add((module, ""))
        return f"{module}.{name}"


class Facade:
    """Writes mongotic's form of engine calls in one file."""

    def __init__(self, project: Project, source: Source, imports: Imports) -> None:
        self._project, self._source, self._imports = project, source, imports

    def session_class(self, *, is_async: bool) -> str:
        """Return how the session class is written."""
        return (
            self._imports.name("mongotic.asyncio", "AsyncSession")
            if is_async
            else self._imports.name("mongotic", "Session")
        )

    def read(self, site: Site, call: cst.Call, session: str) -> cst.BaseExpression:
        """Return a query; *call* is the site's, with what was rewritten inside of it."""
        if site.method in {"aggregate", "count_documents"}:
            return self._of_collection(site, call, session)
        asked = self.select(site, call)
        scalars = _spread(code(f"{session}.scalars"), asked, call)
        if site.usage == "walked":
            return scalars if not self._is_yielded(site) else _spread(code(f"{session}.stream_scalars"), asked, call)
        terminal = {"find": "all", "find_one": "first", "count": "count"}[site.method]
        return _awaited(called(scalars, terminal), site)

    def _is_yielded(self, site: Site) -> bool:
        """Tell whether documents go to somebody else while they are walked: those of a stream belong to no session."""
        return isinstance(site.carrier, cst.For) and has_yield(site.carrier.body)

    def select(self, site: Site, call: cst.Call) -> cst.BaseExpression:
        """Return `select(Model).where(...).order_by(...).offset(...).limit(...)`.

        Raises:
            Refusal: an argument has no form there that is proven to mean the same.
        """
        model, queries, options = arguments(call, {"sort", "skip", "limit"} if site.method != "count" else set())
        if site.method == "find_one" and options.keys() & {"skip", "limit"}:
            raise Refusal("find_one() takes neither skip nor limit")
        asked: cst.BaseExpression = cst.Call(code(self._imports.name("mongotic", "select")), [plain(model)])
        clauses: dict[str, Sequence[cst.Arg]] = {}
        if queries:
            clauses["where"] = [plain(each) for each in queries]
        for name in options if any(_has_effects(value) for value in options.values()) else ("sort", "skip", "limit"):
            value = options.get(name)
            if value is None or dotted(value) == "None":
                continue
            if name == "sort":
                clauses["order_by"] = self._order(value, site)
            elif not (name == "skip" and isinstance(value, cst.Integer) and value.value == "0"):
                clauses["offset" if name == "skip" else "limit"] = [cst.Arg(value)]
        for name, given in clauses.items():
            asked = called(asked, name, given)
        return asked

    def _order(self, value: cst.BaseExpression, site: Site) -> list[cst.Arg]:
        if isinstance(value, cst.Tuple):
            if not value.elements:
                raise Refusal("an empty sort is an error in ODMantic")
            stars = [isinstance(each, cst.StarredElement) for each in value.elements]
            return [
                cst.Arg(each.value, star="*" if star else "") for each, star in zip(value.elements, stars, strict=True)
            ]
        if self._is_one_order(value, site):
            return [cst.Arg(value)]
        if not dotted(value):
            raise Refusal("sort is computed, and may be a tuple or not")
        text = dotted(value)
        return [cst.Arg(code(f"({text} if isinstance({text}, tuple) else ({text},))"), star="*")]

    def _is_one_order(self, value: cst.BaseExpression, site: Site) -> bool:
        """Tell whether it is certain that an order is one field or `desc(...)`, and no tuple."""
        if isinstance(value, cst.IfExp):
            return self._is_one_order(value.body, site) and self._is_one_order(value.orelse, site)
        if isinstance(value, cst.Call):
            return dotted(value.func).rpartition(".")[2] in {"asc", "desc"}
        if isinstance(value, cst.Attribute):
            return bool(site.model) and dotted(value).startswith(f"{site.model}.")
        return dotted(value) == "None"

    def _of_collection(self, site: Site, call: cst.Call, session: str) -> cst.BaseExpression:
        assert isinstance(call.func, cst.Attribute)
        assert isinstance(call.func.value, cst.Call)
        model = plain(call.func.value.args[0])
        if len(call.args) != 1 or call.args[0].star or call.args[0].keyword is not None:
            raise Refusal(f"{site.method}() has options of the driver")
        argument = plain(call.args[0])
        if site.method == "aggregate":
            result = cst.Call(code(f"{session}.aggregate"), listed([model, argument]))
            return result if site.usage == "walked" else _awaited(called(result, "all"), site)
        asked: cst.BaseExpression = cst.Call(code(self._imports.name("mongotic", "select")), [model])
        if not (isinstance(argument.value, cst.Dict) and not argument.value.elements):
            asked = called(asked, "where", [argument])
        return _awaited(called(cst.Call(code(f"{session}.scalars"), [cst.Arg(asked)]), "count"), site)

    def remove(self, site: Site, call: cst.Call, session: str, *, is_used: bool) -> cst.BaseExpression:
        """Return `session.execute(delete(Model).where(...))`, with `.rowcount` where its value is used."""
        model, queries, options = arguments(call, {"just_one"})
        if (just_one := options.get("just_one")) is not None and dotted(just_one) != "False":
            raise Refusal("remove(just_one=...) has no form that removes one of several documents")
        asked: cst.BaseExpression = cst.Call(code(self._imports.name("mongotic", "delete")), [plain(model)])
        if queries:
            asked = called(asked, "where", [plain(each) for each in queries])
        done = _awaited(_spread(code(f"{session}.execute"), asked, call), site)
        if not is_used:
            return done
        return cst.Attribute(bracketed(done) if site.is_async else done, cst.Name("rowcount"))


def arguments(call: cst.Call, known: set[str]) -> tuple[cst.Arg, list[cst.Arg], dict[str, cst.BaseExpression]]:
    """Return the model of a call, its conditions, and its options.

    Raises:
        Refusal: it has arguments of another kind.
    """
    positions = [each for each in call.args if each.keyword is None]
    if not positions or positions[0].star or any(each.star == "**" for each in positions):
        raise Refusal("its arguments are in a list or dict that is not here to be read")
    options = {each.keyword.value: each.value for each in call.args if each.keyword is not None}
    options.pop("session", None)  # checked by the caller
    if unknown := options.keys() - known:
        raise Refusal(f"ODMantic knows no argument {min(unknown)!r} there")
    return positions[0], positions[1:], options


def comments(call: cst.Call) -> list[str]:
    """Return the comments between the arguments of a call, which go with them otherwise."""
    parts = [call.whitespace_before_args, *(part for each in call.args for part in _around(each))]
    spaces = [part for part in parts if isinstance(part, cst.ParenthesizedWhitespace)]
    found = [part.first_line.comment for part in spaces] + [
        each.comment for part in spaces for each in part.empty_lines
    ]
    return [comment.value for comment in found if comment is not None]


def _around(argument: cst.Arg) -> Iterator[cst.BaseParenthesizableWhitespace]:
    if isinstance(argument.comma, cst.Comma):
        yield argument.comma.whitespace_before
        yield argument.comma.whitespace_after
    yield argument.whitespace_after_arg


def _spread(function: cst.BaseExpression, argument: cst.BaseExpression, call: cst.Call) -> cst.Call:
    """Return a call with one argument, on a line of its own where *call* was written on several lines."""
    if not isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        return cst.Call(function, [cst.Arg(argument)])
    inner = cst.ParenthesizedWhitespace(indent=True, last_line=cst.SimpleWhitespace("    "))
    end = cst.ParenthesizedWhitespace(indent=True)
    return cst.Call(function, [cst.Arg(argument, whitespace_after_arg=end)], whitespace_before_args=inner)


def _awaited(node: cst.BaseExpression, site: Site) -> cst.BaseExpression:
    return cst.Await(node) if site.is_async else node


def has_yield(node: cst.CSTNode) -> bool:
    """Tell whether something is yielded, by the function itself."""
    if isinstance(node, (cst.FunctionDef, cst.Lambda)):
        return False
    return isinstance(node, cst.Yield) or any(has_yield(child) for child in node.children)


def _has_effects(node: cst.CSTNode) -> bool:
    """Tell whether an expression may do something, so that it must stay where it is among others."""
    kinds = (cst.Call, cst.Await, cst.NamedExpr, cst.Yield)
    return isinstance(node, kinds) or any(_has_effects(child) for child in node.children)
