"""W13: what `import mongotic` costs a program that imports ODMantic anyway."""

import tempfile
from typing import cast

import fresh
from harness import Bench, Figure, Row

BAR = 60.0
"""Milliseconds."""


def milliseconds(modules: list[str], rounds: int) -> list[list[float]]:
    """Return how long imports one after the other take, in a new process for each round.

    All of them import byte code: that of an installed package is written when it is installed, while a checkout may
    be told to keep none.  One process more goes first and writes it, into a folder for these rounds alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = [
            cast("list[float]", fresh.call("imports", "milliseconds", byte_code=folder, modules=modules))
            for _ in range(rounds + 1)
        ]
    return found[1:]


class Import:
    """Imports ODMantic, then mongotic, in a fresh process each round."""

    code = "W13"
    title = "import mongotic above import odmantic"
    notes = (
        "A fresh process for each round imports odmantic and then mongotic, both from byte code, as an installed "
        "package has it; the first process, which writes that, does not count. Garbage is collected before each "
        "import, so that mongotic does not pay for ODMantic's."
    )

    def measure(self, bench: Bench) -> list[Row]:
        bench.progress(f"{self.code} {self.title}")
        found = milliseconds(["odmantic", "mongotic"], bench.rounds)
        return [
            Row(
                code=self.code,
                title=self.title,
                kind="",
                against="odmantic alone",
                baseline=Figure([odmantic for odmantic, _ in found]),
                baseline_unit=" ms",
                odmantic=None,
                mongotic=Figure([mongotic for _, mongotic in found]),
                unit=" ms",
                bar=BAR,
                judged=bench.judges(0),
            )
        ]


WORKLOAD = Import()
