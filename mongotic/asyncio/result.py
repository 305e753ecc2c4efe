"""The awaiting twins of `mongotic.result.ScalarResult` and `mongotic.result.SelectResult`.

Made by `AsyncSession`.  They serve two habits: that of mongotic 0.5, in which a method of a result is awaited, and that
of SQLAlchemy, in which the result is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from typing_extensions import TypeVarTuple, Unpack

from mongotic_adapters.flows.arranging import in_parts, parts, unique
from mongotic_adapters.flows.questions import Buffer, Query
from mongotic_adapters.rows import Row

from ..query_results import NOBODY, QueryResult, ScalarResult, SelectResult, part_size
from .unawaited import Answer, AnswerList, Unawaited, awaited

T = TypeVar("T")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class AsyncAsker(Protocol):
    """What a result needs of a session; see `mongotic.query_results.Asker`."""

    async def run(self, flow: Coroutine[object, None, R]) -> R:
        """Ask a question and return the answer."""
        ...

    def guarded(self, stream: AsyncGenerator[R, None]) -> AsyncGenerator[R, None]:
        """Yield what a stream yields."""
        ...


class AsyncScalarResult(Unawaited, Generic[T]):
    """The instances a query gives, or the values of its only column; see `mongotic.result.ScalarResult`.

    Every method is awaited: `await session.scalars(q).all()`.  Awaited itself, it fetches everything and becomes a
    `ScalarResult` whose methods are not: `(await session.scalars(q)).all()`.  Or
    `async for user in session.scalars(q)`.
    """

    def __init__(self, session: AsyncAsker, query: Query[T]) -> None:
        self._session = session
        self._query = query

    @awaited("session.scalars(statement).all()")
    async def all(self) -> list[T]:
        """Return everything the query gives; see `ScalarResult.all`."""
        return await self._session.run(self._query.all())

    @awaited("session.scalars(statement).first()")
    async def first(self) -> T | None:
        """Return the first, or None; see `ScalarResult.first`."""
        return await self._session.run(self._query.first())

    @awaited("session.scalars(statement).one()")
    async def one(self) -> T:
        """Return the only one; see `ScalarResult.one`."""
        return await self._session.run(self._query.one())

    @awaited("session.scalars(statement).one_or_none()")
    async def one_or_none(self) -> T | None:
        """Return the only one, or None; see `ScalarResult.one_or_none`."""
        return await self._session.run(self._query.one_or_none())

    @awaited("session.scalars(statement).count()")
    async def count(self) -> int:
        """Return how many documents the query gives; see `ScalarResult.count`."""
        return await self._session.run(self._query.count())

    @awaited("session.scalars(statement).exists()")
    async def exists(self) -> bool:
        """Tell whether the query gives any document; see `ScalarResult.exists`."""
        return await self._session.run(self._query.exists())

    def unique(self, strategy: Callable[[T], object] | None = None) -> AsyncScalarResult[T]:
        """Return a result that gives each item once; see `ScalarResult.unique`."""
        return AsyncScalarResult(self._session, unique(self._query, strategy))

    def partitions(self, size: int | None = None) -> AsyncIterator[list[T]]:
        """Give lists of several: `async for users in result.partitions(100)`; see `ScalarResult.partitions`."""
        return parts(self._session.guarded(self._query.stream()), part_size(size))

    def __aiter__(self) -> AsyncIterator[T]:
        """Give one after the other; see `ScalarResult.__iter__`."""
        return self._session.guarded(self._query.stream())

    def __await__(self) -> Generator[Any, None, AwaitedScalarResult[T]]:  # the event loop decides what passes
        return self._buffered().__await__()

    async def _buffered(self) -> AwaitedScalarResult[T]:
        return AwaitedScalarResult(NOBODY, Buffer(await self.all(), str(self._query)))

    def _advice(self) -> str:
        return (
            "scalars() of an AsyncSession gives what is still to be awaited: write "
            "`await session.scalars(statement).all()`, or `async for item in session.scalars(statement)`, or "
            "`result = await session.scalars(statement)` and use that"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._query}>"


class AwaitedScalarResult(ScalarResult[T]):
    """What `await session.scalars(statement)` gives: a `ScalarResult` that `async for` takes, too."""

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Give one after the other; see `ScalarResult.__iter__`."""
        for item in self.all():
            yield item


