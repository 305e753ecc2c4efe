"""Results as mappings, of some columns, each item once, and in parts."""

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Model
from pymongo.database import Database

from mongotic import ArgumentError, ScalarResult, func, select
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.exceptions import ArgumentTypeError
from tests.conftest import Backend, Document


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


@pytest.fixture(autouse=True)
def users(raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": name, "age": age, "tags": ["x"]} for name, age in [("a", 1), ("b", 1), ("c", 2)]])


def of_rows() -> Any:
    return select(User.name, User.age).order_by(User.name)


def age_of(row: Any) -> Any:  # of a row or an instance
    return row.age


async def everything(parts: Any) -> list[Any]:
    """What an iterator gives: that of a blocking result, or that of an awaiting one."""
    parts = await parts if hasattr(parts, "cr_frame") else parts
    return [part async for part in parts] if hasattr(parts, "__aiter__") else list(parts)


async def test_rows_as_mappings(session: AsyncSession) -> None:
    found = await (await session.execute(of_rows())).mappings().all()
    assert [dict(row) for row in found] == [
        {"name": "a", "age": 1}, {"name": "b", "age": 1}, {"name": "c", "age": 2},
    ]  # fmt: skip
    untyped: Any = found[0]
    with pytest.raises(TypeError):
        untyped["name"] = "z"
    first: Any = await (await session.execute(of_rows())).mappings().first()
    assert first["name"] == "a"


async def test_rows_of_some_columns(session: AsyncSession) -> None:
    result = await session.execute(of_rows())
    found: Any = await result.columns("age").first()
    assert (found, found.age) == ((1,), 1)
    assert list(await result.columns(1, "name").all())[2] == (2, "c")
    assert list(await result.columns(-1).all())[2] == (2,)
    with pytest.raises(ArgumentError, match="'town' is no column"):
        await result.columns("town").all()
    with pytest.raises(ArgumentError, match="no column 7"):
        await result.columns(7).all()
    for wrong in ((), (1.5,), (True,)):
        with pytest.raises(ArgumentTypeError, match="names or positions"):
            await result.columns(*wrong).all()


async def test_each_row_once(session: AsyncSession) -> None:
    ages = await session.execute(select(User.age).order_by(User.age))
    assert list(await ages.unique().all()) == [(1,), (2,)]
    assert await ages.unique().count() == 2
    assert await ages.unique().first() == (1,)
    assert await ages.unique().exists() is True
    tags = await session.execute(select(User.tags))
    assert list(await tags.unique().all()) == [(["x"],)]
    assert await tags.unique().one() == (["x"],)
    rows: Any = await session.execute(of_rows())
    assert [row.name for row in await rows.unique(age_of).all()] == ["a", "c"]
    assert list(await rows.tuples().all()) == [("a", 1), ("b", 1), ("c", 2)]


async def test_each_instance_and_value_once(session: AsyncSession) -> None:
    ages = session.scalars(select(User.age).order_by(User.age)).unique()
    assert await ages.all() == [1, 2]
    assert [age async for age in ages] == [1, 2]
    found = await session.scalars(select(User)).unique().all()
    assert len(found) == 3
    scalars: Any = session.scalars(select(User))
    assert await scalars.unique(age_of).count() == 2
    assert await (await session.execute(select(User.age))).scalars().unique().count() == 2


async def test_parts(backend: Backend) -> None:
    async with backend.maker()() as session:
        result = await session.execute(of_rows())
        assert [len(part) for part in await everything(result.partitions(2))] == [2, 1]
        for wrong, error in ((0, ArgumentError), ("2", ArgumentTypeError)):
            with pytest.raises(error, match="partitions"):
                await everything(result.partitions(wrong))
        scalars = session.scalars(select(User).order_by(User.name))
        assert [[user.name for user in part] for part in await everything(scalars.partitions(2))] == [["a", "b"], ["c"]]
        grouped = await session.execute(select(User.age, func.count()).group_by(User.age))
        assert [len(part) for part in await everything(grouped.partitions())] == [2]


async def test_parts_of_an_awaited_result(backend: Backend) -> None:
    maker = backend.real_maker()
    if not isinstance(maker, async_sessionmaker):
        return
    async with maker() as session:
        result = await session.execute(of_rows())
        assert [len(part) for part in result.partitions(2)] == [2, 1]
        assert [len(part) for part in await result.partitions(2)] == [2, 1]
        buffered = await session.scalars(select(User.age).order_by(User.age))
        assert isinstance(buffered, ScalarResult)
        assert buffered.unique().all() == [1, 2]
        assert [age async for age in buffered.unique()] == [1, 2]
        assert list(buffered.partitions(2)) == [[1, 1], [2]]
