"""The only door to ODMantic's inner names.

Called by `mapping`, `hydration`, `bookkeeping` and the ports.  Every underscore name of ODMantic that mongotic relies
on stands in this file and in `PRIVATE_NAMES`; a test fails when one of them goes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast, get_args
from weakref import WeakKeyDictionary, WeakValueDictionary

import odmantic.model
import odmantic.typing
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, EmbeddedModel, Model, SyncEngine
from odmantic.exceptions import KeyNotFoundInDocumentError, ReferencedDocumentNotFoundError
from odmantic.field import FieldProxy, ODMBaseField, ODMEmbedded, ODMEmbeddedGeneric, ODMField, ODMReference
from odmantic.index import ODMBaseIndex
from odmantic.model import _BaseODMModel as BaseODMModel  # pyright: ignore[reportPrivateUsage]  # base of both kinds
from odmantic.query import QueryExpression, SortExpression
from odmantic.reference import ODMReferenceInfo
from pydantic import (
    BaseModel,
    ValidationError,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, SchemaValidator
from pymongo import IndexModel

from . import schema_tree
from .errors import ArgumentTypeError

if TYPE_CHECKING:
    from .driver_calls import Collection

__all__ = [
    "PRIVATE_NAMES",
    "SHARED",
    "BaseODMModel",
    "FieldProxy",
    "IndexModel",
    "ODMBaseField",
    "ODMEmbedded",
    "ODMEmbeddedGeneric",
    "ODMField",
    "ODMReference",
    "ODMReferenceInfo",
    "QueryExpression",
    "SortExpression",
    "assigned_fields",
    "bson_serializers",
    "build_validator",
    "client",
    "collection",
    "collection_name",
    "core_schema",
    "database",
    "default_key",
    "dump_doc",
    "embedded_classes",
    "field_indexes",
    "field_schema",
    "has_model_serializer",
    "has_own_construction",
    "has_own_init",
    "has_own_parsing",
    "has_own_serializers",
    "has_own_validation",
    "has_own_writing",
    "hashable_client",
    "holds_models",
    "in_place_of_odmantics",
    "is_excluded",
    "is_field",
    "is_model_class",
    "is_odmantic",
    "is_pydantics",
    "keeps_extra",
    "key_missing",
    "keys_of",
    "makes_values_up",
    "mark_all",
    "mark_assigned",
    "marked",
    "missing_value",
    "mutable_fields",
    "name_of",
    "nothing_assigned",
    "odm_fields",
    "on_database",
    "overridden",
    "owner_of",
    "parse_document",
    "primary_field",
    "proxy_path",
    "put_assigned",
    "refused",
    "resolved_annotations",
    "serialized_fields",
    "target_missing",
    "value_validator",
]

F = TypeVar("F")
BaseT = TypeVar("BaseT", bound=BaseODMModel)
EngineT = TypeVar("EngineT", bound=SyncEngine | AIOEngine)

PRIVATE_NAMES: dict[str, tuple[str, ...]] = {
    "odmantic.model._BaseODMModel": ("1.0.2", "1.1.0"),
    "odmantic.Model.__pydantic_model__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__odm_fields__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__primary_field__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__collection__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__bson_serializers__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__indexes__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__mutable_fields__": ("1.0.2", "1.1.0"),
    "odmantic.Model.__fields_modified__": ("1.0.2", "1.1.0"),
    "odmantic.reference.ODMReferenceInfo": ("1.0.2", "1.1.0"),
    "odmantic.field.FieldProxy.parent": ("1.0.2", "1.1.0"),
    "odmantic.field.FieldProxy.field": ("1.0.2", "1.1.0"),
}
"""Inner name -> oldest and newest ODMantic in which it is known to exist."""


def is_model_class(candidate: object) -> TypeGuard[type[Model]]:
    """Tell whether *candidate* is a concrete ODMantic model class."""
    return isinstance(candidate, type) and issubclass(candidate, Model) and candidate is not Model


def odm_fields(model: type[BaseODMModel]) -> Mapping[str, ODMBaseField]:
    """Return ODMantic's description of each field, by field name."""
    return model.__odm_fields__


def primary_field(model: type[Model]) -> str:
    """Return the name of the field stored under `_id`."""
    return model.__primary_field__


def collection_name(model: type[Model]) -> str:
    """Return the name of the collection of *model*."""
    return model.__collection__


def core_schema(model: type[BaseODMModel]) -> schema_tree.Schema:
    """Return the pydantic-core schema of *model*."""
    return cast("schema_tree.Schema", model.__pydantic_core_schema__)


