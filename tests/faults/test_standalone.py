"""A server without transactions: what needs one says so and what to do; everything else works."""

# ruff: noqa: PT012  # what raises is the end of the block

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Field, Model, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from mongotic import IntegrityError, InvalidRequestError, OperationalError
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.testing import EmbeddedMongo
from tests.conftest import Backend, Document, maybe_awaited


class Account(Model):
    number: int = Field(primary_field=True)


class Entry(Model):
    number: int = Field(primary_field=True)


class Names(CommandListener):
    """The names of the commands that were sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    with EmbeddedMongo(replica_set=False) as server:
        yield server.uri


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def raw(alone: str) -> Iterator[Database[Document]]:
    with MongoClient[Document](alone) as client:
        name = f"test_{uuid4().hex}"
        yield client[name]
        client.drop_database(name)


@pytest.fixture(params=["sync", "motor", "pymongo"])
async def standalone(
    request: pytest.FixtureRequest, alone: str, raw: Database[Document], names: Names
) -> AsyncIterator[Backend]:
    client: Any
    engine: SyncEngine | AIOEngine
    if request.param == "sync":
        client = MongoClient[Document](alone, event_listeners=[names])
        engine = SyncEngine(client, raw.name)
    elif request.param == "motor":
        client = AsyncIOMotorClient[Document](alone, event_listeners=[names])
        engine = AIOEngine(client, raw.name)
    else:
        client = AsyncMongoClient[Document](alone, event_listeners=[names])
        engine = PyMongoEngine(client, raw.name)
    yield Backend(request.param, engine, client, raw.name)
    await maybe_awaited(client.close())


async def test_begin_is_refused_at_its_first_operation(standalone: Backend, raw: Database[Document]) -> None:
    async with standalone.maker()() as session:
        account = Account(number=1)
        with pytest.raises(InvalidRequestError, match=r"no transactions.*mongod --replSet rs0.*leave out begin\(\)"):
            async with session.begin():
                session.add(account)
                await session.flush()
        assert session.new == []
        session.add(account)
        await session.commit()
    async with standalone.maker(autobegin=True)() as session:
        with pytest.raises(InvalidRequestError, match="no transactions"):
            await session.get(Account, 1)
    assert raw["account"].count_documents({}) == 1


async def test_a_commit_writes_at_once_and_reports_what_it_has_written(
    standalone: Backend, raw: Database[Document], names: Names
) -> None:
    raw["entry"].insert_one({"_id": 1})
    async with standalone.maker()() as session:
        account, entry = Account(number=1), Entry(number=1)
        session.add_all([account, entry])
        with pytest.raises(IntegrityError, match="Written: 1; still pending: 1") as caught:
            await session.commit()
        assert (caught.value.written, caught.value.pending) == ([account], [entry])
        session.expunge(entry)
        session.add(Entry(number=2))
        await session.commit()
    assert raw["account"].count_documents({}) == 1
    assert raw["entry"].count_documents({}) == 2
    assert not {"commitTransaction", "abortTransaction"} & set(names.sent)


async def test_atomic_true_refuses_before_anything_is_sent(standalone: Backend, raw: Database[Document]) -> None:
    async with standalone.maker(atomic=True)() as session:
        session.add_all([Account(number=1), Account(number=2)])
        with pytest.raises(InvalidRequestError, match=r'atomic="auto". Nothing was sent'):
            await session.commit()
        assert len(session.new) == 2
    assert raw["account"].count_documents({}) == 0


async def test_the_server_is_asked_at_most_once_per_client(standalone: Backend, names: Names) -> None:
    # The driver's own hellos are not announced as commands, and its clients of one server are equal.
    for number in range(3):
        async with standalone.maker()() as session:
            session.add_all([Account(number=number), Entry(number=number)])
            await session.commit()
    assert names.sent.count("hello") <= 1


async def test_the_odmantic_transaction_of_a_session_says_so_too(standalone: Backend) -> None:
    engine: Any = standalone.engine
    async with standalone.maker()() as session:
        session.begin()
        assert session.odmantic is not None
        with pytest.raises(OperationalError, match="start it as a replica set"):
            await session.get(Account, 1)
        await session.rollback()
        assert await maybe_awaited(engine.count(Account, session=session.odmantic)) == 0
