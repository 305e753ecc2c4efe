"""W3: a whole collection is read into a session: validated, in the identity map, with changes detectable.

All results stay alive until they are checked; letting go of them is not timed, for anybody.
"""

from collections.abc import Sequence

from documents import FLAT, ORDER, Stored, WrongResult, check_documents, check_instances
from harness import Clock, Contender, Ground, Party, Race

from mongotic import Session, select
from mongotic.asyncio import AsyncSession


def raw_sync(ground: Ground, clock: Clock) -> None:
    with clock:
        found = ground.collection.find({}).to_list()
    check_documents(ground.kind, found, ground.count)


async def raw_async(ground: Ground, clock: Clock) -> None:
    with clock:
        found = await ground.async_collection.find({}).to_list()
    check_documents(ground.kind, found, ground.count)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    with clock:
        found = list(ground.engine.find(ground.kind.model))
    check_instances(ground.kind, found, ground.count)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    with clock:
        found = await ground.aio_engine.find(ground.kind.model)
    check_instances(ground.kind, found, ground.count)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    with ground.session() as session:
        with clock:
            found = session.scalars(select(ground.kind.model)).all()
        check_instances(ground.kind, found, ground.count)
        _check_session(session, found)
        if session.get(ground.kind.model, found[-1].id) is not found[-1]:
            raise WrongResult("an instance that was read is not in the identity map")


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    async with ground.async_session() as session:
        with clock:
            found = await session.scalars(select(ground.kind.model)).all()
        check_instances(ground.kind, found, ground.count)
        _check_session(session, found)
        if await session.get(ground.kind.model, found[-1].id) is not found[-1]:
            raise WrongResult("an instance that was read is not in the identity map")


def _check_session(session: Session | AsyncSession, found: Sequence[Stored]) -> None:
    found[0].quantity += 1
    dirty = session.dirty
    if len(dirty) != 1 or dirty[0] is not found[0]:
        raise WrongResult(f"one instance was changed, and {len(dirty)} are noticed")


WORKLOAD = Race(
    code="W3",
    title="read 20,000 into the session",
    notes="raw: find({}).to_list(). All keep the whole result. ODMantic takes part in the first 3 rounds.",
    documents=20_000,
    bars=((ORDER, 3.0), (FLAT, 4.0)),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
        Contender(Party.ODMANTIC_SYNC, odmantic_sync, rounds=3),
        Contender(Party.ODMANTIC_ASYNC, odmantic_async, rounds=3),
    ),
    stored=True,
)
