"""Values that the server computes: expressions, groups and functions, on a real server."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from bson import Decimal128
from odmantic import EmbeddedModel, Field, Model
from pymongo.database import Database

import mongotic
from mongotic import (
    ArgumentError,
    DocumentError,
    UnsupportedError,
    asc,
    case,
    col,
    desc,
    distinct,
    func,
    literal,
    or_,
    select,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError
from tests.conftest import CommandLog, Document

untyped: Any = mongotic


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Line(EmbeddedModel):
    sku: str = Field(key_name="s")
    qty: int = 1


class Sale(Model):
    item: str
    city: str = Field(default="Rome", key_name="town")
    price: float = 1.0
    qty: int = 1
    limit: int | None = None
    cost: Decimal = Decimal(0)
    color: Color = Color.RED
    note: str | None = None
    sold: datetime | None = None
    tags: list[str] = []
    lines: list[Line] = []


class Other(Model):
    item: str
    price: float = 0


NOON = datetime(2024, 12, 30, 12, 30, 15, 250_000)


@pytest.fixture(autouse=True)
def sales(raw: Database[Document]) -> None:
    raw["sale"].insert_many(
        [
            {
                "item": "ann", "town": "Oslo", "price": 2.5, "qty": 3, "limit": 5, "cost": Decimal128("1.10"),
                "color": "blue", "note": " Hi ", "sold": NOON, "tags": ["x", "y"], "lines": [{"s": "a", "qty": 4}],
            },
            {"item": "bob", "town": "Rome", "price": 4.0, "qty": 7, "limit": 1, "cost": Decimal128("2"), "tags": ["y"]},
            {"item": "cid", "price": 10.0, "qty": 1, "limit": None, "note": None, "lines": [{"s": "a"}, {"s": "b"}]},
        ]
    )  # fmt: skip


async def rows(session: AsyncSession, statement: Any) -> list[Any]:
    return list(await (await session.execute(statement)).all())


price, qty, limit = col(Sale.price), col(Sale.qty), col(Sale.limit)


EXPRESSIONS: list[tuple[str, Any, list[Any]]] = [
    ("*", lambda: price * Sale.qty, [7.5, 28.0, 10.0]),
    ("bare on the left", lambda: Sale.price * qty, [7.5, 28.0, 10.0]),
    ("+ number", lambda: qty + 1, [4, 8, 2]),
    ("number -", lambda: 10 - qty, [7, 3, 9]),
    ("/", lambda: qty / 2, [1.5, 3.5, 0.5]),
    ("//", lambda: qty // 2, [1, 3, 0]),
    ("// of a float", lambda: price // 2, [1.0, 2.0, 5.0]),
    ("%", lambda: qty % 2, [1, 1, 1]),
    ("**", lambda: qty**2, [9, 49, 1]),
    ("number **", lambda: 2**qty, [8, 128, 2]),
    ("abs", lambda: abs(qty - 5), [2, 2, 4]),
    ("round", lambda: round(price / 3, 2), [0.83, 1.33, 3.33]),
    ("null with anything", lambda: limit * 2, [10, 2, None]),
    ("decimal", lambda: col(Sale.cost) * Sale.qty, [Decimal("3.30"), Decimal(14), None]),
    ("text +", lambda: col(Sale.item) + "-" + col(Sale.city), ["ann-Oslo", "bob-Rome", None]),
    ("text + text", lambda: "the " + col(Sale.item), ["the ann", "the bob", "the cid"]),
    ("date +", lambda: col(Sale.sold) + timedelta(days=2), [NOON + timedelta(days=2), None, None]),
    ("date -", lambda: col(Sale.sold) - datetime(2024, 12, 30), [45_015_250, None, None]),
    ("literal", lambda: literal("$item"), ["$item"] * 3),
    ("literal dict", lambda: literal({"$gt": 1}), [{"$gt": 1}] * 3),
    ("case", lambda: case((qty > 5, "many"), (qty > 2, "some"), else_="few"), ["some", "many", "few"]),
    ("case without else", lambda: case((qty > 5, Sale.item)), [None, "bob", None]),
    ("case with a dollar", lambda: case((qty > 0, "$item")), ["$item"] * 3),
    ("case of null", lambda: case((limit == None, 1), else_=0), [0, 0, 1]),
    ("case keeps to types", lambda: case((limit < 100, 1), else_=0), [1, 1, 0]),
    ("case in a list", lambda: case((col(Sale.lines).qty > 3, 1), else_=0), [1, 0, 0]),
    ("case of an element", lambda: case((col(Sale.tags).any("x"), 1), else_=0), [1, 0, 0]),
    ("case of a pattern", lambda: case((col(Sale.item).like("_n%"), 1), else_=0), [1, 0, 0]),
    ("case of a size", lambda: case((col(Sale.tags).size(2), 1), else_=0), [1, 0, 0]),
    ("case of existence", lambda: case((col(Sale.note).exists(), 1), else_=0), [1, 0, 1]),
    ("case of or", lambda: case((or_(qty == 1, {"town": "Oslo"}), 1), else_=0), [1, 0, 1]),
    ("case of computed", lambda: case((price * qty > 9, 1), else_=0), [0, 1, 1]),
    ("case of modulo", lambda: case((qty.mod(2, 1), 1), else_=0), [1, 1, 1]),
    ("case of elem_match", lambda: case((col(Sale.lines).elem_match(col(Line.sku) == "b"), 1), else_=0), [0, 0, 1]),
    ("year", lambda: func.year(Sale.sold), [2024, None, None]),
    ("month", lambda: func.month(Sale.sold), [12, None, None]),
    ("day", lambda: func.day(Sale.sold), [30, None, None]),
    ("hour with a zone", lambda: func.hour(Sale.sold, timezone="Asia/Tokyo"), [21, None, None]),
    ("minute", lambda: func.minute(Sale.sold), [30, None, None]),
    ("second", lambda: func.second(Sale.sold), [15, None, None]),
    ("millisecond", lambda: func.millisecond(Sale.sold), [250, None, None]),
    ("week", lambda: func.week(Sale.sold), [52, None, None]),
    ("iso_week", lambda: func.iso_week(Sale.sold), [1, None, None]),
    ("iso_week_year", lambda: func.iso_week_year(Sale.sold), [2025, None, None]),
    ("day_of_week", lambda: func.day_of_week(Sale.sold), [2, None, None]),
    ("iso_day_of_week", lambda: func.iso_day_of_week(Sale.sold), [1, None, None]),
    ("day_of_year", lambda: func.day_of_year(Sale.sold), [365, None, None]),
    ("date_trunc", lambda: func.date_trunc("month", Sale.sold), [datetime(2024, 12, 1), None, None]),
    ("date_trunc of a quarter of an hour", lambda: func.date_trunc("minute", Sale.sold, bin_size=15),
     [datetime(2024, 12, 30, 12, 30), None, None]),
    ("date_trunc of a week", lambda: func.date_trunc("week", Sale.sold, start_of_week="sunday"),
     [datetime(2024, 12, 29), None, None]),
    ("lower", lambda: func.lower(Sale.note), [" hi ", None, None]),
    ("upper", lambda: func.upper(Sale.item), ["ANN", "BOB", "CID"]),
    ("length", lambda: func.length(Sale.note), [4, None, None]),
    ("length of a list", lambda: func.length(Sale.tags), [2, 1, None]),
    ("substr", lambda: func.substr(Sale.item, 1), ["nn", "ob", "id"]),
    ("substr with a length", lambda: func.substr(Sale.note, 1, 1), ["H", None, None]),
    ("concat", lambda: func.concat(Sale.item, "!", Sale.note), ["ann! Hi ", None, None]),
    ("trim", lambda: func.trim(Sale.note), ["Hi", None, None]),
    ("ltrim of characters", lambda: func.ltrim(Sale.item, "ab"), ["nn", "ob", "cid"]),
    ("rtrim", lambda: func.rtrim(Sale.note), [" Hi", None, None]),
    ("coalesce", lambda: func.coalesce(Sale.note, Sale.item), [" Hi ", "bob", "cid"]),
    ("floor", lambda: func.floor(Sale.price), [2.0, 4.0, 10.0]),
    ("ceil", lambda: func.ceil(Sale.price), [3.0, 4.0, 10.0]),
    ("sqrt", lambda: func.sqrt(Sale.price), [2.5**0.5, 2.0, 10**0.5]),
    ("func.abs and func.round", lambda: func.abs(func.round(price - 5)), [2.0, 1.0, 5.0]),
    ("a label on a column", lambda: col(Sale.city).label("x"), ["Oslo", "Rome", "Rome"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "expected"), [case[1:] for case in EXPRESSIONS], ids=[case[0] for case in EXPRESSIONS]
)
async def test_an_expression(session: AsyncSession, make: Any, expected: list[Any]) -> None:
    found = await session.scalars(select(make()).select_from(Sale).order_by(Sale.item)).all()
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


CONDITIONS: list[tuple[str, Any, str]] = [
    (">", lambda: price * Sale.qty > 9, "bc"),
    ("column on the left", lambda: qty > price * 1, "ab"),
    ("column against computed", lambda: limit >= qty * 1, "a"),
    ("number on the left", lambda: 9 < price * qty, "bc"),  # noqa: SIM300
    ("==", lambda: qty * 2 == 6, "a"),
    ("== None", lambda: limit + 1 == None, "c"),
    ("!= None", lambda: limit + 1 != None, "ab"),
    ("is_(None) of a missing one", lambda: func.lower(Sale.note).is_(None), "bc"),
    ("in_", lambda: func.upper(Sale.item).in_(["ANN", "$item"]), "a"),
    ("not_in", lambda: func.upper(Sale.item).not_in(["ANN"]), "bc"),
    ("between", lambda: (price * qty).between(7, 11), "ac"),
    ("regexp_match", lambda: func.upper(Sale.item).regexp_match("^a", "i"), "a"),
    ("startswith", lambda: func.upper(Sale.item).startswith("B"), "b"),
    ("endswith", lambda: func.upper(Sale.item).endswith("D"), "c"),
    ("contains literally", lambda: (col(Sale.item) + ".").contains("n."), "a"),
    ("dollar is data", lambda: func.concat("$", Sale.item) == "$ann", "a"),
    ("date", lambda: col(Sale.sold) + timedelta(days=1) > NOON, "a"),
    ("and a plain one", lambda: (price * qty > 9) & (col(Sale.item) == "cid"), "c"),
    ("not", lambda: ~(price * qty > 9), "a"),
    ("case as a value", lambda: case((qty > 2, "x"), else_="y") == "x", "ab"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "expected"), [case[1:] for case in CONDITIONS], ids=[case[0] for case in CONDITIONS])
async def test_a_condition(session: AsyncSession, make: Any, expected: str) -> None:
    found = await session.scalars(select(Sale).where(make())).all()
    assert "".join(sorted(sale.item[0] for sale in found)) == expected
    assert await session.scalars(select(Sale).where(make())).count() == len(expected)


async def test_rows_have_labels_and_numbered_names(session: AsyncSession) -> None:
    statement = select(Sale.item, (price * Sale.qty).label("total"), func.length(Sale.item), qty + 1, qty + 2)
    [row] = await rows(session, statement.where(Sale.item == "ann"))
    assert row._asdict() == {"item": "ann", "total": 7.5, "length_1": 3, "anon_1": 4, "anon_2": 5}
    assert row.total == row["total"] == row[1] == 7.5


async def test_sorting_by_what_is_computed(session: AsyncSession, commands: CommandLog) -> None:
    total = (price * Sale.qty).label("total")
    for order in (total, asc(total), total.asc(), price * qty):  # not selected itself
        assert await session.scalars(select(Sale.item).order_by(order)).all() == ["ann", "cid", "bob"]
    for order in (desc(total), -total, total.desc()):
        found = await rows(session, select(Sale.item, total).order_by(order).limit(2).offset(1))
        assert found == [("cid", 10.0), ("ann", 7.5)]
    assert await rows(session, select(Sale.item, total).order_by("total", Sale.item).limit(1)) == [("ann", 7.5)]
    commands.sent.clear()
    await rows(session, select(Sale.item, total).order_by(desc(Sale.item)).limit(1))
    assert [next(iter(stage)) for stage in commands.sent[0]["pipeline"]] == ["$sort", "$limit", "$project"]


async def test_columns_beside_computed_ones_are_read_as_ever(session: AsyncSession, raw: Database[Document]) -> None:
    statement = select(Sale.city, Sale.color, Sale.cost, Sale.tags, col(Sale.lines).qty, (qty + 1).label("n"))
    assert await rows(session, statement.order_by(Sale.item)) == [
        ("Oslo", Color.BLUE, Decimal("1.10"), ["x", "y"], [4], 4),
        ("Rome", Color.RED, Decimal(2), ["y"], [], 8),
        ("Rome", Color.RED, Decimal(0), [], [1, 1], 2),
    ]
    raw["sale"].insert_one({"item": "dan", "color": "green"})
    with pytest.raises(DocumentError):
        await rows(session, statement)


async def test_distinct_computed_rows(session: AsyncSession) -> None:
    statement = select((qty % 2).label("odd"), Sale.city).distinct()
    assert await rows(session, statement.order_by(Sale.city)) == [(1, "Oslo"), (1, "Rome")]
    assert await (await session.execute(statement)).count() == 2
    with pytest.raises(ArgumentError, match="takes what is selected"):
        await rows(session, statement.order_by(Sale.item))


# -- groups -------------------------------------------------------------------------------------------------------


async def test_functions_of_groups(session: AsyncSession) -> None:
    statement = (
        select(
            Sale.city, func.count(), func.count(Sale.limit), func.sum(Sale.price), func.avg(Sale.qty),
            func.min(Sale.cost), func.max(Sale.color), func.sum(price * Sale.qty).label("total"),
        )
        .group_by(Sale.city)
        .order_by(Sale.city)
    )  # fmt: skip
    assert await rows(session, statement) == [
        ("Oslo", 1, 1, 2.5, 3.0, Decimal("1.10"), Color.BLUE, 7.5),
        ("Rome", 2, 1, 14.0, 4.0, Decimal(2), None, 38.0),
    ]
    result = await session.execute(statement)
    assert await result.count() == 2


async def test_an_aggregate_without_groups_gives_one_row(session: AsyncSession) -> None:
    functions = (
        func.count(), func.count(Sale.limit), func.count(distinct(Sale.city)), func.sum(Sale.price),
        func.avg(Sale.price), func.min(Sale.price), func.first(Sale.item), func.push(Sale.item),
        func.add_to_set(Sale.city), (func.count() + 1),
    )  # fmt: skip
    nothing = untyped.select(*functions).where(col(Sale.item) == "nobody")
    assert await rows(session, nothing) == [(0, 0, 0, None, None, None, None, [], [], 1)]
    assert await (await session.execute(nothing)).count() == 1
    assert await (await session.execute(nothing)).exists() is True
    assert await session.scalars(select(func.sum(Sale.limit))).one() == 6
    assert await session.scalars(select(func.count()).select_from(Sale)).one() == 3
    assert await session.scalars(select(func.count()).where(qty > 2)).one() == 2
    assert await session.scalar(select(func.count(Sale.id))) == 3
    assert await session.scalars(select(func.count(distinct(Sale.city)))).one() == 2


async def test_an_aggregate_of_a_collection_that_is_not_there(session: AsyncSession) -> None:
    assert await rows(session, select(func.count(), func.sum(Other.price))) == [(0, None)]
    assert await rows(session, select(Other.item, func.count()).group_by(Other.item)) == []


async def test_conditions_on_groups(session: AsyncSession) -> None:
    statement = select(Sale.city, func.count().label("n")).group_by(Sale.city)
    assert await rows(session, statement.having(func.count() > 1)) == [("Rome", 2)]
    assert await rows(session, statement.having(col(Sale.city).like("O%"))) == [("Oslo", 1)]
    assert await rows(
        session, statement.having(or_(func.sum(Sale.qty) > 7, col(Sale.city) == "Oslo")).order_by("n")
    ) == [
        ("Oslo", 1),
        ("Rome", 2),
    ]
    assert await rows(session, statement.where(qty > 5).having(func.max(Sale.price) > 3)) == [("Rome", 1)]
    assert await rows(session, select(func.count()).select_from(Sale).having(func.count() > 5)) == []


async def test_groups_by_what_is_computed(session: AsyncSession) -> None:
    size = case((qty > 2, "many"), else_="few").label("size")
    assert await rows(session, select(size, func.count()).group_by(size).order_by(size)) == [("few", 1), ("many", 2)]
    assert await rows(session, select(size, func.count()).group_by("size").order_by(desc(size))) == [
        ("many", 2),
        ("few", 1),
    ]
    by_year = select(func.year(Sale.sold), func.count()).group_by(func.year(Sale.sold)).order_by(-func.count())
    assert await rows(session, by_year) == [(None, 2), (2024, 1)]
    next_year = select(func.year(Sale.sold) + 1, func.count()).group_by(func.year(Sale.sold)).order_by(func.count())
    assert await rows(session, next_year) == [(2025, 1), (None, 2)]


async def test_groups_are_sorted_by_labels_and_functions(session: AsyncSession) -> None:
    statement = select(Sale.city, func.sum(Sale.qty).label("pieces")).group_by(Sale.city)
    for order in ("pieces", func.sum(Sale.qty), asc(func.sum(Sale.qty)), func.count()):
        assert await rows(session, statement.order_by(order)) == [("Oslo", 3), ("Rome", 8)]
    assert await rows(session, statement.order_by(-func.sum(Sale.qty)).limit(1)) == [("Rome", 8)]
    assert await rows(session, statement.order_by(desc(Sale.city))) == [("Rome", 8), ("Oslo", 3)]
    assert await rows(session, statement.order_by(desc(Sale.city)).order_by(None).order_by("city").offset(1)) == [
        ("Rome", 8)
    ]


async def test_first_and_last_keep_to_the_order(session: AsyncSession) -> None:
    functions = (func.first(Sale.item), func.last(Sale.item), func.push(Sale.item))
    up = select(*functions).order_by(Sale.price)
    assert await rows(session, up) == [("ann", "cid", ["ann", "bob", "cid"])]
    down = select(Sale.city, *functions).group_by(Sale.city).order_by(Sale.city, desc(price * qty))
    assert await rows(session, down) == [("Oslo", "ann", "ann", ["ann"]), ("Rome", "bob", "cid", ["bob", "cid"])]
    assert await session.scalars(select(func.first(Sale.color)).order_by(Sale.item)).one() is Color.BLUE
    assert await session.scalars(select(func.push(Sale.color)).order_by(Sale.item)).one() == [Color.BLUE, None, None]


async def test_distinct_groups(session: AsyncSession) -> None:
    statement = select(func.count()).group_by(Sale.item).distinct()
    assert await rows(session, statement) == [(1,)]
    assert await (await session.execute(statement)).count() == 1


async def test_limits_and_existence(session: AsyncSession) -> None:
    statement = select(Sale.city, func.count()).group_by(Sale.city).order_by(Sale.city)
    assert await rows(session, statement.limit(0)) == []
    assert await (await session.execute(statement.limit(0))).count() == 0
    assert await (await session.execute(statement.limit(1))).one() == ("Oslo", 1)
    assert await (await session.execute(statement)).first() == ("Oslo", 1)
    assert await session.scalars(select(price * 2).where(qty > 100)).exists() is False
    assert await session.scalars(select(price * 2).limit(2)).count() == 2


async def test_counting_computed_rows_computes_nothing(session: AsyncSession, commands: CommandLog) -> None:
    result = session.scalars(select(price / 0))
    assert (await result.count(), await result.exists()) == (3, True)
    assert not any("$divide" in str(command) for command in commands.sent)


# -- mistakes -----------------------------------------------------------------------------------------------------


MISTAKES: list[tuple[str, Any, type[Exception], str]] = [
    ("columns of two models", lambda: select(Sale.item, Other.item), NotImplementedError, "there are no joins"),
    ("computed of two models", lambda: select(price * col(Other.price)), ArgumentError, "one model only"),
    ("two models", lambda: untyped.select(Sale, Other), NotImplementedError, "there is no join"),
    ("join", lambda: select(Sale).join(Other), NotImplementedError, "no join of Sale and Other"),
    ("outerjoin", lambda: select(Sale.item).outerjoin(Other), NotImplementedError, "lookup"),
    ("subquery", lambda: select(Sale).subquery(), NotImplementedError, "inside of another"),
    ("scalar_subquery", lambda: select(Sale.item).scalar_subquery(), NotImplementedError, "ask it first"),
    ("exists of a statement", lambda: select(Sale).exists(), NotImplementedError, "exists\\(\\) tells"),
    ("union", lambda: select(Sale).union(select(Sale)), NotImplementedError, "unionWith"),
    ("with_for_update", lambda: select(Sale).with_for_update(), NotImplementedError, "run_transaction"),
    ("select_from another", lambda: select(Sale.item).select_from(Other), NotImplementedError, "no join"),
    ("a subquery in where", lambda: select(Sale).where(untyped.select(Sale)), ArgumentError, "cannot stand inside"),
    ("a subquery in in_", lambda: col(Sale.id).in_(untyped.select(Sale.id)),
     NotImplementedError, "cannot stand inside"),
    ("a subquery compared", lambda: col(Sale.id) == untyped.select(Sale.id),
     NotImplementedError, "cannot stand inside"),
    ("a subquery computed", lambda: select(price + untyped.select(Sale.id)),
     NotImplementedError, "cannot stand inside"),
    ("SQL", lambda: mongotic.text("age > 3"), NotImplementedError, "does not know SQL"),
    ("a computed value in in_", lambda: qty.in_([untyped.func.abs(Sale.qty)]), ArgumentError, "computed by the server"),
    ("an aggregate in where", lambda: select(Sale.item).where(func.count() > 1), ArgumentError, "looks at many"),
    ("an aggregate in an aggregate", lambda: list(select(func.sum(func.count(Sale.qty))).pipeline()),
     ArgumentError, "many"),
    ("grouping by an aggregate", lambda: select(Sale.item).group_by(func.count(Sale.id)),
     ArgumentError, "looks at many"),
    ("grouping instances", lambda: select(Sale).group_by(Sale.city), NotImplementedError, "needs columns"),
    ("grouping by nothing", lambda: select(Sale.city).group_by(), TypeError, "takes columns"),
    ("grouping by another model", lambda: select(Sale.city).group_by(Other.item), ArgumentError, "one model only"),
    ("grouping by an unknown name", lambda: select(Sale.city).group_by("town"), ArgumentError, "no name of what"),
    ("grouping by a number", lambda: select(Sale.city).group_by(3), TypeError, "takes columns"),
    ("having of a bool", lambda: select(Sale.city).having(True), TypeError, "takes conditions"),
    ("a column that is not grouped", lambda: str(select(Sale.item, func.count())), ArgumentError, "group_by"),
    ("an order that is not grouped", lambda: str(select(func.count()).select_from(Sale).order_by(Sale.item)),
     ArgumentError, "one row for many"),
    ("having of what is not grouped", lambda: str(select(Sale.city).group_by(Sale.city).having(qty > 1)),
     ArgumentError, "one row for many"),
    ("nothing says the model", lambda: str(select(func.count())), ArgumentError, "select_from"),
    ("nothing says the model, sorted", lambda: select(func.count()).order_by("n"), ArgumentError, "select_from"),
    ("a sum of a list", lambda: func.sum(col(Sale.lines).qty), NotImplementedError, "unwind"),
    ("two of one name", lambda: select(price.label("a"), qty.label("a")), ArgumentError, "called 'a'"),
    ("a label that is none", lambda: price.label("_a"), ArgumentError, "begins with a letter"),
    ("a label that is no text", lambda: price.label(untyped.func), TypeError, "takes a name"),
    ("a constant in select", lambda: select(price + 1, untyped.literal), TypeError, "select"),
    ("case without pairs", lambda: untyped.case(), ArgumentError, "at least one"),
    ("case of a bool", lambda: case((True, 1)), TypeError, "takes conditions"),
    ("case of no pair", lambda: untyped.case(3), TypeError, "takes pairs"),
    ("case of a text search", lambda: select(case((mongotic.text_search("a"), 1), else_=price)),
     NotImplementedError, "where"),
    ("a computed value as truth", lambda: bool(price * 2), TypeError, "neither true nor false"),
    ("iterating over a computed value", lambda: list(untyped.func.lower(Sale.item)), TypeError, "nothing to iterate"),
    ("an unknown function", lambda: untyped.func.median(Sale.qty), AttributeError, "there is no func.median"),
    ("coalesce of one", lambda: untyped.func.coalesce(Sale.qty), ArgumentError, "at least two"),
    ("an unknown unit", lambda: func.date_trunc("eon", Sale.sold), ArgumentError, "takes one of year"),
    ("an unknown day", lambda: func.date_trunc("week", Sale.sold, start_of_week="x"), ArgumentError, "a day"),
    ("a bin of nothing", lambda: func.date_trunc("week", Sale.sold, bin_size=0), ArgumentError, "from 1"),
    ("a zone that is no text", lambda: func.year(Sale.sold, timezone=untyped.func), TypeError, "timezone"),
    ("a broken flag", lambda: func.lower(Sale.item).regexp_match("a", "q"), ArgumentError, "flags"),
    ("NUL in a pattern", lambda: func.lower(Sale.item).contains("\0"), ArgumentError, "NUL"),
    ("a keyset page of groups", lambda: select(Sale.city).group_by(Sale.city).after(None), ArgumentError, "rows"),
    ("sorting instances by a computed value", lambda: select(Sale).order_by(price * qty),
     NotImplementedError, "columns"),
]  # fmt: skip  # one line per case


@pytest.mark.parametrize(
    ("call", "error", "message"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_mistake(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, (mongotic.MongoticError, AttributeError))


def test_an_unsupported_thing_is_an_argument_error_too() -> None:
    assert issubclass(UnsupportedError, ArgumentTypeError)


async def test_long_sums_are_walked_once_per_term(session: AsyncSession) -> None:
    long: Any = col(Sale.qty)
    for _ in range(60):  # what doubled with each term would take longer than anybody waits
        long = long + 1
    plain, summed = await (await session.execute(select(Sale.qty, long).where(Sale.qty > 0).limit(1))).one()
    assert summed == plain + 60


def test_deep_trees_are_refused_with_words() -> None:
    deep: Any = price
    for _ in range(5000):
        deep = deep + 1
    with pytest.raises(ArgumentError, match="nested too deeply"):
        select(Sale).where(deep > 1)
    with pytest.raises(ArgumentError, match="nested too deeply"):
        select(deep)


def test_a_statement_shows_its_pipeline() -> None:
    statement = select((qty * 2).label("n")).where(Sale.qty > 1)
    assert str(statement) == (
        "db.sale.aggregate([{$match: {qty: {$gt: 1}}}, "
        '{$project: {_id: 0, "0": {$multiply: ["$qty", {$literal: 2}]}}}])'
    )
    assert repr(statement) == "select(n) of Sale"
    assert [column["name"] for column in statement.column_descriptions] == ["n"]
    assert "$multiply" in repr(qty * 2)
    assert "$sum" in repr(func.count())
