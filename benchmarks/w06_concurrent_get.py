"""W6: documents are fetched by key by fifty tasks at once, each get with a session of its own."""

import asyncio
from collections.abc import Awaitable, Callable

from documents import ORDER, Document, Stored, check_documents, check_instances, key
from harness import Clock, Contender, Ground, Party, Race

from mongotic.asyncio import AsyncSession

TASKS = 50


async def _in_tasks(ground: Ground, get: Callable[[object], Awaitable[None]]) -> None:
    """Ask for every key, in as many tasks as there are sessions at a time."""

    async def work(first: int) -> None:
        for number in range(first, ground.count, TASKS):
            await get(key(number))

    await asyncio.gather(*(work(first) for first in range(TASKS)))


async def raw_async(ground: Ground, clock: Clock) -> None:
    found: list[Document | None] = []

    async def get(wanted: object) -> None:
        found.append(await ground.async_collection.find_one({"_id": wanted}))

    with clock:
        await _in_tasks(ground, get)
    check_documents(ground.kind, [document for document in found if document is not None], ground.count)


async def raw_motor(ground: Ground, clock: Clock) -> None:
    found: list[Document | None] = []

    async def get(wanted: object) -> None:
        found.append(await ground.motor_collection.find_one({"_id": wanted}))

    with clock:
        await _in_tasks(ground, get)
    check_documents(ground.kind, [document for document in found if document is not None], ground.count)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    found: list[Stored | None] = []
    model = ground.kind.model

    async def get(wanted: object) -> None:
        found.append(await ground.aio_engine.find_one(model, model.id == wanted))

    with clock:
        await _in_tasks(ground, get)
    check_instances(ground.kind, [instance for instance in found if instance is not None], ground.count)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    await _get(ground, clock, ground.async_session)


async def mongotic_motor(ground: Ground, clock: Clock) -> None:
    await _get(ground, clock, ground.motor_session)


async def _get(ground: Ground, clock: Clock, make: Callable[[], AsyncSession]) -> None:
    found: list[Stored | None] = []
    model = ground.kind.model

    async def get(wanted: object) -> None:
        async with make() as session:
            found.append(await session.get(model, wanted))

    with clock:
        await _in_tasks(ground, get)
    check_instances(ground.kind, [instance for instance in found if instance is not None], ground.count)


WORKLOAD = Race(
    code="W6",
    title="get by key, async, 50 concurrent sessions",
    notes="2,000 gets in 50 tasks. ODMantic runs on Motor, and so does mongotic in the line against Motor.",
    documents=2_000,
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
