"""The lock of a backfill: one document, which its holder renews while it is at work.

Held by `run`.  Only the server's clock counts.  The lock spares two runs each other's work; that nothing is done twice
does not depend on it, but on the checkpoint, which is written in the transaction of each batch.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from ..connection import Document
from .errors import LockedError

LONG_AGO = datetime(1970, 1, 1)

LOOKS_A_SECOND = 5
"""How often a run that waits for the lock asks for it."""


class Lock:
    """A lock that is held.

    Attributes:
        token: tells its holder from all others.
    """

    def __init__(self, collection: Collection[Document], name: str, seconds: float) -> None:
        self._collection = collection
        self._key = {"lock": name}
        self._name = name
        self._seconds = seconds
        self._ended = threading.Event()
        self._lost = threading.Event()
        self.token = uuid4().hex

    @property
    def is_lost(self) -> bool:
        """Whether somebody else was found to hold it."""
        return self._lost.is_set()

    def acquire(self) -> None:
        """Take the lock if it is free: a `findAndModify` command.

        Raises:
            LockedError: another run holds it.
        """
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        mine = {"_id": self._key, "token": self.token, "holder": holder, "expires": self._expiry}
        is_free = {"$lte": [{"$ifNull": ["$expires", LONG_AGO]}, "$$NOW"]}
        found = self._collection.find_one_and_update(
            {"_id": self._key},
            [{"$replaceWith": {"$cond": [is_free, mine, "$$ROOT"]}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert found is not None  # an upsert gives a document
        if found["token"] != self.token:
            raise LockedError(self._name, found["holder"], found["expires"])

    def renew(self) -> None:
        """Put off the time at which the lock expires: an `update` command."""
        mine = {"_id": self._key, "token": self.token}
        if self._collection.update_one(mine, [{"$set": {"expires": self._expiry}}]).matched_count == 0:
            self._lost.set()

    def release(self) -> None:
        """Give the lock back, if it is still held."""
        self._collection.delete_one({"_id": self._key, "token": self.token})

    @property
    def _expiry(self) -> Document:
        return {"$add": ["$$NOW", int(self._seconds * 1000)]}

    def keep(self) -> None:
        """Renew the lock until `end`; the body of a thread."""
        while not self._ended.wait(self._seconds / 3) and not self.is_lost:
            try:
                self.renew()
            except PyMongoError:
                continue  # the server is away for a moment; until it expires nobody else can have it

    def end(self) -> None:
        """Let `keep` end."""
        self._ended.set()


@contextmanager
def held(
    collection: Collection[Document], name: str, *, seconds: float, wait: float, stop: threading.Event
) -> Generator[Lock]:
    """Hold the lock of a backfill for the length of a block.

    Arguments:
        collection: where the lock lies.
        name: the backfill's name.
        seconds: after how long without a sign of life others may take it.
        wait: how many seconds to wait for another run.
        stop: ends the wait.

    Raises:
        LockedError: another run holds it.
    """
    lock = Lock(collection, name, seconds)
    deadline = time.monotonic() + wait
    while True:
        try:
            lock.acquire()
            break
        except LockedError:
            if time.monotonic() >= deadline or stop.wait(1 / LOOKS_A_SECOND):
                raise
    keeper = threading.Thread(target=lock.keep, name=f"lock of {name}", daemon=True)
    keeper.start()
    try:
        yield lock
    finally:
        lock.end()
        keeper.join()
        with suppress(PyMongoError):  # it expires by itself; the error that ended the block is the one to be told
            lock.release()
