"""`Backfill`: a change of many documents that can be stopped, killed and taken up again.

Used by users and by `backfill_command`.

Each batch is one transaction: it changes the documents of a range of keys, and moves the checkpoint to the end of that
range. Whatever moment a run is killed in, both are done or neither is. A server without transactions gets only what
does no harm when done twice: the range in which a run was killed is done again there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypedDict, cast

from odmantic import Model
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import Primary
from pymongo.write_concern import WriteConcern

from mongotic import Select, Update
from mongotic_adapters import snapshot
from mongotic_adapters.port import database_name

from ..connection import Document, has_transactions
from . import lock
from .changes import Applied, Change, ChangeFunction, change_of, codec_of, fingerprint
from .checkpoint import Checkpoint, Checkpoints, collection_of
from .errors import BackfillError, LockLostError, NotRepeatableError
from .id_ranges import IdRange, Position, next_range
from .pace import Pace

BATCH_DOCUMENTS = 1000


class _Transaction(TypedDict):
    read_concern: ReadConcern
    write_concern: WriteConcern
    read_preference: Primary


_TRANSACTION: _Transaction = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": WriteConcern("majority"),
    "read_preference": ReadPreference.PRIMARY,
}


@dataclass(frozen=True)
class Progress:
    """How far a backfill has come.

    Attributes:
        done: documents it has met, in all its runs.
        changed: documents it has changed, in all its runs.
        total: how many there were when it began; an estimate.
        rate: documents per second of this run.
        finished: there are no more.
    """

    done: int
    changed: int
    total: int
    rate: float
    finished: bool

    @property
    def remaining(self) -> float | None:
        """How many seconds it will still take, going on as before; None where that is not known."""
        if self.finished:
            return 0.0
        return max(self.total - self.done, 0) / self.rate if self.rate else None


@dataclass(frozen=True)
class Preview:
    """What a change would make of one document.

    Attributes:
        before: the document.
        after: what it would be.
    """

    before: Document
    after: Document | None

    @property
    def key(self) -> object:
        """The document's `_id`."""
        return cast("object", self.before["_id"])

    @property
    def is_changed(self) -> bool:
        """Whether it would be another document."""
        return not snapshot.same(self.before, self.after)


class _TakenBackError(Exception):
    """Ends the transaction of a preview."""


@dataclass(frozen=True)
class _Step:
    """One batch, and where it stands among the others."""

    collection: Collection[Document]
    some: IdRange
    checkpoint: Checkpoint
    checkpoints: Checkpoints
    token: str


def _silent(progress: Progress) -> None:
    """Tell nobody."""


