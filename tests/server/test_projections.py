"""Columns instead of whole instances: what is fetched, what the rows hold, and distinct rows."""

from __future__ import annotations

import datetime
from typing import Any, cast

import pytest
from odmantic import EmbeddedModel, Field, Model, ObjectId, Reference
from pymongo.database import Database

import mongotic
from mongotic import ArgumentError, DocumentError, MultipleResultsFound, NotFound, col, desc, select
from mongotic.asyncio import AsyncSession
from tests.conftest import CommandLog, Document

untyped: Any = mongotic


class Geo(EmbeddedModel):
    lat: float = 0.0


class Address(EmbeddedModel):
    city: str = Field(default="Rome", key_name="town")
    geo: Geo = Geo()


class Item(EmbeddedModel):
    sku: str = Field(default="none", key_name="s")
    qty: int = 1


class Shop(Model):
    name: str


class User(Model):
    name: str
    age: int = Field(default=7, key_name="years")
    nick: str | None = None
    address: Address = Address()
    items: list[Item] = []
    since: datetime.datetime | None = None
    shop: Shop | None = None


class Order(Model):
    shop: Shop = Reference(key_name="shop_id")
    user: str = ""


NOON = datetime.datetime(2026, 1, 2, 12)


@pytest.fixture(autouse=True)
def users(raw: Database[Document]) -> None:
    raw["user"].insert_many(
        [
            {
                "name": "Ann",
                "years": 30,
                "nick": "a",
                "address": {"town": "Oslo", "geo": {"lat": 60}},
                "items": [{"s": "x", "qty": 2}, {"s": "y"}],
                "since": NOON,
            },
            {"name": "Bob", "years": 25, "nick": None, "address": {"town": "Rome"}, "items": []},
            {"name": "Cid", "years": 25, "address": {}},
            {"name": "Dan"},
        ]
    )


async def rows(session: AsyncSession, statement: Any) -> list[Any]:
    return list(await (await session.execute(statement)).all())


# -- what is asked ------------------------------------------------------------------------------------------------


async def test_the_server_is_asked_for_the_columns_alone(session: AsyncSession, commands: CommandLog) -> None:
    found = await rows(session, select(User.name, User.age).where(User.age > 25).order_by(User.name))
    assert found == [("Ann", 30)]
    assert [command["projection"] for command in commands.sent] == [{"name": 1, "years": 1, "_id": 0}]
    assert list(session) == []


async def test_rows_are_asked_by_name_index_and_key(session: AsyncSession) -> None:
    [row] = await rows(session, select(User.name, User.age).where(User.name == "Ann"))
    assert (row.name, row.age, row[1], row["age"]) == ("Ann", 30, 30, 30)
    name, age = row
    assert (name, age) == ("Ann", 30)


async def test_the_primary_field_can_be_selected(session: AsyncSession, raw: Database[Document]) -> None:
    [row] = await rows(session, select(User.id, User.name).where(User.name == "Ann"))
    stored = raw["user"].find_one({"name": "Ann"})
    assert stored is not None
    assert row.id == stored["_id"]


async def test_missing_keys_give_the_default_or_none(session: AsyncSession) -> None:
    found = await rows(session, select(User.name, User.age, User.nick).order_by(User.name))
    assert found == [("Ann", 30, "a"), ("Bob", 25, None), ("Cid", 25, None), ("Dan", 7, None)]


async def test_embedded_columns(session: AsyncSession) -> None:
    address: Any = User.address
    found = await rows(session, select(User.name, address.city, address.geo.lat).order_by(User.name))
    assert found == [("Ann", "Oslo", 60.0), ("Bob", "Rome", 0.0), ("Cid", "Rome", 0.0), ("Dan", "Rome", 0.0)]
    assert (found[0].city, found[0]["address.city"], found[0]["address.geo.lat"]) == ("Oslo", "Oslo", 60.0)


async def test_embedded_instances(session: AsyncSession) -> None:
    found = await rows(session, select(User.address, User.items).where(User.name == "Ann"))
    assert found == [(Address(city="Oslo", geo=Geo(lat=60.0)), [Item(sku="x", qty=2), Item(sku="y")])]


async def test_columns_through_lists(session: AsyncSession) -> None:
    items: Any = col(User.items)
    found = await rows(session, select(items.sku, items.qty).order_by(User.name))
    assert found == [(["x", "y"], [2, 1]), ([], []), ([], []), ([], [])]


async def test_a_reference_gives_the_stored_key(session: AsyncSession, raw: Database[Document]) -> None:
    key = ObjectId()
    raw["order"].insert_one({"shop_id": key, "user": "a"})
    assert await rows(session, select(Order.shop, Order.user)) == [(key, "a")]


