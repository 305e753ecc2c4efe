"""Corners in which data could be lost, invented or brought back: each has been seen to go wrong once."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, cast

import pymongo
import pytest
from bson import Int64
from odmantic import AIOEngine, EmbeddedModel, Field, Model, Reference, SyncEngine
from pymongo import MongoClient
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    InvalidRequestError,
    OperationalError,
    ResourceClosedError,
    Session,
    StaleDataError,
    insert,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Geo(EmbeddedModel):
    lat: float = 0.0
    lon: float = 0.0


class Address(EmbeddedModel):
    city: str
    zip: str
    geo: Geo = Geo()


class Person(Model):
    name: str
    age: int = 0
    tags: list[str] = []
    address: Address = Address(city="a", zip="1")
    counters: dict[str, int] = {"a": 1}


class Badge(Model):
    code: int = Field(primary_field=True)
    text: str = ""


class Publisher(Model):
    code: int = Field(primary_field=True)


class Book(Model):
    code: int = Field(primary_field=True)
    publisher: Publisher = Reference()


async def only(session: AsyncSession) -> Person:
    return await session.scalars(select(Person)).one()


# -- defaults that are not stored ---------------------------------------------------------------------------------


async def test_a_change_in_a_default_stores_the_whole_of_it(
    session_maker: SessionMaker, raw: Database[Document]
) -> None:
    raw["person"].insert_one({"name": "Ann"})
    async with session_maker() as first:
        person = await only(first)
        person.address.city = "b"
        person.counters["b"] = 2
        await first.commit()
        person.address.zip = "2"
        await first.commit()
    assert raw["person"].find_one({}, {"_id": 0}) == {
        "name": "Ann",
        "address": {"city": "b", "zip": "2", "geo": {"lat": 0.0, "lon": 0.0}},
        "counters": {"a": 1, "b": 2},
    }
    async with session_maker() as second:
        assert (await only(second)).address.zip == "2"


async def test_a_change_in_a_default_after_another_write_stores_the_whole_of_it(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["person"].insert_one({"name": "Ann", "address": {"city": "a", "zip": "1"}})
    person = await only(session)
    person.name = "Anna"
    await session.commit()
    person.address.geo.lat = 1.0
    await session.commit()
    assert (raw["person"].find_one() or {})["address"] == {"city": "a", "zip": "1", "geo": {"lat": 1.0, "lon": 0.0}}


async def test_an_embedded_document_removed_meanwhile_is_not_made_up_of_one_field(
    session: AsyncSession, raw: Database[Document]
) -> None:
    person = Person(name="Ann")
    session.add(person)
    await session.commit()
    raw["person"].update_one({}, {"$unset": {"address": ""}})
    person.address.city = "b"
    with pytest.raises(StaleDataError, match="embedded document that was changed"):
        await session.commit()
    assert "address" not in (raw["person"].find_one() or {})


async def test_an_embedded_document_stored_meanwhile_is_not_overwritten(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["person"].insert_one({"name": "Ann"})
    person = await only(session)
    person.counters["mine"] = 1
    raw["person"].update_one({}, {"$set": {"counters": {"theirs": 1}}})
    with pytest.raises(StaleDataError):
        await session.commit()
    assert (raw["person"].find_one() or {})["counters"] == {"theirs": 1}


# -- one key, two instances ---------------------------------------------------------------------------------------


async def test_a_detached_instance_takes_the_place_of_a_deleted_one(
    session: AsyncSession, session_maker: SessionMaker, raw: Database[Document]
) -> None:
    raw["badge"].insert_one({"_id": 1, "text": "old"})
    async with session_maker() as other:
        detached = await other.get(Badge, 1)
    assert detached is not None
    old = await session.get(Badge, 1)
    assert old is not None
    session.delete(old)
    detached.text = "new"
    session.add(detached)
    await session.commit()
    assert list(raw["badge"].find()) == [{"_id": 1, "text": "new"}]
    assert await session.get(Badge, 1) is detached


async def test_a_deletion_cannot_be_taken_back_once_its_place_is_taken(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["badge"].insert_one({"_id": 1, "text": "old"})
    old = await session.get(Badge, 1)
    assert old is not None
    session.delete(old)
    session.add(Badge(code=1, text="new"))
    with pytest.raises(InvalidRequestError, match="take its place"):
        session.add(old)
    await session.commit()
    assert list(raw["badge"].find()) == [{"_id": 1, "text": "new"}]


async def test_an_add_that_is_refused_adds_nothing(session: AsyncSession, raw: Database[Document]) -> None:
    session.add(Book(code=1, publisher=Publisher(code=1)))
    with pytest.raises(InvalidRequestError):
        session.add(Book(code=1, publisher=Publisher(code=2)))
    await session.commit()
    assert [document["_id"] for document in raw["publisher"].find()] == [1]


# -- interruptions ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["motor", "pymongo"])
def async_engine(request: pytest.FixtureRequest, motor_engine: AIOEngine, pymongo_engine: AIOEngine) -> AIOEngine:
    return motor_engine if request.param == "motor" else pymongo_engine


async def test_a_cancelled_commit_leaves_books_that_agree_with_the_database(
    async_engine: AIOEngine, raw: Database[Document]
) -> None:
    for delay in range(40):
        async with AsyncSession(async_engine) as session:
            badge = Badge(code=delay)
            session.add(badge)
            task = asyncio.create_task(session.commit())
            await asyncio.sleep(delay * 0.0001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            badge.text = "changed"
            await session.commit()
    assert raw["badge"].count_documents({"text": "changed"}) == 40


@pytest.mark.skipif(pymongo.version_tuple < (4, 11), reason="it blocks the event loop while a command is on its way")
async def test_a_cancelled_write_is_not_overtaken(
    async_engine: AIOEngine, raw: Database[Document], raw_client: MongoClient[Document]
) -> None:
    raw["badge"].insert_one({"_id": 1, "text": "old"})
    async with AsyncSession(async_engine) as session:
        badge = await session.get(Badge, 1)
        assert badge is not None
        blocked = {"failCommands": ["update"], "blockConnection": True, "blockTimeMS": 300}
        raw_client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=blocked)
        badge.text = "first"
        task = asyncio.create_task(session.commit())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert session.dirty == []
        badge.text = "second"
        await session.commit()
    await asyncio.sleep(0.4)
    assert raw["badge"].find_one() == {"_id": 1, "text": "second"}


async def test_a_session_is_not_closed_under_a_running_operation(async_engine: AIOEngine) -> None:
    async with AsyncSession(async_engine) as session:
        session.add(Badge(code=1))
        task = asyncio.create_task(session.commit())
        await asyncio.sleep(0)
        with pytest.raises(InvalidRequestError, match="still under way"):
            await session.close()
        await task
    assert session.new == []


async def test_an_iteration_ends_with_its_session(session_maker: SessionMaker, raw: Database[Document]) -> None:
    raw["badge"].insert_many([{"_id": number} for number in range(3)])
    opened = session_maker()
    seen: list[Badge] = []

    async def close_after_the_first() -> None:
        async for badge in opened.scalars(select(Badge)):
            seen.append(badge)
            await opened.close()

    with pytest.raises(ResourceClosedError):
        await close_after_the_first()
    assert len(seen) == 1


# -- values that cannot be stored ---------------------------------------------------------------------------------


async def test_rollback_undoes_a_value_that_cannot_be_stored(session: AsyncSession, raw: Database[Document]) -> None:
    person = Person(name="Ann", tags=["a"])
    session.add(person)
    await session.commit()
    broken: list[Any] = cast("list[Any]", person.tags)  # what validation would never let through
    broken.append(object())
    session.add(Badge(code=9))
    session.rollback()
    assert person.tags == ["a"]
    await session.commit()
    assert raw["badge"].count_documents({}) == 0


async def test_a_query_passes_over_a_value_that_cannot_be_stored(
    session: AsyncSession, raw: Database[Document]
) -> None:
    person = Person(name="Ann", tags=["a"])
    session.add(person)
    await session.commit()
    broken: list[Any] = cast("list[Any]", person.tags)  # what validation would never let through
    broken.append(object())
    raw["person"].update_one({}, {"$set": {"name": "theirs"}})
    assert await only(session) is person
    assert person.name == "theirs"
    assert len(person.tags) == 2


async def test_text_that_is_no_utf8_in_a_condition(session: AsyncSession) -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        await session.scalars(select(Person).where(Person.name == "\ud800")).all()


async def test_a_date_python_cannot_hold(session: AsyncSession, raw: Database[Document]) -> None:
    class Event(Model):
        at: datetime

    raw["event"].insert_one({"at": datetime(2026, 1, 1)})
    raw["event"].update_one({}, [{"$set": {"at": {"$toDate": Int64(2**60)}}}])
    with pytest.raises(OperationalError, match="datetime_conversion"):
        await session.scalars(select(Event)).all()


# -- what is believed ---------------------------------------------------------------------------------------------


async def test_an_expired_instance_stays_expired_through_its_own_flush(
    session: AsyncSession, raw: Database[Document]
) -> None:
    person = Person(name="Ann")
    session.add(person)
    await session.commit()
    await session.execute(update(Person).values(age=50))
    person.name = "Anna"
    await session.flush()
    assert await session.get(Person, person.id) is person
    assert person.age == 50


async def test_a_list_that_did_not_change_stays_the_same_object(session: AsyncSession, raw: Database[Document]) -> None:
    person = Person(name="Ann", tags=["a"])
    session.add(person)
    await session.commit()
    tags = person.tags
    raw["person"].update_one({}, {"$set": {"age": 3}})
    await session.scalars(select(Person)).all()
    tags.append("b")
    await session.commit()
    assert raw["person"].find_one({}, {"_id": 0, "age": 1, "tags": 1}) == {"age": 3, "tags": ["a", "b"]}


async def test_an_insert_statement_does_not_see_later_changes(session: AsyncSession, raw: Database[Document]) -> None:
    badge = Badge(code=1, text="then")
    statement = insert(Badge).values(badge)
    badge.text = "later"
    await session.execute(statement)
    assert raw["badge"].find_one() == {"_id": 1, "text": "then"}


# -- many and large -----------------------------------------------------------------------------------------------


async def test_large_documents_are_counted_command_by_command(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["badge"].insert_one({"_id": 3})
    badges = [Badge(code=code, text="x" * 12_000_000) for code in range(5)]
    session.add_all(badges)
    with pytest.raises(IntegrityError) as caught:
        await session.flush()
    assert caught.value.instance is badges[3]
    assert (len(caught.value.written), len(caught.value.pending)) == (3, 2)
    assert commands.names() == ["insert badge", "insert badge"]
    assert [len(command["documents"]) for command in commands.sent] == [2, 2]


async def test_writes_that_are_not_acknowledged(backend: Backend, server_uri: str, raw: Database[Document]) -> None:
    client: MongoClient[Document] = MongoClient(server_uri, w=0)
    with Session(SyncEngine(client, raw.name)) as session:
        assert session.execute(insert(Badge).values({"code": 1})).rowcount == -1
        assert session.execute(update(Badge).values(text="x")).rowcount == -1
        badge = Badge(code=2)
        session.add(badge)
        session.commit()
        badge.text = "y"
        session.commit()
    client.close()
    raw["badge"].find_one({"_id": 2})
