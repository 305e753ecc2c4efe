"""Functions of many documents, as nodes: what each keeps in a group, and what it makes of that at the end.

Made by the facade's `func`.  Null is SQL's: it is not counted, and the sum, average, minimum or maximum of nothing is
null, where MongoDB's own sum is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .column_path import dotted, path_of
from .columns import column_of
from .computed import Aggregate, Kind
from .encoding import Document
from .errors import UnsupportedError
from .odmantic_internals import FieldProxy


class Distinct:
    """Different values: `func.count(distinct(User.age))`; see the facade's `distinct`."""

    __slots__ = ("operand",)

    def __init__(self, operand: object) -> None:
        self.operand = operand


def count(operand: object, *, every: bool) -> Aggregate[int]:
    """Return the number of documents, of values that are not null, or of different such values."""
    if every:
        return _single("count", (), lambda _: {"$sum": 1}, kind=Kind.WHOLE)
    if isinstance(operand, Distinct):
        return Aggregate(
            "count",
            (operand.operand,),
            lambda found: [{"$addToSet": {"$ifNull": [*found, None]}}],
            lambda kept: {"$size": {"$setDifference": [kept[0], [None]]}},
            kind=Kind.WHOLE,
        )
    return _single("count", (operand,), lambda found: {"$sum": {"$cond": [_is_null(found[0]), 0, 1]}}, kind=Kind.WHOLE)


def total(operand: object) -> Aggregate[object]:
    """Return the sum, or null where there is no number.

    Raises:
        UnsupportedError: of a list.
    """
    _expect_single("sum", operand)
    return Aggregate(
        "sum",
        (operand,),
        lambda found: [{"$sum": found[0]}, {"$sum": {"$cond": [{"$isNumber": found[0]}, 1, 0]}}],
        lambda kept: {"$cond": [{"$eq": [kept[1], 0]}, None, kept[0]]},
        kind=None,
    )


def average(operand: object) -> Aggregate[object]:
    """Return the average, or null where there is no number.

    Raises:
        UnsupportedError: of a list.
    """
    _expect_single("avg", operand)
    return _single("avg", (operand,), lambda found: {"$avg": found[0]})


def extreme(operator: str, operand: object) -> Aggregate[object]:
    """Return the smallest or largest value that is not null, by MongoDB's order of all values."""
    return _single(operator, (operand,), lambda found: {f"${operator}": found[0]}, source=operand)


def end(operator: str, operand: object) -> Aggregate[object]:
    """Return the value in the first or last document of the group."""
    return _single(
        operator,
        (operand,),
        lambda found: {f"${operator}": {"$ifNull": [*found, None]}},
        source=operand,
        ordered=True,
    )


def gathered(name: str, operator: str, operand: object, *, ordered: bool) -> Aggregate[object]:
    """Return the values of all documents as a list, null for a missing one."""
    return _single(
        name,
        (operand,),
        lambda found: {operator: {"$ifNull": [*found, None]}},
        source=operand,
        many=True,
        ordered=ordered,
    )


def _single(
    name: str,
    operands: tuple[object, ...],
    accumulator: Callable[[list[object]], Document],
    *,
    source: object = None,
    many: bool = False,
    ordered: bool = False,
    kind: Kind | None = Kind.OTHER,
) -> Aggregate[Any]:  # of what its maker says
    """Return an aggregate that is what one accumulator gives."""
    return Aggregate(
        name,
        operands,
        lambda found: [accumulator(found)],
        lambda kept: kept[0],
        source=source,
        many=many,
        ordered=ordered,
        kind=None if source is not None and not many else kind,
    )


def _expect_single(name: str, operand: object) -> None:
    if not isinstance(operand, FieldProxy):
        return
    path = path_of(column_of(operand))
    if any(step.many for step in path):
        raise UnsupportedError(
            f"func.{name}({path[0].owner.__name__}.{dotted(path)}): there are many values in each document, and the "
            "server would pass over all of them; use session.aggregate() with $unwind, or store the sum with the "
            "document"
        )


def _is_null(value: object) -> Document:
    return {"$eq": [{"$ifNull": [value, None]}, None]}


def nothing(accumulator: Document) -> object:
    """Return what an accumulator gives for no document."""
    operator = next(iter(accumulator))
    empty: Document = {"$sum": 0, "$push": [], "$addToSet": []}
    return empty.get(operator)
