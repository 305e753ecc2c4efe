"""Statements that write at once, beside the unit of work: `insert()`, `update()`, `delete()`."""

from __future__ import annotations

from collections.abc import Sequence

from odmantic import Model

from .. import odmantic_internals as odm
from .. import snapshot
from ..bookkeeping import Bookkeeping
from ..commands import Batch, Insert, Read, WriteReport
from ..driver_errors import flush_error, integrity_error
from ..encoding import Document, encode_field, encode_instance
from ..errors import ArgumentError
from ..mapping import Mapping
from ..port import Port, WriteFailed


class NewDocument:
    """One document of an `insert()` statement.

    Attributes:
        instance: its values.
        fresh_key: its key was made up, so each execution makes up another.
    """

    __slots__ = ("fresh_key", "instance")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(self, instance: Model, *, fresh_key: bool = False) -> None:
        self.instance = instance
        self.fresh_key = fresh_key


async def insert(port: Port, mapping: Mapping, documents: Sequence[NewDocument]) -> list[object]:
    """Store new documents in one `insert` command, and return their keys.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        IntegrityError: a unique key exists already; `written` has the instances before it.
        FlushOperationalError: the driver or the server failed.
    """
    if not documents:
        return []
    codec = port.codec(mapping)
    encoded = [_encode(mapping, document) for document in documents]
    names = [f"{mapping.name} {document['_id']!r}" for document in encoded]
    inserts = [
        Insert(snapshot.encode_document(document, codec, name)) for document, name in zip(encoded, names, strict=True)
    ]
    try:
        await port.write(Batch(mapping, list(inserts)))
    except WriteFailed as failure:
        instances = [document.instance for document in documents]
        written, pending = instances[: failure.completed], instances[failure.completed :]
        if failure.duplicate:
            name = names[failure.completed]
            raise integrity_error(failure, pending[0], name, written, pending) from failure.error
        raise flush_error(failure, written, pending) from failure.error
    return [document["_id"] for document in encoded]


def _encode(mapping: Mapping, document: NewDocument) -> Document:
    encoded = encode_instance(mapping, document.instance)
    if document.fresh_key:
        primary = mapping.fields[mapping.primary]
        encoded["_id"] = encode_field(primary, odm.default_key(mapping.document_model))
    return encoded


async def update(port: Port, books: Bookkeeping, command: Read, assigned: Document) -> WriteReport:
    """Change every document that fits, in one `update` command; held instances of the model are expired.

    Raises:
        ArgumentError: there is nothing to set.
    """
    if not assigned:
        raise ArgumentError(f"update({command.mapping.name}) has nothing to set; say what with values()")
    try:
        return await port.update_many(command.mapping, command.filter, {"$set": assigned})
    finally:
        books.expire_model(command.mapping)


async def delete(port: Port, books: Bookkeeping, command: Read) -> WriteReport:
    """Remove every document that fits, in one `delete` command; held instances of the model are expired."""
    try:
        return await port.delete_many(command.mapping, command.filter)
    finally:
        books.expire_model(command.mapping)
