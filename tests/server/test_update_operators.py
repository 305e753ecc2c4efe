"""`mongotic.ops` and paths in `update().values()`: what they do to documents, and what they refuse before anything is
sent."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import bson
import pytest
from odmantic import EmbeddedModel, Field, Model, Reference
from pydantic import BaseModel
from pymongo.database import Database

from mongotic import ArgumentError, and_, case, col, func, insert, ops, or_, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import OperationalError
from tests.conftest import CommandLog, Document


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Address(EmbeddedModel):
    city: str = Field(key_name="town")
    zip_code: str = ""


class Item(EmbeddedModel):
    sku: str = Field(key_name="code")
    qty: int = 1
    marks: list[int] = []


class Plain(BaseModel):
    left: int = 0
    right: list[int] = []


class Publisher(Model):
    name: str


class Thing(Model):
    name: str
    count: int = Field(default=0, ge=0)
    ratio: float = 0.0
    price: Decimal = Decimal(0)
    tags: list[str] = []
    colors: set[Color] = set()
    scores: list[int] = []
    items: list[Item] = Field(default=[], key_name="parts")
    address: Address | None = None
    plain: Plain = Plain()
    notes: dict[str, int] = {}
    seen: datetime | None = None
    old: str | None = None
    new: str | None = None
    anything: Any = None  # users have such fields
    objects: list[Any] = []  # and such
    publisher: Publisher | None = None
    flag: bool = False


class Edition(Model):
    number: int = 0
    publisher: Publisher = Reference()


THING: Document = {
    "name": "a",
    "count": 5,
    "ratio": 1.5,
    "price": bson.Decimal128("2.50"),
    "tags": ["x", "y", "x"],
    "scores": [3, 1, 2],
    "parts": [{"code": "s", "qty": 1, "marks": [1, 5]}, {"code": "t", "qty": 7, "marks": [9]}],
    "address": {"town": "Rome", "zip_code": "1"},
    "plain": {"left": 1, "right": [1]},
    "notes": {"k": 1},
    "old": "was",
}


@pytest.fixture
def thing(raw: Database[Document]) -> None:
    raw["thing"].insert_one(dict(THING))


def changed(raw: Database[Document]) -> Document:
    """What the stored document has that the first one had not."""
    stored = raw["thing"].find_one({}, {"_id": 0}) or {}
    gone = dict.fromkeys(THING.keys() - stored.keys(), "gone")
    return {key: value for key, value in stored.items() if THING.get(key) != value} | gone


T: Any = Thing

CHANGES: dict[str, tuple[Any, Document]] = {
    "inc": ({"count": ops.inc(2)}, {"count": 7}),
    "inc below nothing": ({"count": ops.inc(-2)}, {"count": 3}),
    "inc of a float": ({"ratio": ops.inc(1)}, {"ratio": 2.5}),
    "inc of a decimal": ({"price": ops.inc(Decimal("0.25"))}, {"price": bson.Decimal128("2.75")}),
    "mul": ({"count": ops.mul(3)}, {"count": 15}),
    "mul of a missing one": ({"anything": ops.mul(2)}, {"anything": 0}),
    "min": ({"count": ops.min_(2)}, {"count": 2}),
    "min, larger": ({"count": ops.min_(9)}, {}),
    "max": ({"count": ops.max_(9)}, {"count": 9}),
    "unset": ({"old": ops.unset()}, {"old": "gone"}),
    "rename": ({"old": ops.rename("new")}, {"old": "gone", "new": "was"}),
    "rename to a column": ({"old": ops.rename(col(T.new))}, {"old": "gone", "new": "was"}),
    "bit": ({"count": ops.bit(and_=4)}, {"count": 4}),
    "xor": ({"count": ops.bit(xor=1)}, {"count": 4}),
    "push": ({"tags": ops.push("z")}, {"tags": ["x", "y", "x", "z"]}),
    "push several in front": (
        {"tags": ops.push(each=["a", "b"], position=0)}, {"tags": ["a", "b", "x", "y", "x"]}),
    "push, kept short": ({"scores": ops.push(each=[9, 0], sort=-1, slice=3)}, {"scores": [9, 3, 2]}),
    "push an embedded one": (
        {"items": ops.push(Item(sku="u"))},
        {"parts": [*THING["parts"], {"code": "u", "qty": 1, "marks": []}]}),
    "push an embedded one as a dict, sorted": (
        {"items": ops.push({"sku": "u", "qty": 3}, sort=-col(T.items).qty)},
        {"parts": [THING["parts"][1], {"code": "u", "qty": 3, "marks": []}, THING["parts"][0]]}),
    "push what looks like an operator": (
        {"objects": ops.push({"$each": [1]})}, {"objects": [{"$each": [1]}]}),
    "add what is there": ({"tags": ops.add_to_set("y")}, {}),
    "add several": ({"tags": ops.add_to_set(each=["y", "q"])}, {"tags": ["x", "y", "x", "q"]}),
    "add to a set of enums": ({"colors": ops.add_to_set(Color.BLUE)}, {"colors": ["blue"]}),
    "pop": ({"scores": ops.pop()}, {"scores": [3, 1]}),
    "pop first": ({"scores": ops.pop(first=True)}, {"scores": [1, 2]}),
    "pull": ({"tags": ops.pull("x")}, {"tags": ["y"]}),
    "pull several": ({"scores": ops.pull(each=[1, 2])}, {"scores": [3]}),
    "pull by condition": ({"scores": ops.pull(col(T.scores) < 3)}, {"scores": [3]}),
    "pull by two conditions": (
        {"scores": ops.pull((col(T.scores) > 1) & (col(T.scores) < 3))}, {"scores": [3, 1]}),
    "pull by a pattern": ({"tags": ops.pull(col(T.tags).match("^x$"))}, {"tags": ["y"]}),
    "pull embedded ones": ({"items": ops.pull(col(T.items).qty > 5)}, {"parts": [THING["parts"][0]]}),
    "pull embedded ones by their own columns": (
        {"items": ops.pull(col(Item.qty) > 5)}, {"parts": [THING["parts"][0]]}),
    "pull embedded ones by alternatives of their own columns": (
        {"items": ops.pull(or_(col(Item.qty) > 5, col(Item.sku) == "none"))}, {"parts": [THING["parts"][0]]}),
    "pull embedded ones by alternatives": (
        {"items": ops.pull(or_(col(T.items).qty > 5, col(T.items).sku == "s"))}, {"parts": []}),
    "pull an embedded value": (
        {"items": ops.pull(Item(sku="t", qty=7, marks=[9]))}, {"parts": [THING["parts"][0]]}),
    "pull what looks like an operator": ({"objects": ops.pull({"$gt": ""})}, {"objects": []}),
    "set on insert": ({"name": ops.set_on_insert("other")}, {}),
    "values and operators": (
        {"name": "b", "count": ops.inc(1), "tags": []}, {"name": "b", "count": 6, "tags": []}),
    "a dict is data": ({"anything": {"$inc": 1}}, {"anything": {"$inc": 1}}),
    "embedded path by column": ({col(T.address).city: "Oslo"}, {"address": {"town": "Oslo", "zip_code": "1"}}),
    "embedded path by name": ({"address.city": "Oslo"}, {"address": {"town": "Oslo", "zip_code": "1"}}),
    "operator on an embedded path": (
        {"address.zip_code": ops.unset()}, {"address": {"town": "Rome"}}),
    "path in a plain model": ({"plain.left": ops.inc(2)}, {"plain": {"left": 3, "right": [1]}}),
    "list in a plain model": ({col(T.plain).right: ops.push(2)}, {"plain": {"left": 1, "right": [1, 2]}}),
    "key of a dict": ({"notes.k": ops.inc(1), "notes.m": 5}, {"notes": {"k": 2, "m": 5}}),
    "every element": ({"scores.$[]": ops.inc(1)}, {"scores": [4, 2, 3]}),
    "in every element": (
        {"items.$[].qty": 0},
        {"parts": [{**THING["parts"][0], "qty": 0}, {**THING["parts"][1], "qty": 0}]}),
    "another column": ({"name": col(T.old)}, {"name": "was"}),
    "another column and values": (
        {"name": col(T.old), "tags": ["$name"], "old": ops.unset(), "anything": {"$add": [1, 2]}},
        {"name": "was", "tags": ["$name"], "old": "gone", "anything": {"$add": [1, 2]}}),
}  # fmt: skip


@pytest.mark.usefixtures("thing")
@pytest.mark.parametrize("name", CHANGES)
async def test_what_an_update_does(
    session: AsyncSession, raw: Database[Document], commands: CommandLog, name: str
) -> None:
    values, expected = CHANGES[name]
    if name == "pull what looks like an operator":
        raw["thing"].update_one({}, {"$set": {"objects": [{"$gt": ""}]}})
    result = await session.execute(update(Thing).values(values))
    assert commands.names() == ["update thing"]
    assert result.matched_count == 1
    assert changed(raw) == expected
    assert await session.scalars(select(Thing)).one()  # and the model can still read it


@pytest.mark.usefixtures("thing")
async def test_the_time_of_the_server(session: AsyncSession, raw: Database[Document]) -> None:
    await session.execute(update(Thing).values(seen=ops.current_date()))
    assert isinstance(changed(raw)["seen"], datetime)


ARRAY_FILTERS: dict[str, tuple[Any, Any, Document]] = {
    "plain elements": ({"scores.$[low]": ops.mul(10)}, {"low": col(T.scores) < 3}, {"scores": [3, 10, 20]}),
    "embedded elements": (
        {"items.$[few].qty": 5}, {"few": and_(col(T.items).qty < 5, col(T.items).sku == "s")},
        {"parts": [{**THING["parts"][0], "qty": 5}, THING["parts"][1]]}),
    "embedded elements by their own columns": (
        {"items.$[few].qty": 5}, {"few": (col(Item.qty) < 5) & or_(col(Item.sku) == "s", col(T.items).sku == "none")},
        {"parts": [{**THING["parts"][0], "qty": 5}, THING["parts"][1]]}),
    "lists in lists": (
        {"items.$[few].marks.$[high]": 0}, {"few": col(T.items).qty < 5, "high": col(T.items).marks > 2},
        {"parts": [{**THING["parts"][0], "marks": [1, 0]}, THING["parts"][1]]}),
}  # fmt: skip


@pytest.mark.usefixtures("thing")
@pytest.mark.parametrize("name", ARRAY_FILTERS)
async def test_array_filters(session: AsyncSession, raw: Database[Document], name: str) -> None:
    values, criteria, expected = ARRAY_FILTERS[name]
    await session.execute(update(Thing).values(values).array_filters(**criteria))
    assert changed(raw) == expected


async def test_no_embedded_document_is_made_up_of_one_field(session: AsyncSession, raw: Database[Document]) -> None:
    raw["thing"].insert_many([{"name": "missing"}, {"name": "null", "address": None}, {"name": "there",
        "address": {"town": "Rome"}, "parts": []}])  # fmt: skip
    assert (await session.execute(update(Thing).values({col(Thing.address).city: "Oslo"}))).matched_count == 1
    assert (await session.execute(update(Thing).values({"items.$[].qty": 0}))).matched_count == 1
    assert [thing.name for thing in await session.scalars(select(Thing).where(Thing.address != None)).all()] == [
        "there"
    ]


@pytest.mark.usefixtures("thing")
async def test_a_later_values_has_the_last_word(session: AsyncSession, raw: Database[Document]) -> None:
    statement = update(Thing).values(count=ops.inc(1), name="b").values(count=1)
    await session.execute(statement)
    assert changed(raw) == {"count": 1, "name": "b"}


async def test_an_update_cut_off_says_what_is_known(session: AsyncSession, raw: Database[Document]) -> None:
    raw["thing"].insert_many([{"name": "a", "anything": []}, {"name": "b", "anything": "text"}])
    with pytest.raises(OperationalError, match="changed before the error stay changed"):
        await session.execute(update(Thing).values(anything=ops.push(1)))
    assert [document["anything"] for document in raw["thing"].find()] == [[1], "text"]


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown field": ({"cuont": ops.inc(1)}, "Thing has no field 'cuont'"),
    "primary key": ({"id": ops.inc(1)}, "is the primary key"),
    "primary key by its stored name": ({"_id": 1}, "is the primary key"),
    "primary key column": ({col(T.id): 1}, "is the primary key"),
    "column of another model": ({col(Publisher.name): "x"}, "is no field of Thing"),
    "key of another kind": ({3: "x"}, "takes names of fields, or columns, as keys, got 3"),
    "no number": ({"count": ops.inc("1")}, "'1' is no number of the field's type"),  # type: ignore[arg-type]
    "a bool for a number": ({"count": ops.inc(True)}, "True is no number"),
    "a float for a whole number": ({"count": ops.inc(0.5)}, "0.5 is no number of the field's type"),
    "a float for a decimal": ({"price": ops.inc(0.5)}, "0.5 is no number"),
    "a huge number for a float": ({"ratio": ops.inc(10**400)}, "too large"),
    "inc of text": ({"name": ops.inc(1)}, "holds no numbers"),
    "inc of a bool": ({"flag": ops.inc(1)}, "holds no numbers"),
    "inc of an embedded model": ({"address": ops.inc(1)}, "holds no numbers"),
    "min of another type": ({"count": ops.min_("x")}, "'x' does not fit Thing.count"),
    "max beyond a constraint": ({"count": ops.max_(-1)}, "-1 does not fit Thing.count"),
    "push to no list": ({"name": ops.push("x")}, "Thing.name is no list"),
    "push of another type": ({"scores": ops.push("x")}, "'x' does not fit Thing.scores"),
    "push of a dict as operators": ({"tags": ops.push({"$each": ["x"]})}, "does not fit Thing.tags"),
    "push of a half embedded one": ({"items": ops.push({"qty": 1})}, "does not fit Thing.items: Field required"),
    "push to a set": ({"colors": ops.push(Color.RED)}, "add_to_set"),
    "push of nothing": ({"tags": ops.push()}, "give one value, or each"),
    "push of both": ({"tags": ops.push("x", each=["y"])}, "give one value, or each"),
    "push of text as several": ({"tags": ops.push(each="xyz")}, "each takes a list"),
    "push with a bad slice": ({"tags": ops.push("x", slice="2")}, "slice takes a whole number"),  # type: ignore[arg-type]
    "push with a bad order": ({"tags": ops.push("x", sort="tags")}, "sort takes 1, -1, or orders"),  # type: ignore[arg-type]
    "push sorted by something else": (
        {"items": ops.push(Item(sku="x"), sort=-col(T.count))}, "concerns 'count'"),
    "pull from no list": ({"name": ops.pull("x")}, "is no list"),
    "pull by a condition on something else": ({"scores": ops.pull(col(T.count) > 1)}, "concerns 'count'"),
    "pull by alternatives of plain elements": (
        {"scores": ops.pull(or_(col(T.scores) > 1, col(T.scores) < 0))}, "in several steps"),
    "pop of no list": ({"count": ops.pop()}, "is no list"),
    "pop with text": ({"tags": ops.pop(first="yes")}, "first takes True or False"),  # type: ignore[arg-type]
    "unset what is required": ({"name": ops.unset()}, "has no default"),
    "unset an element": ({"scores.$[]": ops.unset()}, "has no default"),
    "rename what is required": ({"name": ops.rename("new")}, "has no default"),
    "rename to another type": ({"old": ops.rename("count")}, "another type"),
    "rename to itself": ({"old": ops.rename("old")}, "already"),
    "rename to nothing known": ({"old": ops.rename("nothing")}, "no field 'nothing'"),
    "date for text": ({"name": ops.current_date()}, "holds no datetimes"),
    "bits of text": ({"name": ops.bit(or_=1)}, "whole numbers"),
    "bits of nothing": ({"count": ops.bit()}, "say with what"),
    "bits by a float": ({"count": ops.bit(or_=1.0)}, "whole numbers"),  # type: ignore[arg-type]
    "paths in each other": ({"address": None, "address.city": "x"}, "contradict each other"),
    "rename onto another": ({"old": ops.rename("new"), "new": "x"}, "contradict each other"),
    "one field twice": ({"count": 1, col(T.count): 2}, "is there twice"),
    "path through a list": ({"items.qty": 1}, r"say which elements: 'items.\$\[\].qty'"),
    "column through a list": ({col(T.items).qty: 1}, "say which elements"),
    "elements of no list": ({"name.$[]": 1}, "is no list"),
    "path into text": ({"name.first": 1}, "nothing inside of Thing.name"),
    "unknown embedded field": ({"address.street": 1}, "Address has no field 'street'"),
    "unknown field of a plain model": ({"plain.up": 1}, "Plain has no field 'up'"),
    "embedded value of another type": ({"address.city": 3}, "3 does not fit Address.city"),
    "operators in a path": ({"notes.$where": 1}, "cannot be a part of a path"),
    "empty part of a path": ({"notes.": 1}, "cannot be a part of a path"),
    "embedded unset of what is required": ({"address.city": ops.unset()}, "has no default"),
    "column of another model as value": ({"name": col(Publisher.name)}, "is no field of Thing"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_update_refuses_in_the_line_that_says_it(name: str) -> None:
    values, message = REFUSED[name]
    with pytest.raises(ArgumentError, match=message):
        update(Thing).values(values)


def test_a_path_through_a_reference_is_refused() -> None:
    with pytest.raises(ArgumentError, match="is a reference"):
        update(Edition).values({"publisher.name": "x"})


LATE: dict[str, tuple[Any, str]] = {
    "no condition for a name": (lambda: update(Thing).values({"scores.$[low]": 0}), r"which elements \$\[low\]"),
    "no path for a condition": (
        lambda: update(Thing).values(count=1).array_filters(low=col(T.scores) < 3), r"no path .* has \$\[low\]"),
    "a condition on another embedded model": (
        lambda: update(Thing).values({"items.$[few].qty": 0}).array_filters(few=col(Address.city) == "x"),
        "elements of Thing.items are no Address"),
    "a condition on something else": (
        lambda: update(Thing).values({"scores.$[low]": 0}).array_filters(low=col(T.count) < 3), "concerns 'count'"),
    "operators beside computed values": (
        lambda: update(Thing).values(name=col(T.old), count=ops.inc(1)), "does not mix with computed values"),
}  # fmt: skip


@pytest.mark.parametrize("name", LATE)
async def test_what_only_the_whole_statement_shows_is_refused_before_it_is_sent(
    session: AsyncSession, commands: CommandLog, name: str
) -> None:
    make, message = LATE[name]
    with pytest.raises(ArgumentError, match=message):
        await session.execute(make())
    assert commands.sent == []


def test_names_of_elements_are_those_mongodb_takes() -> None:
    for name in ("Low", "_low", "lów", "a-b"):
        with pytest.raises(ArgumentError, match="letters and digits"):
            update(Thing).array_filters(**{name: col(T.scores) < 3})


OPERATORS_AS_VALUES: dict[str, Any] = {
    "in a list": lambda: update(Thing).values(anything=[ops.inc(1)]),
    "in an operator": lambda: update(Thing).values(objects=ops.push(ops.inc(1))),
    "in a condition": lambda: update(Thing).where({"anything": ops.inc(1)}),
    "in an insert": lambda: insert(Thing).values(name="a", anything=ops.inc(1)),
}


@pytest.mark.parametrize("name", OPERATORS_AS_VALUES)
def test_an_operator_is_no_value_anywhere_else(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"ops\.inc\(1\) cannot be a value"):
        OPERATORS_AS_VALUES[name]()


async def test_an_operator_in_an_instance_is_refused(session: AsyncSession, commands: CommandLog) -> None:
    session.add(Thing(name="a", anything=ops.inc(1)))
    with pytest.raises(ArgumentError, match="cannot be a value"):
        await session.flush()
    assert commands.sent == []


def test_operators_show_what_they_are() -> None:
    assert repr(ops.push("x", slice=3)) == "push('x', slice=3)"
    assert repr(update(Thing).values(count=ops.inc(1), name="b")) == (
        "update(Thing).where({}).values({'count': {'$inc': 1}, 'name': 'b'})"
    )


# -- computed values ----------------------------------------------------------------------------------------------

COMPUTED: dict[str, tuple[Any, Document]] = {
    "arithmetic": ({"count": col(T.count) * 2 + 1}, {"count": 11}),
    "of embedded fields": ({"count": col(T.plain).left + col(T.count)}, {"count": 6}),
    "constants are data": ({"name": func.concat(col(T.name), "$old")}, {"name": "a$old"}),
    "a choice": ({"name": case((col(T.count) > 3, "many"), else_="few")}, {"name": "many"}),
    "every one from the document as it was": (
        {"old": col(T.name), "name": col(T.old), "tags": ["$name"]}, {"old": "a", "name": "was", "tags": ["$name"]}),
    "inside an embedded document": ({"address.city": col(T.name)}, {"address": {"town": "a", "zip_code": "1"}}),
    "null, where it is no value": ({"count": func.length(col(T.new))}, {}),
    "null, inside an embedded document": ({"address.city": func.lower(col(T.new))}, {}),
    "null, where it is one": ({"old": func.lower(col(T.new))}, {"old": None}),
    "a fraction in a field of fractions": ({"ratio": col(T.count) / 2}, {"ratio": 2.5}),
    "a fraction made whole": ({"count": func.floor(col(T.count) / 2)}, {"count": 2.0}),
}  # fmt: skip


@pytest.mark.usefixtures("thing")
@pytest.mark.parametrize("name", COMPUTED)
async def test_computed_values(session: AsyncSession, raw: Database[Document], name: str) -> None:
    values, expected = COMPUTED[name]
    await session.execute(update(Thing).values(values))
    assert changed(raw) == expected


def test_what_cannot_be_computed_is_refused() -> None:
    for value, message in (
        (col(Publisher.name) + "x", "Publisher"),
        (func.sum(col(T.count)), "many documents"),
        (col(T.count) > 3, "a condition, which is no value"),
    ):
        with pytest.raises(ArgumentError, match=message):
            update(Thing).values(anything=value)


MISFITS: dict[str, tuple[Any, str]] = {
    "a text as a number": ({"count": func.lower(col(T.name))}, "a text, which does not fit Thing.count"),
    "a column of texts as a number": ({"ratio": col(T.name)}, "does not fit Thing.ratio"),
    "a text as a date": ({"seen": func.concat(col(T.name), "x")}, "does not fit Thing.seen"),
    "a text as a list": ({"tags": col(T.name)}, "does not fit Thing.tags"),
    "a text as an embedded document": ({"address": col(T.name)}, "does not fit Thing.address"),
    "a number as a text": ({"name": func.length(col(T.tags))}, "does not fit Thing.name"),
    "a number inside an embedded document": ({"address.city": col(T.count) * 2}, "does not fit Thing.address.city"),
    "a number as a bool": ({"flag": col(T.count)}, "does not fit Thing.flag"),
    "a fraction as a whole number": ({"count": col(T.count) / 2}, "func.floor"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_is_computed_fits_the_field(name: str) -> None:
    values, message = MISFITS[name]
    with pytest.raises(ArgumentError, match=message):
        update(Thing).values(values)
