"""Turns a model declared the way of mongotic 0.5 into one that ODMantic understands.

Used by `mongotic.model.MongoBaseModel`, whose metaclass this is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import odmantic
from odmantic import Model, ObjectId
from odmantic.field import ODMFieldInfo
from odmantic.index import Index, ODMBaseIndex
from odmantic.model import ModelMetaclass
from pydantic import BaseModel, Field, PrivateAttr
from pydantic.fields import FieldInfo, ModelPrivateAttr
from typing_extensions import dataclass_transform

from . import odmantic_internals as odm
from .columns import top_level
from .errors import ArgumentError, ArgumentTypeError
from .mapping import class_mapping
from .reference_fields import make_reference, plain_default, special_references
from .shown import shown
from .suggestions import did_you_mean

SPARE_PRIMARY = "document_id"
"""What the primary field is called in a model that uses the name `id` for a field of its own."""

AnyIndex: TypeAlias = odm.IndexModel | Index | ODMBaseIndex

_FIELDS = "__odm_fields__"
_OWN_NAMES = ("_id", "_session", "_expired")

_hidden_bases: ContextVar[tuple[type, ...]] = ContextVar("_hidden_bases", default=())


class Declared:
    """What a class declares: annotations and defaults, inherited ones first.

    ODMantic looks at the class's own body only, so a subclass is given everything its bases declare as if it were its
    own.

    Attributes:
        annotations: those of the fields.
        defaults: those of the fields.
        special: the references that ODMantic does not have.
        private: the annotations of the class's own private attributes, which Pydantic hands on to subclasses.
        hidden: what the annotations of private attributes are while ODMantic makes the class.
        has_own_key: one of the fields is the primary one.
        given_keys: the fields it does not have then, though a base that was given a key has one of them.
    """

    def __init__(self, model: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        self.annotations: dict[str, object] = {}
        self.defaults: dict[str, object] = {}
        for base in reversed(bases):
            inherited = cast("Declared | None", getattr(base, "__declared__", None))
            if inherited is not None:
                self.annotations |= inherited.annotations
                self.defaults |= inherited.defaults
            elif issubclass(base, BaseModel) and base is not Model:
                self._mix_in(base)
        own = odm.resolved_annotations(namespace)
        for name, annotation in own.items():
            if odm.is_field(name, annotation, namespace.get(name)):
                self.annotations[name] = annotation
                self.defaults.pop(name, None)
                if name in namespace:
                    self.defaults[name] = namespace[name]
            else:  # a ClassVar, say: no field any more
                self.annotations.pop(name, None)
                self.defaults.pop(name, None)
        for name in self.annotations.keys() & namespace.keys() - own.keys():
            self.defaults[name] = namespace[name]  # a new default for an inherited field
        self._own = own
        self.special = special_references(model, self.annotations, self.defaults)
        self.private = {
            name: annotation
            for name, annotation in own.items()
            if name.startswith("_") and odm.is_field(name.lstrip("_"), annotation, None)
        }
        self.has_own_key = any(
            isinstance(value, ODMFieldInfo) and value.primary_field for value in self.defaults.values()
        )
        inherited_names = {name for base in bases for parent in base.__mro__ for name in vars(parent).get(_FIELDS, ())}
        given = {"id", SPARE_PRIMARY} & inherited_names - self.annotations.keys()
        self.given_keys = given if self.has_own_key else set[str]()
        unannotated = (name for name, value in namespace.items() if isinstance(value, ModelPrivateAttr))
        self.hidden = dict.fromkeys([*self.private, *unannotated], property)

    def _mix_in(self, base: type[BaseModel]) -> None:
        """Take over the fields of a plain Pydantic model that the class also derives from."""
        if issubclass(base, odm.BaseODMModel):
            raise ArgumentTypeError(
                f"a MongoBaseModel cannot derive from {base.__qualname__}, an ODMantic model with a collection of its "
                "own: put what they share into a MongoBaseModel without __tablename__"
            )
        for name, field in base.model_fields.items():
            self.annotations[name] = field.annotation
            self.defaults[name] = field

    def write_to(self, namespace: dict[str, Any]) -> None:
        """Put everything into the body of a class, in the form ODMantic takes."""
        # ODMantic takes every annotated name for a field, but for a property; Pydantic knows a private attribute by its
        # name alone.
        annotations = {**self.annotations, **self._own, **self.hidden}
        defaults = {name: _for_odmantic(default) for name, default in self.defaults.items()}
        for name, kind in self.special.items():
            defaults[name] = plain_default(kind, cast("Any", defaults[name]))
        if not self.has_own_key:
            name = SPARE_PRIMARY if "id" in self.annotations else "id"
            annotations[name] = ObjectId
            defaults[name] = odmantic.Field(primary_field=True, default_factory=ObjectId)
        else:  # Pydantic would hand on the key that a base was given: a field that is not stored
            annotations |= dict.fromkeys(self.given_keys, ClassVar[object])
        namespace["__annotations__"] = annotations
        namespace.update(defaults)


def _for_odmantic(default: object) -> object:
    """Return a default as ODMantic takes it: it refuses Pydantic's own `Field`."""
    if isinstance(default, FieldInfo):
        return ODMFieldInfo(
            pydantic_field_info=copy.copy(default), primary_field=False, key_name=None, index=False, unique=False
        )
    return copy.copy(default) if isinstance(default, ODMFieldInfo) else default


