"""Statements that write at once, beside the unit of work: `insert()`, `update()`, `delete()`."""

from __future__ import annotations

from collections.abc import Sequence

from odmantic import Model

from .. import odmantic_internals as odm
from .. import snapshot
from ..bookkeeping import Bookkeeping
from ..commands import Insert, Operation, Read, WriteReport
from ..driver_errors import flush_error, integrity_error
from ..encoding import Document, encode_field, encode_instance
from ..errors import ArgumentError
from ..mapping import Mapping, class_mapping
from ..port import Port, WriteFailed
from ..unit_of_work import chunks


class NewDocument:
    """One document of an `insert()` statement, encoded when the statement was written: later changes do not reach it.

    Attributes:
        instance: what it was made of, for errors.
        document: what is stored.
        fresh_key: its key was made up, so each execution makes up another.
    """

    __slots__ = ("document", "fresh_key", "instance")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(self, instance: Model, *, fresh_key: bool = False) -> None:
        self.instance = instance
        self.document = encode_instance(class_mapping(type(instance)), instance)
        self.fresh_key = fresh_key


async def insert(port: Port, mapping: Mapping, documents: Sequence[NewDocument]) -> tuple[list[object], bool]:
    """Store new documents in one `insert` command.

    Returns:
        Their keys, and whether the server acknowledged them.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        IntegrityError: a unique key exists already; `written` has the instances before it.
        FlushOperationalError: the driver or the server failed.
    """
    codec = port.codec(mapping)
    encoded = [_with_key(mapping, document) for document in documents]
    names = [f"{mapping.name} {document['_id']!r}" for document in encoded]
    inserts: list[Operation] = [
        Insert(snapshot.encode_document(document, codec, name)) for document, name in zip(encoded, names, strict=True)
    ]
    instances = [document.instance for document in documents]
    acknowledged, done = True, 0
    for batch in chunks(mapping, inserts):
        try:
            report = await port.write(batch)
        except WriteFailed as failure:
            done += min(failure.completed, len(batch.operations))
            written, pending = instances[:done], instances[done:]
            if failure.duplicate:
                raise integrity_error(failure, pending[0], names[done], written, pending) from failure.error
            raise flush_error(failure, "insert", written, pending) from failure.error
        if report.interruption is not None:
            raise report.interruption
        acknowledged = report.acknowledged
        done += len(batch.operations)
    return [document["_id"] for document in encoded], acknowledged


def _with_key(mapping: Mapping, document: NewDocument) -> Document:
    if not document.fresh_key:
        return document.document
    primary = mapping.fields[mapping.primary]
    return {**document.document, "_id": encode_field(primary, odm.default_key(mapping.document_model))}


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
