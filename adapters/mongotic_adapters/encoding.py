"""The one encoder: instances, filter operands and values, from Python to what BSON can hold.

Called by `snapshot` (documents), `compiler` (filters and values) and `bookkeeping` (keys).
What it gives for an instance equals ODMantic's `model_dump_doc`, whose key order alone it changes (`_id` comes first).
It goes further where ODMantic leaves a value to fail in the driver (see `stand_ins`), or fails itself: an `Optional` or
a `Union` of embedded models.  Inside other types, `list[Item | None]` say, ODMantic stores embedded models by the names
of their fields and not by their keys, and so does mongotic.
"""

from __future__ import annotations

import datetime
import enum
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import is_dataclass
from functools import lru_cache, partial
from typing import TypeAlias, TypeGuard, cast

import bson
from bson import datetime_ms, dbref, decimal128, int64, max_key, min_key, regex, timestamp
from odmantic import Model
from odmantic import bson as odm_bson
from pydantic import BaseModel, TypeAdapter

from . import odmantic_internals as odm
from .errors import ArgumentError
from .mapping import FieldMap, Mapping, Shape, class_mapping
from .shown import shown
from .stand_ins import ordered, stand_in
from .statement_part import StatementPart

Document: TypeAlias = dict[str, object]
"""A document, or a part of one, as the driver takes and gives it."""

_AS_IS: frozenset[type] = frozenset(
    {
        str, int, float, bool, bytes, type(None), datetime.datetime, re.Pattern, uuid.UUID,
        bson.ObjectId, bson.Binary, bson.Code, int64.Int64, decimal128.Decimal128, regex.Regex,
        odm_bson.ObjectId, odm_bson.Int64, odm_bson.Decimal128, odm_bson.Binary, odm_bson.Regex,
        timestamp.Timestamp, dbref.DBRef, min_key.MinKey, max_key.MaxKey, datetime_ms.DatetimeMS,
    }
)  # fmt: skip


# What `model_dump` does with values of any type: models and dataclasses become dicts.
_dump = TypeAdapter[object](object).dump_python

_TOO_DEEP = "a value is nested too deeply, or contains itself. Nothing was sent."


def is_document(value: object) -> TypeGuard[Document]:
    """Tell whether *value* is a document or a part of one."""
    return isinstance(value, dict)


def encode_value(value: object) -> object:
    """Return *value* as BSON can hold it; containers are always copied.

    A type that is not known here is passed on: the client's type registry may know it, and the driver refuses it
    otherwise before anything is sent.
    """
    kind = type(value)
    if kind in _AS_IS:
        return value
    if kind is list or kind is tuple:
        return [encode_value(item) for item in cast("Iterable[object]", value)]
    if kind is dict:
        return {key: encode_value(item) for key, item in cast("Document", value).items()}
    return _encode_rarer(value)