class IndexList(list[AnyIndex]):
    """The indexes of a model: a list, as in mongotic 0.5; called, what ODMantic asks its models for."""

    def __init__(self, model: type[Model], given: Iterable[AnyIndex]) -> None:
        super().__init__(given)
        self._model = model

    def __call__(self) -> tuple[ODMBaseIndex | odm.IndexModel, ...]:
        """Return the declared indexes and those of the fields (`Field(unique=True)`)."""
        own = [index.to_odm_index() if isinstance(index, Index) else index for index in self]
        return (*odm.field_indexes(self._model), *own)


if TYPE_CHECKING:
    _PydanticMetaclass = type
else:
    _PydanticMetaclass = type(BaseModel)


class _BeforeTwin(_PydanticMetaclass):
    """Comes after ODMantic's metaclass and before Pydantic's: once the class is made, and its twin is not yet.

    ODMantic makes the plain Pydantic twin of the same body. Methods that say `super()` belong to one class alone, so
    the twin, which describes data, goes without them.
    """

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:  # as Pydantic's
        made = cast("Any", super().__new__)(cls, name, bases, namespace, **options)
        if namespace.pop("__classcell__", None) is not None:
            for method in [key for key, value in namespace.items() if _says_super(value)]:
                del namespace[method]
        return made


def _says_super(value: object) -> bool:
    if isinstance(value, FunctionType):
        # The compiler gives such a function a cell for its class; a decorator keeps what it wraps here.
        return "__class__" in value.__code__.co_freevars or _says_super(value.__dict__.get("__wrapped__"))
    if isinstance(value, property):
        return any(map(_says_super, (value.fget, value.fset, value.fdel)))
    if isinstance(value, (classmethod, staticmethod)):
        return _says_super(cast("Any", value).__func__)
    return type(value).__module__.startswith("pydantic.") and _says_super(getattr(value, "wrapped", None))


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, odmantic.Field, PrivateAttr))
class MongoModelMetaclass(ModelMetaclass, _BeforeTwin):
    """Turns a declaration of mongotic 0.5 into one of ODMantic."""

    @property
    def __pydantic_model__(cls) -> type[BaseModel]:
        """ODMantic's plain Pydantic twin of the class.

        ODMantic puts it in the place of a base that has one, for what FastAPI does; a subclass would then be no
        ODMantic model any more. So a base has none while a class is derived from it.
        """
        if any(cls is hidden for hidden in _hidden_bases.get()) or "__pure_model__" not in vars(cls):
            raise AttributeError("__pydantic_model__")
        return cast("type[BaseModel]", vars(cls)["__pure_model__"])

    @__pydantic_model__.setter
    def __pydantic_model__(cls, twin: type[BaseModel]) -> None:
        type.__setattr__(cls, "__pure_model__", twin)

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:  # as Pydantic's
        shown = str(namespace.get("__qualname__", name))
        _expect_free_names(shown, namespace)
        _expect_text(shown, namespace)
        indexes = _indexes(shown, namespace.pop("__indexes__", None))
        declared = Declared(shown, bases, namespace)
        declared.write_to(namespace)
        _take_config(namespace)
        table = namespace.get("__tablename__") or _inherited(bases, "__tablename__")
        if table:
            namespace["model_config"] = {**namespace.get("model_config", {}), "collection": table}
        hidden = _hidden_bases.set(bases)
        try:
            # ODMantic leaves the types of its metaclass open.
            made = cast("type[Model]", cast("Any", ModelMetaclass).__new__(cls, name, bases, namespace, **options))
        finally:
            _hidden_bases.reset(hidden)
        shown_to_odmantic = made.__annotations__.items()
        for field, kind in declared.special.items():
            make_reference(made, field, kind)
        made.__annotations__ = {
            **{field: annotation for field, annotation in shown_to_odmantic if field not in declared.hidden},
            **declared.private,
        }
        if indexes is None:
            inherited = (getattr(base, "__indexes__", None) for base in bases)
            indexes = next((found for found in inherited if isinstance(found, IndexList)), ())
        type.__setattr__(made, "__indexes__", IndexList(made, indexes))
        type.__setattr__(made, "__tablename__", table or "")  # empty: `mapping` reports it when it is needed
        for field in odm.odm_fields(made):
            type.__delattr__(made, field)  # ODMantic's proxy; `__getattr__` gives a column
        made.__class_vars__.difference_update(declared.given_keys)  # a subclass may have a field of that name
        type.__setattr__(made, "__declared__", declared)
        return made

    if not TYPE_CHECKING:  # a checker would take every misspelt field for one

        def __getattr__(cls, name: str) -> Any:  # as Pydantic's
            if cls._has_columns() and name in cast("dict[str, object]", vars(cls)[_FIELDS]):
                if not vars(cls)["__tablename__"]:
                    raise AttributeError(f"{name!r}: the class has no __tablename__; ask a class that has one")
                mapping = class_mapping(cast("type[Model]", cls))
                return top_level(mapping, mapping.fields[name])
            try:
                return cast("Any", ModelMetaclass).__getattr__(cls, name)
            except AttributeError as error:
                if name.startswith("_") or not cls._has_columns():
                    raise
                fields = cast("dict[str, object]", vars(cls)[_FIELDS])
                message = f"{cls.__name__} has no field {name!r}{did_you_mean(name, fields)}"
                raise AttributeError(message, name=name, obj=cls) from error

    def _has_columns(cls) -> bool:  # pyright: ignore[reportSelfClsParameterName]  # a metaclass
        """Tell whether the class is finished, and no class is just being derived from it.

        Pydantic looks for class attributes while it makes a class: its own would be defaults, a base's be shadowed.
        """
        return "__declared__" in vars(cls) and not any(cls is hidden for hidden in _hidden_bases.get())


