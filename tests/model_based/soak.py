"""The machine at length: `make soak`, or `python -m tests.model_based.soak --seed 1 --steps 20000`.

Rounds follow each other until that many operations were compared; each has a seed of its own, counted up from the one
given.  A failure prints the shortest way to it that hypothesis finds, and the seed of its round.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import warnings
from uuid import uuid4

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from odmantic import SyncEngine
from pymongo import AsyncMongoClient, MongoClient

from mongotic.asyncio import AIOEngine
from mongotic.testing import EmbeddedMongo

from .machine import Place, SessionMachine
from .models import Document

RUNS_PER_ROUND = 100
STEPS_PER_RUN = 60


def soak(uri: str, first_seed: int, steps: int) -> int:
    """Return how many operations were compared."""
    loop = asyncio.new_event_loop()
    client, awaiting = MongoClient[Document](uri), AsyncMongoClient[Document](uri)
    name = f"soak_{uuid4().hex}"
    places = [
        Place(client[name], SyncEngine(client, name)),
        Place(client[name], AIOEngine(awaiting, name), loop),
    ]
    chosen = settings(
        max_examples=RUNS_PER_ROUND,
        stateful_step_count=STEPS_PER_RUN,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        phases=[Phase.generate, Phase.shrink],
    )
    number, begun = first_seed, time.monotonic()
    try:
        while sum(place.steps for place in places) < steps:
            place = places[number % 3 == 2]  # every third round awaits

            class Machine(SessionMachine):
                pass

            Machine.place = place
            try:
                run_state_machine_as_test(seed(number)(Machine), settings=chosen)
            except BaseException:
                print(f"round with --seed {number} failed, {'awaiting' if place.loop else 'blocking'}")
                raise
            number += 1
            blocking, awaited = (place.steps for place in places)
            print(
                f"seed {number - 1}: {blocking + awaited:,} steps ({blocking:,} blocking, {awaited:,} awaiting), after "
                f"{time.monotonic() - begun:.0f} s",
                flush=True,
            )
    finally:
        client.drop_database(name)
        client.close()
        loop.run_until_complete(awaiting.close())
        loop.close()
    return sum(place.steps for place in places)


def main() -> None:
    parser = argparse.ArgumentParser(description="Drive sessions at random and compare them with dictionaries.")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--steps", type=int, default=20_000, help="how many operations to compare at least")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    with EmbeddedMongo() as server:
        done = soak(server.uri, arguments.seed, arguments.steps)
    print(f"soak: {done:,} steps from seed {arguments.seed}, no difference")


if __name__ == "__main__":
    main()
