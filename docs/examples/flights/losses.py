"""Two ways in which ODMantic loses data without a word, and what mongotic does there: played on the server.

In each, one client loads a document and changes it, and another client comes in between.
"""

from dataclasses import dataclass
from typing import Any

from databases import Database
from models import Flight, Plane
from odmantic import SyncEngine
from odmantic.exceptions import DocumentParsingError
from pymongo import MongoClient

from mongotic import StaleDataError


@dataclass(frozen=True)
class Finding:
    """One story and its two ends.

    Attributes:
        story: what happened.
        odmantic: what came of it with ODMantic.
        mongotic: what came of it with mongotic.
        kept: mongotic lost and invented nothing.
    """

    story: str
    odmantic: str
    mongotic: str
    kept: bool


def losses(database: Database, source: Database, uri: str) -> list[Finding]:
    """Play both stories, each once with ODMantic and once with mongotic.

    Arguments:
        database: where; it is made a small copy of *source* before each.
        source: where flights and planes are taken from.
        uri: of the server, for the other client.
    """
    with MongoClient[dict[str, Any]](uri) as client:
        other = SyncEngine(client, database.name)
        return [resurrected_fragment(database, source, other), overwritten_list(database, source, other)]


def resurrected_fragment(database: Database, source: Database, other: SyncEngine) -> Finding:
    """A document that another client deletes, while this one changes it."""
    planes = database.collection(Plane)

    database.become_copy_of(source, flights=1)
    plane = database.engine.find_one(Plane, sort=Plane.tailnum)
    assert plane is not None
    key = {"_id": plane.tailnum}
    plane.seats += 2
    other.remove(Plane, Plane.tailnum == plane.tailnum)
    database.engine.save(plane)
    by_odmantic = f"save() reports success. In the database: {_shown(planes.find_one(key))}"
    try:
        other.find_one(Plane, Plane.tailnum == plane.tailnum)
    except DocumentParsingError as error:
        by_odmantic += f"; reading it raises {type(error).__name__}"

    database.become_copy_of(source, flights=1)
    with database.session() as session:
        stale = session.get(Plane, plane.tailnum)
        assert stale is not None
        stale.seats += 2
        other.remove(Plane, Plane.tailnum == stale.tailnum)
        told = ""
        try:
            session.commit()
        except StaleDataError as error:
            told = type(error).__name__
    left = planes.find_one(key)
    return Finding(
        f"We load plane {plane.tailnum} and change its seats; another client deletes the plane; we store it.",
        by_odmantic,
        f"commit() {f'raises {told}' if told else 'reports success'}. In the database: {_shown(left)}",
        kept=bool(told) and left is None,
    )


def overwritten_list(database: Database, source: Database, other: SyncEngine) -> Finding:
    """A list that another client appends to, while this one changes another field."""
    flights = database.collection(Flight)
    remark = {"$push": {"remarks": "doctor on board"}}

    database.become_copy_of(source, flights=1)
    flight = database.engine.find_one(Flight)
    assert flight is not None
    key = {"_id": flight.id}
    flight.departure_delay = 45
    other.get_collection(Flight).update_one(key, remark)
    database.engine.save(flight)
    after_odmantic = flights.find_one(key, {"_id": 0, "departure_delay": 1, "remarks": 1})

    database.become_copy_of(source, flights=1)
    with database.session() as session:
        loaded = session.get(Flight, flight.id)
        assert loaded is not None
        loaded.departure_delay = 45
        other.get_collection(Flight).update_one(key, remark)
        session.commit()
    after_mongotic = flights.find_one(key, {"_id": 0, "departure_delay": 1, "remarks": 1})
    return Finding(
        f"We load flight {flight.number} and change its delay; another client adds the remark "
        '"doctor on board"; we store it.',
        f"save() reports success. In the database: {_shown(after_odmantic)}",
        f"commit() reports success. In the database: {_shown(after_mongotic)}",
        kept=after_mongotic == {"departure_delay": 45, "remarks": ["doctor on board"]},
    )


def _shown(document: dict[str, Any] | None) -> str:
    return "nothing" if document is None else str(document)
