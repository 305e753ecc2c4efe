"""The way from a document to the value of a column: `User.address.city` is two steps.

Made of the columns that are given to `select()`; followed by `column_reader` and, on the server, by `distinct`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from . import stored_schema, unsupported
from .across import CROSSING
from .columns import Column, plain_model
from .errors import ArgumentError
from .mapping import FieldMap, Mapping, Shape

_LISTS: tuple[object, ...] = (list, set, frozenset, tuple)


@dataclass(frozen=True, slots=True)
class Step:
    """One field on the way.

    Attributes:
        owner: the model the field belongs to; the first step's is the one with the collection.
        name: the field's name in Python.
        key: its key in the document.
        field: what is known of it; None in a plain Pydantic model, which ODMantic does not describe.
        many: there is a list of embedded documents.
        aliases: the keys that other programs may have stored it under; those of plain Pydantic models alone.
    """

    owner: type[BaseModel]
    name: str
    key: str
    field: FieldMap | None
    many: bool
    aliases: tuple[str, ...] = ()

    def default(self) -> object:
        """Return what stands in where the document lacks the key: the field's default, or None."""
        if self.field is not None:
            value = self.field.default()
        else:
            info = self.owner.model_fields[self.name]
            if getattr(info, "default_factory_takes_validated_data", False):
                return None  # of the other fields, which were not read
            value = cast("object", info.get_default(call_default_factory=True))
        return None if value is PydanticUndefined else value


Path = tuple[Step, ...]


def path_of(column: Column[Any]) -> Path:
    """Return the steps to the value of a column.

    Raises:
        ArgumentError: it leads into a dict, whose keys only the documents know.
    """
    mapping = column.mapping_
    if CROSSING in column.key_:
        remedy = f"select {mapping.name} and read it from the instances, which are loaded with what they refer to"
        raise unsupported.of_another_document("select()", mapping.name, column.key_, remedy)
    # As the column knows it: a primary field in the key of an embedded one has a path of two keys, too.
    keys = column.key_.split(".")
    step = _step(mapping.model, mapping, keys[0])
    path = [step]
    for key in keys[1:]:
        _expect_no_dict(mapping, step)
        target = None if step.field is None else step.field.target
        owner = _annotated_model(step) if target is None else target.model
        step = _step(owner, target, key)
        path.append(step)
    return tuple(path)


def keys(path: Path) -> list[str]:
    """Return the dotted paths in documents under which the value of a column may lie."""
    return [".".join(names) for names in itertools.product(*((step.key, *step.aliases) for step in path))]


def dotted(path: Path) -> str:
    """Return a path as it is written in Python: `address.city`."""
    return ".".join(step.name for step in path)


def fallback(path: Path, depth: int) -> object:
    """Return the value of a column for a document that lacks the key of the step at *depth*.

    It is found in the default of that step; None where that has none.
    """
    return _inside(path[depth].default(), path[depth:])


def _inside(value: object, path: Path) -> object:
    """Return what lies in the value of the first step of a path, at its end."""
    if value is None or len(path) == 1:
        return value
    name, rest = path[1].name, path[1:]
    if path[0].many:
        return [_inside(cast("object", getattr(item, name, None)), rest) for item in cast("Iterable[object]", value)]
    return _inside(cast("object", getattr(value, name, None)), rest)


def _step(owner: type[BaseModel], mapping: Mapping | None, key: str) -> Step:
    field = None if mapping is None else mapping.by_key[key]
    name = key if field is None else field.name
    if field is not None and field.target is not None:
        many = field.shape is Shape.EMBEDDED_MANY and field.container in _LISTS
    else:
        many = any(origin in _LISTS for origin in _origins(owner.model_fields[name].annotation))
    return Step(owner, name, key, field, many, stored_schema.aliases(owner, name) if mapping is None else ())


def _annotated_model(step: Step) -> type[BaseModel]:
    return cast("type[BaseModel]", plain_model(step.owner.model_fields[step.name].annotation))


def _expect_no_dict(mapping: Mapping, step: Step) -> None:
    if any(isinstance(origin, type) and issubclass(origin, AnyMapping) for origin in _origins(_annotation(step))):
        raise ArgumentError(
            f"select(): {mapping.name}.{step.name} is a dict, and its keys are not known here; select the dict itself"
        )


def _annotation(step: Step) -> object:
    return step.owner.model_fields[step.name].annotation


def _origins(annotation: object) -> list[object]:
    """Return the containers in an annotation such as `list[Item] | None`, outermost first."""
    parts = (annotation, *get_args(annotation))
    return [get_origin(part) or part for part in parts]
