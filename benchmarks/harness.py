"""The race: raw PyMongo, ODMantic and mongotic do the same work in turn, and their times are compared round by round.

Used by every workload.  The rules:

1. A contender prepares, does the work inside `with clock:`, and checks the result afterwards; the block alone counts.
2. All contenders run in one process and in every round, so that noise meets all alike; the order rotates.
3. A ratio compares two times per document of the same round; the median of these ratios is shown, with the smallest
   and the largest beside it.
4. The garbage collector is on, as a user has it.  `gc.collect()` runs before each timed block.
5. Nothing is timed before every contender has run once with few documents: connections and per-class work are done.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias
from uuid import uuid4

from clock import Clock as Clock  # workloads take everything of the race from here
from documents import Document, Kind, WrongResult
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from odmantic import AIOEngine, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection

from mongotic import Session, sessionmaker
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.asyncio import AsyncSession, async_sessionmaker

JUDGED_ROUNDS = 5
"""Fewer rounds are shown without a verdict."""

_WARM_UP_DOCUMENTS = 50
_FILLED_AT_ONCE = 1_000  # what is freed afterwards would hide from a measurement of memory


class Clients:
    """The clients of one server, a database of their own, and the event loop the awaiting ones run on.

    Write concern is `w=1`: with the default of a replica set, `majority`, each single write waits almost a millisecond
    whoever sends it, and that wait would hide what is compared.

    Arguments:
        uri: the server's connection string.
        database: work in this one, which belongs to another process; None for a new one, which `close` removes.
    """

    def __init__(self, uri: str, database: str | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.uri = uri
        self._is_guest = database is not None
        self.database = database or f"mongotic_benchmarks_{uuid4().hex[:12]}"
        self.blocking: MongoClient[Document] = MongoClient(uri, w=1)
        self.awaiting: AsyncMongoClient[Document] = AsyncMongoClient(uri, w=1)
        self.motor: AsyncIOMotorClient[Document] = AsyncIOMotorClient(uri, w=1, io_loop=self.loop)
        self.engine = SyncEngine(self.blocking, self.database)
        self.aio_engine = AIOEngine(self.motor, self.database)
        self.session = sessionmaker(self.engine)
        self.async_session = async_sessionmaker(PyMongoEngine(self.awaiting, self.database))
        self.motor_session = async_sessionmaker(self.aio_engine)

    @property
    def server_version(self) -> str:
        """The version of the server."""
        return str(self.blocking.server_info()["version"])

    async def wake(self) -> None:
        """Let the awaiting clients hear from the server again, after others kept the loop waiting."""
        await self.awaiting.admin.command("ping")
        await self.motor.admin.command("ping")
        await asyncio.sleep(0.02)

    def close(self) -> None:
        """Remove the database and disconnect."""
        if not self._is_guest:
            self.blocking.drop_database(self.database)
        self.loop.run_until_complete(self.awaiting.close())
        self.motor.close()
        self.blocking.close()
        self.loop.run_until_complete(asyncio.sleep(0.02))
        self.loop.close()


@contextmanager
def connected(uri: str, database: str | None = None) -> Iterator[Clients]:
    """Give clients of a server; their database is removed afterwards, unless it is another's; see `Clients`."""
    clients = Clients(uri, database)
    try:
        yield clients
    finally:
        clients.close()