class Backfill:
    """A change of many documents, in batches.

    Arguments:
        name: what its checkpoint is called; a second backfill needs a second name.
        change: a function that takes a document, changes it or returns another one; or an `update()` statement, which
            the server carries out.  A function may be called again for a document when a transaction is tried again:
            what it changes besides the document is not undone.
        documents: for a function, the model, or a `select()` with the conditions.

    Raises:
        BackfillError: it cannot be carried out in batches.
    """

    def __init__(
        self,
        name: str,
        change: Update[Any] | ChangeFunction,
        documents: type[Model] | Select[Any] | None = None,
    ) -> None:
        if not name:
            raise BackfillError("a backfill needs a name, by which it is found again")
        self.name = name
        self._change: Change = change_of(change, documents)
        self._filter = self._change.filter

    @property
    def description(self) -> str:
        """The change in words."""
        return self._change.description

    def preview(self, database: Database[Document], documents: int = 10) -> list[Preview]:
        """Return what would become of the next documents: they are changed in a transaction that is taken back.

        Arguments:
            database: the database.
            documents: how many.

        Raises:
            NotRepeatableError: the server has no transactions.
            BackfillError: the change fails, or the checkpoint is another one's.
        """
        if not has_transactions(database):
            raise NotRepeatableError("a dry run needs a server with transactions, a replica set, which takes it back")
        collection, checkpoints = self._places(database)
        checkpoint = checkpoints.read()
        start = Position() if checkpoint is None else checkpoint.position
        some = next_range(collection, self._filter, start, documents)
        if some is None:
            return []
        found: list[Preview] = []

        def tried(session: ClientSession) -> NoReturn:
            found[:] = self._tried(collection, some, session)
            raise _TakenBackError

        with database.client.start_session() as session:
            try:
                session.with_transaction(tried, **_TRANSACTION)
            except _TakenBackError:
                return found
        raise AssertionError  # pragma: no cover  # the transaction ends with the error

    def _tried(self, collection: Collection[Document], some: IdRange, session: ClientSession) -> list[Preview]:
        documents = collection.with_options(codec_options=codec_of(collection))
        before = list(documents.find(some.condition(self._filter), session=session).sort("_id", 1))
        self._change.apply(collection, some, session)
        return [Preview(one, documents.find_one({"_id": {"$eq": one["_id"]}}, session=session)) for one in before]

    def progress(self, database: Database[Document]) -> Progress | None:
        """Return how far earlier runs have come; None if there was none.

        Raises:
            AnotherChangeError: the checkpoint is another one's.
        """
        checkpoint = self._places(database)[1].read()
        return None if checkpoint is None else _progress(checkpoint, 0.0)

    def run(
        self,
        database: Database[Document],
        *,
        batch: int = BATCH_DOCUMENTS,
        rate: float | None = None,
        lock_seconds: float = 30.0,
        wait: float = 0.0,
        stop: threading.Event | None = None,
        report: Callable[[Progress], object] = _silent,
    ) -> Progress:
        """Change the documents that no earlier run has changed.

        Documents stored with a key less than those already done are not met: writers must store the new shape before a
        backfill begins.

        Arguments:
            database: the database.
            batch: how many documents one transaction changes.
            rate: documents per second at most.
            lock_seconds: after how long without a sign of life another run may take over.
            wait: how many seconds to wait for another run to end.
            stop: set it, and the run ends after the batch it is at.
            report: is called after each batch.

        Returns:
            How far it has come.

        Raises:
            LockedError: another run is under way.
            LockLostError: another run has taken over.
            AnotherChangeError: the checkpoint is another one's.
            ChangeFailedError: the function failed; everything before the batch of that document is done.
            NotRepeatableError: the server has no transactions, and the change could be done twice.
            BackfillError: an argument is out of range.
            pymongo.errors.PyMongoError: the server failed for longer than the driver tries again.
        """
        for name, value in (("batch", batch), ("rate", rate), ("lock_seconds", lock_seconds)):
            if value is not None and value <= 0:
                raise BackfillError(f"{name}={value!r}: it takes a number above 0")
        transactional = has_transactions(database)
        if not transactional and not self._change.is_repeatable:
            raise NotRepeatableError(
                "this server has no transactions, so that documents could be changed twice by a run that is killed and "
                "taken up again. Start it as a replica set, of one member if need be, or use an update() statement of "
                "values and operators that may be repeated: $set, $unset, $addToSet, $pull, $min, $max"
            )
        stopped = threading.Event() if stop is None else stop
        # A rate of few documents is kept by small batches: a large one would be a burst and a long pause.
        size = batch if rate is None else max(1, min(batch, int(rate)))
        collection, checkpoints = self._places(database)
        with (
            lock.held(collection_of(collection), self.name, seconds=lock_seconds, wait=wait, stop=stopped) as held,
            database.client.start_session() as session,
        ):
            known = checkpoints.read()
            total = self._count(collection) if known is None else known.total
            checkpoint = checkpoints.adopt(held.token, session.session_id, total)
            pace = Pace(rate)
            while checkpoint.finished is None and not stopped.is_set():
                if held.is_lost:
                    raise LockLostError(f"the backfill {self.name!r} was taken over by another run; this run stops")
                some = next_range(collection, self._filter, checkpoint.position, size)
                if some is None:
                    checkpoint = checkpoints.finish(held.token, checkpoint)
                    break
                before = checkpoint.done
                step = _Step(collection, some, checkpoint, checkpoints, held.token)
                checkpoint = self._taken(step, session if transactional else None)
                pace.note(checkpoint.done - before)
                report(_progress(checkpoint, pace.rate))
                pace.wait(stopped)
        ended = _progress(checkpoint, pace.rate)
        report(ended)
        return ended

    def _taken(self, step: _Step, session: ClientSession | None) -> Checkpoint:
        def take(session: ClientSession | None) -> Checkpoint:
            moved = _moved(step.checkpoint, step.some, self._change.apply(step.collection, step.some, session))
            step.checkpoints.write(step.token, moved, session)
            return moved

        if session is None:
            return take(None)
        # Tried again by the driver while others are in its way, or the primary changes.
        return session.with_transaction(take, **_TRANSACTION)

    def _places(self, database: Database[Document]) -> tuple[Collection[Document], Checkpoints]:
        mapping = self._change.mapping
        name = database_name(mapping, database.name, lambda: None)
        # Whatever the client prefers: a secondary does not have the latest documents, and each write must be counted.
        own = database.client.get_database(
            name,
            codec_options=database.codec_options,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern("majority"),
        )
        collection = own[mapping.collection]
        mark = fingerprint(self._change, collection)
        return collection, Checkpoints(collection_of(collection), self.name, self.description, mark)

    def _count(self, collection: Collection[Document]) -> int:
        return collection.count_documents(self._filter) if self._filter else collection.estimated_document_count()


def _moved(checkpoint: Checkpoint, some: IdRange, applied: Applied) -> Checkpoint:
    return replace(
        checkpoint,
        position=some.up_to(applied.last),
        done=checkpoint.done + applied.done,
        changed=checkpoint.changed + applied.changed,
    )


def _progress(checkpoint: Checkpoint, rate: float) -> Progress:
    total = max(checkpoint.total, checkpoint.done)
    return Progress(checkpoint.done, checkpoint.changed, total, rate, checkpoint.finished is not None)
