"""What statements give: `Result` for writes, `ScalarResult` for queries.

Made by `Session`; the awaiting twin of `ScalarResult` is in `mongotic.asyncio.result`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import bson

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.commands import Read, WriteReport
from mongotic_adapters.flows import driving, reading
from mongotic_adapters.port import Port

if TYPE_CHECKING:
    from .session import Session

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Result:
    """What a write statement did.

    Attributes:
        rowcount: documents inserted, modified or deleted; -1 when writes are not acknowledged (`w=0`).
        matched_count: documents that fitted the condition of an update, changed by it or not; -1 when not acknowledged.
        modified_count: documents an update changed; -1 when not acknowledged.
        inserted_primary_keys: the keys of the inserted documents, in order.
    """

    rowcount: int
    matched_count: int = 0
    modified_count: int = 0
    inserted_primary_keys: list[object] = field(default_factory=lambda: cast("list[object]", []))

    @property
    def inserted_ids(self) -> list[object]:
        """The keys of the inserted documents, in order; an ObjectId is given as its string."""
        return [str(key) if isinstance(key, bson.ObjectId) else key for key in self.inserted_primary_keys]


def inserted(keys: list[object]) -> Result:
    """Return the result of an insert."""
    return Result(rowcount=len(keys), inserted_primary_keys=keys)


def updated(report: WriteReport) -> Result:
    """Return the result of an update."""
    matched, modified = (-1 if count is None else count for count in (report.matched, report.modified))
    return Result(rowcount=modified, matched_count=matched, modified_count=modified)


def deleted(report: WriteReport) -> Result:
    """Return the result of a delete."""
    return Result(rowcount=-1 if report.deleted is None else report.deleted)


class ScalarResult(Generic[T]):
    """The instances a query gives.

    It is lazy and can be asked again: each method sends a query of its own.
    """

    def __init__(self, session: Session, command: Read) -> None:
        self._session = session
        self._command = command

    def all(self) -> list[T]:
        """Return every instance.

        Returns:
            The instances in the order of the query; one `find` command, and one more per referenced model.

        Raises:
            DocumentError: a document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return cast("list[T]", self._ask(reading.fetch_all))

    def first(self) -> T | None:
        """Return the first instance, or None: a `find` command with limit 1.

        Raises:
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return cast("T | None", self._ask(reading.fetch_first))

    def one(self) -> T:
        """Return the only instance: a `find` command with limit 2.

        Raises:
            NotFound: there is none.
            MultipleResultsFound: there is more than one.
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return cast("T", self._ask(reading.fetch_one))

    def one_or_none(self) -> T | None:
        """Return the only instance, or None: a `find` command with limit 2.

        Raises:
            MultipleResultsFound: there is more than one.
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return cast("T | None", self._ask(reading.fetch_one_or_none))

    def count(self) -> int:
        """Return how many documents the query gives, limit and offset included: an `aggregate` command.

        Raises:
            OperationalError: the driver or the server failed.
        """
        return self._ask(reading.count)

    def exists(self) -> bool:
        """Tell whether the query gives any document: a `find` command with limit 1 that fetches nothing but `_id`.

        Raises:
            OperationalError: the driver or the server failed.
        """
        return self._ask(reading.exists)

    def __iter__(self) -> Iterator[T]:
        """Give the instances one by one, fetched 1,000 documents at a time.

        An instance not changed by the time the next one is asked for is let go by the session, so that memory does
        not grow with the result; a changed one is kept and written by the next flush.
        """
        stream = reading.iterate(*self._session.engine_room, self._command)
        return cast("Iterator[T]", driving.iterate(self._session.guarded(stream)))

    def _ask(self, question: Callable[[Port, Bookkeeping, Read], Coroutine[object, None, R]]) -> R:
        return self._session.run(question(*self._session.engine_room, self._command))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._command.mapping.name}, where {self._command.filter!r}>"
