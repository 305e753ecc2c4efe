"""A service in one event loop: 200 tasks handle requests at a time, each request with a session of its own.

Used by `__main__` for `--service`.  What a service does is mixed here in fixed shares: documents are fetched by key,
queried in pages, and loaded, changed and stored.  All contenders answer the same requests, in turn, round by round.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypedDict, cast

from clock import Clock
from documents import ORDER, Document, Order, WrongResult, key
from harness import Bench, Clients, Figure, Ground
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.asynchronous.collection import AsyncCollection
from report import Report, rounded, versions
from rich.table import Table

from mongotic import select
from mongotic.asyncio import AsyncSession

TASKS = 200
REQUESTS = 10_000
DOCUMENTS = 10_000
PAGE = 20
SHARES = {"get": 60, "query": 20, "update": 20}
"""Of a hundred requests."""

_WARM_UP_REQUESTS = 400

Answer: TypeAlias = list[str]
"""The numbers of the orders that were found, to be checked when nobody's time runs."""


class Handler(Protocol):
    """How one contender answers requests."""

    async def get(self, number: int) -> Answer:
        """Fetch a document by its key."""
        ...

    async def query(self, number: int) -> Answer:
        """Fetch the page that begins with a document, in order of their keys."""
        ...

    async def update(self, number: int) -> Answer:
        """Load a document, add one to its quantity, store it."""
        ...


class Raw:
    """The driver alone."""

    def __init__(self, collection: AsyncCollection[Document] | AsyncIOMotorCollection[Document]) -> None:
        self._collection = cast("AsyncCollection[Document]", collection)  # both have these methods

    async def get(self, number: int) -> Answer:
        found = await self._collection.find_one({"_id": key(number)})
        return [] if found is None else [str(found["number"])]

    async def query(self, number: int) -> Answer:
        cursor = self._collection.find({"_id": {"$gte": key(number)}}).sort("_id", 1).limit(PAGE)
        return [str(document["number"]) for document in await cursor.to_list(PAGE)]

    async def update(self, number: int) -> Answer:
        found = await self._collection.find_one({"_id": key(number)})
        if found is None:
            return []
        change = {"$set": {"quantity": cast("int", found["quantity"]) + 1}}
        await self._collection.update_one({"_id": key(number)}, change)
        return [str(found["number"])]


class ODMantic:
    """ODMantic's engine, whose driver is Motor."""

    def __init__(self, clients: Clients) -> None:
        self._engine = clients.aio_engine

    async def get(self, number: int) -> Answer:
        found = await self._engine.find_one(Order, Order.id == key(number))
        return [] if found is None else [found.number]

    async def query(self, number: int) -> Answer:
        found = await self._engine.find(Order, {"_id": {"$gte": key(number)}}, sort=Order.id, limit=PAGE)
        return [order.number for order in found]

    async def update(self, number: int) -> Answer:
        order = await self._engine.find_one(Order, Order.id == key(number))
        if order is None:
            return []
        order.quantity += 1
        await self._engine.save(order)
        return [order.number]


class Mongotic:
    """A session for each request."""

    def __init__(self, make: Callable[[], AsyncSession]) -> None:
        self._make = make

    async def get(self, number: int) -> Answer:
        async with self._make() as session:
            found = await session.get(Order, key(number))
            return [] if found is None else [found.number]

    async def query(self, number: int) -> Answer:
        async with self._make() as session:
            page = select(Order).where({"_id": {"$gte": key(number)}}).order_by(Order.id).limit(PAGE)
            return [order.number for order in await session.scalars(page).all()]

    async def update(self, number: int) -> Answer:
        async with self._make() as session:
            order = await session.get(Order, key(number))
            if order is None:
                return []
            order.quantity += 1
            await session.commit()
            return [order.number]


