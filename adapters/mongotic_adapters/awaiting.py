"""The awaiting port: ODMantic's `AIOEngine` over Motor, or over PyMongo's own asyncio client.

Made by the facade's `AsyncSession`.  The same calls as in `blocking`, awaited.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model
from odmantic.exceptions import DocumentNotFoundError
from odmantic.session import AIOSession, AIOTransaction
from pymongo import AsyncMongoClient
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
from .pymongo_async import AIOEngine as PyMongoEngine
from .records import Record, Records
from .snapshot import Codec

# The client's document class is the user's choice, so any will do.
AsyncBind: TypeAlias = "AIOEngine | AIOSession | AIOTransaction | AsyncMongoClient[Any] | AsyncIOMotorClient[Any]"
"""What an awaiting session can be bound to."""

FITS = (
    "an odmantic.AIOEngine, an open AIOSession or AIOTransaction of one, or a pymongo AsyncMongoClient or motor "
    "AsyncIOMotorClient with database="
)


T = TypeVar("T")


class Cursor(Protocol):
    """A cursor of Motor or PyMongo Async, over batches or single documents."""

    def __anext__(self) -> Awaitable[bytes | RawBSONDocument]: ...
    def __aiter__(self) -> Self: ...
    async def close(self) -> None: ...


class DocumentCursor(Protocol):
    """A cursor over decoded documents."""

    @property
    def alive(self) -> bool: ...
    async def to_list(self, length: int | None, /) -> list[Document]: ...
    async def close(self) -> None: ...


class AwaitingPort(Transacting):
    """One session's way to the database; see `port.Port` for what each method does.

    Arguments:
        bind: the engine or client.
        choices: how it is used.

    Raises:
        ArgumentTypeError: *bind* is something else.
    """

    def __init__(self, bind: object, choices: BindOptions) -> None:
        super().__init__()
        if isinstance(bind, AIOEngine):
            self.binding = bind_engine(bind, choices)
        elif isinstance(bind, (AIOSession, AIOTransaction)):
            self.binding = bind_engine(bind.engine, choices, bind)
        elif isinstance(bind, AsyncMongoClient):
            asyncio_client = cast("AsyncMongoClient[Document]", bind)
            self.binding = bind_client(asyncio_client, partial(PyMongoEngine, asyncio_client), choices)
        elif isinstance(bind, AsyncIOMotorClient):
            motor_client = cast("AsyncIOMotorClient[Document]", bind)
            self.binding = bind_client(motor_client, partial(AIOEngine, motor_client), choices)
        else:
            raise refused("AsyncSession", bind, FITS)

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
            # The server closed the cursor with its only batch; asking it again would cost another hop through Motor's
            # threads.
            cursor = cast("Cursor", driver_calls.find(collection, read, self.binding.driver_session()))
            batch = await self._to_be_read(anext(cursor, None))
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
                    batch = await self._to_be_read(anext(cursor, None))
                if batch is None:
                    return
                yield batch
        finally:
            with translated(action):
                await cursor.close()

    def documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        custom = self.binding.readers(read)
        if custom is not None and custom.reads:
            return whole_documents(self.batches(read, size))
        collection, session = self.binding.collection(read.mapping), self.binding.driver_session()
        cursor = partial(driver_calls.find_documents, collection, read, session, size)
        return self._listed(f"find on {read.mapping.collection!r}", cursor, size)

    def aggregate(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[Document], None]:
        expect_no_find(self.binding.overrides(mapping), mapping)
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        cursor = partial(driver_calls.aggregate, collection, pipeline, session, size, options)
        return self._listed(f"aggregate on {mapping.collection!r}", cursor, size)

    def raw(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[bytes], None]:
        expect_no_find(self.binding.overrides(mapping), mapping)
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        cursor = partial(driver_calls.aggregate_raw, collection, pipeline, session, size, options)
        return driver_calls.undecoded(self._listed(f"aggregate on {mapping.collection!r}", cursor, size))

    def can_join(self, mapping: Mapping, target: Mapping) -> bool:
        return self.binding.can_join(mapping, target)

    async def explain(self, mapping: Mapping, command: Document, verbosity: str) -> Document:
        database = odm.database(self.binding.engine(mapping))
        with translated(f"explain on {mapping.collection!r}"):
            return cast("Document", await database.command("explain", command, verbosity=verbosity))

    async def watch(
        self, mapping: Mapping, pipeline: list[Document], options: dict[str, object]
    ) -> AsyncGenerator[Document, None]:
        expect_no_find(self.binding.overrides(mapping), mapping)
        action = f"watch on {mapping.collection!r}"
        with translated(action):
            opening = cast("Any", self.binding.collection(mapping)).watch(pipeline, **options)
            stream = await opening if inspect.isawaitable(opening) else await opening.__aenter__()  # Motor's is lazy
        try:
            yield {}
            while True:
                with translated(action):
                    event = await anext(stream)
                yield cast("Document", event)
        finally:
            await stream.close()

    async def count(self, read: Read) -> int:
        custom = self.binding.readers(read)
        with translated(f"count on {read.mapping.collection!r}"), parsing(read):
            if custom is not None and (custom.reads or "count" in custom.names):
                return counted(read, await answered(custom.count(read, self.binding.driver_session())))
            call = driver_calls.count(self.binding.collection(read.mapping), read, self.binding.driver_session())
            return await self._to_be_read(cast("Awaitable[int]", call))

    async def write(self, batch: Batch) -> WriteReport:
        collection, session = self.binding.collection(batch.mapping), self.binding.driver_session()
        with writing(), driver_calls.deadline(batch.options):  # Motor's thread begins with what is set here
            result, interruption = await _to_its_end(_result(driver_calls.write(collection, batch, session)))
        return replace(driver_calls.report(result), interruption=interruption)

    async def modify_many(self, command: ModifyMany) -> WriteReport:
        collection, session = self.binding.collection(command.mapping), self.binding.driver_session()
        action = f"update on {command.mapping.collection!r}"
        with changing(action, in_transaction=self.in_transaction), driver_calls.deadline(command.options):
            return await _unless_cancelled(_result(driver_calls.modify_many(collection, command, session)))

    async def find_and_modify(self, command: FindAndModify) -> Record | None:
        mapping = command.mapping
        expect_not_passed_by(self.binding.overrides(mapping), command)
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        action = f"findAndModify on {mapping.collection!r}"
        told = changing(action, in_transaction=self.in_transaction, many=False)
        with told, driver_calls.deadline(command.options):
            found = cast(
                "RawBSONDocument | None", await answered(driver_calls.find_and_modify(collection, command, session))
            )
        if found is None:
            return None
        records = Records(collection.codec_options, partial(decoding, action))
        records.add(found)
        return records[0]

    def overrides(self, mapping: Mapping) -> Overrides | None:
        return self.binding.overrides(mapping)

    async def save(self, custom: Overrides, instance: Model) -> None:
        with writing():
            await answered(custom.save(instance, self.binding.driver_session()))

    async def delete(self, custom: Overrides, instance: Model) -> bool:
        with writing():
            try:
                await answered(custom.delete(instance, self.binding.driver_session()))
            except DocumentNotFoundError:
                return False
        return True

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _done(self, call: object) -> tuple[object, BaseException | None]:
        if not inspect.isawaitable(call):
            return call, None
        return await _to_its_end(cast("Awaitable[object]", call))

    async def _listed(self, action: str, ask: Callable[[], object], size: int) -> AsyncGenerator[list[Document], None]:
        """Yield the documents of a cursor, batch by batch."""
        with translated(action):
            answer = ask()
            cursor = cast("DocumentCursor", await self._to_be_read(answer) if inspect.isawaitable(answer) else answer)
        try:
            while True:
                with translated(action):
                    documents = await self._to_be_read(cursor.to_list(size or None))
                if documents:
                    yield documents
                if not cursor.alive:
                    return
        finally:
            with translated(action):
                await cursor.close()

    async def _to_be_read(self, call: Awaitable[T]) -> T:
        """Await a read; one of a transaction to its end, or it might overtake the abort, and begin it anew."""
        if not self.in_transaction:
            return await call
        answer, interruption = await _to_its_end(call)
        if interruption is not None:
            raise interruption
        return answer

    async def _found(self, custom: Overrides, read: Read) -> list[Record]:
        action = f"find on {read.mapping.collection!r}"
        codec = self.codec(read.mapping)
        with translated(action), parsing(read):
            found = await answered(custom.find(read, self.binding.driver_session()))
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
                removed = await answered(custom.remove(mapping, condition, self.binding.driver_session()))
            return WriteReport(deleted=cast("int", removed))
        collection, session = self.binding.collection(mapping), self.binding.driver_session()
        told = changing(f"delete on {mapping.collection!r}", in_transaction=self.in_transaction)
        with told, driver_calls.deadline(options):
            return await _unless_cancelled(_result(driver_calls.delete_many(collection, condition, session, options)))


async def _unless_cancelled(call: Awaitable[driver_calls.Result]) -> WriteReport:
    result, interruption = await _to_its_end(call)
    if interruption is not None:
        raise interruption
    return driver_calls.report(result)


async def _to_its_end(call: Awaitable[T]) -> tuple[T, asyncio.CancelledError | None]:
    """Await a write to its end, even when the task is cancelled meanwhile.

    Motor's threads go on with a command nobody waits for any more; it could overtake a later one, and nobody would
    know what it has written.
    """
    running = asyncio.ensure_future(call)
    interruption: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as cancelled:
            interruption = cancelled
    return running.result(), interruption


async def answered(call: object) -> object:
    """Return what an engine's method gives, awaited to its end if it is to be awaited."""
    if not inspect.isawaitable(call):
        return call
    result, interruption = await _to_its_end(cast("Awaitable[object]", call))
    if interruption is not None:
        raise interruption
    return result


def _result(call: object) -> Awaitable[driver_calls.Result]:
    return cast("Awaitable[driver_calls.Result]", call)
