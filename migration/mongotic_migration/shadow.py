"""Shadow reads: ODMantic answers, mongotic is asked the same in the background, and the two answers are compared.

Used by applications on live traffic, before a call site is rewritten:

```python
shadows = AsyncShadowSession(AsyncSessionLocal, sample=0.1)
users = await shadows.shadow(lambda: engine.find(User, User.age > 18), select(User).where(User.age > 18))
```

What the caller gets, and which error, is ODMantic's.  A call that is picked costs the caller ODMantic's own call and
the taking down of its result; everything else is done later, with a bound on how much of it is under way.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar, cast, overload

import pymongo
from odmantic import Model
from odmantic.engine import AIOCursor, SyncCursor
from typing_extensions import Self

from mongotic import ArgumentError, Select, Session, sessionmaker
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.exceptions import ArgumentTypeError

from .shadow_comparison import Comparison, Difference, Seen, differences, log, taken_down

__all__ = ["AsyncShadowSession", "Comparison", "Difference", "ShadowSession", "log"]

M = TypeVar("M", bound=Model)
T = TypeVar("T")

ASKED_AGAIN = 2
"""How often both are asked again when they differ, before it is called a difference: somebody may have written between
the two."""

logger = logging.getLogger("mongotic.shadow")


@dataclass(frozen=True)
class _Call:
    """One call that was picked.

    Attributes:
        find: asks ODMantic again.
        statement: asks mongotic.
        result: what ODMantic has given, if it could be taken down.
        is_list: it was a list; otherwise one instance, or None.
        is_count: it was a number.
        comparison: what is known of it already.
    """

    find: Callable[[], object]
    statement: Select[Any]
    result: tuple[Seen, ...]
    is_list: bool
    is_count: bool
    comparison: Comparison


@dataclass
class Tally:
    """How often what has come out.

    Attributes:
        same: both have read the same.
        changing: both have read the same when they were asked again.
        different: they have not.
        failed: the statement has raised an error.
        skipped: calls that were picked, and not compared because too many were under way.
    """

    same: int = 0
    changing: int = 0
    different: int = 0
    failed: int = 0
    skipped: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, outcome: str) -> None:
        """Count one more."""
        with self._lock:
            setattr(self, outcome, getattr(self, outcome) + 1)


class _Shadows:
    """What both kinds share: which calls are picked, and what becomes of a comparison.

    Attributes:
        tally: how often what has come out.
    """

    def __init__(
        self,
        sample: float,
        limit: int,
        timeout: float,
        report: Callable[[Comparison], object],
    ) -> None:
        if not 0 <= sample <= 1:
            raise ArgumentError(f"sample={sample!r}: it takes a number from 0 to 1, 0.1 for every tenth call")
        if limit < 1 or timeout <= 0:
            raise ArgumentError(f"limit={limit!r}, timeout={timeout!r}: both take numbers above 0")
        self._sample = sample
        self._limit = limit
        self._timeout = timeout
        self._report = report
        self._closed = False
        self.tally = Tally()

    def _is_picked(self) -> bool:
        # Which calls are picked is no secret.
        return not self._closed and random.random() < self._sample

    def _call(
        self, find: Callable[[], object], statement: Select[Any], name: str, result: object, seconds: float
    ) -> _Call | None:
        """Return the call, with its result taken down; None if it cannot be, which is told."""
        comparison = Comparison(name or repr(statement), "failed", seconds)
        try:
            seen = taken_down(result)
        except Exception as error:  # noqa: BLE001  # a serializer of the user's may raise anything: not at the caller
            self._tell(Comparison(comparison.name, "failed", seconds, error=error))
            return None
        is_count = isinstance(result, int) and not isinstance(result, bool)
        return _Call(find, statement, seen, isinstance(result, list), is_count, comparison)

    def _compared(self, call: _Call, mine: object, seconds: float, result: tuple[Seen, ...]) -> Comparison:
        found = differences(result, taken_down(mine))
        before = call.comparison
        return Comparison(before.name, "different" if found else "same", before.odmantic_seconds, seconds, found)

    def _failed(self, call: _Call, error: Exception) -> Comparison:
        return Comparison(call.comparison.name, "failed", call.comparison.odmantic_seconds, error=error)

    def _tell(self, comparison: Comparison) -> None:
        self.tally.count(comparison.outcome)
        try:
            self._report(comparison)
        except Exception:  # of the user's callback
            logger.exception("the report of a comparison failed")


def _expect_question(find: object, statement: object) -> None:
    if not callable(find):
        raise ArgumentTypeError(
            f"shadow() takes a function that makes ODMantic's call, lambda: engine.find(...), got {find!r}"
        )
    if not isinstance(statement, Select):
        raise ArgumentTypeError(f"shadow() takes a select(), which only reads, got {statement!r}")


def _settled(comparison: Comparison, first: Comparison) -> Comparison:
    """Return the comparison of a repetition as that of the call."""
    outcome = "changing" if comparison.outcome == "same" else comparison.outcome
    return Comparison(
        first.name,
        outcome,
        first.odmantic_seconds,
        first.mongotic_seconds,
        comparison.differences,
    )


class ShadowSession(_Shadows):
    """Shadow reads of an `odmantic.SyncEngine`; the comparisons run in threads of their own.

    Arguments:
        maker: makes the sessions that mongotic reads with.
        sample: which part of the calls is compared: 1.0 for all.
        limit: how many comparisons may be under way; more are skipped.
        timeout: how many seconds a comparison may ask the server.
        report: is called with each `Comparison`, in another thread; `log` writes what differs to the log
            `mongotic.shadow`.

    Raises:
        ArgumentError: a number is out of range.
    """

    def __init__(
        self,
        maker: sessionmaker,
        *,
        sample: float = 1.0,
        limit: int = 4,
        timeout: float = 10.0,
        report: Callable[[Comparison], object] = log,
    ) -> None:
        super().__init__(sample, limit, timeout, report)
        self._maker = maker
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix="mongotic-shadow")
        self._free = threading.BoundedSemaphore(limit)

    @overload
    def shadow(self, find: Callable[[], SyncCursor[M]], statement: Select[Any], name: str = "") -> list[M]: ...
    @overload
    def shadow(self, find: Callable[[], T], statement: Select[Any], name: str = "") -> T: ...
    def shadow(self, find: Callable[[], object], statement: Select[Any], name: str = "") -> object:
        """Return what ODMantic's call gives, and have it compared with what a statement gives.

        Arguments:
            find: makes the call: `lambda: engine.find(User, User.age > 18)`, or `find_one` or `count`.  When the two
                differ it is made again in the background, to tell a difference from a write in between.
            statement: the same question to mongotic.
            name: what the comparison is called; the statement's text without it.

        Returns:
            What the call gives; a list where ODMantic gives a cursor.

        Raises:
            ArgumentTypeError: *find* is no function, or *statement* no `select()`.
            Exception: what the call raises, and nothing that has to do with the comparison.
        """
        _expect_question(find, statement)
        start = time.perf_counter()
        result = _read(find)
        seconds = time.perf_counter() - start
        if self._is_picked():
            if self._free.acquire(blocking=False):
                self._begin(self._call(find, statement, name, result, seconds))
            else:
                self.tally.count("skipped")
        return result

    def _begin(self, call: _Call | None) -> None:
        if call is None:
            self._free.release()
            return
        try:
            begun = self._threads.submit(self._compare, call)
        except RuntimeError:  # closed, or the program ends
            self._free.release()
            return
        begun.add_done_callback(lambda _: self._free.release())

    def _compare(self, call: _Call) -> None:
        try:
            with pymongo.timeout(self._timeout):
                comparison = first = self._asked(call, call.result)
                for _ in range(ASKED_AGAIN):
                    if comparison.outcome != "different":
                        break
                    comparison = _settled(self._asked(call, taken_down(_read(call.find))), first)
        except Exception as error:  # noqa: BLE001  # whatever is wrong is told to `report`, and to nobody else
            comparison = self._failed(call, error)
        self._tell(comparison)

    def _asked(self, call: _Call, result: tuple[Seen, ...]) -> Comparison:
        start = time.perf_counter()
        with self._maker() as session:
            mine = _answer(session, call)
            return self._compared(call, mine, time.perf_counter() - start, result)

    def close(self) -> None:
        """Wait for the comparisons that are under way; calls made later are not compared."""
        self._closed = True
        self._threads.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(find: Callable[[], object]) -> object:
    given = find()
    return list(cast("SyncCursor[Model]", given)) if isinstance(given, SyncCursor) else given


def _answer(session: Session, call: _Call) -> object:
    found = session.scalars(call.statement)
    if call.is_count:
        return found.count()
    return found.all() if call.is_list else found.first()


class AsyncShadowSession(_Shadows):
    """Shadow reads of an `odmantic.AIOEngine`; the comparisons are tasks of the running loop, so `close` it
    before the loop ends.  See `ShadowSession`."""

    def __init__(
        self,
        maker: async_sessionmaker,
        *,
        sample: float = 1.0,
        limit: int = 4,
        timeout: float = 10.0,
        report: Callable[[Comparison], object] = log,
    ) -> None:
        super().__init__(sample, limit, timeout, report)
        self._maker = maker
        self._tasks: set[asyncio.Task[None]] = set()

    @overload
    async def shadow(self, find: Callable[[], AIOCursor[M]], statement: Select[Any], name: str = "") -> list[M]: ...
    @overload
    async def shadow(self, find: Callable[[], Awaitable[T]], statement: Select[Any], name: str = "") -> T: ...
    async def shadow(self, find: Callable[[], Awaitable[object]], statement: Select[Any], name: str = "") -> object:
        """Return what ODMantic's call gives, and have it compared; see `ShadowSession.shadow`."""
        _expect_question(find, statement)
        start = time.perf_counter()
        result = await find()
        seconds = time.perf_counter() - start
        if self._is_picked():
            if len(self._tasks) >= self._limit:
                self.tally.count("skipped")
                return result
            call = self._call(find, statement, name, result, seconds)
            if call is not None:
                task = asyncio.create_task(self._compare(call))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return result

    async def _compare(self, call: _Call) -> None:
        again = cast("Callable[[], Awaitable[object]]", call.find)
        try:
            with pymongo.timeout(self._timeout):
                comparison = first = await self._asked(call, call.result)
                for _ in range(ASKED_AGAIN):
                    if comparison.outcome != "different":
                        break
                    comparison = _settled(await self._asked(call, taken_down(await again())), first)
        except Exception as error:  # noqa: BLE001  # as in `ShadowSession`
            comparison = self._failed(call, error)
        self._tell(comparison)

    async def _asked(self, call: _Call, result: tuple[Seen, ...]) -> Comparison:
        start = time.perf_counter()
        async with self._maker() as session:
            mine = await _awaited_answer(session, call)
            return self._compared(call, mine, time.perf_counter() - start, result)

    async def close(self) -> None:
        """Wait for the comparisons that are under way; calls made later are not compared."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _awaited_answer(session: AsyncSession, call: _Call) -> object:
    found = session.scalars(call.statement)
    if call.is_count:
        return await found.count()
    return await found.all() if call.is_list else await found.first()
