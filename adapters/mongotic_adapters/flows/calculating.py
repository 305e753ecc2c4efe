"""The queries whose rows the server computes: computed columns, groups and aggregates.

Made by the facade; see `calculation` for what is asked and `stages` for the pipeline.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeVar, cast

from .. import stages
from ..calculation import Calculation
from ..commands import Read
from ..encoding import Document
from ..port import BATCH_DOCUMENTS, Port
from . import reading
from .across import resolved
from .questions import Lookup

T = TypeVar("T")


class Calculated(Lookup[Document, T]):
    """Computed rows, or the values of their first column: an `aggregate` command.

    Arguments:
        port: where to ask.
        asked: what is computed.
        read: the condition, and how many rows.
        make: makes the items of what the pipeline gives.
        once: each distinct row is given once.
        batch: how many rows a stream fetches at a time; None for the usual number.

    Raises:
        ArgumentError: something is selected or sorted by that has many values in a row.
    """

    def __init__(
        self,
        port: Port,
        asked: Calculation,
        read: Read,
        make: Callable[[Sequence[Document]], list[T]],
        *,
        once: bool,
        batch: int | None,
    ) -> None:
        self._port = port
        self._asked = asked
        self._read = read
        self._make = make
        self._once = once
        self._batch = batch
        stages.pipeline(asked, read, once=once)  # its mistakes belong to the call that made the query

    async def find(self, at_most: int | None) -> list[Document]:
        """Return the rows as the server sends them."""
        read = reading.limited(self._read, at_most)
        found: list[Document] = []
        async for documents in self._documents(read, 0):
            found += documents
        return found

    async def make(self, found: Sequence[Document]) -> list[T]:
        """Return the rows or values."""
        return self._make(found)

    async def stream(self) -> AsyncGenerator[T, None]:
        """Yield the rows or values, fetched in batches."""
        batches = self._documents(self._read, self._batch or BATCH_DOCUMENTS)
        try:
            async for documents in batches:
                for item in self._make(documents):
                    yield item
        finally:
            await batches.aclose()

    async def count(self) -> int:
        """Return how many rows there are: without groups, the documents are counted as for any other query."""
        if not self._once and not self._asked.by_group:
            return await reading.count(self._port, self._read)
        if self._read.limit == 0:
            return 0
        counting = stages.counting(self._asked, await resolved(self._port, self._read), once=self._once)
        async for documents in self._port.aggregate(self._read.mapping, counting, 0, self._read.options):
            return cast("int", documents[0]["n"]) if documents else 0
        return 0

    async def exists(self) -> bool:
        """Tell whether there is a row; without groups, no value is computed for that."""
        if not self._once and not self._asked.by_group:
            return await reading.exists(self._port, self._read)
        return bool(await self.find(1))

    async def _documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        if read.limit == 0:
            return
        pipeline = stages.pipeline(self._asked, await resolved(self._port, read), once=self._once)
        batches = self._port.aggregate(read.mapping, pipeline, size, read.options)
        try:
            async for documents in batches:
                yield documents
        finally:
            await batches.aclose()

    def __str__(self) -> str:
        return f"row of {self._read.mapping.name} fits {self._read.filter!r}"
