"""One thing selected by a statement that the server computes for: what it is called, and how its values are read.

Made by `calculation`.  A value lies under the position of its column in what the server sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import GenericAlias
from typing import cast

import bson
from bson import decimal128, int64

from .column_reader import ColumnReader, missing_key
from .columns import column_of
from .computed import Aggregate, Computed, Constant, Kind, Label, Scope, is_computed, kind_of
from .elements import Element
from .encoding import Document, is_document
from .errors import ArgumentTypeError
from .odmantic_internals import FieldProxy
from .shown import shown
from .values_validator import Values

Read = Callable[[Sequence[Document]], Values]


class Selected:
    """A column, a computed value, or one of them under a label.

    Arguments:
        entity: what the user selected.
        position: its position in a row.

    Attributes:
        value: the same without a label.
        label: the label, or None.
        reader: the column's reader; None for a computed value.
    """

    def __init__(self, entity: object, position: int) -> None:
        self.value = unlabelled(entity)
        self.label = cast("Label[object]", entity).name if isinstance(entity, Label) else None
        if not isinstance(self.value, FieldProxy) and not is_computed(self.value):
            raise ArgumentTypeError(
                f"select() takes columns and computed values, got {shown(self.value)}; a constant is "
                f"written literal({shown(self.value)})"
            )
        self._position = position
        self.reader = ColumnReader(column_of(self.value)) if isinstance(self.value, FieldProxy) else None

    @property
    def key(self) -> str:
        """The key under which the server puts the value."""
        return str(self._position)

    @property
    def name(self) -> str:
        """What a row calls it, unless something else is called so too."""
        if self.label is not None:
            return self.label
        return cast("Computed[object]", self.value).name_ if self.reader is None else self.reader.path[-1].name

    def annotation(self, scope: Scope) -> object:
        """Return the type of its values: that of the field, or what is known of what is computed.

        Null may come where something is computed of null.  None stands for a type that the server decides.
        """
        return _annotation(self.value, scope)

    @property
    def is_unnamed(self) -> bool:
        """Tell whether neither a label nor a field gives it its name."""
        return self.label is None and self.reader is None

    @property
    def path(self) -> str:
        """What else finds it in a row: the dotted path of a column."""
        return self.name if self.reader is None else self.reader.dotted

    def values(self, documents: Sequence[Document]) -> Values:
        """Return its value in each row.

        Raises:
            pydantic.ValidationError: a value does not fit the field's type.
        """
        if self.reader is not None:
            return self.reader.computed(documents, self._position)
        values = [document.get(self.key) for document in documents]
        value = self.value
        if isinstance(value, Element):
            return cast("Element[object]", value).values_(values)
        aggregate = _aggregate(value)
        source = None if aggregate is None else unlabelled(aggregate.source)
        if aggregate is None or not isinstance(source, (FieldProxy, Element)):
            return list(map(plain, values))
        read = _reading(cast("FieldProxy | Element[object]", source))
        return [read(cast("Values", several)) for several in values] if aggregate.many else read(values)


def _annotation(value: object, scope: Scope) -> object:
    if isinstance(value, FieldProxy):
        return column_of(value).annotation_
    if isinstance(value, Element):
        return cast("Element[object]", value).annotation_
    if isinstance(value, Constant):
        return type(cast("Constant[object]", value).value)
    aggregate = _aggregate(value)
    if aggregate is not None and aggregate.source is not None:
        found = _annotation(unlabelled(aggregate.source), scope)
        # A type that is known at run time alone.
        return GenericAlias(list, (found,)) if aggregate.many and found is not None else found
    return {Kind.TEXT: str, Kind.WHOLE: int}.get(kind_of(value, scope))


def _aggregate(value: object) -> Aggregate[object] | None:
    return cast("Aggregate[object]", value) if isinstance(value, Aggregate) else None


def unlabelled(value: object) -> object:
    """Return a column or computed value without its label."""
    while isinstance(value, Label):
        value = cast("Label[object]", value).inner
    return value


def _reading(source: FieldProxy | Element[object]) -> Callable[[Values], Values]:
    if isinstance(source, Element):
        return source.values_
    return partial(_read, ColumnReader(column_of(source)))


def _read(reader: ColumnReader, values: Values) -> Values:
    """Return values of a field as it would hold them; null stays None, whatever the field takes."""
    missing = missing_key(0)
    return reader.computed([{"0": value, missing: value is None} for value in values], 0)


def plain(value: object) -> object:
    """Return a computed value in Python's own types."""
    if isinstance(value, decimal128.Decimal128):
        return value.to_decimal()
    if isinstance(value, int64.Int64):
        return int(value)
    if isinstance(value, list):
        return [plain(item) for item in cast("Values", value)]
    if is_document(value) and not isinstance(value, bson.DBRef):
        return {key: plain(item) for key, item in value.items()}
    return value
