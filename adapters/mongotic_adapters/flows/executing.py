"""`update()` and `delete()`: written at once, beside the unit of work.

No listener is told of what they do: there are no instances to be told of.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from odmantic import Model

from .. import compiler
from ..bookkeeping import Bookkeeping
from ..bulk import batches
from ..commands import Batch, ModifyMany, Operation, Read, WriteReport
from ..encoding import Document, encode_key
from ..identity_map import identity_key
from ..keyed_rows import KeyedRow, RowsProgress
from ..mapping import Mapping
from ..options import WriteOptions, expect_no_concern
from ..overrides import expect_no_find
from ..port import Port, WriteFailed
from .across import resolved
from .materialising import KEYS_AT_ONCE, materialise


async def update(port: Port, books: Bookkeeping, command: Read, sent: ModifyMany, options: WriteOptions) -> WriteReport:
    """Change every document that fits, in one `update` command; the version of a model that has one is counted up.

    Raises:
        OperationalError: the driver or the server failed; the message says what is known to be changed.
        InvalidRequestError: the engine has a `find` of its own, which an upsert would go past; or the statement has a
            write concern of its own, and a transaction is under way.
    """
    expect_no_concern(sent.options, in_transaction=port.in_transaction)
    if sent.upsert:
        expect_no_find(port.overrides(sent.mapping), sent.mapping)
    command = await resolved(port, replace(command, filter=sent.filter))
    async with _synchronized(port, books, command, options):
        conditions = await _conditions(port, command)
        reports = [await port.modify_many(replace(sent, filter=condition)) for condition in conditions]
    return _sum(reports)


async def update_rows(
    port: Port,
    books: Bookkeeping,
    command: Read,
    rows: Sequence[KeyedRow],
    options: WriteOptions,
) -> WriteReport:
    """Change the document of each row, in one `update` command per 50,000 rows.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        BulkUpdateError: a row failed; it says which ones are carried out.
        InvalidRequestError: the engine has a `find` of its own, which this would go past; or the statement has a write
            concern of its own, and a transaction is under way.
    """
    expect_no_concern(command.options, in_transaction=port.in_transaction)
    mapping = command.mapping
    expect_no_find(port.overrides(mapping), mapping)
    command = await resolved(port, command)
    operations: list[Operation] = [row.operation(command.filter, upsert=options.upsert) for row in rows]
    codec = port.codec(mapping)
    cut = batches(mapping, operations, codec, ordered=options.ordered, options=command.options)
    concerned = replace(command, filter={"_id": {"$in": [row.key for row in rows]}})
    async with _synchronized(port, books, concerned, options):
        return await _write_rows(port, mapping, rows, cut)


async def _write_rows(
    port: Port, mapping: Mapping, rows: Sequence[KeyedRow], cut: Sequence[tuple[int, Batch]]
) -> WriteReport:
    progress = RowsProgress(mapping, rows)
    for start, batch in cut:
        positions = range(start, start + len(batch.operations))
        try:
            report = await port.write(batch)
        except WriteFailed as failure:
            progress.failed(positions, failure, ordered=batch.ordered)
            if batch.ordered or not failure.failures or port.in_transaction:
                raise progress.error(failure, undone=port.in_transaction) from failure.error
            continue
        progress.written(positions, report)
        if report.interruption is not None:
            raise report.interruption
    if progress.failures:
        raise progress.error() from progress.failures[0][1].error
    return progress.report()


async def delete(port: Port, books: Bookkeeping, command: Read, options: WriteOptions) -> WriteReport:
    """Remove every document that fits, in one `delete` command.

    Raises:
        OperationalError: the driver or the server failed; the message says what is known to be removed.
        InvalidRequestError: the statement has a write concern of its own, and a transaction is under way.
    """
    expect_no_concern(command.options, in_transaction=port.in_transaction)
    command = await resolved(port, command)
    async with _synchronized(port, books, command, options):
        custom = port.overrides(command.mapping)
        if custom is not None and "remove" in custom.names:  # it has its own idea of what is removed
            return await port.delete_many(command.mapping, command.filter, command.options)
        reports = [
            await port.delete_many(command.mapping, condition, command.options)
            for condition in await _conditions(port, command)
        ]
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
        records = await port.fetch(Read(command.mapping, condition, projection={"_id": 1}, options=command.options))
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
