"""What the tests share: one real server per run, one client of each kind, and sessions that are all awaited alike.

A test that takes `session_maker` runs twice, with the blocking session dressed as an awaited one and with the asyncio
session: one body says what both must do.
"""

from __future__ import annotations

import gc
import inspect
import os
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, TypeAlias, cast
from uuid import uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.write_concern import WriteConcern
from typing_extensions import Self

from mongotic import Session, sessionmaker
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.asyncio.session import Done
from mongotic.result import ScalarResult, SelectResult
from mongotic.streaming import Stream
from mongotic.testing import EmbeddedMongo
from mongotic.transaction import SessionTransaction
from mongotic_adapters.flows import driving

Document: TypeAlias = dict[str, Any]  # what the raw driver gives; tests compare it with literals
SessionMaker: TypeAlias = Callable[[], AsyncSession]


def pytest_report_header() -> str:
    names = ("odmantic", "pydantic", "pymongo", "motor")
    return "libraries: " + ", ".join(f"{name} {version(name)}" for name in names)


@pytest.fixture(scope="module", autouse=True)
def earlier_modules_are_left_alone() -> None:
    """What was there before is no longer looked at by the garbage collector, whose full runs would cost each test that
    asks for one more and more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # sockets to servers that earlier tests have killed
        gc.collect()
    gc.freeze()


# -- the server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def server_uri() -> Iterator[str]:
    """The connection string of `MONGOTIC_TEST_URI`, or of a server started for this run."""
    given = os.environ.get("MONGOTIC_TEST_URI")
    if given:
        yield given
        return
    with EmbeddedMongo(test_commands=True) as server:
        yield server.uri


class CommandLog(CommandListener):
    """The data commands a client has sent, in order."""

    NAMES = frozenset(
        {"find", "aggregate", "insert", "update", "delete", "count", "distinct", "findAndModify"}
        | {"commitTransaction", "abortTransaction"}
    )

    def __init__(self) -> None:
        self.sent: list[Document] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in self.NAMES:
            self.sent.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...

    def names(self) -> list[str]:
        """The names of the commands and their collections: `insert user`."""
        return [f"{name} {command[name]}" for command in self.sent for name in list(command)[:1]]


@pytest.fixture(scope="session")
def command_log() -> CommandLog:
    return CommandLog()


@pytest.fixture
def commands(command_log: CommandLog) -> CommandLog:
    """The commands sent by the sessions of this test."""
    command_log.sent.clear()
    return command_log


@pytest.fixture(scope="session")
def sync_client(server_uri: str, command_log: CommandLog) -> Iterator[MongoClient[Document]]:
    with MongoClient[Document](server_uri, event_listeners=[command_log]) as client:
        yield client


@pytest.fixture(scope="session")
async def motor_client(server_uri: str, command_log: CommandLog) -> AsyncIterator[AsyncIOMotorClient[Document]]:
    client = AsyncIOMotorClient[Document](server_uri, event_listeners=[command_log])
    yield client
    client.close()


@pytest.fixture(scope="session")
async def pymongo_client(server_uri: str, command_log: CommandLog) -> AsyncIterator[AsyncMongoClient[Document]]:
    async with AsyncMongoClient[Document](server_uri, event_listeners=[command_log]) as client:
        yield client


@pytest.fixture(scope="session")
def raw_client(server_uri: str) -> Iterator[MongoClient[Document]]:
    """A client whose commands are not recorded, to prepare and to look."""
    with MongoClient[Document](server_uri) as client:
        yield client


@pytest.fixture(scope="session")
def sweeper() -> Iterator[ThreadPoolExecutor]:
    """Drops what tests have stored while the next ones go on."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


@pytest.fixture
def raw(raw_client: MongoClient[Document], sweeper: ThreadPoolExecutor) -> Iterator[Database[Document]]:
    """A database of this test's own, as PyMongo sees it."""
    name = f"test_{uuid4().hex}"
    yield raw_client[name]
    sweeper.submit(swept, raw_client[name])