@dataclass(frozen=True)
class Ground:
    """What one contender works on.

    Attributes:
        clients: the way to the server.
        kind: the kind of documents.
        count: how many documents.
    """

    clients: Clients
    kind: Kind
    count: int

    @property
    def collection(self) -> Collection[Document]:
        """The kind's collection, for `MongoClient`."""
        return self.clients.blocking[self.clients.database][self._name]

    @property
    def async_collection(self) -> AsyncCollection[Document]:
        """The kind's collection, for `AsyncMongoClient`."""
        return self.clients.awaiting[self.clients.database][self._name]

    @property
    def motor_collection(self) -> AsyncIOMotorCollection[Document]:
        """The kind's collection, for Motor."""
        return self.clients.motor[self.clients.database][self._name]

    @property
    def engine(self) -> SyncEngine:
        """ODMantic, blocking."""
        return self.clients.engine

    @property
    def aio_engine(self) -> AIOEngine:
        """ODMantic, awaiting."""
        return self.clients.aio_engine

    def session(self) -> Session:
        """Return a new mongotic session."""
        return self.clients.session()

    def async_session(self) -> AsyncSession:
        """Return a new awaiting mongotic session, on PyMongo's own asyncio client."""
        return self.clients.async_session()

    def motor_session(self) -> AsyncSession:
        """Return a new awaiting mongotic session, on Motor."""
        return self.clients.motor_session()

    def empty(self) -> None:
        """Make the collection empty; it exists afterwards, so that nobody's first insert has to create it."""
        self.collection.drop()
        self.clients.blocking[self.clients.database].create_collection(self._name)

    def fill(self) -> None:
        """Make the collection hold the first `count` documents and no other."""
        self.empty()
        for first in range(0, self.count, _FILLED_AT_ONCE):
            numbers = range(first, min(first + _FILLED_AT_ONCE, self.count))
            self.collection.insert_many([self.kind.document(number) for number in numbers])

    @property
    def _name(self) -> str:
        return self.kind.model.__collection__


class Party(Enum):
    """Who takes part."""

    RAW_SYNC = "MongoClient"
    RAW_ASYNC = "AsyncMongoClient"
    RAW_MOTOR = "Motor"
    ODMANTIC_SYNC = "ODMantic, sync"
    ODMANTIC_ASYNC = "ODMantic, async"
    MONGOTIC_SYNC = "mongotic, sync"
    MONGOTIC_ASYNC = "mongotic, async"
    MONGOTIC_MOTOR = "mongotic, on Motor"


# Whom each raw driver is compared with.  A row against Motor is for information: the bar is PyMongo's own client.
_COMPARED = {
    Party.RAW_SYNC: (Party.ODMANTIC_SYNC, Party.MONGOTIC_SYNC),
    Party.RAW_ASYNC: (Party.ODMANTIC_ASYNC, Party.MONGOTIC_ASYNC),
    Party.RAW_MOTOR: (Party.ODMANTIC_ASYNC, Party.MONGOTIC_MOTOR),
}

Act: TypeAlias = Callable[[Ground, Clock], None] | Callable[[Ground, Clock], Awaitable[None]]
"""One contender's work: prepares, does it inside `with clock:`, checks the result."""


@dataclass(frozen=True)
class Contender:
    """One participant of a race.

    Attributes:
        party: who it is.
        act: its work.
        share: it works on one document in so many, and is compared per document.
        rounds: in how many rounds it takes part at most; None for all.
    """

    party: Party
    act: Act
    share: int = 1
    rounds: int | None = None


@dataclass(frozen=True)
class Figure:
    """One measured quantity, once per round.

    Attributes:
        values: in order of the rounds.
    """

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        code: the workload's number.
        title: what is done.
        kind: the kind of documents; empty where it does not matter.
        against: what the figures are ratios to, or what is measured.
        baseline: of raw PyMongo, or what mongotic's figure comes on top of; None for a workload without it.
        baseline_unit: of `baseline`; microseconds per document in a race.
        odmantic: None where it has no counterpart.
        mongotic: the figure that is judged.
        unit: of the other figures; the times sign for a ratio.
        bar: what the figure may be at most; None for a row that is for information.
        judged: False when the run was shortened.
    """

    code: str
    title: str
    kind: str
    against: str
    baseline: Figure | None
    baseline_unit: str
    odmantic: Figure | None
    mongotic: Figure
    unit: str
    bar: float | None
    judged: bool

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the bar; None when that is not to be told."""
        return self.mongotic.median <= self.bar if self.judged and self.bar is not None else None


@dataclass(frozen=True)
class Bench:
    """One run of the benchmarks.

    Attributes:
        clients: the way to the server.
        rounds: how often everything is measured.
        most_documents: no contender gets more than these; None for no limit.
        progress: told what is being measured.
    """

    clients: Clients
    rounds: int
    most_documents: int | None
    progress: Callable[[str], None]

    def scaled(self, documents: int) -> int:
        """Return how many of a workload's documents this run uses."""
        return documents if self.most_documents is None else min(documents, self.most_documents)

    def judges(self, documents: int) -> bool:
        """Tell whether this run is long enough for a verdict."""
        return self.rounds >= JUDGED_ROUNDS and self.scaled(documents) == documents


