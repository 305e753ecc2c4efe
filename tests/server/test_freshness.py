"""`refresh`, `expire` and `merge`: which side wins, the object or the document."""

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Field, Model, ObjectId, Reference
from pymongo.database import Database

from mongotic import ArgumentError, InvalidRequestError, NotFound, UnmappedInstanceError, select
from mongotic.asyncio import AsyncSession
from tests.conftest import CommandLog, Document, SessionMaker


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Badge(Model):
    code: str = Field(primary_field=True)
    owner: str = ""


class Publisher(Model):
    name: str


class Book(Model):
    title: str
    publisher: Publisher = Reference()


@pytest.fixture
async def ann(session: AsyncSession, raw: Database[Document]) -> User:
    raw["user"].insert_one({"name": "Ann", "age": 30, "tags": ["a"], "unknown": "kept"})
    return await session.scalars(select(User)).one()


def stored(raw: Database[Document]) -> list[Document]:
    return list(raw["user"].find({}, {"_id": 0}))


# -- refresh ------------------------------------------------------------------------------------------------------


async def test_refresh_shows_the_document_and_drops_unwritten_changes(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    ann.age = 99
    ann.tags.append("mine")
    raw["user"].update_one({}, {"$set": {"name": "Anna"}})
    await session.refresh(ann)
    assert (ann.name, ann.age, ann.tags) == ("Anna", 30, ["a"])
    assert session.dirty == []


async def test_refresh_of_some_fields_keeps_the_changes_of_others(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    ann.age = 99
    ann.name = "mine"
    raw["user"].update_one({}, {"$set": {"name": "theirs", "tags": ["theirs"]}})
    await session.refresh(ann, ["name"])
    assert (ann.name, ann.age, ann.tags) == ("theirs", 99, ["a"])
    await session.commit()
    assert stored(raw) == [{"name": "theirs", "age": 99, "tags": ["theirs"], "unknown": "kept"}]


async def test_refresh_keeps_a_staged_deletion(session: AsyncSession, ann: User) -> None:
    session.delete(ann)
    await session.refresh(ann)
    assert session.deleted == [ann]


async def test_refresh_of_what_is_gone(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    raw["user"].delete_many({})
    with pytest.raises(NotFound, match="its document is gone"):
        await session.refresh(ann)


async def test_refresh_of_what_was_never_stored(session: AsyncSession, commands: CommandLog) -> None:
    new = User(name="Bob")
    with pytest.raises(ValueError, match="never stored"):
        await session.refresh(new)
    session.add(new)
    with pytest.raises(ArgumentError, match="never stored"):
        await session.refresh(new)
    with pytest.raises(UnmappedInstanceError):
        await session.refresh(None)  # type: ignore[arg-type]  # that is the point
    assert commands.sent == []


async def test_refresh_of_an_unknown_field(session: AsyncSession, ann: User, commands: CommandLog) -> None:
    commands.sent.clear()
    with pytest.raises(ArgumentError, match="User has no field 'nam'"):
        await session.refresh(ann, ["nam"])
    assert commands.sent == []


async def test_refresh_attaches_a_detached_instance(
    session: AsyncSession, ann: User, session_maker: SessionMaker, raw: Database[Document]
) -> None:
    async with session_maker() as other:
        with pytest.raises(InvalidRequestError, match="another session"):
            await other.refresh(ann)
        session.expunge(ann)
        ann.age = 99
        await other.refresh(ann)
        assert ann in other
        assert ann.age == 30
        ann.age = 31
        await other.commit()
    assert stored(raw)[0]["age"] == 31


async def test_refresh_follows_references(session: AsyncSession, raw: Database[Document]) -> None:
    book = Book(title="b", publisher=Publisher(name="North"))
    other = Publisher(name="South")
    session.add_all([book, other])
    await session.commit()
    raw["book"].update_one({}, {"$set": {"publisher": other.id}})
    await session.refresh(book)
    assert book.publisher is other
    assert session.dirty == []


async def test_refresh_of_one_field_does_not_make_an_unwritten_reference_the_baseline(
    session: AsyncSession, raw: Database[Document]
) -> None:
    book = Book(title="b", publisher=Publisher(name="North"))
    session.add(book)
    await session.commit()
    north = book.publisher
    book.publisher = Publisher(name="South")
    await session.refresh(book, ["title"])
    session.rollback()
    assert book.publisher is north
    await session.commit()
    assert (raw["book"].find_one() or {})["publisher"] == north.id


async def test_one_document_is_one_object_in_what_is_merged_and_added(
    session: AsyncSession, session_maker: SessionMaker, raw: Database[Document]
) -> None:
    async with session_maker() as other:
        detached = Book(title="b", publisher=Publisher(name="North"))
        other.add(detached)
        await other.commit()
    north = await session.get(Publisher, detached.publisher.id)
    session.add(detached)
    assert detached.publisher is north
    detached.publisher.name = "South"
    await session.commit()
    assert (raw["publisher"].find_one() or {})["name"] == "South"


# -- expire -------------------------------------------------------------------------------------------------------


async def test_expired_values_stay_and_are_not_written(
    session: AsyncSession, ann: User, raw: Database[Document], commands: CommandLog
) -> None:
    ann.age = 99
    session.expire(ann)
    assert ann.age == 99
    assert session.dirty == []
    commands.sent.clear()
    await session.commit()
    assert commands.sent == []
    assert stored(raw)[0]["age"] == 30


async def test_a_field_set_after_expire_is_written(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    ann.age = 99
    session.expire(ann)
    ann.name = "Anna"
    await session.commit()
    assert stored(raw) == [{"name": "Anna", "age": 30, "tags": ["a"], "unknown": "kept"}]


@pytest.mark.parametrize("how", ["query", "get", "refresh"])
async def test_the_next_read_overwrites_what_is_expired(
    session: AsyncSession, ann: User, raw: Database[Document], how: str
) -> None:
    ann.age = 99
    session.expire(ann)
    raw["user"].update_one({}, {"$set": {"name": "Anna"}})
    if how == "query":
        await session.scalars(select(User)).all()
    elif how == "get":
        await session.get(User, ann.id)
    else:
        await session.refresh(ann)
    assert (ann.name, ann.age) == ("Anna", 30)


async def test_a_value_that_cannot_be_stored_can_be_expired(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    broken: Any = ann.tags
    broken.append(object())
    ann.age = 99
    session.expire(ann)
    await session.refresh(ann)
    assert (ann.age, ann.tags) == (30, ["a"])


async def test_expire_of_some_fields(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    ann.age = 99
    ann.name = "Anna"
    session.expire(ann, ["age"])
    await session.commit()
    assert stored(raw) == [{"name": "Anna", "age": 30, "tags": ["a"], "unknown": "kept"}]


async def test_expire_needs_a_stored_instance_of_the_session(session: AsyncSession, ann: User) -> None:
    for stranger in (User(name="Bob"), Badge(code="1")):
        with pytest.raises(InvalidRequestError, match="cannot expire"):
            session.expire(stranger)
    with pytest.raises(ArgumentError, match="no field 'nam'"):
        session.expire(ann, ["nam"])


# -- merge --------------------------------------------------------------------------------------------------------


async def test_merge_writes_the_whole_state_onto_the_document(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["badge"].insert_one({"_id": "1", "owner": "Ann", "unknown": "kept"})
    badge = Badge(code="1", owner="Bob")
    assert session.merge(badge) is badge
    assert session.dirty == []
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update badge"]
    assert commands.sent[0]["updates"][0]["upsert"] is True
    assert list(raw["badge"].find()) == [{"_id": "1", "owner": "Bob", "unknown": "kept"}]


async def test_merge_stores_what_is_not_there(session: AsyncSession, raw: Database[Document]) -> None:
    session.merge(Badge(code="1", owner="Bob"))
    await session.commit()
    assert list(raw["badge"].find()) == [{"_id": "1", "owner": "Bob"}]


async def test_merge_without_a_key_of_its_own_adds(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Ann")
    session.merge(user)
    assert session.new == [user]
    await session.commit()
    assert raw["user"].count_documents({}) == 1


async def test_merge_onto_a_held_instance_gives_that(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    ann.age = 99
    twin = User(id=ann.id, name="Anna", age=31)
    assert session.merge(twin) is ann
    assert (ann.name, ann.age, ann.tags) == ("Anna", 31, [])
    assert session.dirty == []
    assert twin not in session
    await session.commit()
    assert stored(raw) == [{"name": "Anna", "age": 31, "tags": [], "unknown": "kept"}]
    ann.age = 32
    await session.commit()
    assert stored(raw)[0]["age"] == 32


async def test_a_merge_rolled_back(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    session.merge(User(id=ann.id, name="Anna"))
    new = Badge(code="1")
    session.merge(new)
    session.rollback()
    assert (ann.name, ann.age) == ("Ann", 30)
    assert new not in session
    await session.commit()
    assert raw["badge"].count_documents({}) == 0
    session.merge(new)
    await session.commit()
    assert raw["badge"].count_documents({}) == 1


async def test_a_merged_instance_is_tracked_afterwards(session: AsyncSession, raw: Database[Document]) -> None:
    badge = session.merge(Badge(code="1", owner="Bob"))
    await session.commit()
    badge.owner = "Cid"
    assert session.dirty == [badge]
    await session.commit()
    assert list(raw["badge"].find()) == [{"_id": "1", "owner": "Cid"}]


async def test_merge_stores_what_it_refers_to(session: AsyncSession, raw: Database[Document]) -> None:
    session.merge(Book(id=ObjectId(), title="b", publisher=Publisher(name="North")))
    await session.commit()
    assert (raw["book"].count_documents({}), raw["publisher"].count_documents({})) == (1, 1)


async def test_what_cannot_be_merged(session: AsyncSession, ann: User, session_maker: SessionMaker) -> None:
    with pytest.raises(UnmappedInstanceError):
        session.merge("user")  # type: ignore[type-var]  # that is the point
    async with session_maker() as other:
        with pytest.raises(InvalidRequestError, match="another session"):
            other.merge(ann)
    session.delete(ann)
    with pytest.raises(InvalidRequestError, match="marked for deletion"):
        session.merge(ann)
