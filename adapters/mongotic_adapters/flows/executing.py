"""Statements that write at once, beside the unit of work: `insert()`, `update()`, `delete()`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

from odmantic import Model

from .. import compiler, single_document, snapshot
from .. import odmantic_internals as odm
from ..bookkeeping import Bookkeeping
from ..commands import Insert, Operation, Read, WriteReport
from ..driver_errors import flush_error, integrity_error
from ..encoding import Document, encode_field, encode_instance, encode_key
from ..errors import ArgumentError, FlushError
from ..identity_map import identity_key
from ..mapping import Mapping, class_mapping
from ..options import WriteOptions
from ..port import Port, WriteFailed
from ..unit_of_work import chunks
from .reading import KEYS_AT_ONCE, materialise


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
        mapping = class_mapping(type(instance))
        self.document = encode_instance(mapping, instance)
        if mapping.version is not None and mapping.version.name not in instance.model_fields_set:
            self.document[mapping.version.key] = single_document.FIRST_VERSION
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
            error: FlushError = (
                integrity_error(failure, pending[0], names[done], written, pending)
                if failure.duplicate
                else flush_error(failure, "insert", written, pending)
            )
            if port.in_transaction:
                error.undone(instances)
            raise error from failure.error
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


async def update(
    port: Port, books: Bookkeeping, command: Read, assigned: Document, options: WriteOptions
) -> WriteReport:
    """Change every document that fits, in one `update` command; the version of a model that has one is counted up.

    Raises:
        ArgumentError: there is nothing to set, or the version field or the shard key is among it.
    """
    mapping = command.mapping
    if not assigned:
        raise ArgumentError(f"update({mapping.name}) has nothing to set; say what with values()")
    name = f"update({mapping.name})"
    if mapping.version is not None and mapping.version.key in assigned:
        raise ArgumentError(f"{name}: {mapping.version.name!r} is the version field, which counts")
    for field in mapping.shard_key:
        if field.key in assigned:
            raise ArgumentError(f"{name}: {field.name!r} is part of the shard key, which a document keeps")
    change = single_document.counted_up(mapping, assigned)
    async with _synchronized(port, books, command, options):
        reports = [await port.update_many(mapping, condition, change) for condition in await _conditions(port, command)]
    return _sum(reports)


async def delete(port: Port, books: Bookkeeping, command: Read, options: WriteOptions) -> WriteReport:
    """Remove every document that fits, in one `delete` command."""
    async with _synchronized(port, books, command, options):
        custom = port.overrides(command.mapping)
        if custom is not None and "remove" in custom.names:  # it has its own idea of what is removed
            return await port.delete_many(command.mapping, command.filter)
        reports = [await port.delete_many(command.mapping, condition) for condition in await _conditions(port, command)]
    return _sum(reports)


async def _conditions(port: Port, command: Read) -> list[Document]:
    """Return the conditions of the commands that a statement becomes: its own, or the keys of the documents that the
    engine's own `find` shows, so that a statement reaches nothing a query would not."""
    custom = port.overrides(command.mapping)
    if custom is None or "find" not in custom.names:
        return [command.filter]
    keys = [document["_id"] for document, _ in await port.fetch(command)]
    return [
        compiler.conjunction(command.filter, {"_id": {"$in": keys[start : start + KEYS_AT_ONCE]}})
        for start in range(0, len(keys), KEYS_AT_ONCE)
    ]


def _sum(reports: Sequence[WriteReport]) -> WriteReport:
    if len(reports) == 1:
        return reports[0]
    return WriteReport(
        sum(report.matched or 0 for report in reports),
        sum(report.modified or 0 for report in reports),
        sum(report.deleted or 0 for report in reports),
    )


@asynccontextmanager
async def _synchronized(
    port: Port, books: Bookkeeping, command: Read, options: WriteOptions
) -> AsyncGenerator[None, None]:
    """See that held instances follow what the statement inside the block does to their documents."""
    mapping = command.mapping
    fetches = options.synchronize_session == "fetch"
    matched = await _held_that_fit(port, books, command) if fetches else []
    try:
        yield
    finally:  # a statement that failed may have changed some documents
        if options.synchronize_session == "expire":
            books.expire_model(mapping)
        books.flag_expired(matched)
    if matched:
        await _read_again(port, books, mapping, matched)


async def _held_that_fit(port: Port, books: Bookkeeping, command: Read) -> list[Model]:
    """Return the held instances whose documents fit now."""
    held = books.held(command.mapping)
    found: list[Model] = []
    for chunk in _chunks(list(held.values())):
        keys: Document = {"_id": {"$in": [encode_key(instance) for instance in chunk]}}
        condition = compiler.conjunction(command.filter, keys)
        records = await port.fetch(Read(command.mapping, condition, projection={"_id": 1}))
        found += [held[identity_key(command.mapping, document["_id"])] for document, _ in records]
    return found


async def _read_again(port: Port, books: Bookkeeping, mapping: Mapping, instances: Sequence[Model]) -> None:
    """Read the documents of held instances again; those that are gone are detached."""
    for chunk in _chunks(instances):
        keys: list[object] = [encode_key(instance) for instance in chunk]
        records = await port.fetch(Read(mapping, {"_id": {"$in": keys}}))
        there = {id(instance) for instance in await materialise(port, books, mapping, records)}
        for instance in chunk:
            if id(instance) not in there and not books.is_merged(instance):
                books.lost(instance)


def _chunks(instances: Sequence[Model]) -> Iterator[Sequence[Model]]:
    return (instances[start : start + KEYS_AT_ONCE] for start in range(0, len(instances), KEYS_AT_ONCE))
