"""beanie: asyncio only, on PyMongo's own client.

Run by `race`.
"""

import asyncio
from datetime import datetime
from typing import Any

from beanie import BulkWriter, Document, init_beanie
from bson import ObjectId
from clock import Clock
from documents import Document as Stored
from pydantic import BaseModel

from peers import checks
from peers.race import ASYNC, Acts, Stage


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


class Order(Document):
    number: str
    customer: str
    quantity: int
    paid: bool
    total: float
    placed: datetime
    tags: list[str]
    address: Address
    items: list[Item]

    class Settings:
        name = "orders"


class Product(Document):
    name: str
    email: str
    quantity: int
    active: bool

    class Settings:
        name = "products"


class Columns(BaseModel):
    number: str
    quantity: int


MODELS: dict[str, Any] = {"order": Order, "flat": Product}


def connect(stage: Stage) -> None:
    """Bind the models to the stage's database."""
    database = stage.async_client[stage.database]
    stage.loop.run_until_complete(init_beanie(database=database, document_models=[Order, Product]))


def close(stage: Stage) -> None:
    """Do nothing: the clients are the stage's."""


def _instances(stage: Stage) -> list[Any]:
    model = MODELS[stage.kind.name]
    return [model.model_validate({**document, "id": document["_id"]}) for document in stage.kind.documents(stage.count)]


def _dumped(instance: Any) -> Stored:
    return {"_id": ObjectId(instance.id), **instance.model_dump(exclude={"id", "revision_id"})}


async def insert(stage: Stage, clock: Clock) -> None:
    stage.empty()
    instances = _instances(stage)
    with clock:
        await MODELS[stage.kind.name].insert_many(instances)
    checks.check_stored(stage)


async def read(stage: Stage, clock: Clock) -> None:
    with clock:
        found = await MODELS[stage.kind.name].find_all().to_list()
    checks.check_found(stage, map(_dumped, found))


async def stream(stage: Stage, clock: Clock) -> None:
    total = 0
    with clock:
        async for instance in MODELS[stage.kind.name].find_all():
            total += instance.quantity
    checks.check_total(stage, total)


async def get(stage: Stage, clock: Clock) -> None:
    keys = [stage.kind.document(number)["_id"] for number in checks.numbers(stage)]
    with clock:
        found = [await Order.get(each) for each in keys]
    checks.check_found(stage, map(_dumped, found))


async def get_in_tasks(stage: Stage, clock: Clock) -> None:
    keys = [stage.kind.document(number)["_id"] for number in range(stage.count)]
    found: list[Any] = []

    async def work(first: int) -> None:
        found.extend([await Order.get(each) for each in keys[first :: checks.TASKS]])

    with clock:
        await asyncio.gather(*(work(first) for first in range(checks.TASKS)))
    checks.check_found(stage, map(_dumped, found))


async def change(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        found = await MODELS[stage.kind.name].find_all().to_list()
        async with BulkWriter() as writer:
            for instance in found:
                await instance.set({"quantity": instance.quantity + 1}, bulk_writer=writer)
    checks.check_stored(stage, added=1)


async def columns(stage: Stage, clock: Clock) -> None:
    with clock:
        found = await Order.find_all().project(Columns).to_list()
    checks.check_columns(stage, [(row.number, row.quantity) for row in found])


async def transaction(stage: Stage, clock: Clock) -> None:
    stage.empty()
    instances = _instances(stage)
    with clock:
        async with stage.async_client.start_session() as session, await session.start_transaction():
            await Order.insert_many(instances, session=session)
    checks.check_stored(stage)


async def update(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        await Order.find({"paid": True}).update({"$set": {"total": 1.5}})
    checks.check_changed(stage)


async def pages(stage: Stage, clock: Clock) -> None:
    found: list[Any] = []
    with clock:
        while page := await Order.find(_after(found)).sort("+_id").limit(checks.PAGE).to_list():
            found += page
    checks.check_found(stage, map(_dumped, found))


def _after(found: list[Any]) -> Stored:
    return {"_id": {"$gt": found[-1].id}} if found else {}


ACTS: Acts = {
    ("W1", ASYNC): insert,
    ("W3", ASYNC): read,
    ("W4", ASYNC): stream,
    ("W5", ASYNC): get,
    ("W6", ASYNC): get_in_tasks,
    ("W7", ASYNC): change,
    ("W8", ASYNC): columns,
    ("W10", ASYNC): transaction,
    ("W11", ASYNC): update,
    ("W15", ASYNC): pages,
}
