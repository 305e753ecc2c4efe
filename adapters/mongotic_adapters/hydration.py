"""From a stored document to a validated instance, as ODMantic's `model_validate_doc` builds it.

Called by `flows.reading` and `bookkeeping`.  The difference to ODMantic: references are given as instances that exist
already, so that one document is one object, and ODMantic's `__init__` is passed by, because it validates everything
twice. A document that does not fit is given to ODMantic itself, whose error the user knows.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import cast

from odmantic import Model
from odmantic.exceptions import DocumentParsingError
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from . import odmantic_internals as odm
from .document_validator import DocumentValidator, document_validator
from .encoding import Document
from .errors import DocumentError
from .instance_state import References
from .mapping import FieldMap, Mapping, Shape

logger = logging.getLogger("mongotic.hydration")


class _KeyMissing(Exception):  # noqa: N818  # a signal inside this file, not an error anybody sees
    """The document lacks the key of *field*."""

    def __init__(self, field: FieldMap) -> None:
        super().__init__(field.key)
        self.field = field


def hydrate(mapping: Mapping, document: Document, references: References) -> Model:
    """Return a new instance of the model of *mapping* made from *document*.

    Arguments:
        mapping: the model's mapping.
        document: as the driver decoded it.
        references: for each reference field, the instance it points to.

    Raises:
        DocumentError: the document does not fit the model; it names the document and each field that is wrong.
    """
    validator = _validator(mapping)
    if validator is not None and len(references) == len(mapping.references):
        targets = {field.key: references[field.name] for field in mapping.references}
        try:
            return validator({**document, **targets} if targets else document)
        except ValidationError:
            pass  # the longer way below finds out what ODMantic says to it
    try:
        return _build(mapping, _values(mapping, document, references))
    except (_KeyMissing, ValidationError) as cause:
        raise _explained(mapping, document, references, cause) from None


@lru_cache(maxsize=4096)
def _validator(mapping: Mapping) -> DocumentValidator | None:
    return document_validator(mapping)


def _build(mapping: Mapping, values: Document) -> Model:
    model = mapping.document_model
    if odm.has_own_init(model):
        instance = model(**values)
    else:
        instance = model.__new__(model)
        model.__pydantic_validator__.validate_python(values, self_instance=instance)
    odm.mark_assigned(instance, set())
    return instance


def _values(mapping: Mapping, document: Document, references: References) -> Document:
    """Return what the model's validator expects: field names for keys, defaults for what is missing."""
    values: Document = {}
    for name, field in mapping.fields.items():
        if field.shape is Shape.REFERENCE:
            if name not in references:
                raise _KeyMissing(field)
            values[name] = references[name]
            continue
        value = document.get(field.key, PydanticUndefined)
        if value is PydanticUndefined:
            values[name] = _missing(field)
        elif field.target is None:
            values[name] = value
        else:
            values[name] = _embedded(field, field.target, value)
    if mapping.keeps_extra:
        values.update((key, value) for key, value in document.items() if key not in mapping.by_key)
    return values


def _missing(field: FieldMap) -> object:
    value = PydanticUndefined if field.required else field.default()
    if value is PydanticUndefined:
        raise _KeyMissing(field)
    return value


def _embedded(field: FieldMap, target: Mapping, value: object) -> object:
    """Rename the keys of embedded documents; whatever else lies there is left for the validator to refuse."""
    if isinstance(value, list):
        return [_embedded(field, target, item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    document = cast("Document", value)
    if field.container is dict:
        return {key: _values(target, cast("Document", item), {}) for key, item in document.items()}
    return _values(target, document, {})


def _explained(
    mapping: Mapping, document: Document, references: References, cause: _KeyMissing | ValidationError
) -> DocumentError:
    """Return the error ODMantic would raise for *document*, with the document's key added."""
    model, key = mapping.document_model, document.get("_id")
    # ODMantic wants the referenced document where the key lies; one that was not found must be missing altogether.
    keys = {field.key for field in mapping.references}
    whole = {key: value for key, value in document.items() if key not in keys}
    whole |= {name: odm.dump_doc(instance) for name, instance in _by_key(mapping, references)}
    try:
        odm.validate_document(model, whole)
    except DocumentParsingError as error:
        return DocumentError(key, model, error.inner)
    except Exception as error:  # noqa: BLE001  # ODMantic stumbles over documents of a wrong shape, a list for a dict say
        logger.debug("ODMantic cannot explain why %r does not fit %s: %r", key, mapping.name, error)
    # What ODMantic cannot read at all, an Optional embedded model say, is refused in our own words.
    if isinstance(cause, ValidationError):
        return DocumentError(key, model, cause)
    return DocumentError(key, model, odm.key_missing(model, cause.field.name, cause.field.key, document))


def _by_key(mapping: Mapping, references: References) -> list[tuple[str, Model]]:
    return [(field.key, references[field.name]) for field in mapping.references if field.name in references]
