"""The package called mongotic, with document classes and sessions of its own, as its guides teach them.

Run by `race`.  Its keys are strings in Python, and new documents are not given any by their user.  Its guides have no
conditions on keys, and so no pages by key.
"""

import asyncio
import warnings
from datetime import datetime
from typing import Any

from bson import ObjectId
from clock import Clock
from documents import Document
from pydantic import BaseModel

from mongotic import create_engine, insert, select, update
from mongotic.asyncio import async_sessionmaker, create_async_engine
from mongotic.model import MongoBaseModel
from mongotic.orm import sessionmaker
from peers import checks
from peers.race import ASYNC, SYNC, Acts, Stage


class Geo(BaseModel):
    latitude: float
    longitude: float


class Address(BaseModel):
    street: str
    city: str
    geo: Geo


class Item(BaseModel):
    name: str
    amount: int
    price: float


MODELS: dict[str, Any] = {}
ENGINES: dict[str, Any] = {}
SESSIONS: dict[str, Any] = {}


def connect(stage: Stage) -> None:
    """Declare the models in the stage's database, and make the makers of sessions."""
    # Version 0.6 asks for another way to declare fields, which 0.5 has not.
    warnings.simplefilter("ignore", DeprecationWarning)

    class Order(MongoBaseModel):
        __databasename__ = stage.database
        __tablename__ = "orders"

        number: str
        customer: str
        quantity: int
        paid: bool
        total: float
        placed: datetime
        tags: list[str]
        address: Address
        items: list[Item]

    class Product(MongoBaseModel):
        __databasename__ = stage.database
        __tablename__ = "products"

        name: str
        email: str
        quantity: int
        active: bool

    MODELS.update({"order": Order, "flat": Product})
    uri = stage.uri + ("&" if "?" in stage.uri else "?") + "w=1"
    ENGINES.update({SYNC: create_engine(uri), ASYNC: create_async_engine(uri)})
    SESSIONS.update({SYNC: sessionmaker(bind=ENGINES[SYNC]), ASYNC: async_sessionmaker(bind=ENGINES[ASYNC])})


def close(stage: Stage) -> None:
    """Close its engines, which are PyMongo's clients."""
    ENGINES[SYNC].close()
    stage.loop.run_until_complete(ENGINES[ASYNC].close())


def _instances(stage: Stage) -> list[Any]:
    return [MODELS[stage.kind.name](**each) for each in _values(stage)]


def _values(stage: Stage) -> list[dict[str, Any]]:
    documents = stage.kind.documents(stage.count)
    return [{name: value for name, value in document.items() if name != "_id"} for document in documents]


def _dumped(instance: Any) -> Document:
    return {"_id": ObjectId(instance._id), **instance.model_dump()}


def add_all(stage: Stage, clock: Clock) -> None:
    stage.empty()
    instances = _instances(stage)
    with SESSIONS[SYNC]() as session:
        with clock:
            session.add_all(instances)
            session.commit()
        checks.check_stored(stage, keys=False)


async def add_all_awaited(stage: Stage, clock: Clock) -> None:
    stage.empty()
    instances = _instances(stage)
    async with SESSIONS[ASYNC]() as session:
        with clock:
            session.add_all(instances)
            await session.commit()
        checks.check_stored(stage, keys=False)


def insert_values(stage: Stage, clock: Clock) -> None:
    stage.empty()
    values = _values(stage)
    with SESSIONS[SYNC]() as session:
        with clock:
            session.execute(insert(MODELS[stage.kind.name]).values(values))
        checks.check_stored(stage, keys=False)


async def insert_values_awaited(stage: Stage, clock: Clock) -> None:
    stage.empty()
    values = _values(stage)
    async with SESSIONS[ASYNC]() as session:
        with clock:
            await session.execute(insert(MODELS[stage.kind.name]).values(values))
        checks.check_stored(stage, keys=False)


def read(stage: Stage, clock: Clock) -> None:
    with SESSIONS[SYNC]() as session:
        with clock:
            found = session.scalars(select(MODELS[stage.kind.name])).all()
        checks.check_found(stage, map(_dumped, found))


