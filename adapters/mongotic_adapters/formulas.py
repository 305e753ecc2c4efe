"""Functions of the values of one document, as nodes: parts of dates, functions of text and of numbers.

Made by the facade's `func`.  Null goes in and comes out, also where MongoDB's own operator would make an empty text of
it or fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .computed import Computed, Formula, Kind
from .encoding import Document
from .errors import ArgumentError, ArgumentTypeError
from .shown import shown

UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def date_part(name: str, operator: str, date: object, timezone: object) -> Computed[Any]:  # of what its maker says
    """Return a part of a date, as a whole number."""
    _expect_zone(timezone)

    def build(operands: list[object]) -> object:
        return {operator: {"date": operands[0]} if timezone is None else {"date": operands[0], "timezone": operands[1]}}

    return Formula(build, date, timezone, kind=Kind.WHOLE, name=name)


def date_trunc(
    unit: object, date: object, bin_size: object, timezone: object, start_of_week: object
) -> Computed[Any]:  # of what its maker says
    """Return the beginning of the unit a date lies in."""
    if not isinstance(unit, str) or unit not in UNITS:
        raise ArgumentError(f"date_trunc() takes one of {', '.join(UNITS)}, got {shown(unit)}")
    if not isinstance(start_of_week, str) or start_of_week not in DAYS:
        raise ArgumentError(f"date_trunc(start_of_week=...) takes a day in English, got {shown(start_of_week)}")
    if isinstance(bin_size, bool) or not isinstance(bin_size, int) or bin_size < 1:
        raise ArgumentError(f"date_trunc(bin_size=...) takes a number from 1, got {shown(bin_size)}")
    _expect_zone(timezone)
    options: Document = {"unit": unit}
    options |= {"binSize": bin_size} if bin_size != 1 else {}
    options |= {"startOfWeek": start_of_week} if unit == "week" else {}

    def build(operands: list[object]) -> object:
        zone = {} if timezone is None else {"timezone": operands[1]}
        return {"$dateTrunc": {"date": operands[0], **options, **zone}}

    return Formula(build, date, timezone, name="date_trunc")


def unless_null(
    name: str, build: Callable[[list[object]], object], *operands: object, kind: Kind = Kind.TEXT
) -> Computed[Any]:  # of what its maker says
    """Return what a function makes of its operands; null, where the first of them is null or missing."""
    return Formula(
        lambda found: {"$cond": [{"$eq": [{"$ifNull": [found[0], None]}, None]}, None, build(found)]},
        *operands,
        kind=kind,
        name=name,
    )


def of_all(
    name: str, operator: str, *operands: object, kind: Kind = Kind.OTHER
) -> Computed[Any]:  # of what its maker says
    """Return what an operator makes of a list of operands."""
    return Formula(lambda found: {operator: found}, *operands, kind=kind, name=name)


def length(operand: object) -> Computed[Any]:  # of what its maker says
    """Return the number of characters of a text, or of elements of a list."""

    def build(operands: list[object]) -> object:
        value = operands[0]
        # The server looks at both branches: each must bear what is for the other.
        sized: Document = {"$size": {"$cond": [{"$isArray": [value]}, value, []]}}
        counted = {"$strLenCP": value}
        return {"$cond": [{"$isArray": [value]}, sized, {"$cond": [_is_null(value), None, counted]}]}

    return Formula(build, operand, kind=Kind.WHOLE, name="length")


def _is_null(value: object) -> Document:
    return {"$eq": [{"$ifNull": [value, None]}, None]}


def _expect_zone(timezone: object) -> None:
    if timezone is not None and not isinstance(timezone, (str, Computed)):
        raise ArgumentTypeError(f"timezone= takes a name such as 'Europe/Rome' or '+02:00', got {shown(timezone)}")
