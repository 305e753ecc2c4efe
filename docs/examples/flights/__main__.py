"""The demo: New York's flights on a real MongoDB, through mongotic and through plain ODMantic, side by side.

    make demo                                            everything, on a server of its own
    .venv/bin/python docs/examples/flights --flights N   with another number of flights

Ends with status 1 if the two libraries do not agree, or if mongotic loses anything.
"""

import argparse
import asyncio
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from time import perf_counter

from bson import ObjectId
from changes import NewFlights, changes
from data import flight_rows
from databases import Database, Databases, connected
from loading import load
from losses import Finding, losses
from measure import Bench, Measurement
from models import Flight
from queries import queries
from rich.console import Console
from rich.progress import track
from step import Step
from table import make_console, print_losses, print_measurements

from mongotic.testing import EmbeddedMongo

LEAST_FLIGHTS = 2_000

COPIED_FLIGHTS = 2_000
"""In each of the two copies that changes are made to."""


def main() -> int:
    options = _options()
    console = make_console()
    started = perf_counter()
    with EmbeddedMongo() as server:
        agree = asyncio.run(demo(server.uri, options.flights, options.rounds, console))
    verdict = "results agree" if agree else "RESULTS DO NOT AGREE"
    console.print(f"{perf_counter() - started:.0f} s in all; {verdict}")
    return 0 if agree else 1


async def demo(uri: str, flights: int, rounds: int, console: Console) -> bool:
    """Load, measure, compare and print; return whether all sides agree and mongotic lost nothing."""
    with connected(uri) as databases:
        _print_versions(console, databases)
        steps = _load(databases, flights, console)
        bench = Bench(databases, rounds, COPIED_FLIGHTS)
        progress = track(steps, "measuring", console=console, transient=True, disable=not console.is_terminal)
        measurements = [await bench.measure(step) for step in progress]
        print_measurements(console, measurements, COPIED_FLIGHTS, rounds)
        findings = losses(databases.losses, databases.flights, uri)
        print_losses(console, findings)
    problems = _problems(measurements, findings)
    for problem in problems:
        console.print(problem, style="red", markup=False)
    return not problems


def _load(databases: Databases, flights: int, console: Console) -> list[Step]:
    """Load the data set and return what to ask and change."""
    new = min(2_000, flights // 20)  # all of them, stored as ODMantic does it, would take minutes
    source = flight_rows(flights + new)
    stored = source.rows[:-new]
    console.print("\nLoading through mongotic, with add_all() and commit():")
    loaded = load(stored, databases.flights, console)
    console.print(
        f"{len(stored):,} flights in {loaded.seconds:.1f} s, from the file's lines to the last commit.\n"
        f"Left out: {source.left_out:,} flights whose plane is not in the data set."
    )
    amount = min(500, flights // 20)
    return [
        *queries(_some_keys(databases.flights, 100), list(loaded.planes)[:200]),
        *changes(NewFlights(source.rows[-new:], loaded.airlines, loaded.planes), amount),
    ]


def _some_keys(database: Database, amount: int) -> list[ObjectId]:
    """Return the keys of flights all over the data set."""
    keys = [document["_id"] for document in database.collection(Flight).find({}, {"_id": 1}).sort("_id")]
    return keys[:: len(keys) // amount][:amount]


def _problems(measurements: Sequence[Measurement], findings: Sequence[Finding]) -> list[str]:
    differences = [f"{found.step.asked}: {text}" for found in measurements for text in found.differences]
    return differences + [f"mongotic lost something: {found.story}" for found in findings if not found.kept]


def _print_versions(console: Console, databases: Databases) -> None:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("odmantic", "pymongo", "motor", "pydantic"))
    console.print(f"MongoDB {databases.server_version}, Python {platform.python_version()}, {libraries}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flights", description="mongotic and ODMantic, side by side on real data")
    parser.add_argument("--flights", type=int, default=60_000, help="how many to load, from 2000 (default: 60000)")
    parser.add_argument("--rounds", type=int, default=3, help="measured runs of each step, from 1 (default: 3)")
    options = parser.parse_args()
    if options.flights < LEAST_FLIGHTS or options.rounds < 1:
        parser.error(f"at least {LEAST_FLIGHTS} flights and 1 round are needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
