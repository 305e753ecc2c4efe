"""References that ODMantic does not have: to nothing or one document (`Publisher | None`), and to several
(`list[Author]`).

Declared on a `MongoBaseModel` by `Reference()`, as every reference is; made by `declaration`, known to `mapping` by
their classes.
"""

from __future__ import annotations

import types
from collections.abc import Mapping as AnyMapping
from typing import Any, Union, cast, get_args, get_origin

import odmantic
from odmantic import Model

from . import odmantic_internals as odm
from .errors import ArgumentTypeError


class OptionalReference(odm.ODMReference):
    """A reference that may refer to nothing: stored as a key, or null."""


class ManyReference(odm.ODMReference):
    """References to several documents: stored as a list of keys."""


def special_references(
    model: str, annotations: AnyMapping[str, object], defaults: AnyMapping[str, object]
) -> dict[str, type[odm.ODMReference]]:
    """Return the kind of each declared reference that ODMantic does not have.

    Raises:
        ArgumentTypeError: the type of a reference is neither a model, nor an optional one, nor a list of one.
    """
    found: dict[str, type[odm.ODMReference]] = {}
    for name, default in defaults.items():
        annotation = annotations.get(name)
        if not isinstance(default, odm.ODMReferenceInfo) or odm.is_model_class(annotation):
            continue
        kind, inner = _kind(annotation)
        if kind is None or not odm.is_model_class(inner):
            raise ArgumentTypeError(
                f"{model}.{name}: {annotation!r} cannot be a reference; write Publisher, Publisher | None or "
                "list[Publisher], where Publisher is a model with a collection of its own"
            )
        found[name] = kind
    return found


def _kind(annotation: object) -> tuple[type[odm.ODMReference] | None, object]:
    arguments = get_args(annotation)
    if get_origin(annotation) is list and len(arguments) == 1:
        return ManyReference, arguments[0]
    if get_origin(annotation) in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return OptionalReference, next(part for part in arguments if part is not type(None))
    return None, None


def plain_default(kind: type[odm.ODMReference], info: odm.ODMReferenceInfo) -> object:
    """Return the default that ODMantic is shown for such a reference, which it takes for a plain value."""
    given: dict[str, Any] = {"default_factory": list} if kind is ManyReference else {"default": None}
    return cast("object", odmantic.Field(key_name=info.key_name, **given))


def make_reference(model: type[Model], name: str, kind: type[odm.ODMReference]) -> None:
    """Put a reference in the place of what ODMantic has taken for a plain value."""
    fields = cast("dict[str, odm.ODMBaseField]", odm.odm_fields(model))
    plain = fields[name]
    made = kind(plain.key_name, plain.model_config, cast("Any", _kind(model.model_fields[name].annotation)[1]))
    made.bind_pydantic_field(plain.pydantic_field)
    fields[name] = made
