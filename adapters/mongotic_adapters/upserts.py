"""What is stored when an update meets no document and is to store one: a whole document, never a part of one.

MongoDB stores what the filter says each field equals, and what the operators make of nothing.  Every other field gets
its default here, by `$setOnInsert`, so that the document is one the model can read.

Called by the flows, once per execution: a key that is made up is another one each time.
"""

from __future__ import annotations

from typing import cast

from pydantic_core import PydanticUndefined

from . import odmantic_internals as odm
from .encoding import Document, encode_field, is_document
from .errors import ArgumentError
from .mapping import FieldMap, Mapping
from .update_changes import Changes
from .update_operators import MISSING


def as_upsert(mapping: Mapping, condition: Document, changes: Changes) -> Document:
    """Return the update document of an upsert.

    Arguments:
        mapping: the model.
        condition: the filter of the statement.
        changes: what it changes.

    Raises:
        ArgumentError: the document would lack a field that has no default, or a path leads into a field; nothing was
            sent.
    """
    where = f"update({mapping.name}).upsert()"
    if changes.is_pipeline:
        raise ArgumentError(f"{where}: a computed value has no document to be computed from; set a plain one")
    equal = _equalities(condition)
    inside = next((path for path in (*changes.by_path, *equal) if "." in path), None)
    if inside is not None:
        raise ArgumentError(f"{where}: {inside!r} lies inside of a field; a new document needs the field as a whole")
    update = cast("dict[str, Document]", changes.operators())
    if "$rename" in update:
        raise ArgumentError(f"{where}: a new document has nothing to be renamed")
    for field in mapping.shard_key:
        if field.key not in equal:
            raise ArgumentError(f"{where}: where() must say what {field.name!r} equals; it is part of the shard key")
    fresh = dict(update.get("$setOnInsert", {}))
    for field in mapping.fields.values():
        change = changes.by_path.get(field.key)
        if change is not None:
            if change.compiled.start is MISSING and field.required:
                raise _lacking(field, where)
        elif field.key not in equal and field is not mapping.version:
            fresh[field.key] = _default(mapping, field, where)
    if fresh:
        update["$setOnInsert"] = fresh
    return cast("Document", update)


def _default(mapping: Mapping, field: FieldMap, where: str) -> object:
    if field.name == mapping.primary:
        info = mapping.model.model_fields[field.name]
        if info.is_required():
            raise _lacking(field, where)
        return encode_field(field, odm.default_key(mapping.document_model))
    value = cast("object", mapping.model.model_fields[field.name].get_default(call_default_factory=True))
    if value is PydanticUndefined:
        raise _lacking(field, where)
    return encode_field(field, value)


def _lacking(field: FieldMap, where: str) -> ArgumentError:
    return ArgumentError(
        f"{where}: a new document would have no {field.name!r}, which has no default; say it in where(), as equal to a "
        f"value, or by values({field.name}=ops.set_on_insert(...))"
    )


def _equalities(condition: Document) -> set[str]:
    """Return the paths that a filter says the values of, as MongoDB takes them over into a new document."""
    found: set[str] = set()
    for key, operand in condition.items():
        if key == "$and":
            for part in cast("list[Document]", operand):
                found |= _equalities(part)
        elif not key.startswith("$") and _is_equality(operand):
            found.add(key)
    return found


def _is_equality(operand: object) -> bool:
    if is_document(operand) and any(key.startswith("$") for key in operand):
        return "$eq" in operand
    return not hasattr(operand, "pattern")  # a regular expression is a condition, too
