"""What is known of a model class: which field is stored under which key, and how.

Built once per class from ODMantic's description and asked by encoding, hydration and the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import cast

from odmantic import Model

from . import odmantic_internals as odm
from .errors import ArgumentError, ArgumentTypeError
from .reference_fields import ManyReference, OptionalReference
from .shown import shown
from .suggestions import did_you_mean


class Shape(Enum):
    """How a field lies in a document."""

    PLAIN = "value"
    EMBEDDED = "embedded document"
    EMBEDDED_MANY = "list or dict of embedded documents"
    REFERENCE = "key of a document in another collection, or list of such keys"


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One field of a model.

    Attributes:
        name: the field's name in Python.
        key: the key in the document; `_id` for the primary field.
        shape: how it is stored.
        target: the mapping of the embedded or referenced model, None for plain values.
        container: `list`, `dict`, … for `EMBEDDED_MANY`; `list` for references to several documents.
        serializer: ODMantic's BSON serializer of the field, None for most.
        required: ODMantic refuses a document without the key.
        default: gives what ODMantic puts in for a missing key; `PydanticUndefined` for nothing.
        source: ODMantic's own description, the identity of the field.
        owner: the class that has the field.
    """

    name: str
    key: str
    shape: Shape
    target: Mapping | None
    container: object
    serializer: Callable[[object], object] | None
    required: bool
    default: Callable[[], object]
    source: odm.ODMBaseField
    owner: type[odm.BaseODMModel]

    @property
    def is_special(self) -> bool:
        """Tell whether it is a reference that ODMantic does not have."""
        return isinstance(self.source, (OptionalReference, ManyReference))


@dataclass(frozen=True, eq=False, slots=True)
class Mapping:
    """One model class.

    Attributes:
        model: the class; an embedded model's where the mapping is a field's target.
        collection: the collection's name, empty for embedded models.
        primary: the primary field's name, empty for embedded models.
        fields: every field by name.
        by_key: every field by the key it is stored under.
        references: the fields that hold the key of another document.
        keeps_extra: documents' unknown keys are kept on the instance (`extra="allow"`).
        repeatable: reading a document twice gives equal instances.
        own_serializers: the class changes its values on `model_dump`, so ODMantic's `model_dump_doc` must be asked.
        version: the field named by `__version_field__`, which counts the writes of a document.
        shard_key: the fields named by `__shard_key__`, which every command about one document asks for.
    """

    model: type[odm.BaseODMModel]
    collection: str
    primary: str
    fields: dict[str, FieldMap]
    by_key: dict[str, FieldMap]
    references: tuple[FieldMap, ...]
    keeps_extra: bool
    repeatable: bool
    own_serializers: bool
    version: FieldMap | None = None
    shard_key: tuple[FieldMap, ...] = ()

    def __deepcopy__(self, memo: object) -> Mapping:
        return self  # there is one per class, told apart by identity

    @property
    def name(self) -> str:
        """The class's name, for messages."""
        return self.model.__name__

    @property
    def document_model(self) -> type[Model]:
        """The class as a model with a collection of its own."""
        return cast("type[Model]", self.model)

    def key_of(self, instance: Model) -> object:
        """Return the primary key of *instance*."""
        return cast("object", getattr(instance, self.primary))

    def field(self, name: str, where: str) -> FieldMap:
        """Return the field called *name*.

        Raises:
            ArgumentError: there is none; the message starts with *where*.
        """
        field = self.fields.get(name)
        if field is None:
            raise ArgumentError(
                f"{where}: {self.name} has no field {shown(name)}; it has {', '.join(self.fields)}"
                f"{did_you_mean(name, self.fields)}"
            )
        return field


def mapping_of(model: object) -> Mapping:
    """Return the mapping of a model class.

    Raises:
        ArgumentTypeError: *model* is not a class derived from `odmantic.Model`.
    """
    if not odm.is_model_class(model):
        raise ArgumentTypeError(f"expected a class derived from odmantic.Model, got {shown(model)}")
    return class_mapping(model)


