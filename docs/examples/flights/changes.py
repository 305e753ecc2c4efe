"""The changes, each made four times: ODMantic and mongotic, blocking and awaited.

ODMantic stores instance by instance; mongotic collects what changed and writes it at `commit`.  What ODMantic has no
statement for is done as its users do it: load, change, save.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bson import ObjectId
from data import Row, airports, make_flight
from models import Airline, Airport, Flight, Plane
from odmantic import AIOEngine, SyncEngine
from step import Answer, Step

from mongotic import Session, asc, delete, insert, select, update
from mongotic.asyncio import AsyncSession


class Change(Step):
    changes = True


@dataclass(frozen=True)
class NewFlights:
    """Flights that are not stored yet.

    Attributes:
        rows: their lines in the file.
        airlines: by carrier, stored already.
        planes: by tail number, stored already.
    """

    rows: list[Row]
    airlines: Mapping[str, Airline]
    planes: Mapping[str, Plane]

    def instances(self, keys: list[ObjectId]) -> list[Flight]:
        return [make_flight(row, self.airlines, self.planes, key) for row, key in zip(self.rows, keys, strict=True)]


class StoreFlights(Change):
    """New instances."""

    def __init__(self, new: NewFlights) -> None:
        self.asked = f"store {len(new.rows):,} new flights"
        self.new = new
        self.keys = [ObjectId() for _ in new.rows]  # the same on all sides, so that they can be compared
        self.flights: list[Flight] = []

    def prepare(self) -> None:
        self.flights = self.new.instances(self.keys)

    def odmantic(self, engine: SyncEngine) -> Answer:
        return len(engine.save_all(self.flights))

    def mongotic(self, session: Session) -> Answer:
        session.add_all(self.flights)
        session.commit()
        return len(self.flights)

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return len(await engine.save_all(self.flights))

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        session.add_all(self.flights)
        await session.commit()
        return len(self.flights)


class InsertAirports(Change):
    """New documents by a statement, beside the unit of work."""

    def __init__(self, amount: int) -> None:
        self.asked = f"insert {amount:,} airports"
        self.amount = amount
        self.airports: list[Airport] = []

    def prepare(self) -> None:
        self.airports = airports()[: self.amount]

    def odmantic(self, engine: SyncEngine) -> Answer:
        return len(engine.save_all(self.airports))

    def mongotic(self, session: Session) -> Answer:
        return session.execute(insert(Airport).values(self.airports)).rowcount

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return len(await engine.save_all(self.airports))

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return (await session.execute(insert(Airport).values(self.airports))).rowcount


class DelayFlights(Change):
    """One field of many loaded instances."""

    def __init__(self, amount: int) -> None:
        self.asked = f"load {amount:,} flights, delay each, store"
        self.amount = amount

    def odmantic(self, engine: SyncEngine) -> Answer:
        flights = list(engine.find(Flight, sort=asc(Flight.id), limit=self.amount))
        for flight in flights:
            flight.departure_delay = (flight.departure_delay or 0) + 15
        return len(engine.save_all(flights))

    def mongotic(self, session: Session) -> Answer:
        flights = session.scalars(select(Flight).order_by(asc(Flight.id)).limit(self.amount)).all()
        for flight in flights:
            flight.departure_delay = (flight.departure_delay or 0) + 15
        session.commit()
        return len(flights)

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        flights = await engine.find(Flight, sort=asc(Flight.id), limit=self.amount)
        for flight in flights:
            flight.departure_delay = (flight.departure_delay or 0) + 15
        return len(await engine.save_all(flights))

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        flights = await session.scalars(select(Flight).order_by(asc(Flight.id)).limit(self.amount)).all()
        for flight in flights:
            flight.departure_delay = (flight.departure_delay or 0) + 15
        await session.commit()
        return len(flights)


class RemarkOnFlights(Change):
    """A list, changed in place."""

    def __init__(self, destination: str) -> None:
        self.asked = f"load flights to {destination}, append a remark"
        self.wanted = Flight.destination == destination

    def odmantic(self, engine: SyncEngine) -> Answer:
        flights = list(engine.find(Flight, self.wanted))
        for flight in flights:
            flight.remarks.append("de-iced")
        return len(engine.save_all(flights))

    def mongotic(self, session: Session) -> Answer:
        flights = session.scalars(select(Flight).where(self.wanted)).all()
        for flight in flights:
            flight.remarks.append("de-iced")
        session.commit()
        return len(flights)

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        flights = await engine.find(Flight, self.wanted)
        for flight in flights:
            flight.remarks.append("de-iced")
        return len(await engine.save_all(flights))

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        flights = await session.scalars(select(Flight).where(self.wanted)).all()
        for flight in flights:
            flight.remarks.append("de-iced")
        await session.commit()
        return len(flights)


class RenameManufacturer(Change):
    """Every document that fits: a statement, where ODMantic loads and saves."""

    def __init__(self, old: str, new: str) -> None:
        self.asked = f"rename the maker {old.title()}"
        self.wanted = Plane.manufacturer == old
        self.new = new

    def odmantic(self, engine: SyncEngine) -> Answer:
        planes = list(engine.find(Plane, self.wanted))
        for plane in planes:
            plane.manufacturer = self.new
        return len(engine.save_all(planes))

    def mongotic(self, session: Session) -> Answer:
        return session.execute(update(Plane).where(self.wanted).values(manufacturer=self.new)).rowcount

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        planes = await engine.find(Plane, self.wanted)
        for plane in planes:
            plane.manufacturer = self.new
        return len(await engine.save_all(planes))

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return (await session.execute(update(Plane).where(self.wanted).values(manufacturer=self.new))).rowcount


class RemoveWithoutAirTime(Change):
    """Every document that fits, removed by a statement, which ODMantic has too."""

    asked = "remove all flights without air time"
    wanted = Flight.air_time == None

    def odmantic(self, engine: SyncEngine) -> Answer:
        return engine.remove(Flight, self.wanted)

    def mongotic(self, session: Session) -> Answer:
        return session.execute(delete(Flight).where(self.wanted)).rowcount

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        return await engine.remove(Flight, self.wanted)

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        return (await session.execute(delete(Flight).where(self.wanted))).rowcount


class DeleteFlights(Change):
    """Loaded instances, deleted one by one."""

    def __init__(self, destination: str) -> None:
        self.asked = f"load flights to {destination}, delete each"
        self.wanted = Flight.destination == destination

    def odmantic(self, engine: SyncEngine) -> Answer:
        flights = list(engine.find(Flight, self.wanted))
        for flight in flights:
            engine.delete(flight)
        return len(flights)

    def mongotic(self, session: Session) -> Answer:
        flights = session.scalars(select(Flight).where(self.wanted)).all()
        for flight in flights:
            session.delete(flight)
        session.commit()
        return len(flights)

    async def odmantic_async(self, engine: AIOEngine) -> Answer:
        flights = await engine.find(Flight, self.wanted)
        for flight in flights:
            await engine.delete(flight)
        return len(flights)

    async def mongotic_async(self, session: AsyncSession) -> Answer:
        flights = await session.scalars(select(Flight).where(self.wanted)).all()
        for flight in flights:
            await session.delete(flight)
        await session.commit()
        return len(flights)


def changes(new: NewFlights, amount: int) -> list[Step]:
    """Return the changes.

    Arguments:
        new: flights to store.
        amount: documents in changes of a given number.
    """
    return [
        StoreFlights(new),
        InsertAirports(amount),
        DelayFlights(amount),
        RemarkOnFlights("MCO"),
        RenameManufacturer("AIRBUS INDUSTRIE", "AIRBUS"),
        RemoveWithoutAirTime(),
        DeleteFlights("ATL"),
    ]
