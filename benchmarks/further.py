"""Figures beside the workloads: what is felt although it is no work on documents, and the memory of one large flush.

Used by `__main__`, for the second table.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

import fresh
from clock import Clock
from documents import FLAT, ORDER, Kind, Order, Product, WrongResult, check_documents
from harness import JUDGED_ROUNDS, Bench, Figure, Ground, Row, Workload, connected
from memory import PeakMemory
from w13_import import milliseconds

from mongotic import Session, col, func, ops, select, update
from mongotic.asyncio import AsyncSession
from mongotic_adapters.collector import pause_collector

COMMITS = 2_000
CLEAN = 10_000
FLUSHED = 100_000
STATEMENTS = 2_000
_FLUSH_ROUNDS = 1  # memory hardly differs between rounds


@dataclass(frozen=True)
class Measured:
    """One further figure.

    Attributes:
        code: its number.
        title: what it is.
        notes: how it is measured.
        unit: of the figure.
        documents: how many documents it is about; the run may ask for fewer.
        lines: the kinds of documents, and what else tells its lines apart, with the bar of each.
        figure: measures one round of a line, with that many documents.
        rounds: at most so many.
    """

    code: str
    title: str
    notes: str
    unit: str
    documents: int
    lines: list[tuple[str, str, float | None]]
    figure: Callable[[Bench, str, str, int], float]
    rounds: int = JUDGED_ROUNDS

    def measure(self, bench: Bench) -> list[Row]:
        bench.progress(f"{self.code} {self.title}")
        count = bench.scaled(self.documents)
        rounds = range(min(self.rounds, bench.rounds))
        return [
            Row(
                code=self.code,
                title=self.title,
                kind=kind,
                against=against,
                baseline=None,
                baseline_unit="",
                odmantic=None,
                mongotic=Figure([self.figure(bench, kind, against, count) for _ in rounds]),
                unit=self.unit,
                bar=bar,
                judged=bench.judges(self.documents),
            )
            for kind, against, bar in self.lines
        ]


_KINDS: dict[str, Kind] = {kind.name: kind for kind in (FLAT, ORDER)}


def compile_update(_bench: Bench, _kind: str, _against: str, count: int) -> float:
    """Return the microseconds of an `update` statement of two conditions and two values."""
    with Clock() as clock:
        for number in range(count):
            update(Product).where(Product.quantity > number, Product.active == True).values(
                quantity=number, active=False
            )
    return 1e6 * clock.seconds / count


def empty_commit(bench: Bench, _kind: str, against: str, count: int) -> float:
    """Return the microseconds of a commit that has nothing to write."""
    ground, clock = Ground(bench.clients, FLAT, 1), Clock()
    if against == "MongoClient":
        with ground.session() as session, clock:
            for _ in range(count):
                session.commit()
    else:
        bench.clients.loop.run_until_complete(_empty_commits(ground, clock, count))
    return 1e6 * clock.seconds / count


async def _empty_commits(ground: Ground, clock: Clock, count: int) -> None:
    async with ground.async_session() as session:
        with clock:
            for _ in range(count):
                await session.commit()


def dirty(bench: Bench, kind: str, against: str, count: int) -> float:
    """Return the milliseconds of asking a session what has changed among objects of which none has.

    Raises:
        WrongResult: it finds some, or does not find the one that is changed afterwards.
    """
    ground = Ground(bench.clients, _KINDS[kind], count)
    ground.fill()
    if against == "MongoClient":
        with ground.session() as session:
            return _dirty(session, session.scalars(select(ground.kind.model)).all())
    return bench.clients.loop.run_until_complete(_awaited_dirty(ground))


async def _awaited_dirty(ground: Ground) -> float:
    async with ground.async_session() as session:
        return _dirty(session, await session.scalars(select(ground.kind.model)).all())


def _dirty(session: Session | AsyncSession, found: Sequence[object]) -> float:
    with Clock() as clock:
        changed = session.dirty
    cast("Product", found[-1]).quantity += 1
    if changed or session.dirty != [found[-1]]:
        raise WrongResult("session.dirty does not tell what has changed")
    return 1e3 * clock.seconds


def flush(bench: Bench, kind: str, against: str, count: int) -> float:
    """Return the megabytes of a flush of new objects, above these objects themselves."""
    Ground(bench.clients, _KINDS[kind], count).empty()
    found = fresh.call(
        __name__,
        "flush_memory",
        uri=bench.clients.uri,
        database=bench.clients.database,
        kind=kind,
        awaiting=against != "MongoClient",
        count=count,
    )
    return cast("float", found)


def flush_memory(uri: str, database: str, kind: str, awaiting: bool, count: int) -> float:
    """Flush new objects and return the peak in megabytes, above what there was with the objects; for a process of its
    own.

    Raises:
        WrongResult: not all of them are stored.
    """
    with connected(uri, database) as clients:
        ground = Ground(clients, _KINDS[kind], count)
        act: Callable[[Ground, int], float | Awaitable[float]] = _awaited_flush if awaiting else _flush
        for number in (min(50, count), count):
            ground.empty()
            found = act(ground, number)
            megabytes = found if isinstance(found, float) else clients.loop.run_until_complete(_result(found))
            if ground.collection.count_documents({}) != number:
                raise WrongResult("the flush did not store every object")
    return megabytes


async def _result(found: Awaitable[float]) -> float:
    return await found


def _flush(ground: Ground, count: int) -> float:
    instances = ground.kind.instances(count)
    with ground.session() as session:
        with PeakMemory() as memory:
            session.add_all(instances)
            session.flush()
        session.commit()
    return memory.megabytes


async def _awaited_flush(ground: Ground, count: int) -> float:
    instances = ground.kind.instances(count)
    async with ground.async_session() as session:
        await asyncio.sleep(0)
        with PeakMemory() as memory:
            session.add_all(instances)
            await session.flush()
        await session.commit()
    return memory.megabytes


def import_everything(_bench: Bench, _kind: str, _against: str, _count: int) -> float:
    """Return the milliseconds of `import mongotic` and all it needs, in a process of its own."""
    [[found]] = milliseconds(["mongotic"], 1)
    return found


def total(bench: Bench, _kind: str, way: str, count: int) -> float:
    """Return the milliseconds of adding up one field of orders, in one of several ways.

    Raises:
        WrongResult: the total is wrong.
    """
    ground, clock = Ground(bench.clients, ORDER, count), Clock()
    ground.fill()
    found: int | None
    pause_collector(way != "objects, collector on")
    try:
        with ground.session() as session, clock:
            if way == "stream":
                found = sum(order.quantity for order in session.stream_scalars(select(Order)))
            elif way == "column":
                found = sum(session.scalars(select(Order.quantity)).all())
            elif way == "statement":
                found = session.scalar(select(func.sum(col(Order.quantity))))
            else:
                found = sum(order.quantity for order in session.scalars(select(Order)).all())
    finally:
        pause_collector(True)
    if found != sum(cast("int", document["quantity"]) for document in ORDER.documents(count)):
        raise WrongResult(f"{way}: the quantities add up to {found}")
    return 1e3 * clock.seconds


def change(bench: Bench, _kind: str, way: str, count: int) -> float:
    """Return the milliseconds of adding one to a field of every order, in one of two ways.

    Raises:
        WrongResult: not every order has it.
    """
    ground, clock = Ground(bench.clients, ORDER, count), Clock()
    ground.fill()
    with ground.session() as session, clock:
        if way == "statement":
            session.execute(update(Order).values(quantity=ops.inc(1)))
        else:
            for order in session.scalars(select(Order)).all():
                order.quantity += 1
            session.commit()
    check_documents(ORDER, ground.collection.find({}), count, added=1)
    return 1e3 * clock.seconds


_SIDES = ("MongoClient", "AsyncMongoClient")

FURTHER: list[Workload] = [
    Measured(
        "F1",
        "compile an update statement",
        f"{STATEMENTS:,} statements, of two conditions and two values.",
        " µs",
        STATEMENTS,
        [("", "", None)],
        compile_update,
    ),
    Measured(
        "F2",
        "commit with nothing to write",
        f"{COMMITS:,} commits of one session; nothing is sent.",
        " µs",
        COMMITS,
        [("", side, None) for side in _SIDES],
        empty_commit,
    ),
    Measured(
        "F3",
        "session.dirty on 10,000 clean objects",
        "The objects were read from the database; none has changed.",
        " ms",
        CLEAN,
        [(kind, side, 10.0) for kind in ("flat", "order") for side in _SIDES],
        dirty,
    ),
    Measured(
        "F4",
        "peak memory of flushing 100,000 new objects",
        "add_all and flush in a process of its own, once each; megabytes of resident memory above those "
        "with the objects made and connected.",
        " MB",
        FLUSHED,
        [(kind, side, 400.0) for kind in ("flat", "order") for side in _SIDES],
        flush,
        rounds=_FLUSH_ROUNDS,
    ),
    Measured(
        "F5",
        "import mongotic, with all it needs",
        "In a process of its own; ODMantic, Pydantic, Motor and PyMongo are among what it needs.",
        " ms",
        1,
        [("", "", None)],
        import_everything,
    ),
    Measured(
        "F6",
        "the total of one field of 20,000 orders",
        "objects: all().  objects, collector on: the same while mongotic leaves Python's garbage collector alone. "
        "stream: stream_scalars. column: select(Order.quantity). statement: the server adds up, func.sum. Blocking.",
        " ms",
        20_000,
        [("order", way, None) for way in ("objects", "objects, collector on", "stream", "column", "statement")],
        total,
        rounds=3,
    ),
    Measured(
        "F7",
        "add one to a field of 5,000 orders",
        "objects: load, change, commit. statement: update(Order).values(quantity=ops.inc(1)). Blocking.",
        " ms",
        5_000,
        [("order", way, None) for way in ("objects", "statement")],
        change,
    ),
]
