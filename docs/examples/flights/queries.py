"""The questions, each asked four times: ODMantic and mongotic, blocking and awaited.

The conditions are the same for both: what a team has written for `engine.find` is what `where` takes.
"""

from datetime import datetime, timedelta

from bson import ObjectId
from models import Flight, Plane
from odmantic import AIOEngine, SyncEngine
from odmantic.query import eq, gt
from step import Answer, Step

from mongotic import Session, asc, desc, select
from mongotic.asyncio import AsyncSession


class Query(Step):
    changes = False


class WorstOfTheDay(Query):
    """Conditions, order and limit."""

    def __init__(self, carrier: str, day: datetime) -> None:
        self.asked = f"25 worst delays of {carrier} on {day:%Y-%m-%d}"
        self.wanted = (eq(Flight.airline, carrier), Flight.scheduled >= day, Flight.scheduled < day + timedelta(days=1))
        self.order = (desc(Flight.arrival_delay), asc(Flight.id))

    def odmantic(self, engine: SyncEngine) -> Answer:
        return list(engine.find(Flight, *self.wanted, sort=self.order, limit=25))

    def mongotic(self, session: Session) -> Answer:
        return session.scalars(select(Flight).where(*self.wanted).order_by(*self.order).limit(25)).all()

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return await engine.find(Flight, *self.wanted, sort=self.order, limit=25)

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return await session.scalars(select(Flight).where(*self.wanted).order_by(*self.order).limit(25)).all()


class PlanesByKey(Query):
    """One document by its key."""

    def __init__(self, tailnums: list[str]) -> None:
        self.asked = f"{len(tailnums)} planes by tail number, one by one"
        self.tailnums = tailnums

    def odmantic(self, engine: SyncEngine) -> Answer:
        return [engine.find_one(Plane, Plane.tailnum == tailnum) for tailnum in self.tailnums]

    def mongotic(self, session: Session) -> Answer:
        return [session.get(Plane, tailnum) for tailnum in self.tailnums]

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return [await engine.find_one(Plane, Plane.tailnum == tailnum) for tailnum in self.tailnums]

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return [await session.get(Plane, tailnum) for tailnum in self.tailnums]


class LateFlights(Query):
    """A count, made by the server."""

    asked = "count of flights two hours late"
    wanted = gt(Flight.arrival_delay, 120)

    def odmantic(self, engine: SyncEngine) -> Answer:
        return engine.count(Flight, self.wanted)

    def mongotic(self, session: Session) -> Answer:
        return session.scalars(select(Flight).where(self.wanted)).count()

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return await engine.count(Flight, self.wanted)

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return await session.scalars(select(Flight).where(self.wanted)).count()


class FlightsWithReferences(Query):
    """One document by its key, with the documents it refers to."""

    def __init__(self, keys: list[ObjectId]) -> None:
        self.asked = f"{len(keys)} flights by id, one by one, with plane and airline"
        self.keys = keys

    def odmantic(self, engine: SyncEngine) -> Answer:
        return [engine.find_one(Flight, Flight.id == key) for key in self.keys]

    def mongotic(self, session: Session) -> Answer:
        return [session.get(Flight, key) for key in self.keys]

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return [await engine.find_one(Flight, Flight.id == key) for key in self.keys]

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return [await session.get(Flight, key) for key in self.keys]


class FlightsToAnAirport(Query):
    """Many documents, one at a time."""

    def __init__(self, destination: str) -> None:
        self.asked = f"all flights to {destination}, iterated"
        self.wanted = Flight.destination == destination
        self.order = asc(Flight.id)

    def odmantic(self, engine: SyncEngine) -> Answer:
        found = engine.find(Flight, self.wanted, sort=self.order)
        return [(flight.plane.tailnum, flight.air_time) for flight in found]

    def mongotic(self, session: Session) -> Answer:
        found = session.scalars(select(Flight).where(self.wanted).order_by(self.order))
        return [(flight.plane.tailnum, flight.air_time) for flight in found]

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        found = engine.find(Flight, self.wanted, sort=self.order)
        return [(flight.plane.tailnum, flight.air_time) async for flight in found]

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        found = session.scalars(select(Flight).where(self.wanted).order_by(self.order))
        return [(flight.plane.tailnum, flight.air_time) async for flight in found]


class PlanesOfAManufacturer(Query):
    """Many documents at once."""

    def __init__(self, manufacturer: str) -> None:
        self.asked = f"all planes made by {manufacturer.title()}"
        self.wanted = Plane.manufacturer == manufacturer
        self.order = asc(Plane.tailnum)

    def odmantic(self, engine: SyncEngine) -> Answer:
        return list(engine.find(Plane, self.wanted, sort=self.order))

    def mongotic(self, session: Session) -> Answer:
        return session.scalars(select(Plane).where(self.wanted).order_by(self.order)).all()

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return await engine.find(Plane, self.wanted, sort=self.order)

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return await session.scalars(select(Plane).where(self.wanted).order_by(self.order)).all()


def queries(flight_keys: list[ObjectId], tailnums: list[str]) -> list[Step]:
    """Return the questions.

    Arguments:
        flight_keys: of the flights to ask for one by one.
        tailnums: of the planes to ask for one by one.
    """
    return [
        WorstOfTheDay("UA", datetime(2013, 1, 2)),
        PlanesByKey(tailnums),
        LateFlights(),
        FlightsWithReferences(flight_keys),
        FlightsToAnAirport("LAX"),
        PlanesOfAManufacturer("BOEING"),
    ]
