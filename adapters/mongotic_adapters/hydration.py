"""From a stored document to a validated instance, as ODMantic's `model_validate_doc` builds it.

Called by `flows.reading` and `bookkeeping`.  The difference to ODMantic: references are given as instances that exist
already, so that one document is one object, and ODMantic's `__init__` is passed by, because it validates everything
twice. A document that does not fit is given to ODMantic itself, whose error the user knows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from odmantic import Model
from odmantic.exceptions import DocumentParsingError
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from . import odmantic_internals as odm
from .document_validator import DocumentValidator, by_name_validator, document_validator, finisher
from .encoding import Document, is_document, placeholder
from .errors import DocumentError, UnsupportedError
from .mapping import FieldMap, Mapping, Shape, class_mapping
from .stored_schema import fields_stored_otherwise
from .unloaded import References, Target, Unloaded, put
from .values_validator import values_validator

logger = logging.getLogger("mongotic.hydration")


class KeyMissing(Exception):  # noqa: N818  # a signal, not an error anybody sees
    """The document lacks the key of *field*."""

    def __init__(self, field: FieldMap) -> None:
        super().__init__(field.key)
        self.field = field


def hydrate(mapping: Mapping, document: Document, references: References) -> Model:
    """Return a new instance of the model of *mapping* made from *document*.

    Arguments:
        mapping: the model's mapping.
        document: as the driver decoded it.
        references: for each reference field, what it refers to.

    Raises:
        DocumentError: the document does not fit the model; it names the document and each field that is wrong.
        UnsupportedError: a reference was not loaded, and the class reads whole documents in its own way.
    """
    if Unloaded not in map(type, references.values()):
        return _hydrated(mapping, document, references)
    kept = {name: target for name, target in references.items() if isinstance(target, Unloaded)}
    if odm.has_own_parsing(mapping.document_model):
        raise UnsupportedError(
            f"{mapping.name} has a model_validate_doc() of its own, which takes whole documents: load "
            f"{mapping.name}.{next(iter(kept))}, by selectinload() or joinedload()"
        )
    # Validators take what is loaded for what is not; it is taken away again before anybody else sees it.
    taken = {name: placeholder(mapping.fields[name], what) for name, what in kept.items()}
    instance = _hydrated(mapping, document, {**references, **taken})
    for name, what in kept.items():
        put(instance, name, what)
    return instance


def parse(model: type[Model], document: Document) -> Model:
    """Return what `MongoBaseModel` makes of a document that ODMantic's engine has read.

    References ODMantic does not have are not among its lookups: they are not loaded, and their keys are kept.

    Raises:
        DocumentError: the document does not fit the model.
    """
    mapping = class_mapping(model)
    values: dict[str, object] = {}
    kept: dict[str, Unloaded] = {}
    for field in mapping.references:
        value = document.get(field.key)
        if field.is_special and value is not None:
            kept[field.name] = Unloaded(value)
            values[field.name] = placeholder(field, kept[field.name])
        elif is_document(value):
            values[field.name] = odm.parse_document(cast("Mapping", field.target).document_model, value)
    try:
        instance = _build(mapping, _values(mapping, document, values))
    except ValidationError as cause:
        raise DocumentError(document.get("_id"), model, cause) from None
    except KeyMissing as cause:
        missing = odm.key_missing(model, cause.field.name, cause.field.key, document)
        raise DocumentError(document.get("_id"), model, missing) from None
    for name, what in kept.items():
        put(instance, name, what)
    return instance


def hydrate_all(
    mapping: Mapping, documents: Sequence[Document], references: Sequence[References]
) -> list[Model] | None:
    """Return new instances of several documents, as `hydrate` would make them one by one.

    Arguments:
        mapping: the model's mapping.
        documents: as the driver decoded them.
        references: what each refers to.

    Returns:
        None where it takes `hydrate` to make them, or to say what is wrong with one.
    """
    validator = _validator(mapping)
    if validator is None:
        return None
    if mapping.references:
        if any(Unloaded in map(type, found.values()) for found in references):
            return None  # `hydrate` knows how
        keys = [(field.key, field.name) for field in mapping.references]
        documents = [
            {**document, **{key: found[name] for key, name in keys}}
            for document, found in zip(documents, references, strict=True)
        ]
    try:
        return validator.several(documents)
    except (ValidationError, TypeError):
        return None


def _hydrated(mapping: Mapping, document: Document, references: AnyMapping[str, object]) -> Model:
    validator = _validator(mapping)
    if validator is not None and len(references) == len(mapping.references):
        targets = {field.key: references[field.name] for field in mapping.references}
        try:
            return validator.one({**document, **targets} if targets else document)
        except (ValidationError, TypeError):
            pass  # the longer way below finds out what ODMantic says to it
    try:
        if odm.has_own_parsing(mapping.document_model):
            return _parsed(mapping, document, references)
        return _build(mapping, _values(mapping, document, references))
    except TypeError as refusal:  # of ODMantic's own validators: bytes that are no ObjectId
        invalid = odm.refused(mapping.document_model, document, refusal)
        raise _explained(mapping, document, references, invalid) from refusal
    except (KeyMissing, ValidationError, DocumentParsingError) as cause:
        raise _explained(mapping, document, references, cause) from None


@lru_cache(maxsize=4096)
def _validator(mapping: Mapping) -> DocumentValidator | None:
    return document_validator(mapping)


def _parsed(mapping: Mapping, document: Document, references: AnyMapping[str, object]) -> Model:
    """Return what the class's own `model_validate_doc` makes of a document, with the instances that exist already."""
    keys = {name: field.key for name, field in mapping.fields.items()}
    document = _with_instances(mapping, document, keys)
    instance = odm.parse_document(mapping.document_model, _with_targets(mapping, document, references))
    for name, target in references.items():
        put(instance, name, cast("Target", target))
    odm.mark_assigned(instance, set())
    return instance


