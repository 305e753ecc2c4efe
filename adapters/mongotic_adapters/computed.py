"""Values that the server computes of others, as trees: `col(Item.price) * Item.qty`, `literal(3)`, a label.

Users build them from columns and from the facade's `func` and `case`; `select()`, `where()`, `order_by()`, `group_by()`
and `having()` take them.  A tree says what is computed and not yet of what: `rendered` makes MongoDB's expression of
it, in a scope that knows where the fields lie, in a document or in a group.

Two rules hold everywhere:
1. A constant is data: it stands under `$literal`, so that no text or dict in it means a field or an operator.
2. A field is what is stored: for a missing key the value is null, and no default of the model stands in.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import NoReturn, Protocol, TypeAlias, TypeGuard, TypeVar, cast

from odmantic.query import QueryExpression

from .arithmetic import Arithmetic
from .conditions import Expression
from .encoding import Document, encode_operand
from .errors import ArgumentError, ArgumentTypeError
from .odmantic_internals import FieldProxy
from .shown import shown
from .statement_part import StatementPart

Build = Callable[[list[object]], object]
"""Makes the expression for a value, of those for its operands."""

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Value(Protocol):
    """Everything but what is selected, whose == gives a condition: it keeps mypy from taking a column for a value."""

    def __eq__(self, other: object, /) -> bool: ...


class Kind(Enum):
    """What is known of a value before it is computed, where the operator depends on it."""

    TEXT = "text"
    WHOLE = "whole number"
    FRACTION = "number that may have a fraction"
    OTHER = "something else, or unknown"


class Scope(Protocol):
    """Where the fields of an expression lie."""

    def column(self, field: FieldProxy) -> object:
        """Return the expression for a field."""
        ...

    def path(self, key: str) -> object:
        """Return the expression for a field known by its key."""
        ...

    def kind(self, field: FieldProxy) -> Kind:
        """Return what is known of a field's values."""
        ...

    def known(self, node: Computed[object]) -> object | None:
        """Return the expression for a value that was computed before, a key of a group; None for others."""
        ...

    def aggregate(self, node: Aggregate[object]) -> object:
        """Return the expression for what an aggregate function gave."""
        ...

    def condition(self, criterion: QueryExpression) -> object:
        """Return the expression that tells whether a condition holds."""
        ...


def rendered(value: object, scope: Scope) -> object:
    """Return the expression for an operand: a field, a computed value, a condition, or a constant.

    Raises:
        ArgumentError: a constant cannot be encoded, or the operand has no place in the scope.
    """
    if is_computed(value):
        known = scope.known(value)
        return value.render_(scope) if known is None else known
    if isinstance(value, FieldProxy):
        return scope.column(value)
    if isinstance(value, QueryExpression):
        return scope.condition(value)
    return {"$literal": encode_operand(value)}


def kind_of(value: object, scope: Scope) -> Kind:
    """Return what is known of an operand."""
    if is_computed(value):
        return value.kind_(scope)
    if isinstance(value, FieldProxy):
        return scope.kind(value)
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.WHOLE if isinstance(value, int) and not isinstance(value, bool) else Kind.OTHER


class Selectable(Arithmetic[T_co]):
    """What has a value in each row: a column, or a value computed of others."""

    __slots__ = ()

    def label(self, name: str) -> Computed[T_co]:
        """Return the same under another name: `row.name`, `order_by("name")`.

        Raises:
            ArgumentError: the name has a dot, or does not begin with a letter.
        """
        return Label(name, self)

    def calculated_(self, operator: str, *operands: object) -> Computed[object]:
        """Return what an operator of Python makes of its operands; see `Arithmetic`."""
        return _OPERATORS[operator](*operands)


