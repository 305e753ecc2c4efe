"""W4: many validated instances are walked one by one, and nothing is kept."""

from collections.abc import AsyncIterable, Iterable

from documents import FLAT, ORDER, Document, Stored, WrongResult
from harness import Clock, Contender, Ground, Party, Race

from mongotic import select


def raw_sync(ground: Ground, clock: Clock) -> None:
    with clock:
        total = sum(_quantity(document) for document in ground.collection.find({}))
    _check(ground, total)


async def raw_async(ground: Ground, clock: Clock) -> None:
    total = 0
    with clock:
        async for document in ground.async_collection.find({}):
            total += _quantity(document)
    _check(ground, total)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    with clock:
        total = _sum(ground.engine.find(ground.kind.model))
    _check(ground, total)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    with clock:
        total = await _sum_awaited(ground.aio_engine.find(ground.kind.model))
    _check(ground, total)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    with ground.session() as session:
        with clock:
            total = _sum(session.stream_scalars(select(ground.kind.model)))
        _check(ground, total)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    async with ground.async_session() as session:
        with clock:
            total = await _sum_awaited(session.stream_scalars(select(ground.kind.model)))
        _check(ground, total)


def _sum(instances: Iterable[Stored]) -> int:
    return sum(instance.quantity for instance in instances)


async def _sum_awaited(instances: AsyncIterable[Stored]) -> int:
    total = 0
    async for instance in instances:
        total += instance.quantity
    return total


def _quantity(document: Document) -> int:
    quantity = document["quantity"]
    return quantity if isinstance(quantity, int) else 0


def _check(ground: Ground, total: int) -> None:
    expected = sum(_quantity(document) for document in ground.kind.documents(ground.count))
    if total != expected:
        raise WrongResult(f"the quantities add up to {total}, expected {expected}")


WORKLOAD = Race(
    code="W4",
    title="stream 20,000 validated instances, nothing kept",
    notes="ODMantic's cursors keep every instance they gave.",
    documents=20_000,
    bars=((ORDER, 2.0), (FLAT, 2.5)),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
        Contender(Party.ODMANTIC_SYNC, odmantic_sync, rounds=2),
        Contender(Party.ODMANTIC_ASYNC, odmantic_async, rounds=2),
    ),
    stored=True,
)
