"""W8: two columns of many documents."""

from collections.abc import Sequence

from documents import ORDER, Document, Order, WrongResult
from harness import Clock, Contender, Ground, Party, Race

from mongotic import select

_KEYS = {"number": 1, "quantity": 1, "_id": 0}


def raw_sync(ground: Ground, clock: Clock) -> None:
    with clock:
        found = ground.collection.find({}, _KEYS).to_list()
    _check_documents(ground, found)


async def raw_async(ground: Ground, clock: Clock) -> None:
    with clock:
        found = await ground.async_collection.find({}, _KEYS).to_list()
    _check_documents(ground, found)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    with clock:
        found = [(instance.number, instance.quantity) for instance in ground.engine.find(Order)]
    _check(ground, found)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    with clock:
        found = [(instance.number, instance.quantity) for instance in await ground.aio_engine.find(Order)]
    _check(ground, found)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    with ground.session() as session:
        with clock:
            found = session.execute(select(Order.number, Order.quantity)).all()
        _check(ground, found)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    async with ground.async_session() as session:
        with clock:
            found = await (await session.execute(select(Order.number, Order.quantity))).all()
        _check(ground, found)


def _check_documents(ground: Ground, found: Sequence[Document]) -> None:
    _check(ground, [(document["number"], document["quantity"]) for document in found])


def _check(ground: Ground, found: Sequence[Sequence[object]]) -> None:
    expected = [(document["number"], document["quantity"]) for document in ground.kind.documents(ground.count)]
    if sorted(map(tuple, found)) != sorted(expected):
        raise WrongResult("the columns do not hold what is stored")


WORKLOAD = Race(
    code="W8",
    title="two-column projection of 20,000",
    notes="ODMantic has no projection: it reads whole instances.",
    documents=20_000,
    bars=((ORDER, 1.4),),
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
