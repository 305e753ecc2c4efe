"""Elements of lists as columns: `col(User.tags)[0]`, `col(Order.items)[-1].qty`."""

# pyright takes an attribute declared as a list of EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model
from pymongo.database import Database

from mongotic import case, col, func, literal, ops, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError
from tests.conftest import CommandLog, Document


class Line(EmbeddedModel):
    sku: str
    qty: int = Field(key_name="q")
    marks: list[str] = []


class Purchase(Model):
    number: int = Field(primary_field=True)
    tags: list[str] = []
    prices: list[Decimal] = []
    lines: list[Line] = []
    limit: int = 0


LINES = [Line(sku="a", qty=1, marks=["x", "y"]), Line(sku="b", qty=5)]
PURCHASES = [
    Purchase(number=1, tags=["new", "big"], prices=[Decimal("1.5")], lines=LINES, limit=3),
    Purchase(number=2, tags=["big"], lines=[Line(sku="c", qty=5)], limit=5),
    Purchase(number=3),
]


@pytest.fixture(autouse=True)
async def purchases(session: AsyncSession, commands: CommandLog) -> None:
    session.add_all([purchase.model_copy() for purchase in PURCHASES])
    await session.commit()
    session.expunge_all()
    commands.sent.clear()


tags, lines = col(Purchase.tags), col(Purchase.lines)
loose: Any = tags
number: Any = col(Purchase.limit)  # what no type checker would let pass


async def rows(session: AsyncSession, *columns: Any) -> list[Any]:
    found = await (await session.execute(select(*columns).order_by(Purchase.number))).all()
    return [tuple(row) if len(columns) > 1 else row[0] for row in found]


async def test_they_are_selected(session: AsyncSession) -> None:
    assert await rows(session, tags[0]) == ["new", "big", None]
    assert await rows(session, Purchase.number, tags[-1]) == [(1, "big"), (2, "big"), (3, None)]
    assert await rows(session, col(Purchase.prices)[0]) == [Decimal("1.5"), None, None]
    assert await rows(session, lines[-1]) == [LINES[1], Line(sku="c", qty=5), None]
    assert await rows(session, lines[0].qty, lines[1].sku) == [(1, "b"), (5, None), (None, None)]
    assert await rows(session, lines[0].marks) == [["x", "y"], [], None]
    assert await rows(session, lines[0].marks[-1]) == ["y", None, None]


async def test_a_stored_value_is_read_by_its_type(session: AsyncSession, raw: Database[Document]) -> None:
    raw["purchase"].update_one({"_id": 1}, {"$set": {"lines.0": {"sku": "z"}}})
    with pytest.raises(Exception, match=r"lines|qty"):
        await rows(session, lines[0])


async def test_they_are_computed_with_and_labelled(session: AsyncSession) -> None:
    total = (lines[0].qty * 10).label("total")
    row = (await (await session.execute(select(Purchase.number, total).where(Purchase.number == 1))).all())[0]
    assert (row.number, row.total) == (1, 10)


async def test_they_are_grouped_and_sorted_by(session: AsyncSession) -> None:
    last, count = tags[-1], func.count()
    statement = select(last.label("tag"), count.label("n")).group_by(last).order_by(count.desc())
    assert [tuple(row) for row in await (await session.execute(statement)).all()] == [("big", 2), (None, 1)]
    ordered = select(Purchase.number).order_by(lines[0].qty.desc(), Purchase.number)
    assert await session.scalars(ordered).all() == [2, 1, 3]


async def test_what_a_function_gives_is_read_by_its_type(session: AsyncSession) -> None:
    functions = select(func.min(lines[0].qty), func.first(lines[0]), func.push(lines[-1]))
    ordered = functions.order_by(Purchase.number)
    first, last = LINES
    assert [tuple(row) for row in await (await session.execute(ordered)).all()] == [
        (1, first, [last, Line(sku="c", qty=5), None])
    ]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match=r"Purchase.lines.0 has no field 'qyt'; did you mean"):
        _ = lines[0].qyt
    with pytest.raises(AttributeError, match=r"Purchase.tags.-1 is counted from the end .* like\(\) needs"):
        tags[-1].like("a%")


