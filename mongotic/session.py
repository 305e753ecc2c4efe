"""`Session` and `sessionmaker`: the blocking side.

`SessionBase` holds what needs no input or output and serves both sides; the awaiting side is in
`mongotic.asyncio.session`.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, TypeVar, cast, overload

from odmantic import Model
from odmantic.session import SyncSession, SyncTransaction
from typing_extensions import Self, TypeVarTuple, Unpack

from mongotic_adapters import copies, unsupported
from mongotic_adapters.blocking import BlockingPort, SyncBind
from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.events import Dispatch
from mongotic_adapters.flows import driving, executing, flushing, inserting, reading, transacting
from mongotic_adapters.flows.pipelines import Change
from mongotic_adapters.flows.questions import Buffer
from mongotic_adapters.load_plan import LoadPlan
from mongotic_adapters.loading import expect_model
from mongotic_adapters.logged_port import logged
from mongotic_adapters.mapping import class_mapping, mapping_of
from mongotic_adapters.port import Port
from mongotic_adapters.rows import Row
from mongotic_adapters.shown import shown
from mongotic_adapters.traced_port import traced
from mongotic_adapters.transactions import TransactionOptions, expect_options

from . import result
from .asking import (
    Explained,
    Rows,
    explain,
    pipeline_query,
    returning_query,
    returning_rows,
    row_query,
    scalar_query,
    streamed,
    watch_query,
    with_rows,
)
from .exceptions import (
    ArgumentTypeError,
    FlushError,
    InvalidRequestError,
    OperationalError,
    PendingRollbackError,
    ResourceClosedError,
    UnsupportedError,
)
from .loading_options import LoadOption, load_plan
from .query_results import NOBODY, buffered_rows
from .result import Result, ScalarResult, SelectResult
from .select_statement import Select
from .settings import SessionOptions, Settings, settings
from .statements import Delete, Insert, Returning, Update, delete
from .streaming import Stream
from .transaction import Block, SessionTransaction

M = TypeVar("M", bound=Model)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


_AFTER_FAILURE = frozenset({"rollback", "settle", "close", "expunge", "expunge_all"})
"""What may be asked of a session whose transaction has failed."""

_AFTER_BLOCK = frozenset({"settle", "close"})
"""What may be asked of a session in a block whose transaction has ended."""


class SessionBase:
    """The half of a session that needs no input or output."""

    def __init__(self, port: Port, settings: Settings, *, awaits: bool) -> None:
        self._port = logged(traced(port), settings.echo)
        self._settings = settings
        self._books = Bookkeeping(port.codec, settings.cache_size)
        self._books.session = weakref.ref(self)
        kinds = [kind for kind in reversed(type(self).__mro__) if kind is not object]
        self._books.events = Dispatch(weakref.ref(self), kinds, awaits=awaits)
        self._closed = False
        self._failed = False
        self.running: str | None = None  # which operation is under way; not for users
        self._owed_rollbacks = 0
        self._transaction: Block | None = None
        self._block: Block | None = None
        self._retry_commit_until = 0.0
        if port.joins_transaction:
            self._books.begin()
        self._autobegin()
        self.info: dict[str, object] = dict(settings.info or {})

    # -- instances -----------------------------------------------------------------------------------------------

    @property
    def new(self) -> list[Model]:
        """The instances the next flush stores, in order of `add`: a fresh list."""
        return self._books.new

    @property
    def dirty(self) -> list[Model]:
        """The stored instances with values that differ from those last read or written, in-place changes included: a
        fresh list.  A value put past the attributes, into `__dict__`, need not be noticed; it is written all the same.
        """
        return self._books.dirty

    @property
    def deleted(self) -> list[Model]:
        """The instances whose documents the next flush removes: a fresh list."""
        return self._books.deleted

    def add(self, instance: Model) -> None:
        """Put an instance, and every new instance it refers to, under the care of the session; the next flush stores
        it.

        Arguments:
            instance: a new instance, or one that left a session, or one that ODMantic loaded or saved: that is
                updated, not inserted.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it, or this one holds another instance of the same document.
            ResourceClosedError: the session is closed.
        """
        with self._operation("add"):
            self._books.add(instance)

    def add_all(self, instances: Iterable[Model]) -> None:
        """Put several instances under the care of the session; see `add`."""
        with self._operation("add_all"):
            if not isinstance(cast("object", instances), Iterable):
                raise ArgumentTypeError(f"add_all() takes a list of instances, got {shown(instances)}")
            self._books.add_all(instances)

    def is_modified(self, instance: Model) -> bool:
        """Tell whether an instance has values the database is not believed to hold: whether it is in `dirty`, in
        short.  A new instance is not modified, but new.

        Raises:
            UnmappedInstanceError: it is no model instance.
        """
        return self._books.is_modified(expect_model(instance, "is_modified"))

    def clone(self, instance: M) -> M:
        """Return a new instance with copies of the values of *instance* and a new key, in no session.  It refers to
        the same instances.

        Raises:
            UnmappedInstanceError: it is no model instance.
            ArgumentError: the model's keys are not made up, so there is no new one.
        """
        return cast("M", copies.clone(expect_model(instance, "clone")))

    def expunge(self, instance: Model) -> None:
        """Let go of an instance: its values stay as they are, and this session does not write them.  A stranger is
        ignored."""
        with self._operation("expunge"):
            self._books.expunge(instance)

    def expunge_all(self) -> None:
        """Let go of every instance; see `expunge`."""
        with self._operation("expunge_all"):
            self._books.release_all()

    def expire(self, instance: Model, names: Iterable[str] | None = None) -> None:
        """Note that the database may hold something newer: values stay, and no unwritten change of them is written.

        Nothing is loaded by itself; the next query, `get` or `refresh` that reads the document overwrites the values.

        Arguments:
            instance: a stored instance of this session.
            names: the fields meant; None for all.

        Raises:
            InvalidRequestError: the session does not hold it, or it is not stored.
            ArgumentError: a name is no field.
            ArgumentTypeError: *names* is no list.
        """
        with self._operation("expire"):
            self._books.expire(instance, field_names("expire", names))

    def expire_all(self) -> None:
        """Note that the database may hold something newer for every instance; see `expire`."""
        with self._operation("expire_all"):
            self._books.expire_all()

    def merge(self, instance: M, *, exclude_unset: bool = False) -> M:
        """Stage the whole state of an instance: the next flush writes it onto its document, or as a new one.

        The command is an `update` with `upsert`, whose `$set` has every declared field; keys the model does not know
        are kept. An instance whose key was made up and never stored is added instead.

        Arguments:
            instance: any instance that no other session holds.
            exclude_unset: write only the fields that were set explicitly (Pydantic's `model_fields_set`); defaults go
                into `$setOnInsert`, and the flush reads the document again to know the other fields.

        Returns:
            The instance the session holds for that document, with the values of *instance*; *instance* if it holds
            none.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it, or it is deleted or marked for deletion.
        """
        with self._operation("merge"):
            return cast("M", self._books.merge(instance, exclude_unset=exclude_unset))

    def _mark_deleted(self, instance: Model) -> None:
        with self._operation("delete"):
            self._books.delete(instance)

    # -- transactions --------------------------------------------------------------------------------------------

    def in_transaction(self) -> bool:
        """Tell whether what is sent runs in a transaction: one that was begun, or the caller's the session is bound
        to."""
        return self._port.in_transaction

    def begin_nested(self) -> None:
        """MongoDB has no savepoints.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "begin_nested(): MongoDB has no savepoints. Do what may fail in a transaction of its own, "
            "with a session of its own, or check before you write"
        )

    def leave(self, block: Block) -> None:
        """Note that the code of a block is over; for transactions, not for users."""
        block.is_entered = False
        if self._block is block:
            self._block = None

    def retry_commit_until(self, time: float) -> None:
        """Let a commit of unknown outcome be asked for again until then; for `run_transaction`, not for users."""
        self._retry_commit_until = time

    def _begin(self, transaction: Block, options: TransactionOptions) -> None:
        with self._operation("begin"):
            expect_options("begin", options)
            if self._port.joins_transaction:
                raise InvalidRequestError(
                    "begin(): this session works in a transaction of yours already; end that one, or bind a session to "
                    "the engine"
                )
            if self._port.in_transaction and not (self._settings.autobegin and self._transaction is None):
                raise InvalidRequestError("begin(): a transaction is under way; commit() or rollback() it first")
            if self._port.in_transaction and self._port.has_open_transaction:
                raise InvalidRequestError(
                    "begin(): this session begins transactions by itself (autobegin=True), and one has sent something; "
                    "commit() or rollback() it first"
                )
            self._port.begin(cast("TransactionOptions", {**self._settings.transaction, **options}))
            if self._books.journal is None:
                self._books.begin()
            self._transaction = transaction

    def _autobegin(self) -> None:
        if self._settings.autobegin and not self._port.in_transaction:
            self._port.begin(self._settings.transaction)
            self._books.begin()

    def _transaction_ended(self) -> None:
        """Note that the transaction is committed or rolled back."""
        self._failed = False
        if self._transaction is not None:
            self._transaction.is_active = False
            self._block = self._transaction if self._transaction.is_entered else None
            self._transaction = None
        self._autobegin()

    def _undo(self) -> None:
        with self._operation("rollback"):
            if self._failed and not self._port.joins_transaction:
                # Undone when it failed; what was pending before it began is pending again, and stays so.
                self._books.undo(values=True)
            else:
                transacting.undo(self._port, self._books)
            self._transaction_ended()

    def _note_failure(self, error: BaseException) -> None:
        """See that what an error has made of the transaction is undone in memory at once."""
        if self._failed or not (self._port.has_open_transaction or self._port.joins_transaction):
            return  # nothing was sent in it: the one that began by itself after a commit, say
        if isinstance(error, (FlushError, OperationalError)) or not isinstance(error, Exception):
            if self._books.events.is_telling:  # what tells the listener is to end first, with this error
                self._books.events.failure = error
                return
            self._failed = True
            self._books.undo(values=True)
            self._books.begin(has_flushed=self._port.joins_transaction)
            self._port.abandon()

    def _end(self) -> None:
        with self._operation("close"):
            if self._books.journal is not None and not self._port.joins_transaction:
                self._books.undo(values=True)
            self._books.release_all()
            self._closed = True
            if self._transaction is not None:
                self._transaction.is_active = False

    @property
    def _autoflushes(self) -> bool:
        chosen = self._settings.autoflush
        return self._port.in_transaction if chosen is None else chosen

    def _refresh_plan(self, instance: Model, options: Sequence[LoadOption]) -> LoadPlan:
        mapping = class_mapping(type(expect_model(instance, "refresh")))
        return load_plan(mapping, options, "refresh(options=...)")

    async def _commit(self) -> None:
        try:
            await transacting.commit(
                self._port,
                self._books,
                atomic=self._settings.atomic,
                options=self._settings.transaction,
                expire=self._settings.expire_on_commit,
                retry_until=self._retry_commit_until,
            )
        finally:
            # Committed, whatever a listener, a warning or a cancelled task has raised afterwards.
            if not self._port.in_transaction:
                self._transaction_ended()

    async def _prepared(self, flow: Coroutine[object, None, T], *, query: bool) -> T:
        """Run a flow once the session is ready for it."""
        try:
            await self._port.ready()
            if query and self._autoflushes and not self._books.events.is_telling:
                await flushing.flush(self._port, self._books)
            return await flow
        finally:
            flow.close()

    def __contains__(self, instance: object) -> bool:
        return instance in self._books

    def __iter__(self) -> Iterator[Model]:
        return iter(self._books)

    def __repr__(self) -> str:
        if self._closed:
            return f"<{type(self).__name__}, closed>"
        books = self._books
        counts = f"{len(books.new)} new, {len(books.dirty)} dirty, {len(books.deleted)} deleted"
        return f"<{type(self).__name__}: {counts}>"

    # -- for the results -----------------------------------------------------------------------------------------

    def made_by(self, maker: object) -> None:
        """Tell the listeners of *maker*, too; for makers, not for users."""
        self._books.events.add_target(maker)

    @property
    def engine_room(self) -> tuple[Port, Bookkeeping]:
        """The port and the books, for the results of this session; not for users."""
        return self._port, self._books

    async def guarded(self, stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Yield what a stream of this session yields; for its results, not for users."""
        first = True
        try:
            while True:
                if self._owed_rollbacks:
                    await self._settle()
                with self._operation("iteration"):
                    try:
                        item = await (self._prepared(_next(stream), query=True) if first else anext(stream))
                    except StopAsyncIteration:
                        return
                    except BaseException as error:
                        self._note_failure(error)
                        raise
                first = False
                yield item
                del item
        finally:
            await stream.aclose()

    async def _settle(self) -> None:
        """Do what a `rollback()` nobody awaited has left to be done."""
        while self._owed_rollbacks:
            with self._operation("settle"):
                self._owed_rollbacks -= 1
                await transacting.after_rollback(self._port, self._books)

    def _operation(self, name: str) -> _Operation:
        """Refuse what is asked of a closed session, or while another operation of the same session is under way."""
        if self._closed:
            raise ResourceClosedError(f"{name}(): the session is closed; open a new one")
        if self._failed and name not in _AFTER_FAILURE:
            raise PendingRollbackError(
                f"{name}(): the transaction has failed, and what it did is undone; rollback() the session first, or "
                "leave the block of begin()"
            )
        if self._block is not None and name not in _AFTER_BLOCK:
            raise InvalidRequestError(
                f"{name}(): the transaction of this begin() block has ended; leave the block first"
            )
        outer = self.running
        if outer is not None and not self._books.events.allows(name):
            raise InvalidRequestError(
                f"{name}(): {outer}() of this session is still under way; use one session per task or thread"
            )
        return _Operation(self, name)


class _Operation:
    """The block of one operation of a session; no generator, because every item of a stream has one.

    Arguments:
        session: whose operation it is.
        name: of the operation.
    """

    __slots__ = ("_name", "_outer", "_session")

    def __init__(self, session: SessionBase, name: str) -> None:
        self._session = session
        self._name = name
        self._outer = session.running

    def __enter__(self) -> None:
        self._session.running = self._name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.running = self._outer


class Session(SessionBase):
    """A unit of work on ODMantic models, blocking.

    Arguments:
        bind: an `odmantic.SyncEngine`, an open session or transaction of one, or a `pymongo.MongoClient`.
        **options: see `mongotic.settings.SessionOptions`.

    Raises:
        ArgumentTypeError: *bind* is something else, an engine or client for asyncio, say; or an option is unknown.
        ArgumentError: an option's value is out of range.

    Without `begin`, no transaction stays open between calls: `flush`, `commit` and `execute` write at once.  A session
    serves one thread at a time.
    """

    def __init__(self, bind: SyncBind, **options: Unpack[SessionOptions]) -> None:
        chosen = settings("Session", options)
        super().__init__(BlockingPort(bind, chosen.bind), chosen, awaits=False)

    # -- transactions --------------------------------------------------------------------------------------------

    def begin(self, **options: Unpack[TransactionOptions]) -> SessionTransaction:
        """Begin a transaction: what follows is invisible to others until `commit`, and undone by `rollback`, on the
        objects too.

        Use it as a block, which commits at its end, and rolls back when an exception leaves it:
        `with session.begin(): ...`.  Nothing is sent before the first command.

        Arguments:
            **options: see `mongotic_adapters.transactions.TransactionOptions`.

        Raises:
            InvalidRequestError: a transaction is under way; or, by the first command, the server has none.
            ArgumentError: an option is unknown or has the wrong value.
        """
        transaction = SessionTransaction(self)
        self._begin(transaction, options)
        return transaction

    @property
    def odmantic(self) -> SyncSession | SyncTransaction:
        """The ODMantic session or transaction that this session works in: `engine.find(User, session=session.odmantic)`
        reads and writes along with it.  Outside a transaction a plain one is opened, and kept until `close`.

        Raises:
            ResourceClosedError: the session is closed.
        """
        with self._operation("odmantic"):
            return cast("SyncSession | SyncTransaction", self._port.odmantic)

    # -- queries -------------------------------------------------------------------------------------------------

    @overload
    def scalars(self, statement: Select[tuple[T]]) -> ScalarResult[T]: ...
    @overload
    def scalars(self, statement: Returning[M]) -> ScalarResult[M]: ...
    def scalars(self, statement: Select[tuple[T]] | Returning[M]) -> ScalarResult[T] | ScalarResult[M]:
        """Return the instances a query gives, or the values of its column; nothing is sent until the result is asked.

        Arguments:
            statement: made by `select`, for a model or for one column; or by `update(...).returning(...)` or
                `delete(...).returning(...)`, which is sent at once.

        Raises:
            ArgumentTypeError: it is no query, or one for several columns.
            ResourceClosedError: the session is closed.
        """
        if isinstance(statement, Returning):
            query = returning_query(self._port, self._books, statement)
            return ScalarResult(NOBODY, Buffer(self.run(query.all()), str(query)))
        with self._operation("scalars"):
            return ScalarResult(self, scalar_query(self._port, self._books, statement))

    @overload
    def scalar(self, statement: Select[tuple[T]]) -> T | None: ...
    @overload
    def scalar(self, statement: Returning[M]) -> M | None: ...
    def scalar(self, statement: Select[tuple[T]] | Returning[M]) -> T | M | None:
        """Return the first instance or value a query gives, or None: the same as `scalars(statement).first()`."""
        if isinstance(statement, Returning):
            return self.scalars(statement).first()
        return self.scalars(statement).first()

    def get(
        self,
        model: type[M],
        key: object,
        *,
        populate_existing: bool = False,
        options: Sequence[LoadOption] = (),
    ) -> M | None:
        """Return the instance with that primary key, or None.

        Arguments:
            model: the model class.
            key: the primary key, or what its type accepts: the string of an ObjectId, say.
            populate_existing: read the document even if the session holds its instance, and overwrite every value of
                it, unwritten changes included.
            options: how references are loaded: `[noload(Book.publisher)]`, say; see `Select.options`.

        Returns:
            The instance the session holds already, without asking the server; else one `find` command with limit 1, or
            for a model with references one `aggregate` with a `$lookup` for each.

        Raises:
            ArgumentError: it cannot be a key of the model.
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        mapping = mapping_of(model)
        plan = load_plan(mapping, options, "get(options=...)")
        flow = reading.get(self._port, self._books, mapping, key, populate_existing=populate_existing, plan=plan)
        return cast("M | None", self.run(flow))

    def get_one(
        self,
        model: type[M],
        key: object,
        *,
        populate_existing: bool = False,
        options: Sequence[LoadOption] = (),
    ) -> M:
        """Return the instance with that primary key; see `get`.

        Raises:
            NotFound: there is none.
        """
        mapping = mapping_of(model)
        plan = load_plan(mapping, options, "get_one(options=...)")
        flow = reading.get_one(self._port, self._books, mapping, key, populate_existing=populate_existing, plan=plan)
        return cast("M", self.run(flow))

    # -- streams, pipelines, plans -------------------------------------------------------------------------------

    def stream_scalars(self, statement: Select[tuple[T]]) -> Stream[T]:
        """Walk the instances a query gives, or the values of its column, in constant memory.

        The instances are copies of their own, held by no session, unless the statement has
        `execution_options(identity_map=True)`; `yield_per` says how many documents are fetched at a time.

        Raises:
            ArgumentTypeError: it is no query, or one for several columns.
        """
        with self._operation("stream_scalars"):
            return Stream(self.guarded(scalar_query(self._port, self._books, streamed(statement)).stream()))

    def stream(self, statement: Select[tuple[Unpack[Ts]]]) -> Stream[Row[Unpack[Ts]]]:
        """Walk the rows a query gives, in constant memory; see `stream_scalars`."""
        with self._operation("stream"):
            return Stream(self.guarded(row_query(self._port, self._books, streamed(statement)).stream()))

    @overload
    def aggregate(
        self, model: type[M], pipeline: Sequence[Mapping[str, object]], *, hydrate: Literal[True]
    ) -> ScalarResult[M]: ...
    @overload
    def aggregate(
        self, model: type[Model], pipeline: Sequence[Mapping[str, object]], *, hydrate: Literal[False] = False
    ) -> ScalarResult[dict[str, Any]]: ...
    def aggregate(
        self, model: type[Model], pipeline: Sequence[Mapping[str, object]], *, hydrate: bool = False
    ) -> ScalarResult[Any]:
        """Return what a pipeline of yours makes of a model's documents; nothing is sent until the result is asked.

        Arguments:
            model: the model whose collection it begins with.
            pipeline: its stages, as MongoDB takes them; `Select.pipeline` gives those of a query.
            hydrate: the documents that come out are those of the model, and become the session's instances.

        Returns:
            A result of dicts, or of instances; it becomes one `aggregate` command.

        Raises:
            ArgumentTypeError: it is no model class, or no list of stages.
        """
        with self._operation("aggregate"):
            return ScalarResult(self, pipeline_query(self._port, self._books, model, pipeline, hydrate=hydrate))

    def explain(self, statement: Explained, verbosity: str = "queryPlanner") -> dict[str, Any]:
        """Return how the server would carry out a statement: an `explain` command.

        Arguments:
            statement: made by `select`, `update` or `delete`.
            verbosity: `"queryPlanner"`, `"executionStats"` or `"allPlansExecution"`; the last two carry it out, without
                writing.

        Raises:
            ArgumentTypeError: it is no such statement.
            OperationalError: the driver or the server failed.
        """
        return self._do(explain(self._port, statement, verbosity))

    def watch(
        self,
        model: type[M],
        pipeline: Sequence[Mapping[str, object]] = (),
        *,
        full_document: str | None = None,
        resume_after: Mapping[str, object] | None = None,
    ) -> Stream[Change]:
        """Walk the changes that anybody makes to a model's documents from now on: a change stream.

        A session does nothing else while the next change is waited for; use one of its own.  On asyncio, now is where
        `async with session.watch(User) as changes` or `await session.watch(User)` stands; without them, where the loop
        begins.

        Arguments:
            model: the model.
            pipeline: stages that pick and shape the events.
            full_document: `"updateLookup"` brings the document with an update, too.
            resume_after: the `resume_token` of the change to go on after.

        Returns:
            A stream without end; each `Change` has the operation, the key, and the document as an instance of its own.

        Raises:
            ArgumentTypeError: it is no model class, or no list of stages.
            OperationalError: the deployment has no change streams, because it is no replica set, say.
        """
        with self._operation("watch"):
            events = watch_query(self._port, self._books, model, pipeline, full_document, resume_after)
        return Stream(self.guarded(events), opened=True)

    # -- writes --------------------------------------------------------------------------------------------------

    @overload
    def execute(self, statement: Insert[M] | Update[M] | Delete[M], rows: Rows | None = None) -> Result: ...
    @overload
    def execute(self, statement: Select[tuple[Unpack[Ts]]]) -> SelectResult[Unpack[Ts]]: ...
    @overload
    def execute(self, statement: Returning[M]) -> SelectResult[M]: ...
    def execute(
        self, statement: Insert[M] | Update[M] | Delete[M] | Select[Any] | Returning[M], rows: Rows | None = None
    ) -> Result | SelectResult[Unpack[tuple[Any, ...]]] | SelectResult[M]:
        """Write at once what a statement says, beside the unit of work; or return the rows a query gives.

        No listener is told of what a statement writes.

        Arguments:
            statement: made by `insert`, `update`, `delete` or `select`.
            rows: what `values()` of an `insert` or an `update` is to be given: a list of dicts.

        Returns:
            What was done; for a query, a result that sends nothing until it is asked.

        Raises:
            ArgumentTypeError: it is no such statement.
            ArgumentError: a value cannot be stored, or an update sets nothing; nothing was sent.
            IntegrityError: a unique key exists already; `errors` has each row of an insert that failed.
            BulkUpdateError: a row of an update failed; `errors` has each that did.
            OperationalError: the driver or the server failed; the message says what is known to be written.
        """
        given = with_rows(statement, rows)
        if isinstance(statement, Returning):
            rows_query = returning_rows(self._port, self._books, statement)
            return buffered_rows(self.run(rows_query.all()), str(rows_query))
        if isinstance(statement, Select):
            with self._operation("execute"):
                return SelectResult(self, row_query(self._port, self._books, statement))
        return self.run(perform(self, given))

    def delete(self, instance: Model) -> None:
        """Mark an instance, so that the next flush removes its document.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: it was never stored, or another session holds it.
        """
        self._mark_deleted(instance)

    def flush(self) -> None:
        """Write every unwritten change now: inserts, updates, removals, each as one bulk write per collection.

        Changed instances are written field by field (`$set` and `$unset` of what differs), never as an upsert.

        Raises:
            ArgumentError: a value cannot be stored; nothing was sent.
            IntegrityError: a new document's unique key exists already; that document was left as it is.
            StaleDataError: a changed document was deleted meanwhile; it was not created again.
            FlushError: the driver or the server failed; `written` and `pending` tell how far it went.
        """
        self._do(flushing.flush(self._port, self._books))

    def commit(self) -> None:
        """Write every unwritten change and make it final; see `flush` for what is sent and raised.

        In a transaction that was begun, this ends it: one `commitTransaction` command.  Otherwise several commands are
        sent in a transaction of their own, where the deployment has them, and after an error everything is as it was
        before.  A single command is sent as it is: of several documents in it, those before the one that failed are
        stored, and `FlushError.written` has them; with `atomic=True` (`mongotic.settings.SessionOptions`) it goes into
        a transaction, too.

        Raises:
            PendingRollbackError: the transaction has failed before.
            OperationalError: the commit itself failed; `outcome_unknown` tells if it may have been done all the same.
        """
        self._do(self._commit())

    def rollback(self) -> None:
        """Undo what is not committed, on the objects too.

        In a transaction: all that was done since it began, in the database as well (`abortTransaction`); instances show
        the values they had then, new ones are new again.  Outside of one: what was not flushed; nothing is sent.
        """
        self._undo()
        with self._operation("settle"):
            driving.run(transacting.after_rollback(self._port, self._books))

    def clear_collection(self, model: type[Model]) -> Result:
        """Remove every document of a model at once: one `delete` command, as `execute(delete(model))` sends it.

        Returns:
            What was done; `rowcount` documents were removed.
        """
        return self.execute(delete(model))

    # -- life ----------------------------------------------------------------------------------------------------

    def refresh(
        self, instance: Model, names: Sequence[str] | None = None, *, options: Sequence[LoadOption] = ()
    ) -> None:
        """Read the document of an instance again, into the instance: a `find` command with limit 1.

        Arguments:
            instance: a stored instance; one that no session holds is attached to this one.
            names: the fields to overwrite; None for all. The others keep their unwritten changes.
            options: how references are loaded; see `Select.options`.  Without them every reference that is overwritten
                is loaded, those of `noload` and `raiseload` too.

        Raises:
            ArgumentError: it was never stored, or a name is no field.
            ArgumentTypeError: *names* is no list.
            InvalidRequestError: another session holds it.
            NotFound: its document is gone.
            OperationalError: the driver or the server failed.
        """
        plan, fields = self._refresh_plan(instance, options), field_names("refresh", names)
        self._do(reading.refresh(self._port, self._books, instance, fields, plan))

    def close(self) -> None:
        """End the session: unwritten changes are dropped, a transaction is rolled back, its instances are detached.
        Closing twice does nothing."""
        if not self._closed:
            self._end()
            driving.run(self._port.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- for the results -----------------------------------------------------------------------------------------

    def run(self, flow: Coroutine[object, None, T]) -> T:
        """Run a query of this session; for its results, not for users."""
        return self._do(flow, query=True)

    def _do(self, flow: Coroutine[object, None, T], *, query: bool = False) -> T:
        try:
            with self._operation(operation_name(flow)):
                return driving.run(self._prepared(flow, query=query))
        except BaseException as error:
            self._note_failure(error)
            raise
        finally:
            flow.close()


class sessionmaker:  # noqa: N801  # the name mongotic 0.5 and SQLAlchemy users know
    """Makes sessions that are bound alike.

    Arguments:
        bind: what `Session` takes.
        **options: see `mongotic.settings.SessionOptions`.

    Raises:
        ArgumentTypeError: *bind* is something else, or an option is unknown.
        ArgumentError: an option's value is out of range.

    ```python
    Session = sessionmaker(engine)
    with Session() as session:
        ...
    ```
    """

    def __init__(self, bind: SyncBind, **options: Unpack[SessionOptions]) -> None:
        # A bind or an option that does not fit is reported here, not at the first request served.
        chosen = settings("sessionmaker", options)
        BlockingPort(bind, chosen.bind)
        self._bind: SyncBind = bind
        self._options = options

    @property
    def bind(self) -> SyncBind:
        """What the sessions are bound to."""
        return self._bind

    @property
    def options(self) -> SessionOptions:
        """What the sessions are given besides: a copy."""
        return self._options.copy()

    def __call__(self) -> Session:
        """Return a new session."""
        session = Session(self._bind, **self._options)
        session.made_by(self)
        return session

    @contextmanager
    def begin(self, **options: Unpack[TransactionOptions]) -> Generator[Session]:
        """Open a session with a transaction, for a block: `with Session.begin() as session: ...` commits at its end,
        rolls back when an exception leaves it, and closes the session.

        Arguments:
            **options: as of `Session.begin`.
        """
        with self() as session, session.begin(**options):
            yield session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._bind).__name__})"


