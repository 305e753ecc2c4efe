"""One validator per model class that takes a stored document as it is: keys of the document, no detour through Python.

Asked by `hydration`.  It is made of the class's own pydantic-core schema, so that it validates exactly what the class
validates; only three things differ: fields are found by the key they are stored under, a key that ODMantic requires
is required, and ODMantic's
`__init__`, which validates everything a second time, is passed by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from odmantic import Model
from pydantic_core import CoreSchema

from . import odmantic_internals as odm
from .mapping import FieldMap, Mapping, Shape, class_mapping

Schema = dict[str, object]
DocumentValidator = Callable[[object], Model]

# Where a core schema holds values of the user's and not schemas.
_OPAQUE = frozenset({"cls", "config", "default", "expected", "metadata", "serialization", "values"})


def document_validator(mapping: Mapping) -> DocumentValidator | None:
    """Return a function that makes an instance of a document, or None where the class needs more than that.

    It raises `pydantic.ValidationError`.  References must be given as instances, under their keys.
    """
    if mapping.keeps_extra or odm.has_own_init(mapping.document_model):
        return None
    schema = _by_key(odm.core_schema(mapping.model))
    validator = odm.build_validator(cast("CoreSchema", schema))
    validate = cast("Callable[[object], Model]", validator.validate_python)
    finish = _finisher(mapping)
    names = frozenset(mapping.fields)

    def make(document: object) -> Model:
        instance = validate(document)
        finish(instance)
        odm.mark_assigned(instance, set())
        # ODMantic counts a default that stands in for a missing key among the fields that were set.
        fields_set = instance.__pydantic_fields_set__
        if len(fields_set) != len(names):
            fields_set |= names
        return instance

    return make


def _by_key(node: object) -> object:
    """Return a copy of a core schema that finds fields by their keys."""
    if isinstance(node, list):
        return [_by_key(item) for item in cast("list[object]", node)]
    if isinstance(node, tuple):
        return tuple(_by_key(item) for item in cast("tuple[object, ...]", node))
    if not isinstance(node, dict):
        return node
    schema = cast("Schema", node)
    copy = {key: value if key in _OPAQUE else _by_key(value) for key, value in schema.items()}
    owner = schema.get("cls")
    if schema.get("type") == "model" and isinstance(owner, type) and issubclass(owner, odm.BaseODMModel):
        copy["custom_init"] = False
        _rename(class_mapping(owner), copy)
    return copy


def _rename(mapping: Mapping, model_schema: Schema) -> None:
    """Set the keys in the `model-fields` schema of one model, which validators of the user's may enclose."""
    inner = cast("Schema", model_schema["schema"])
    while inner.get("type") != "model-fields":
        inner = cast("Schema", inner["schema"])
    for name, field_schema in cast("dict[str, Schema]", inner["fields"]).items():
        field = mapping.fields[name]
        field_schema["validation_alias"] = field.key
        if field.required:
            field_schema["schema"] = _without_default(cast("Schema", field_schema["schema"]))


def _without_default(schema: Schema) -> Schema:
    return cast("Schema", schema["schema"]) if schema.get("type") == "default" else schema


def _finisher(mapping: Mapping) -> Callable[[odm.BaseODMModel], None]:
    """Return a function that gives the embedded instances the slot ODMantic's `__setattr__` writes to.

    ODMantic reads it of top-level instances alone, so all embedded ones can share one.
    """
    embedded = [field for field in mapping.fields.values() if field.shape in (Shape.EMBEDDED, Shape.EMBEDDED_MANY)]
    if not embedded:
        return _nothing
    steps = [(field.name, _marker(field)) for field in embedded]

    def finish(instance: odm.BaseODMModel) -> None:
        values = instance.__dict__
        for name, mark in steps:
            mark(values[name])

    return finish


def _marker(field: FieldMap) -> Callable[[object], None]:
    finish = _finisher(cast("Mapping", field.target))

    def mark(value: object) -> None:
        if isinstance(value, odm.BaseODMModel):
            odm.mark_assigned(value, _SHARED)
            finish(value)
        elif isinstance(value, dict):
            for item in cast("dict[str, object]", value).values():
                mark(item)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in cast("list[object]", value):
                mark(item)

    return mark


_SHARED: set[str] = set()


def _nothing(instance: odm.BaseODMModel) -> None:
    """Give an instance without embedded ones nothing."""
