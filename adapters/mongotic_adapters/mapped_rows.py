"""Rows of some of the columns, and rows as mappings: what `columns()` and `mappings()` of a result give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from .errors import ArgumentError, ArgumentTypeError
from .rows import AnyRow, row_class
from .shown import shown

Choice = Callable[[AnyRow], AnyRow]


def mapped(row: AnyRow) -> Mapping[str, Any]:
    """Return the values of a row by name, read-only."""
    return row._mapping  # pyright: ignore[reportPrivateUsage]  # a public name of SQLAlchemy's rows


def chosen(keys: Sequence[object]) -> Choice:
    """Return what makes a row of some columns of another.

    Arguments:
        keys: names or positions.

    Raises:
        ArgumentTypeError: a key is neither.
    """
    if not keys:
        raise ArgumentTypeError("columns() takes names or positions of columns")
    for key in keys:
        if isinstance(key, bool) or not isinstance(key, (int, str)):
            raise ArgumentTypeError(f"columns() takes names or positions of columns, got {shown(key)}")
    return _Choice(cast("Sequence[int | str]", keys))


class _Choice:
    """Makes rows of some columns; it finds them once, in the first row."""

    def __init__(self, keys: Sequence[int | str]) -> None:
        self._keys = keys
        self._of: type[AnyRow] | None = None

    def __call__(self, row: AnyRow) -> AnyRow:
        if type(row) is not self._of:
            self._of = type(row)
            fields = _fields(row)
            names = tuple(_name(fields, key) for key in self._keys)
            self._row = row_class(names, names)
            self._get = itemgetter(*(fields.index(name) for name in names))
        values = self._get(row)
        return self._row((values,) if len(self._keys) == 1 else values)


def _fields(row: AnyRow) -> tuple[str, ...]:
    return type(row)._fields  # pyright: ignore[reportPrivateUsage]  # a public name of SQLAlchemy's rows


def _name(fields: tuple[str, ...], key: int | str) -> str:
    if isinstance(key, str):
        if key not in fields:
            raise ArgumentError(f"columns(): {key!r} is no column of the rows, which have {', '.join(fields)}")
        return key
    if not -len(fields) <= key < len(fields):
        raise ArgumentError(f"columns(): there is no column {key}; the rows have {len(fields)}")
    return fields[key]
