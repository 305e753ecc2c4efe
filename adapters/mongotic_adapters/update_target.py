"""Where a value of `update().values()` goes: a field, a field inside an embedded document, an element of a list.

Made of the keys users write, by `update_operators` and `update_changes`.  A target knows the path in the document, the
type a value must have there, and how it is stored there.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from . import odmantic_internals as odm
from .columns import column_of, plain_model
from .encoding import Document, encode_field, encode_value
from .errors import ArgumentError, ArgumentTypeError
from .mapping import FieldMap, Mapping, Shape, class_mapping
from .shown import shown
from .suggestions import did_you_mean
from .validation import validated

ANY_TYPE = "any"
"""The type, in `Target.within`, of what is only to be there."""
_ANYTHING: tuple[object, ...] = (Any, object)
_SETS = (set, frozenset)
_LISTS = (list, tuple, deque, AnySequence, *_SETS)

Encode = Callable[[object], object]


@dataclass(frozen=True)
class Target:
    """One place in the documents of a model.

    Attributes:
        mapping: the model.
        path: the place in a document: `address.town`, `items.$[low].qty`.
        name: the same as users know it: `address.city`.
        annotation: the type of what lies there.
        owner: the mapping of the embedded model the field belongs to; None in a plain Pydantic model.
        field: what ODMantic knows of the field; None for an element of a list or a dict, and in a plain Pydantic model.
        encode: makes what is stored of a value.
        within: what documents must be like for the path to make sense: what lies around is there.
        required: documents without it are refused when they are read.
        inner: the model of embedded documents that lie there, or None.
    """

    mapping: Mapping
    path: str
    name: str
    annotation: object
    owner: Mapping | None
    field: FieldMap | None
    encode: Encode
    within: tuple[tuple[str, str], ...] = ()
    required: bool = False
    inner: type[BaseModel] | None = None

    @property
    def top_level(self) -> FieldMap:
        """The field of the model that it lies in."""
        return self.mapping.by_key[self.path.partition(".")[0]]

    @property
    def list_path(self) -> str:
        """The path as filters have it, without the signs for elements."""
        return ".".join(part for part in self.path.split(".") if not part.startswith("$"))

    @property
    def is_in_list(self) -> bool:
        """Whether a list is on the way, into which no pipeline leads."""
        return any(kind == "array" for _, kind in self.within) or "$" in self.path

    @property
    def types(self) -> list[object]:
        """The types a value may have, None left out: `[int, float]` for `int | float | None`."""
        return [part for part in alternatives(self.annotation) if part not in (None, type(None))]

    @property
    def is_anything(self) -> bool:
        """Whether any value fits."""
        return any(part in _ANYTHING for part in self.types)

    @property
    def takes_null(self) -> bool:
        """Whether null is a value that fits."""
        return self.is_anything or any(part in (None, type(None)) for part in alternatives(self.annotation))

    @property
    def is_set(self) -> bool:
        """Whether a set lies there, which has no order and no element twice."""
        return any((get_origin(part) or part) in _SETS for part in self.types)

    @property
    def shown(self) -> str:
        """The place, for messages: `User.address.city`."""
        return f"{self.mapping.name}.{self.name}"

    def value(self, value: object, where: str) -> object:
        """Return *value* as it is stored there.

        Raises:
            ArgumentError: it does not fit the type; the message starts with *where*.
        """
        return self.encode(self.checked(value, where))

    def checked(self, value: object, where: str) -> object:
        """Return *value* as an instance would hold it there; raises as `value` does."""
        if self.field is not None and self.owner is not None:
            return validated(self.owner, self.field, value, where)
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            reasons = "; ".join(detail["msg"] for detail in error.errors())
            raise ArgumentError(f"{where}: {shown(value)} does not fit {self.shown}: {reasons}") from error
        except TypeError as error:  # of ODMantic's own validators: bytes that are no ObjectId
            raise ArgumentError(f"{where}: {shown(value)} does not fit {self.shown}: {error}") from error

    @cached_property
    def _adapter(self) -> TypeAdapter[object]:
        try:
            return TypeAdapter(cast("type[object]", self.annotation))
        except PydanticSchemaGenerationError:  # a class that only the model's arbitrary_types_allowed allows
            return TypeAdapter(cast("type[object]", Any))

    @cached_property
    def element(self) -> Target:
        """What lies in the list that lies there.

        Raises:
            ArgumentError: there is no list.
        """
        found = [element for part in self.types for element in element_types(part)]
        if not found:
            raise ArgumentError(f"{self.shown} is no list")

        def wrap(value: object) -> object:
            return [value]

        def unwrap(stored: object) -> object:
            return cast("list[object]", stored)[0]

        return self._inside(found, wrap, unwrap)

    def element_at(self, sign: str) -> Target:
        """Return the elements of the list that *sign* stands for: `$[]`, `$[name]`, `$` or a position."""
        there = (*self.within, (self.list_path, "array"))
        if sign.isdigit():  # beyond the end of the list, MongoDB would fill it up with null
            there = (*there, (f"{self.list_path}.{sign}", ANY_TYPE))
        return replace(self.element, path=f"{self.path}.{sign}", name=f"{self.name}.{sign}", within=there)

    def entry(self, key: str, values: list[object]) -> Target:
        """Return the value under a key of the dict that lies there."""
        inside = self._inside(values, lambda value: {key: value}, lambda stored: cast("Document", stored)[key])
        there = (*self.within, (self.list_path, "object"))
        return replace(inside, path=f"{self.path}.{key}", name=f"{self.name}.{key}", within=there)

    def _inside(self, types_: list[object], wrap: Encode, unwrap: Encode) -> Target:
        # Stored as a part of its list would be, by whatever stores the list.
        outer = self.owner if self.field is not None else None

        def encode(value: object) -> object:
            return unwrap(self.encode(wrap(value)))

        annotation: object = Union[tuple(types_)] if len(types_) > 1 else types_[0]  # noqa: UP007  # made of parts
        return replace(
            self,
            annotation=annotation,
            owner=outer,
            field=None,
            encode=encode,
            required=True,
        )


def target_of(mapping: Mapping, key: object, where: str) -> Target:
    """Return the place a key of `values()` stands for.

    Arguments:
        mapping: the model.
        key: the name of a field; a path such as `"address.city"` or `"items.$[].qty"`; or a column.
        where: how an error message begins.

    Raises:
        ArgumentTypeError: it is neither.
        ArgumentError: there is no such field; it is the primary key; it leads through a reference, or through a list
            without saying to which elements.
    """
    path = getattr(key, "path_", "")
    if path is None:
        raise ArgumentError(f"{where}: {key!r} is counted from the end of its list, and MongoDB has no path to it")
    if path or isinstance(key, odm.FieldProxy):
        column = cast("Any", key).at_ if path else column_of(key)
        if column.mapping_ is not mapping:
            raise ArgumentError(
                f"{where}: {column!r} is no field of {mapping.name}; a statement concerns one model only"
            )
        return _found(mapping, tuple(column.key_.split(".")), where, by_key=True)
    if not isinstance(key, str):
        raise ArgumentTypeError(f"{where} takes names of fields, or columns, as keys, got {shown(key)}")
    return _found(mapping, tuple(key.split(".")), where, by_key=False)


@lru_cache(maxsize=4096)
def _found(mapping: Mapping, parts: tuple[str, ...], where: str, *, by_key: bool) -> Target:
    first = parts[0]
    if first == "_id" or (first in mapping.fields and mapping.fields[first].key == "_id"):
        raise ArgumentError(f"{where}: {first!r} is the primary key, which a document keeps for life")
    field = mapping.by_key[first] if by_key else mapping.field(first, where)
    target = _of_field(mapping, mapping, field, None)
    for part in parts[1:]:
        target = _step(target, part, where, by_key=by_key)
    return target


def _of_field(mapping: Mapping, owner: Mapping, field: FieldMap, around: Target | None) -> Target:
    return Target(
        mapping=mapping,
        path=field.key if around is None else f"{around.path}.{field.key}",
        name=field.name if around is None else f"{around.name}.{field.name}",
        annotation=owner.model.model_fields[field.name].annotation,
        owner=owner,
        field=field,
        encode=lambda value: encode_field(field, value),
        within=() if around is None else _around(around),
        required=field.required,
        inner=None if field.target is None or field.shape is Shape.REFERENCE else field.target.model,
    )


def _around(around: Target) -> tuple[tuple[str, str], ...]:
    # What lies in an element of a list is looked after by the list.
    if any(part.startswith("$") for part in around.path.split(".")):
        return around.within
    return (*around.within, (around.path, "object"))


def _step(target: Target, part: str, where: str, *, by_key: bool) -> Target:
    if target.field is not None and target.field.shape is Shape.REFERENCE:
        raise ArgumentError(f"{where}: {target.shown} is a reference; update the model it refers to instead")
    at_position = part.isascii() and part.isdigit() and any(element_types(kind) for kind in target.types)
    if at_position and not target.is_anything and not target.is_set:
        return target.element_at(part)
    if part == "$" or (part.startswith("$[") and part.endswith("]")):
        if not any(element_types(kind) for kind in target.types):
            raise ArgumentError(f"{where}: {target.shown} is no list, so {part!r} stands for nothing in it")
        return target.element_at(part)
    if any((get_origin(kind) or kind) in _LISTS for kind in target.types):
        raise ArgumentError(
            f"{where}: {target.shown} is a list; say which elements: {target.name + '.$[].' + part!r} for all, or "
            f"{target.name + '.$[one].' + part!r} with array_filters(one=...)"
        )
    if not part or part.startswith("$") or "\0" in part:
        raise ArgumentError(f"{where}: {shown(part)} cannot be a part of a path")
    entries = [get_args(kind)[1] if get_args(kind) else Any for kind in target.types if _is_dict(kind)]
    if entries or target.is_anything:
        return target.entry(part, cast("list[object]", entries or [Any]))
    model = target.inner or plain_model(target.annotation)
    if model is None:
        raise ArgumentError(f"{where}: there is nothing inside of {target.shown}")
    return _inner(target, model, part, where, by_key=by_key)


def _inner(target: Target, model: type[BaseModel], part: str, where: str, *, by_key: bool) -> Target:
    # Where ODMantic takes the type for a plain value, embedded models are stored by the names of their fields.
    if target.inner is not None and issubclass(model, odm.BaseODMModel):
        owner = class_mapping(model)
        field = owner.by_key.get(part) if by_key else owner.fields.get(part)
        if field is not None:
            return _of_field(target.mapping, owner, field, target)
    elif part in model.model_fields:
        info = model.model_fields[part]
        return Target(
            mapping=target.mapping,
            path=f"{target.path}.{part}",
            name=f"{target.name}.{part}",
            annotation=Annotated[info.annotation, info],
            owner=None,
            field=None,
            encode=encode_value,
            within=_around(target),
            required=info.is_required(),
        )
    raise ArgumentError(
        f"{where}: {model.__name__} has no field {shown(part)}; it has {', '.join(model.model_fields)}"
        f"{did_you_mean(part, model.model_fields)}"
    )


def alternatives(annotation: object) -> list[object]:
    """Return the members of a union, or the annotation alone."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [found for part in get_args(annotation) for found in alternatives(part)]
    return [annotation]


def element_types(kind: object) -> list[object]:
    """Return the type of the elements, if a type is a list of any length."""
    if kind in _ANYTHING:
        return [Any]
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin not in _LISTS:
        return []
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return []  # of a fixed length
    return [arguments[0]] if arguments else [Any]


def _is_dict(kind: object) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, AnyMapping)
