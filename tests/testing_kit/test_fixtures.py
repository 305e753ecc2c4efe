"""The fixtures of the plugin, which this run has as every other."""

from __future__ import annotations

from typing import Any, cast

import pytest
from odmantic import Field, Model, ObjectId, SyncEngine
from odmantic.session import AIOTransaction, SyncTransaction
from pymongo import AsyncMongoClient, MongoClient

from mongotic import Session, select
from mongotic.asyncio import AIOEngine, AsyncSession, async_sessionmaker
from mongotic.testing.isolation import AsyncBound, Place, Server, has_transactions, running_server


class User(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    name: str


@pytest.mark.parametrize("again", [1, 2])
def test_a_blocking_session_works_in_a_transaction(
    again: int,
    mongotic_session: Session,
    mongotic_bind: object,
    mongotic_client: MongoClient[Any],
    mongotic_database: str,
) -> None:
    assert isinstance(mongotic_bind, SyncTransaction)
    mongotic_session.add(User(name="Ann"))
    mongotic_session.commit()
    assert mongotic_session.scalars(select(User)).one().name == "Ann"
    assert mongotic_client[mongotic_database].user.count_documents({}) == 0


@pytest.mark.parametrize("again", [1, 2])
async def test_an_async_session_works_in_a_transaction(
    again: int, mongotic_async_session: AsyncSession, mongotic_async_bind: object
) -> None:
    assert isinstance(mongotic_async_bind, AIOTransaction)
    async with async_sessionmaker(mongotic_async_bind)() as other:
        other.add(User(name="Ann"))
        await other.commit()
    assert (await mongotic_async_session.scalars(select(User)).one()).name == "Ann"


@pytest.mark.mongotic_commits
@pytest.mark.parametrize("again", [1, 2])
async def test_a_test_that_commits_has_engines_on_a_database_of_its_own(
    again: int, mongotic_async_bind: object, mongotic_bind: object, mongotic_session: Session
) -> None:
    assert isinstance(mongotic_async_bind, AIOEngine)
    assert isinstance(mongotic_bind, SyncEngine)
    async with async_sessionmaker(mongotic_async_bind).begin() as session:
        session.add(User(name="Ann"))
    assert mongotic_session.scalars(select(User)).one().name == "Ann"


async def test_a_transaction_nobody_could_close_is_killed(
    mongotic_client: MongoClient[Any], mongotic_async_client: AsyncMongoClient[Any], mongotic_database: str
) -> None:
    bound = AsyncBound(mongotic_async_client, Place(mongotic_database, in_transaction=True))
    async with AsyncSession(bound.bind) as session:
        session.add(User(name="Ann"))
        await session.flush()
    key = cast("Any", bound.bind).get_driver_session().session_id["id"]
    assert in_transaction(mongotic_client, key)
    bound.kill(mongotic_client)
    assert not in_transaction(mongotic_client, key)
    await bound.close()
    bound.kill(mongotic_client)  # there is none left


def in_transaction(client: MongoClient[Any], key: object) -> bool:
    """Whether the server has a transaction open in that driver session."""
    sessions: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleSessions": True}},
        {"$match": {"lsid.id": key}},
    ]
    return any("transaction" in found for found in client.admin.aggregate(sessions))


def test_the_server_of_the_environment_is_used(
    mongotic_server: Server, mongotic_client: MongoClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGOTIC_TEST_URI", mongotic_server.uri)
    with running_server() as server:
        assert server == Server(mongotic_server.uri)
    assert has_transactions(mongotic_client)
