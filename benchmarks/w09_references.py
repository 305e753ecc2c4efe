"""W9: orders are read together with the users they refer to: 2,000 orders, 100 users.

Raw PyMongo asks twice, for the orders and for their users by `$in`, and puts the users in their places.
"""

from collections.abc import Sequence
from typing import cast

from documents import (
    OWNED,
    USERS,
    Document,
    OwnedOrder,
    WrongResult,
    check_documents,
    check_instances,
    check_users,
    user,
)
from harness import Clock, Contender, Ground, Party, Race
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection

from mongotic import select


def _users(ground: Ground) -> Collection[Document]:
    """Return the collection of the users, filled."""
    collection = ground.clients.blocking[ground.clients.database]["users"]
    if collection.count_documents({}) != USERS:
        collection.insert_many([user(number) for number in range(USERS)])
    return collection


def _async_users(ground: Ground) -> AsyncCollection[Document]:
    _users(ground)
    return ground.clients.awaiting[ground.clients.database]["users"]


def raw_sync(ground: Ground, clock: Clock) -> None:
    users = _users(ground)
    with clock:
        found = ground.collection.find({}).to_list()
        keys = list({document["user_id"] for document in found})
        by_key = {document["_id"]: document for document in users.find({"_id": {"$in": keys}}).to_list()}
        for document in found:
            document["user"] = by_key[document["user_id"]]
    _check_raw(ground, found)


async def raw_async(ground: Ground, clock: Clock) -> None:
    users = _async_users(ground)
    with clock:
        found = await ground.async_collection.find({}).to_list()
        keys = list({document["user_id"] for document in found})
        by_key = {document["_id"]: document for document in await users.find({"_id": {"$in": keys}}).to_list()}
        for document in found:
            document["user"] = by_key[document["user_id"]]
    _check_raw(ground, found)


def _check_raw(ground: Ground, found: Sequence[Document]) -> None:
    for document in found:
        owner = cast("Document", document.pop("user"))
        if owner["_id"] != document["user_id"]:
            raise WrongResult(f"{document!r} belongs to {owner!r}")
    check_documents(ground.kind, found, ground.count)


def _check(ground: Ground, found: Sequence[object]) -> None:
    orders = cast("Sequence[OwnedOrder]", found)
    check_instances(ground.kind, orders, ground.count)
    check_users(orders)


def odmantic_sync(ground: Ground, clock: Clock) -> None:
    _users(ground)
    with clock:
        found = list(ground.engine.find(ground.kind.model))
    _check(ground, found)


async def odmantic_async(ground: Ground, clock: Clock) -> None:
    _users(ground)
    with clock:
        found = await ground.aio_engine.find(ground.kind.model)
    _check(ground, found)


def mongotic_sync(ground: Ground, clock: Clock) -> None:
    _users(ground)
    with ground.session() as session:
        with clock:
            found = session.scalars(select(ground.kind.model)).all()
        _check(ground, found)


async def mongotic_async(ground: Ground, clock: Clock) -> None:
    _users(ground)
    async with ground.async_session() as session:
        with clock:
            found = await session.scalars(select(ground.kind.model)).all()
        _check(ground, found)


WORKLOAD = Race(
    code="W9",
    title="2,000 orders with their 100 users",
    notes="raw: find({}) and one $in query, and each user put in its place. All keep the whole result.",
    documents=2_000,
    bars=((OWNED, 2.0),),
    contenders=(
        Contender(Party.RAW_SYNC, raw_sync),
        Contender(Party.RAW_ASYNC, raw_async),
        Contender(Party.MONGOTIC_SYNC, mongotic_sync),
        Contender(Party.MONGOTIC_ASYNC, mongotic_async),
        Contender(Party.ODMANTIC_SYNC, odmantic_sync),
        Contender(Party.ODMANTIC_ASYNC, odmantic_async),
    ),
    stored=True,
)