async def read_awaited(stage: Stage, clock: Clock) -> None:
    async with SESSIONS[ASYNC]() as session:
        with clock:
            found = await session.scalars(select(MODELS[stage.kind.name])).all()
        checks.check_found(stage, map(_dumped, found))


def stream(stage: Stage, clock: Clock) -> None:
    with SESSIONS[SYNC]() as session:
        with clock:
            total = sum(instance.quantity for instance in session.scalars(select(MODELS[stage.kind.name])))
        checks.check_total(stage, total)


async def stream_awaited(stage: Stage, clock: Clock) -> None:
    total = 0
    async with SESSIONS[ASYNC]() as session:
        with clock:
            async for instance in session.scalars(select(MODELS[stage.kind.name])):
                total += instance.quantity
        checks.check_total(stage, total)


async def get(stage: Stage, clock: Clock) -> None:
    keys = [str(stage.kind.document(number)["_id"]) for number in checks.numbers(stage)]
    found: list[Any] = []
    with clock:
        for each in keys:
            async with SESSIONS[ASYNC]() as session:
                found.append(await session.get(MODELS["order"], each))
    checks.check_found(stage, map(_dumped, found))


async def get_in_tasks(stage: Stage, clock: Clock) -> None:
    keys = [str(stage.kind.document(number)["_id"]) for number in range(stage.count)]
    found: list[Any] = []

    async def work(first: int) -> None:
        for each in keys[first :: checks.TASKS]:
            async with SESSIONS[ASYNC]() as session:
                found.append(await session.get(MODELS["order"], each))

    with clock:
        await asyncio.gather(*(work(first) for first in range(checks.TASKS)))
    checks.check_found(stage, map(_dumped, found))


def change(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with SESSIONS[SYNC]() as session:
        with clock:
            for instance in session.scalars(select(MODELS[stage.kind.name])).all():
                instance.quantity += 1
            session.commit()
        checks.check_stored(stage, added=1)


async def change_awaited(stage: Stage, clock: Clock) -> None:
    stage.fill()
    async with SESSIONS[ASYNC]() as session:
        with clock:
            for instance in await session.scalars(select(MODELS[stage.kind.name])).all():
                instance.quantity += 1
            await session.commit()
        checks.check_stored(stage, added=1)


def columns(stage: Stage, clock: Clock) -> None:
    order = MODELS["order"]
    with SESSIONS[SYNC]() as session:
        with clock:
            found = session.execute(select(order.number, order.quantity)).all()
        checks.check_columns(stage, [(row[0], row[1]) for row in found])


async def columns_awaited(stage: Stage, clock: Clock) -> None:
    order = MODELS["order"]
    async with SESSIONS[ASYNC]() as session:
        with clock:
            found = await (await session.execute(select(order.number, order.quantity))).all()
        checks.check_columns(stage, [(row[0], row[1]) for row in found])


def change_statement(stage: Stage, clock: Clock) -> None:
    stage.fill()
    order = MODELS["order"]
    with SESSIONS[SYNC]() as session:
        with clock:
            session.execute(update(order).where(order.paid == True).values(total=1.5))
        checks.check_changed(stage)


async def change_statement_awaited(stage: Stage, clock: Clock) -> None:
    stage.fill()
    order = MODELS["order"]
    async with SESSIONS[ASYNC]() as session:
        with clock:
            await session.execute(update(order).where(order.paid == True).values(total=1.5))
        checks.check_changed(stage)


ACTS: Acts = {
    ("W1", SYNC): add_all,
    ("W1", ASYNC): add_all_awaited,
    ("W2", SYNC): insert_values,
    ("W2", ASYNC): insert_values_awaited,
    ("W3", SYNC): read,
    ("W3", ASYNC): read_awaited,
    ("W4", SYNC): stream,
    ("W4", ASYNC): stream_awaited,
    ("W5", ASYNC): get,
    ("W6", ASYNC): get_in_tasks,
    ("W7", SYNC): change,
    ("W7", ASYNC): change_awaited,
    ("W8", SYNC): columns,
    ("W8", ASYNC): columns_awaited,
    ("W11", SYNC): change_statement,
    ("W11", ASYNC): change_statement_awaited,
}
