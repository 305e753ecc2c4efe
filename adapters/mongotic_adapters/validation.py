"""Checks single values by the type of a field, where there is no whole instance to validate.

Called by `compiler`, for keys given to `get()` and values given to `update().values()`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, cast

from odmantic import Model
from pydantic import TypeAdapter, ValidationError

from .errors import ArgumentError
from .mapping import FieldMap, Mapping, Shape
from .shown import shown


def validated(mapping: Mapping, field: FieldMap, value: object, where: str) -> object:
    """Return *value* as *field* of the model would hold it.

    Arguments:
        mapping: the model.
        field: the field.
        value: what the user gave.
        where: how the error message begins.

    Raises:
        ArgumentError: the value does not fit the field's type.
    """
    if field.shape is Shape.REFERENCE:
        return _reference(mapping, field, value, where)
    try:
        return _check(mapping, field, value)
    except ValidationError as error:
        reasons = "; ".join(detail["msg"] for detail in error.errors())
        raise ArgumentError(f"{where}: {shown(value)} does not fit {mapping.name}.{field.name}: {reasons}") from error
    except TypeError as error:  # of ODMantic's own validators: bytes that are no ObjectId
        raise ArgumentError(f"{where}: {shown(value)} does not fit {mapping.name}.{field.name}: {error}") from error


def _reference(mapping: Mapping, field: FieldMap, value: object, where: str) -> object:
    target = cast("Mapping", field.target)
    if field.container is not list:
        return None if value is None and not field.required else _one_reference(target, value, where)
    if not isinstance(value, (list, tuple)):
        raise ArgumentError(
            f"{where}: {shown(value)} does not fit {mapping.name}.{field.name}, a list of {target.name} or of keys"
        )
    return [_one_reference(target, item, where) for item in cast("list[object]", value)]


def _one_reference(target: Mapping, value: object, where: str) -> object:
    if isinstance(value, target.document_model):
        return value
    # The key of the referenced document stands for it.
    return validated(target, target.fields[target.primary], value, where)


def _check(mapping: Mapping, field: FieldMap, value: object) -> object:
    model = mapping.document_model
    if model.__pydantic_decorators__.model_validators:
        # They expect a whole instance; the field's own type and constraints are checked without them.
        return _adapter(model, field.name).validate_python(value)
    blank = model.__new__(model)
    for slot in ("__pydantic_extra__", "__pydantic_private__"):
        object.__setattr__(blank, slot, None)
    object.__setattr__(blank, "__pydantic_fields_set__", set[str]())
    model.__pydantic_validator__.validate_assignment(blank, field.name, value)
    return cast("object", blank.__dict__[field.name])


@lru_cache(maxsize=4096)
def _adapter(model: type[Model], name: str) -> TypeAdapter[object]:
    info = model.model_fields[name]
    return TypeAdapter(cast("type[object]", Annotated[info.annotation, info]))
