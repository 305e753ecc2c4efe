"""W12: the memory that streaming takes, and whether it grows with the number of documents.

Each figure comes from a process of its own, connected and warm before it counts.  The processes run functions of this
file.
"""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import cast

import fresh
from documents import FLAT, Document, Product, WrongResult
from harness import JUDGED_ROUNDS, Bench, Clients, Figure, Ground, Row, connected
from memory import PeakMemory

from mongotic import select

DOCUMENTS = 1_000_000
TOLERANCE = 2.0
"""Megabytes.  Python's allocator takes memory from the system by the megabyte, and the C library rounds up as well."""

_ROUNDS = 1  # memory hardly differs between rounds, and a million documents take long
_BATCH = 1_000
_WARM_UP = 50


def _raw_sync(clients: Clients, at_most: int) -> int:
    return _sum_documents(_ground(clients).collection.find({}, batch_size=_BATCH).limit(at_most))


def _odmantic_sync(clients: Clients, at_most: int) -> int:
    return _sum(clients.engine.find(Product, limit=at_most))


def _stream_sync(clients: Clients, at_most: int) -> int:
    with clients.session() as session:
        return _sum(session.stream_scalars(select(Product).limit(at_most)))


def _yield_per_sync(clients: Clients, at_most: int) -> int:
    with clients.session() as session:
        return _sum(session.scalars(select(Product).limit(at_most).yield_per(_BATCH)))


async def _raw_async(clients: Clients, at_most: int) -> int:
    total = 0
    async for document in _ground(clients).async_collection.find({}, batch_size=_BATCH).limit(at_most):
        total += _quantity(document)
    return total


async def _odmantic_async(clients: Clients, at_most: int) -> int:
    return await _sum_awaited(clients.aio_engine.find(Product, limit=at_most))


async def _stream_async(clients: Clients, at_most: int) -> int:
    async with clients.async_session() as session:
        return await _sum_awaited(session.stream_scalars(select(Product).limit(at_most)))


async def _yield_per_async(clients: Clients, at_most: int) -> int:
    async with clients.async_session() as session:
        return await _sum_awaited(session.scalars(select(Product).limit(at_most).yield_per(_BATCH)))


_WAYS: dict[str, Callable[[Clients, int], int]] = {
    "raw, sync": _raw_sync,
    "ODMantic, sync": _odmantic_sync,
    "stream_scalars, sync": _stream_sync,
    "yield_per, sync": _yield_per_sync,
    "raw, async": lambda clients, at_most: clients.loop.run_until_complete(_raw_async(clients, at_most)),
    "ODMantic, async": lambda clients, at_most: clients.loop.run_until_complete(_odmantic_async(clients, at_most)),
    "stream_scalars, async": lambda clients, at_most: clients.loop.run_until_complete(_stream_async(clients, at_most)),
    "yield_per, async": lambda clients, at_most: clients.loop.run_until_complete(_yield_per_async(clients, at_most)),
}


def peak(uri: str, database: str, way: str, documents: int) -> float:
    """Walk the first *documents* and return the megabytes that took; for a process of its own.

    Raises:
        WrongResult: not every document was seen.
    """
    with connected(uri, database) as clients:
        walk = _WAYS[way]
        walk(clients, min(_WARM_UP, documents))
        with PeakMemory() as memory:
            total = walk(clients, documents)
        stages: list[Document] = [{"$limit": documents}, {"$group": {"_id": None, "total": {"$sum": "$quantity"}}}]
        [stored] = _ground(clients).collection.aggregate(stages)
    if total != stored["total"]:
        raise WrongResult(f"{way}: the quantities of {documents:,} documents add up to {total}")
    return memory.megabytes


def _ground(clients: Clients) -> Ground:
    return Ground(clients, FLAT, 0)


def _quantity(document: Document) -> int:
    return cast("int", document["quantity"])


def _sum_documents(documents: Iterable[Document]) -> int:
    return sum(_quantity(document) for document in documents)


def _sum(instances: Iterable[Product]) -> int:
    return sum(instance.quantity for instance in instances)


async def _sum_awaited(instances: AsyncIterable[Product]) -> int:
    total = 0
    async for instance in instances:
        total += instance.quantity
    return total


class StreamMemory:
    """Compares the peak at the full number of documents with the peak at a tenth of them."""

    code = "W12"
    title = f"peak memory of streaming {DOCUMENTS // 10:,} and {DOCUMENTS:,}"
    notes = (
        f"In processes of their own, once each; megabytes of resident memory above those after connecting and "
        f"walking {_WARM_UP} documents. Raw: batches of {_BATCH:,}; yield_per({_BATCH}). ODMantic keeps what it "
        "reads and is measured at the smaller number alone. The last lines are what the larger number takes more than "
        f"the smaller one, in the same round; up to {TOLERANCE:g} MB count as none."
    )

    def measure(self, bench: Bench) -> list[Row]:
        bench.progress(f"{self.code} {self.title}")
        documents = bench.scaled(DOCUMENTS)
        few = max(1, documents // 10)
        Ground(bench.clients, FLAT, documents).fill()
        at_few: dict[str, list[float]] = {}
        at_all: dict[str, list[float]] = {}
        for _ in range(min(_ROUNDS, bench.rounds)):
            for way in _WAYS:
                at_few.setdefault(way, []).append(self._peak(bench, way, few))
                if not way.startswith("ODMantic"):
                    at_all.setdefault(way, []).append(self._peak(bench, way, documents))
        judged = bench.rounds >= JUDGED_ROUNDS and documents == DOCUMENTS
        growth = {way: [all_ - few_ for all_, few_ in zip(at_all[way], at_few[way], strict=True)] for way in at_all}
        return [
            *self._rows(f"{few:,} flat", at_few, None, judged=judged),
            *self._rows(f"{documents:,} flat", at_all, None, judged=judged),
            *self._rows("the difference", growth, TOLERANCE, judged=judged),
        ]

    def _peak(self, bench: Bench, way: str, documents: int) -> float:
        found = fresh.call(
            __name__, "peak", uri=bench.clients.uri, database=bench.clients.database, way=way, documents=documents
        )
        return cast("float", found)

    def _rows(self, kind: str, peaks: dict[str, list[float]], bar: float | None, *, judged: bool) -> list[Row]:
        return [
            Row(
                code=self.code,
                title=self.title,
                kind=kind,
                against=f"{driver}, {way}",
                baseline=Figure(peaks[f"raw, {side}"]),
                baseline_unit=" MB",
                odmantic=Figure(peaks[f"ODMantic, {side}"]) if f"ODMantic, {side}" in peaks else None,
                mongotic=Figure(peaks[f"{way}, {side}"]),
                unit=" MB",
                bar=bar,
                judged=judged,
            )
            for driver, side in (("MongoClient", "sync"), ("AsyncMongoClient", "async"))
            for way in ("stream_scalars", "yield_per")
        ]


WORKLOAD = StreamMemory()