def build_validator(schema: CoreSchema) -> SchemaValidator:
    """Return a validator that follows *schema* to the letter.

    pydantic-core would otherwise put the validator of a class in the place of a schema that names the class.
    """
    try:
        return cast("SchemaValidator", cast("Any", SchemaValidator)(schema, _use_prebuilt=False))
    except TypeError:  # versions before that habit do not know the argument
        return SchemaValidator(schema)


def value_validator(
    schema: schema_tree.Schema, config: schema_tree.Schema, definitions: list[schema_tree.Schema]
) -> Callable[[object], object]:
    """Return a function that validates single values by a part of a class's schema; the path of each of its errors
    begins with an empty name.

    Arguments:
        schema: the part.
        config: the configuration of the class.
        definitions: what the schema refers to.
    """
    # Nothing but a dict takes the class's configuration; it also is the empty `info.data` that validators may ask for.
    whole: schema_tree.Schema = {
        "type": "typed-dict",
        "fields": {"": {"type": "typed-dict-field", "schema": schema}},
        "config": config,
    }
    if definitions:
        whole = {"type": "definitions", "schema": whole, "definitions": definitions}
    validate = build_validator(cast("CoreSchema", whole)).validate_python

    def validated(value: object) -> object:
        return cast("dict[str, object]", validate({"": value}))[""]

    return validated


def field_schema(model: type[BaseModel], name: str) -> schema_tree.FieldSchema:
    """Return what the pydantic-core schema of a class says of one field."""
    return schema_tree.field_schema(cast("schema_tree.Schema", model.__pydantic_core_schema__), name)


def default_key(model: type[Model]) -> object:
    """Return a new primary key, as ODMantic gives one to an instance made without."""
    return cast("object", model.model_fields[model.__primary_field__].get_default(call_default_factory=True))


def bson_serializers(model: type[BaseODMModel]) -> Mapping[str, Callable[[object], object]]:
    """Return the functions that turn a field's value into BSON, for the fields that need one."""
    # ODMantic types them with Any on both sides.
    return cast("Mapping[str, Callable[[object], object]]", model.__bson_serializers__)


def missing_value(field: ODMBaseField) -> Callable[[], object]:
    """Return a function giving what ODMantic puts in where a document lacks the key; `PydanticUndefined` for
    nothing."""
    if isinstance(field, ODMField):
        # ODMantic's method has no return annotation of its own.
        return cast("Callable[[], object]", field.get_default_importing_value)
    return lambda: None


def has_own_serializers(model: type[BaseODMModel]) -> bool:
    """Tell whether documents of *model* hold other values than its fields, at any depth."""
    return has_own_writing(model) or bool(serialized_fields(model))


@lru_cache(maxsize=4096)
def serialized_fields(model: type[BaseODMModel]) -> frozenset[str]:
    """Return the fields of which documents of *model* hold what `model_dump` gives.

    What plain models in them say of their own dump has no part in it: they are stored as their fields.
    """
    if has_model_serializer(model):
        return frozenset(model.model_fields)
    return frozenset(
        name
        for name in model.model_fields
        if any(map(_is_serialized, field_schema(model, name).parts(within=_says_how_it_is_stored)))
    )


def has_model_serializer(model: type[BaseODMModel]) -> bool:
    """Tell whether the class itself says what its dump is."""
    return bool(model.__pydantic_decorators__.model_serializers)


def is_excluded(model: type[BaseODMModel], name: str) -> bool:
    """Tell whether `model_dump` leaves a field out."""
    return bool(model.model_fields[name].exclude)


def _says_how_it_is_stored(schema: schema_tree.Schema) -> bool:
    return schema.get("type") not in ("model", "dataclass", "typed-dict") or is_odmantic(schema.get("cls"))


def _is_serialized(schema: schema_tree.Schema) -> bool:
    serialization = schema.get("serialization")
    if not _serializes(serialization):
        return False
    # A field's own serializer replaces that of the class it holds.
    own: object = getattr(schema.get("cls"), "__pydantic_core_schema__", None)
    return _says_how_it_is_stored(schema) or serialization not in [
        part.get("serialization") for part in schema_tree.parts(own) if part.get("cls") is schema.get("cls")
    ]


def has_own_writing(model: type[BaseODMModel]) -> bool:
    """Tell whether *model* replaces ODMantic's writing of documents, for which ODMantic asks the outermost class
    alone."""
    return issubclass(model, Model) and not _is_known(model.model_dump_doc, BaseODMModel.model_dump_doc)


