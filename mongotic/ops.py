"""What an update can do with a field, other than setting it: `update(User).values(age=ops.inc(1))`.

Each function makes an operator for `update().values()`.  It is checked against the field it is given to when the
statement is written, and its values are data: a dict is never taken for operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from odmantic.query import QueryExpression, SortExpression

from mongotic_adapters.update_operators import MISSING, Operator

__all__ = [
    "Operator",
    "add_to_set",
    "bit",
    "current_date",
    "inc",
    "max_",
    "min_",
    "mul",
    "pop",
    "pull",
    "push",
    "rename",
    "set_on_insert",
    "unset",
]


def inc(amount: float | Decimal) -> Operator:
    """Add *amount*, which may be negative: `$inc`.  A field that is missing starts at 0."""
    return Operator("$inc", amount)


def mul(factor: float | Decimal) -> Operator:
    """Multiply by *factor*: `$mul`.  A field that is missing becomes 0."""
    return Operator("$mul", factor)


def min_(value: object) -> Operator:
    """Set the field to *value* if that is less, or if it is missing: `$min`."""
    return Operator("$min", value)


def max_(value: object) -> Operator:
    """Set the field to *value* if that is greater, or if it is missing: `$max`."""
    return Operator("$max", value)


def unset() -> Operator:
    """Remove the field from the document, so that its default is read: `$unset`.  Refused where it has none."""
    return Operator("$unset")


def rename(name: object) -> Operator:
    """Store the value under another field of the model, given by name or as a column: `$rename`."""
    return Operator("$rename", name)


def current_date() -> Operator:
    """Set the field to the time of the server: `$currentDate`."""
    return Operator("$currentDate")


def set_on_insert(value: object) -> Operator:
    """Set the field only where an upsert stores a new document: `$setOnInsert`."""
    return Operator("$setOnInsert", value)


def bit(*, and_: int | None = None, or_: int | None = None, xor: int | None = None) -> Operator:
    """Change the bits of a whole number: `$bit`."""
    return Operator("$bit", and_=and_, or_=or_, xor=xor)


def push(
    value: object = MISSING,
    *,
    each: Iterable[object] | None = None,
    position: int | None = None,
    slice: int | None = None,  # noqa: A002  # MongoDB's name
    sort: Literal[1, -1] | SortExpression | list[SortExpression] | None = None,
) -> Operator:
    """Append to a list: `$push` with `$each`.

    Arguments:
        value: the element; or
        each: several of them.
        position: where they go, counted from 0, or from the end if negative; without it, to the end.
        slice: how many elements are kept afterwards: the first ones, or the last ones if negative.
        sort: how the list is sorted before that: 1 or -1, or `-col(Order.items).quantity` for embedded documents.
    """
    return Operator("$push", value, each=each, position=position, slice=slice, sort=sort)


def add_to_set(value: object = MISSING, *, each: Iterable[object] | None = None) -> Operator:
    """Append to a list what it does not have yet: `$addToSet` with `$each`.

    Arguments:
        value: the element; or
        each: several of them.
    """
    return Operator("$addToSet", value, each=each)


def pop(*, first: bool = False) -> Operator:
    """Remove the last element of a list, or the first one: `$pop`."""
    return Operator("$pop", first=first)


def pull(value: object | QueryExpression = MISSING, *, each: Iterable[object] | None = None) -> Operator:
    """Remove every element of a list that equals a value (`$pullAll`), or fits a condition (`$pull`).

    Arguments:
        value: the value; or a condition on the column of the list, `col(User.scores) < 3`, or on columns inside of it,
            `col(Order.items).quantity == 0`, or on columns of the embedded model, `col(Item.quantity) == 0`.
        each: several values.
    """
    return Operator("$pull", value, each=each)
