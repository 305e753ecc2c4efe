"""`Session` and `sessionmaker`: the blocking side.

`SessionBase` holds what needs no input or output and serves both sides; the awaiting side is in
`mongotic.asyncio.session`.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar, cast

from odmantic import Model
from typing_extensions import Self

from mongotic_adapters.blocking import BlockingPort, SyncBind
from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.flows import driving, executing, flushing, reading
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.port import Port

from . import result
from .exceptions import ArgumentTypeError, InvalidRequestError, ResourceClosedError
from .result import Result, ScalarResult
from .statements import Delete, Insert, Select, Update

M = TypeVar("M", bound=Model)
T = TypeVar("T")


class SessionBase:
    """The half of a session that needs no input or output."""

    def __init__(self, port: Port, info: dict[str, object] | None) -> None:
        self._port = port
        self._books = Bookkeeping(port.codec)
        self._books.session = weakref.ref(self)
        self._closed = False
        self._running: str | None = None
        self.info: dict[str, object] = dict(info or {})

    # -- instances -----------------------------------------------------------------------------------------------

    @property
    def new(self) -> list[Model]:
        """The instances the next flush stores, in order of `add`: a fresh list."""
        return self._books.new

    @property
    def dirty(self) -> list[Model]:
        """The stored instances with values that differ from those last read or written, in-place changes included: a
        fresh list."""
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
            for instance in instances:
                self._books.add(instance)

    def expunge(self, instance: Model) -> None:
        """Let go of an instance: its values stay as they are, and this session does not write them.  A stranger is
        ignored."""
        with self._operation("expunge"):
            self._books.expunge(instance)

    def _mark_deleted(self, instance: Model) -> None:
        with self._operation("delete"):
            self._books.delete(instance)

    def _undo(self) -> None:
        with self._operation("rollback"):
            self._books.rollback()

    def _end(self) -> None:
        if not self._closed:
            self._books.release_all()
            self._closed = True

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

    @property
    def engine_room(self) -> tuple[Port, Bookkeeping]:
        """The port and the books, for the results of this session; not for users."""
        return self._port, self._books

    async def guarded(self, stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Yield what a stream of this session yields; for its results, not for users."""
        try:
            while True:
                with self._operation("iteration"):
                    try:
                        item = await anext(stream)
                    except StopAsyncIteration:
                        return
                yield item
        finally:
            await stream.aclose()

    @contextmanager
    def _operation(self, name: str) -> Generator[None]:
        """Refuse what is asked of a closed session, or while another operation of the same session is under way."""
        if self._closed:
            raise ResourceClosedError(f"{name}(): the session is closed; open a new one")
        if self._running is not None:
            raise InvalidRequestError(
                f"{name}(): {self._running}() of this session is still under way; use one session per task or thread"
            )
        self._running = name
        try:
            yield
        finally:
            self._running = None


