"""Sees to it that what is about to be stored in a field of plain Pydantic models can be read back.

Asked by `encoding` for every such value.  Nothing checks a plain model once it is made: a value of the wrong type may
be assigned, an instance of a subclass may have fields that its field's type has not, and a validator of the user's may
expect what only a constructor is given.  A document that cannot be read any more, or that loses something when it is,
would be found out too late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import cast

from pydantic import ValidationError

from . import odmantic_internals as odm
from . import schema_tree, stored_schema
from .errors import ArgumentError
from .schema_tree import FieldSchema, Schema

Check = Callable[[object], None]
Encode = Callable[[object], object]


@lru_cache(maxsize=4096)
def check(model: type[odm.BaseODMModel], name: str, encode: Encode) -> Check | None:
    """Return a function that refuses an encoded value that could not be read back; None for a field that has no plain
    models in it.

    Arguments:
        model: the class the field belongs to.
        name: the field.
        encode: the encoder of such values.
    """
    field = odm.field_schema(model, name).of_values()
    if not any(map(stored_schema.is_plain, field.parts())):
        return None
    read_closed = _reader(field, partial(stored_schema.stored, closed=True))
    read = _reader(field, stored_schema.stored) if _has_detours(field) else None
    if odm.has_own_init(model) or odm.has_own_parsing(model):
        # The class's own code is given instances, which the class then looks at as it does at any (see `hydration`).
        read = _one_after_the_other(_reader(field, stored_schema.stored), _reader(field, lambda schema: schema))
    where = f"a value of {model.__name__}.{name} cannot be stored"

    def checked(encoded: object) -> None:
        try:
            read_closed(encoded)
            if read is None or encode(read(encoded)) == encoded:
                return
        except ValidationError as error:
            reasons = "; ".join(_reason(detail["loc"], detail["msg"]) for detail in error.errors(include_input=False))
            raise ArgumentError(f"{where}: it could not be read back: {reasons}. Nothing was sent.") from error
        except (RecursionError, ArgumentError):
            raise
        except Exception as error:  # a validator of the user's may raise anything
            raise ArgumentError(
                f"{where}: reading it back fails: {error!r}. Nothing was sent. A validator of a whole model is "
                "given a dict of its fields by their names."
            ) from error
        raise ArgumentError(
            f"{where}: read back, it would be another value. Nothing was sent. Plain models are stored as their "
            "fields, and their validators must leave those as they are. Serializers have no part in it, but "
            "Annotated[..., WithBsonSerializer(...)] has."
        )

    return checked


def _reason(path: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, path[1:]))}: {message}" if len(path) > 1 else message


def _one_after_the_other(
    first: Callable[[object], object], second: Callable[[object], object]
) -> Callable[[object], object]:
    return lambda value: second(first(value))


def _reader(field: FieldSchema, form: Callable[[Schema], Schema]) -> Callable[[object], object]:
    """Return a function that reads the values of a field, with another form of the models in it."""

    def change(schema: Schema) -> Schema | None:
        if stored_schema.is_plain(schema) or schema.get("type") == "model":
            return form(schema)
        if str(schema.get("type")).startswith("function-"):
            # A validator of the field's may ask for the other fields, which are not read here.
            return cast("Schema", schema_tree.rebuilt(schema.get("schema") or {"type": "any"}, change))
        return None

    schema = cast("Schema", schema_tree.rebuilt(field.schema, change))
    return odm.value_validator(schema, field.config, list(map(form, field.definitions)))


def _has_detours(field: FieldSchema) -> bool:
    """Tell whether a value may be read as another one: code of the user's sees it first, or it fits several types."""
    return any(map(_is_detour, field.parts()))


def _is_detour(schema: Schema) -> bool:
    kind = schema.get("type")
    if kind in ("function-before", "function-wrap", "function-plain"):
        return not odm.is_pydantics(cast("Schema", schema["function"]).get("function"))
    if kind == "union":
        choices = [_choice(choice) for choice in cast("list[object]", schema["choices"])]
        return sum(choice.get("type") in _DOCUMENTS for choice in choices) > 1
    return kind == "model" and bool(schema.get("custom_init")) and not odm.is_odmantic(schema["cls"])


def _choice(choice: object) -> Schema:
    # A choice may come with a label.
    return cast("Schema", cast("tuple[object, ...]", choice)[0] if isinstance(choice, tuple) else choice)


_DOCUMENTS = frozenset({"model", "dataclass", "typed-dict", "dict", "definition-ref"})
