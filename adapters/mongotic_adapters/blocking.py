"""The blocking port: ODMantic's `SyncEngine` over PyMongo.

Made by the facade's `Session`; driven by `flows.driving.run`.  Its methods are `async def` and never suspend.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol, TypeAlias, cast

from bson.raw_bson import RawBSONDocument
from odmantic import SyncEngine
from pymongo import MongoClient
from pymongo.errors import ConfigurationError
from typing_extensions import Self

from . import driver_calls
from . import odmantic_internals as odm
from .binding import refused, same_engine, wanted_database
from .commands import Batch, Read, WriteReport
from .driver_errors import translated, writing
from .encoding import Document
from .mapping import Mapping
from .port import database_name
from .records import Record, split
from .snapshot import Codec

# The client's document class is the user's choice, so any will do.
SyncBind: TypeAlias = "SyncEngine | MongoClient[Any]"
"""What a blocking session can be bound to."""

FITS = "an odmantic.SyncEngine, or a pymongo.MongoClient with database="


class Cursor(Protocol):
    """A cursor of PyMongo, over batches or single documents."""

    def __next__(self) -> bytes | RawBSONDocument: ...
    def __iter__(self) -> Self: ...
    def close(self) -> None: ...


class BlockingPort:
    """One session's way to the database; see `port.Port` for what each method does.

    Arguments:
        bind: the engine or client.
        database: the database's name, for a client.

    Raises:
        ArgumentTypeError: *bind* is something else.
    """

    def __init__(self, bind: object, database: str | None) -> None:
        self._client: MongoClient[Document]
        if isinstance(bind, SyncEngine):
            self._engine: SyncEngine | None = bind
            self._client = cast("MongoClient[Document]", odm.client(bind))
            self._database: str | None = same_engine(bind.database_name, database)
        elif isinstance(bind, MongoClient):
            self._engine = None
            self._client = cast("MongoClient[Document]", bind)
            self._database = wanted_database(database)
        else:
            raise refused("Session", bind, FITS)
        self._collections: dict[Mapping, driver_calls.Collection] = {}

    def codec(self, mapping: Mapping) -> Codec:
        return self._collection(mapping).codec_options

    async def fetch(self, read: Read) -> list[Record]:
        if not read.fits_one_batch:
            return [record async for batch in self.batches(read, 0) for record in batch]
        collection = self._collection(read.mapping)
        with translated(f"find on {read.mapping.collection!r}"):
            # The server closed the cursor with its only batch; asking it again would cost a call for nothing.
            cursor = cast("Cursor", driver_calls.find(collection, read, None))
            batch = next(cursor, None)
        return [] if batch is None else split(batch, collection.codec_options)

    async def batches(self, read: Read, size: int) -> AsyncGenerator[list[Record], None]:
        action = f"find on {read.mapping.collection!r}"
        collection = self._collection(read.mapping)
        with translated(action):
            cursor = cast("Cursor", driver_calls.find(collection, read, None, size))
        try:
            while True:
                with translated(action):
                    batch = next(cursor, None)
                if batch is None:
                    return
                yield split(batch, collection.codec_options)
        finally:
            cursor.close()

    async def count(self, read: Read) -> int:
        with translated(f"count on {read.mapping.collection!r}"):
            return cast("int", driver_calls.count(self._collection(read.mapping), read, None))

    async def write(self, batch: Batch) -> WriteReport:
        with writing():
            result = driver_calls.write(self._collection(batch.mapping), batch, None)
        return driver_calls.report(cast("driver_calls.Result", result))

    async def update_many(self, mapping: Mapping, condition: Document, update: Document) -> WriteReport:
        with translated(f"update on {mapping.collection!r}"):
            result = self._collection(mapping).update_many(condition, update, session=None)
        return driver_calls.report(cast("driver_calls.Result", result))

    async def delete_many(self, mapping: Mapping, condition: Document) -> WriteReport:
        with translated(f"delete on {mapping.collection!r}"):
            result = self._collection(mapping).delete_many(condition, session=None)
        return driver_calls.report(cast("driver_calls.Result", result))

    def _collection(self, mapping: Mapping) -> driver_calls.Collection:
        found = self._collections.get(mapping)
        if found is None:
            # Asked of the engine, because a subclass may choose another collection.
            found = self._collections[mapping] = odm.collection(self._engine_of(mapping), mapping.document_model)
        return found

    def _engine_of(self, mapping: Mapping) -> SyncEngine:
        name = database_name(mapping, self._database, self._default_database)
        if self._engine is None:
            return SyncEngine(self._client, name)
        return odm.on_database(self._engine, name)

    def _default_database(self) -> str | None:
        try:
            return self._client.get_default_database().name
        except ConfigurationError:
            return None
