"""W14: a statement of five clauses becomes a command.

A statement is compiled clause by clause as it is written, and the blocking and the awaiting session take the same one.
"""

from clock import Clock
from documents import Document, Order, WrongResult
from harness import Bench, Figure, Row

from mongotic import select
from mongotic.select_statement import Select

STATEMENTS = 2_000
BAR = 25.0
"""Microseconds."""


def statement(number: int) -> Select[tuple[Order]]:
    """Return a statement of five clauses; each number makes another one, so that none can be kept."""
    return (
        select(Order)
        .where(Order.quantity > number)
        .where(Order.paid == True)
        .order_by(Order.placed)
        .offset(10)
        .limit(20)
    )


def by_hand(number: int) -> list[Document]:
    """Return the same query as the stages one would write by hand."""
    return [
        {"$match": {"quantity": {"$gt": number}, "paid": {"$eq": True}}},
        {"$sort": {"placed": 1}},
        {"$skip": 10},
        {"$limit": 20},
    ]


class Compile:
    """Compiles many statements in a row."""

    code = "W14"
    title = "compile a statement of five clauses"
    notes = (
        f"{STATEMENTS:,} statements, two where, order_by, offset and limit, each with a value of its own. A clause is "
        "compiled when it is written; sync and async take the same statement. Raw: the dicts written by hand."
    )

    def measure(self, bench: Bench) -> list[Row]:
        bench.progress(f"{self.code} {self.title}")
        count = bench.scaled(STATEMENTS)
        for number in range(count):
            if statement(number).pipeline() != by_hand(number):
                raise WrongResult(f"the statement became {statement(number).pipeline()!r}")
        raw: list[float] = []
        compiled: list[float] = []
        for _ in range(bench.rounds):
            with Clock() as clock:
                for number in range(count):
                    by_hand(number)
            raw.append(1e6 * clock.seconds / count)
            with clock:
                for number in range(count):
                    statement(number)
            compiled.append(1e6 * clock.seconds / count)
        return [
            Row(
                code=self.code,
                title=self.title,
                kind="",
                against="dicts",
                baseline=Figure(raw),
                baseline_unit=" µs",
                odmantic=None,
                mongotic=Figure(compiled),
                unit=" µs",
                bar=BAR,
                judged=bench.judges(STATEMENTS),
            )
        ]


WORKLOAD = Compile()
