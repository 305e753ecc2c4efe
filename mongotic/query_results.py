"""What queries give: `ScalarResult` for `scalars`, `SelectResult` for `execute`.

Made by `Session`, and by `AsyncSession` for what it has fetched already; the awaiting twins are in
`mongotic.asyncio.result`.  `mongotic.result` shows both to users.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from html import escape
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar, cast

from typing_extensions import Self, TypeVarTuple, Unpack

from mongotic_adapters.flows import driving
from mongotic_adapters.flows.arranging import PART, parts, unique
from mongotic_adapters.flows.questions import Buffer, Query
from mongotic_adapters.mapped_rows import chosen, mapped
from mongotic_adapters.rows import Row
from mongotic_adapters.shown import shown

from . import tables
from .exceptions import ArgumentError, ArgumentTypeError, MongoticError

T = TypeVar("T")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class Asker(Protocol):
    """What a result needs of a session."""

    def run(self, flow: Coroutine[object, None, R]) -> R:
        """Ask a question and return the answer."""
        ...

    def guarded(self, stream: AsyncGenerator[R, None]) -> AsyncGenerator[R, None]:
        """Yield what a stream yields."""
        ...


class QueryResult(Generic[T]):
    """What results of queries have in common; see `ScalarResult` and `SelectResult`."""

    def __init__(self, session: Asker, query: Query[T]) -> None:
        self._session = session
        self._query = query

    def all(self) -> list[T]:
        """Return everything the query gives.

        Returns:
            A list in the order of the query; one `find` command, and one more per referenced model.

        Raises:
            DocumentError: a document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return self._session.run(self._query.all())

    def first(self) -> T | None:
        """Return the first, or None: a `find` command with limit 1.

        Raises:
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return self._session.run(self._query.first())

    def one(self) -> T:
        """Return the only one: a `find` command with limit 2.

        Raises:
            NotFound: there is none.
            MultipleResultsFound: there is more than one.
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return self._session.run(self._query.one())

    def one_or_none(self) -> T | None:
        """Return the only one, or None: a `find` command with limit 2.

        Raises:
            MultipleResultsFound: there is more than one.
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return self._session.run(self._query.one_or_none())

    def count(self) -> int:
        """Return how many documents the query gives, limit and offset included: an `aggregate` command.

        After `distinct`, it is the number of distinct rows.

        Raises:
            OperationalError: the driver or the server failed.
        """
        return self._session.run(self._query.count())

    def exists(self) -> bool:
        """Tell whether the query gives any document: a `find` command with limit 1 that fetches nothing but `_id`.

        Raises:
            OperationalError: the driver or the server failed.
        """
        return self._session.run(self._query.exists())

    def partitions(self, size: int | None = None) -> Iterator[list[T]]:
        """Give lists of several, fetched as an iteration fetches them.

        Arguments:
            size: how many are in a list, but for the last; None for 1,000.

        Raises:
            ArgumentError: the number is not positive.
        """
        return driving.iterate(parts(self._session.guarded(self._query.stream()), part_size(size)))

    def __iter__(self) -> Iterator[T]:
        """Give one after the other, fetched 1,000 documents at a time, or as many as `yield_per` says.

        An instance not changed by the time the next one is asked for is let go by the session, so that memory does
        not grow with the result; a changed one is kept and written by the next flush.  After `yield_per`, instances
        belong to no session.
        """
        return driving.iterate(self._session.guarded(self._query.stream()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._query}>"

    def _repr_html_(self) -> str:
        """Return the first items as a table, for notebooks: a `find` command, unless they were fetched already."""
        walk = cast("Generator[T]", iter(self))
        try:
            items = list(islice(walk, tables.SHOWN + 1))
        except MongoticError:  # a session that is closed, say: to look at a result is no error
            return f"<code>{escape(repr(self))}</code>"
        finally:
            walk.close()
        return tables.html_table(items[: tables.SHOWN], more=len(items) > tables.SHOWN)


class ScalarResult(QueryResult[T]):
    """The instances a query gives, or the values of its only column.

    It is lazy and can be asked again: each method sends a query of its own.
    """

    def unique(self, strategy: Callable[[T], object] | None = None) -> Self:
        """Return a result that gives each item once, where it comes first.

        Instances are told apart by identity, values by `==`.  The server sends all of them: to send each once is
        `select(...).distinct()`.

        Arguments:
            strategy: makes what is compared of an item.
        """
        return type(self)(self._session, unique(self._query, strategy))


class SelectResult(QueryResult[Row[Unpack[Ts]]], Generic[Unpack[Ts]]):
    """The rows a query gives: `row.name`, `row[0]`, `row["name"]`, or `name, age = row`.

    It is lazy and can be asked again: each method sends a query of its own.
    """

    def mappings(self) -> MappingResult:
        """Return the rows as read-only mappings from names to values."""
        return MappingResult(self._session, self._query.transformed(mapped))

    def tuples(self) -> SelectResult[Unpack[Ts]]:
        """Return the result itself: a row is a tuple already.  SQLAlchemy needs it for type checkers."""
        return self

    def columns(self, *keys: int | str) -> SelectResult[Unpack[tuple[Any, ...]]]:
        """Return a result with rows of some columns.

        Arguments:
            *keys: names or positions, in the order wanted.

        Raises:
            ArgumentTypeError: a key is neither.
            ArgumentError: there is no such column; raised with the first row.
        """
        return SelectResult(self._session, self._query.transformed(chosen(keys)))

    def unique(self, strategy: Callable[[Row[Unpack[Ts]]], object] | None = None) -> SelectResult[Unpack[Ts]]:
        """Return a result that gives each row once; see `ScalarResult.unique`."""
        return SelectResult(self._session, unique(self._query, strategy))

    def scalars(self: SelectResult[T, Unpack[tuple[Any, ...]]]) -> ScalarResult[T]:
        """Return the values of the first column; the instances, after `select(Model)`."""
        return ScalarResult(self._session, self._query.transformed(first_value))


class MappingResult(QueryResult[Mapping[str, Any]]):
    """The rows a query gives, as read-only mappings from names to values."""


# Typed by hand: of the first type of a row, whatever comes after it.
first_value = cast("Any", itemgetter(0))


class _Nobody:
    """Stands for the session of a result that was fetched already."""

    def run(self, flow: Coroutine[object, None, R]) -> R:
        return driving.run(flow)

    def guarded(self, stream: AsyncGenerator[R, None]) -> AsyncGenerator[R, None]:
        return stream


NOBODY = _Nobody()


def buffered_rows(rows: list[Row[Unpack[Ts]]], described: str) -> SelectResult[Unpack[Ts]]:
    """Return a result of rows that were fetched already; it asks nobody again."""
    return SelectResult(NOBODY, Buffer(rows, described))


def part_size(size: object) -> int:
    """Return how many items a part has.

    Raises:
        ArgumentTypeError: it is no whole number.
        ArgumentError: it is not positive.
    """
    if size is None:
        return PART
    if isinstance(size, bool) or not isinstance(size, int):
        raise ArgumentTypeError(f"partitions() takes a number of items, got {shown(size)}")
    if size < 1:
        raise ArgumentError(f"partitions() takes a number of items from 1, got {shown(size)}")
    return size