CONDITIONS: list[tuple[Any, list[int]]] = [
    (tags[0] == "big", [2]),
    (tags[0] != "big", [1, 3]),
    (tags[0].in_(["new", "big"]), [1, 2]),
    (tags[0].like("n%"), [1]),
    (tags[1].exists(), [1]),
    (tags[-1] == "big", [1, 2]),
    (tags[-1].startswith("bi"), [1, 2]),
    (tags[-1].in_(["new"]), []),
    (lines[0].qty > 3, [2]),
    (lines[0].sku.like("a%"), [1]),
    (lines[0].marks.any("y"), [1]),
    (lines[-1].qty == 5, [1, 2]),
    (lines[-1].qty.between(4, 6), [1, 2]),
    (lines[0].qty < col(Purchase.limit), [1, 3]),  # null comes first in MongoDB's order of all values
    (col(Purchase.limit) == lines[-1].qty, [2]),
    (lines[0].qty == lines[-1].qty, [2, 3]),
    (lines[0].marks[1] == "y", [1]),
    (tags[0] == None, [3]),
    (tags[0].is_not(None), [1, 2]),
    (tags[-1].is_(None), [3]),
]


@pytest.mark.parametrize("position", range(len(CONDITIONS)))
async def test_they_are_conditions_alone_and_inside_of_a_value(session: AsyncSession, position: int) -> None:
    condition, expected = CONDITIONS[position]
    found = select(Purchase.number).where(condition).order_by(Purchase.number)
    assert await session.scalars(found).all() == expected
    held = case((condition, 1), else_=0)
    assert await rows(session, held) == [int(number in expected) for number in (1, 2, 3)]


def test_a_position_is_a_path_to_conditions() -> None:
    assert select(Purchase).where(tags[0] == "a").whereclause == {"tags.0": {"$eq": "a"}}
    assert select(Purchase).where(lines[1].qty > 2).whereclause == {"lines.1.q": {"$gt": 2}}
    assert "$arrayElemAt" in str(select(Purchase).where(tags[-1] == "a"))


async def test_they_are_updated(session: AsyncSession, raw: Database[Document]) -> None:
    changes: Any = {tags[0]: "old", lines[0].qty: ops.inc(2)}
    assert (await session.execute(update(Purchase).values(changes))).rowcount == 2
    assert [each["tags"] for each in raw["purchase"].find(sort=[("_id", 1)])] == [["old", "big"], ["old"], []]
    assert raw["purchase"].find_one({"_id": 1}, {"lines.q": 1, "_id": 0}) == {"lines": [{"q": 3}, {"q": 5}]}
    await session.execute(update(Purchase).values({"tags.1": "last"}))
    assert [each["tags"] for each in raw["purchase"].find(sort=[("_id", 1)])] == [["old", "last"], ["old"], []]
    await session.execute(update(Purchase).values({lines[1].sku: "zz"}))
    assert [len(each["lines"]) for each in raw["purchase"].find(sort=[("_id", 1)])] == [2, 1, 0]
    assert len(await session.scalars(select(Purchase)).all()) == 3  # nothing was made up


WRONG: list[tuple[Any, str]] = [
    (lambda: loose["0"], "position of one element"),
    (lambda: tags[True], "position of one element"),
    (lambda: loose[0:2], "position of one element"),
    (lambda: tags[2**31], "32 bits"),
    (lambda: number[0], "no list"),
    (lambda: loose[0][0], "no list"),
    (lambda: lines.marks[0], "which of the lists first"),
    (lambda: update(Purchase).values({tags[-1]: "x"}), "from the end of its list"),
    (lambda: update(Purchase).values({tags[0]: 3}), "does not fit"),
    (lambda: update(Purchase).values({"limit.0": 3}), "nothing inside"),
    (lambda: str(update(Purchase).values({tags[0]: tags[1]})), "leads into a list"),
]


@pytest.mark.parametrize("position", range(len(WRONG)))
def test_what_makes_no_sense_is_refused(position: int) -> None:
    wrong, message = WRONG[position]
    with pytest.raises(ArgumentError, match=message):
        wrong()


def test_the_types_of_columns_are_told() -> None:
    limit = col(Purchase.limit)
    statement = select(
        tags[0],
        lines[-1],
        (limit + 1).label("more"),
        (limit / 2).label("half"),
        func.lower(tags[0]).label("lower"),
        func.length(tags[0]).label("length"),
        literal("x").label("constant"),
        case((limit > 3, 1), else_=0).label("flag"),
    )
    known = [found["type"] for found in statement.column_descriptions]
    assert known == [str, Line, int, None, str, int, str, int]
    of_groups = select(func.count(), func.max(limit), func.push(limit), func.avg(limit), func.sum(limit), limit)
    grouped = [found["type"] for found in of_groups.group_by(limit).column_descriptions]
    assert grouped == [int, int, list[int], None, int, int]
