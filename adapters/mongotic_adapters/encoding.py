"""The one encoder: instances, filter operands and values, from Python to what BSON can hold.

Called by `snapshot` (documents), `compiler` (filters and values) and `bookkeeping` (keys).
What it gives for an instance equals ODMantic's `model_dump_doc`, whose key order alone it changes (`_id` comes first).
It goes further where ODMantic leaves a value to fail in the driver (see `stand_ins`), or fails itself: an `Optional` or
a `Union` of embedded models.  Inside other types, `list[Item | None]` say, ODMantic stores embedded models by the names
of their fields and not by their keys, and so does mongotic.

Plain Pydantic models, dataclasses and typed dicts are stored as their fields, under the names of these.  ODMantic
stores what `model_dump` gives, which for most is the same; where a serializer, a computed field or an exclusion makes
it another thing, it cannot be relied upon to be read back.
"""

from __future__ import annotations

import copy
import datetime
import enum
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from collections.abc import Set as AnySet
from dataclasses import fields, is_dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, cast

import bson
from bson import datetime_ms, dbref, decimal128, int64, max_key, min_key, regex, timestamp
from odmantic import Model
from odmantic import bson as odm_bson
from pydantic import BaseModel, RootModel, TypeAdapter

from . import odmantic_internals as odm
from . import reading_back
from .compiled_encoder import Embedded, Encode, FieldEncoder, compiled
from .errors import ArgumentError
from .mapping import FieldMap, Mapping, Shape, class_mapping
from .shown import shown
from .stand_ins import ordered, stand_in
from .statement_part import StatementPart
from .unloaded import NOTHING, Unloaded, unloaded

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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


# What `model_dump` does with values of any type: models and dataclasses become dicts. For serializers alone.
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
        items = cast("list[object] | tuple[object, ...]", value)
        return list(items) if _AS_IS.issuperset(map(type, items)) else [encode_value(item) for item in items]
    if kind is dict:
        return {key: encode_value(item) for key, item in cast("Document", value).items()}
    return _encode_rarer(value)


