"""Pages by key: the condition for what comes after a row in the order of a query.

Called by `Select.after`.  Unlike `offset`, whose cost grows with each page, and which misses or repeats documents when
others are written meanwhile, this is a range that an index on the order serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from .encoding import Document, encode_instance, encode_operand, is_document
from .errors import ArgumentError, ArgumentTypeError
from .mapping import FieldMap, Mapping
from .rows import AnyRow, Row
from .shown import shown

Order = Sequence[tuple[str, int]]


def with_key(order: Order) -> tuple[tuple[str, int], ...]:
    """Return an order that no two documents share: the primary key settles what the rest leaves open."""
    if any(key == "_id" for key, _ in order):
        return tuple(order)
    return (*order, ("_id", order[-1][1] if order else 1))


def after(order: Order, values: Sequence[object]) -> Document:
    """Return the condition for documents that come after the one with *values*.

    Arguments:
        order: the sort keys with 1 or -1, as `with_key` gives them.
        values: what that document has under them, encoded; None for null and for a missing key, which sort alike.
    """
    ways: list[Document] = []
    same: Document = {}
    for (key, direction), value in zip(order, values, strict=True):
        ways += [{**same, **further} for further in _further(key, direction, value)]
        same[key] = {"$eq": value}
    return ways[0] if len(ways) == 1 else {"$or": ways}


def values_of(last: object, mapping: Mapping, order: Order) -> list[object]:
    """Return what the document of an instance or a row has under the keys of an order.

    Raises:
        ArgumentTypeError: it is neither an instance of the model nor a row.
        ArgumentError: a row lacks one of them.
    """
    if isinstance(last, mapping.document_model):
        document = encode_instance(mapping, last)
        return [_under(document, key.split(".")) for key, _ in order]
    if isinstance(last, Row):
        row = cast("AnyRow", last)  # type: ignore[redundant-cast]  # not to pyright
        return [_of_row(row, mapping, key) for key, _ in order]
    raise ArgumentTypeError(f"after() takes an instance of {mapping.name} or a row of the query, got {shown(last)}")


def _under(value: object, steps: Sequence[str]) -> object:
    for step in steps:
        value = value.get(step) if is_document(value) else None
    return value


def _of_row(row: AnyRow, mapping: Mapping, key: str) -> object:
    step, _, rest = key.partition(".")
    field = mapping.by_key[step]
    name = field.name if not rest else _python_path(field, rest)
    if name not in row._positions:  # pyright: ignore[reportPrivateUsage]  # a row's names lie in its class
        raise ArgumentError(
            f"after(): the row has no column for {name!r}, which the order asks for; select it too, or give an instance"
        )
    return encode_operand(row[name], None if rest else field)


def _python_path(field: FieldMap, rest: str) -> str:
    """Return a dotted path as it is written in Python."""
    names = [field.name]
    target = field.target
    for step in rest.split("."):
        inner = None if target is None else target.by_key.get(step)
        names.append(step if inner is None else inner.name)
        target = None if inner is None else inner.target
    return ".".join(names)


def _further(key: str, direction: int, value: object) -> list[Document]:
    """Return the conditions for values after *value*: null comes first, and last in descending order."""
    if direction > 0:
        return [{key: {"$ne": None}}] if value is None else [{key: {"$gt": value}}]
    return [] if value is None else [{key: {"$lt": value}}, {key: {"$eq": None}}]
