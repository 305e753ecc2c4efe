"""What a query gives, arranged otherwise: each item once, or in parts.

Made by the facade's results for `unique()` and `partitions()`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Generic, TypeVar, cast

from odmantic import Model

from .questions import Lookup

F = TypeVar("F")
T = TypeVar("T")

PART = 1000
"""How many items are in a part, unless told otherwise."""


class Unique(Lookup[T, T], Generic[F, T]):
    """The items of another query, each once, where it comes first.

    Instances are told apart by identity; other items by what *key* makes of them, which need not be hashable.

    Arguments:
        inner: the query.
        key: makes what is compared; None for the items themselves.
    """

    def __init__(self, inner: Lookup[F, T], key: Callable[[T], object] | None) -> None:
        self._inner = inner
        self._key = key

    async def find(self, at_most: int | None) -> list[T]:
        """Return the items; for the first one, no more is asked."""
        if at_most == 1:
            return await self._inner.make(await self._inner.find(1))
        seen = Seen()
        return [item for item in await self._inner.all() if seen.add(self._compared(item))][:at_most]

    async def make(self, found: Sequence[T]) -> list[T]:
        """Return them as they are."""
        return list(found)

    async def stream(self) -> AsyncGenerator[T, None]:
        """Yield the items; what was seen is remembered."""
        seen = Seen()
        items = self._inner.stream()
        try:
            async for item in items:
                if seen.add(self._compared(item)):
                    yield item
        finally:
            await items.aclose()

    async def count(self) -> int:
        """Return how many different items there are; all of them are asked for."""
        return len(await self.find(None))

    async def exists(self) -> bool:
        """Tell whether there is an item."""
        return await self._inner.exists()

    def _compared(self, item: T) -> object:
        if self._key is not None:
            return self._key(item)
        return _Same(item) if isinstance(item, Model) else item

    def __str__(self) -> str:
        return str(self._inner)


class Seen:
    """A set that takes what is not hashable, too."""

    def __init__(self) -> None:
        self._hashed: set[object] = set()
        self._others: list[object] = []

    def add(self, item: object) -> bool:
        """Add something and tell whether it is new."""
        try:
            known = item in self._hashed
            self._hashed.add(item)
        except TypeError:  # a list, or a row with one in it
            known = item in self._others
            if not known:
                self._others.append(item)
        return not known


class _Same:
    """Compares by identity, and keeps what it compares: its address would be used again."""

    __slots__ = ("_item",)

    def __init__(self, item: object) -> None:
        self._item = item

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._item is other._item

    def __hash__(self) -> int:
        return id(self._item)


async def parts(stream: AsyncGenerator[T, None], size: int) -> AsyncGenerator[list[T], None]:
    """Yield what a stream gives in lists of *size* items; the last one may be shorter."""
    part: list[T] = []
    try:
        async for item in stream:
            part.append(item)
            if len(part) == size:
                yield part
                part = []
        if part:
            yield part
    finally:
        await stream.aclose()


def in_parts(items: Iterable[T], size: int) -> list[list[T]]:
    """Return items in lists of *size*."""
    every = list(items)
    return [every[start : start + size] for start in range(0, len(every), size)]


def unique(query: object, key: Callable[[T], object] | None) -> Unique[object, T]:
    """Return the query for different items."""
    return Unique(cast("Lookup[object, T]", query), key)