def _encode_rarer(value: object) -> object:
    if isinstance(value, StatementPart):
        raise value.refusal()
    if isinstance(value, enum.Enum):
        return encode_value(value.value)
    if isinstance(value, BaseModel):
        return _encode_plain(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _encode_dataclass(value)
    if isinstance(value, (list, tuple, deque)):
        return [encode_value(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, (set, frozenset)):
        return ordered(encode_value(item) for item in cast("Iterable[object]", value))
    if isinstance(value, AnyMapping):
        return {key: encode_value(item) for key, item in cast("AnyMapping[str, object]", value).items()}
    return stand_in(value)


def _encode_plain(instance: BaseModel) -> object:
    """Return the fields of a model under their names, and what else it keeps (`extra="allow"`)."""
    kind = type(instance)
    values = instance.__dict__
    document: Document = {}
    for name, serializer in _plain_fields(kind):
        if name not in values:
            raise _incomplete(kind.__name__, name)
        value = values[name]
        document[name] = encode_value(value) if serializer is None else _serialize(serializer, value)
    if isinstance(instance, RootModel):
        return document["root"]
    for key, value in (instance.__pydantic_extra__ or {}).items():
        if key in document:
            raise _taken(kind.__name__, key, key)
        document[key] = encode_value(value)
    return document


@lru_cache(maxsize=4096)
def _plain_fields(model: type[BaseModel]) -> list[tuple[str, Callable[[object], object] | None]]:
    """Return the name of each field of a model, and ODMantic's BSON serializer if it has one."""
    return [
        (
            name,
            next(
                (part.bson_serializer for part in info.metadata if isinstance(part, odm_bson.WithBsonSerializer)), None
            ),
        )
        for name, info in model.model_fields.items()
    ]


def _encode_dataclass(instance: DataclassInstance) -> Document:
    document: Document = {}
    for field in fields(instance):
        if not hasattr(instance, field.name):
            raise _incomplete(type(instance).__name__, field.name)
        document[field.name] = encode_value(getattr(instance, field.name))
    config = cast("Document", getattr(instance, "__pydantic_config__", None) or {})
    if config.get("extra") == "allow":
        document.update((key, encode_value(value)) for key, value in vars(instance).items() if key not in document)
    return document


def encode_operand(value: object, field: FieldMap | None = None) -> object:
    """Return *value* as a filter must hold it: an instance stands for its key, an embedded one for its document.

    Arguments:
        value: what the user compares with.
        field: what it is compared with, if that is known: inside a type that ODMantic takes for a plain value,
            embedded models are stored by the names of their fields.
    """
    if type(value) in _AS_IS:
        return value
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
    try:
        return encoder(mapping)(instance)
    except KeyError:  # a field is missing: say which
        return _encode_fields(mapping, instance)


@lru_cache(maxsize=4096)
def encoder(mapping: Mapping) -> Callable[[odm.BaseODMModel], Document]:
    """Return the function that makes the whole documents of a model's instances.

    It raises `KeyError` for one that lacks a field, and `RecursionError` for what is nested too deeply.
    """
    if mapping.own_serializers:
        return partial(_encode_dumped, mapping)
    written_out = compiled(mapping.name, _field_encoders(mapping), encode_value, _AS_IS)

    def encode(instance: odm.BaseODMModel) -> Document:
        if mapping.references and _unloaded(mapping, instance):
            return _encode_fields(mapping, instance)
        document = written_out(instance)
        if mapping.keeps_extra:
            _add_extra(mapping, document, instance.__pydantic_extra__ or {})
        return document

    return encode if mapping.references or mapping.keeps_extra else written_out


def _field_encoders(mapping: Mapping) -> list[FieldEncoder]:
    """Return how each field of a class is encoded, in the order of the document."""
    # The key goes first, as in every document MongoDB shows.
    fields = sorted(mapping.fields.values(), key=lambda field: field.name != mapping.primary)
    return [FieldEncoder(field, _encoder(field), _usual_type(field), _embedded(field)) for field in fields]


def _usual_type(field: FieldMap) -> type | None:
    known = field.owner.model_fields.get(field.name)
    declared = None if known is None else known.annotation
    return declared if isinstance(declared, type) and declared in _AS_IS else None


def _embedded(field: FieldMap) -> Embedded | None:
    if field.target is None or field.shape is Shape.REFERENCE:
        return None
    target = field.target
    as_they_are = not target.own_serializers and not target.keeps_extra
    return Embedded(target.model, cast("Encode", encoder(target)), _field_encoders(target) if as_they_are else None)


def _encode_fields(mapping: Mapping, instance: odm.BaseODMModel) -> Document:
    """Return what the fields of an instance are stored as, one after the other; some may be missing or not loaded."""
    values = instance.__dict__
    kept = _unloaded(mapping, instance)
    # The key goes first, as in every document MongoDB shows.
    document: Document = {"_id": None} if mapping.primary else {}
    for name, key, encode in _encoders(mapping):
        if name in kept:
            document[key] = stored_key(kept[name], values.get(name))
            continue
        if name not in values:
            raise _incomplete(mapping.name, name)
        value = values[name]
        document[key] = value if encode is encode_value and type(value) in _AS_IS else encode(value)
    if mapping.keeps_extra:
        _add_extra(mapping, document, instance.__pydantic_extra__ or {})
    return document


def _unloaded(mapping: Mapping, instance: odm.BaseODMModel) -> AnyMapping[str, Unloaded]:
    return unloaded(cast("Model", instance)) if mapping.references else NOTHING


def dump(instance: odm.BaseODMModel, include: AnySet[str] | None) -> Document:
    """Return what `MongoBaseModel` gives ODMantic for the document of *instance*, with the keys of references that
    ODMantic does not have.

    Arguments:
        instance: the instance.
        include: the names of the fields wanted; None for all.
    """
    mapping = class_mapping(type(instance))
    document = _encode_fields(mapping, instance) if not mapping.own_serializers else _dumped_fields(mapping, instance)
    if include is None:
        return document
    return {field.key: document[field.key] for name, field in mapping.fields.items() if name in include}


def _incomplete(model: str, name: str) -> ArgumentError:
    return ArgumentError(
        f"an instance of {model} cannot be stored: it has no value for {name!r}. Nothing was sent. Was it made "
        "with model_construct()?"
    )


def _taken(model: str, key: str, name: str) -> ArgumentError:
    return ArgumentError(
        f"{model}: the extra key {key!r} cannot be stored, because the field {name!r} is stored under it. Nothing was "
        "sent."
    )


def _add_extra(mapping: Mapping, document: Document, extra: AnyMapping[str, object]) -> None:
    for key, value in extra.items():
        if key in mapping.by_key:
            raise _taken(mapping.name, key, mapping.by_key[key].name)
        document[key] = encode_value(value)


@lru_cache(maxsize=4096)
def _encoders(mapping: Mapping) -> list[tuple[str, str, Callable[[object], object]]]:
    """Return name, key and encoder of each field."""
    return [(name, field.key, _encoder(field)) for name, field in mapping.fields.items()]


def _encoder(field: FieldMap) -> Callable[[object], object]:
    if field.shape is Shape.PLAIN:
        if field.serializer is not None:
            return partial(_serialize, field.serializer)
        check = reading_back.check(field.owner, field.name, encode_value)
        return encode_value if check is None else partial(_encode_readable, check)
    if field.shape is Shape.REFERENCE:
        return _encode_reference
    return partial(_encode_embedded, cast("Mapping", field.target))


def _encode_readable(check: reading_back.Check, value: object) -> object:
    encoded = encode_value(value)
    check(encoded)
    return encoded


def encode_field(field: FieldMap, value: object) -> object:
    """Return *value* of *field* as the document holds it."""
    try:
        return _encoder(field)(value)
    except RecursionError:
        raise ArgumentError(f"a value of the field {field.name!r} cannot be stored: {_TOO_DEEP}") from None


def encode_named(mapping: Mapping, instance: Model, name: str) -> object:
    """Return what the document of *instance* holds for a field; for a reference its key, loaded or not."""
    what = unloaded(instance).get(name)
    if what is not None:
        return stored_key(what, instance.__dict__.get(name))
    return encode_field(mapping.fields[name], instance.__dict__[name])


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
    if isinstance(value, (list, tuple)):
        return [_encode_reference(item) for item in cast("Iterable[object]", value)]
    return encode_key(value) if isinstance(value, Model) else encode_value(value)


def stored_key(what: Unloaded, value: object) -> object:
    """Return what a document holds for a reference that was not loaded, or only in part.

    Arguments:
        what: what is known of it.
        value: what the field holds now: None, or the list of those that were found, as the user has left it.
    """
    if what.found is None or not isinstance(value, list):
        return encode_value(what.key)
    now, before = _encode_reference(cast("list[object]", value)), _encode_reference(what.found)
    # What nobody could see, nobody has taken out.
    return encode_value(what.key) if now == before else [*cast("list[object]", now), *what.lost]


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
    if not odm.has_own_writing(mapping.model):
        return _dumped_fields(mapping, instance)
    kept = _unloaded(mapping, instance)
    whole = _with_stand_ins(mapping, cast("Model", instance), kept) if kept else instance
    try:
        document = cast("Document", encode_value(odm.dump_doc(whole)))
    except (RecursionError, ArgumentError):
        raise
    except Exception as error:  # a function of the user's may raise anything, or leave out what a document needs
        raise _refused(instance, error) from error
    return document | _kept_keys(mapping, instance, kept)


def _dumped_fields(mapping: Mapping, instance: odm.BaseODMModel) -> Document:
    kept = _unloaded(mapping, instance)
    whole = _with_stand_ins(mapping, cast("Model", instance), kept) if kept else instance
    try:
        document = _written(mapping, whole, whole.model_dump(include=_dumped_names(mapping)))
    except (RecursionError, ArgumentError):
        raise
    except Exception as error:  # a serializer of the user's may raise anything
        raise _refused(instance, error) from error
    return document | _kept_keys(mapping, instance, kept)


def _kept_keys(mapping: Mapping, instance: odm.BaseODMModel, kept: AnyMapping[str, Unloaded]) -> Document:
    """Return what the document holds for references that were not loaded."""
    held = instance.__dict__
    return {mapping.fields[name].key: stored_key(what, held.get(name)) for name, what in kept.items()}


def _with_stand_ins(mapping: Mapping, instance: Model, kept: AnyMapping[str, Unloaded]) -> Model:
    """Return a copy of *instance* that can be dumped: with something in the place of references that were not
    loaded."""
    twin = copy.copy(instance)
    twin.__dict__.update((name, placeholder(mapping.fields[name], what)) for name, what in kept.items())
    return twin


def placeholder(field: FieldMap, what: Unloaded) -> object:
    """Return what a validator or serializer takes for a reference that was not loaded: an instance with nothing but
    its key."""
    if field.container is list:
        return list(what.found or ())
    target = cast("Mapping", field.target)
    blank = target.document_model.__new__(target.document_model)
    object.__setattr__(blank, "__dict__", {target.primary: what.key})
    object.__setattr__(blank, "__pydantic_fields_set__", {target.primary})
    object.__setattr__(blank, "__pydantic_extra__", None)
    object.__setattr__(blank, "__pydantic_private__", None)
    return blank


def _dumped_names(mapping: Mapping) -> set[str] | None:
    """Return the fields that `model_dump` is asked for; None for all, where it gives what the class makes of them."""
    return None if odm.has_model_serializer(mapping.model) else set(odm.serialized_fields(mapping.model))


def _written(mapping: Mapping, instance: odm.BaseODMModel, dumped: Document) -> Document:
    """Return the document ODMantic makes of what `model_dump` gave; the instance says which models there were."""
    document: Document = {"_id": None} if mapping.primary else {}
    serialized, values = odm.serialized_fields(mapping.model), instance.__dict__
    for name, field in mapping.fields.items():
        # An excluded field (`exclude=True`) is excluded from what is shown to others; it is stored.
        if name not in serialized or (name not in dumped and odm.is_excluded(mapping.model, name)):
            if name not in values:
                raise _incomplete(mapping.name, name)
            document[field.key] = _encoder(field)(values[name])
            continue
        value = dumped[name]
        if field.serializer is not None:
            document[field.key] = field.serializer(value)
        elif field.shape is Shape.REFERENCE:
            document[field.key] = _written_reference(cast("Mapping", field.target), value)
        elif field.shape is Shape.PLAIN:
            document[field.key] = encode_value(value)
        else:
            document[field.key] = _written_embedded(values[name], value)
    if mapping.keeps_extra:
        own = instance.__pydantic_extra__ or {}
        _add_extra(mapping, document, {key: dumped.get(key, value) for key, value in own.items()})
    return document


def _written_reference(target: Mapping, dumped: object) -> object:
    if isinstance(dumped, list):
        return [_written_reference(target, item) for item in cast("list[object]", dumped)]
    return None if dumped is None else encode_value(cast("Document", dumped)[target.primary])


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
