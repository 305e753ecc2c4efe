"""Computed columns, functions and groups: what their rows hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from odmantic import Field, Model, ObjectId
from typing_extensions import assert_type

from mongotic import ScalarResult, Select, SelectResult, Session, case, col, desc, distinct, func, literal, select
from mongotic.asyncio import AsyncSession
from mongotic.result import Row
from mongotic_adapters.columns import Expression
from mongotic_adapters.computed import Aggregate, Computed, Ordering

from .models import Address, User


class Item(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    name: str
    price: float
    qty: int
    cost: Decimal
    limit: int | None = None
    note: str | None = None
    sold: datetime
    back: datetime | None = None


price, qty, cost, limit, sold = col(Item.price), col(Item.qty), col(Item.cost), col(Item.limit), col(Item.sold)

# Arithmetic.
assert_type(price * Item.qty, Computed[float])
assert_type(qty * Item.price, Computed[float])
assert_type(Item.qty * price, Computed[float])
assert_type(qty * 2, Computed[int])
assert_type(2 * qty, Computed[int])
assert_type(2 - qty, Computed[int])
assert_type(2.5 - qty, Computed[float])
assert_type(qty + price, Computed[float])
assert_type(limit + 1, Computed[int | None])
assert_type(limit * 1.5, Computed[float | None])
assert_type(cost * Item.qty, Computed[Decimal])
assert_type(qty * cost, Computed[Decimal])
assert_type(qty / 2, Computed[float])
assert_type(qty // 2, Computed[int])
assert_type(qty % 2, Computed[int])
assert_type(qty**2, Computed[int])
assert_type(abs(qty), Computed[int])
assert_type(round(price, 2), Computed[float])
assert_type((price * Item.qty + 1) / 3, Computed[float])
assert_type(col(Item.name) + "!", Computed[str])
assert_type("the " + col(Item.name), Computed[str])
assert_type(col(Item.name) + col(Item.note), Computed[str | None])
assert_type(sold + timedelta(days=1), Computed[datetime])
assert_type(col(Item.back) + timedelta(days=1), Computed[datetime | None])
assert_type(sold - datetime.now(), Computed[int])
assert_type((price * Item.qty).label("total"), Computed[float])
assert_type(col(Item.name).label("title"), Computed[str])
assert_type(price * 2 > 3, Expression)
assert_type(qty > qty * 2, Expression)
assert_type((price * 2).in_([1, 2.5]), Expression)
assert_type((price * 2).desc(), Ordering)
assert_type(desc(price * 2), Ordering)

# Functions.
assert_type(func.count(), Aggregate[int])
assert_type(func.count(Item.note), Aggregate[int])
assert_type(func.count(distinct(Item.note)), Aggregate[int])
assert_type(func.sum(Item.qty), Aggregate[int | None])
assert_type(func.sum(qty), Aggregate[int | None])
assert_type(func.sum(limit), Aggregate[int | None])
assert_type(func.sum(Item.price), Aggregate[float | None])
assert_type(func.sum(price * Item.qty), Aggregate[float | None])
assert_type(func.sum(Item.cost), Aggregate[Decimal | None])
assert_type(func.sum(cost), Aggregate[Decimal | None])
assert_type(func.avg(Item.qty), Aggregate[float | None])
assert_type(func.avg(cost), Aggregate[Decimal | None])
assert_type(func.min(Item.name), Aggregate[str | None])
assert_type(func.max(sold), Aggregate[datetime | None])
assert_type(func.first(Item.qty), Aggregate[int | None])
assert_type(func.push(Item.name), Aggregate[list[str]])
assert_type(func.add_to_set(qty), Aggregate[list[int]])
assert_type(func.year(Item.sold), Computed[int])
assert_type(func.hour(col(Item.back), timezone="Europe/Rome"), Computed[int])
assert_type(func.date_trunc("month", Item.sold), Computed[datetime])
assert_type(func.lower(Item.name), Computed[str])
assert_type(func.lower(Item.note), Computed[str | None])
assert_type(func.length(Item.name), Computed[int])
assert_type(func.substr(Item.name, 0, 3), Computed[str])
assert_type(func.concat(Item.name, "!", Item.note), Computed[str | None])
assert_type(func.abs(qty), Computed[int])
assert_type(func.coalesce(col(Item.note), "none"), Computed[str])
assert_type(literal(3), Computed[int])
assert_type(case((qty > 3, 1), (qty > 2, 2), else_=0), Computed[int])
assert_type(case((qty > 3, "many"), else_="few"), Computed[str])
assert_type(case((qty > 3, price), else_=price), Computed[float])
assert_type(case((Item.qty > 3, Item.name)), Computed[str | None])

# Rows of columns, computed values, functions and labels in any mixture.
assert_type(select(price * 2), Select[tuple[float]])
assert_type(select(func.count()), Select[tuple[int]])
assert_type(select(Item.name, func.count()), Select[tuple[str, int]])
assert_type(select(Item.name, (price * Item.qty).label("total")), Select[tuple[str, float]])
assert_type(select(col(Item.name).label("n"), price, func.sum(Item.qty)), Select[tuple[str, float, int | None]])
assert_type(
    select(Item.name, price, func.count(), qty + 1, func.push(Item.note), func.year(Item.sold), limit, Item.cost),
    Select[tuple[str, float, int, int, list[str | None], int, int | None, Decimal]],
)
ten = select(
    Item.name, price, func.count(), qty + 1, Item.qty, func.year(Item.sold), limit, Item.cost, func.max(Item.sold),
    Item.note,
)  # fmt: skip
assert_type(
    ten, Select[tuple[str, float, int, int, int, int, int | None, Decimal, datetime | None, str | None]]
)  # fmt: skip
by_name = select(Item.name, func.count()).where(price * Item.qty > 3).group_by(Item.name, func.year(Item.sold))
assert_type(by_name.having(func.count() > 1).order_by("count_1", -func.count()).limit(3), Select[tuple[str, int]])
assert_type(select(func.count()).select_from(Item), Select[tuple[int]])

# Conditions on lists and places.
homes = col(User.homes)
assert_type(col(User.tags).any("vip"), Expression)
assert_type(col(User.tags).all(["vip", "new"]), Expression)
assert_type(col(User.tags).size(2), Expression)
assert_type(homes.elem_match(col(Address.city) == "Rome", {"zip": 3}), Expression)
assert_type(homes.elem_match(Address.city == "Rome"), Expression)
assert_type(col(User.nick).exists(), Expression)
assert_type(col(User.nick).type_("string", "null"), Expression)
assert_type(col(User.name).regexp_match("^a", "i"), Expression)
assert_type(col(User.age).mod(2, 1), Expression)
assert_type(col(User.age).bits_all_set([0, 2]), Expression)
assert_type(col(User.tags).near((12.5, 41.9), max_distance=100), Expression)
assert_type(col(User.tags).within([(0, 0), (0, 1), (1, 1)]), Expression)


def results(session: Session) -> None:
    rows = session.execute(select(Item.name, func.count()).group_by(Item.name))
    assert_type(rows, SelectResult[str, int])
    assert_type(rows.unique(), SelectResult[str, int])
    assert_type(rows.tuples(), SelectResult[str, int])
    assert_type(rows.mappings().all(), list[Mapping[str, Any]])
    for part in rows.partitions(10):
        assert_type(part, list[Row[str, int]])
    assert_type(session.scalars(select(Item)).unique(), ScalarResult[Item])
    assert_type(session.scalars(select(func.sum(qty))).one(), int | None)
    assert_type(rows.columns("name", 1).first() is None, bool)


async def awaited(session: AsyncSession) -> None:
    rows = await session.execute(select(Item.name, func.count()).group_by(Item.name))
    assert_type(await rows.unique().all(), list[Row[str, int]])
    assert_type(await rows.mappings().first(), Mapping[str, Any] | None)
    async for part in rows.partitions(10):
        assert_type(part, list[Row[str, int]])
    assert_type(await session.scalars(select(Item)).unique().all(), list[Item])
    async for items in session.scalars(select(Item)).partitions():
        assert_type(items, list[Item])
