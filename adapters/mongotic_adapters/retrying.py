"""When a transaction is tried again, and after how long.

Asked by `run_transaction` of both sides; nothing here waits.
"""

from __future__ import annotations

import random
import time

from pymongo.errors import PyMongoError

from .errors import ArgumentError, ArgumentTypeError, MongoticError

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.5
"""Seconds.  The pauses grow from one to the other, and each is a random part of that: two that were in each other's
way shall not meet again."""


class Attempts:
    """The attempts at one transaction.

    Arguments:
        max_attempts: how many there are at most; None for as many as fit.
        timeout: seconds after which no other one begins.

    Attributes:
        deadline: the time, as `time.monotonic` counts, of that end.

    Raises:
        ArgumentTypeError: an argument is no number.
        ArgumentError: it is not positive.
    """

    def __init__(self, max_attempts: int | None, timeout: float) -> None:
        _expect_positive("max_attempts", max_attempts, int, optional=True)
        _expect_positive("timeout", timeout, (int, float))
        self._left = max_attempts
        self._made = 0
        self.deadline = time.monotonic() + timeout

    def pause(self, error: Exception) -> float | None:
        """Return how many seconds to wait after an attempt failed; None if there is no other one."""
        self._made += 1
        if not _is_transient(error) or self._made == self._left:
            return None
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._made, 10)))  # no secret
        return pause if time.monotonic() + pause < self.deadline else None


def _is_transient(error: Exception) -> bool:
    if isinstance(error, MongoticError):
        return error.is_transient
    # What the caller's own calls of an engine or driver have raised.
    return isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")


def _expect_positive(name: str, value: object, kinds: type | tuple[type, ...], *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ArgumentTypeError(f"run_transaction({name}=...) takes a number, got {value!r}")
    if not value > 0:  # type: ignore[operator]  # a number, as checked above
        raise ArgumentError(f"run_transaction({name}=...) takes a positive number, got {value!r}")