class Computed(Selectable[T_co], StatementPart):
    """A value that the server computes."""

    __slots__ = ()

    name_ = "anon"
    """What a row calls it, with a number after it, where it has no label."""

    @property
    @abstractmethod
    def operands_(self) -> tuple[object, ...]:
        """What it is computed of."""

    @abstractmethod
    def render_(self, scope: Scope) -> object:
        """Return MongoDB's expression for it."""

    def kind_(self, scope: Scope) -> Kind:  # noqa: ARG002  # others look into the scope
        """Return what is known of it."""
        return Kind.OTHER

    # -- comparison ----------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]  # a condition, not a bool
        return compared("$eq", self, other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]  # a condition, not a bool
        return compared("$ne", self, other)

    def __gt__(self, other: object) -> Expression:
        return compared("$gt", self, other)

    def __ge__(self, other: object) -> Expression:
        return compared("$gte", self, other)

    def __lt__(self, other: object) -> Expression:
        return compared("$lt", self, other)

    def __le__(self, other: object) -> Expression:
        return compared("$lte", self, other)

    __hash__ = object.__hash__

    def in_(self, values: Iterable[T | None]) -> Expression:
        """Fit where the value is one of *values*: `$in`."""
        return _holds(_among(self, "in_", values))

    def not_in(self, values: Iterable[T | None]) -> Expression:
        """Fit where the value is none of *values*."""
        return _holds(Formula(lambda found: {"$not": found}, _among(self, "not_in", values)))

    def is_(self, value: object) -> Expression:
        """The same as `==`."""
        return compared("$eq", self, value)

    def is_not(self, value: object) -> Expression:
        """The same as `!=`."""
        return compared("$ne", self, value)

    def between(self, low: object, high: object) -> Expression:
        """Fit where the value is from *low* to *high*, both included."""
        return _holds(Formula(_between, self, low, high))

    def regexp_match(self, pattern: str, flags: str = "") -> Expression:
        """Fit texts in which the regular expression *pattern* is found: `$regexMatch`.

        Arguments:
            pattern: the expression.
            flags: `i` for upper and lower case alike, `s` for a dot that matches the end of a line, `m`, `x`.
        """
        found = checked_pattern(pattern, flags)
        return _holds(Formula(lambda text: regex_match(text[0], *found), self))

    def contains(self, part: str) -> Expression:
        """Fit texts that contain *part* literally."""
        return self.regexp_match(re.escape(part), "s")

    def startswith(self, part: str) -> Expression:
        """Fit texts that begin with *part* literally."""
        return self.regexp_match("^" + re.escape(part), "s")

    def endswith(self, part: str) -> Expression:
        """Fit texts that end with *part* literally."""
        return self.regexp_match(re.escape(part) + r"\z", "s")

    # -- order ---------------------------------------------------------------------------------------------------

    def asc(self) -> Ordering:
        """Sort by the value, smallest first."""
        return Ordering(self, 1)

    def desc(self) -> Ordering:
        """Sort by the value, largest first."""
        return Ordering(self, -1)

    def __neg__(self) -> Ordering:
        return self.desc()

    # -- what it is not ------------------------------------------------------------------------------------------

    def refusal(self) -> ArgumentError:
        return ArgumentError(
            f"{self!r} is computed by the server, and no value to store or to compare with here; write it on the left "
            "side of the comparison, or col(field) on the left: col(User.age) > col(User.limit) * 2"
        )

    def __bool__(self) -> NoReturn:
        raise ArgumentTypeError(f"{self!r} is computed by the server, and neither true nor false here")

    def __iter__(self) -> NoReturn:
        raise ArgumentTypeError(f"{self!r} is computed by the server; there is nothing to iterate over")

    def __copy__(self) -> Computed[T_co]:
        return self

    def __deepcopy__(self, memo: object) -> Computed[T_co]:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shown(rendered(self, ANYWHERE))}>"


AnyComputed: TypeAlias = Computed[object]


def is_computed(value: object) -> TypeGuard[AnyComputed]:
    """Tell whether a value is computed by the server; `isinstance` would tell type checkers less."""
    return isinstance(value, Computed)


# -- the nodes ----------------------------------------------------------------------------------------------------


