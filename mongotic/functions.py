# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false
# Of values that may be null: the overload for those that cannot be is the narrower one, and comes first.

"""`func`, `case`, `literal` and `distinct`: values that the server computes.

Users write them in `select()`, `where()`, `order_by()`, `group_by()` and `having()`.  `docs/operators.md` lists what
each becomes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar, cast, overload

from odmantic.query import QueryExpression

from mongotic_adapters import aggregates, formulas
from mongotic_adapters.aggregates import Distinct
from mongotic_adapters.computed import (
    Aggregate,
    Case,
    Computed,
    Constant,
    Formula,
    Kind,
    Selectable,
    Value,
    number,
    rounded,
)
from mongotic_adapters.shown import shown

from .exceptions import ArgumentError, ArgumentTypeError
from .expressions import Criterion

T = TypeVar("T", bound=Value | None)
A = TypeVar("A", bound=Value | None)
B = TypeVar("B", bound=Value | None)
N = TypeVar("N", int, float, Decimal, int | None, float | None, Decimal | None)
S = TypeVar("S", str, str | None)

Of: TypeAlias = Selectable[T] | T
"""A column or computed value of a type, or the class attribute that a checker takes for such a value."""
Date: TypeAlias = Selectable[datetime] | Selectable[datetime | None] | datetime | None
Text: TypeAlias = Selectable[str] | Selectable[str | None] | str | None
Number: TypeAlias = (
    Selectable[int] | Selectable[float] | Selectable[int | None] | Selectable[float | None] | float | None
)

_EVERY: Any = object()  # stands for an argument of any type that was not given


class Functions:
    """The functions, as attributes of `func`.

    Functions of many documents (`count`, `sum`, `avg`, `min`, `max`, `first`, `last`, `push`, `add_to_set`) give one
    value for each group, or one for the whole where nothing is grouped; null and missing values are not counted.  The
    others give one value for each document; what is null or missing gives null.
    """

    # -- of many documents ---------------------------------------------------------------------------------------

    def count(self, value: object = _EVERY, /) -> Aggregate[int]:
        """The number of documents: `count()`; of values that are not null: `count(User.nick)`; of different ones:
        `count(distinct(User.nick))`."""
        return aggregates.count(value, every=value is _EVERY)

    @overload
    def sum(self, value: Selectable[Decimal] | Selectable[Decimal | None], /) -> Aggregate[Decimal | None]: ...
    @overload
    def sum(self, value: Selectable[int] | Selectable[int | None], /) -> Aggregate[int | None]: ...
    @overload
    def sum(self, value: Selectable[float] | Selectable[float | None], /) -> Aggregate[float | None]: ...
    @overload
    def sum(self, value: int | None, /) -> Aggregate[int | None]: ...
    @overload
    def sum(self, value: float | None, /) -> Aggregate[float | None]: ...
    @overload
    def sum(self, value: Decimal | None, /) -> Aggregate[Decimal | None]: ...
    def sum(self, value: object, /) -> Aggregate[Any]:
        """The sum of the numbers, None where there is none: `$sum`."""
        return aggregates.total(value)

    @overload
    def avg(self, value: Selectable[Decimal] | Selectable[Decimal | None], /) -> Aggregate[Decimal | None]: ...
    @overload
    def avg(self, value: Number, /) -> Aggregate[float | None]: ...
    @overload
    def avg(self, value: Decimal | None, /) -> Aggregate[Decimal | None]: ...
    def avg(self, value: object, /) -> Aggregate[Any]:
        """The average of the numbers, None where there is none: `$avg`."""
        return aggregates.average(value)

    def min(self, value: Of[T], /) -> Aggregate[T | None]:
        """The smallest value that is not null: `$min`."""
        return cast("Aggregate[T | None]", aggregates.extreme("min", value))

    def max(self, value: Of[T], /) -> Aggregate[T | None]:
        """The largest value that is not null: `$max`."""
        return cast("Aggregate[T | None]", aggregates.extreme("max", value))

    def first(self, value: Of[T], /) -> Aggregate[T | None]:
        """The value in the first document, in the order of `order_by()`: `$first`."""
        return cast("Aggregate[T | None]", aggregates.end("first", value))

    def last(self, value: Of[T], /) -> Aggregate[T | None]:
        """The value in the last document, in the order of `order_by()`: `$last`."""
        return cast("Aggregate[T | None]", aggregates.end("last", value))

    def push(self, value: Of[T], /) -> Aggregate[list[T]]:
        """The values of all documents, in the order of `order_by()`: `$push`."""
        return cast("Aggregate[list[T]]", aggregates.gathered("push", "$push", value, ordered=True))

    def add_to_set(self, value: Of[T], /) -> Aggregate[list[T]]:
        """The different values of all documents, in any order: `$addToSet`."""
        return cast("Aggregate[list[T]]", aggregates.gathered("add_to_set", "$addToSet", value, ordered=False))

    # -- of dates ------------------------------------------------------------------------------------------------

    def year(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The year: `$year`.  All parts of dates are in UTC unless a time zone is named (`"Europe/Rome"`)."""
        return formulas.date_part("year", "$year", date, timezone)

    def month(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The month, from 1: `$month`."""
        return formulas.date_part("month", "$month", date, timezone)

    def day(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The day of the month, from 1: `$dayOfMonth`."""
        return formulas.date_part("day", "$dayOfMonth", date, timezone)

    def hour(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The hour, from 0: `$hour`."""
        return formulas.date_part("hour", "$hour", date, timezone)

    def minute(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The minute: `$minute`."""
        return formulas.date_part("minute", "$minute", date, timezone)

    def second(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The second: `$second`."""
        return formulas.date_part("second", "$second", date, timezone)

    def millisecond(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The millisecond: `$millisecond`."""
        return formulas.date_part("millisecond", "$millisecond", date, timezone)

    def week(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The week of the year, from Sunday, the first from 0: `$week`."""
        return formulas.date_part("week", "$week", date, timezone)

    def iso_week(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The week by ISO 8601, from Monday, the first with a Thursday in it: `$isoWeek`."""
        return formulas.date_part("iso_week", "$isoWeek", date, timezone)

    def iso_week_year(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The year that the week by ISO 8601 belongs to: `$isoWeekYear`."""
        return formulas.date_part("iso_week_year", "$isoWeekYear", date, timezone)

    def day_of_week(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The day of the week, Sunday is 1: `$dayOfWeek`."""
        return formulas.date_part("day_of_week", "$dayOfWeek", date, timezone)

    def iso_day_of_week(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The day of the week, Monday is 1: `$isoDayOfWeek`."""
        return formulas.date_part("iso_day_of_week", "$isoDayOfWeek", date, timezone)

    def day_of_year(self, date: Date, /, timezone: str | None = None) -> Computed[int]:
        """The day of the year, from 1: `$dayOfYear`."""
        return formulas.date_part("day_of_year", "$dayOfYear", date, timezone)

    def date_trunc(
        self,
        unit: str,
        date: Date,
        /,
        *,
        bin_size: int = 1,
        timezone: str | None = None,
        start_of_week: str = "monday",
    ) -> Computed[datetime]:
        """The beginning of the year, quarter, month, week, day, hour, minute, … a date lies in: `$dateTrunc`.

        Arguments:
            unit: its name.
            date: the date.
            bin_size: several units count as one: the beginning of the quarter of an hour is 15 minutes.
            timezone: the time zone it is counted in.
            start_of_week: a day in English.
        """
        return formulas.date_trunc(unit, date, bin_size, timezone, start_of_week)

    # -- of text -------------------------------------------------------------------------------------------------

    def lower(self, text: Of[S], /) -> Computed[S]:
        """The text in lower case: `$toLower`; of Latin letters without accents only."""
        return formulas.unless_null("lower", lambda found: {"$toLower": found[0]}, text)

    def upper(self, text: Of[S], /) -> Computed[S]:
        """The text in upper case: `$toUpper`; of Latin letters without accents only."""
        return formulas.unless_null("upper", lambda found: {"$toUpper": found[0]}, text)

    def length(self, value: object, /) -> Computed[int]:
        """The number of characters of a text (`$strLenCP`), or of elements of a list (`$size`)."""
        return formulas.length(value)

    def substr(self, text: Of[S], start: Of[int], length: Of[int] | None = None, /) -> Computed[S]:
        """A part of a text: `$substrCP`.

        Arguments:
            text: the text.
            start: the index of its first character, from 0, as in Python.
            length: the number of characters; without it, up to the end.
        """
        if length is None:
            return formulas.unless_null(
                "substr", lambda found: {"$substrCP": [found[0], found[1], {"$strLenCP": found[0]}]}, text, start
            )
        return formulas.unless_null("substr", lambda found: {"$substrCP": found}, text, start, length)

    def concat(self, *texts: Text) -> Computed[str | None]:
        """The texts, one after the other; None if one is null: `$concat`."""
        return formulas.of_all("concat", "$concat", *texts, kind=Kind.TEXT)

    def trim(self, text: Of[S], characters: Text = None, /) -> Computed[S]:
        """The text without white space, or without some *characters*, at both ends: `$trim`."""
        return self._trimmed("trim", "$trim", text, characters)

    def ltrim(self, text: Of[S], characters: Text = None, /) -> Computed[S]:
        """The same at the beginning: `$ltrim`."""
        return self._trimmed("ltrim", "$ltrim", text, characters)

    def rtrim(self, text: Of[S], characters: Text = None, /) -> Computed[S]:
        """The same at the end: `$rtrim`."""
        return self._trimmed("rtrim", "$rtrim", text, characters)

    def _trimmed(self, name: str, operator: str, text: object, characters: object) -> Computed[Any]:
        operands = (text,) if characters is None else (text, characters)
        return formulas.unless_null(
            name, lambda found: {operator: dict(zip(("input", "chars"), found, strict=False))}, *operands
        )

    # -- of numbers, and of anything -----------------------------------------------------------------------------

    def abs(self, value: Of[N], /) -> Computed[N]:
        """The number without its sign: `$abs`."""
        return cast("Computed[N]", number("$abs", value))

    def round(self, value: Of[N], digits: int = 0, /) -> Computed[N]:
        """The number with that many digits after the point, a half rounded to the even neighbour: `$round`."""
        return cast("Computed[N]", rounded("$round", value, digits))

    def floor(self, value: Of[N], /) -> Computed[N]:
        """The next whole number below: `$floor`."""
        return cast("Computed[N]", rounded("$floor", value))

    def ceil(self, value: Of[N], /) -> Computed[N]:
        """The next whole number above: `$ceil`."""
        return cast("Computed[N]", rounded("$ceil", value))

    def sqrt(self, value: Number, /) -> Computed[float]:
        """The square root: `$sqrt`."""
        return cast("Computed[float]", number("$sqrt", value, whole=False))

    @overload
    def coalesce(self, value: Selectable[A | None], other: Of[B], /) -> Computed[A | B]: ...
    @overload
    def coalesce(self, value: A | None, other: Of[B], /) -> Computed[A | B]: ...
    @overload
    def coalesce(self, value: object, other: object, /, *more: object) -> Computed[Any]: ...
    def coalesce(self, *values: object) -> Computed[Any]:
        """The first value that is not null or missing: `$ifNull`."""
        if len(values) < 2:
            raise ArgumentError("func.coalesce() takes at least two values")
        return formulas.of_all("coalesce", "$ifNull", *values)

    def text_score(self) -> Computed[float]:
        """How well a document fits the words of `text_search()`: `{"$meta": "textScore"}`."""
        return Formula(lambda _: {"$meta": "textScore"}, name="text_score")

    def __getattr__(self, name: str) -> Any:  # reached for what there is not
        known = ", ".join(name for name in vars(Functions) if not name.startswith("_"))
        raise AttributeError(f"there is no func.{name}; there are {known}")


func = Functions()


def literal(value: T) -> Computed[T]:
    """Return a constant as a computed value: the same in every row.

    It is data: a text with a `$` in it or a dict stays what it is.

    Raises:
        ArgumentError: it cannot be sent; raised by the clause it is used in.
    """
    return Constant(value)


@overload
def case(*whens: tuple[Criterion, Of[A]], else_: Of[B]) -> Computed[A | B]: ...
@overload
def case(*whens: tuple[Criterion, Of[A]]) -> Computed[A | None]: ...
def case(*whens: tuple[Criterion, object], else_: object = None) -> Computed[Any]:
    """Return the value of the first condition that holds: `$switch`.

    ```python
    case((col(User.age) < 18, "child"), (col(User.age) < 65, "adult"), else_="senior").label("group")
    ```

    Arguments:
        *whens: conditions with values: columns, computed values or constants.
        else_: the value where none holds.

    Raises:
        ArgumentTypeError: a pair is none, or a condition is a real bool.
        UnsupportedError: a condition finds documents and computes nothing, `near` say; raised by the clause.
    """
    if not whens:
        raise ArgumentError("case() takes at least one pair of a condition and a value")
    branches: list[tuple[QueryExpression, object]] = []
    for when in cast("Iterable[Any]", whens):  # of whatever a caller without a type checker gives
        if not isinstance(when, tuple) or len(pair := cast("tuple[object, ...]", when)) != 2:
            raise ArgumentTypeError(
                f"case() takes pairs, (User.age > 18, 'adult') say, got {shown(cast('object', when))}"
            )
        if not isinstance(pair[0], QueryExpression):
            raise ArgumentTypeError(f"case() takes conditions such as User.age > 18, got {shown(pair[0])}")
        branches.append((pair[0], pair[1]))
    return Case(tuple(branches), else_)


def distinct(value: object) -> Distinct:
    """Return different values, for `func.count(distinct(User.nick))`."""
    return Distinct(value)
