"""W5: documents are fetched by key, one after another, in an event loop.

Each get has a session of its own, opened and closed under the clock, so that no identity map answers: what a service
does that has one session per request.
"""

from collections.abc import Callable

from documents import ORDER, Stored, check_documents, check_instances, key
from harness import Clock, Contender, Ground, Party, Race

from mongotic.asyncio import AsyncSession

# Every key is asked once, in an order that jumps: 7919 is prime.
_STEP = 7919


def _keys(ground: Ground) -> list[object]:
    return [key(number * _STEP % ground.count) for number in range(ground.count)]


async def raw_async(ground: Ground, clock: Clock) -> None:
    keys, collection = _keys(ground), ground.async_collection
    with clock:
        found = [await collection.find_one({"_id": each}) for each in keys]
    check_documents(ground.kind, [document for document in found if document is not None], ground.count)


async def raw_motor(ground: Ground, clock: Clock) -> None:
    keys, collection = _keys(ground), ground.motor_collection
    with clock:
        found = [await collection.find_one({"_id": each}) for each in keys]
    check_documents(ground.kind, [document for document in found if document is not None], ground.count)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    keys, engine, model = _keys(ground), ground.aio_engine, ground.kind.model
    with clock:
        found = [await engine.find_one(model, model.id == each) for each in keys]
    check_instances(ground.kind, [instance for instance in found if instance is not None], ground.count)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    await _get(ground, clock, ground.async_session)


async def mongotic_motor(ground: Ground, clock: Clock) -> None:
    await _get(ground, clock, ground.motor_session)


async def _get(ground: Ground, clock: Clock, make: Callable[[], AsyncSession]) -> None:
    keys, model = _keys(ground), ground.kind.model
    found: list[Stored | None] = []
    with clock:
        for each in keys:
            async with make() as session:
                found.append(await session.get(model, each))
    check_instances(ground.kind, [instance for instance in found if instance is not None], ground.count)


WORKLOAD = Race(
    code="W5",
    title="get by key, async, one after another",
    notes="1,000 gets; mongotic opens and closes a session for each, so no identity map answers. "
    "ODMantic runs on Motor, and so does mongotic in the line against Motor.",
    documents=1_000,
    bars=((ORDER, 1.25),),
    contenders=(
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.RAW_MOTOR, raw_motor),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
        Contender(Party.MONGOTIC_MOTOR, mongotic_motor),
        Contender(Party.ODMANTIC_ASYNC, odmantic_async),
    ),
    stored=True,
)