class AsyncBufferedResult(Unawaited, Generic[T]):
    """What a query gave, for either habit; see `AsyncSelectResult`."""

    def __init__(self, result: QueryResult[T]) -> None:
        self._result = result

    def all(self) -> AnswerList[T]:
        """Return everything the query gave; awaited or not.  See `SelectResult.all`."""
        return AnswerList(self._result.all())

    def first(self) -> Answer[T | None]:
        """Return the first, or None, once awaited; see `SelectResult.first`."""
        return Answer("first", self._result.first)

    def one(self) -> Answer[T]:
        """Return the only one, once awaited; see `SelectResult.one`."""
        return Answer("one", self._result.one)

    def one_or_none(self) -> Answer[T | None]:
        """Return the only one, or None, once awaited; see `SelectResult.one_or_none`."""
        return Answer("one_or_none", self._result.one_or_none)

    def count(self) -> Answer[int]:
        """Return how many the query gave, once awaited; see `SelectResult.count`."""
        return Answer("count", self._result.count)

    def exists(self) -> Answer[bool]:
        """Tell whether the query gave any, once awaited; see `SelectResult.exists`."""
        return Answer("exists", self._result.exists)

    def partitions(self, size: int | None = None) -> Parts[T]:
        """Return what the query gave in lists of several, for `for` and `async for`; see `SelectResult.partitions`."""
        return Parts(in_parts(self._result.all(), part_size(size)))

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Give one after the other; see `SelectResult.__iter__`."""
        for item in self._result.all():
            yield item

    def _advice(self) -> str:
        return (
            "the result of an AsyncSession's execute() is asked by its methods: write `for row in result.all()`, or "
            "`async for row in result`, or `rows = await result.all()`; async_sessionmaker(..., sync_results=True) "
            "gives results to use as those of a blocking session"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._result!r}>"

    def _repr_html_(self) -> str:
        return self._result._repr_html_()  # pyright: ignore[reportPrivateUsage]  # a name notebooks have chosen


class Parts(AnswerList[list[T]]):
    """What was fetched, in lists of several; for `for`, `async for` and `await`."""

    async def __aiter__(self) -> AsyncGenerator[list[T], None]:
        """Give one list after the other."""
        for part in self:
            yield part


class AsyncBufferedScalars(AsyncBufferedResult[T]):
    """What `AsyncSelectResult.scalars` gives: the values of the first column."""

    _result: ScalarResult[T]

    def unique(self, strategy: Callable[[T], object] | None = None) -> AsyncBufferedScalars[T]:
        """Return a result that gives each value once; see `ScalarResult.unique`."""
        return AsyncBufferedScalars(self._result.unique(strategy))


class AsyncMappingResult(AsyncBufferedResult[Mapping[str, Any]]):
    """What `AsyncSelectResult.mappings` gives: the rows as read-only mappings from names to values."""


class AsyncSelectResult(AsyncBufferedResult[Row[Unpack[Ts]]], Generic[Unpack[Ts]]):
    """The rows a query gave; see `mongotic.result.SelectResult`.

    They were fetched by `await session.execute(...)`, all of them.  Methods are awaited; what gives a list need not
    be: `rows = await result.all()`, `for row in result.all()`, `async for row in result`.
    """

    _result: SelectResult[Unpack[Ts]]

    def __init__(self, result: SelectResult[Unpack[Ts]]) -> None:
        super().__init__(result)

    def mappings(self) -> AsyncMappingResult:
        """Return the rows as read-only mappings; see `SelectResult.mappings`."""
        return AsyncMappingResult(self._result.mappings())

    def tuples(self) -> AsyncSelectResult[Unpack[Ts]]:
        """Return the result itself; see `SelectResult.tuples`."""
        return self

    def columns(self, *keys: int | str) -> AsyncSelectResult[Unpack[tuple[Any, ...]]]:
        """Return a result with rows of some columns; see `SelectResult.columns`."""
        return AsyncSelectResult(self._result.columns(*keys))

    def unique(self, strategy: Callable[[Row[Unpack[Ts]]], object] | None = None) -> AsyncSelectResult[Unpack[Ts]]:
        """Return a result that gives each row once; see `SelectResult.unique`."""
        return AsyncSelectResult(self._result.unique(strategy))

    def scalars(self: AsyncSelectResult[T, Unpack[tuple[Any, ...]]]) -> AsyncBufferedScalars[T]:
        """Return the values of the first column; see `SelectResult.scalars`."""
        return AsyncBufferedScalars(self._result.scalars())
