"""What results ask, whatever they ask it of: everything, the first, the only one, how many, one after the other.

The facade's results hold a `Query`; `querying` has those that ask a database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Generic, TypeVar

from ..errors import MultipleResultsFound, NotFound

T = TypeVar("T")
F = TypeVar("F")
S = TypeVar("S")


class Query(ABC, Generic[T]):
    """What a result can ask; each question is a command of its own."""

    @abstractmethod
    async def all(self) -> list[T]:
        """Return every item."""

    @abstractmethod
    async def first(self) -> T | None:
        """Return the first item, or None."""

    @abstractmethod
    async def one_or_none(self) -> T | None:
        """Return the only item, or None.

        Raises:
            MultipleResultsFound: there is more than one.
        """

    @abstractmethod
    async def one(self) -> T:
        """Return the only item.

        Raises:
            NotFound: there is none.
            MultipleResultsFound: there is more than one.
        """

    @abstractmethod
    async def count(self) -> int:
        """Return how many items there are."""

    @abstractmethod
    async def exists(self) -> bool:
        """Tell whether there is an item."""

    @abstractmethod
    def stream(self) -> AsyncGenerator[T, None]:
        """Yield one item after the other."""

    @abstractmethod
    def transformed(self, function: Callable[[T], S]) -> Query[S]:
        """Return the query that gives what *function* makes of each item."""

    @abstractmethod
    def __str__(self) -> str:
        """Return what is asked, for messages: `User fits {...}`."""


class Lookup(Query[T], Generic[F, T]):
    """The questions, asked of whatever finds something (`find`) and makes items of it (`make`).

    What was found is counted before items are made: an instance that is refused never enters the session.
    """

    @abstractmethod
    async def find(self, at_most: int | None) -> Sequence[F]:
        """Return what there is, or the beginning of it."""

    @abstractmethod
    async def make(self, found: Sequence[F]) -> list[T]:
        """Return the items that were found."""

    async def all(self) -> list[T]:
        return await self.make(await self.find(None))

    async def first(self) -> T | None:
        found = await self.make(await self.find(1))
        return found[0] if found else None

    async def one_or_none(self) -> T | None:
        found = await self.make(self._at_most_one(await self.find(2)))
        return found[0] if found else None

    async def one(self) -> T:
        found = await self.make(self._at_most_one(await self.find(2)))
        if not found:
            raise NotFound(f"no {self}; use one_or_none() if that may be")
        return found[0]

    def transformed(self, function: Callable[[T], S]) -> Transformed[F, T, S]:
        return Transformed(self, function)

    def _at_most_one(self, found: Sequence[F]) -> Sequence[F]:
        if len(found) > 1:
            raise MultipleResultsFound(f"more than one {self}; use first() for any of them")
        return found


class Transformed(Lookup[F, S], Generic[F, T, S]):
    """What a function makes of the items of another query.

    Arguments:
        inner: the query.
        function: called once per item.
    """

    def __init__(self, inner: Lookup[F, T], function: Callable[[T], S]) -> None:
        self._inner = inner
        self._function = function

    async def find(self, at_most: int | None) -> Sequence[F]:
        """Return what the query finds."""
        return await self._inner.find(at_most)

    async def make(self, found: Sequence[F]) -> list[S]:
        """Return its items, transformed."""
        return list(map(self._function, await self._inner.make(found)))

    async def stream(self) -> AsyncGenerator[S, None]:
        """Yield its items, transformed."""
        items = self._inner.stream()
        try:
            async for item in items:
                # No name holds an item while the next one is fetched: an iteration lets go of what nobody holds.
                waiting = [self._function(item)]
                del item
                yield waiting.pop()
        finally:
            await items.aclose()

    async def count(self) -> int:
        """Return how many items there are."""
        return await self._inner.count()

    async def exists(self) -> bool:
        """Tell whether there is an item."""
        return await self._inner.exists()

    def __str__(self) -> str:
        return str(self._inner)


class Buffer(Lookup[T, T]):
    """A query that was asked already.

    Arguments:
        items: what it gave.
        described: what was asked, for messages.
    """

    def __init__(self, items: list[T], described: str) -> None:
        self._items = items
        self._described = described

    async def find(self, at_most: int | None) -> list[T]:
        """Return the items, in a list of its own."""
        return self._items[:at_most]

    async def make(self, found: Sequence[T]) -> list[T]:
        """Return them, in a list of their own."""
        return list(found)

    async def stream(self) -> AsyncGenerator[T, None]:
        """Yield the items."""
        for item in self._items:
            yield item

    async def count(self) -> int:
        """Return how many items there are."""
        return len(self._items)

    async def exists(self) -> bool:
        """Tell whether there is an item."""
        return bool(self._items)

    def __str__(self) -> str:
        return self._described
