"""What a session can be bound to, and which database it uses then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.uri_parser import parse_uri

import mongotic
from mongotic import ArgumentError, InvalidRequestError, Session, UnboundExecutionError, select, sessionmaker
from mongotic.asyncio import AsyncSession, async_sessionmaker
from tests.conftest import Backend, CommandLog, Document, maybe_awaited

untyped: Any = mongotic


class User(Model):
    name: str


class Elsewhere(Model):
    __databasename__ = "mongotic_test_elsewhere"
    name: str


def untyped_client(engine: Any) -> Any:
    """The client of an engine, whose type ODMantic leaves half open."""
    return engine.client


async def _stored(make: Callable[[], AsyncSession], instance: Model) -> None:
    async with make() as session:
        session.add(instance)
        await session.commit()


async def test_an_engine_brings_its_database(backend: Backend, raw: Database[Document]) -> None:
    await _stored(backend.maker(), User(name="Ann"))
    assert raw["user"].count_documents({}) == 1


async def test_a_client_is_told_the_database(backend: Backend, raw: Database[Document]) -> None:
    await _stored(backend.maker(backend.client, database=raw.name), User(name="Ann"))
    assert raw["user"].count_documents({}) == 1


async def test_a_client_may_have_a_default_database(backend: Backend, raw: Database[Document], server_uri: str) -> None:
    host, port = parse_uri(server_uri)["nodelist"][0]
    uri = f"mongodb://{host}:{port}/{raw.name}?directConnection=true"
    kind: Any = {"sync": MongoClient, "motor": AsyncIOMotorClient, "pymongo": AsyncMongoClient}[backend.name]
    client = kind(uri)
    await _stored(backend.maker(client), User(name="Ann"))
    closing = client.close()
    if closing is not None:
        await closing
    assert raw["user"].count_documents({}) == 1


async def test_a_model_may_name_its_own_database(backend: Backend, raw_client: MongoClient[Document]) -> None:
    own = raw_client["mongotic_test_elsewhere"]["elsewhere"]
    own.delete_many({})
    await _stored(backend.maker(), Elsewhere(name="Ann"))
    await _stored(backend.maker(backend.client), Elsewhere(name="Bob"))
    assert sorted(document["name"] for document in own.find()) == ["Ann", "Bob"]
    raw_client.drop_database("mongotic_test_elsewhere")


async def test_an_open_odmantic_session_is_joined(backend: Backend, raw: Database[Document]) -> None:
    if backend.name == "sync":
        with cast("SyncEngine", backend.engine).session() as opened:
            await _stored(backend.maker(opened), User(name="Ann"))
    else:
        async with cast("AIOEngine", backend.engine).session() as joined:
            await _stored(backend.maker(joined), User(name="Ann"))
    assert raw["user"].count_documents({}) == 1


async def test_an_open_odmantic_transaction_is_joined_and_its_owner_ends_it(
    backend: Backend, raw: Database[Document]
) -> None:
    seen: list[int] = []
    if backend.name == "sync":
        with cast("SyncEngine", backend.engine).transaction() as opened:
            await _stored(backend.maker(opened), User(name="Ann"))
            seen.append(raw["user"].count_documents({}))
            async with backend.maker(opened)() as session:
                assert await session.scalars(select(User)).count() == 1
            opened.abort()
            opened.start()
            await _stored(backend.maker(opened), User(name="Bob"))
            opened.commit()
            opened.start()
    else:
        async with cast("AIOEngine", backend.engine).transaction() as joined:
            await _stored(backend.maker(joined), User(name="Ann"))
            seen.append(raw["user"].count_documents({}))
            async with backend.maker(joined)() as session:
                assert await session.scalars(select(User)).count() == 1
            await joined.abort()
            await joined.start()
            await _stored(backend.maker(joined), User(name="Bob"))
            await joined.commit()
            await joined.start()
    assert seen == [0]
    assert [document["name"] for document in raw["user"].find()] == ["Bob"]


async def test_rollback_aborts_a_joined_transaction_once_something_was_flushed_into_it(
    backend: Backend, raw: Database[Document]
) -> None:
    engine: Any = backend.engine
    opened: Any = engine.transaction()
    await maybe_awaited(opened.start())
    async with backend.maker(opened)() as session:
        ann, bob = User(name="Ann"), User(name="Bob")
        session.add(ann)
        await session.rollback()
        assert ann not in session
        opened.get_driver_session()  # still open

        session.add(bob)
        await session.flush()
        await session.rollback()
        assert bob not in session
        with pytest.raises(RuntimeError, match="ransaction not started"):
            await maybe_awaited(opened.commit())
    assert raw["user"].count_documents({}) == 0


async def test_rollback_of_what_the_owner_has_committed_is_refused(backend: Backend, raw: Database[Document]) -> None:
    engine: Any = backend.engine
    opened: Any = engine.transaction()
    await maybe_awaited(opened.start())
    async with backend.maker(opened)() as session:
        session.add(User(name="Bob"))
        await session.commit()
        await maybe_awaited(opened.commit())
        with pytest.raises(InvalidRequestError, match="not open"):
            await session.rollback()
    assert raw["user"].count_documents({}) == 1


async def test_an_odmantic_session_that_is_not_open_is_refused(backend: Backend, commands: CommandLog) -> None:
    async with backend.maker(backend.engine.session())() as session:
        with pytest.raises(InvalidRequestError, match="is not open"):
            await session.scalars(select(User)).all()
    assert commands.sent == []


async def test_without_any_database_the_error_names_the_four_places(backend: Backend, commands: CommandLog) -> None:
    async with backend.maker(backend.client)() as session:
        with pytest.raises(UnboundExecutionError, match=r"__databasename__.*engine.*database=.*connection string"):
            await session.scalars(select(User)).all()
        with pytest.raises(UnboundExecutionError):
            session.add(User(name="Ann"))
        assert session.new == []
    assert commands.sent == []


async def test_an_engines_subclass_may_choose_the_collection(
    sync_client: MongoClient[Document], raw: Database[Document]
) -> None:
    class Prefixed(SyncEngine):
        def get_collection(self, model: Any) -> Any:  # as ODMantic types it
            database = cast("Database[Document]", self.database)  # pyright: ignore[reportUnknownMemberType]  # half open
            return database[f"pre_{model.__collection__}"]

    with Session(Prefixed(sync_client, raw.name)) as session:
        session.add(User(name="Ann"))
        session.commit()
    assert raw["pre_user"].count_documents({}) == 1


@pytest.mark.parametrize("make", [Session, sessionmaker])
def test_a_blocking_session_refuses_what_does_not_fit(make: Any, motor_engine: AIOEngine) -> None:
    others: list[Any] = [
        motor_engine,
        untyped_client(motor_engine),
        object.__new__(AsyncMongoClient),
        "mongodb://localhost",
        None,
        SyncEngine,
    ]
    for bind in others:
        with pytest.raises(TypeError, match=r"it takes an odmantic.SyncEngine, .* or a pymongo.MongoClient"):
            make(bind)


@pytest.mark.parametrize("make", [AsyncSession, async_sessionmaker])
def test_an_awaiting_session_refuses_what_does_not_fit(make: Any, sync_engine: SyncEngine) -> None:
    others: list[Any] = [sync_engine, untyped_client(sync_engine), "mongodb://localhost", None, AIOEngine]
    for bind in others:
        with pytest.raises(TypeError, match=r"it takes an odmantic.AIOEngine, .* pymongo AsyncMongoClient or motor"):
            make(bind)


def test_the_error_of_a_wrong_bind_names_what_was_given(motor_engine: AIOEngine) -> None:
    with pytest.raises(TypeError, match=r"Session cannot be bound to odmantic.engine.AIOEngine"):
        untyped.Session(motor_engine)


def test_a_database_that_contradicts_the_engine_is_refused(sync_engine: SyncEngine) -> None:
    with pytest.raises(ArgumentError, match="differs from the engine's database"):
        Session(sync_engine, database="other")
    Session(sync_engine, database=sync_engine.database_name).close()
    with pytest.raises(ArgumentError, match="empty"):
        Session(untyped_client(sync_engine), database="")
    with pytest.raises(TypeError, match="name of a database"):
        untyped.Session(untyped_client(sync_engine), database=3)


def test_info_belongs_to_each_session(sync_engine: SyncEngine) -> None:
    maker = sessionmaker(sync_engine, info={"request": 1})
    with maker() as one, maker() as other:
        one.info["request"] = 2
        assert other.info == {"request": 1}
    assert repr(maker) == "sessionmaker(SyncEngine)"
