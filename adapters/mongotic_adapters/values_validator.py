"""One validator per column that takes the values of many documents at once, as a list.

Asked by `column_reader`.  It is made of the field's part of its class's own pydantic-core schema, so that a value is
what an instance would hold: types, constraints, the class's configuration and its `field_validator`s.  A validator of
the whole model is not called, for there is no whole model; `info.data` is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from types import NoneType
from typing import cast

import bson
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from . import odmantic_internals as odm
from . import stored_schema
from .schema_tree import Schema

Values = list[object]
ValuesValidator = Callable[[Values], Values]

_zone = attrgetter("tzinfo")
_PLAIN_TYPES: dict[object, type] = {"str": str, "int": int, "float": float, "bool": bool, "none": NoneType}


@lru_cache(maxsize=4096)
def values_validator(owner: type[BaseModel], name: str) -> ValuesValidator:
    """Return a function that makes what lies in documents into what the field holds, for many documents at once.

    It raises `pydantic.ValidationError` for the first value that does not fit.

    Arguments:
        owner: the model class.
        name: the field.
    """
    schema, config, definitions = stored_schema.by_name(owner, name)
    plain = _plain_types(schema, config)
    dated = datetime in plain
    validate = odm.value_validator({"type": "list", "items_schema": schema}, config, definitions)

    def validated(values: Values) -> Values:
        if plain and plain.issuperset(map(type, values)) and not (dated and any(map(_zone, filter(None, values)))):
            return values  # most columns: validation would return the very same values
        try:
            return cast("Values", validate(values))
        except ValidationError as error:
            raise _of_one_value(error, owner, name) from None

    return validated


def wrong_shape(owner: type[BaseModel], name: str, expected: str, value: object) -> ValidationError:
    """Return the error for a value that cannot be read on: something else than a document, say."""
    detail = PydanticCustomError("wrong_shape", "Input should be {expected}", {"expected": expected})
    return ValidationError.from_exception_data(
        owner.__name__, [InitErrorDetails(type=detail, loc=(name,), input=value)]
    )


def _plain_types(schema: Schema, config: Schema) -> frozenset[type]:
    """Return the types whose exact instances the schema gives back as they are; none if it does more.

    Of datetimes this is true as BSON has them, to the millisecond, and without a zone.
    """
    strict_text = any(key.startswith("str_") and value not in (None, False) for key, value in config.items())
    if strict_text or config.get("allow_inf_nan") is False:
        return frozenset()
    kind = schema["type"]
    if kind == "nullable":
        inner = _plain_types(cast("Schema", schema["schema"]), config)
        return inner | {NoneType} if inner else inner
    if kind in _PLAIN_TYPES and schema.keys() <= {"type", "metadata", "ref", "strict", "serialization"}:
        return frozenset({_PLAIN_TYPES[kind]})
    if kind == "json-or-python":
        inside = cast("Schema", schema["python_schema"])
        if _takes_object_ids(inside):
            return frozenset({bson.ObjectId})
        if _takes_datetimes(inside):
            return frozenset({datetime})
    return frozenset()


def _takes_datetimes(schema: Schema) -> bool:
    """Tell whether a schema is ODMantic's for datetimes: it refuses other zones, and cuts off what BSON has not."""
    steps = cast("list[Schema]", schema.get("steps") or [])
    if [step["type"] for step in steps] != ["datetime", "function-plain"]:
        return False
    function = cast("Schema", steps[1]["function"]).get("function")
    return str(getattr(function, "__module__", "")) == "odmantic.bson"


def _takes_object_ids(schema: Schema) -> bool:
    choices = cast("list[Schema]", schema.get("choices") or [{}])
    return (
        schema["type"] == "union" and choices[0].get("type") == "is-instance" and choices[0].get("cls") is bson.ObjectId
    )


def _of_one_value(error: ValidationError, owner: type[BaseModel], name: str) -> ValidationError:
    """Return the error of the first value that does not fit, as the model would report it."""
    found = error.errors(include_url=False)
    position = found[0]["loc"][1:2]
    details = [
        InitErrorDetails(
            # The message may have braces, which the template of an error would take for its own.
            type=PydanticCustomError("wrong_value", "{reason}", {"reason": detail["msg"]}),
            loc=(name, *detail["loc"][2:]),
            input=detail["input"],
        )
        for detail in found
        if detail["loc"][1:2] == position
    ]
    return ValidationError.from_exception_data(owner.__name__, details)
