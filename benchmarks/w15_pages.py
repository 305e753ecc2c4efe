"""W15: documents are read in pages by key, each page in a session that is closed: what a service does."""

from documents import ORDER, Document, Order, Stored, check_documents, check_instances, key
from harness import Clock, Contender, Ground, Party, Race

from mongotic import select

PAGE = 100


def _starts(ground: Ground) -> list[object]:
    """Return the key before each page."""
    return [key(0), *(key(number - 1) for number in range(PAGE, ground.count, PAGE))]


def _filter(number: int, start: object) -> Document:
    return {"_id": {"$gte" if number == 0 else "$gt": start}}


def raw_sync(ground: Ground, clock: Clock) -> None:
    found: list[Document] = []
    with clock:
        for number, start in enumerate(_starts(ground)):
            found += ground.collection.find(_filter(number, start)).sort("_id", 1).limit(PAGE).to_list()
    check_documents(ground.kind, found, ground.count)


async def raw_async(ground: Ground, clock: Clock) -> None:
    found: list[Document] = []
    with clock:
        for number, start in enumerate(_starts(ground)):
            found += await ground.async_collection.find(_filter(number, start)).sort("_id", 1).limit(PAGE).to_list()
    check_documents(ground.kind, found, ground.count)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    found: list[Stored] = []
    with clock:
        for number, start in enumerate(_starts(ground)):
            found += ground.engine.find(Order, _filter(number, start), sort=Order.id, limit=PAGE)
    check_instances(ground.kind, found, ground.count)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    found: list[Stored] = []
    with clock:
        for number, start in enumerate(_starts(ground)):
            found += await ground.aio_engine.find(Order, _filter(number, start), sort=Order.id, limit=PAGE)
    check_instances(ground.kind, found, ground.count)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    found: list[Stored] = []
    with clock:
        for number, start in enumerate(_starts(ground)):
            with ground.session() as session:
                page = select(Order).where(_filter(number, start)).order_by(Order.id).limit(PAGE)
                found += session.scalars(page).all()
    check_instances(ground.kind, found, ground.count)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    found: list[Stored] = []
    with clock:
        for number, start in enumerate(_starts(ground)):
            async with ground.async_session() as session:
                page = select(Order).where(_filter(number, start)).order_by(Order.id).limit(PAGE)
                found += await session.scalars(page).all()
    check_instances(ground.kind, found, ground.count)


WORKLOAD = Race(
    code="W15",
    title="20,000 in pages of 100, each page's session closed",
    notes="Pages by _id; mongotic opens and closes a session for each.",
    documents=20_000,
    bars=((ORDER, 2.5),),
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
