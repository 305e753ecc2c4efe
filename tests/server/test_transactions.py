"""Transactions: what others see of them, what a rollback gives back, and how they end."""

# ruff: noqa: PT012  # what raises is the end of the block

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from odmantic import EmbeddedModel, Field, Model, Reference
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    InvalidRequestError,
    PendingRollbackError,
    StaleDataError,
    delete,
    insert,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Address(EmbeddedModel):
    city: str


class User(Model):
    number: int = Field(primary_field=True)
    name: str
    tags: list[str] = []
    address: Address = Address(city="Oslo")


class Team(Model):
    number: int = Field(primary_field=True)
    name: str = ""


class Player(Model):
    number: int = Field(primary_field=True)
    team: Team = Reference()


@pytest.fixture
def stored(raw: Database[Document]) -> None:
    address = {"city": "Oslo"}
    raw["user"].insert_many([{"_id": n, "name": f"u{n}", "tags": [], "address": address} for n in range(3)])


def names(raw: Database[Document]) -> dict[int, str]:
    return {document["_id"]: document["name"] for document in raw["user"].find()}


async def get(session: AsyncSession, number: int) -> User:
    found = await session.get(User, number)
    assert found is not None
    return found


# -- blocks -------------------------------------------------------------------------------------------------------


async def test_a_block_commits_at_its_end_and_nobody_sees_it_before(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    async with session.begin():
        session.add(User(number=1, name="Ann"))
        await session.flush()
        assert names(raw) == {}
        assert await session.scalars(select(User.name)).all() == ["Ann"]
        session.add(Team(number=1))
    assert names(raw) == {1: "Ann"}
    assert raw["team"].count_documents({}) == 1
    assert commands.names()[-1] == "commitTransaction 1"
    assert session.new == []
    assert not session.in_transaction()


async def test_many_new_documents_are_one_insert_and_one_commit(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    async with session.begin():
        session.add_all([User(number=number, name=f"u{number}") for number in range(100)])
    assert commands.names() == ["insert user", "commitTransaction 1"]
    assert [len(command["documents"]) for command in commands.sent[:1]] == [100]
    assert names(raw) == {number: f"u{number}" for number in range(100)}


@pytest.mark.usefixtures("stored")
async def test_an_exception_rolls_database_and_objects_back(session: AsyncSession, raw: Database[Document]) -> None:
    held = [await get(session, number) for number in range(3)]
    new = User(number=9, name="new")
    with pytest.raises(ZeroDivisionError):
        async with session.begin():
            held[0].name = "changed"
            held[1].tags.append("x")
            held[1].address.city = "Rome"
            session.delete(held[2])
            session.add(new)
            await session.flush()
            held[0].name = "changed again"
            raise ZeroDivisionError
    assert names(raw) == {0: "u0", 1: "u1", 2: "u2"}
    assert [user.name for user in held] == ["u0", "u1", "u2"]
    assert (held[1].tags, held[1].address.city) == ([], "Oslo")
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    assert new not in session
    assert new.name == "new"
    assert all(user in session for user in held)

    # And everything can be done again.
    held[0].name = "second try"
    session.add(new)
    session.delete(held[2])
    await session.commit()
    assert names(raw) == {0: "second try", 1: "u1", 9: "new"}


@pytest.mark.usefixtures("stored")
async def test_changes_of_before_the_transaction_stay_pending(session: AsyncSession, raw: Database[Document]) -> None:
    changed, marked = await get(session, 0), await get(session, 1)
    added = User(number=7, name="added before")
    changed.name = "before"
    session.add(added)
    session.delete(marked)
    transaction = session.begin()
    changed.name = "inside"
    await session.flush()
    await transaction.rollback()
    assert changed.name == "before"
    assert (session.new, session.dirty, session.deleted) == ([added], [changed], [marked])
    await session.commit()
    assert names(raw) == {0: "before", 2: "u2", 7: "added before"}


async def test_begin_called_alone_is_ended_by_the_session(session: AsyncSession, raw: Database[Document]) -> None:
    session.begin()
    session.add(User(number=1, name="Ann"))
    await session.commit()
    assert names(raw) == {1: "Ann"}
    session.begin()
    session.add(User(number=2, name="Bob"))
    await session.flush()
    await session.rollback()
    assert names(raw) == {1: "Ann"}


async def test_a_maker_begins_session_and_transaction(backend: Backend, raw: Database[Document]) -> None:
    maker = cast("Any", backend.real_maker())
    user = User(number=1, name="Ann")
    if backend.name == "sync":
        with maker.begin() as session:
            session.add(user)
        with pytest.raises(ZeroDivisionError), maker.begin() as session:
            session.add(User(number=2, name="Bob"))
            session.flush()
            raise ZeroDivisionError
    else:
        async with maker.begin() as session:
            session.add(user)
        with pytest.raises(ZeroDivisionError):
            async with maker.begin() as session:
                session.add(User(number=2, name="Bob"))
                await session.flush()
                raise ZeroDivisionError
    assert names(raw) == {1: "Ann"}


async def test_autobegin_puts_everything_in_transactions(backend: Backend, raw: Database[Document]) -> None:
    async with backend.maker(autobegin=True)() as session:
        assert session.in_transaction()
        session.add(User(number=1, name="Ann"))
        await session.flush()
        assert names(raw) == {}
        await session.commit()
        assert names(raw) == {1: "Ann"}
        assert session.in_transaction()
        held = await get(session, 1)
        held.name = "changed"
        await session.execute(insert(User).values(number=2, name="Bob"))
        await session.rollback()
        assert held.name == "Ann"
        session.add(User(number=3, name="Eve"))
        await session.flush()
    assert names(raw) == {1: "Ann"}


# -- the rules of blocks ------------------------------------------------------------------------------------------


async def test_a_transaction_cannot_be_begun_twice(session: AsyncSession) -> None:
    async with session.begin():
        with pytest.raises(InvalidRequestError, match="under way"):
            session.begin()


async def test_nothing_can_be_done_in_a_block_whose_transaction_has_ended(session: AsyncSession) -> None:
    async with session.begin():
        session.add(User(number=1, name="Ann"))
        await session.commit()
        with pytest.raises(InvalidRequestError, match="leave the block"):
            session.add(User(number=2, name="Bob"))
        with pytest.raises(InvalidRequestError, match="leave the block"):
            await session.scalars(select(User)).all()
    session.add(User(number=2, name="Bob"))
    await session.commit()


async def test_savepoints_are_refused_with_what_to_do(session: AsyncSession) -> None:
    with pytest.raises(NotImplementedError, match="no savepoints"):
        session.begin_nested()


async def test_a_failed_transaction_waits_for_a_rollback(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_one({"_id": 1, "name": "theirs"})
    mine, other = User(number=1, name="mine"), Team(number=1)
    session.begin()
    session.add_all([other, mine])
    with pytest.raises(IntegrityError):
        await session.flush()
    assert (session.new, mine in session) == ([], False)
    for call in (lambda: session.add(mine), lambda: session.scalars(select(User))):
        with pytest.raises(PendingRollbackError, match="rollback"):
            call()
    with pytest.raises(PendingRollbackError):
        await session.commit()
    await session.rollback()
    assert raw["team"].count_documents({}) == 0
    session.add(other)
    await session.commit()
    assert raw["team"].count_documents({}) == 1


@pytest.mark.usefixtures("stored")
async def test_a_stale_update_undoes_the_whole_transaction(session: AsyncSession, raw: Database[Document]) -> None:
    held = await get(session, 0)
    raw["user"].delete_one({"_id": 0})
    with pytest.raises(StaleDataError):
        async with session.begin():
            session.add(Team(number=1))
            held.name = "changed"
    assert raw["team"].count_documents({}) == 0


async def test_queries_are_preceded_by_a_flush_inside_and_not_outside(session: AsyncSession) -> None:
    session.add(User(number=1, name="Ann"))
    assert await session.scalars(select(User)).count() == 0
    async with session.begin():
        assert await session.scalars(select(User)).count() == 1
        session.add(User(number=2, name="Bob"))
        assert [user.number async for user in session.scalars(select(User).order_by(User.number))] == [1, 2]


@pytest.mark.parametrize("autoflush", [True, False])
async def test_autoflush_is_a_choice(backend: Backend, *, autoflush: bool) -> None:
    async with backend.maker(autoflush=autoflush)() as session:
        session.add(User(number=1, name="Ann"))
        assert await session.scalars(select(User)).count() == int(autoflush)


@pytest.mark.usefixtures("stored")
async def test_closing_a_session_rolls_its_transaction_back(
    session_maker: SessionMaker, raw: Database[Document]
) -> None:
    async with session_maker() as session:
        session.begin()
        held = await get(session, 0)
        held.name = "changed"
        await session.flush()
    assert names(raw)[0] == "u0"
    assert held.name == "u0"
    async with session_maker() as session:
        held.name = "changed"
        session.add(held)
        await session.commit()
    assert names(raw)[0] == "changed"


@pytest.mark.usefixtures("stored")
async def test_statements_are_part_of_the_transaction(session: AsyncSession, raw: Database[Document]) -> None:
    held = await get(session, 0)
    async with session.begin() as transaction:
        await session.execute(update(User).where(User.number == 0).values(name="changed"))
        await session.execute(delete(User).where(User.number == 1))
        assert (await session.get_one(User, 0)).name == "changed"
        assert names(raw) == {0: "u0", 1: "u1", 2: "u2"}
        await transaction.rollback()
    assert names(raw) == {0: "u0", 1: "u1", 2: "u2"}
    assert held.name == "u0"
    assert (await get(session, 0)).name == "u0"


# -- atomic commits -----------------------------------------------------------------------------------------------


async def test_a_commit_of_several_commands_takes_effect_as_a_whole(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["user"].insert_one({"_id": 1, "name": "theirs", "tags": [], "address": {"city": "Oslo"}})
    team, user = Team(number=1), User(number=1, name="mine")
    session.add_all([team, user])
    with pytest.raises(IntegrityError) as caught:
        await session.commit()
    assert (caught.value.written, caught.value.pending) == ([], [team, user])
    assert raw["team"].count_documents({}) == 0
    assert session.new == [team, user]
    assert commands.names()[-1] == "abortTransaction 1"
    session.expunge(user)
    await session.commit()
    assert raw["team"].count_documents({}) == 1
    assert not session.in_transaction()


async def test_a_commit_of_one_command_needs_no_transaction(session: AsyncSession, commands: CommandLog) -> None:
    session.add_all([Team(number=1), Team(number=2)])
    await session.commit()
    assert commands.names() == ["insert team"]


async def test_atomic_can_be_switched_off(backend: Backend, raw: Database[Document], commands: CommandLog) -> None:
    raw["user"].insert_one({"_id": 1, "name": "theirs"})
    async with backend.maker(atomic=False)() as session:
        session.add_all([Team(number=1), User(number=1, name="mine")])
        with pytest.raises(IntegrityError):
            await session.commit()
    assert raw["team"].count_documents({}) == 1
    assert "abortTransaction 1" not in commands.names()


async def test_atomic_true_makes_one_of_several_documents(backend: Backend, raw: Database[Document]) -> None:
    raw["team"].insert_one({"_id": 2})
    async with backend.maker(atomic=True)() as session:
        session.add_all([Team(number=1), Team(number=2)])
        with pytest.raises(IntegrityError):
            await session.commit()
    assert raw["team"].count_documents({}) == 1


async def test_a_failed_atomic_commit_leaves_values_and_states_as_they_were(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["user"].insert_many([{"_id": n, "name": f"u{n}", "tags": [], "address": {"city": "Oslo"}} for n in range(4)])
    changed, stale, marked = [await get(session, number) for number in (0, 1, 2)]
    added = Team(number=1)
    session.add(added)
    changed.name = stale.name = "changed"
    session.delete(marked)
    raw["user"].delete_one({"_id": 1})
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert caught.value.instances == [stale]
    assert (session.new, session.dirty, session.deleted) == ([added], [changed, stale], [marked])
    assert names(raw) == {0: "u0", 2: "u2", 3: "u3"}
    session.expunge(stale)
    await session.commit()
    assert names(raw) == {0: "changed", 3: "u3"}
    assert raw["team"].count_documents({}) == 1


async def test_two_atomic_commits_to_one_document_both_take_effect(
    session_maker: SessionMaker, raw: Database[Document]
) -> None:
    raw["user"].insert_one({"_id": 0, "name": "u", "tags": [], "address": {"city": "Oslo"}})

    async def change(field: str, value: object, team: int) -> None:
        async with session_maker() as session:
            user = await get(session, 0)
            await asyncio.sleep(0)
            setattr(user, field, value)
            session.add(Team(number=team))
            await session.commit()

    await asyncio.gather(change("name", "n", 1), change("tags", ["t"], 2))
    document = raw["user"].find_one({"_id": 0})
    assert document is not None
    assert (document["name"], document["tags"]) == ("n", ["t"])