def _serializes(serialization: object) -> bool:
    """Tell whether a serialization has a part in `model_dump`; ODMantic's own types have theirs for JSON only."""
    if not isinstance(serialization, dict):
        return False
    how = cast("dict[str, str]", serialization)
    return how["type"] != "any" and "json" not in how.get("when_used", "")


def has_own_construction(model: type[BaseODMModel]) -> bool:
    """Tell whether more than the types of its fields decides how an instance of *model* is made."""
    decorators = model.__pydantic_decorators__
    schema = core_schema(model)
    return bool(
        decorators.model_validators
        or decorators.root_validators
        or model.__init__ is not BaseODMModel.__init__
        or has_own_parsing(model)
        or schema.get("type") != "model"
        or cast("dict[str, object]", schema["schema"]).get("type") != "model-fields"
        or "definition-ref" in _types_in(schema)
    )


def has_own_parsing(model: type[BaseODMModel]) -> bool:
    """Tell whether *model* replaces ODMantic's reading of documents."""
    known = cast("Any", BaseODMModel).model_validate_doc.__func__
    return not _is_known(cast("Any", model).model_validate_doc.__func__, known)


def in_place_of_odmantics(method: F) -> F:
    """Mark a method of mongotic's that does what ODMantic's does, so that it does not count as a user's own."""
    _ours.add(cast("object", method))
    return method


_ours: set[object] = set()


def _is_known(method: object, odmantics: object) -> bool:
    return method is odmantics or method in _ours


def parse_document(model: type[Model], document: dict[str, object]) -> Model:
    """Let ODMantic, or what the class has in its place, read *document*.

    Raises:
        DocumentParsingError: it does not fit *model*.
    """
    return cast("Model", cast("Any", model).model_validate_doc(document))


def holds_models(model: type[BaseODMModel], name: str) -> bool:
    """Tell whether values of a field may have ODMantic's models in them, other than inside of plain ones."""
    parts = field_schema(model, name).parts(within=_says_how_it_is_stored)
    return any(part.get("type") == "model" and is_odmantic(part["cls"]) for part in parts)


def is_odmantic(kind: object) -> bool:
    """Tell whether a class is one of ODMantic's models, embedded ones included."""
    return isinstance(kind, type) and issubclass(kind, BaseODMModel)


def keys_of(model: object) -> dict[str, str]:
    """Return the key of each field of a model of ODMantic's."""
    return {name: field.key_name for name, field in odm_fields(cast("type[BaseODMModel]", model)).items()}


def _types_in(node: object) -> set[object]:
    """Return the types of all schemas in a core schema."""
    return {part.get("type") for part in schema_tree.parts(node)}


def has_own_init(model: type[BaseODMModel]) -> bool:
    """Tell whether *model* replaces ODMantic's `__init__`, so that instances must be made by calling the class."""
    return model.__init__ is not BaseODMModel.__init__


def refused(model: type[Model], values: Mapping[str, object], refusal: Exception) -> ValidationError:
    """Return a validation error for what a class's own `__init__` refused."""
    details = InitErrorDetails(type=PydanticCustomError("own_init", "{reason}", {"reason": str(refusal)}), input=values)
    return ValidationError.from_exception_data(cast("type", model).__name__, [details])


def key_missing(model: type[Model], name: str, key: str, document: Mapping[str, object]) -> ValidationError:
    """Return ODMantic's error for a document that lacks *key*."""
    details = InitErrorDetails(type=KeyNotFoundInDocumentError(key), loc=(name,), input=document)
    return ValidationError.from_exception_data(cast("type", model).__name__, [details])


def target_missing(model: type[Model], name: str, key: str, document: Mapping[str, object]) -> ValidationError:
    """Return ODMantic's error for a document that refers, under *key*, to one that does not exist."""
    details = InitErrorDetails(type=ReferencedDocumentNotFoundError(key), loc=(name,), input=document)
    return ValidationError.from_exception_data(cast("type", model).__name__, [details])


def has_own_validation(model: type[BaseODMModel]) -> bool:
    """Tell whether code of the user's, or a default factory, has a part in making an instance of a document.

    Such code may give something else each time: a time stamp, say.
    """
    decorators = model.__pydantic_decorators__
    return bool(
        decorators.field_validators
        or decorators.model_validators
        or decorators.validators
        or decorators.root_validators
        or model.__init__ is not BaseODMModel.__init__
        or model.model_post_init is not BaseModel.model_post_init
        or cast("dict[str, object]", model.model_config).get("parse_doc_with_default_factories")
    )


def makes_values_up(model: type[BaseODMModel], name: str) -> bool:
    """Tell whether functions of the user's have a part in reading the value of a field, at any depth."""
    parts = field_schema(model, name).of_values().parts()
    return any("default_factory" in part or _is_users(part.get("function")) for part in parts)


