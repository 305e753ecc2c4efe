"""From documents to the values of one column: a whole column at a time, because most of it is done by C then.

Made by `projection`, once per statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, cast

from odmantic import Model

from .column_path import Path, Step, dotted, fallback, keys, path_of
from .columns import Column
from .document_validator import marker
from .encoding import Document, encode_field, encode_operand, is_document
from .hydration import KeyMissing, renamed
from .mapping import FieldMap, Mapping, Shape
from .odmantic_internals import key_missing
from .values_validator import Values, ValuesValidator, values_validator, wrong_shape

_MISSING = object()


class ColumnReader:
    """Reads one column.

    Arguments:
        column: the column.

    Attributes:
        mapping: the model.
        key: the dotted path in the document.
        annotation: the type of its values, as it is declared.
        keys: the paths under which others may have stored it, that one first.
        dotted: the dotted path in Python.
        path: the same, step by step.

    Both methods raise `pydantic.ValidationError` for the first value that does not fit.
    """

    def __init__(self, column: Column[Any]) -> None:
        self.mapping: Mapping = column.mapping_
        self.key: str = column.key_
        self.annotation: object = column.annotation_
        self.path: Path = path_of(column)
        self.keys = keys(self.path)
        self.dotted = dotted(self.path)
        last = self.path[-1]
        self._validated = (
            values_validator(last.owner, last.name) if last.field is None else _validator(last.owner, last.field)
        )
        # The copy of a default lacks the slot ODMantic writes to.
        self._finish = _nothing if last.field is None or last.field.target is None else marker(last.field)
        self._getters = [itemgetter(step.key) for step in self.path]

    @property
    def takes_null(self) -> bool:
        """Tell whether the column may be null."""
        try:
            self._validated([None])
        except Exception:  # noqa: BLE001  # a validator of the user's may stumble over it in its own way
            return False
        return True

    def fallback(self, depth: int) -> object:
        """Return what stands in for the missing key of a step, as the database would hold it; None for null."""
        lists = sum(step.many for step in self.path[depth:-1])
        return self._encoded(fallback(self.path, depth), lists)

    def _encoded(self, value: object, lists: int) -> object:
        if value is None:
            return None
        if lists:
            return [self._encoded(item, lists - 1) for item in cast("Iterable[object]", value)]
        leaf = self.path[-1].field
        return encode_operand(value) if leaf is None else encode_field(leaf, value)

    def values(self, documents: Sequence[Document]) -> Values:
        """Return the value of the column in each document."""
        return self._read(0, documents)

    def computed(self, documents: Sequence[Document], position: int) -> Values:
        """Return the values that the server has taken out of its documents and put under *position*; see `distinct`."""
        key, missing = str(position), missing_key(position)
        lists = sum(step.many for step in self.path[:-1])
        found = [_MISSING if document.get(missing) else document[key] for document in documents]
        return _restored(found, lists, self._validated)

    def _read(self, depth: int, documents: Sequence[Document]) -> Values:
        try:
            found = cast("Values", list(map(self._getters[depth], documents)))
        except KeyError:
            return self._read_with_gaps(depth, documents)
        return self._read_on(depth, found)

    def _read_with_gaps(self, depth: int, documents: Sequence[Document]) -> Values:
        step = self.path[depth]
        found = [_found(step, document) for document in documents]
        present = iter(self._read_on(depth, [value for value in found if value is not _MISSING]))
        return [self._filled(depth) if value is _MISSING else next(present) for value in found]

    def _filled(self, depth: int) -> object:
        value = fallback(self.path, depth)
        self._finish(value)
        return value

    def _read_on(self, depth: int, found: Values) -> Values:
        if depth == len(self.path) - 1:
            return self._validated(found)
        # Embedded documents, which may lie in lists: all of them together, and then back to their places.
        inner: list[Document] = []
        for value in found:
            self._collect(depth, value, inner)
        values = iter(self._read(depth + 1, inner))
        if not self.path[depth].many:
            return [None if value is None else next(values) for value in found]
        return [None if value is None else [next(values) for _ in cast("Values", value)] for value in found]

    def _collect(self, depth: int, value: object, inner: list[Document]) -> None:
        step = self.path[depth]
        if value is None:
            return
        items = cast("Values", value) if step.many and isinstance(value, list) else [value]
        if step.many and not isinstance(value, list):
            raise wrong_shape(step.owner, step.name, "a list of documents", value)
        for item in items:
            if not is_document(item):
                raise wrong_shape(step.owner, step.name, "a document", item)
            inner.append(item)


def missing_key(position: int) -> str:
    """Return the key that tells whether the field of a column was missing."""
    return f"missing {position}"


def _validator(owner: type, field: FieldMap) -> ValuesValidator:
    if field.shape is Shape.REFERENCE:
        target = cast("Mapping", field.target)
        keys = _validator(target.model, target.fields[target.primary])
        if field.container is list:
            return lambda values: _restored(values, 1, lambda found: _restored(_or_missing(found), 0, keys))
        return lambda values: _restored(_or_missing(values), 0, keys)
    validated = values_validator(owner, field.name)
    return validated if field.target is None else _embedded(owner, field, field.target, validated)


def _or_missing(values: Values) -> Values:
    return [_MISSING if value is None else value for value in values]


def _embedded(owner: type, field: FieldMap, target: Mapping, validated: ValuesValidator) -> ValuesValidator:
    finish = marker(field)

    def instances(values: Values) -> Values:
        try:
            found = validated([renamed(field, target, value) for value in values])
        except KeyMissing as missing:
            raise key_missing(cast("type[Model]", owner), field.name, missing.field.key, {}) from None
        finish(found)
        return found

    return instances


def _found(step: Step, document: Document) -> object:
    for key in (step.key, *step.aliases):
        if key in document:
            return document[key]
    return _MISSING


def _nothing(_value: object) -> None:
    """Give a value that holds no embedded instances nothing."""


def _restored(found: Sequence[object], lists: int, validated: Callable[[Values], Values]) -> Values:
    """Return values validated, those inside of lists too; what is missing, and null in a list, becomes None."""
    flat: Values = []
    for value in found:
        _flatten(value, lists, flat)
    values = iter(validated(flat))
    return [_rebuilt(value, lists, values) for value in found]


def _flatten(value: object, lists: int, flat: Values) -> None:
    if lists and isinstance(value, list):
        for item in cast("Values", value):
            _flatten(_MISSING if item is None else item, lists - 1, flat)
    elif value is not _MISSING:
        flat.append(value)


def _rebuilt(value: object, lists: int, values: Iterator[object]) -> object:
    if lists and isinstance(value, list):
        return [_rebuilt(_MISSING if item is None else item, lists - 1, values) for item in cast("Values", value)]
    return None if value is _MISSING else next(values)
