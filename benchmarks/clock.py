"""The stopwatch of every measurement.

Used by `harness`, by the workloads that are no race, and by `peers`, which runs where mongotic is not installed.
"""

from __future__ import annotations

import gc
import time
from types import TracebackType


class Clock:
    """Times the `with` block it guards.

    Attributes:
        seconds: what the block took.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> Clock:
        gc.collect()
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def begin(self) -> None:
        """Start; a profiler starts itself here too."""
        self._start = time.perf_counter()

    def end(self) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self._start
