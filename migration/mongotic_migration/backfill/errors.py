"""What can go wrong with a backfill, in the words of the one who has started it."""

from __future__ import annotations

from datetime import datetime


class BackfillError(Exception):
    """A backfill cannot start or go on.  What it has done so far is done, and is known to the next run."""


class LockedError(BackfillError):
    """Another run of the same backfill is under way.

    Attributes:
        holder: its host and process.
        until: when its lock expires, unless it is renewed; of the server's clock.
    """

    def __init__(self, name: str, holder: str, until: datetime | None) -> None:
        clock = "" if until is None else f", or wait until {until:%Y-%m-%d %H:%M:%S} UTC, when its lock expires"
        super().__init__(f"the backfill {name!r} is under way in {holder}; wait for its end{clock}")
        self.holder = holder
        self.until = until


class LockLostError(BackfillError):
    """Another run has taken over, because this one was not heard of for too long.  Nothing was done twice."""


class AnotherChangeError(BackfillError):
    """The checkpoint of that name belongs to another change."""


class ChangeFailedError(BackfillError):
    """The function could not change a document.  Nothing of its batch was written.

    Attributes:
        key: the document's `_id`.
    """

    def __init__(self, key: object, reason: str) -> None:
        super().__init__(f"the document with _id {key!r} cannot be changed: {reason}")
        self.key = key


class NotRepeatableError(BackfillError):
    """The server has no transactions, and the change could be done twice by a run that is killed."""
