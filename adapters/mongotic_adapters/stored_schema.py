"""The schema by which plain Pydantic models are read: what they are stored as, and not what their constructors take.

Asked by `document_validator`, `hydration`, `values_validator` and `reading_back`.  `encoding` stores a plain model, a
dataclass, a `TypedDict` or a named tuple as its fields under their names; the schema of such a class looks for aliases,
does not know the values that stand in a document for those BSON has no type for, and may be strict.  What is made of it
here finds a field by its name, by an alias where the name is missing (another program may have written that), and
understands the stand-ins; everything else, the user's own validators among it, is left as it is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache, partial
from typing import cast

from bson.decimal128 import Decimal128
from bson.regex import Regex
from pydantic import BaseModel

from . import odmantic_internals as odm
from . import schema_tree
from .schema_tree import FieldSchema, Schema
from .stand_ins import stand_in

_Change = Callable[[Schema], Schema | None]


def is_plain(schema: Schema) -> bool:
    """Tell whether a schema is one of what is stored by the names of its fields, and no model of ODMantic's."""
    kind = schema.get("type")
    return kind in _PLAIN or (kind == "model" and not odm.is_odmantic(schema["cls"]))


@lru_cache(maxsize=4096)
def fields_stored_otherwise(model: type[BaseModel]) -> list[str]:
    """Return the fields of a class whose values are not stored as the class itself would take them."""
    return [
        name
        for name in model.model_fields
        for parts in [list(odm.field_schema(model, name).parts())]
        if any(map(is_plain, parts)) and any(map(_is_stored_otherwise, parts))
    ]


def _is_stored_otherwise(schema: Schema) -> bool:
    kind = schema.get("type")
    form = _VALUES.get(kind) if isinstance(kind, str) else None
    return "validation_alias" in schema or (form is not None and form(schema) is not schema)


_PLAIN = ("dataclass", "typed-dict", "named-tuple", "call")  # the last is what named tuples were to older versions


def by_name(owner: type[BaseModel], name: str) -> FieldSchema:
    """Return the schema of a field's values that takes them by the names of fields, at any depth."""
    schema, config, definitions = odm.field_schema(owner, name).of_values()
    form = named if odm.is_odmantic(owner) else stored
    return FieldSchema(form(schema), config, [stored(definition) for definition in definitions])


def aliases(owner: type[BaseModel], name: str) -> tuple[str, ...]:
    """Return the keys under which a field of a plain model is looked for where its name is missing."""
    whole = schema_tree.without_wrapping(stored(cast("Schema", owner.__pydantic_core_schema__)))
    field = cast("dict[str, Schema]", whole["fields"])[name]
    paths = _aliases(field.get("validation_alias"))[1:]
    return tuple(str(path[0]) for path in paths if len(path) == 1)


def named(schema: Schema) -> Schema:
    """Return a copy of a schema that takes plain models as they are stored, and ODMantic's by the names of their
    fields."""
    return cast("Schema", schema_tree.rebuilt(schema, _named))


def stored(schema: Schema, *, closed: bool = False) -> Schema:
    """Return a copy of the schema of a plain model that takes it as it is stored.

    Arguments:
        schema: the schema.
        closed: refuse what would be passed over: keys that are no fields.
    """
    return cast("Schema", schema_tree.rebuilt(schema, partial(_stored, closed=closed)))


def _named(schema: Schema) -> Schema | None:
    kind = schema.get("type")
    if is_plain(schema):
        return stored(schema)
    if kind == "definitions":
        # Whatever is defined here may be a part of a plain model.
        parts = cast("list[Schema]", schema["definitions"])
        return {
            **schema,
            "schema": named(cast("Schema", schema["schema"])),
            "definitions": [stored(part) for part in parts],
        }
    if kind == "model":
        return _odmantics(schema_tree.descended(schema, _named))
    return None


def _stored(schema: Schema, *, closed: bool) -> Schema | None:
    kind = schema.get("type")
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    if form is None and kind not in _CLOSED:
        return None
    inner = schema_tree.descended(schema, partial(_stored, closed=closed))
    if closed and kind in _CLOSED:
        inner = _closed(inner)
    return inner if form is None else form(inner)


# -- models -------------------------------------------------------------------------------------------------------


def _by_names(schema: Schema) -> Schema:
    fields = cast("dict[str, Schema]", schema["fields"])
    return {**schema, "fields": {name: _found_by_name(name, field, fields) for name, field in fields.items()}}


def _arguments_by_names(schema: Schema) -> Schema:
    fields = cast("list[Schema]", schema["fields"])
    names = [cast("str", field["name"]) for field in fields]
    # What the class computes itself (`init=False`) may have been changed since: it is stored, and read.
    found = [{**_found_by_name(name, field, names), "init": True} for name, field in zip(names, fields, strict=True)]
    return {**schema, "fields": found}


def _found_by_name(name: str, field: Schema, names: Iterable[object]) -> Schema:
    # Under the name of another field lies that field.
    aliases = [path for path in _aliases(field.get("validation_alias")) if path[0] not in names]
    return {**field, "validation_alias": [[name], *aliases]} if aliases else _without_alias(field)


def _aliases(alias: object) -> list[list[str | int]]:
    """Return the paths to a value, of which pydantic-core takes one, or several, or a name."""
    if not isinstance(alias, list):
        return [] if alias is None else [[cast("str", alias)]]
    return cast("list[list[str | int]]", alias if isinstance(alias[0], list) else [alias])


def _without_alias(field: Schema) -> Schema:
    return {key: value for key, value in field.items() if key != "validation_alias"}


