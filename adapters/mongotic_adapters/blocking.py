"""The blocking port: ODMantic's `SyncEngine` over PyMongo.

Made by the facade's `Session`; driven by `flows.driving.run`.  Its methods are `async def` and never suspend.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

from bson.raw_bson import RawBSONDocument
from odmantic import Model, SyncEngine
from odmantic.exceptions import DocumentNotFoundError
from odmantic.session import SyncSession, SyncTransaction
from pymongo import MongoClient
from typing_extensions import Self

from . import driver_calls
from . import odmantic_internals as odm
from .binding import BindOptions, bind_client, bind_engine, refused
from .commands import USUAL, Batch, FindAndModify, ModifyMany, Read, SendOptions, WriteReport
from .driver_errors import changing, decoding, translated, writing
from .encoding import Document
from .mapping import Mapping
from .overrides import (
    Overrides,
    as_records,
    counted,
    expect_no_find,
    expect_no_options,
    expect_not_passed_by,
    parsing,
    standing_for_defaults,
    whole_documents,
    without_defaults,
)
from .port_transactions import Transacting
from .records import Record, Records
from .snapshot import Codec

# The client's document class is the user's choice, so any will do.
SyncBind: TypeAlias = "SyncEngine | SyncSession | SyncTransaction | MongoClient[Any]"
"""What a blocking session can be bound to."""

FITS = "an odmantic.SyncEngine, an open SyncSession or SyncTransaction of one, or a pymongo.MongoClient with database="


class Cursor(Protocol):
    """A cursor of PyMongo, over batches or single documents."""

    def __next__(self) -> bytes | RawBSONDocument: ...
    def __iter__(self) -> Self: ...
    def close(self) -> None: ...


class DocumentCursor(Protocol):
    """A cursor over decoded documents."""

    @property
    def alive(self) -> bool: ...
    def to_list(self, length: int | None, /) -> list[Document]: ...
    def close(self) -> None: ...


class BlockingPort(Transacting):
    """One session's way to the database; see `port.Port` for what each method does.

    Arguments:
        bind: the engine or client.
        choices: how it is used.

    Raises:
        ArgumentTypeError: *bind* is something else.
    """

    def __init__(self, bind: object, choices: BindOptions) -> None:
        super().__init__()
        if isinstance(bind, SyncEngine):
            self.binding = bind_engine(bind, choices)
        elif isinstance(bind, (SyncSession, SyncTransaction)):
            self.binding = bind_engine(bind.engine, choices, bind)
        elif isinstance(bind, MongoClient):
            client = cast("MongoClient[Document]", bind)
            self.binding = bind_client(client, lambda name: SyncEngine(client, name), choices)
        else:
            raise refused("Session", bind, FITS)

    def codec(self, mapping: Mapping) -> Codec:
        return self.binding.collection(mapping).codec_options

    async def fetch(self, read: Read) -> Sequence[Record]:
        custom = self.binding.readers(read)
        if custom is not None and custom.reads:
            return await self._found(custom, read)
        action = f"find on {read.mapping.collection!r}"
        collection = self.binding.collection(read.mapping)
        records = Records(collection.codec_options, partial(decoding, action))
        if not read.fits_one_batch:
            async for each in self._raw_batches(read, 0):
                records.add(each)
            return records
        with translated(action):
            # The server closed the cursor with its only batch; asking it again would cost a call for nothing.
            cursor = cast("Cursor", driver_calls.find(collection, read, self.binding.driver_session()))
            batch = next(cursor, None)
        if batch is not None:
            records.add(batch)
        return records

    async def batches(self, read: Read, size: int) -> AsyncGenerator[Sequence[Record], None]:
        custom = self.binding.readers(read)
        if custom is not None and custom.reads:
            yield await self._found(custom, read)
            return
        codec, action = self.codec(read.mapping), f"find on {read.mapping.collection!r}"
        found = self._raw_batches(read, size)
        try:
            async for batch in found:
                records = Records(codec, partial(decoding, action))
                records.add(batch)
                yield records
        finally:
            await found.aclose()

    async def _raw_batches(self, read: Read, size: int) -> AsyncGenerator[bytes | RawBSONDocument, None]:
        """Yield the batches of a cursor; one document after the other from a client that encrypts fields."""
        action = f"find on {read.mapping.collection!r}"
        collection = self.binding.collection(read.mapping)
        with translated(action):
            cursor = cast("Cursor", driver_calls.find(collection, read, self.binding.driver_session(), size))
        try:
            while True:
                with translated(action):
                    batch = next(cursor, None)
                if batch is None:
                    return
                yield batch
        finally:
            cursor.close()

    def documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        custom = self.binding.readers(read)
        if custom is not None and custom.reads:
            return whole_documents(self.batches(read, size))
        collection, session = self.binding.collection(read.mapping), self.binding.driver_session()
        cursor = partial(driver_calls.find_documents, collection, read, session, size)
        return _listed(f"find on {read.mapping.collection!r}", cursor, size)

    def aggregate(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[Document], None]:
        expect_no_find(self.binding.overrides(mapping), mapping)
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        cursor = partial(driver_calls.aggregate, collection, pipeline, session, size, options)
        return _listed(f"aggregate on {mapping.collection!r}", cursor, size)

    def raw(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[bytes], None]:
        expect_no_find(self.binding.overrides(mapping), mapping)
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        cursor = partial(driver_calls.aggregate_raw, collection, pipeline, session, size, options)
        return driver_calls.undecoded(_listed(f"aggregate on {mapping.collection!r}", cursor, size))

    def can_join(self, mapping: Mapping, target: Mapping) -> bool:
        return self.binding.can_join(mapping, target)

    async def explain(self, mapping: Mapping, command: Document, verbosity: str) -> Document:
        database = odm.database(self.binding.engine(mapping))
        with translated(f"explain on {mapping.collection!r}"):
            return cast("Document", database.command("explain", command, verbosity=verbosity))

    async def watch(
        self, mapping: Mapping, pipeline: list[Document], options: dict[str, object]
    ) -> AsyncGenerator[Document, None]:
        expect_no_find(self.binding.overrides(mapping), mapping)
        action = f"watch on {mapping.collection!r}"
        with translated(action):
            stream = cast("Any", self.binding.collection(mapping)).watch(pipeline, **options)
        try:
            yield {}
            while True:
                with translated(action):
                    event = next(stream)
                yield cast("Document", event)
        finally:
            stream.close()

    async def count(self, read: Read) -> int:
        custom = self.binding.readers(read)
        with translated(f"count on {read.mapping.collection!r}"), parsing(read):
            if custom is not None and (custom.reads or "count" in custom.names):
                return counted(read, custom.count(read, self.binding.driver_session()))
            return cast(
                "int", driver_calls.count(self.binding.collection(read.mapping), read, self.binding.driver_session())
            )

    async def write(self, batch: Batch) -> WriteReport:
        with writing(), driver_calls.deadline(batch.options):
            result = driver_calls.write(self.binding.collection(batch.mapping), batch, self.binding.driver_session())
        return driver_calls.report(cast("driver_calls.Result", result))

    async def modify_many(self, command: ModifyMany) -> WriteReport:
        collection, session = self.binding.collection(command.mapping), self.binding.driver_session()
        action = f"update on {command.mapping.collection!r}"
        with changing(action, in_transaction=self.in_transaction), driver_calls.deadline(command.options):
            result = driver_calls.modify_many(collection, command, session)
        return driver_calls.report(cast("driver_calls.Result", result))

    async def find_and_modify(self, command: FindAndModify) -> Record | None:
        mapping = command.mapping
        expect_not_passed_by(self.binding.overrides(mapping), command)
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        action = f"findAndModify on {mapping.collection!r}"
        told = changing(action, in_transaction=self.in_transaction, many=False)
        with told, driver_calls.deadline(command.options):
            found = cast("RawBSONDocument | None", driver_calls.find_and_modify(collection, command, session))
        if found is None:
            return None
        records = Records(collection.codec_options, partial(decoding, action))
        records.add(found)
        return records[0]

    def overrides(self, mapping: Mapping) -> Overrides | None:
        return self.binding.overrides(mapping)

    async def save(self, custom: Overrides, instance: Model) -> None:
        with writing():
            custom.save(instance, self.binding.driver_session())

    async def delete(self, custom: Overrides, instance: Model) -> bool:
        with writing():
            try:
                custom.delete(instance, self.binding.driver_session())
            except DocumentNotFoundError:
                return False
        return True

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  # this port never suspends

    async def _done(self, call: object) -> tuple[object, BaseException | None]:
        return call, None

    async def _found(self, custom: Overrides, read: Read) -> list[Record]:
        action = f"find on {read.mapping.collection!r}"
        codec = self.codec(read.mapping)
        with translated(action), parsing(read):
            found = custom.find(read, self.binding.driver_session())
            records = as_records(read.mapping, found, codec)
        stored = standing_for_defaults(read.mapping, records)
        if stored is None:
            return records
        return without_defaults(read.mapping, records, await self.fetch(stored), codec)

    async def delete_many(self, mapping: Mapping, condition: Document, options: SendOptions = USUAL) -> WriteReport:
        custom = self.binding.overrides(mapping)
        if custom is not None and "remove" in custom.names:
            expect_no_options(options, mapping)
            with translated(f"delete on {mapping.collection!r}"):
                removed = custom.remove(mapping, condition, self.binding.driver_session())
            return WriteReport(deleted=cast("int", removed))
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        told = changing(f"delete on {mapping.collection!r}", in_transaction=self.in_transaction)
        with told, driver_calls.deadline(options):
            result = driver_calls.delete_many(collection, condition, session, options)
        return driver_calls.report(cast("driver_calls.Result", result))


async def _listed(action: str, ask: Callable[[], object], size: int) -> AsyncGenerator[list[Document], None]:
    """Yield the documents of a cursor, batch by batch."""
    with translated(action):
        cursor = cast("DocumentCursor", ask())
    try:
        while True:
            with translated(action):
                documents = cursor.to_list(size or None)
            if documents:
                yield documents
            if not cursor.alive:
                return
    finally:
        cursor.close()
