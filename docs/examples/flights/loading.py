"""Fills the database through mongotic, with a progress bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from data import Row, airlines, airports, make_flight, planes
from databases import Database
from models import Airline, Plane
from odmantic import Model
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

AT_ONCE = 5_000
"""Flights in one commit."""


@dataclass(frozen=True)
class Loaded:
    """What was stored.

    Attributes:
        airlines: by carrier.
        planes: by tail number.
        seconds: what the flights took, from lines of the file to the last commit.
    """

    airlines: dict[str, Airline]
    planes: dict[str, Plane]
    seconds: float


def load(rows: Sequence[Row], database: Database, console: Console) -> Loaded:
    """Store all airlines, airports and planes, and the flights of *rows*."""
    by_carrier = {airline.carrier: airline for airline in airlines()}
    by_tailnum = {plane.tailnum: plane for plane in planes()}
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        _store(list(by_carrier.values()), "airlines", database, progress)
        _store(airports(), "airports", database, progress)
        _store(list(by_tailnum.values()), "planes", database, progress)

        bar = progress.add_task("flights", total=len(rows))
        started = perf_counter()
        for start in range(0, len(rows), AT_ONCE):
            chunk = rows[start : start + AT_ONCE]
            with database.session() as session:  # it holds what it stored, so each chunk has a session of its own
                session.add_all(make_flight(row, by_carrier, by_tailnum) for row in chunk)
                session.commit()
            progress.advance(bar, len(chunk))
        return Loaded(by_carrier, by_tailnum, perf_counter() - started)


def _store(instances: Sequence[Model], name: str, database: Database, progress: Progress) -> None:
    bar = progress.add_task(name, total=len(instances))
    with database.session() as session:
        session.add_all(instances)
        session.commit()
    progress.advance(bar, len(instances))
