"""`select()` and what a session gives for it."""

from __future__ import annotations

import pytest
from odmantic import Field, Model
from pymongo.database import Database

from mongotic import MultipleResultsFound, NotFound, and_, asc, desc, not_, or_, select
from mongotic.asyncio import AsyncSession
from mongotic.expressions import Criterion
from tests.conftest import CommandLog, Document, SessionMaker


class User(Model):
    name: str
    age: int = Field(default=0, key_name="years")
    email: str | None = None


@pytest.fixture(autouse=True)
def users(raw: Database[Document]) -> None:
    raw["user"].insert_many(
        [
            {"name": "Dan", "years": 25, "email": "dan@example.com"},
            {"name": "Bob", "years": 25},
            {"name": "Cid", "years": 41, "email": None},
            {"name": "Ann", "years": 30, "email": "ann@example.com"},
        ]
    )


async def names(session: AsyncSession, *criteria: Criterion) -> list[str]:
    return [user.name for user in await session.scalars(select(User).where(*criteria).order_by(User.name)).all()]


async def test_all_gives_every_document(session: AsyncSession) -> None:
    assert await names(session) == ["Ann", "Bob", "Cid", "Dan"]


async def test_conditions_use_the_key_a_field_is_stored_under(session: AsyncSession) -> None:
    assert await names(session, User.age > 26) == ["Ann", "Cid"]


async def test_repeated_conditions_all_hold(session: AsyncSession) -> None:
    statement = select(User).where(User.age > 24).where(User.age < 41).where(User.age != 30)
    assert {user.name for user in await session.scalars(statement).all()} == {"Bob", "Dan"}


async def test_two_conditions_on_one_field_do_not_hide_each_other(session: AsyncSession) -> None:
    assert await names(session, User.age >= 25, User.age <= 30) == ["Ann", "Bob", "Dan"]


async def test_conditions_combine(session: AsyncSession) -> None:
    assert await names(session, or_(User.name == "Ann", and_(User.age == 25, User.email == None))) == ["Ann", "Bob"]
    assert await names(session, not_(User.age == 25)) == ["Ann", "Cid"]


async def test_a_filter_dict_reaches_what_fields_cannot(session: AsyncSession) -> None:
    statement = select(User).where({"email": {"$exists": False}})
    assert [user.name for user in await session.scalars(statement).all()] == ["Bob"]


async def test_filter_by_takes_a_dict_as_data(session: AsyncSession) -> None:
    assert await session.scalars(select(User).filter_by(name="Ann")).count() == 1
    assert await session.scalars(select(User).filter_by(email={"$gt": ""})).count() == 0


async def test_order_limit_and_offset(session: AsyncSession) -> None:
    statement = select(User).order_by(desc(User.age), User.name)
    assert [user.name for user in await session.scalars(statement).all()] == ["Cid", "Ann", "Bob", "Dan"]
    assert [user.name for user in await session.scalars(statement.offset(1).limit(2)).all()] == ["Ann", "Bob"]
    assert [user.name for user in await session.scalars(statement.order_by(None).order_by(asc(User.name))).all()] == [
        "Ann",
        "Bob",
        "Cid",
        "Dan",
    ]


async def test_limit_zero_asks_nobody(session: AsyncSession, commands: CommandLog) -> None:
    nobody = select(User).limit(0)
    assert await session.scalars(nobody).all() == []
    assert await session.scalars(nobody).first() is None
    assert await session.scalars(nobody).one_or_none() is None
    assert await session.scalars(nobody).count() == 0
    assert await session.scalars(nobody).exists() is False
    assert [user async for user in session.scalars(nobody)] == []
    assert commands.sent == []


async def test_first_asks_for_one_document(session: AsyncSession, commands: CommandLog) -> None:
    user = await session.scalars(select(User).order_by(User.name)).first()
    assert user is not None
    assert user.name == "Ann"
    assert [command["limit"] for command in commands.sent] == [1]


async def test_first_of_nothing_is_none(session: AsyncSession) -> None:
    assert await session.scalars(select(User).where(User.name == "Zoe")).first() is None


async def test_one_asks_for_two_documents(session: AsyncSession, commands: CommandLog) -> None:
    assert (await session.scalars(select(User).where(User.name == "Ann")).one()).age == 30
    assert [command["limit"] for command in commands.sent] == [2]


async def test_one_of_none_and_of_many(session: AsyncSession) -> None:
    with pytest.raises(NotFound, match="no User fits"):
        await session.scalars(select(User).where(User.name == "Zoe")).one()
    with pytest.raises(MultipleResultsFound, match="more than one User fits"):
        await session.scalars(select(User).where(User.age == 25)).one()


async def test_one_or_none(session: AsyncSession) -> None:
    assert await session.scalars(select(User).where(User.name == "Zoe")).one_or_none() is None
    found = await session.scalars(select(User).where(User.name == "Bob")).one_or_none()
    assert found is not None
    assert found.age == 25
    with pytest.raises(MultipleResultsFound):
        await session.scalars(select(User)).one_or_none()


async def test_one_never_attaches_what_it_refuses(session: AsyncSession) -> None:
    with pytest.raises(MultipleResultsFound):
        await session.scalars(select(User)).one()
    assert list(session) == []


async def test_count_respects_limit_and_offset(session: AsyncSession) -> None:
    assert await session.scalars(select(User)).count() == 4
    assert await session.scalars(select(User).offset(3)).count() == 1
    assert await session.scalars(select(User).limit(2)).count() == 2


async def test_exists_fetches_no_more_than_a_key(session: AsyncSession, commands: CommandLog) -> None:
    assert await session.scalars(select(User).where(User.age == 25)).exists() is True
    assert await session.scalars(select(User).where(User.age == 26)).exists() is False
    assert [(command["limit"], command["projection"]) for command in commands.sent] == [(1, {"_id": 1})] * 2


