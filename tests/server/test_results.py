"""Results of queries: rows of `execute`, and the two habits an awaiting session serves."""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from bson import ObjectId
from odmantic import AIOEngine, Field, Model, SyncEngine
from pymongo.database import Database
from typing_extensions import assert_type

from mongotic import MultipleResultsFound, NotFound, Result, Row, Session, insert, select
from mongotic.asyncio import AsyncScalarResult, AsyncSelectResult, AsyncSession, AwaitedScalarResult, async_sessionmaker
from mongotic.result import ScalarResult, SelectResult
from tests.conftest import CommandLog, Document


class User(Model):
    name: str
    age: int = Field(default=0, key_name="years")


@pytest.fixture(autouse=True)
def users(raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": "Ann", "years": 30}, {"name": "Bob", "years": 25}])


@pytest.fixture(autouse=True)
def nothing_is_left_over() -> Iterator[None]:
    """Coroutines that were never awaited warn when collected, and warnings are errors in this project."""
    yield
    gc.collect()


@pytest.fixture
def opened(motor_engine: AIOEngine) -> AsyncSession:
    return AsyncSession(motor_engine)


NAMES = select(User.name, User.age).order_by(User.name)
EVERYBODY = select(User).order_by(User.name)
NOBODY = select(User.name, User.age).where(User.name == "Zoe")


# -- execute ------------------------------------------------------------------------------------------------------


async def test_rows_of_columns(session: AsyncSession) -> None:
    result = await session.execute(NAMES)
    assert await result.all() == [("Ann", 30), ("Bob", 25)]
    assert await result.first() == ("Ann", 30)
    assert await result.count() == 2
    assert await result.exists() is True
    assert [row.name async for row in result] == ["Ann", "Bob"]
    with pytest.raises(MultipleResultsFound):
        await result.one()
    with pytest.raises(MultipleResultsFound):
        await result.one_or_none()
    assert await result.scalars().all() == ["Ann", "Bob"]
    assert await result.scalars().first() == "Ann"


async def test_rows_of_nothing(session: AsyncSession) -> None:
    result = await session.execute(NOBODY)
    assert await result.all() == []
    assert await result.first() is None
    assert await result.one_or_none() is None
    assert await result.count() == 0
    assert await result.exists() is False
    assert await result.scalars().all() == []
    with pytest.raises(NotFound, match="no User fits"):
        await result.one()


async def test_rows_of_one_entity(session: AsyncSession) -> None:
    result = await session.execute(EVERYBODY)
    row = await result.first()
    assert row is not None
    ann = await session.get(User, row[0].id)
    assert (row.User, row[0], row["User"]) == (ann, ann, ann)
    assert row.User is ann
    assert [user.name for user in await result.scalars().all()] == ["Ann", "Bob"]
    assert [row.User.name async for row in result] == ["Ann", "Bob"]
    assert ann is not None
    ann.age = 31
    await session.commit()
    assert await session.scalar(select(User.age).where(User.name == "Ann")) == 31


async def test_one_row(session: AsyncSession) -> None:
    result = await session.execute(NAMES.where(User.age == 30))
    assert await result.one() == ("Ann", 30)
    assert await result.one_or_none() == ("Ann", 30)


async def test_writes_give_what_they_did(session: AsyncSession) -> None:
    result = await session.execute(insert(User).values(name="Cid"))
    assert isinstance(result, Result)
    assert result.rowcount == 1


def test_a_blocking_session_gives_blocking_results(sync_engine: SyncEngine) -> None:
    with Session(sync_engine) as session:
        result = session.execute(NAMES)
        assert isinstance(result, SelectResult)
        assert_type(result.all(), list[Row[str, int]])
        for row in result:
            name, age = row
            assert_type(name, str)
            assert_type(age, int)
        assert [row.name for row in result] == ["Ann", "Bob"]
        assert_type(result.scalars(), ScalarResult[str])
        assert result.scalars().all() == ["Ann", "Bob"]
        assert list(result.scalars()) == ["Ann", "Bob"]
        assert "User fits {}" in repr(result)


def test_a_blocking_result_is_lazy_and_can_be_asked_again(
    sync_engine: SyncEngine, commands: CommandLog, raw: Database[Document]
) -> None:
    with Session(sync_engine) as session:
        result = session.execute(NAMES)
        assert commands.sent == []
        assert result.first() == ("Ann", 30)
        raw["user"].delete_one({"name": "Ann"})
        assert result.first() == ("Bob", 25)
        assert [command["limit"] for command in commands.sent] == [1, 1]


# -- the awaiting session: the habit of mongotic 0.5 --------------------------------------------------------------


async def test_the_classes_mongotic_0_5_names(opened: AsyncSession) -> None:
    result = await opened.execute(NAMES)
    assert isinstance(result, AsyncSelectResult)
    assert isinstance(opened.scalars(EVERYBODY), AsyncScalarResult)
    rows = await result.all()
    assert_type(rows, list[Row[str, int]])
    assert all(isinstance(row, Row) for row in rows)
    assert [(row.name, row[0], row["name"]) for row in rows] == [("Ann",) * 3, ("Bob",) * 3]


async def test_lists_need_not_be_awaited(opened: AsyncSession, commands: CommandLog) -> None:
    result = await opened.execute(NAMES)
    assert [row.name for row in result.all()] == ["Ann", "Bob"]
    assert result.all() == [("Ann", 30), ("Bob", 25)]
    assert len(result.all()) == 2
    assert result.scalars().all() == ["Ann", "Bob"]
    assert commands.names() == ["find user"]


# -- the awaiting session: the habit of SQLAlchemy ----------------------------------------------------------------


async def test_scalars_awaited_are_a_buffered_result(
    opened: AsyncSession, commands: CommandLog, raw: Database[Document]
) -> None:
    result = await opened.scalars(EVERYBODY)
    assert_type(result, AwaitedScalarResult[User])
    assert isinstance(result, ScalarResult)
    raw["user"].delete_many({})
    await opened.close()
    assert [user.name for user in result] == ["Ann", "Bob"]
    assert [user.name for user in result.all()] == ["Ann", "Bob"]
    first = result.first()
    assert first is not None
    assert first.name == "Ann"
    assert result.count() == 2
    assert result.exists() is True
    with pytest.raises(MultipleResultsFound, match="more than one User fits"):
        result.one()
    assert commands.names() == ["find user"]


async def test_scalars_of_values_awaited(opened: AsyncSession) -> None:
    assert (await opened.scalars(select(User.age).where(User.name == "Ann"))).one() == 30


async def test_sync_results(motor_engine: AIOEngine, commands: CommandLog) -> None:
    async with async_sessionmaker(motor_engine, sync_results=True)() as session:
        result: Any = await session.execute(NAMES)
        assert isinstance(result, SelectResult)
        assert result.all() == [("Ann", 30), ("Bob", 25)]
        assert result.first() == ("Ann", 30)
        assert [row.name for row in result] == ["Ann", "Bob"]
        assert result.scalars().all() == ["Ann", "Bob"]
        entities: Any = await session.execute(EVERYBODY)
        assert [user.name for user in entities.scalars().all()] == ["Ann", "Bob"]
        assert commands.names() == ["find user"] * 2
        assert await session.scalars(select(User.age).where(User.name == "Ann")).one() == 30
    async with AsyncSession(motor_engine, sync_results=True) as session:
        assert isinstance(await session.execute(NAMES), SelectResult)


# -- the awaiting session: what was not awaited -------------------------------------------------------------------

MISUSES: dict[str, Callable[[Any], object]] = {
    "for": lambda result: [str(item) for item in result],
    "list": list,
    "len": len,
    "[0]": lambda result: result[0],
    "bool": bool,
    "in": lambda result: "Ann" in result,
    "unpacking": lambda result: [*result],
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
async def test_scalars_that_were_not_awaited_say_what_to_write(
    opened: AsyncSession, commands: CommandLog, misuse: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError, match=r"write `await session\.scalars\(statement\)\.all\(\)`, or `async for item in"):
        misuse(opened.scalars(EVERYBODY))
    assert commands.sent == []


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
async def test_rows_that_were_not_asked_for_say_what_to_write(
    opened: AsyncSession, misuse: Callable[[Any], object]
) -> None:
    result = await opened.execute(NAMES)
    with pytest.raises(TypeError, match=r"write `for row in result\.all\(\)`, or `async for row in result`"):
        misuse(result)
    with pytest.raises(TypeError, match=r"write `for row in result\.all\(\)`"):
        misuse(result.scalars())


@pytest.mark.parametrize("method", ["first", "one_or_none", "one", "count", "exists"])
async def test_an_answer_that_was_not_awaited_says_what_to_write(opened: AsyncSession, method: str) -> None:
    answer: Any = getattr(await opened.execute(NAMES), method)()
    with pytest.raises(TypeError, match=rf"write `await result\.{method}\(\)`"):
        bool(answer)
    with pytest.raises(AttributeError, match=rf"'name': .* write `await result\.{method}\(\)`"):
        answer.name
    assert repr(answer) == f"<{method}(), not awaited>"


VALUE_MISUSES: dict[str, Callable[[Any], object]] = {
    **MISUSES,
    "==": lambda value: value == 3,
    "!=": lambda value: value != 3,
    "== from the left": lambda value: 3 == value,  # noqa: SIM300  # the act under test
    ">": lambda value: value > 3,
    "+": lambda value: value + 1,
    "+ from the left": lambda value: 1 + value,
    "*": lambda value: value * 2,
    "-x": lambda value: -value,
    "float": float,
    "assignment": lambda value: setattr(value, "name", "Ann"),
}
CALLS: dict[str, Callable[[AsyncSession], Any]] = {
    "session.get(model, key)": lambda session: session.get(User, ObjectId()),
    "session.get_one(model, key)": lambda session: session.get_one(User, ObjectId()),
    "session.scalar(statement)": lambda session: session.scalar(EVERYBODY),
    "session.execute(statement)": lambda session: session.execute(NAMES),
    "session.scalars(statement).all()": lambda session: session.scalars(EVERYBODY).all(),
    "session.scalars(statement).first()": lambda session: session.scalars(EVERYBODY).first(),
    "session.scalars(statement).one()": lambda session: session.scalars(EVERYBODY).one(),
    "session.scalars(statement).one_or_none()": lambda session: session.scalars(EVERYBODY).one_or_none(),
    "session.scalars(statement).count()": lambda session: session.scalars(EVERYBODY).count(),
    "session.scalars(statement).exists()": lambda session: session.scalars(EVERYBODY).exists(),
}


@pytest.mark.parametrize("misuse", VALUE_MISUSES.values(), ids=VALUE_MISUSES)
@pytest.mark.parametrize("written", CALLS)
async def test_a_value_that_was_not_awaited_says_what_to_write(
    opened: AsyncSession, commands: CommandLog, written: str, misuse: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError, match=f"write `await {re.escape(written)}`"):
        misuse(CALLS[written](opened))
    gc.collect()  # a warning that it was never awaited would fail the test
    assert commands.sent == []


@pytest.mark.parametrize("written", CALLS)
async def test_an_attribute_of_what_was_not_awaited_says_what_to_write(opened: AsyncSession, written: str) -> None:
    value = CALLS[written](opened)
    with pytest.raises(TypeError, match=f"'name': .*write `await {re.escape(written)}`"):
        value.name
    assert not hasattr(value, "name")
    value.close()


@pytest.mark.parametrize("misuse", VALUE_MISUSES.values(), ids=VALUE_MISUSES)
async def test_an_answer_is_no_value_either(opened: AsyncSession, misuse: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"write `await result\.count\(\)`"):
        misuse((await opened.execute(NAMES)).count())


@pytest.mark.parametrize("written", CALLS)
async def test_what_nobody_awaits_is_warned_of(opened: AsyncSession, written: str) -> None:
    with pytest.warns(RuntimeWarning, match="was never awaited"):
        CALLS[written](opened)


async def test_what_is_to_be_awaited_is_a_coroutine(opened: AsyncSession) -> None:
    assert await asyncio.create_task(opened.scalars(EVERYBODY).count()) == 2
    assert [user.name for user in await asyncio.wait_for(opened.scalars(EVERYBODY).all(), 10)] == ["Ann", "Bob"]
    assert [*await asyncio.gather(opened.scalars(EVERYBODY).exists())] == [True]
    found = opened.get(User, ObjectId())
    assert repr(found) == "<AsyncSession.get(), not awaited>"
    assert asyncio.iscoroutine(found)
    assert inspect.isawaitable(found)
    assert not hasattr(found, "name")
    assert "AsyncSession.get" in repr(task := asyncio.ensure_future(found))
    assert await task is None
    assert isinstance(MagicMock(spec=opened).get, AsyncMock)


async def test_an_error_reaches_who_awaits(opened: AsyncSession) -> None:
    with pytest.raises(MultipleResultsFound):
        await asyncio.create_task(opened.scalars(EVERYBODY).one())
    task = asyncio.create_task(opened.scalars(EVERYBODY).all())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await opened.scalars(EVERYBODY).count() == 2


async def test_awaited_scalars_can_be_iterated_either_way(opened: AsyncSession) -> None:
    assert [user.name async for user in await opened.scalars(EVERYBODY)] == ["Ann", "Bob"]
    assert [user.name for user in await opened.scalars(EVERYBODY)] == ["Ann", "Bob"]


def test_an_async_session_is_entered_by_async_with(motor_engine: AIOEngine) -> None:
    make: Any = async_sessionmaker(motor_engine)
    with pytest.raises(TypeError, match=r"write `async with \.\.\. as session` instead of `with`"), make():
        pass
