"""W1: new instances are given to a session and committed.

The instances, and the dicts of raw PyMongo, are made before the clock starts, with their keys.
"""

from documents import FLAT, ORDER, Stored, check_documents
from harness import Clock, Contender, Ground, Party, Race


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


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    instances = _prepared(ground)
    with clock:
        ground.engine.save_all(instances)
    _check(ground)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    instances = _prepared(ground)
    with clock:
        await ground.aio_engine.save_all(instances)
    _check(ground)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    instances = _prepared(ground)
    with ground.session() as session:
        with clock:
            session.add_all(instances)
            session.commit()
        _check(ground)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    instances = _prepared(ground)
    async with ground.async_session() as session:
        with clock:
            session.add_all(instances)
            await session.commit()
        _check(ground)


def _prepared(ground: Ground) -> list[Stored]:
    ground.empty()
    return ground.kind.instances(ground.count)


def _check(ground: Ground) -> None:
    check_documents(ground.kind, ground.collection.find({}), ground.count)


WORKLOAD = Race(
    code="W1",
    title="insert 10,000 by add_all + commit",
    notes="raw: one insert_many. Keys are given to all. ODMantic: save_all of one document in 20.",
    documents=10_000,
    bars=((ORDER, 2.0), (FLAT, 1.5)),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
        Contender(Party.ODMANTIC_SYNC, odmantic_sync, share=20),
        Contender(Party.ODMANTIC_ASYNC, odmantic_async, share=20),
    ),
    stored=False,
)