# Classes live as long as the program in all but test suites that define thousands; the cache is bounded for those.
@lru_cache(maxsize=4096)
def class_mapping(model: type[odm.BaseODMModel]) -> Mapping:
    """Return the mapping of a model class or an embedded model class."""
    if getattr(model, "__tablename__", "given") == "":
        raise ArgumentError(f"{model.__name__} has no __tablename__: say which collection its documents are in")
    serializers = odm.bson_serializers(model)
    fields = {
        name: _field_map(model, name, field, serializers.get(name)) for name, field in odm.odm_fields(model).items()
    }
    primary = odm.primary_field(model) if odm.is_model_class(model) else ""
    shard_key = _shard_key(model, fields)
    return Mapping(
        model=model,
        collection=odm.collection_name(model) if odm.is_model_class(model) else "",
        primary=primary,
        fields=fields,
        by_key={field.key: field for field in fields.values()},
        references=tuple(field for field in fields.values() if field.shape is Shape.REFERENCE),
        keeps_extra=odm.keeps_extra(model),
        repeatable=not odm.has_own_validation(model)
        and not any(
            odm.makes_values_up(model, field.name) if field.target is None else not field.target.repeatable
            for field in fields.values()
        ),
        own_serializers=odm.has_own_serializers(model),
        version=_version_field(model, fields, {primary, *(field.name for field in shard_key)}),
        shard_key=shard_key,
    )


def _version_field(
    model: type[odm.BaseODMModel], fields: dict[str, FieldMap], taken: Collection[str]
) -> FieldMap | None:
    name: object = getattr(model, "__version_field__", None)
    if name is None:
        return None
    field = fields.get(name) if isinstance(name, str) else None
    if field is None or model.model_fields[field.name].annotation is not int:
        raise ArgumentError(
            f"{model.__name__}.__version_field__ = {name!r}: it takes the name of a field of the model that is "
            "declared as int"
        )
    if field.name in taken:
        raise ArgumentError(
            f"{model.__name__}.__version_field__ = {name!r}: every write changes the version, so that it can be "
            "neither the primary key nor a part of the shard key"
        )
    return field


def _shard_key(model: type[odm.BaseODMModel], fields: dict[str, FieldMap]) -> tuple[FieldMap, ...]:
    names: object = getattr(model, "__shard_key__", ())
    if not isinstance(names, (tuple, list)):
        raise ArgumentError(
            f"{model.__name__}.__shard_key__ = {names!r}: it takes a tuple of field names, ({names!r},) for one"
        )
    for name in cast("tuple[object, ...]", names):
        if not isinstance(name, str) or name not in fields:
            raise ArgumentError(
                f"{model.__name__}.__shard_key__: {name!r} is no field of the model; it has {', '.join(fields)}"
            )
    return tuple(fields[name] for name in cast("tuple[str, ...]", names))


def _field_map(
    owner: type[odm.BaseODMModel],
    name: str,
    field: odm.ODMBaseField,
    serializer: Callable[[object], object] | None,
) -> FieldMap:
    shape, target, container = Shape.PLAIN, None, None
    if isinstance(field, odm.ODMReference):
        shape, target = Shape.REFERENCE, class_mapping(field.model)
        container = list if isinstance(field, ManyReference) else None
    elif isinstance(field, odm.ODMEmbedded):
        shape, target = Shape.EMBEDDED, class_mapping(field.model)
    elif isinstance(field, odm.ODMEmbeddedGeneric):
        shape, target, container = Shape.EMBEDDED_MANY, class_mapping(field.model), field.generic_origin
    return FieldMap(
        name=name,
        key=field.key_name,
        shape=shape,
        target=target,
        container=container,
        serializer=serializer,
        required=_is_required(field),
        default=list if isinstance(field, ManyReference) else odm.missing_value(field),
        source=field,
        owner=owner,
    )


def _is_required(field: odm.ODMBaseField) -> bool:
    if isinstance(field, odm.ODMReference):
        return not isinstance(field, (OptionalReference, ManyReference))
    return field.is_required_in_doc()