class Formula(Computed[T_co]):
    """What a function of MongoDB makes of some operands.

    Arguments:
        build: makes the expression of those for the operands.
        *operands: fields, computed values, conditions, constants.
        kind: what is known of the result.
        name: what a row calls it.
    """

    __slots__ = ("_build", "_kind", "_operands", "name_")

    def __init__(self, build: Build, *operands: object, kind: Kind = Kind.OTHER, name: str = "anon") -> None:
        self._build = build
        self._operands = tuple(_milliseconds(operand) for operand in operands)
        self._kind = kind
        self.name_ = name

    @property
    def operands_(self) -> tuple[object, ...]:
        return self._operands

    def render_(self, scope: Scope) -> object:
        return self._build([rendered(operand, scope) for operand in self._operands])

    def kind_(self, scope: Scope) -> Kind:  # noqa: ARG002  # others look into the scope
        return self._kind


class Numeric(Formula[T_co]):
    """A number made of others: a whole one, if they are."""

    __slots__ = ()

    def kind_(self, scope: Scope) -> Kind:
        return self._made_of({kind_of(operand, scope) for operand in self._operands})

    def _made_of(self, kinds: set[Kind]) -> Kind:
        """Return what is made of operands of these kinds; each operand is looked at once, for its own are, too."""
        if kinds == {Kind.WHOLE}:
            return Kind.WHOLE
        return Kind.FRACTION if kinds <= {Kind.WHOLE, Kind.FRACTION} else Kind.OTHER


class Rounded(Numeric[T_co]):
    """A number made of another one, which may take its fraction away."""

    __slots__ = ()

    def _made_of(self, kinds: set[Kind]) -> Kind:
        return Kind.WHOLE if kinds == {Kind.WHOLE} else Kind.OTHER


class Sum(Numeric[T_co]):
    """`a + b`, of numbers or texts."""

    __slots__ = ()

    def __init__(self, first: object, second: object) -> None:
        super().__init__(lambda operands: {"$add": operands}, first, second)

    def render_(self, scope: Scope) -> object:
        if self.kind_(scope) is Kind.TEXT:
            return {"$concat": [rendered(operand, scope) for operand in self._operands]}
        return super().render_(scope)

    def _made_of(self, kinds: set[Kind]) -> Kind:
        return Kind.TEXT if Kind.TEXT in kinds else super()._made_of(kinds)


class Quotient(Rounded[T_co]):
    """`a // b`."""

    __slots__ = ()

    def __init__(self, first: object, second: object) -> None:
        super().__init__(lambda operands: {"$floor": {"$divide": operands}}, first, second)

    def render_(self, scope: Scope) -> object:
        # $divide makes a float of two whole numbers.
        floor = super().render_(scope)
        return {"$toLong": floor} if self.kind_(scope) is Kind.WHOLE else floor


def number(operator: str, *operands: object, whole: bool = True) -> Computed[object]:
    """Return the number that an operator makes of its operands; a whole one of whole ones, unless told otherwise."""
    if whole:
        return Numeric[object](lambda found: {operator: found}, *operands)
    return Formula[object](lambda found: {operator: found}, *operands, kind=Kind.FRACTION)


def rounded(operator: str, *operands: object) -> Computed[object]:
    """Return the number that an operator makes of its first operand by rounding it."""
    return Rounded[object](lambda found: {operator: found}, *operands)


_OPERATORS: dict[str, Callable[..., Computed[object]]] = {
    "+": Sum,
    "//": Quotient,
    "-": partial(number, "$subtract"),
    "*": partial(number, "$multiply"),
    "/": partial(number, "$divide", whole=False),
    "%": partial(number, "$mod"),
    "**": partial(number, "$pow"),
    "abs": partial(number, "$abs"),
    "round": partial(rounded, "$round"),
}


class Constant(Computed[T_co]):
    """The same value in every row; see the facade's `literal`."""

    __slots__ = ("value",)

    def __init__(self, value: T_co) -> None:
        self.value = value

    @property
    def operands_(self) -> tuple[object, ...]:
        return ()

    def render_(self, scope: Scope) -> object:  # noqa: ARG002  # others look into the scope
        return {"$literal": encode_operand(self.value)}

    def kind_(self, scope: Scope) -> Kind:
        return kind_of(self.value, scope)


