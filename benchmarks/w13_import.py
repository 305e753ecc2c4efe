"""W13: what `import mongotic` costs a program that imports ODMantic anyway."""

from typing import cast

import fresh
from harness import Bench, Figure, Row

BAR = 60.0
"""Milliseconds."""


class Import:
    """Imports ODMantic, then mongotic, in a fresh process each round."""

    code = "W13"
    title = "import mongotic above import odmantic"
    notes = (
        "A fresh process for each round imports odmantic and then mongotic; the first process, which may have to "
        "write byte code, does not count."
    )

    def measure(self, bench: Bench) -> list[Row]:
        bench.progress(f"{self.code} {self.title}")
        self._milliseconds()
        found = [self._milliseconds() for _ in range(bench.rounds)]
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

    def _milliseconds(self) -> list[float]:
        return cast("list[float]", fresh.call("imports", "milliseconds", modules=["odmantic", "mongotic"]))


WORKLOAD = Import()