def _encode_rarer(value: object) -> object:
    if isinstance(value, StatementPart):
        raise value.refusal()
    if isinstance(value, enum.Enum):
        return encode_value(value.value)
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        return encode_value(_dumped(value))
    if isinstance(value, (list, tuple, deque)):
        return [encode_value(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, (set, frozenset)):
        return ordered(encode_value(item) for item in cast("Iterable[object]", value))
    if isinstance(value, AnyMapping):
        return {key: encode_value(item) for key, item in cast("AnyMapping[str, object]", value).items()}
    return stand_in(value)


def encode_operand(value: object, field: FieldMap | None = None) -> object:
    """Return *value* as a filter must hold it: an instance stands for its key, an embedded one for its document.

    Arguments:
        value: what the user compares with.
        field: what it is compared with, if that is known: inside a type that ODMantic takes for a plain value,
            embedded models are stored by the names of their fields.
    """
    try:
        return _encode_operand(value, field is not None and field.shape is Shape.PLAIN)
    except RecursionError:
        raise ArgumentError(f"a value of a condition cannot be sent: {_TOO_DEEP}") from None


def _encode_operand(value: object, by_name: bool) -> object:
    if isinstance(value, Model):
        return encode_key(value)
    if isinstance(value, odm.BaseODMModel) and not by_name:
        return encode_instance(class_mapping(type(value)), value)
    if isinstance(value, odm.FieldProxy):
        raise ArgumentError(f"the field {+value!r} is no value; ODMantic's operators compare with values only")
    if isinstance(value, (list, tuple)):
        return [_encode_operand(item, by_name) for item in cast("Iterable[object]", value)]
    if isinstance(value, (set, frozenset)):
        return ordered(_encode_operand(item, by_name) for item in cast("Iterable[object]", value))
    if isinstance(value, AnyMapping):
        items = cast("AnyMapping[str, object]", value).items()
        return {key: _encode_operand(item, by_name) for key, item in items}
    return encode_value(value)


def encode_key(instance: Model) -> object:
    """Return the primary key of *instance* as its document holds it."""
    mapping = class_mapping(type(instance))
    return encode_field(mapping.fields[mapping.primary], mapping.key_of(instance))


def encode_instance(mapping: Mapping, instance: odm.BaseODMModel) -> Document:
    """Return the whole document of *instance*, keys the model does not know excluded."""
    try:
        return _encode_instance(mapping, instance)
    except RecursionError:
        raise ArgumentError(f"an instance of {mapping.name} cannot be stored: {_TOO_DEEP}") from None


def _encode_instance(mapping: Mapping, instance: odm.BaseODMModel) -> Document:
    if mapping.own_serializers:
        return _encode_dumped(mapping, instance)
    values = instance.__dict__
    # The key goes first, as in every document MongoDB shows.
    document: Document = {"_id": None} if mapping.primary else {}
    for name, key, encode in _encoders(mapping):
        if name not in values:
            raise _incomplete(mapping, name)
        value = values[name]
        document[key] = value if encode is encode_value and type(value) in _AS_IS else encode(value)
    if mapping.keeps_extra:
        _add_extra(mapping, document, instance.__pydantic_extra__ or {})
    return document


def _incomplete(mapping: Mapping, name: str) -> ArgumentError:
    return ArgumentError(
        f"an instance of {mapping.name} cannot be stored: it has no value for {name!r}. Nothing was sent. Was it made "
        "with model_construct()?"
    )


def _add_extra(mapping: Mapping, document: Document, extra: AnyMapping[str, object]) -> None:
    for key, value in extra.items():
        if key in mapping.by_key:
            raise ArgumentError(
                f"{mapping.name}: the extra key {key!r} cannot be stored, because the field "
                f"{mapping.by_key[key].name!r} is stored under it. Nothing was sent."
            )
        document[key] = encode_value(value)


@lru_cache(maxsize=4096)
def _encoders(mapping: Mapping) -> list[tuple[str, str, Callable[[object], object]]]:
    """Return name, key and encoder of each field."""
    return [(name, field.key, _encoder(field)) for name, field in mapping.fields.items()]


def _encoder(field: FieldMap) -> Callable[[object], object]:
    if field.shape is Shape.PLAIN:
        return encode_value if field.serializer is None else partial(_serialize, field.serializer)
    if field.shape is Shape.REFERENCE:
        return _encode_reference
    return partial(_encode_embedded, cast("Mapping", field.target))


def encode_field(field: FieldMap, value: object) -> object:
    """Return *value* of *field* as the document holds it."""
    try:
        return _encoder(field)(value)
    except RecursionError:
        raise ArgumentError(f"a value of the field {field.name!r} cannot be stored: {_TOO_DEEP}") from None


def _dumped(value: object) -> object:
    """Return what `model_dump` makes of *value*."""
    try:
        return value if type(value) in _AS_IS else _dump(value)
    except Exception as error:  # Pydantic's for what contains itself; a serializer of the user's may raise anything
        raise _refused(value, error) from error


def _serialize(serializer: Callable[[object], object], value: object) -> object:
    dumped = _dumped(value)  # which is what ODMantic hands its serializers
    try:
        return serializer(dumped)
    except Exception as error:  # a function of the user's may raise anything
        raise _refused(value, error) from error


def _refused(value: object, error: Exception) -> ArgumentError:
    return ArgumentError(f"{shown(value)} cannot be stored: {type(error).__name__}: {error}. Nothing was sent.")


def _encode_reference(value: object) -> object:
    return encode_key(value) if isinstance(value, Model) else encode_value(value)


def _encode_embedded(target: Mapping, value: object) -> object:
    if isinstance(value, odm.BaseODMModel):
        return _encode_instance(target if type(value) is target.model else class_mapping(type(value)), value)
    if isinstance(value, dict):
        return {key: _encode_embedded(target, item) for key, item in cast("Document", value).items()}
    if isinstance(value, (list, tuple, deque)):
        return [_encode_embedded(target, item) for item in cast("Iterable[object]", value)]
    if isinstance(value, (set, frozenset)):
        return ordered(_encode_embedded(target, item) for item in cast("Iterable[object]", value))
    return encode_value(value)


# -- classes with serializers of their own ------------------------------------------------------------------------


def _encode_dumped(mapping: Mapping, instance: odm.BaseODMModel) -> Document:
    """Return the document of an instance whose `model_dump` gives other values than its fields have."""
    try:
        if odm.has_own_writing(mapping.model):
            return cast("Document", encode_value(odm.dump_doc(instance)))
        return _written(mapping, instance, instance.model_dump())
    except (RecursionError, ArgumentError):
        raise
    except Exception as error:  # a serializer of the user's may raise anything, or leave out what a document needs
        raise _refused(instance, error) from error


def _written(mapping: Mapping, instance: odm.BaseODMModel, dumped: Document) -> Document:
    """Return the document ODMantic makes of what `model_dump` gave; the instance says which models there were."""
    document: Document = {"_id": None} if mapping.primary else {}
    for name, field in mapping.fields.items():
        value = dumped[name]
        if field.serializer is not None:
            document[field.key] = field.serializer(value)
        elif field.shape is Shape.REFERENCE:
            target = cast("Mapping", field.target)
            document[field.key] = encode_value(cast("Document", value)[target.primary])
        elif field.shape is Shape.PLAIN:
            document[field.key] = encode_value(value)
        else:
            document[field.key] = _written_embedded(instance.__dict__[name], value)
    if mapping.keeps_extra:
        _add_extra(mapping, document, {key: dumped[key] for key in dumped.keys() - mapping.fields.keys()})
    return document


def _written_embedded(held: object, dumped: object) -> object:
    if isinstance(held, odm.BaseODMModel) and is_document(dumped):
        return _written(class_mapping(type(held)), held, dumped)
    if isinstance(held, dict) and is_document(dumped):
        items = cast("Document", held)
        return {key: _written_embedded(items[key], item) for key, item in dumped.items()}
    if isinstance(held, (list, tuple, deque)) and isinstance(dumped, (list, tuple, deque)):
        pairs = zip(cast("Iterable[object]", held), cast("Iterable[object]", dumped), strict=True)
        return [_written_embedded(one, other) for one, other in pairs]
    return encode_value(dumped)
