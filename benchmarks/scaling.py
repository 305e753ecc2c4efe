"""How time and memory grow with the number of documents: W1, W3 and W7 with a thousand to a million flat ones.

Used by `__main__` for `--scaling`.  Each figure comes from a process of its own, connected and warm before it counts;
the processes run functions of this file.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypedDict, cast

import fresh
from clock import Clock
from documents import FLAT, Document, Product, WrongResult
from harness import Bench, Clients, Ground, connected
from memory import PeakMemory
from report import Report, rounded, verdict, versions
from rich.table import Table

from mongotic import select

DOCUMENTS = 1_000_000
STEPS = (1_000, 100, 10, 1)
"""The sizes are the number of documents divided by these."""

BAR = 1.1
"""What an exponent may be at most; 1 is linear."""

LEAST_MEGABYTES = 0.1
"""Less counts as this: the system counts memory in pages, and nothing has no logarithm."""

_ROUNDS = 3
_WARM_UP = 50


class Used(TypedDict):
    """What a run took, above what there was before."""

    seconds: float
    megabytes: float


@dataclass
class Work:
    """What is to be done in one process.

    Attributes:
        clients: the way to the server.
        count: how many documents.
        part: as many as one session holds at most.
        seconds: what was timed so far.
    """

    clients: Clients
    count: int
    part: int
    seconds: float = 0.0
    _clock: Clock = field(default_factory=Clock)

    def __enter__(self) -> None:
        """Let a block count; what prepares it does not."""
        self._clock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._clock.end()
        self.seconds += self._clock.seconds

    @property
    def ground(self) -> Ground:
        """Where the documents are."""
        return Ground(self.clients, FLAT, self.count)

    def parts(self) -> Iterator[range]:
        """Cut the numbers of the documents into what one session holds."""
        for first in range(0, self.count, self.part):
            yield range(first, min(first + self.part, self.count))


# -- the work -----------------------------------------------------------------------------------------------------


def insert(work: Work) -> None:
    """W1: a session for each part."""
    for part in work.parts():
        _insert_part(work, part)


def _insert_part(work: Work, part: range) -> None:
    instances = [FLAT.instance(number) for number in part]
    with work.clients.session() as session, work:
        session.add_all(instances)
        session.commit()


async def insert_awaited(work: Work) -> None:
    """W1, awaiting."""
    for part in work.parts():
        await _insert_part_awaited(work, part)


async def _insert_part_awaited(work: Work, part: range) -> None:
    instances = [FLAT.instance(number) for number in part]
    async with work.clients.async_session() as session:
        with work:
            session.add_all(instances)
            await session.commit()


def read(work: Work) -> None:
    """W3: everything, or streamed if that is more than one session is to hold."""
    with work.clients.session() as session, work:
        if work.count > work.part:
            total = _sum(session.stream_scalars(select(Product)))
        else:
            total = _sum(session.scalars(select(Product)).all())
    _check(total, work.count)


async def read_awaited(work: Work) -> None:
    """W3, awaiting."""
    async with work.clients.async_session() as session:
        with work:
            if work.count > work.part:
                total = await _sum_awaited(session.stream_scalars(select(Product)))
            else:
                total = _sum(await session.scalars(select(Product)).all())
    _check(total, work.count)


def change(work: Work) -> None:
    """W7: pages by key, a session for each."""
    last: Product | None = None
    for part in work.parts():
        with work.clients.session() as session, work:
            page = select(Product).order_by(Product.id).after(last).limit(len(part))
            for instance in session.scalars(page).all():
                instance.quantity += 1
                last = instance
            session.commit()


async def change_awaited(work: Work) -> None:
    """W7, awaiting."""
    last: Product | None = None
    for part in work.parts():
        async with work.clients.async_session() as session:
            with work:
                page = select(Product).order_by(Product.id).after(last).limit(len(part))
                for instance in await session.scalars(page).all():
                    instance.quantity += 1
                    last = instance
                await session.commit()


def _sum(instances: Iterable[Product]) -> int:
    return sum(instance.quantity for instance in instances)


async def _sum_awaited(instances: AsyncIterable[Product]) -> int:
    total = 0
    async for instance in instances:
        total += instance.quantity
    return total


# -- one process --------------------------------------------------------------------------------------------------

Act: TypeAlias = Callable[[Work], None] | Callable[[Work], Awaitable[None]]

ACTS: dict[str, Act] = {
    "W1 insert by add_all + commit, sync": insert,
    "W1 insert by add_all + commit, async": insert_awaited,
    "W3 read into the session, sync": read,
    "W3 read into the session, async": read_awaited,
    "W7 load, change one field each, commit, sync": change,
    "W7 load, change one field each, commit, async": change_awaited,
}


def run(uri: str, database: str, name: str, count: int, part: int) -> Used:
    """Do one of the acts with *count* documents; for a process of its own.

    Raises:
        WrongResult: it did not do its work.
    """
    with connected(uri, database) as clients:
        few, work = Work(clients, min(_WARM_UP, count), part), Work(clients, count, part)
        _prepare(few, name)
        _do(few, name)
        _prepare(work, name)
        with PeakMemory() as memory:
            _do(work, name)
        _check_stored(work, 1 if name.startswith("W7") else 0)
    return Used(seconds=work.seconds, megabytes=memory.megabytes)


def _prepare(work: Work, name: str) -> None:
    if name.startswith("W1"):
        work.ground.empty()
    else:
        work.ground.fill()


def _do(work: Work, name: str) -> None:
    waiting = ACTS[name](work)
    if waiting is not None:
        work.clients.loop.run_until_complete(_finish(work.clients, waiting))


async def _finish(clients: Clients, waiting: Awaitable[None]) -> None:
    await clients.wake()
    await waiting


def _check_stored(work: Work, added: int) -> None:
    stages: list[Document] = [{"$group": {"_id": None, "count": {"$sum": 1}, "total": {"$sum": "$quantity"}}}]
    [found] = work.ground.collection.aggregate(stages)
    if found["count"] != work.count:
        raise WrongResult(f"{found['count']} documents are stored, expected {work.count}")
    _check(cast("int", found["total"]), work.count, added)


def _check(total: int, count: int, added: int = 0) -> None:
    expected = sum(cast("int", FLAT.document(number)["quantity"]) + added for number in range(count))
    if total != expected:
        raise WrongResult(f"the quantities of {count:,} documents add up to {total}, expected {expected}")


# -- the report ---------------------------------------------------------------------------------------------------


def measure(bench: Bench) -> Report:
    """Return how the acts grow.

    Raises:
        ProcessFailed: one did not do its work.
    """
    largest = bench.scaled(DOCUMENTS)
    sizes = sorted({max(2, largest // step) for step in STEPS})
    found: dict[str, list[list[Used]]] = {name: [[] for _ in sizes] for name in ACTS}
    for position, size in enumerate(sizes):
        bench.progress(f"scaling: {size:,} documents")
        for _ in range(1 if size == largest else min(_ROUNDS, bench.rounds)):
            for name in ACTS:
                found[name][position].append(_run(bench, name, size, max(2, largest // 10)))
    judged = largest == DOCUMENTS
    notes = [
        f"Flat documents; a process of its own for each figure, medians of {min(_ROUNDS, bench.rounds)} rounds, the "
        "largest size once. Time is that of the work alone; memory is the peak above that of the connected process, "
        f"with the objects. The largest size is committed in parts of {max(2, largest // 10):,}, or streamed (W3).",
        "Exponent: least squares through the logarithms of sizes and figures; 1 is linear. That of memory leaves out "
        f"the largest size, which no session holds whole. Less than {LEAST_MEGABYTES:g} MB counts as that.",
    ]
    if not judged:
        notes.append(f"Shortened: at most {largest:,} documents. Without a verdict.")
    table = _table(sizes, found, judged=judged)
    data = {"sizes": sizes, "used": found}
    return Report("scaling", versions(bench.clients.server_version), [table], notes, data)


def _run(bench: Bench, name: str, count: int, part: int) -> Used:
    clients = bench.clients
    found = fresh.call(__name__, "run", uri=clients.uri, database=clients.database, name=name, count=count, part=part)
    return cast("Used", found)


def exponent(sizes: Sequence[int], figures: Sequence[float]) -> float:
    """Return how figures grow with sizes, as the power that fits best."""
    fit = statistics.linear_regression([math.log(size) for size in sizes], [math.log(figure) for figure in figures])
    return fit.slope


def _table(sizes: Sequence[int], found: dict[str, list[list[Used]]], *, judged: bool) -> Table:
    table = Table(title="Growth", title_justify="left")
    table.add_column("workload", no_wrap=True)
    table.add_column("what", no_wrap=True)
    for name in (*(f"{size:,}" for size in sizes), "exponent", "bar"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name, runs in found.items():
        seconds = [statistics.median(used["seconds"] for used in each) for each in runs]
        megabytes = [statistics.median(used["megabytes"] for used in each) for each in runs]
        times = [
            f"{_duration(time)} ({rounded(1e6 * time / size)} µs)" for time, size in zip(seconds, sizes, strict=True)
        ]
        peaks = [f"{rounded(peak)} MB" for peak in megabytes]
        held = [max(peak, LEAST_MEGABYTES) for peak in megabytes[:-1]]
        _add(table, name, "time (of each)", times, exponent(sizes, seconds), judged=judged)
        _add(table, "", "peak memory", peaks, exponent(sizes[:-1], held), judged=judged)
        table.add_section()
    return table


def _add(table: Table, name: str, what: str, shown: Sequence[str], power: float, *, judged: bool) -> None:
    table.add_row(name, what, *shown, rounded(power), f"≤ {BAR:g}", verdict(power <= BAR if judged else None))


def _duration(seconds: float) -> str:
    return f"{rounded(seconds)} s" if seconds >= 1 else f"{rounded(1e3 * seconds)} ms"
