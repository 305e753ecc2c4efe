"""`AsyncSession` and `async_sessionmaker`: the awaiting side, over the same flows as `mongotic.session`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar, cast, overload

from odmantic import Model
from odmantic.session import AIOSession, AIOTransaction
from typing_extensions import Self, TypeVarTuple, Unpack
from typing_extensions import TypeVar as TypeVarWithDefault

from mongotic_adapters.awaiting import AsyncBind, AwaitingPort
from mongotic_adapters.flows import flushing, reading
from mongotic_adapters.flows.pipelines import Change
from mongotic_adapters.flows.questions import Query
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.rows import Row
from mongotic_adapters.transactions import TransactionOptions

from ..asking import (
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
from ..loading_options import LoadOption, load_plan
from ..query_results import SelectResult, buffered_rows
from ..result import Result
from ..select_statement import Select
from ..session import SessionBase, field_names, operation_name, perform
from ..settings import SessionOptions, settings
from ..statements import Delete, Insert, Returning, Update, delete
from .result import AsyncScalarResult, AsyncSelectResult
from .streaming import AsyncStream
from .transaction import AsyncSessionTransaction
from .unawaited import EnteredByAsyncWith, awaited

M = TypeVar("M", bound=Model)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
SyncResults = TypeVarWithDefault("SyncResults", bound=bool, default=Literal[False])


class Done:
    """What a method returns that has done its work in memory already: it may be awaited, and need not be.

    Arguments:
        rest: does what is left to be done outside of memory; the session does it before its next command otherwise.
    """

    def __init__(self, rest: Callable[[], Awaitable[None]] | None = None) -> None:
        self._rest = rest

    def __await__(self) -> Generator[Any, None, None]:  # the event loop decides what passes through it
        if self._rest is not None:
            yield from self._rest().__await__()


class AsyncSession(EnteredByAsyncWith, SessionBase, Generic[SyncResults]):
    """A unit of work on ODMantic models, for asyncio; see `mongotic.Session`.

    To type checkers, a session with `sync_results=True` is an `AsyncSession[Literal[True]]`.

    Arguments:
        bind: an `odmantic.AIOEngine`, an open session or transaction of one, a `pymongo.AsyncMongoClient` or a Motor
            `AsyncIOMotorClient`.
        **options: see `mongotic.settings.SessionOptions`.
        sync_results: `await session.execute(select(...))` gives a `SelectResult`, whose methods are not awaited, as in
            SQLAlchemy.

    Raises:
        ArgumentTypeError: *bind* is something else, a blocking engine or client, say; or an option is unknown.
        ArgumentError: an option's value is out of range.

    A session serves one task at a time.
    """

    @overload
    def __init__(
        self: AsyncSession[Literal[False]],
        bind: AsyncBind,
        *,
        sync_results: Literal[False] = False,
        **options: Unpack[SessionOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: AsyncSession[Literal[True]],
        bind: AsyncBind,
        *,
        sync_results: Literal[True],
        **options: Unpack[SessionOptions],
    ) -> None: ...
    def __init__(self, bind: AsyncBind, *, sync_results: bool = False, **options: Unpack[SessionOptions]) -> None:
        chosen = settings("AsyncSession", options)
        super().__init__(AwaitingPort(bind, chosen.bind), chosen, awaits=True)
        self._sync_results = sync_results

    # -- transactions --------------------------------------------------------------------------------------------

    def begin(self, **options: Unpack[TransactionOptions]) -> AsyncSessionTransaction:
        """Begin a transaction: `async with session.begin(): ...`; see `Session.begin`."""
        transaction = AsyncSessionTransaction(self)
        self._begin(transaction, options)
        return transaction

    @property
    def odmantic(self) -> AIOSession | AIOTransaction:
        """The ODMantic session or transaction that this session works in; see `Session.odmantic`."""
        with self._operation("odmantic"):
            return cast("AIOSession | AIOTransaction", self._port.odmantic)

    # -- queries -------------------------------------------------------------------------------------------------

    @overload
    def scalars(self, statement: Select[tuple[T]]) -> AsyncScalarResult[T]: ...
    @overload
    def scalars(self, statement: Returning[M]) -> AsyncScalarResult[M]: ...
    def scalars(self, statement: Select[tuple[T]] | Returning[M]) -> AsyncScalarResult[T] | AsyncScalarResult[M]:
        """Return the instances or values a query gives, to be awaited; see `Session.scalars`."""
        with self._operation("scalars"):
            if isinstance(statement, Returning):
                return AsyncScalarResult(self, returning_query(self._port, self._books, statement))
            return AsyncScalarResult(self, scalar_query(self._port, self._books, statement))

    @overload
    async def scalar(self, statement: Select[tuple[T]]) -> T | None: ...
    @overload
    async def scalar(self, statement: Returning[M]) -> M | None: ...
    @awaited("session.scalar(statement)")
    async def scalar(self, statement: Select[tuple[T]] | Returning[M]) -> T | M | None:
        """Return the first instance or value a query gives, or None; see `Session.scalar`."""
        if isinstance(statement, Returning):
            return await self.scalars(statement).first()
        return await self.scalars(statement).first()

    @awaited("session.get(model, key)")
    async def get(
        self,
        model: type[M],
        key: object,
        *,
        populate_existing: bool = False,
        options: Sequence[LoadOption] = (),
    ) -> M | None:
        """Return the instance with that primary key, or None; see `Session.get`."""
        mapping = mapping_of(model)
        plan = load_plan(mapping, options, "get(options=...)")
        flow = reading.get(self._port, self._books, mapping, key, populate_existing=populate_existing, plan=plan)
        return cast("M | None", await self.run(flow))

    @awaited("session.get_one(model, key)")
    async def get_one(
        self,
        model: type[M],
        key: object,
        *,
        populate_existing: bool = False,
        options: Sequence[LoadOption] = (),
    ) -> M:
        """Return the instance with that primary key; see `Session.get_one`."""
        mapping = mapping_of(model)
        plan = load_plan(mapping, options, "get_one(options=...)")
        flow = reading.get_one(self._port, self._books, mapping, key, populate_existing=populate_existing, plan=plan)
        return cast("M", await self.run(flow))

    # -- streams, pipelines, plans -------------------------------------------------------------------------------

    def stream_scalars(self, statement: Select[tuple[T]]) -> AsyncStream[T]:
        """Walk the instances a query gives, or the values of its column; see `Session.stream_scalars`."""
        with self._operation("stream_scalars"):
            return AsyncStream(self.guarded(scalar_query(self._port, self._books, streamed(statement)).stream()))

    def stream(self, statement: Select[tuple[Unpack[Ts]]]) -> AsyncStream[Row[Unpack[Ts]]]:
        """Walk the rows a query gives; see `Session.stream`."""
        with self._operation("stream"):
            return AsyncStream(self.guarded(row_query(self._port, self._books, streamed(statement)).stream()))

    @overload
    def aggregate(
        self, model: type[M], pipeline: Sequence[Mapping[str, object]], *, hydrate: Literal[True]
    ) -> AsyncScalarResult[M]: ...
    @overload
    def aggregate(
        self, model: type[Model], pipeline: Sequence[Mapping[str, object]], *, hydrate: Literal[False] = False
    ) -> AsyncScalarResult[dict[str, Any]]: ...
    def aggregate(
        self, model: type[Model], pipeline: Sequence[Mapping[str, object]], *, hydrate: bool = False
    ) -> AsyncScalarResult[Any]:
        """Return what a pipeline of yours makes of a model's documents; see `Session.aggregate`."""
        with self._operation("aggregate"):
            return AsyncScalarResult(self, pipeline_query(self._port, self._books, model, pipeline, hydrate=hydrate))

    async def explain(self, statement: Explained, verbosity: str = "queryPlanner") -> dict[str, Any]:
        """Return how the server would carry out a statement; see `Session.explain`."""
        return await self._do(explain(self._port, statement, verbosity))

    def watch(
        self,
        model: type[M],
        pipeline: Sequence[Mapping[str, object]] = (),
        *,
        full_document: str | None = None,
        resume_after: Mapping[str, object] | None = None,
    ) -> AsyncStream[Change]:
        """Walk the changes that anybody makes to a model's documents; see `Session.watch`."""
        with self._operation("watch"):
            events = watch_query(self._port, self._books, model, pipeline, full_document, resume_after)
            return AsyncStream(self.guarded(events), opened=True)

    # -- writes --------------------------------------------------------------------------------------------------

    @overload
    async def execute(self, statement: Insert[M] | Update[M] | Delete[M], rows: Rows | None = None) -> Result: ...
    @overload
    async def execute(
        self: AsyncSession[Literal[True]], statement: Select[tuple[Unpack[Ts]]]
    ) -> SelectResult[Unpack[Ts]]: ...
    @overload
    async def execute(
        self: AsyncSession[Literal[False]], statement: Select[tuple[Unpack[Ts]]]
    ) -> AsyncSelectResult[Unpack[Ts]]: ...
    @overload
    async def execute(self: AsyncSession[Literal[True]], statement: Returning[M]) -> SelectResult[M]: ...
    @overload
    async def execute(self: AsyncSession[Literal[False]], statement: Returning[M]) -> AsyncSelectResult[M]: ...
    @awaited("session.execute(statement)")
    async def execute(
        self, statement: Insert[M] | Update[M] | Delete[M] | Select[Any] | Returning[M], rows: Rows | None = None
    ) -> Result | AsyncSelectResult[Unpack[tuple[Any, ...]]] | SelectResult[Unpack[tuple[Any, ...]]]:
        """Write at once what a statement says, or fetch the rows a query gives; see `Session.execute`."""
        given = with_rows(statement, rows)
        if not isinstance(statement, (Select, Returning)):
            return await self.run(perform(self, given))
        query: Query[Any]  # rows of any width
        if isinstance(statement, Returning):
            query = returning_rows(self._port, self._books, statement)
        else:
            query = row_query(self._port, self._books, statement)
        answer: SelectResult[Unpack[tuple[Any, ...]]] = buffered_rows(await self.run(query.all()), str(query))
        return answer if self._sync_results else AsyncSelectResult(answer)

    def delete(self, instance: Model) -> Done:
        """Mark an instance, so that the next flush removes its document; may be awaited.  See `Session.delete`."""
        self._mark_deleted(instance)
        return Done()

    async def flush(self) -> None:
        """Write every unwritten change now; see `Session.flush`."""
        await self._do(flushing.flush(self._port, self._books))

    async def commit(self) -> None:
        """Write every unwritten change and make it final; see `Session.commit`."""
        await self._do(self._commit())

    def rollback(self) -> Done:
        """Undo what is not committed; may be awaited, and is done in memory at once.  See `Session.rollback`."""
        self._undo()
        self._owed_rollbacks += 1
        return Done(self._settle)

    async def clear_collection(self, model: type[Model]) -> Result:
        """Remove every document of a model at once; see `Session.clear_collection`."""
        return await self.execute(delete(model))

    # -- life ----------------------------------------------------------------------------------------------------

    async def refresh(
        self, instance: Model, names: Sequence[str] | None = None, *, options: Sequence[LoadOption] = ()
    ) -> None:
        """Read the document of an instance again, into the instance; see `Session.refresh`."""
        plan, fields = self._refresh_plan(instance, options), field_names("refresh", names)
        await self._do(reading.refresh(self._port, self._books, instance, fields, plan))

    async def close(self) -> None:
        """End the session; see `Session.close`."""
        if not self._closed:
            try:
                await self._settle()
            finally:
                self._end()
                await self._port.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- for the results -----------------------------------------------------------------------------------------

    async def run(self, flow: Coroutine[object, None, T]) -> T:
        """Run a query of this session; for its results, not for users."""
        return await self._do(flow, query=True)

    async def _do(self, flow: Coroutine[object, None, T], *, query: bool = False) -> T:
        try:
            await self._settle()
            with self._operation(operation_name(flow)):
                return await self._prepared(flow, query=query)
        except BaseException as error:
            self._note_failure(error)
            raise
        finally:
            flow.close()


