"""The queries of a session: what `scalars()` and `execute()` ask a database.

Made by the facade.  A query gives instances, rows, or the values of one column; what can be asked of it is the same,
see `questions`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from odmantic import Model

from .. import distinct
from ..bookkeeping import Bookkeeping
from ..commands import Read
from ..encoding import Document
from ..joining import ordered_documents
from ..options import QueryOptions
from ..port import BATCH_DOCUMENTS, Port
from ..projection import Projection
from ..records import Record
from . import materialising, reading
from .across import resolved
from .questions import Lookup

T = TypeVar("T")


class Instances(Lookup[Record, Model]):
    """The instances of the documents of a query.

    Arguments:
        port: where to ask.
        books: the session's.
        read: what to ask.
        batch: how many documents a stream fetches at a time, giving instances of no session; None for the session's.
        options: of the statement.
    """

    def __init__(self, port: Port, books: Bookkeeping, read: Read, batch: int | None, options: QueryOptions) -> None:
        self._port = port
        self._books = books
        self._read = read
        self._batch = batch
        self._options = options

    async def find(self, at_most: int | None) -> Sequence[Record]:
        """Return the documents: a `find` command."""
        read = reading.limited(self._read, at_most)
        if read.limit == 0:
            return []
        return await materialising.fetch(self._port, await resolved(self._port, read), self._options.plan)

    async def make(self, found: Sequence[Record]) -> list[Model]:
        """Return the session's instances of the documents, or copies of their own, and load what they refer to."""
        if self._options.detached:
            return await reading.detached(self._port, self._books.events, self._read.mapping, found, self._options.plan)
        return await materialising.materialise(
            self._port,
            self._books,
            self._read.mapping,
            found,
            self._options.plan,
            overwrite=self._options.populate_existing,
        )

    def stream(self) -> AsyncGenerator[Model, None]:
        """Yield the instances; see `reading.iterate` and `reading.independent`."""
        size, options = self._batch, self._options
        if options.detached or (size is not None and not options.identity_map):
            events = self._books.events
            return reading.independent(self._port, events, self._read, size or BATCH_DOCUMENTS, options.plan)
        return reading.iterate(
            self._port,
            self._books,
            self._read,
            size or BATCH_DOCUMENTS,
            options.plan,
            overwrite=options.populate_existing,
        )

    async def count(self) -> int:
        """Return how many documents there are; see `reading.count`."""
        return await reading.count(self._port, self._read)

    async def exists(self) -> bool:
        """Tell whether there is a document; see `reading.exists`."""
        return await reading.exists(self._port, self._read)

    def __str__(self) -> str:
        return _described(self._read)


class Columns(Lookup[Document, T]):
    """What the documents of a query have in some of their keys: rows, or the values of one column.

    Arguments:
        port: where to ask.
        read: what to ask; its projection is not looked at.
        projection: the columns.
        make: makes the items.
        batch: how many documents a stream fetches at a time; None for the usual number.
    """

    def __init__(
        self,
        port: Port,
        read: Read,
        projection: Projection,
        make: Callable[[Sequence[Document]], list[T]],
        batch: int | None,
    ) -> None:
        self._port = port
        self._read = replace(read, projection=projection.keys)
        self._make = make
        self._batch = batch

    async def find(self, at_most: int | None) -> list[Document]:
        """Return the documents: a `find` command with a projection."""
        read = reading.limited(self._read, at_most)
        if read.limit == 0:
            return []
        found: list[Document] = []
        async for documents in self._documents(read, 0):
            found = found + documents if found else documents  # there is one list as a rule, which is not copied then
        return found

    async def make(self, found: Sequence[Document]) -> list[T]:
        """Return the rows or values of the documents."""
        return self._make(found)

    async def stream(self) -> AsyncGenerator[T, None]:
        """Yield the rows or values, fetched in batches."""
        if self._read.limit == 0:
            return
        batches = self._documents(self._read, BATCH_DOCUMENTS if self._batch is None else self._batch)
        try:
            async for documents in batches:
                for item in self._make(documents):
                    yield item
        finally:
            await batches.aclose()

    async def count(self) -> int:
        """Return how many documents there are; see `reading.count`."""
        return await reading.count(self._port, self._read)

    async def exists(self) -> bool:
        """Tell whether there is a document; see `reading.exists`."""
        return await reading.exists(self._port, self._read)

    async def _documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        read = await resolved(self._port, read)
        materialising.expect_sortable(self._port, read)
        found = (
            self._port.aggregate(read.mapping, ordered_documents(read), size, read.options)
            if read.sorts_across
            else self._port.documents(read, size)
        )
        try:
            async for documents in found:
                yield documents
        finally:
            await found.aclose()

    def __str__(self) -> str:
        return _described(self._read)


class DistinctColumns(Columns[T]):
    """The same, each row once: an `aggregate` command, whose stages are in `distinct`.

    Arguments:
        port: where to ask.
        read: what to ask.
        projection: the columns.
        make: makes the items of what the pipeline gives.
        batch: how many rows a stream fetches at a time; None for the usual number.
    """

    def __init__(
        self,
        port: Port,
        read: Read,
        projection: Projection,
        make: Callable[[Sequence[Document]], list[T]],
        batch: int | None,
    ) -> None:
        super().__init__(port, read, projection, make, batch)
        self._projection = projection

    async def count(self) -> int:
        """Return how many distinct rows there are: an `aggregate` command."""
        if self._read.limit == 0:
            return 0
        stages = distinct.counting(await resolved(self._port, self._read), self._projection)
        async for documents in self._port.aggregate(self._read.mapping, stages, 0, self._read.options):
            return cast("int", documents[0]["n"]) if documents else 0
        return 0

    async def exists(self) -> bool:
        """Tell whether there is a row: an `aggregate` command with limit 1."""
        return bool(await self.find(1))

    async def _documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        read = await resolved(self._port, read)
        stages = distinct.pipeline(read, self._projection)
        found = self._port.aggregate(read.mapping, stages, size, read.options)
        try:
            async for documents in found:
                yield documents
        finally:
            await found.aclose()


def _described(read: Read) -> str:
    return f"{read.mapping.name} fits {read.filter!r}"
