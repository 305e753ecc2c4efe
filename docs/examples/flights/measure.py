"""Runs a step on every side, takes the time, and compares what came of it."""

import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TypeAlias

from databases import Contents, Database, Databases
from odmantic import Model
from step import Answer, Step

Side: TypeAlias = Callable[[Step, Database], Awaitable[Answer]]


async def odmantic(step: Step, database: Database) -> Answer:
    return step.odmantic(database.engine)


async def mongotic(step: Step, database: Database) -> Answer:
    with database.session() as session:
        return step.mongotic(session)


async def odmantic_async(step: Step, database: Database) -> Answer:
    return await step.odmantic_async(database.async_engine)


async def mongotic_async(step: Step, database: Database) -> Answer:
    async with database.async_session() as session:
        return await step.mongotic_async(session)


SIDES: tuple[Side, ...] = (odmantic, mongotic, odmantic_async, mongotic_async)


@dataclass
class Measurement:
    """What came of one step.

    Attributes:
        step: the step.
        rows: documents read, counted or changed, the same on every side if they agree.
        seconds: median of the measured runs, by side.
        differences: what the sides do not agree on, in words.
    """

    step: Step
    rows: int = 0
    seconds: dict[Side, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def ratio(self, slow: Side, fast: Side) -> float:
        return self.seconds[slow] / self.seconds[fast]


@dataclass(frozen=True)
class Outcome:
    """What one run gave, in a form that compares by value."""

    answer: object
    rows: int
    stored: Contents


class Bench:
    """Measures steps.

    Arguments:
        databases: where.
        rounds: measured runs of each side; one more run warms up.
        copied: flights in the copies that changes are made to.
    """

    def __init__(self, databases: Databases, rounds: int, copied: int) -> None:
        self._databases = databases
        self._rounds = rounds
        self._copied = copied
        gc.collect()
        gc.freeze()  # what the demo holds is not searched for garbage again and again, at whosever turn it is

    async def measure(self, step: Step) -> Measurement:
        """Run a step on every side: once to warm up, then in alternating order; compare after every run."""
        times: dict[Side, list[float]] = {side: [] for side in SIDES}
        found = Measurement(step)
        expected: Outcome | None = None
        for number in range(self._rounds + 1):
            for side in SIDES if number % 2 else SIDES[::-1]:
                seconds, outcome = await self._run(step, side)
                expected = expected or outcome
                found.differences += _differences(side, outcome, expected)
                if number > 0:
                    times[side].append(seconds)
        found.rows = expected.rows if expected else 0
        found.seconds = {side: median(taken) for side, taken in times.items()}
        return found

    async def _run(self, step: Step, side: Side) -> tuple[float, Outcome]:
        database = self._databases.flights
        if step.changes:
            own = side in (odmantic, odmantic_async)
            database = self._databases.odmantic if own else self._databases.mongotic
            database.become_copy_of(self._databases.flights, self._copied)
        step.prepare()
        gc.collect()  # nobody pays for what an earlier run left behind
        started = perf_counter()
        answer = await side(step, database)
        seconds = perf_counter() - started
        return seconds, _outcome(answer, database.contents() if step.changes else {})


def _outcome(answer: Answer, stored: Contents) -> Outcome:
    if isinstance(answer, int):
        return Outcome(answer, answer, stored)
    values = [row.model_dump() if isinstance(row, Model) else row for row in answer]
    return Outcome(values, len(values), stored)


def _differences(side: Side, outcome: Outcome, expected: Outcome) -> list[str]:
    name = getattr(side, "__name__", "")
    found = []
    if outcome.answer != expected.answer:
        found.append(f"{name}: the answer differs")
    for model, documents in outcome.stored.items():
        if documents != expected.stored[model]:
            found.append(f"{name}: the stored documents of {model} differ")
    return found