class async_sessionmaker(Generic[SyncResults]):  # noqa: N801  # the name mongotic 0.5 and SQLAlchemy users know
    """Makes sessions that are bound alike; see `mongotic.sessionmaker`.

    Arguments:
        bind: what `AsyncSession` takes.
        **options: see `mongotic.settings.SessionOptions`.
        sync_results: what `execute` gives for queries; see `AsyncSession`.

    Raises:
        ArgumentTypeError: *bind* is something else, or an option is unknown.
        ArgumentError: an option's value is out of range.
    """

    @overload
    def __init__(
        self: async_sessionmaker[Literal[False]],
        bind: AsyncBind,
        *,
        sync_results: Literal[False] = False,
        **options: Unpack[SessionOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: async_sessionmaker[Literal[True]],
        bind: AsyncBind,
        *,
        sync_results: Literal[True],
        **options: Unpack[SessionOptions],
    ) -> None: ...
    def __init__(self, bind: AsyncBind, *, sync_results: bool = False, **options: Unpack[SessionOptions]) -> None:
        # A bind or an option that does not fit is reported here, not at the first request served.
        chosen = settings("async_sessionmaker", options)
        AwaitingPort(bind, chosen.bind)
        self._bind: AsyncBind = bind
        self._options = options
        self._sync_results = sync_results

    @property
    def bind(self) -> AsyncBind:
        """What the sessions are bound to; see `sessionmaker.bind`."""
        return self._bind

    @property
    def options(self) -> SessionOptions:
        """What the sessions are given besides; see `sessionmaker.options`."""
        return self._options.copy()

    def __call__(self) -> AsyncSession[SyncResults]:
        """Return a new session."""
        sync_results = cast("Literal[False]", self._sync_results)  # or True, as the class's parameter says
        made = AsyncSession(self._bind, sync_results=sync_results, **self._options)
        made.made_by(self)
        return cast("AsyncSession[SyncResults]", made)

    @asynccontextmanager
    async def begin(self, **options: Unpack[TransactionOptions]) -> AsyncGenerator[AsyncSession[SyncResults], None]:
        """Open a session with a transaction, for a block; see `sessionmaker.begin`."""
        async with self() as session, session.begin(**options):
            yield session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._bind).__name__})"
