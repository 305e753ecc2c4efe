"""How far a backfill has come: one document, written in the transaction of each batch.

Read and written by `run`.  Its `owner` is the token of the run that holds the lock: a run that was thought dead and
comes back finds another token there, and what it was about to write is undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..connection import Document
from .errors import AnotherChangeError, LockLostError
from .id_ranges import EXACT, Position

COLLECTION = "mongotic_backfills"
"""The collection of checkpoints and locks, in the database of the documents."""


@dataclass(frozen=True)
class Checkpoint:
    """What is known of a backfill.

    Attributes:
        position: how far the walk has come.
        done: how many documents it has met.
        changed: how many of them it has changed.
        total: how many there were when it began; an estimate.
        finished: when it came to the end; None before.
    """

    position: Position
    done: int
    changed: int
    total: int
    finished: datetime | None


def collection_of(documents: Collection[Document]) -> Collection[Document]:
    """Return the collection that has the checkpoints for a collection of documents."""
    return documents.database[COLLECTION].with_options(codec_options=EXACT)


class Checkpoints:
    """The checkpoint of one backfill.

    Arguments:
        collection: where it lies.
        name: the backfill's name.
        description: the change in words.
        fingerprint: the same for the same change of the same documents, and for nothing else.
    """

    def __init__(self, collection: Collection[Document], name: str, description: str, fingerprint: str) -> None:
        self._collection = collection
        self._name = name
        self._key = {"job": name}
        self._description = description
        self._fingerprint = fingerprint

    def read(self) -> Checkpoint | None:
        """Return the checkpoint; None if the backfill never began.

        Raises:
            AnotherChangeError: it belongs to another change.
        """
        stored = self._collection.find_one({"_id": self._key})
        return None if stored is None else self._read(stored)

    def adopt(self, token: str, session: Mapping[str, object], total: int) -> Checkpoint:
        """Make the checkpoint that of the run with *token*, and return it: a `findAndModify` command.

        A run that was killed may have left a transaction open, which holds its documents until the server ends it: a
        `killSessions` command does that now.

        Arguments:
            token: the lock's.
            session: the number of the driver session that the run's transactions will be in.
            total: how many documents there are, for a checkpoint that is new.

        Raises:
            AnotherChangeError: it belongs to another change.
        """
        stored = self._collection.find_one({"_id": self._key})
        if stored is not None:
            self._read(stored)
            with suppress(OperationFailure):  # nobody may kill the sessions of another user; the server will, in time
                self._collection.database.command("killSessions", [stored["session"]])
        new = {"description": self._description, "fingerprint": self._fingerprint, "total": total}
        start = {"position": Position().stored(), "done": 0, "changed": 0, "finished": None}
        adopted = self._collection.find_one_and_update(
            {"_id": self._key},
            {"$set": {"owner": token, "session": session}, "$setOnInsert": {**new, **start}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert adopted is not None  # an upsert gives a document
        return self._read(adopted)

    def write(self, token: str, checkpoint: Checkpoint, session: ClientSession | None) -> None:
        """Store a checkpoint, in the transaction of *session*: an `update` command.

        Raises:
            LockLostError: another run has taken over; the transaction must not be committed.
        """
        fields = {
            "position": checkpoint.position.stored(),
            "done": checkpoint.done,
            "changed": checkpoint.changed,
        }
        self._update(token, {"$set": fields}, session)

    def finish(self, token: str, checkpoint: Checkpoint) -> Checkpoint:
        """Note that there are no more documents.

        Raises:
            LockLostError: another run has taken over.
        """
        self._update(token, {"$currentDate": {"finished": True}}, None)
        stored = self._collection.find_one({"_id": self._key}) or {}
        return replace(checkpoint, finished=stored.get("finished"))

    def _update(self, token: str, update: Document, session: ClientSession | None) -> None:
        mine = {"_id": self._key, "owner": token}
        if self._collection.update_one(mine, update, session=session).matched_count == 0:
            raise LockLostError(
                f"the backfill {self._name!r} was taken over by another run, or its checkpoint was removed; this run "
                "stops, and its last batch is not written"
            )

    def _read(self, stored: Document) -> Checkpoint:
        if stored["fingerprint"] != self._fingerprint:
            raise AnotherChangeError(
                f"there is a checkpoint called {self._name!r} already, of another change: {stored['description']}; "
                f"this one is: {self._description}. Give this one another name"
            )
        return Checkpoint(
            Position.read(stored["position"]),
            stored["done"],
            stored["changed"],
            stored["total"],
            stored["finished"],
        )