class Label(Computed[T_co]):
    """Something under a name of the user's.

    Attributes:
        name: the name.
        inner: the column or computed value.
    """

    __slots__ = ("inner", "name")

    def __init__(self, name: str, inner: Selectable[T_co]) -> None:
        if not isinstance(cast("object", name), str):
            raise ArgumentTypeError(f"label() takes a name, got {shown(name)}")
        if not name or name.startswith(("_", "$")) or "\0" in name or "." in name:
            raise ArgumentError(f"label({name!r}): a name of a row's value has no dot and begins with a letter")
        self.name = str.__str__(name)  # a bson.Code is text, and cannot be hashed
        self.inner = inner

    @property
    def operands_(self) -> tuple[object, ...]:
        return (self.inner,)

    def render_(self, scope: Scope) -> object:
        return rendered(self.inner, scope)

    def kind_(self, scope: Scope) -> Kind:
        return kind_of(self.inner, scope)


class Case(Computed[T_co]):
    """The value of the first condition that holds; see the facade's `case`."""

    __slots__ = ("_branches", "_otherwise")

    def __init__(self, branches: tuple[tuple[QueryExpression, object], ...], otherwise: object) -> None:
        self._branches = branches
        self._otherwise = otherwise

    @property
    def operands_(self) -> tuple[object, ...]:
        return (*(part for branch in self._branches for part in branch), self._otherwise)

    def render_(self, scope: Scope) -> object:
        branches = [
            {"case": rendered(condition, scope), "then": rendered(value, scope)} for condition, value in self._branches
        ]
        return {"$switch": {"branches": branches, "default": rendered(self._otherwise, scope)}}

    def kind_(self, scope: Scope) -> Kind:
        kinds = {kind_of(value, scope) for value in (*(value for _, value in self._branches), self._otherwise)}
        return kinds.pop() if len(kinds) == 1 else Kind.OTHER


class Aggregate(Computed[T_co]):
    """What a function makes of the documents of a group; see the facade's `func`.

    Attributes:
        operands: what it looks at in each document.
        accumulators: makes MongoDB's accumulators of the expressions for the operands.
        result: makes the expression for the value, of the paths that hold what the accumulators gave.
        source: the field or value that the result is one of; None if it is something else.
        many: the result is a list of such.
        ordered: the order of the documents matters.

    Arguments are the same, and:
        name: what a row calls it, and the user, in `func`.
        kind: what is known of the result; None for what is known of the first operand.
    """

    __slots__ = ("_kind", "accumulators", "many", "name_", "operands", "ordered", "result", "source")

    def __init__(
        self,
        name: str,
        operands: tuple[object, ...],
        accumulators: Callable[[list[object]], list[Document]],
        result: Callable[[list[str]], object],
        *,
        source: object = None,
        many: bool = False,
        ordered: bool = False,
        kind: Kind | None = Kind.OTHER,
    ) -> None:
        self.name_ = name
        self.operands = operands
        self.accumulators = accumulators
        self.result = result
        self.source = source
        self.many = many
        self.ordered = ordered
        self._kind = kind

    @property
    def operands_(self) -> tuple[object, ...]:
        return self.operands

    def render_(self, scope: Scope) -> object:
        return scope.aggregate(self)

    def kind_(self, scope: Scope) -> Kind:
        return kind_of(self.operands[0], scope) if self._kind is None else self._kind