def _build(mapping: Mapping, values: Document) -> Model:
    model = mapping.document_model
    if odm.has_own_init(model):
        try:
            instance = model(**values)
        except ValidationError:
            raise
        except (ValueError, TypeError, AssertionError) as refusal:
            raise odm.refused(model, values, refusal) from refusal
    else:
        instance = model.__new__(model)
        by_name_validator(model).validate_python(values, self_instance=instance)
    finisher(mapping)(instance)
    odm.mark_assigned(instance, set())
    return instance


def _with_instances(mapping: Mapping, document: Document, keys: dict[str, str]) -> Document:
    """Return a document with instances of plain models in it, for a class with code of its own for reading: the class
    itself would look for their fields by alias, and know none of the values that stand for others.

    Arguments:
        mapping: the class.
        document: a document of it.
        keys: where each field's value lies.
    """
    made = {
        keys[name]: values_validator(mapping.model, name)([document[keys[name]]])[0]
        for name in fields_stored_otherwise(mapping.model)
        if keys[name] in document
    }
    return {**document, **made}


def _values(mapping: Mapping, document: Document, references: AnyMapping[str, object]) -> Document:
    """Return what the model's validator expects: field names for keys, defaults for what is missing."""
    values: Document = {}
    for name, field in mapping.fields.items():
        if field.shape is Shape.REFERENCE:
            if name not in references:
                if field.required:
                    raise KeyMissing(field)
                continue
            values[name] = references[name]
            continue
        value = document.get(field.key, PydanticUndefined)
        if value is PydanticUndefined:
            values[name] = _missing(field)
        elif field.target is None:
            values[name] = value
        else:
            values[name] = renamed(field, field.target, value)
    if mapping.keeps_extra:
        values.update((key, value) for key, value in document.items() if key not in mapping.by_key)
    if odm.has_own_init(mapping.model):
        return _with_instances(mapping, values, {name: name for name in mapping.fields})
    return values


def _missing(field: FieldMap) -> object:
    value = PydanticUndefined if field.required else field.default()
    if value is PydanticUndefined:
        raise KeyMissing(field)
    return value


def renamed(field: FieldMap, target: Mapping, value: object) -> object:
    """Return embedded documents with field names for keys; what else lies there is left for the validator to refuse.

    Raises:
        KeyMissing: a key that ODMantic requires is missing.
    """
    if isinstance(value, list):
        return [renamed(field, target, item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    document = cast("Document", value)
    if field.container is dict:
        return {key: _part(field, target, item) if is_document(item) else item for key, item in document.items()}
    return _part(field, target, document)


def _part(field: FieldMap, target: Mapping, document: Document) -> object:
    """Return what the validator of an embedded model expects; where there are several models, an instance of the one
    that fits and has most of the document's keys."""
    mappings = _choices(field)
    fitting = [] if len(mappings) < 2 else list(filter(None, (_fitted(mapping, document) for mapping in mappings)))
    if not fitting:
        return _values(target, document, {})
    return max(fitting, key=lambda fitted: fitted[0])[1]


@lru_cache(maxsize=4096)
def _choices(field: FieldMap) -> list[Mapping]:
    return [class_mapping(model) for model in odm.embedded_classes(field.source)]


def _fitted(mapping: Mapping, document: Document) -> tuple[int, object] | None:
    try:
        instance = _build(mapping, _values(mapping, document, {}))
    except (KeyMissing, ValidationError):
        return None
    return len(mapping.by_key.keys() & document.keys()), instance


def _explained(
    mapping: Mapping,
    document: Document,
    references: AnyMapping[str, object],
    cause: KeyMissing | ValidationError | DocumentParsingError,
) -> DocumentError:
    """Return the error ODMantic would raise for *document*, with the document's key added."""
    model, key = mapping.document_model, document.get("_id")
    if isinstance(cause, DocumentParsingError):
        return DocumentError(key, model, cause.inner)
    if isinstance(cause, ValidationError) and any(field.is_special for field in mapping.references):
        return DocumentError(key, model, cause)  # ODMantic has no such references
    if isinstance(cause, ValidationError) and fields_stored_otherwise(model):
        return DocumentError(key, model, cause)  # ODMantic would find fault with what is stored as it should be
    try:
        odm.parse_document(model, _with_targets(mapping, document, references))
    except DocumentParsingError as error:
        return DocumentError(key, model, error.inner)
    except Exception as error:  # noqa: BLE001  # ODMantic stumbles over some wrong shapes, a list for a dict say
        logger.debug("ODMantic cannot explain why %r does not fit %s: %r", key, mapping.name, error)
    # What ODMantic cannot read at all, an Optional embedded model say, is refused in our own words.
    if isinstance(cause, ValidationError):
        return DocumentError(key, model, cause)
    return DocumentError(key, model, odm.key_missing(model, cause.field.name, cause.field.key, document))


def _with_targets(mapping: Mapping, document: Document, references: AnyMapping[str, object]) -> Document:
    """Return the document as ODMantic's `$lookup` gives it: with whole documents where keys lie, if they were found."""
    whole = {key: value for key, value in document.items() if key not in {field.key for field in mapping.references}}
    for field in mapping.references:
        target = references.get(field.name)
        if field.is_special and field.key in document:
            whole[field.key] = document[field.key]  # ODMantic knows no such references, and has their keys alone
        elif isinstance(target, Model):
            whole[field.key] = odm.dump_doc(target)
    return whole