def swept(database: Database[Document]) -> None:
    """Drop what a test has stored.  Dropping its database would take a hundred times as long, with everybody waiting:
    the server has it confirmed by a majority first."""
    unconfirmed = database.with_options(write_concern=WriteConcern(w=1))
    for name in unconfirmed.list_collection_names():
        unconfirmed.drop_collection(name)


@pytest.fixture
def sync_engine(sync_client: MongoClient[Document], raw: Database[Document]) -> SyncEngine:
    return SyncEngine(sync_client, raw.name)


@pytest.fixture
async def motor_engine(motor_client: AsyncIOMotorClient[Document], raw: Database[Document]) -> AIOEngine:
    return AIOEngine(motor_client, raw.name)


@pytest.fixture
async def pymongo_engine(pymongo_client: AsyncMongoClient[Document], raw: Database[Document]) -> AIOEngine:
    return PyMongoEngine(pymongo_client, raw.name)


# -- sessions -----------------------------------------------------------------------------------------------------


class AwaitedResult:
    """A blocking result whose methods are awaited."""

    def __init__(self, inner: ScalarResult[Any] | SelectResult[Any]) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> object:
        if name in {"scalars", "mappings", "tuples", "columns", "unique"}:
            return rearranged(getattr(self.inner, name))
        return awaited(getattr(self.inner, name))

    async def __aiter__(self) -> AsyncIterator[object]:
        for item in self.inner:
            yield item


class AwaitedStream:
    """A blocking stream that is walked and closed as an awaiting one."""

    def __init__(self, inner: Stream[Any]) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[object]:
        for item in self._inner:
            yield item

    def __await__(self) -> Generator[None, None, Self]:
        return self
        yield

    async def partitions(self, size: int) -> AsyncIterator[list[object]]:
        for part in self._inner.partitions(size):
            yield part

    async def close(self) -> None:
        self._inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._inner.close()


def rearranged(method: Callable[..., Any]) -> Callable[..., AwaitedResult]:
    def call(*arguments: object) -> AwaitedResult:
        return AwaitedResult(method(*arguments))

    return call


class AwaitedBlock:
    """A blocking transaction whose methods are awaited."""

    def __init__(self, inner: SessionTransaction) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        attribute = getattr(self._inner, name)
        return awaited(attribute) if name in {"commit", "rollback"} else attribute

    async def __aenter__(self) -> Self:
        self._inner.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)


class AwaitedSession:
    """A blocking session whose methods are awaited where those of `AsyncSession` are."""

    AWAITED = frozenset(
        {"clear_collection", "close", "commit", "explain", "flush", "get", "get_one", "refresh", "scalar"}
    )
    STREAMS = frozenset({"stream", "stream_scalars", "watch"})
    AT_ONCE = frozenset({"delete", "rollback"})  # these act when called, and may be awaited

    def __init__(self, inner: Session) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> object:
        attribute = getattr(self.inner, name)
        if name in self.AWAITED:
            return awaited(attribute)
        if name in self.STREAMS:
            return streamed(attribute)
        return done_at_once(attribute) if name in self.AT_ONCE else attribute

    def __contains__(self, instance: object) -> bool:
        return instance in self.inner

    def __iter__(self) -> Iterator[object]:
        return iter(self.inner)

    def begin(self, **options: Any) -> AwaitedBlock:
        return AwaitedBlock(self.inner.begin(**options))

    def aggregate(self, *arguments: Any, **options: Any) -> AwaitedResult:
        return AwaitedResult(self.inner.aggregate(*arguments, **options))

    def scalars(self, statement: Any) -> AwaitedResult:  # of every kind of query
        return AwaitedResult(self.inner.scalars(statement))

    async def execute(self, statement: Any, *rows: Any) -> object:  # of every kind of statement
        result = cast("object", self.inner.execute(statement, *rows))
        return AwaitedResult(cast("SelectResult[Any]", result)) if isinstance(result, SelectResult) else result

    async def __aenter__(self) -> Self:
        self.inner.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inner.__exit__(kind, error, trace)


