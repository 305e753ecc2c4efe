"""The pytest plugin of mongotic: a real server, and for each test a session whose writes are gone afterwards.

pytest imports this in every run in an environment that has mongotic, before anything else, whether a test wants it or
not.  Hence a package of its own that imports nothing but pytest: `mongotic.testing.isolation`, which does the work,
comes with ODMantic and the drivers, and only once a fixture is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest

if TYPE_CHECKING:
    from odmantic import Model, SyncEngine
    from odmantic.session import AIOTransaction, SyncTransaction
    from pymongo import AsyncMongoClient, MongoClient

    from mongotic import Session
    from mongotic.asyncio import AIOEngine, AsyncSession
    from mongotic.testing.isolation import Place, Server

Test: TypeAlias = Callable[..., Awaitable[object]]

COMMITS = "mongotic_commits"


class Closing:
    """What is to be awaited after an async test, in its event loop."""

    def __init__(self) -> None:
        self.last: list[Callable[[], Awaitable[object]]] = []

    async def close(self) -> None:
        """Await all of it, what was opened last first."""
        while self.last:
            await self.last.pop()()


_closing = pytest.StashKey[Closing]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{COMMITS}: the test begins, commits or rolls back transactions; it gets a database of its own, which is "
        "emptied afterwards",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    # Whatever runs async tests (pytest-asyncio, anyio) awaits the test function.  So what the fixtures have opened is
    # closed there: the loop is the right one, and neither plugin has to be known.
    closing = item.stash.get(_closing, None)
    if closing is None:
        return (yield)
    function = cast("Any", item)
    test = cast("Test", function.obj)
    function.obj = _closing_after(test, closing)
    try:
        return (yield)
    finally:
        function.obj = test


def _closing_after(test: Test, closing: Closing) -> Test:
    @wraps(test)
    async def run(*arguments: object, **fixtures: object) -> None:
        try:
            await test(*arguments, **fixtures)
        finally:
            await closing.close()

    return run


# -- for every test -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def mongotic_server() -> Generator[Server]:
    """The server of this run, or of this worker of pytest-xdist: that of `MONGOTIC_TEST_URI`, or an embedded one."""
    from mongotic.testing.isolation import running_server

    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def mongotic_client(mongotic_server: Server) -> Generator[MongoClient[dict[str, Any]]]:
    """A blocking client of that server."""
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](mongotic_server.uri) as client:
        yield client


@pytest.fixture(scope="session")
def mongotic_models() -> Sequence[type[Model]]:
    """The models whose indexes the databases of the tests have.  None; override it in your `conftest.py`."""
    return ()


@pytest.fixture(scope="session")
def _mongotic_shared(
    mongotic_client: MongoClient[dict[str, Any]], mongotic_models: Sequence[type[Model]]
) -> Generator[Place]:
    from mongotic.testing.isolation import shared_place

    with shared_place(mongotic_client, mongotic_models) as place:
        yield place


@pytest.fixture
def _mongotic_place(
    request: pytest.FixtureRequest,
    mongotic_client: MongoClient[dict[str, Any]],
    mongotic_models: Sequence[type[Model]],
) -> Generator[Place]:
    from mongotic.testing.isolation import has_transactions, own_place

    node = cast("pytest.Item", request.node)
    if node.get_closest_marker(COMMITS) is None and has_transactions(mongotic_client):
        yield request.getfixturevalue("_mongotic_shared")
        return
    with own_place(mongotic_client, mongotic_models) as place:
        yield place


@pytest.fixture
def mongotic_database(_mongotic_place: Place) -> str:
    """The name of the test's database: its own, if it is marked `mongotic_commits`."""
    return _mongotic_place.database


# -- blocking -----------------------------------------------------------------------------------------------------


@pytest.fixture
def mongotic_bind(
    mongotic_client: MongoClient[dict[str, Any]], _mongotic_place: Place
) -> Generator[SyncTransaction | SyncEngine]:
    """What the test's sessions are bound to: a transaction that is aborted afterwards, or an engine on a database of
    the test's own."""
    from mongotic.testing.isolation import bound

    with bound(mongotic_client, _mongotic_place) as bind:
        yield bind


@pytest.fixture
def mongotic_session(mongotic_bind: SyncTransaction | SyncEngine) -> Generator[Session]:
    """A blocking session; what it writes is gone after the test."""
    from mongotic import Session

    with Session(mongotic_bind) as session:
        yield session


# -- awaiting -----------------------------------------------------------------------------------------------------


@pytest.fixture
def _mongotic_closing(request: pytest.FixtureRequest) -> Closing:
    if not inspect.iscoroutinefunction(request.function):
        pytest.fail(
            f"{request.node.name} is no async test, and asks for one of mongotic's async fixtures; make it "
            "`async def`, or ask for mongotic_session",
            pytrace=False,
        )
    return cast("pytest.Item", request.node).stash.setdefault(_closing, Closing())


@pytest.fixture
def mongotic_async_client(mongotic_server: Server, _mongotic_closing: Closing) -> AsyncMongoClient[dict[str, Any]]:
    """PyMongo's asyncio client of the server, in the event loop of the test."""
    from pymongo import AsyncMongoClient

    client = AsyncMongoClient[dict[str, Any]](mongotic_server.uri)
    _mongotic_closing.last.append(client.close)
    return client


@pytest.fixture
def mongotic_async_bind(
    mongotic_client: MongoClient[dict[str, Any]],
    mongotic_async_client: AsyncMongoClient[dict[str, Any]],
    _mongotic_place: Place,
    _mongotic_closing: Closing,
) -> Generator[AIOTransaction | AIOEngine]:
    """What the async test's sessions are bound to; see `mongotic_bind`."""
    from mongotic.testing.isolation import AsyncBound

    bound = AsyncBound(mongotic_async_client, _mongotic_place)
    _mongotic_closing.last.append(bound.close)
    yield bound.bind
    bound.kill(mongotic_client)


@pytest.fixture
def mongotic_async_session(mongotic_async_bind: AIOTransaction | AIOEngine, _mongotic_closing: Closing) -> AsyncSession:
    """A session; what it writes is gone after the test."""
    from mongotic.asyncio import AsyncSession

    session = AsyncSession(mongotic_async_bind)
    _mongotic_closing.last.append(session.close)
    return session