class Session(SessionBase):
    """A unit of work on ODMantic models, blocking.

    Arguments:
        bind: an `odmantic.SyncEngine`, or a `pymongo.MongoClient`.
        database: the database's name, for a client whose connection string names none.
        info: anything you want to keep with the session.

    Raises:
        ArgumentTypeError: *bind* is something else; an engine or client for asyncio, say.

    No transaction stays open between calls: `flush`, `commit` and `execute` write at once.  A session serves one
    thread at a time.
    """

    def __init__(self, bind: SyncBind, *, database: str | None = None, info: dict[str, object] | None = None) -> None:
        super().__init__(BlockingPort(bind, database), info)

    # -- queries -------------------------------------------------------------------------------------------------

    def scalars(self, statement: Select[tuple[T]]) -> ScalarResult[T]:
        """Return the instances a query gives, lazily: nothing is sent until the result is asked.

        Arguments:
            statement: made by `select`.

        Raises:
            ArgumentTypeError: it is no query.
            ResourceClosedError: the session is closed.
        """
        with self._operation("scalars"):
            return ScalarResult(self, expect_select(statement).command)

    def scalar(self, statement: Select[tuple[T]]) -> T | None:
        """Return the first instance a query gives, or None: the same as `scalars(statement).first()`."""
        return self.scalars(statement).first()

    def get(self, model: type[M], key: object) -> M | None:
        """Return the instance with that primary key, or None.

        Arguments:
            model: the model class.
            key: the primary key, or what its type accepts: the string of an ObjectId, say.

        Returns:
            The instance the session holds already, without asking the server; else one `find` command with limit 1.

        Raises:
            ArgumentError: it cannot be a key of the model.
            DocumentError: the document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return cast("M | None", self.run(reading.get(self._port, self._books, mapping_of(model), key)))

    # -- writes --------------------------------------------------------------------------------------------------

    def execute(self, statement: Insert[M] | Update[M] | Delete[M]) -> Result:
        """Write at once what a statement says, beside the unit of work.

        Arguments:
            statement: made by `insert`, `update` or `delete`.

        Returns:
            What was done.

        Raises:
            ArgumentTypeError: it is no such statement.
            ArgumentError: a value cannot be stored, or an update sets nothing; nothing was sent.
            IntegrityError: a unique key exists already.
            OperationalError: the driver or the server failed.
        """
        return self.run(perform(self, statement))

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
        self.run(flushing.flush(self._port, self._books))

    def commit(self) -> None:
        """Write every unwritten change and make it final; see `flush` for what is sent and raised."""
        self.run(flushing.commit(self._port, self._books))

    def rollback(self) -> None:
        """Undo every change that was not flushed, on the objects too; what was flushed stays.  Nothing is sent."""
        self._undo()

    # -- life ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the session: unwritten changes are dropped, its instances are detached.  Closing twice does nothing."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- for the results -----------------------------------------------------------------------------------------

    def run(self, flow: Coroutine[object, None, T]) -> T:
        """Run a flow of this session; for its results, not for users."""
        try:
            with self._operation(operation_name(flow)):
                return driving.run(flow)
        finally:
            flow.close()


class sessionmaker:  # noqa: N801  # the name mongotic 0.5 and SQLAlchemy users know
    """Makes sessions that are bound alike.

    Arguments:
        bind: an `odmantic.SyncEngine`, or a `pymongo.MongoClient`.
        database: the database's name, for a client whose connection string names none.
        info: what each session's `info` begins with.

    Raises:
        ArgumentTypeError: *bind* is something else.

    ```python
    Session = sessionmaker(engine)
    with Session() as session:
        ...
    ```
    """

    def __init__(self, bind: SyncBind, *, database: str | None = None, info: dict[str, object] | None = None) -> None:
        BlockingPort(bind, database)  # a bind that does not fit is reported here, not at the first request served
        self._bind: SyncBind = bind
        self._database = database
        self._info = info

    def __call__(self) -> Session:
        """Return a new session."""
        return Session(self._bind, database=self._database, info=self._info)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._bind).__name__})"


def operation_name(flow: Coroutine[object, None, object]) -> str:
    """Return how a flow is named in messages."""
    return str(getattr(flow, "__name__", "operation"))


def expect_select(statement: Select[T]) -> Select[T]:
    """Return *statement*.

    Raises:
        ArgumentTypeError: it is no query.
    """
    if not isinstance(cast("object", statement), Select):
        raise ArgumentTypeError(f"scalars() and scalar() take a query made by select(), got {statement!r}")
    return statement


async def perform(session: SessionBase, statement: object) -> Result:
    """Execute a write statement; the flow behind `execute` of both sessions."""
    port, books = session.engine_room
    if isinstance(statement, Insert):
        return result.inserted(await executing.insert(port, statement.mapping, statement.documents))
    if isinstance(statement, Update):
        return result.updated(await executing.update(port, books, statement.command, statement.assigned))
    if isinstance(statement, Delete):
        return result.deleted(await executing.delete(port, books, statement.command))
    if isinstance(statement, Select):
        raise ArgumentTypeError(
            "execute() takes insert(), update() and delete(); ask a query with scalars() or scalar()"
        )
    raise ArgumentTypeError(f"execute() takes a statement made by insert(), update() or delete(), got {statement!r}")