def _is_users(function: object) -> bool:
    """Tell whether the function of a validator is not one of ODMantic's or Pydantic's own."""
    return isinstance(function, dict) and not is_pydantics(cast("dict[str, object]", function).get("function"))


def is_pydantics(function: object) -> bool:
    """Tell whether a function is one of ODMantic's or Pydantic's own."""
    home = str(getattr(function, "__module__", ""))
    return home.partition(".")[0] in ("odmantic", "pydantic", "pydantic_core")


def dump_doc(instance: BaseODMModel) -> dict[str, object]:
    """Return ODMantic's own document of *instance*."""
    return cast("dict[str, object]", instance.model_dump_doc())


def assigned_fields(instance: Model) -> set[str] | None:
    """Return the names ODMantic believes unsaved, or None for an instance that it did not build itself.

    The primary field is among them exactly until ODMantic has saved or loaded the instance, because it can never be
    assigned again.  `model_construct`, `copy.copy` and `pickle` leave the slot empty.
    """
    names: Any = getattr(instance, "__fields_modified__", None)
    return cast("set[str] | None", names)


def mark_assigned(instance: BaseODMModel, names: set[str]) -> None:
    """Make ODMantic believe that exactly *names* are unsaved."""
    # A slot of ODMantic's; its own __setattr__ would run the validators.
    put_assigned(instance, names)


# ODMantic tells type checkers that it is a class variable.
put_assigned = cast("Callable[[BaseODMModel, set[str]], None]", vars(BaseODMModel)["__fields_modified__"].__set__)
"""What `mark_assigned` does, without the call in between."""


def nothing_assigned(instance: Model) -> None:
    """Make ODMantic believe that all of *instance*, which it has built itself, is saved."""
    cast("Any", instance).__fields_modified__.clear()  # nobody else has this set


def marked(instance: BaseODMModel) -> BaseODMModel:
    """Give an embedded instance the slot ODMantic's `__setattr__` writes to.

    ODMantic reads it of top-level instances alone, so all embedded ones can share one.
    """
    put_assigned(instance, SHARED)
    return instance


def mark_all(instances: Iterable[BaseODMModel]) -> None:
    """Give several embedded instances that slot."""
    for instance in instances:
        put_assigned(instance, SHARED)


SHARED: set[str] = set()
"""What all embedded instances have in their slot."""


def mutable_fields(model: type[Model]) -> frozenset[str]:
    """Return the fields ODMantic writes on every save, because it does not notice changes in them."""
    return model.__mutable_fields__


def client(engine: SyncEngine | AIOEngine) -> object:
    """Return the client of *engine*; ODMantic leaves its type open."""
    return cast("Any", engine).client


def collection(engine: SyncEngine | AIOEngine, model: type[Model]) -> Collection:
    """Return the collection *engine* keeps the documents of *model* in; a subclass may have its own answer.

    ODMantic's own answer is kept as long as the engine: drivers take long to make a collection, and sessions are short.
    """
    own = cast("Any", engine)
    if "get_collection" in vars(engine) or cast("Any", type(engine)).get_collection not in _ODMANTICS | _ours:
        return cast("Collection", own.get_collection(model))
    known = _collections.setdefault(engine, {})
    found = known.get(model.__collection__)
    if found is None or found.database is not own.database:
        found = known[model.__collection__] = cast("Collection", own.get_collection(model))
    return found


_ODMANTICS: set[object] = {cast("Any", SyncEngine).get_collection, cast("Any", AIOEngine).get_collection}
_collections: WeakKeyDictionary[SyncEngine | AIOEngine, dict[str, Collection]] = WeakKeyDictionary()


def keeps_extra(model: type[BaseODMModel]) -> bool:
    """Tell whether keys that are no fields are kept on the instance."""
    return cast("dict[str, object]", model.model_config).get("extra") == "allow"


def on_database(engine: EngineT, name: str) -> EngineT:
    """Return *engine*, or a twin of it on another database of its client that keeps the engine's class and
    attributes."""
    if engine.database_name == name:
        return engine
    twin = copy.copy(engine)
    twin.database_name = name
    # Motor's and PyMongo's clients are indexed alike; ODMantic's own type for the union is not.
    twin.database = cast("Any", client(engine))[name]
    return twin


def owner_of(field: ODMBaseField) -> type[Model]:
    """Return the model class a field description belongs to; ODMantic's proxies do not say.

    Raises:
        ArgumentTypeError: it is a field of an embedded model alone.
    """
    if id(field) not in _owners:
        for model in _all_models(Model):
            _owners.update((id(own), model) for own in odm_fields(model).values())
    owner = _owners.get(id(field))
    if owner is None:
        raise ownerless(field.key_name)
    return owner


