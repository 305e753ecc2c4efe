"""Waiting that ends: by success, by time, or because the caller gave up. Used by every loop of a start."""

import threading
import time

from mongotic.testing.errors import EmbeddedMongoError

POLL_SECONDS = 0.01


class Deadline:
    """A time limit in seconds from now, cut short when `abandoned` is set."""

    def __init__(self, seconds: float, abandoned: threading.Event) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._abandoned = abandoned

    def remaining_milliseconds(self) -> int:
        """Return what is left of the time, at least 1: to MongoDB a time limit of 0 is none."""
        return max(1, int((self._end - time.monotonic()) * 1000))

    def pause(self, waiting_for: str) -> None:
        """Sleep for one polling interval.

        Raises:
            EmbeddedMongoError: the time is over, or the caller gave up.
        """
        if self._abandoned.wait(POLL_SECONDS):
            raise EmbeddedMongoError("The start of the embedded server was abandoned")
        if time.monotonic() > self._end:
            raise EmbeddedMongoError(f"The embedded server is not ready after {self._seconds:g} s: {waiting_for}")