def _model(schema: Schema) -> Schema:
    if not odm.is_odmantic(schema["cls"]):
        return _lax(schema)
    # In a plain value ODMantic stores its own models by the names of their fields, too.
    return _odmantics(_with_keys(schema, odm.keys_of(schema["cls"])))


def _with_keys(schema: Schema, keys: dict[str, str]) -> Schema:
    if schema["type"] != "model-fields":
        return {**schema, "schema": _with_keys(cast("Schema", schema["schema"]), keys)}
    fields = cast("dict[str, Schema]", schema["fields"])
    keyed = {name: {**field, "validation_alias": keys.get(name, name)} for name, field in fields.items()}
    return _by_names({**schema, "fields": keyed})


def _odmantics(schema: Schema) -> Schema:
    """Return the schema of a model of ODMantic's that passes by ODMantic's `__init__`, which would ask the schema of
    the class."""
    if odm.has_own_init(cast("type[odm.BaseODMModel]", schema["cls"])):
        return schema
    reference = schema.get("ref")
    inner = {key: value for key, value in schema.items() if key != "ref"} | {"custom_init": False}
    marking: Schema = {
        "type": "function-after",
        "function": {"type": "no-info", "function": odm.marked},
        "schema": inner,
    }
    return marking if reference is None else {**marking, "ref": reference}


def _closed(schema: Schema) -> Schema:
    """Return a schema that refuses the keys it would pass over."""
    config = cast("Schema", schema.get("config") or {})
    closed = schema
    if config.get("extra_fields_behavior") != "allow":
        closed = {**closed, "config": {**config, "extra_fields_behavior": "forbid"}}
    return {**closed, "extra_behavior": "forbid"} if schema.get("extra_behavior") == "ignore" else closed


_CLOSED = frozenset({"model", "dataclass", "typed-dict", "model-fields", "dataclass-args"})

# -- values -------------------------------------------------------------------------------------------------------


def _lax(schema: Schema) -> Schema:
    """Return a schema that takes the stand-in of a value, even where the class is strict."""
    return {**schema, "strict": False}


def _lax_part(schema: Schema) -> Schema:
    return _referred(schema, cast("Schema", schema["lax_schema"]))


def _inner(schema: Schema) -> Schema:
    return _referred(schema, cast("Schema", schema.get("schema") or {"type": "any"}))


def _referred(schema: Schema, replacement: Schema) -> Schema:
    return {**replacement, "ref": schema["ref"]} if "ref" in schema else replacement


def _before(function: Callable[[object], object], schema: Schema) -> Schema:
    inner = {key: value for key, value in schema.items() if key != "ref"}
    return _referred(
        schema,
        {"type": "function-before", "function": {"type": "no-info", "function": function}, "schema": inner},
    )


def _decimal(schema: Schema) -> Schema:
    return _before(_as_decimal, _lax(schema))


def _as_decimal(value: object) -> object:
    return value.to_decimal() if isinstance(value, Decimal128) else value


def _datetime(schema: Schema) -> Schema:
    zone = schema.get("tz_constraint")
    return schema if zone is None else _before(partial(_in_zone, zone), schema)


def _in_zone(zone: object, value: object) -> object:
    """Return a moment as its field wants it; the driver's settings say whether documents have zones."""
    utc = datetime.timezone.utc
    if not isinstance(value, datetime.datetime) or (value.tzinfo is None) == (zone == "naive"):
        return value
    return value.astimezone(utc).replace(tzinfo=None) if zone == "naive" else value.replace(tzinfo=utc)


def _members(schema: Schema) -> Schema:
    """Return a schema that takes the values of an enumeration as they are stored."""
    expected = cast("list[object]", schema.get("members") or schema.get("expected"))
    members = [(_stored_member(member.value), member) for member in expected if isinstance(member, Enum)]
    return _before(partial(_as_member, members), _lax(schema)) if members else schema


def _stored_member(value: object) -> object:
    return (
        [_stored_member(item) for item in cast("tuple[object]", value)] if isinstance(value, tuple) else stand_in(value)
    )


def _as_member(members: list[tuple[object, Enum]], value: object) -> object:
    same = (member for form, member in members if type(form) is type(value) and form == value)
    return next(same, value)


def _function(schema: Schema) -> Schema:
    """Return the schema of a function; two kinds of Pydantic's own take other values than they give."""
    function = cast("Schema", schema["function"]).get("function")
    kind = type(getattr(function, "__self__", None)).__name__
    if kind in ("EncodedBytes", "EncodedStr") and odm.is_pydantics(function):
        return _inner(schema)  # the decoded value is stored
    if str(getattr(function, "__name__", "")).startswith("pattern_") and odm.is_pydantics(function):
        return _before(_as_pattern, schema)
    return schema


def _as_pattern(value: object) -> object:
    return cast("re.Pattern[str]", value.try_compile()) if isinstance(value, Regex) else value


_VALUES: dict[str, Callable[[Schema], Schema]] = {
    "decimal": _decimal,
    "datetime": _datetime,
    "enum": _members,
    "literal": _members,
    "json": _inner,
    "function-after": _function,
    "function-plain": _function,
}
_LAX = ("dataclass", "date", "time", "timedelta", "tuple", "set", "frozenset", "url", "multi-host-url")
_FORMS: dict[str, Callable[[Schema], Schema]] = {
    "model": _model,
    "model-fields": _by_names,
    "typed-dict": lambda schema: _lax(_by_names(schema)),
    "dataclass-args": _arguments_by_names,
    "lax-or-strict": _lax_part,
    **_VALUES,
    **dict.fromkeys(_LAX, _lax),
}
