"""One validator per model class that takes a stored document as it is: keys of the document, no detour through Python.

Asked by `hydration`, with several documents at a time if it can.  It is made of the class's own pydantic-core schema,
so that it validates exactly what the class validates; only four things differ: fields are found by the key they are
stored under, a key that ODMantic requires is required, plain Pydantic models are taken as they are stored (see
`stored_schema`), and ODMantic's `__init__`, which validates everything a second time, is passed by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias, cast

from odmantic import Model
from pydantic_core import CoreSchema, SchemaValidator

from . import odmantic_internals as odm
from . import schema_tree, stored_schema
from .encoding import Document
from .mapping import FieldMap, Mapping, Shape, class_mapping
from .schema_tree import Schema


class DocumentValidator:
    """Makes instances of documents.  References must be given as instances, under their keys.

    Arguments:
        validate: makes an instance.
        mapping: the model's mapping.
    """

    __slots__ = ("_finish", "_may_lack", "_names", "_validate")

    def __init__(self, validate: Callable[[object], Model], mapping: Mapping) -> None:
        self._validate = validate
        self._finish = finisher_of_many(mapping)
        self._names = frozenset(mapping.fields)
        self._may_lack = not all(field.required for field in mapping.fields.values())

    def one(self, document: Document) -> Model:
        """Return the instance of a document.

        Raises:
            ValidationError: of Pydantic's; the document does not fit.
        """
        return self.several((document,))[0]

    def several(self, documents: Iterable[Document]) -> list[Model]:
        """Return the instances of documents, none if one of them does not fit.

        Raises:
            ValidationError: of Pydantic's; a document does not fit.
        """
        instances = list(map(self._validate, documents))
        put, finish, names = odm.put_assigned, self._finish, self._names
        if finish is not None:
            finish(instances)
        for instance in instances:
            put(instance, set())
        if self._may_lack:
            for instance in instances:
                # ODMantic counts a default that stands in for a missing key among the fields that were set.
                fields_set = instance.__pydantic_fields_set__
                if len(fields_set) != len(names):
                    fields_set |= names
        return instances


def document_validator(mapping: Mapping) -> DocumentValidator | None:
    """Return what makes instances of documents, or None where the class needs more than that."""
    if not _is_simple(mapping):
        return None
    schema = _by_key(odm.core_schema(mapping.model))
    validator = odm.build_validator(cast("CoreSchema", schema))
    return DocumentValidator(cast("Callable[[object], Model]", validator.validate_python), mapping)


@lru_cache(maxsize=4096)
def by_name_validator(model: type[Model]) -> SchemaValidator:
    """Return the validator of a class, which takes the names of fields; it takes plain models as they are stored."""
    schema = odm.core_schema(model)
    if not any(map(stored_schema.is_plain, schema_tree.parts(schema))):
        return cast("SchemaValidator", model.__pydantic_validator__)  # or a plugin's, which is like it
    return odm.build_validator(cast("CoreSchema", stored_schema.named(schema)))


def _is_simple(mapping: Mapping) -> bool:
    """Tell whether nothing but the types of its fields decides how a document of the model is read.

    Own `__init__`s and validators of whole models expect field names and defaults. Where ODMantic sees a plain value,
    an embedded model of its own in it (`dict[str, list[Item]]`) is stored by field names and not by keys.
    """
    if mapping.keeps_extra or odm.has_own_construction(mapping.model):
        return False
    if mapping.fields.keys() != mapping.model.model_fields.keys():
        return False
    return all(_is_simple_field(mapping, field) for field in mapping.fields.values())


def _is_simple_field(mapping: Mapping, field: FieldMap) -> bool:
    if field.shape is Shape.REFERENCE:
        return True
    if field.target is not None:
        return _is_simple(field.target)
    return not odm.holds_models(mapping.model, field.name)


def _by_key(schema: object) -> object:
    """Return a copy of a core schema that finds fields by their keys."""
    return schema_tree.rebuilt(schema, _model_by_key)


def _model_by_key(schema: Schema) -> Schema | None:
    """Return a copy of the schema of a model; plain ones are found by the names of their fields."""
    if stored_schema.is_plain(schema):
        return stored_schema.stored(schema)
    if schema.get("type") != "model":
        return None
    mapping = class_mapping(cast("type[odm.BaseODMModel]", schema["cls"]))
    fields_schema = cast("Schema", schema["schema"])
    fields = {
        name: _field_by_key(mapping.fields[name], field_schema)
        for name, field_schema in cast("dict[str, Schema]", fields_schema["fields"]).items()
    }
    return {**schema, "custom_init": False, "schema": {**fields_schema, "fields": fields}}


def _field_by_key(field: FieldMap, field_schema: Schema) -> Schema:
    inner = cast("Schema", field_schema["schema"])
    if field.shape is not Shape.REFERENCE:  # a reference is given as an instance
        inner = cast("Schema", _by_key(inner))
    if field.required and inner.get("type") == "default":
        inner = cast("Schema", inner["schema"])
    return {**field_schema, "validation_alias": field.key, "schema": inner}


@lru_cache(maxsize=4096)
def finisher(mapping: Mapping) -> Callable[[odm.BaseODMModel], None]:
    """Return a function that gives the embedded instances the slot ODMantic's `__setattr__` writes to.

    A validator without ODMantic's `__init__` leaves it empty, and so does the copy of a default.
    """
    embedded = [field for field in mapping.fields.values() if field.shape in (Shape.EMBEDDED, Shape.EMBEDDED_MANY)]
    if not embedded:
        return _nothing
    known: dict[str, object] = {"put": odm.put_assigned, "shared": odm.SHARED}
    lines: list[str] = []
    for number, field in enumerate(embedded):
        target = cast("Mapping", field.target)
        finish = finisher(target)
        lines.append(f"value = values[{field.name!r}]")
        lines += _finishing(number, deeper=finish is not _nothing, many=field.shape is Shape.EMBEDDED_MANY)
        known |= {f"kind{number}": target.model, f"finish{number}": finish, f"mark{number}": marker(field)}
    body = "\n".join(f"    {line}" for line in ("values = instance.__dict__", *lines))
    # It is done to every instance that is read or added, and compiled for the same reason as encoders are.
    exec(compile(f"def finish(instance):\n{body}", f"<finisher of {mapping.name}>", "exec"), known)
    return cast("Callable[[odm.BaseODMModel], None]", known["finish"])


def _finishing(number: int, *, deeper: bool, many: bool) -> list[str]:
    """Return the lines that give the instances in one value the slot; those of rarer types are left to `marker`."""
    value = "item" if many else "value"
    one = [f"if type({value}) is kind{number}:", f"    put({value}, shared)"]
    if deeper:
        one.append(f"    finish{number}({value})")
    one += ["else:", f"    mark{number}({value})"]
    if not many:
        return one
    each = [f"        {line}" for line in one]
    return ["if type(value) is list:", "    for item in value:", *each, "else:", f"    mark{number}(value)"]


Finish: TypeAlias = Callable[[Sequence[odm.BaseODMModel]], None]


@lru_cache(maxsize=4096)
def finisher_of_many(mapping: Mapping) -> Finish | None:
    """Return what does the same for many instances of one class, column by column; None where there is nothing to do.

    The values of a column are of one class as a rule, which is found out once for all of them.
    """
    embedded = [field for field in mapping.fields.values() if field.shape in (Shape.EMBEDDED, Shape.EMBEDDED_MANY)]
    if not embedded:
        return None
    steps = [(field.name, _column_marker(field)) for field in embedded]

    def finish(instances: Sequence[odm.BaseODMModel]) -> None:
        for name, mark in steps:
            mark([instance.__dict__[name] for instance in instances])

    return finish


def _column_marker(field: FieldMap) -> Callable[[list[object]], None]:
    target = cast("Mapping", field.target)
    usual, finish, mark = {target.model}, finisher_of_many(target), marker(field)

    def mark_all(values: list[object]) -> None:
        kinds = set(map(type, values))
        if kinds == {list}:
            values = list(chain.from_iterable(cast("list[list[object]]", values)))
            kinds = set(map(type, values))
        if kinds == usual:
            instances = cast("list[odm.BaseODMModel]", values)
            odm.mark_all(instances)
            if finish is not None:
                finish(instances)
        else:
            for value in values:
                mark(value)

    return mark_all


def marker(field: FieldMap) -> Callable[[object], None]:
    """Return a function that gives the instances in the value of an embedded field the slot ODMantic writes to."""
    finish = finisher(cast("Mapping", field.target))

    def mark(value: object) -> None:
        if isinstance(value, odm.BaseODMModel):
            finish(odm.marked(value))
        elif isinstance(value, dict):
            for item in cast("dict[str, object]", value).values():
                mark(item)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in cast("list[object]", value):
                mark(item)

    return mark


def _nothing(instance: odm.BaseODMModel) -> None:
    """Give an instance without embedded ones nothing."""