def field_names(method: str, names: object) -> list[str] | None:
    """Return the names of fields that *method* was given; None for all.

    Raises:
        ArgumentTypeError: it is no list of them.
    """
    if names is None:
        return None
    found = _listed(names)
    if found is None or not all(isinstance(name, str) for name in found):
        raise ArgumentTypeError(f'{method}() takes a list of names of fields, ["name"] say, got {shown(names)}')
    return cast("list[str]", found)


def _listed(given: object) -> list[object] | None:
    """Return what is in an iterable that is no text; None for anything else."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        return None
    return list(cast("Iterable[object]", given))


async def _next(stream: AsyncGenerator[T, None]) -> T:
    return await anext(stream)


_CALLED = {"perform": "execute", "_commit": "commit", "after_rollback": "rollback"}


def operation_name(flow: Coroutine[object, None, object]) -> str:
    """Return the name users know a flow by, for messages."""
    name = str(getattr(flow, "__name__", "operation"))
    return _CALLED.get(name, name)


async def perform(session: SessionBase, statement: object) -> Result:
    """Execute a write statement; the flow behind `execute` of both sessions."""
    port, books = session.engine_room
    if isinstance(statement, Insert):
        done = await inserting.insert(
            port,
            statement.mapping,
            statement.documents,
            statement.rule,
            ordered=statement.ordered,
            options=statement.sent_along,
        )
        return result.inserted(done)
    if isinstance(statement, Update):
        if statement.rows is None:
            flow = executing.update(port, books, statement.command, statement.sent(), statement.options)
        else:
            flow = executing.update_rows(port, books, statement.command, statement.rows, statement.options)
        return result.updated(await flow)
    if isinstance(statement, str):
        raise unsupported.text()
    if isinstance(statement, Delete):
        return result.deleted(await executing.delete(port, books, statement.command, statement.options))
    raise ArgumentTypeError(
        f"execute() takes a statement made by select(), insert(), update() or delete(), got {shown(statement)}"
    )