class Key(Computed[object]):
    """A field known by its key alone, in a `SortExpression` of ODMantic's.

    Arguments:
        key: the dotted path.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    @property
    def operands_(self) -> tuple[object, ...]:
        return ()

    def render_(self, scope: Scope) -> object:
        return scope.path(self._key)


class Ordering:
    """A computed value to sort by, with a direction: 1 or -1."""

    __slots__ = ("direction", "node")

    def __init__(self, node: Computed[object], direction: int) -> None:
        self.node = node
        self.direction = direction


# -- looking through them -----------------------------------------------------------------------------------------


def aggregates_in(value: object) -> Iterator[Aggregate[object]]:
    """Yield the functions of many documents in a computed value."""
    if isinstance(value, Aggregate):
        yield cast("Aggregate[object]", value)
    else:
        for part in parts_of(value):
            yield from aggregates_in(part)


def parts_of(value: object) -> Iterable[object]:
    """Return what a computed value or a condition is made of."""
    if is_computed(value):
        return value.operands_
    if isinstance(value, QueryExpression):
        return list(cast("Document", value).values())
    return cast("list[object]", value) if isinstance(value, list) else ()


# -- conditions ---------------------------------------------------------------------------------------------------


def compared(operator: str, left: object, right: object) -> Expression:
    """Return the condition that compares two operands in MongoDB's order of all values, in which null comes first."""
    if right is None and operator in ("$eq", "$ne"):
        return _holds(Formula(lambda value: {operator: [{"$ifNull": [*value, None]}, None]}, left))
    return _holds(Formula(lambda both: {operator: both}, left, right))


def regex_match(text: object, pattern: str, options: str) -> Document:
    """Return the expression that tells whether a regular expression is found; in what is no text, it is not."""
    found = {"$regexMatch": {"input": text, "regex": {"$literal": pattern}, "options": options}}
    return {"$and": [{"$eq": [{"$type": text}, "string"]}, found]}


def checked_pattern(pattern: object, flags: object = "") -> tuple[str, str]:
    """Return a regular expression and its options as the server takes them.

    Raises:
        ArgumentTypeError: the pattern or the flags are no text.
        ArgumentError: it is no regular expression, or has a NUL character.
    """
    if isinstance(pattern, re.Pattern):
        compiled = cast("re.Pattern[str]", pattern)
        pattern = compiled.pattern
        letters = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
        flags = flags or "".join(letter for flag, letter in letters.items() if compiled.flags & flag)
    if not isinstance(pattern, str) or not isinstance(flags, str):
        raise ArgumentTypeError(f"a regular expression is text, got {shown(pattern)} and flags {shown(flags)}")
    if "\0" in pattern:
        raise ArgumentError("a regular expression cannot contain a NUL character")
    if not set(flags) <= set("imsx"):
        raise ArgumentError(f"the flags of a regular expression are i, m, s and x, got {shown(flags)}")
    return pattern, flags


def _holds(formula: Formula[object]) -> Expression:
    # Of whatever model: each field in it is compared with the statement's.
    return Expression(None, {"$expr": formula})


def _among(node: object, method: str, values: object) -> Formula[object]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        got = cast("object", values)  # type: ignore[redundant-cast]  # not to pyright
        if isinstance(got, StatementPart):
            raise got.refusal()
        raise ArgumentTypeError(f"{method}() takes a list of values, got {shown(got)}")
    return Formula(lambda found: {"$in": [found[0], found[1:]]}, node, *cast("Iterable[object]", values))


def _between(operands: list[object]) -> Document:
    value, low, high = operands
    return {"$and": [{"$gte": [value, low]}, {"$lte": [value, high]}]}


def _milliseconds(operand: object) -> object:
    """Return an operand; a timedelta as what is added to a date."""
    return operand // timedelta(milliseconds=1) if isinstance(operand, timedelta) else operand


# -- messages -----------------------------------------------------------------------------------------------------


class _Anywhere:
    """The scope for messages: every field is called by its key, whatever its model."""

    def column(self, field: FieldProxy) -> object:
        return f"${+field}"

    def path(self, key: str) -> object:
        return f"${key}"

    def kind(self, field: FieldProxy) -> Kind:  # noqa: ARG002  # called with it
        return Kind.OTHER

    def known(self, node: Computed[object]) -> object | None:  # noqa: ARG002  # called with it
        return None

    def aggregate(self, node: Aggregate[object]) -> object:
        operands = [rendered(operand, self) for operand in node.operands]
        return node.result([shown(accumulator) for accumulator in node.accumulators(operands)])

    def condition(self, criterion: QueryExpression) -> object:
        return dict(criterion)


ANYWHERE: Scope = _Anywhere()
