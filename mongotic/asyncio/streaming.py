"""The awaiting twin of `mongotic.streaming`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from ..select_statement import amount
from .unawaited import Unawaited

T = TypeVar("T")


class AsyncStream(Unawaited, Generic[T]):
    """Gives one item after the other, once; see `mongotic.streaming.Stream`.

    `async for user in session.stream_scalars(q)`, or `async for user in await session.stream_scalars(q)`.
    """

    def __init__(self, items: AsyncGenerator[T, None], *, opened: bool = False) -> None:
        """Describe a stream.

        Arguments:
            items: what it gives.
            opened: it is opened by `await` and by `async with`, and not by its first step alone; the first of the items
                tells that it is, and is nobody else's.
        """
        self._items = items
        self._is_to_be_opened = opened

    def __aiter__(self) -> AsyncIterator[T]:
        """Give one after the other; see `Stream.__iter__`."""
        return self

    async def __anext__(self) -> T:
        await self._open()
        return await anext(self._items)

    def __await__(self) -> Generator[Any, None, Self]:
        yield from self._open().__await__()
        return self

    async def _open(self) -> None:
        if self._is_to_be_opened:
            self._is_to_be_opened = False
            await anext(self._items)

    async def partitions(self, size: int) -> AsyncIterator[list[T]]:
        """Give lists of up to *size* items; see `Stream.partitions`."""
        amount("partitions", size, least=1)
        part: list[T] = []
        async for item in self:
            part.append(item)
            if len(part) == size:
                yield part
                part = []
        if part:
            yield part

    async def close(self) -> None:
        """Close the cursor; see `Stream.close`."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _advice(self) -> str:
        return "a stream of an AsyncSession is walked by `async for item in stream`"