class Workload(Protocol):
    """What a file `wNN_*.py` offers as `WORKLOAD`.  A `Race` is one; a workload may also measure in its own way."""

    @property
    def code(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def notes(self) -> str:
        """How it was measured, for below the table."""
        ...

    def measure(self, bench: Bench) -> list[Row]:
        """Return the lines of the table.

        Raises:
            WrongResult: a contender did not do the work.
        """
        ...


@dataclass(frozen=True)
class Race:
    """A workload in which all contenders do the same work on the same documents.

    Attributes:
        code: the workload's number.
        title: what is done.
        notes: how it is measured, for below the table.
        documents: how many.
        bars: the kinds of documents it is run with, and what the ratio may be at most.
        contenders: who takes part.
        stored: the documents are in the collection before the first round, and no contender changes them.
    """

    code: str
    title: str
    notes: str
    documents: int
    bars: Sequence[tuple[Kind, float]]
    contenders: Sequence[Contender]
    stored: bool

    def measure(self, bench: Bench) -> list[Row]:
        return [row for kind, bar in self.bars for row in self._rows(bench, kind, bar)]

    def ground(self, clients: Clients, kind: Kind, count: int) -> Ground:
        """Return the ground of this race, with its documents stored if they are to be."""
        ground = Ground(clients, kind, count)
        if self.stored:
            ground.fill()
        else:
            ground.empty()
        return ground

    def _rows(self, bench: Bench, kind: Kind, bar: float) -> list[Row]:
        bench.progress(f"{self.code} {self.title}, {kind.name}")
        times = self._run(bench, kind)
        rows: list[Row] = []
        for raw, (odmantic, mongotic) in _COMPARED.items():
            if raw in times and mongotic in times:
                rows.append(
                    Row(
                        code=self.code,
                        title=self.title,
                        kind=kind.name,
                        against=raw.value,
                        baseline=Figure([1e6 * seconds for seconds in times[raw]]),
                        baseline_unit=" µs",
                        odmantic=_ratio(times[odmantic], times[raw]) if odmantic in times else None,
                        mongotic=_ratio(times[mongotic], times[raw]),
                        unit="×",
                        bar=None if raw is Party.RAW_MOTOR else bar,
                        judged=bench.judges(self.documents),
                    )
                )
        return rows

    def _run(self, bench: Bench, kind: Kind) -> dict[Party, list[float]]:
        """Return each contender's seconds per document, round by round."""
        few = self.ground(bench.clients, kind, min(_WARM_UP_DOCUMENTS, bench.scaled(self.documents)))
        for contender in self.contenders:
            run_once(contender, few, Clock())
        ground = self.ground(bench.clients, kind, bench.scaled(self.documents))
        times: dict[Party, list[float]] = {}
        for number in range(bench.rounds):
            first = number % len(self.contenders)
            for contender in (*self.contenders[first:], *self.contenders[:first]):
                if contender.rounds is None or number < contender.rounds:
                    times.setdefault(contender.party, []).append(run_once(contender, ground, Clock()))
        return times


def run_once(contender: Contender, ground: Ground, clock: Clock) -> float:
    """Run a contender and return its seconds per document.

    Raises:
        WrongResult: it did not do the work; the message names it.
    """
    share = Ground(ground.clients, ground.kind, max(1, ground.count // contender.share))
    try:
        waiting = contender.act(share, clock)
        if waiting is not None:
            ground.clients.loop.run_until_complete(_finish(ground.clients, waiting))
    except WrongResult as error:
        raise WrongResult(f"{contender.party.value}: {error}") from error
    return clock.seconds / share.count


async def _finish(clients: Clients, work: Awaitable[None]) -> None:
    await clients.wake()
    await work


def _ratio(times: Sequence[float], raw: Sequence[float]) -> Figure:
    """Return the ratios of the rounds in which both took part; the one that sits out does so at the end."""
    return Figure([time / base for time, base in zip(times, raw, strict=False)])
