"""W2: new instances are stored by one `insert()` statement."""

from documents import FLAT, ORDER, check_documents
from harness import Clock, Contender, Ground, Party, Race

from mongotic import insert


def raw_sync(ground: Ground, clock: Clock) -> None:
    ground.empty()
    documents = ground.kind.documents(ground.count)
    with clock:
        ground.collection.insert_many(documents)
    _check(ground)


async def raw_async(ground: Ground, clock: Clock) -> None:
    ground.empty()
    documents = ground.kind.documents(ground.count)
    with clock:
        await ground.async_collection.insert_many(documents)
    _check(ground)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    ground.empty()
    instances = ground.kind.instances(ground.count)
    with ground.session() as session:
        with clock:
            session.execute(insert(ground.kind.model).values(instances))
        _check(ground)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    ground.empty()
    instances = ground.kind.instances(ground.count)
    async with ground.async_session() as session:
        with clock:
            await session.execute(insert(ground.kind.model).values(instances))
        _check(ground)


def _check(ground: Ground) -> None:
    check_documents(ground.kind, ground.collection.find({}), ground.count)


WORKLOAD = Race(
    code="W2",
    title="insert 10,000 by insert().values(instances)",
    notes="ODMantic has no such statement.",
    documents=10_000,
    bars=((ORDER, 1.5), (FLAT, 1.5)),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
    ),
    stored=False,
)