def describable(schema: object) -> object:
    """Return a copy of a core schema in which every value ODMantic reads from text is described as text.

    ODMantic says what such a value is made of, a decimal say, and not what it is written as; Pydantic then fails to
    describe what it serializes.
    """
    if isinstance(schema, dict):
        node = cast("dict[str, Any]", schema)
        if node.get("type") == "chain" and _is_odmantics(node["steps"][-1]):
            return cast("object", node["steps"][0])
        return {key: value if key in _NO_SCHEMAS else describable(value) for key, value in node.items()}
    return [describable(item) for item in cast("list[object]", schema)] if isinstance(schema, list) else schema


# Where a core schema holds values of the user's and not schemas.
_NO_SCHEMAS = frozenset({"cls", "config", "default", "expected", "metadata", "serialization"})


def _is_odmantics(step: dict[str, Any]) -> bool:
    function = step["function"]["function"] if step["type"] == "function-plain" else None
    return getattr(function, "__module__", "") == "odmantic.bson"


def _indexes(model: str, given: object) -> Sequence[AnyIndex] | None:
    """Return what a class body says of its indexes, None for nothing."""
    if given is None:
        return None
    wrong = f"{given!r}"
    if isinstance(given, (list, tuple)):
        items = cast("Sequence[object]", given)
        strange = [item for item in items if not isinstance(item, (odm.IndexModel, Index, ODMBaseIndex))]
        if not strange:
            return cast("Sequence[AnyIndex]", items)
        wrong = f"{strange[0]!r} in {given!r}"
    raise ArgumentTypeError(
        f"{model}.__indexes__ is a list of pymongo.IndexModel or odmantic.Index, got {wrong}; write __indexes__ = "
        '[IndexModel("email")], say, or IndexModel([("name", 1), ("age", -1)], unique=True) for several keys'
    )


def _expect_free_names(model: str, namespace: dict[str, Any]) -> None:
    """Check that no private attribute has the name of what every `MongoBaseModel` has."""
    for name in _OWN_NAMES:
        if name in namespace.get("__annotations__", {}) or isinstance(namespace.get(name), ModelPrivateAttr):
            raise ArgumentError(
                f"{model}.{name}: on a MongoBaseModel the name {name} has a meaning of its own; call it something else"
            )


def _expect_text(model: str, namespace: dict[str, Any]) -> None:
    """Check that the names of database and collection are text."""
    for name in ("__databasename__", "__tablename__"):
        if not isinstance(namespace.get(name, ""), str):
            raise ArgumentTypeError(f"{model}.{name} = {shown(namespace[name])}: it takes a name, as text")


def _take_config(namespace: dict[str, Any]) -> None:
    """Put what stands in a class called Config, Pydantic's older form, into `model_config`."""
    config: object = namespace.get("Config")
    if isinstance(config, type):
        del namespace["Config"]
        found = {name: getattr(config, name) for name in dir(config) if not name.startswith("__")}
        namespace["model_config"] = {**found, **namespace.get("model_config", {})}


def _inherited(bases: tuple[type, ...], name: str) -> Any:  # of whatever type the user gave
    return next((value for base in bases if (value := getattr(base, name, None))), None)
