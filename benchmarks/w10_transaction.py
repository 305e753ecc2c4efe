"""W10: a hundred new documents are stored in a transaction."""

from documents import ORDER, check_documents
from harness import Clock, Contender, Ground, Party, Race


def raw_sync(ground: Ground, clock: Clock) -> None:
    ground.empty()
    documents = ground.kind.documents(ground.count)
    with clock, ground.clients.blocking.start_session() as session, session.start_transaction():
        ground.collection.insert_many(documents, session=session)
    _check(ground)


async def raw_async(ground: Ground, clock: Clock) -> None:
    ground.empty()
    documents = ground.kind.documents(ground.count)
    with clock:
        async with ground.clients.awaiting.start_session() as session, await session.start_transaction():
            await ground.async_collection.insert_many(documents, session=session)
    _check(ground)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    ground.empty()
    instances = ground.kind.instances(ground.count)
    with clock, ground.engine.transaction() as transaction:
        transaction.save_all(instances)
        transaction.commit()
    _check(ground)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    ground.empty()
    instances = ground.kind.instances(ground.count)
    with clock:
        async with ground.aio_engine.transaction() as transaction:
            await transaction.save_all(instances)
            await transaction.commit()
    _check(ground)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    ground.empty()
    instances = ground.kind.instances(ground.count)
    with clock, ground.session() as session, session.begin():
        session.add_all(instances)
    _check(ground)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    ground.empty()
    instances = ground.kind.instances(ground.count)
    with clock:
        async with ground.async_session() as session, session.begin():
            session.add_all(instances)
    _check(ground)


def _check(ground: Ground) -> None:
    check_documents(ground.kind, ground.collection.find({}), ground.count)


WORKLOAD = Race(
    code="W10",
    title="transaction of 100 inserts",
    notes="Each opens its session, begins, inserts, commits, and ends the session; raw: one insert_many.",
    documents=100,
    bars=((ORDER, 1.25),),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
        Contender(Party.ODMANTIC_SYNC, odmantic_sync),
        Contender(Party.ODMANTIC_ASYNC, odmantic_async),
    ),
    stored=False,
)
