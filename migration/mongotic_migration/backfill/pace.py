"""How fast a backfill goes, and how long it will take.

Asked by `run` after each batch.
"""

from __future__ import annotations

import threading
import time


class Pace:
    """The clock of one run.

    Arguments:
        limit: documents per second at most; None for no limit.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._start = time.monotonic()
        self._done = 0

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self._start

    @property
    def rate(self) -> float:
        """Documents per second of this run so far."""
        return self._done / max(self.seconds, 1e-6)

    def note(self, documents: int) -> None:
        """Count documents that are done."""
        self._done += documents

    def wait(self, stop: threading.Event) -> None:
        """Wait until the next documents may be done, or *stop* is set."""
        if self._limit is not None:
            stop.wait(max(0.0, self._done / self._limit - self.seconds))