async def test_scalar_is_the_first(session: AsyncSession) -> None:
    user = await session.scalar(select(User).order_by(desc(User.age)))
    assert user is not None
    assert user.name == "Cid"
    assert await session.scalar(select(User).where(User.name == "Zoe")) is None


async def test_iteration_gives_every_instance(session: AsyncSession) -> None:
    assert [user.name async for user in session.scalars(select(User).order_by(User.name))] == [
        "Ann",
        "Bob",
        "Cid",
        "Dan",
    ]


async def test_iteration_keeps_what_was_changed_and_lets_go_of_the_rest(
    session: AsyncSession, raw: Database[Document]
) -> None:
    async def change_bob() -> None:
        async for user in session.scalars(select(User)):
            if user.name == "Bob":
                user.age = 26

    await change_bob()
    # Ann came last: the loop's variable held her until its end.
    assert [held.name for held in session if isinstance(held, User)] == ["Bob", "Ann"]
    await session.commit()
    assert raw["user"].find_one({"name": "Bob"}, {"_id": 0, "years": 1}) == {"years": 26}


async def test_iteration_sees_a_change_made_later_to_an_instance_the_caller_keeps(
    session: AsyncSession, raw: Database[Document]
) -> None:
    kept = [user async for user in session.scalars(select(User)) if user.name == "Ann"]
    kept[0].age = 31
    await session.commit()
    assert raw["user"].find_one({"name": "Ann"}, {"_id": 0, "years": 1}) == {"years": 31}


async def test_iteration_into_a_list_loses_no_change(session: AsyncSession, raw: Database[Document]) -> None:
    async def grow_older() -> None:
        users = [user async for user in session.scalars(select(User))]
        for user in users:
            user.age = 99

    await grow_older()
    await session.commit()
    assert raw["user"].count_documents({"years": 99}) == 4


async def test_iteration_with_a_look_behind_loses_no_change(session: AsyncSession, raw: Database[Document]) -> None:
    previous = user = None
    async for user in session.scalars(select(User)):
        if previous is not None:
            previous.age = 98
        previous = user
    del previous, user
    await session.commit()
    assert raw["user"].count_documents({"years": 98}) == 3


async def test_iteration_keeps_what_was_there_before(session: AsyncSession, raw: Database[Document]) -> None:
    await session.scalars(select(User).where(User.name == "Ann")).one()
    async for _ in session.scalars(select(User)):
        pass
    held = [user for user in session if isinstance(user, User) and user.name == "Ann"]
    held[0].age = 97
    del held
    await session.commit()
    assert raw["user"].count_documents({"years": 97}) == 1


async def test_two_large_documents_are_two(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": "x" * 9_000_000, "years": 1} for _ in range(2)])
    large = select(User).where(User.age == 1)
    assert len(await session.scalars(large.limit(2)).all()) == 2
    with pytest.raises(MultipleResultsFound):
        await session.scalars(large).one()


async def test_iteration_can_be_left_early_and_the_session_goes_on(session: AsyncSession) -> None:
    async for user in session.scalars(select(User).order_by(User.name)):
        assert user.name == "Ann"
        break
    assert await session.scalars(select(User)).count() == 4


async def test_queries_within_an_iteration(session: AsyncSession) -> None:
    async for user in session.scalars(select(User)):
        assert await session.get(User, user.id) is user


async def test_a_result_can_be_asked_again(session: AsyncSession, raw: Database[Document]) -> None:
    result = session.scalars(select(User))
    assert len(await result.all()) == 4
    raw["user"].delete_one({"name": "Ann"})
    assert len(await result.all()) == 3


async def test_a_statement_serves_many_sessions(session_maker: SessionMaker) -> None:
    statement = select(User).where(User.age == 25)
    for _ in range(2):
        async with session_maker() as opened:
            assert await opened.scalars(statement).count() == 2
    assert repr(statement) == "select(User).where({'years': {'$eq': 25}})"


async def test_one_document_is_one_object(session: AsyncSession) -> None:
    first = await session.scalars(select(User).where(User.name == "Ann")).one()
    again = await session.scalars(select(User).where(User.age == 30)).one()
    assert again is first
    assert await session.get(User, first.id) is first


async def test_get_answers_from_the_session_without_asking(session: AsyncSession, commands: CommandLog) -> None:
    user = await session.scalars(select(User).where(User.name == "Ann")).one()
    commands.sent.clear()
    assert await session.get(User, str(user.id)) is user
    assert commands.sent == []


async def test_get_of_nothing_is_none(session: AsyncSession) -> None:
    assert await session.get(User, "0" * 24) is None


async def test_a_query_refreshes_what_the_session_holds(session: AsyncSession, raw: Database[Document]) -> None:
    user = await session.scalars(select(User).where(User.name == "Ann")).one()
    raw["user"].update_one({"name": "Ann"}, {"$set": {"years": 77}})
    await session.scalars(select(User)).all()
    assert user.age == 77
    assert session.dirty == []


async def test_a_query_keeps_an_unwritten_change(session: AsyncSession, raw: Database[Document]) -> None:
    user = await session.scalars(select(User).where(User.name == "Ann")).one()
    user.age = 31
    raw["user"].update_one({"name": "Ann"}, {"$set": {"years": 77, "email": "new@example.com"}})
    await session.scalars(select(User)).all()
    assert (user.age, user.email) == (31, "new@example.com")
    await session.commit()
    assert raw["user"].find_one({"name": "Ann"}, {"_id": 0}) == {
        "name": "Ann",
        "years": 31,
        "email": "new@example.com",
    }
