"""The awaiting twin of `mongotic.result.ScalarResult`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.commands import Read
from mongotic_adapters.flows import reading
from mongotic_adapters.port import Port

if TYPE_CHECKING:
    from .session import AsyncSession

T = TypeVar("T")
R = TypeVar("R")


class AsyncScalarResult(Generic[T]):
    """The instances a query gives; every method is awaited.  See `mongotic.result.ScalarResult`."""

    def __init__(self, session: AsyncSession, command: Read) -> None:
        self._session = session
        self._command = command

    async def all(self) -> list[T]:
        """Return every instance; see `ScalarResult.all`."""
        return cast("list[T]", await self._ask(reading.fetch_all))

    async def first(self) -> T | None:
        """Return the first instance, or None; see `ScalarResult.first`."""
        return cast("T | None", await self._ask(reading.fetch_first))

    async def one(self) -> T:
        """Return the only instance; see `ScalarResult.one`."""
        return cast("T", await self._ask(reading.fetch_one))

    async def one_or_none(self) -> T | None:
        """Return the only instance, or None; see `ScalarResult.one_or_none`."""
        return cast("T | None", await self._ask(reading.fetch_one_or_none))

    async def count(self) -> int:
        """Return how many documents the query gives; see `ScalarResult.count`."""
        return await self._ask(reading.count)

    async def exists(self) -> bool:
        """Tell whether the query gives any document; see `ScalarResult.exists`."""
        return await self._ask(reading.exists)

    def __aiter__(self) -> AsyncIterator[T]:
        """Give the instances one by one; see `ScalarResult.__iter__`."""
        stream = reading.iterate(*self._session.engine_room, self._command)
        return cast("AsyncIterator[T]", self._session.guarded(stream))

    async def _ask(self, question: Callable[[Port, Bookkeeping, Read], Coroutine[object, None, R]]) -> R:
        return await self._session.run(question(*self._session.engine_room, self._command))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._command.mapping.name}, where {self._command.filter!r}>"
