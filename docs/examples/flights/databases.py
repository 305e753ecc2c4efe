"""The databases of the demo, and what each library is given to work on them: ODMantic's engines, mongotic's sessions.

`flights` is loaded through mongotic and read by both.  What is changed are copies, one for each library, which are
made anew before every change, so that they can be compared after it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from models import Airline, Airport, Flight, Plane
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model, SyncEngine
from pymongo import MongoClient
from pymongo.collection import Collection

from mongotic import sessionmaker
from mongotic.asyncio import async_sessionmaker

MODELS = (Airline, Airport, Plane, Flight)

Contents = dict[str, list[dict[str, Any]]]
"""Documents by name of their model, as the driver gives them."""


class Database:
    """One database, as both libraries reach it: mongotic is given the very engines ODMantic works with."""

    def __init__(
        self, client: MongoClient[dict[str, Any]], motor: AsyncIOMotorClient[dict[str, Any]], name: str
    ) -> None:
        self.engine = SyncEngine(client, name)
        self.async_engine = AIOEngine(motor, name)
        self.session = sessionmaker(self.engine)
        self.async_session = async_sessionmaker(self.async_engine)
        self.name = name
        self.engine.configure_database(MODELS)  # the indexes the models ask for; mongotic leaves that to the engine

    def collection(self, model: type[Model]) -> Collection[dict[str, Any]]:
        """Return a model's collection as the driver has it, to look past both libraries."""
        return self.engine.get_collection(model)

    def contents(self) -> Contents:
        """Return every document."""
        return {model.__name__: list(self.collection(model).find().sort("_id")) for model in MODELS}

    def become_copy_of(self, source: "Database", flights: int) -> None:
        """Take the airlines, the planes and the first flights of *source*, and no airports: done by the server."""
        for model in (Airline, Plane, Flight):
            first: list[dict[str, Any]] = [{"$sort": {"_id": 1}}, {"$limit": flights}] if model is Flight else []
            target = {"db": self.name, "coll": self.collection(model).name}
            source.collection(model).aggregate([*first, {"$out": target}])
        self.collection(Airport).delete_many({})


class Databases:
    """All of them.

    Attributes:
        flights: loaded through mongotic, read by both libraries.
        odmantic: the copy ODMantic changes.
        mongotic: the copy mongotic changes.
        losses: where two clients get into each other's way.
    """

    def __init__(self, client: MongoClient[dict[str, Any]], motor: AsyncIOMotorClient[dict[str, Any]]) -> None:
        self.flights = Database(client, motor, "flights")
        self.odmantic = Database(client, motor, "demo_odmantic")
        self.mongotic = Database(client, motor, "demo_mongotic")
        self.losses = Database(client, motor, "demo_losses")
        self.server_version = str(client.server_info()["version"])


@contextmanager
def connected(uri: str) -> Iterator[Databases]:
    """Connect to a server; inside a running event loop, because Motor's client belongs to one."""
    motor: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(uri)
    try:
        with MongoClient[dict[str, Any]](uri) as client:
            yield Databases(client, motor)
    finally:
        motor.close()