async def test_columns_of_a_mongotic_model(session: AsyncSession, raw: Database[Document]) -> None:
    class Native(mongotic.MongoBaseModel):
        __tablename__ = "user"
        name: str
        age: int = Field(default=0, key_name="years")

    found = await rows(session, select(Native.name, Native.age).where(Native.age == 30))
    assert found == [("Ann", 30)]


async def test_a_value_that_does_not_fit(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_one({"name": "Eve", "years": "old"})
    result = session.scalars(select(User.age))
    with pytest.raises(DocumentError, match=r"does not fit User(?s:.*)age(?s:.*)valid integer"):
        await result.all()


async def test_where_order_limit_and_offset(session: AsyncSession) -> None:
    statement = select(User.name).where(User.age >= 25).order_by(desc(User.age), User.name)
    assert await session.scalars(statement).all() == ["Ann", "Bob", "Cid"]
    assert await session.scalars(statement.offset(1).limit(1)).all() == ["Bob"]


async def test_limit_zero_asks_nobody(session: AsyncSession, commands: CommandLog) -> None:
    for nobody in (select(User.name).limit(0), select(User.name).distinct().limit(0)):
        assert await session.scalars(nobody).all() == []
        assert await session.scalars(nobody).first() is None
        assert await session.scalars(nobody).count() == 0
        assert await session.scalars(nobody).exists() is False
        assert [name async for name in session.scalars(nobody)] == []
    assert commands.sent == []


# -- scalars ------------------------------------------------------------------------------------------------------


async def test_scalars_of_one_column_are_plain_values(session: AsyncSession) -> None:
    result = session.scalars(select(User.name).order_by(User.name))
    assert await result.all() == ["Ann", "Bob", "Cid", "Dan"]
    assert await result.first() == "Ann"
    assert await result.count() == 4
    assert await result.exists() is True
    assert [name async for name in result] == ["Ann", "Bob", "Cid", "Dan"]
    assert await session.scalars(select(User.name).where(User.age == 30)).one() == "Ann"
    assert await session.scalars(select(User.since).where(User.name == "Ann")).one() == NOON
    with pytest.raises(MultipleResultsFound, match="more than one User fits"):
        await result.one()
    with pytest.raises(NotFound, match="no User fits"):
        await session.scalars(select(User.name).where(User.age == 99)).one()


async def test_scalars_of_several_columns_are_refused_at_the_call(session: AsyncSession, commands: CommandLog) -> None:
    both: Any = select(User.name, User.age)
    with pytest.raises(TypeError, match=r"write session\.execute\(\.\.\.\) for rows of all of them"):
        session.scalars(both)
    with pytest.raises(TypeError, match=r"has 2; write session\.execute"):
        await session.scalar(both)
    assert commands.sent == []


async def test_scalar_is_the_first_value_or_none(session: AsyncSession, commands: CommandLog) -> None:
    assert await session.scalar(select(User.age).order_by(desc(User.age))) == 30
    assert await session.scalar(select(User.age).where(User.name == "Zoe")) is None
    assert [command["limit"] for command in commands.sent] == [1, 1]


# -- distinct -----------------------------------------------------------------------------------------------------


async def test_distinct_rows(session: AsyncSession, commands: CommandLog) -> None:
    statement = select(User.age).distinct().order_by(User.age)
    assert await session.scalars(statement).all() == [7, 25, 30]
    assert await session.scalars(statement).count() == 3
    assert await session.scalars(statement).first() == 7
    assert await session.scalars(statement.offset(1).limit(1)).all() == [25]
    assert await session.scalars(statement.offset(1).limit(5)).count() == 2
    assert await session.scalars(statement.offset(2)).exists() is True
    assert await session.scalars(statement.offset(3)).exists() is False
    assert [age async for age in session.scalars(statement)] == [7, 25, 30]
    assert {name.split()[0] for name in commands.names()} == {"aggregate"}


async def test_distinct_rows_of_several_columns(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": "Bob", "years": 25}, {"name": "Bob", "years": 26}])
    statement = select(User.name, User.age).where(User.name == "Bob").distinct().order_by(desc(User.age))
    assert await rows(session, statement) == [("Bob", 26), ("Bob", 25)]
    assert (await rows(session, statement))[0].age == 26


async def test_missing_keys_null_and_defaults_are_one_row(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_one({"name": "Eve", "years": 7, "nick": None})
    assert await session.scalars(select(User.nick).distinct().order_by(User.nick)).all() == [None, "a"]
    assert await session.scalars(select(User.age).where({"name": {"$in": ["Dan", "Eve"]}}).distinct()).all() == [7]


async def test_a_required_field_may_be_missing_from_a_distinct_row(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["user"].insert_many([{"years": 99}, {"years": 99}])
    assert await session.scalars(select(User.name).where(User.age == 99).distinct()).all() == [None]


async def test_distinct_embedded_values(session: AsyncSession, raw: Database[Document]) -> None:
    address: Any = User.address
    assert await session.scalars(select(address.city).distinct().order_by(address.city)).all() == ["Oslo", "Rome"]
    assert await session.scalars(select(address.geo.lat).distinct().order_by(address.geo.lat)).all() == [0.0, 60.0]
    items: Any = col(User.items)
    raw["user"].insert_one({"name": "Eve", "items": [{"qty": 4}, {"s": "z"}]})
    found = await session.scalars(select(items.sku).distinct().order_by(items.sku)).all()
    assert found == [[], ["none", "z"], ["x", "y"]]


async def test_distinct_values_are_validated(session: AsyncSession, raw: Database[Document]) -> None:
    raw["user"].insert_one({"name": None, "years": "old"})
    with pytest.raises(DocumentError, match="age"):
        await session.scalars(select(User.age).distinct()).all()
    with pytest.raises(DocumentError, match="name"):
        await session.scalars(select(User.name).distinct()).all()


async def test_distinct_rows_are_sorted_by_what_is_selected(session: AsyncSession) -> None:
    with pytest.raises(ArgumentError, match=r"selected columns only \(name\), got 'years'"):
        select(User.name).distinct().order_by(User.age)
    with pytest.raises(ArgumentError, match="selected columns only"):
        select(User.name).order_by(User.age).distinct()
    assert await session.scalars(select(User.name).order_by(User.name).distinct()).all() == ["Ann", "Bob", "Cid", "Dan"]


async def test_whole_documents_are_distinct_already(session: AsyncSession, commands: CommandLog) -> None:
    assert len(await session.scalars(select(User).distinct().order_by(User.age)).all()) == 4
    assert commands.names() == ["find user"]


# -- yield_per ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "kind"), [(0, ValueError), (-1, ValueError), (True, TypeError), ("1", TypeError)])
def test_yield_per_takes_a_positive_number(number: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"yield_per\(\) takes a number of documents"):
        select(User).yield_per(number)


async def test_yield_per_leaves_the_other_methods_alone(session: AsyncSession, commands: CommandLog) -> None:
    statement = select(User).yield_per(2).order_by(User.name)
    users = await session.scalars(statement).all()
    assert [user.name for user in users] == ["Ann", "Bob", "Cid", "Dan"]
    assert len(list(session)) == 4
    assert ["batchSize" in command for command in commands.sent] == [False]


async def test_yield_per_fetches_that_many_and_gives_independent_instances(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    held = await session.scalars(select(User).where(User.name == "Ann")).one()
    commands.sent.clear()
    found = [user async for user in session.scalars(select(User).yield_per(2).order_by(User.name))]
    assert [user.name for user in found] == ["Ann", "Bob", "Cid", "Dan"]
    assert [command["batchSize"] for command in commands.sent] == [2]
    assert found[0] is not held
    assert list(session) == [held]
    found[1].age = 26
    assert session.dirty == []
    session.add(found[1])
    await session.commit()
    assert commands.names()[1:] == ["update user"]
    assert raw["user"].count_documents({"name": "Bob", "years": 26}) == 1


async def test_yield_per_loads_references_without_the_session(session: AsyncSession, raw: Database[Document]) -> None:
    key = raw["shop"].insert_one({"name": "corner"}).inserted_id
    raw["order"].insert_many([{"shop_id": key, "user": "a"}, {"shop_id": key, "user": "b"}])
    found = [order async for order in session.scalars(select(Order).yield_per(10))]
    assert [order.shop.name for order in found] == ["corner", "corner"]
    assert found[0].shop is found[1].shop
    assert list(session) == []


async def test_yield_per_sets_the_batch_size_of_values(session: AsyncSession, commands: CommandLog) -> None:
    names = select(User.name).yield_per(3).order_by(User.name)
    assert [name async for name in session.scalars(names)] == ["Ann", "Bob", "Cid", "Dan"]
    assert [command["batchSize"] for command in commands.sent] == [3]
    assert [name async for name in session.scalars(names.distinct())] == ["Ann", "Bob", "Cid", "Dan"]


async def test_a_closed_session_gives_no_rows(session: AsyncSession) -> None:
    statement = select(User.name)
    result = session.scalars(statement)
    await session.close()
    with pytest.raises(mongotic.ResourceClosedError):
        await result.all()
    with pytest.raises(mongotic.ResourceClosedError):
        await session.execute(cast("Any", statement))
