"""W7: documents are loaded, one field of each is changed, and the changes are committed."""

from documents import FLAT, ORDER, Document, check_documents
from harness import Clock, Contender, Ground, Party, Race
from pymongo import UpdateOne

from mongotic import select


def raw_sync(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with clock:
        found = ground.collection.find({}).to_list()
        ground.collection.bulk_write([_update(document) for document in found])
    _check(ground)


async def raw_async(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with clock:
        found = await ground.async_collection.find({}).to_list()
        await ground.async_collection.bulk_write([_update(document) for document in found])
    _check(ground)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with clock:
        found = list(ground.engine.find(ground.kind.model))
        for instance in found:
            instance.quantity += 1
        ground.engine.save_all(found)
    _check(ground)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with clock:
        found = await ground.aio_engine.find(ground.kind.model)
        for instance in found:
            instance.quantity += 1
        await ground.aio_engine.save_all(found)
    _check(ground)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    ground.fill()
    with ground.session() as session:
        with clock:
            for instance in session.scalars(select(ground.kind.model)).all():
                instance.quantity += 1
            session.commit()
        _check(ground)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    ground.fill()
    async with ground.async_session() as session:
        with clock:
            for instance in await session.scalars(select(ground.kind.model)).all():
                instance.quantity += 1
            await session.commit()
        _check(ground)


def _update(document: Document) -> UpdateOne:
    quantity = document["quantity"]
    assert isinstance(quantity, int)
    return UpdateOne({"_id": document["_id"]}, {"$set": {"quantity": quantity + 1}})


def _check(ground: Ground) -> None:
    check_documents(ground.kind, ground.collection.find({}), ground.count, added=1)


WORKLOAD = Race(
    code="W7",
    title="load 5,000, change one field each, commit",
    notes="raw: find({}).to_list() and one bulk_write of $set. ODMantic: save_all of one document in 20.",
    documents=5_000,
    bars=((ORDER, 3.0), (FLAT, 3.0)),
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