# -- one run ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        what: one of `SHARES`.
        number: of the document.
    """

    what: str
    number: int


class Run(TypedDict):
    """What one run took.

    Attributes:
        per_second: requests.
        p50: milliseconds within which half of the requests were answered.
        p95: … 95 of 100.
        p99: … 99 of 100.
    """

    per_second: float
    p50: float
    p95: float
    p99: float


def requests(count: int, documents: int) -> list[Request]:
    """Return requests in the shares of `SHARES`, the same for everybody.

    No two tasks change the same document: request n is answered by task n modulo `TASKS`, and what it changes has a
    number that leaves the same rest.
    """
    dice = random.Random(7)
    kinds = dice.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    found: list[Request] = []
    for position, what in enumerate(kinds):
        number = dice.randrange(documents)
        if what == "update":
            number = dice.randrange(documents // TASKS) * TASKS + position % TASKS
        found.append(Request(what, number))
    return found


async def serve(handler: Handler, asked: Sequence[Request], documents: int, clients: Clients) -> Run:
    """Answer all requests in `TASKS` tasks.

    Raises:
        WrongResult: an answer is not what was asked for.
    """
    acts = {"get": handler.get, "query": handler.query, "update": handler.update}
    answers: list[tuple[Request, Answer]] = []
    latencies: list[float] = []

    async def work(first: int) -> None:
        for position in range(first, len(asked), TASKS):
            request = asked[position]
            begun = time.perf_counter()
            answer = await acts[request.what](request.number)
            latencies.append(time.perf_counter() - begun)
            answers.append((request, answer))

    await clients.wake()
    with Clock() as clock:
        await asyncio.gather(*(work(first) for first in range(TASKS)))
    _check(asked, answers, documents)
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return Run(per_second=len(asked) / clock.seconds, p50=1e3 * cuts[49], p95=1e3 * cuts[94], p99=1e3 * cuts[98])


def _check(asked: Sequence[Request], answers: Sequence[tuple[Request, Answer]], documents: int) -> None:
    if len(answers) != len(asked):
        raise WrongResult(f"{len(answers)} of {len(asked)} requests were answered")
    numbers = [str(document["number"]) for document in ORDER.documents(documents)]
    for request, answer in answers:
        wide = PAGE if request.what == "query" else 1
        if answer != numbers[request.number : request.number + wide]:
            raise WrongResult(f"{request} was answered with {answer}")


# -- the report ---------------------------------------------------------------------------------------------------


def measure(bench: Bench) -> Report:
    """Return throughput and latencies of each contender.

    Raises:
        WrongResult: one gave a wrong answer, or an update is lost.
    """
    documents = max(TASKS, bench.scaled(DOCUMENTS))
    asked = requests(bench.scaled(REQUESTS), documents)
    ground = Ground(bench.clients, ORDER, documents)
    ground.fill()
    contenders: dict[str, dict[str, Handler]] = {
        "PyMongo Async": {
            "raw": Raw(ground.async_collection),
            "mongotic": Mongotic(ground.async_session),
        },
        "Motor": {
            "raw": Raw(ground.motor_collection),
            "ODMantic": ODMantic(bench.clients),
            "mongotic": Mongotic(ground.motor_session),
        },
    }
    entries = [(driver, name, handler) for driver, each in contenders.items() for name, handler in each.items()]
    runs: dict[str, dict[str, list[Run]]] = {driver: {name: [] for name in each} for driver, each in contenders.items()}
    added = 0
    for position in range(-1, bench.rounds):
        if position >= 0:
            bench.progress(f"service: round {position + 1} of {bench.rounds}")
        part = asked if position >= 0 else asked[:_WARM_UP_REQUESTS]
        first = position % len(entries)
        for driver, name, handler in (*entries[first:], *entries[:first]):
            found = bench.clients.loop.run_until_complete(serve(handler, part, documents, bench.clients))
            added += sum(request.what == "update" for request in part)
            _check_stored(ground, added, f"{name} on {driver}")
            if position >= 0:
                runs[driver][name].append(found)
    mix = ", ".join(f"{share} of 100 {what}" for what, share in SHARES.items())
    notes = [
        f"{len(asked):,} requests over {documents:,} orders in {TASKS} tasks at a time: {mix}. A query gives a page of "
        f"{PAGE}; an update loads, changes one field and stores. mongotic opens and closes a session for each request.",
        f"Medians (smallest to largest) of {bench.rounds} interleaved rounds; write concern w=1. The ratio is that of "
        "the time for all requests to the raw driver's in the same round.",
    ]
    if bench.most_documents is not None:
        notes.append(f"Shortened: at most {bench.most_documents:,} requests.")
    return Report("service", versions(bench.clients.server_version), [_table(runs)], notes, runs)


def _check_stored(ground: Ground, added: int, who: str) -> None:
    [found] = ground.collection.aggregate([{"$group": {"_id": None, "total": {"$sum": "$quantity"}}}])
    expected = added + sum(cast("int", document["quantity"]) for document in ORDER.documents(ground.count))
    if found["total"] != expected:
        raise WrongResult(f"{who}: the quantities add up to {found['total']}, expected {expected}")


def _table(runs: Mapping[str, Mapping[str, Sequence[Run]]]) -> Table:
    table = Table(title="A service of 200 tasks", title_justify="left")
    for name in ("driver", "contender"):
        table.add_column(name, no_wrap=True)
    for name in ("requests per second", "p50, ms", "p95, ms", "p99, ms", "time, × raw"):
        table.add_column(name, justify="right", no_wrap=True)
    for driver, found in runs.items():
        for name, each in found.items():
            pairs = zip(found["raw"], each, strict=True)
            table.add_row(
                driver if name == "raw" else "",
                name,
                _shown([run["per_second"] for run in each]),
                _shown([run["p50"] for run in each]),
                _shown([run["p95"] for run in each]),
                _shown([run["p99"] for run in each]),
                "" if name == "raw" else _shown([raw["per_second"] / run["per_second"] for raw, run in pairs]),
            )
        table.add_section()
    return table


def _shown(values: Sequence[float]) -> str:
    figure = Figure(values)
    return f"{rounded(figure.median)} ({rounded(figure.low)} – {rounded(figure.high)})"
