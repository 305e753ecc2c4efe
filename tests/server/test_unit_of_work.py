"""What `add`, changes, `delete`, `flush`, `commit` and `rollback` do to objects and documents."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import gc
from datetime import datetime, timedelta, timezone

import pytest
from odmantic import EmbeddedModel, Field, Model, ObjectId
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    InvalidRequestError,
    ResourceClosedError,
    StaleDataError,
    UnmappedInstanceError,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import StaleDeleteWarning
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Address(EmbeddedModel):
    city: str = Field(key_name="town")
    street: str = ""


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []
    address: Address = Address(city="Rome")
    seen: datetime | None = None
    notes: dict[str, int] = {}


class Badge(Model):
    code: str = Field(primary_field=True)
    owner: str


@pytest.fixture
async def ann(session: AsyncSession, raw: Database[Document], commands: CommandLog) -> User:
    raw["user"].insert_one(
        {"name": "Ann", "age": 30, "tags": ["a"], "address": {"town": "Rome", "street": "1"}, "unknown": "kept"}
    )
    user = await session.scalars(select(User)).one()
    commands.sent.clear()
    return user


def stored(raw: Database[Document], user: User) -> Document:
    found = raw["user"].find_one({"_id": user.id}, {"_id": 0})
    assert found is not None
    return found


# -- new ----------------------------------------------------------------------------------------------------------


async def test_a_new_instance_is_stored_as_odmantic_would_store_it(
    session: AsyncSession, raw: Database[Document]
) -> None:
    user = User(name="Ann", tags=["x"], notes={"k": 1})
    session.add(user)
    assert session.new == [user]
    await session.commit()
    assert session.new == []
    assert raw["user"].find_one() == user.model_dump_doc()


async def test_many_instances_are_one_command_per_collection(session: AsyncSession, commands: CommandLog) -> None:
    session.add_all([User(name=f"user {number}") for number in range(50)])
    session.add_all([Badge(code=f"{number}", owner="Ann") for number in range(50)])
    await session.commit()
    assert commands.names() == ["insert user", "insert badge", "commitTransaction 1"]


async def test_adding_twice_stores_once(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Ann")
    session.add(user)
    session.add(user)
    await session.commit()
    session.add(user)
    await session.commit()
    assert raw["user"].count_documents({}) == 1


async def test_equal_instances_are_told_apart(session: AsyncSession, raw: Database[Document]) -> None:
    one, other = Badge(code="1", owner="Ann"), Badge(code="2", owner="Ann")
    session.add_all([one, other])
    assert [instance is expected for instance, expected in zip(session.new, (one, other), strict=True)] == [True, True]
    await session.commit()
    assert raw["badge"].count_documents({}) == 2


async def test_an_existing_key_is_never_overwritten(session: AsyncSession, raw: Database[Document]) -> None:
    raw["badge"].insert_one({"_id": "1", "owner": "Ann"})
    thief = Badge(code="1", owner="Bob")
    session.add(thief)
    with pytest.raises(IntegrityError, match="Badge '1' was not written") as caught:
        await session.commit()
    assert caught.value.instance is thief
    assert (caught.value.written, caught.value.pending) == ([], [thief])
    assert raw["badge"].find_one() == {"_id": "1", "owner": "Ann"}
    assert session.new == [thief]


async def test_what_was_written_before_a_failure_is_not_written_again(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["badge"].insert_one({"_id": "2", "owner": "Ann"})
    badges = [Badge(code=f"{number}", owner="Bob") for number in range(5)]
    session.add_all(badges)
    with pytest.raises(IntegrityError) as caught:
        await session.flush()
    assert caught.value.written == badges[:2]
    assert caught.value.pending == badges[2:]
    assert session.new == badges[2:]
    session.expunge(badges[2])
    commands.sent.clear()
    await session.flush()
    assert [len(command["documents"]) for command in commands.sent] == [2]
    assert sorted(document["_id"] for document in raw["badge"].find({"owner": "Bob"})) == ["0", "1", "3", "4"]


async def test_two_new_instances_with_one_key_are_refused(session: AsyncSession) -> None:
    session.add(Badge(code="1", owner="Ann"))
    with pytest.raises(InvalidRequestError, match="another new instance with the same key"):
        session.add(Badge(code="1", owner="Bob"))


async def test_a_second_instance_of_a_held_document_is_refused(session: AsyncSession, ann: User) -> None:
    with pytest.raises(InvalidRequestError, match="another instance of the same document"):
        session.add(User(id=ann.id, name="Ann too"))


async def test_an_instance_of_another_session_is_refused(
    session: AsyncSession, ann: User, session_maker: SessionMaker
) -> None:
    async with session_maker() as other:
        with pytest.raises(InvalidRequestError, match="held by another session"):
            other.add(ann)
        with pytest.raises(InvalidRequestError, match="held by another session"):
            await other.delete(ann)


async def test_something_that_is_no_model_is_refused(session: AsyncSession) -> None:
    for stranger in (None, "user", {"name": "Ann"}, User, Address(city="Rome")):
        with pytest.raises(UnmappedInstanceError, match="takes an instance"):
            session.add(stranger)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(TypeError):
            session.delete(stranger)  # type: ignore[arg-type]  # that is the point
    assert session.new == []


# -- changed ------------------------------------------------------------------------------------------------------


async def test_an_assigned_field_is_the_only_thing_written(
    session: AsyncSession, ann: User, raw: Database[Document], commands: CommandLog
) -> None:
    ann.age = 31
    assert session.dirty == [ann]
    await session.commit()
    assert [command["updates"] for command in commands.sent] == [
        [{"q": {"_id": ann.id}, "u": {"$set": {"age": 31}}, "multi": False, "upsert": False}]
    ]
    assert stored(raw, ann)["unknown"] == "kept"
    assert session.dirty == []


async def test_changes_in_place_are_noticed(
    session: AsyncSession, ann: User, raw: Database[Document], commands: CommandLog
) -> None:
    ann.tags.append("b")
    ann.address.city = "Oslo"
    ann.notes["k"] = 1
    assert session.dirty == [ann]
    await session.commit()
    assert commands.sent[0]["updates"][0]["u"] == {
        "$set": {"tags": ["a", "b"], "address.town": "Oslo", "notes": {"k": 1}}
    }
    assert stored(raw, ann) == {
        "name": "Ann",
        "age": 30,
        "tags": ["a", "b"],
        "address": {"town": "Oslo", "street": "1"},
        "notes": {"k": 1},
        "unknown": "kept",
    }


async def test_a_removed_key_is_unset(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Ann", notes={"a": 1, "b": 2})
    session.add(user)
    await session.commit()
    del user.notes["a"]
    await session.commit()
    assert stored(raw, user)["notes"] == {"b": 2}


async def test_the_same_value_is_no_change(session: AsyncSession, ann: User, commands: CommandLog) -> None:
    ann.age = 30
    ann.tags = ["a"]
    ann.address = Address(city="Rome", street="1")
    assert session.dirty == []
    await session.commit()
    assert commands.sent == []


async def test_a_change_taken_back_is_no_change(session: AsyncSession, ann: User, commands: CommandLog) -> None:
    ann.tags.append("b")
    ann.tags.pop()
    await session.commit()
    assert commands.sent == []


async def test_a_default_for_a_missing_key_is_not_invented_in_the_database(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    assert ann.notes == {}
    ann.age = 31
    await session.commit()
    assert "notes" not in stored(raw, ann)
    assert "seen" not in stored(raw, ann)


async def test_datetimes_are_compared_as_milliseconds_and_instants(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000)
    user = User(name="Ann", seen=moment)
    session.add(user)
    await session.commit()
    commands.sent.clear()
    user.seen = moment + timedelta(microseconds=999)
    user.seen = moment.replace(tzinfo=timezone.utc)
    assert session.dirty == []
    user.seen = moment + timedelta(milliseconds=1)
    await session.commit()
    assert stored(raw, user)["seen"] == moment + timedelta(milliseconds=1)


async def test_many_changes_are_one_bulk_write(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["user"].insert_many([{"name": f"user {number}"} for number in range(30)])
    for user in await session.scalars(select(User)).all():
        user.age = 7
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update user"]
    assert raw["user"].count_documents({"age": 7}) == 30


async def test_a_deleted_document_does_not_come_back(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    raw["user"].delete_one({"_id": ann.id})
    ann.age = 31
    with pytest.raises(StaleDataError, match="no longer there as it was read: User") as caught:
        await session.commit()
    assert caught.value.instances == [ann]
    assert raw["user"].count_documents({}) == 0


async def test_one_stale_instance_among_many_is_named(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": f"user {number}"} for number in range(4)])
    users = await session.scalars(select(User).order_by(User.name)).all()
    raw["user"].delete_one({"_id": users[2].id})
    for user in users:
        user.age = 1
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert caught.value.instances == [users[2]]
    assert caught.value.written == [users[0], users[1], users[3]]
    assert caught.value.pending == [users[2]]
    assert session.dirty == [users[2]]
    assert raw["user"].count_documents({"age": 1}) == 3


async def test_another_clients_change_of_another_field_survives(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    raw["user"].update_one({"_id": ann.id}, {"$push": {"tags": "theirs"}, "$set": {"address.street": "2"}})
    ann.age = 31
    ann.address.city = "Oslo"
    await session.commit()
    assert stored(raw, ann)["tags"] == ["a", "theirs"]
    assert stored(raw, ann)["address"] == {"town": "Oslo", "street": "2"}


async def test_a_refreshed_embedded_document_with_an_unwritten_change_loses_nobodys(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    ann.address.city = "Oslo"
    raw["user"].update_one({"_id": ann.id}, {"$set": {"address.street": "2"}})
    await session.scalars(select(User)).all()
    await session.commit()
    assert stored(raw, ann)["address"] == {"town": "Oslo", "street": "2"}


# -- deleted ------------------------------------------------------------------------------------------------------


async def test_delete_removes_the_document_at_flush(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    session.delete(ann)
    assert session.deleted == [ann]
    assert raw["user"].count_documents({}) == 1
    await session.commit()
    assert session.deleted == []
    assert raw["user"].count_documents({}) == 0
    assert ann not in session


async def test_delete_may_be_awaited(session: AsyncSession, ann: User) -> None:
    await session.delete(ann)
    assert session.deleted == [ann]


async def test_many_deletions_are_one_bulk_write(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["user"].insert_many([{"name": f"user {number}"} for number in range(30)])
    for user in await session.scalars(select(User)).all():
        session.delete(user)
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["delete user"]
    assert raw["user"].count_documents({}) == 0


async def test_a_document_already_gone_is_a_warning(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    raw["user"].delete_one({"_id": ann.id})
    session.delete(ann)
    with pytest.warns(StaleDeleteWarning, match="1 of 1 User documents"):
        await session.commit()


async def test_what_was_never_stored_cannot_be_deleted(session: AsyncSession) -> None:
    user = User(name="Ann")
    with pytest.raises(InvalidRequestError, match="never stored"):
        session.delete(user)
    session.add(user)
    with pytest.raises(InvalidRequestError, match="not stored yet"):
        session.delete(user)


async def test_add_takes_a_deletion_back(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    session.delete(ann)
    session.add(ann)
    assert session.deleted == []
    await session.commit()
    assert raw["user"].count_documents({}) == 1


async def test_delete_and_add_of_one_key_is_one_replacement(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["badge"].insert_one({"_id": "1", "owner": "Ann", "unknown": 1})
    old = await session.get(Badge, "1")
    assert old is not None
    session.delete(old)
    new = Badge(code="1", owner="Bob")
    session.add(new)
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update badge"]
    assert raw["badge"].find_one() == {"_id": "1", "owner": "Bob"}
    assert await session.get(Badge, "1") is new
    assert old not in session


async def test_a_deleted_instance_added_again_is_stored_anew(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    session.delete(ann)
    await session.commit()
    session.add(ann)
    await session.commit()
    assert raw["user"].find_one() == ann.model_dump_doc()


# -- rollback -----------------------------------------------------------------------------------------------------


async def test_rollback_undoes_what_was_not_flushed(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    new = User(name="Bob")
    session.add(new)
    ann.age = 99
    ann.tags.append("x")
    ann.address.city = "Oslo"
    gone = Badge(code="1", owner="Ann")
    session.add(gone)
    session.rollback()
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    assert (ann.age, ann.tags, ann.address.city) == (30, ["a"], "Rome")
    assert new.name == "Bob"
    await session.commit()
    assert raw["user"].count_documents({}) == 1


async def test_rollback_unmarks_and_may_be_awaited(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    session.delete(ann)
    await session.rollback()
    await session.commit()
    assert raw["user"].count_documents({}) == 1
    assert ann in session


async def test_a_rolled_back_instance_can_be_added_again(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Bob")
    session.add(user)
    session.rollback()
    session.add(user)
    await session.commit()
    assert raw["user"].count_documents({}) == 1


async def test_what_was_flushed_stays_after_rollback(session: AsyncSession, raw: Database[Document]) -> None:
    session.add(User(name="Bob"))
    await session.flush()
    session.rollback()
    assert raw["user"].count_documents({}) == 1


# -- expunge and close --------------------------------------------------------------------------------------------


async def test_an_expunged_instance_is_not_written(session: AsyncSession, ann: User, raw: Database[Document]) -> None:
    ann.age = 99
    session.expunge(ann)
    assert session.dirty == []
    await session.commit()
    assert stored(raw, ann)["age"] == 30
    assert ann.age == 99


async def test_an_expunged_instance_added_again_is_an_update(
    session: AsyncSession, ann: User, raw: Database[Document], session_maker: SessionMaker
) -> None:
    ann.age = 99
    session.expunge(ann)
    ann.tags.append("b")
    async with session_maker() as other:
        other.add(ann)
        assert other.new == [ann]
        assert other.dirty == []
        await other.commit()
        assert other.new == []
    assert stored(raw, ann) == {
        "name": "Ann",
        "age": 99,
        "tags": ["a", "b"],
        "address": {"town": "Rome", "street": "1"},
        "unknown": "kept",
    }


async def test_an_expunged_instance_whose_document_is_gone_does_not_bring_it_back(
    session: AsyncSession, ann: User, raw: Database[Document]
) -> None:
    session.expunge(ann)
    raw["user"].delete_many({})
    ann.age = 1
    session.add(ann)
    with pytest.raises(StaleDataError):
        await session.commit()
    assert raw["user"].count_documents({}) == 0


async def test_an_unchanged_instance_added_again_needs_no_command(
    session: AsyncSession, ann: User, commands: CommandLog
) -> None:
    session.expunge(ann)
    session.add(ann)
    await session.commit()
    assert commands.sent == []
    assert session.new == []
    assert ann in session


async def test_expunging_a_stranger_does_nothing(session: AsyncSession) -> None:
    session.expunge(User(name="Ann"))
    session.expunge("a string")  # type: ignore[arg-type]  # mongotic 0.5 did not mind either


async def test_leaving_the_block_never_commits(session_maker: SessionMaker, raw: Database[Document]) -> None:
    async with session_maker() as opened:
        opened.add(User(name="Ann"))
    assert raw["user"].count_documents({}) == 0


async def test_a_closed_session_refuses_everything_before_anything_is_sent(
    session_maker: SessionMaker, commands: CommandLog
) -> None:
    opened = session_maker()
    await opened.close()
    await opened.close()
    with pytest.raises(ResourceClosedError, match="session is closed"):
        opened.add(User(name="Ann"))
    with pytest.raises(ResourceClosedError):
        await opened.get(User, ObjectId())
    with pytest.raises(ResourceClosedError):
        opened.scalars(select(User))
    with pytest.raises(ResourceClosedError):
        await opened.commit()
    with pytest.raises(ResourceClosedError):
        opened.rollback()
    assert commands.sent == []


async def test_a_closed_sessions_instances_can_be_used_elsewhere(
    session_maker: SessionMaker, raw: Database[Document]
) -> None:
    async with session_maker() as first:
        user = User(name="Ann")
        first.add(user)
        await first.commit()
    user.age = 31
    async with session_maker() as second:
        second.add(user)
        await second.commit()
    assert stored(raw, user)["age"] == 31


async def test_a_dropped_session_keeps_nothing_alive(session_maker: SessionMaker, raw: Database[Document]) -> None:
    raw["user"].insert_one({"name": "Ann"})
    opened = session_maker()
    user = await opened.scalars(select(User)).one()
    del opened
    gc.collect()
    async with session_maker() as other:
        user.age = 31
        other.add(user)
        await other.commit()
    assert stored(raw, user)["age"] == 31


# -- commit -------------------------------------------------------------------------------------------------------


async def test_an_empty_commit_sends_nothing(session: AsyncSession, commands: CommandLog) -> None:
    await session.commit()
    await session.flush()
    assert commands.sent == []


async def test_a_value_that_cannot_be_stored_is_refused_before_anything_is_sent(
    session: AsyncSession, commands: CommandLog, backend: Backend
) -> None:
    session.add(User(name="Ann"))
    session.add(User(name="Bob", age=2**70))
    with pytest.raises(ValueError, match=r"User ObjectId\('\w+'\) cannot be stored.*Nothing was sent"):
        await session.commit()
    assert commands.sent == []
    assert len(session.new) == 2


async def test_a_statement_does_not_drop_a_staged_merge(session: AsyncSession, raw: Database[Document]) -> None:
    badge = session.merge(Badge(code="a", owner="Ann"))
    await session.execute(update(Badge).values(owner="Bob"))
    assert await session.get(Badge, "a") is badge
    await session.commit()
    assert raw["badge"].find_one() == {"_id": "a", "owner": "Ann"}
