"""Every operator of a column, on a real server: through `col()`, and on the class attributes of a `MongoBaseModel`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, Optional

import pytest
from odmantic import EmbeddedModel, Field, Model, ObjectId, Reference, SyncEngine
from pydantic import BaseModel
from pymongo.database import Database

import mongotic
from mongotic import and_, col, not_, or_, select
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError, ArgumentTypeError
from mongotic.model import MongoBaseModel
from tests.conftest import Document

untyped: Any = mongotic  # for calls that are wrong on purpose


class Home(EmbeddedModel):
    city: str
    rooms: int = Field(default=1, key_name="r")


class Plain(Model):
    name: str
    age: int | None = None
    limit: int = 0
    tags: list[str] = []
    home: Home = Home(city="Rome")
    homes: list[Home] = []

    model_config = {"collection": "people"}


class Old(MongoBaseModel):
    __tablename__ = "people"
    name: str
    age: int | None = None
    limit: int = 0
    tags: list[str] = []
    home: Home = Home(city="Rome")
    homes: list[Home] = []


class Pet(Model):
    name: str
    owner: Plain = Reference()


def home(city: str) -> Document:
    return {"city": city, "r": 1}


PEOPLE: list[Document] = [
    {"name": "Ann", "age": 30, "limit": 40, "tags": ["a", "b"], "home": {"city": "Rome", "r": 2}, "homes": []},
    {"name": "Bob%", "age": 25, "limit": 20, "tags": ["b"], "home": {"city": "Oslo", "r": 1}, "homes": [home("Bonn")]},
    {"name": "ann.", "age": None, "limit": 0, "tags": [], "home": {"city": "Bonn", "r": 5}, "homes": [home("Rome")]},
    {"name": "Cid\nDan", "limit": 0, "tags": ["c"], "home": {"city": "Rome", "r": 9}, "homes": [home("Oslo")]},
]  # fmt: skip
NAMES = {"A": "Ann", "B": "Bob%", "a": "ann.", "C": "Cid\nDan"}


class Columns:
    """The columns of one model, by the name of the field."""

    def __init__(self, model: Any, *, plain: bool) -> None:
        self.model = model
        self._plain = plain

    def __getattr__(self, name: str) -> Any:  # a column
        attribute = getattr(self.model, name)
        return col(attribute) if self._plain else attribute


@pytest.fixture(params=["col", "attribute"])
def c(request: pytest.FixtureRequest, raw: Database[Document]) -> Columns:
    raw["people"].insert_many([dict(person) for person in PEOPLE])
    return Columns(Plain, plain=True) if request.param == "col" else Columns(Old, plain=False)


CASES: list[tuple[str, Callable[[Any], Any], str]] = [
    ("==", lambda c: c.name == "Ann", "A"),
    ("== None", lambda c: c.age == None, "aC"),
    ("!=", lambda c: c.age != 30, "BaC"),
    ("!= None", lambda c: c.age != None, "AB"),
    (">", lambda c: c.age > 25, "A"),
    (">=", lambda c: c.age >= 25, "AB"),
    ("<", lambda c: c.age < 30, "B"),
    ("<=", lambda c: c.age <= 30, "AB"),
    ("in_ list", lambda c: c.name.in_(["Ann", "Zoe"]), "A"),
    ("in_ generator", lambda c: c.age.in_(age for age in (25, None)), "BaC"),
    ("in_ nothing", lambda c: c.age.in_([]), ""),
    ("not_in", lambda c: c.age.not_in({25, 30}), "aC"),
    ("is_ None", lambda c: c.age.is_(None), "aC"),
    ("is_not None", lambda c: c.age.is_not(None), "AB"),
    ("between", lambda c: c.age.between(25, 29), "B"),
    ("like start", lambda c: c.name.like("A%"), "A"),
    ("like end", lambda c: c.name.like("%n"), "AC"),
    ("like middle", lambda c: c.name.like("%n%"), "AaC"),
    ("like one character", lambda c: c.name.like("A_n"), "A"),
    ("like whole", lambda c: c.name.like("Ann"), "A"),
    ("like a dot literally", lambda c: c.name.like("ann."), "a"),
    ("like over a line end", lambda c: c.name.like("Cid%Dan"), "C"),
    ("like with an escape", lambda c: c.name.like("%|%", escape="|"), "B"),
    ("like with an escaped escape", lambda c: c.name.like("Ann||%", escape="|"), ""),
    ("like ending in an escaped wildcard", lambda c: c.name.like("B__|%", "|"), "B"),
    ("ilike with an escape", lambda c: c.name.ilike("BOB\\%", escape="\\"), "B"),
    ("ilike", lambda c: c.name.ilike("ANN%"), "Aa"),
    ("contains literally", lambda c: c.name.contains("%"), "B"),
    ("contains a dot literally", lambda c: c.name.contains("."), "a"),
    ("contains in a list", lambda c: c.tags.contains("b"), "AB"),
    ("startswith literally", lambda c: c.name.startswith("ann."), "a"),
    ("endswith literally", lambda c: c.name.endswith("Dan"), "C"),
    ("match", lambda c: c.name.match("^[AB]"), "AB"),
    ("embedded", lambda c: c.home.city == "Rome", "AC"),
    ("embedded with a key of its own", lambda c: c.home.rooms > 4, "aC"),
    ("in a list of embedded", lambda c: c.homes.city.in_(["Rome", "Oslo"]), "aC"),
    ("two columns; null is below numbers", lambda c: c.age < c.limit, "AaC"),
    ("two columns with a missing one", lambda c: c.age == c.limit, ""),
    ("and_", lambda c: and_(c.age > 20, c.name.like("%n")), "A"),
    ("or_ with a dict", lambda c: or_(c.age > 29, {"limit": 20}), "AB"),
    ("not_", lambda c: not_(c.age > 29), "BaC"),
    ("&", lambda c: (c.age > 20) & (c.limit < 30), "B"),
    ("|", lambda c: (c.age > 29) | (c.name == "ann."), "Aa"),
    ("~", lambda c: ~(c.age > 29), "BaC"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_an_operator(session: AsyncSession, c: Columns, condition: Any, expected: str) -> None:
    found: list[Any] = await session.scalars(select(c.model).where(condition(c))).all()
    assert sorted(person.name for person in found) == sorted(NAMES[letter] for letter in expected)


@pytest.mark.parametrize("order", ["minus", "desc"])
async def test_descending(session: AsyncSession, c: Columns, order: str) -> None:
    clause = -c.limit if order == "minus" else c.limit.desc()
    found: list[Any] = await session.scalars(select(c.model).order_by(clause, c.home.city.asc())).all()
    assert [person.name for person in found] == ["Ann", "Bob%", "ann.", "Cid\nDan"]


async def test_the_string_of_a_key(session: AsyncSession, c: Columns, raw: Database[Document]) -> None:
    key = str((raw["people"].find_one({"name": "Ann"}) or {})["_id"])
    assert [person.name for person in await session.scalars(select(c.model).where(c.id == key)).all()] == ["Ann"]
    assert await session.scalars(select(c.model).where(c.id.in_([key]))).count() == 1
    with pytest.raises(ArgumentError, match="holds ObjectIds"):
        c.id.in_(["Ann"])


async def test_conditions_work_in_odmantics_engine_too(sync_engine: SyncEngine, c: Columns) -> None:
    engine: Any = sync_engine
    found = engine.find(c.model, c.name.like("A%"), c.age.gt(20), sort=c.name.desc())
    assert [person.name for person in found] == ["Ann"]
    assert engine.count(c.model, c.home.city.ne("Rome")) == 2


@pytest.mark.parametrize(("join", "expected"), [(operator.or_, 2), (operator.and_, 0)])
async def test_thousands_of_conditions_can_be_chained(
    c: Columns, session: AsyncSession, join: Any, expected: int
) -> None:
    chain = functools.reduce(join, [c.age == age for age in range(3000)])
    assert await session.scalars(select(c.model).where(chain)).count() == expected


def deep(levels: int) -> Any:
    condition = col(Plain.age) > 0
    for _ in range(levels):
        condition = ~(condition & (col(Plain.age) > 1))
    return condition


MISTAKES: list[tuple[str, Any, type[Exception], str]] = [
    ("in_ of text", lambda: col(Plain.name).in_("abc"), ArgumentTypeError, "takes a list of values, got 'abc'"),
    ("in_ of a dict", lambda: col(Plain.name).in_({"a": 1}), ArgumentTypeError, "takes a list"),
    ("not_in of a number", lambda: untyped.col(Plain.age).not_in(3), ArgumentTypeError, "takes a list"),
    ("like of a number", lambda: untyped.col(Plain.name).like(3), ArgumentTypeError, "takes text, got 3"),
    ("contains of None", lambda: col(Plain.name).contains(None), ArgumentTypeError, "takes text"),
    ("a broken regular expression", lambda: col(Plain.name).match("("), ArgumentError, "is no regular expression"),
    ("a very deep condition", lambda: select(Plain).where(deep(3000)), ArgumentError, "nested too deeply"),
    ("an escape of two characters", lambda: col(Plain.name).like("a", escape="||"), ArgumentError, "one character"),
    ("an escape of nothing", lambda: col(Plain.name).ilike("a|", escape="|"), ArgumentError, "ends with its escape"),
    ("NUL in a pattern", lambda: col(Plain.name).startswith("a\0"), ArgumentError, "NUL"),
    ("the word and", lambda: (col(Plain.age) > 3) and (col(Plain.age) < 9), TypeError, "neither true nor false"),
    ("a column as truth", lambda: bool(col(Plain.age)), TypeError, "neither true nor false"),
    ("iterating over a column", lambda: list(col(Plain.tags)), TypeError, "nothing to iterate over"),
    ("an unknown field of an embedded one", lambda: col(Plain.home).town, AttributeError, "no field 'town'"),
    ("a field of a referenced model", lambda: col(Pet.owner).name, NotImplementedError, "is a reference"),
    ("columns of two models", lambda: col(Plain.name) == col(Pet.name), ArgumentError, "another model"),
    ("a condition of another model", lambda: select(Pet).where(col(Plain.name) == "a"), ArgumentError, "one model"),
    ("an order of another model", lambda: select(Pet).order_by(col(Plain.name)), ArgumentError, "one model only"),
    ("col of text", lambda: col("name"), ArgumentTypeError, "expected a field"),
    ("a key that is none", lambda: col(Pet.owner) == "Ann", ArgumentError, "holds ObjectIds"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "message"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_mistake(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


async def test_a_reference_by_key(session: AsyncSession) -> None:
    pet = Pet(name="Rex", owner=Plain(name="Ann"))
    session.add(pet)
    await session.commit()
    for key in (pet.owner, pet.owner.id, str(pet.owner.id)):
        assert await session.scalars(select(Pet).where(col(Pet.owner) == key)).one() is pet
    assert await session.scalars(select(Pet).where(untyped.col(Pet.owner).in_([ObjectId()]))).count() == 0


def test_a_column_says_what_it_is() -> None:
    assert repr(col(Plain.home).rooms) == "<Column Plain.home.r>"
    assert repr(Old.name) == "<Column Old.name>"


# -- ranges over lists --------------------------------------------------------------------------------------------


class Shelf(BaseModel):
    widths: list[int] = []
    height: int = 0


class Part(EmbeddedModel):
    weight: int
    sizes: list[int] = []


class Box(EmbeddedModel):
    parts: list[Part] = []


class Crate(MongoBaseModel):
    __tablename__ = "crates"
    marks: list[int] = []
    maybe: Optional[list[int]] = None  # noqa: UP045  # as 0.5 code has it
    box: Box = Box()
    parts: list[Part] = []
    boxes: list[Box] = []
    shelves: list[Shelf] = []
    by_name: dict[str, list[int]] = {}


def crate(numbers: list[int]) -> Crate:
    parts = [Part(weight=number, sizes=[number]) for number in numbers]
    return Crate(
        marks=numbers,
        maybe=numbers,
        box=Box(parts=parts),
        parts=parts,
        boxes=[Box(parts=[part]) for part in parts],
        shelves=[Shelf(widths=[number], height=number) for number in numbers],
    )


RANGES: dict[str, Callable[[Any], Any]] = {
    "a list": lambda crate: crate.marks,
    "an optional list": lambda crate: crate.maybe,
    "a list inside": lambda crate: crate.box.parts.weight,
    "through a list": lambda crate: crate.parts.weight,
    "a list in a list": lambda crate: crate.parts.sizes,
    "through two lists": lambda crate: crate.boxes.parts.weight,
    "a list through two lists": lambda crate: crate.boxes.parts.sizes,
    "through a list of plain models": lambda crate: crate.shelves.height,
    "a list in plain models": lambda crate: crate.shelves.widths,
}


@pytest.mark.parametrize("column", RANGES.values(), ids=RANGES)
async def test_one_element_lies_in_the_range(session: AsyncSession, column: Callable[[Any], Any]) -> None:
    session.add_all([around := crate([1, 9]), inside := crate([1, 3, 9]), crate([])])
    await session.commit()
    found = await session.scalars(select(Crate).where(column(Crate).between(2, 4))).all()
    assert found == [inside]
    others = await session.scalars(select(Crate).where(not_(column(Crate).between(2, 4)))).all()
    assert len(others) == 2
    assert around in others


async def test_a_list_is_compared_with_lists_as_a_whole(session: AsyncSession) -> None:
    session.add_all([crate([1, 9]), inside := crate([3, 3])])
    await session.commit()
    column: Any = Crate.marks
    assert await session.scalars(select(Crate).where(column.between([2], [4]))).all() == [inside]


async def test_a_dict_of_lists_contains_no_element(session: AsyncSession) -> None:
    column: Any = Crate.by_name
    with pytest.raises(ArgumentTypeError, match="takes text"):
        column.contains(3)