class AwaitedMaker:
    """A maker of blocking sessions dressed as awaited ones."""

    def __init__(self, inner: sessionmaker) -> None:
        self.inner = inner

    def __call__(self) -> AsyncSession:
        return cast("AsyncSession", AwaitedSession(self.inner()))


def undressed(dressed: object) -> Any:
    """Return a session or maker as its user has it, for what tells the two kinds apart."""
    return dressed.inner if isinstance(dressed, (AwaitedSession, AwaitedMaker)) else dressed


async def maybe_awaited(call: Any) -> Any:  # of engines and drivers of either kind
    """Return what a call gives, awaited if it is to be."""
    return await call if inspect.isawaitable(call) else call


def streamed(method: Callable[..., Stream[Any]]) -> Callable[..., AwaitedStream]:
    def call(*arguments: object, **options: object) -> AwaitedStream:
        return AwaitedStream(method(*arguments, **options))

    return call


def awaited(method: Callable[..., object]) -> Callable[..., object]:
    async def call(*arguments: object, **options: object) -> object:
        return method(*arguments, **options)

    return call


def driven(call: Coroutine[Any, Any, object]) -> object:
    """Run what a blocking session was asked in awaited form, where no event loop is at hand."""
    return driving.run(call)


def done_at_once(method: Callable[..., object]) -> Callable[..., Done]:
    def call(*arguments: object) -> Done:
        method(*arguments)
        return Done()

    return call


@dataclass(frozen=True)
class Backend:
    """One kind of engine and client, with the session class that fits.

    Attributes:
        name: "sync", "motor" or "pymongo" (PyMongo's own asyncio client).
        engine: an ODMantic engine on the test's database.
        client: its client.
        database: the test's database.
    """

    name: str
    engine: SyncEngine | AIOEngine
    client: Any  # MongoClient or AsyncIOMotorClient
    database: str

    def maker(self, bind: Any = None, **options: Any) -> SessionMaker:
        """Return a maker of awaited sessions, bound to the engine unless told otherwise."""
        return self.maker_of(self.real_maker(bind, **options))

    def maker_of(self, make: sessionmaker | async_sessionmaker) -> SessionMaker:
        """Return *make* as one of awaited sessions."""
        return make if isinstance(make, async_sessionmaker) else AwaitedMaker(make)

    def session(self, kind: type[Session] | type[AsyncSession], bind: Any = None, **options: Any) -> AsyncSession:
        """Return an awaited session of a class of this backend's kind."""
        made: Any = cast("Any", kind)(self.engine if bind is None else bind, **options)
        return cast("AsyncSession", AwaitedSession(made) if isinstance(made, Session) else made)

    def real_maker(self, bind: Any = None, **options: Any) -> sessionmaker | async_sessionmaker:
        """Return a maker of sessions as they are."""
        bind = self.engine if bind is None else bind
        return sessionmaker(bind, **options) if self.name == "sync" else async_sessionmaker(bind, **options)


@pytest.fixture(params=["sync", "motor", "pymongo"])
def backend(
    request: pytest.FixtureRequest,
    raw: Database[Document],
    sync_engine: SyncEngine,
    motor_engine: AIOEngine,
    sync_client: MongoClient[Document],
    motor_client: AsyncIOMotorClient[Document],
    pymongo_engine: AIOEngine,
    pymongo_client: AsyncMongoClient[Document],
) -> Backend:
    if request.param == "sync":
        return Backend("sync", sync_engine, sync_client, raw.name)
    if request.param == "pymongo":
        return Backend("pymongo", pymongo_engine, pymongo_client, raw.name)
    return Backend("motor", motor_engine, motor_client, raw.name)


@pytest.fixture
def session_maker(backend: Backend) -> SessionMaker:
    """Makes sessions on the test's database, all of them awaited."""
    return backend.maker()


@pytest.fixture
async def session(session_maker: SessionMaker) -> AsyncIterator[AsyncSession]:
    async with session_maker() as opened:
        yield opened
