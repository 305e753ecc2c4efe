"""W11: one statement changes many documents."""

from documents import ORDER, Order, WrongResult
from harness import Clock, Contender, Ground, Party, Race

from mongotic import update

_FILTER = {"paid": True}


def raw_sync(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with clock:
        ground.collection.update_many(_FILTER, {"$set": {"total": 1.5}})
    _check(ground)


async def raw_async(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with clock:
        await ground.async_collection.update_many(_FILTER, {"$set": {"total": 1.5}})
    _check(ground)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with ground.session() as session:
        with clock:
            session.execute(update(Order).where(Order.paid == True).values(total=1.5))  # a condition
        _check(ground)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    ground.fill()
    async with ground.async_session() as session:
        with clock:
            await session.execute(update(Order).where(Order.paid == True).values(total=1.5))  # a condition
        _check(ground)


def _check(ground: Ground) -> None:
    paid = sum(number % 3 == 0 for number in range(ground.count))
    changed = ground.collection.count_documents({"total": 1.5})
    if changed != paid:
        raise WrongResult(f"{changed} documents were changed, expected {paid}")


WORKLOAD = Race(
    code="W11",
    title="update().where() over 20,000",
    notes="A third of the documents is changed; ODMantic has no such statement.",
    documents=20_000,
    bars=((ORDER, 1.05),),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
    ),
    stored=False,
)
