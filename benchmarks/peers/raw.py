"""The raw driver at every workload that a peer has.

Used by `race`, for each peer anew in the same process.
"""

import asyncio
from typing import cast

from clock import Clock
from documents import Document
from pymongo import UpdateOne

from peers import checks
from peers.race import ASYNC, SYNC, Acts, Stage


def connect(stage: Stage) -> None:
    """Do nothing: the clients of the stage are the raw driver."""


def close(stage: Stage) -> None:
    """Do nothing: the clients are the stage's."""


def insert(stage: Stage, clock: Clock) -> None:
    stage.empty()
    documents = stage.kind.documents(stage.count)
    with clock:
        stage.collection.insert_many(documents)
    checks.check_stored(stage)


async def insert_awaited(stage: Stage, clock: Clock) -> None:
    stage.empty()
    documents = stage.kind.documents(stage.count)
    with clock:
        await stage.async_collection.insert_many(documents)
    checks.check_stored(stage)


def read(stage: Stage, clock: Clock) -> None:
    with clock:
        found = stage.collection.find({}).to_list()
    checks.check_found(stage, found)


async def read_awaited(stage: Stage, clock: Clock) -> None:
    with clock:
        found = await stage.async_collection.find({}).to_list()
    checks.check_found(stage, found)


def stream(stage: Stage, clock: Clock) -> None:
    with clock:
        total = sum(_quantity(document) for document in stage.collection.find({}))
    checks.check_total(stage, total)


async def stream_awaited(stage: Stage, clock: Clock) -> None:
    total = 0
    with clock:
        async for document in stage.async_collection.find({}):
            total += _quantity(document)
    checks.check_total(stage, total)


async def get_awaited(stage: Stage, clock: Clock) -> None:
    keys = [stage.kind.document(number)["_id"] for number in checks.numbers(stage)]
    with clock:
        found = [await stage.async_collection.find_one({"_id": each}) for each in keys]
    checks.check_found(stage, [document for document in found if document is not None])


async def get_in_tasks(stage: Stage, clock: Clock) -> None:
    keys = [stage.kind.document(number)["_id"] for number in range(stage.count)]
    found: list[Document | None] = []

    async def work(first: int) -> None:
        found.extend([await stage.async_collection.find_one({"_id": each}) for each in keys[first :: checks.TASKS]])

    with clock:
        await asyncio.gather(*(work(first) for first in range(checks.TASKS)))
    checks.check_found(stage, [document for document in found if document is not None])


def change(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        found = stage.collection.find({}).to_list()
        stage.collection.bulk_write([_update(document) for document in found])
    checks.check_stored(stage, added=1)


async def change_awaited(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        found = await stage.async_collection.find({}).to_list()
        await stage.async_collection.bulk_write([_update(document) for document in found])
    checks.check_stored(stage, added=1)


def columns(stage: Stage, clock: Clock) -> None:
    with clock:
        found = stage.collection.find({}, checks.COLUMNS).to_list()
    checks.check_columns(stage, [(document["number"], document["quantity"]) for document in found])


async def columns_awaited(stage: Stage, clock: Clock) -> None:
    with clock:
        found = await stage.async_collection.find({}, checks.COLUMNS).to_list()
    checks.check_columns(stage, [(document["number"], document["quantity"]) for document in found])


def references(stage: Stage, clock: Clock) -> None:
    users = stage.client[stage.database]["users"]
    with clock:
        found = stage.collection.find({}).to_list()
        keys = list({document["user_id"] for document in found})
        by_key = {document["_id"]: document for document in users.find({"_id": {"$in": keys}}).to_list()}
        for document in found:
            document["user"] = by_key[document["user_id"]]
    checks.check_found(stage, [{name: document[name] for name in document if name != "user"} for document in found])


async def transaction_awaited(stage: Stage, clock: Clock) -> None:
    stage.empty()
    documents = stage.kind.documents(stage.count)
    with clock:
        async with stage.async_client.start_session() as session, await session.start_transaction():
            await stage.async_collection.insert_many(documents, session=session)
    checks.check_stored(stage)


def update(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        stage.collection.update_many({"paid": True}, {"$set": {"total": 1.5}})
    checks.check_changed(stage)


async def update_awaited(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        await stage.async_collection.update_many({"paid": True}, {"$set": {"total": 1.5}})
    checks.check_changed(stage)


def pages(stage: Stage, clock: Clock) -> None:
    found: list[Document] = []
    with clock:
        while page := stage.collection.find(_after(found)).sort("_id", 1).limit(checks.PAGE).to_list():
            found += page
    checks.check_found(stage, found)


async def pages_awaited(stage: Stage, clock: Clock) -> None:
    found: list[Document] = []
    with clock:
        while page := await stage.async_collection.find(_after(found)).sort("_id", 1).limit(checks.PAGE).to_list():
            found += page
    checks.check_found(stage, found)


def _after(found: list[Document]) -> Document:
    return {"_id": {"$gt": found[-1]["_id"]}} if found else {}


def _quantity(document: Document) -> int:
    return cast("int", document["quantity"])


def _update(document: Document) -> UpdateOne:
    return UpdateOne({"_id": document["_id"]}, {"$set": {"quantity": _quantity(document) + 1}})


ACTS: Acts = {
    ("W1", SYNC): insert,
    ("W1", ASYNC): insert_awaited,
    ("W2", SYNC): insert,
    ("W2", ASYNC): insert_awaited,
    ("W3", SYNC): read,
    ("W3", ASYNC): read_awaited,
    ("W4", SYNC): stream,
    ("W4", ASYNC): stream_awaited,
    ("W5", ASYNC): get_awaited,
    ("W6", ASYNC): get_in_tasks,
    ("W7", SYNC): change,
    ("W7", ASYNC): change_awaited,
    ("W8", SYNC): columns,
    ("W8", ASYNC): columns_awaited,
    ("W9", SYNC): references,
    ("W10", ASYNC): transaction_awaited,
    ("W11", SYNC): update,
    ("W11", ASYNC): update_awaited,
    ("W15", SYNC): pages,
    ("W15", ASYNC): pages_awaited,
}
