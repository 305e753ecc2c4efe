"""The models of the demo: plain ODMantic, made to be copied.

mongotic asks for no base class of its own and for no change here: these classes serve both libraries as they are.
"""

from datetime import datetime

from bson import ObjectId
from odmantic import Field, Model, Reference


class Airline(Model):
    carrier: str = Field(primary_field=True)  # two letters, "UA"
    name: str


class Airport(Model):
    faa: str = Field(primary_field=True)  # three letters, "JFK"
    name: str
    latitude: float
    longitude: float
    altitude: int  # feet
    time_zone: str | None = None


class Plane(Model):
    tailnum: str = Field(primary_field=True)  # "N14228"
    manufacturer: str = Field(index=True)
    model: str
    kind: str
    engine: str
    engines: int
    seats: int
    built: int | None = None  # year
    speed: int | None = None  # miles per hour


class Flight(Model):
    id: ObjectId = Field(default_factory=ObjectId, primary_field=True)
    number: int
    airline: Airline = Reference()
    plane: Plane = Reference()
    origin: str
    destination: str = Field(index=True)
    scheduled: datetime = Field(index=True)  # New York time, as the airport's board shows it
    departure_delay: int | None = None  # minutes, like all times below; None: it did not leave
    arrival_delay: int | None = None
    air_time: int | None = None
    distance: int  # miles
    remarks: list[str] = []