def ownerless(key: str) -> ArgumentTypeError:
    """Return the error for a field of an embedded model where documents are asked."""
    return ArgumentTypeError(
        f"the field stored as {key!r} belongs to no model with a collection of its own; reach an embedded model's "
        "fields through the field that holds it: User.address.city"
    )


def element_owner(field: ODMBaseField) -> type[BaseODMModel]:
    """Return the model class a field description belongs to, an embedded one too.

    Raises:
        ArgumentTypeError: there is none.
    """
    if id(field) not in _owners and id(field) not in _embedded_owners:
        for model in _all_models(cast("type[BaseODMModel]", EmbeddedModel)):
            _embedded_owners.update((id(own), model) for own in odm_fields(model).values())
    found = _embedded_owners.get(id(field))
    return owner_of(field) if found is None else found


# By identity: a field lives as long as its class, and an entry no longer.
_owners: WeakValueDictionary[int, type[Model]] = WeakValueDictionary()
_embedded_owners: WeakValueDictionary[int, type[BaseODMModel]] = WeakValueDictionary()


def _all_models(model: type[BaseT]) -> Iterator[type[BaseT]]:
    for derived in type.__subclasses__(model):
        if "__odm_fields__" in vars(derived):
            yield derived
        yield from _all_models(derived)


def resolved_annotations(namespace: dict[str, Any]) -> dict[str, object]:
    """Return the annotations of a class body, those written as text looked up in its module."""
    resolve = cast("Any", odmantic.typing).resolve_annotations
    return cast("dict[str, object]", resolve(namespace.get("__annotations__", {}), namespace.get("__module__")))


def is_field(name: str, annotation: object, default: object) -> bool:
    """Tell whether ODMantic takes an annotated name of a class body for a field."""
    return not name.startswith("_") and cast("Any", odmantic.model).should_touch_field(default, annotation)


def field_indexes(model: type[Model]) -> tuple[ODMBaseIndex | IndexModel, ...]:
    """Return the indexes that the fields and the configuration of *model* ask for."""
    indexes: tuple[ODMBaseIndex | IndexModel, ...] = cast("Any", Model.__indexes__).__func__(model)
    return indexes


def embedded_classes(field: ODMBaseField) -> list[type[BaseODMModel]]:
    """Return the embedded models that values of a field may be: several for a `Union` or a tuple."""
    found: list[type[BaseODMModel]] = []
    waiting: list[object] = [cast("object", field.pydantic_field.annotation)]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, type) and not get_args(part) and issubclass(part, BaseODMModel):
            found.append(part)
        waiting.extend(get_args(part))
    return found


def proxy_path(proxy: FieldProxy) -> tuple[ODMBaseField, ...]:
    """Return the fields a class attribute such as `User.address.city` passes through, outermost first."""
    path: list[ODMBaseField] = []
    step: FieldProxy | None = proxy
    while step is not None:
        # FieldProxy answers ordinary attribute access with fields and operators of the model.
        path.append(cast("ODMBaseField", object.__getattribute__(step, "field")))
        step = cast("FieldProxy | None", object.__getattribute__(step, "parent"))
    return tuple(reversed(path))


def name_of(model: type[BaseODMModel], proxy: FieldProxy) -> str:
    """Return the name of the field that a class attribute of *model* stands for."""
    field = proxy_path(proxy)[-1]
    return next((name for name, own in odm_fields(model).items() if own is field), "")


_ENGINE_METHODS = ("find", "find_one", "count", "save", "save_all", "delete", "remove")


def overridden(engine: SyncEngine | AIOEngine) -> frozenset[str]:
    """Return the methods that a subclass of ODMantic's engines, or the engine itself, has in place of theirs."""
    base = next(kind for kind in type(engine).__mro__ if kind.__module__.partition(".")[0] in _OWN)
    own = vars(engine)
    return frozenset(
        name for name in _ENGINE_METHODS if name in own or getattr(type(engine), name) is not getattr(base, name)
    )


_OWN = ("odmantic", "mongotic_adapters")


def database(engine: SyncEngine | AIOEngine) -> Any:  # of PyMongo or of Motor
    """Return the database of *engine*."""
    return cast("Any", engine).database


def hashable_client(client: object) -> object:
    """Return what tells a client from others: Motor's is a shell around PyMongo's."""
    return cast("Any", client).delegate if isinstance(client, AsyncIOMotorClient) else client
