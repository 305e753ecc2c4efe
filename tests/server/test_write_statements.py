"""`insert()`, `update()` and `delete()`: written at once, beside the unit of work."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

import bson
import pydantic
import pytest
from odmantic import EmbeddedModel, Field, Model, Reference
from pydantic import ValidationError, field_validator, model_validator
from pymongo.database import Database

import mongotic
from mongotic import ArgumentError, IntegrityError, MongoBaseModel, col, delete, insert, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError
from tests.conftest import CommandLog, Document

untyped: Any = mongotic  # for calls that are wrong on purpose


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Address(EmbeddedModel):
    city: str = Field(key_name="town")


class Publisher(Model):
    name: str


class Book(Model):
    title: str
    pages: int = Field(default=0, ge=0)
    price: Decimal = Decimal(0)
    level: Level = Level.LOW
    tags: list[str] = []
    address: Address = Address(city="Rome")

    @field_validator("title")
    @classmethod
    def _stripped(cls, title: str) -> str:
        return title.strip()


class Edition(Model):
    number: int
    publisher: Publisher = Reference()


class Checked(Model):
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _ordered(self) -> Checked:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Badge(Model):
    code: str = Field(primary_field=True)


# -- insert -------------------------------------------------------------------------------------------------------


async def test_insert_takes_dicts_and_instances(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    book = Book(title="instance")
    result = await session.execute(insert(Book).values([{"title": "dict"}, book]).values(title="keywords"))
    assert result.rowcount == 3
    assert commands.names() == ["insert book"]
    assert [document["title"] for document in raw["book"].find()] == ["dict", "instance", "keywords"]
    assert result.inserted_ids == [str(document["_id"]) for document in raw["book"].find()]
    assert result.inserted_primary_keys[1] == book.id
    assert (session.new, list(session)) == ([], [])


async def test_insert_of_nothing_sends_nothing(session: AsyncSession, commands: CommandLog) -> None:
    result = await session.execute(insert(Book).values([]))
    assert (result.rowcount, result.inserted_ids) == (0, [])
    assert commands.sent == []


async def test_an_insert_without_values_is_refused(session: AsyncSession, commands: CommandLog) -> None:
    with pytest.raises(ArgumentError, match=r"insert\(Book\) has nothing to store; say what with values"):
        await session.execute(insert(Book))
    with pytest.raises(ArgumentError, match=r"insert\(Book\)\.values\(\) has nothing to store"):
        insert(Book).values()
    assert commands.sent == []


@pytest.mark.parametrize("rows", [None, 3, "title", b"x", [None], ["title"], [[{"title": "x"}]]])
def test_insert_takes_nothing_but_rows(rows: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"insert\(Book\)\.values\(\) takes dicts and Book instances, got"):
        insert(Book).values(rows)


@pytest.mark.parametrize("changes", [3, "title", ["title"], [{"title": "x"}]])
def test_update_takes_nothing_but_a_dict_or_rows_with_keys(changes: Any) -> None:
    with pytest.raises(
        ArgumentError, match=r"update\(Book\)\.values\(\)(:| takes).* dict.*|does not say which document"
    ):
        update(Book).values(changes)


# -- the keys of a dict -------------------------------------------------------------------------------------------


class Shelf(MongoBaseModel):
    __tablename__ = "shelves"
    label: str = pydantic.Field(alias="shelfLabel")
    room: str = pydantic.Field(default="", validation_alias=pydantic.AliasChoices("roomName", "Room"))
    address: Address = Address(city="Rome")


NAMES: dict[str, dict[Any, object]] = {
    "names": {"label": "A", "room": "hall"},
    "aliases": {"shelfLabel": "A", "roomName": "hall"},
    "another alias": {"shelfLabel": "A", "Room": "hall"},
    "columns": {Shelf.label: "A", col(Shelf.room): "hall"},
    "mixed": {Shelf.label: "A", "Room": "hall"},
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
async def test_a_field_is_named_in_any_way(
    session: AsyncSession, raw: Database[Document], names: dict[Any, object]
) -> None:
    await session.execute(insert(Shelf).values([names]))
    stored = {"label": "A", "room": "hall", "address": {"town": "Rome"}}
    assert raw["shelves"].find_one({}, {"_id": 0}) == stored
    assert (await session.scalars(select(Shelf)).one()).label == "A"


@pytest.mark.parametrize("name", ["_id", "id", Shelf.id, getattr(Shelf, "_id")])  # noqa: B009  # no type checker knows
async def test_an_inserted_dict_may_have_the_key(session: AsyncSession, raw: Database[Document], name: Any) -> None:
    statement = insert(Shelf).values({"label": "A", name: "507f1f77bcf86cd799439011"})
    assert (await session.execute(statement)).inserted_ids == ["507f1f77bcf86cd799439011"]
    assert raw["shelves"].count_documents({"_id": bson.ObjectId("507f1f77bcf86cd799439011")}) == 1


async def test_columns_are_keys_of_an_update(session: AsyncSession, raw: Database[Document]) -> None:
    await session.execute(insert(Shelf).values(label="A", room="hall"))
    changes: Any = {Shelf.label: "B"}
    await session.execute(update(Shelf).values(changes, room="attic"))
    assert (raw["shelves"].find_one({}, {"_id": 0, "address": 0})) == {"label": "B", "room": "attic"}


WRONG_NAMES: dict[str, tuple[Any, str]] = {
    "insert of two names": (
        lambda: insert(Shelf).values({"label": "A", "shelfLabel": "B"}), "'label' is there twice"),
    "insert of two keys": (
        lambda: insert(Shelf).values({"label": "A", "id": bson.ObjectId(), "_id": bson.ObjectId()}), "'id' is there"),
    "insert of a number": (lambda: untyped.insert(Shelf).values({3: "A"}), "takes names of fields, or columns"),
    "insert of another model's column": (
        lambda: untyped.insert(Shelf).values({col(Book.pages): 3}), "'pages' is no field of Shelf"),
    "update of a number": (lambda: untyped.update(Shelf).values({3: "A"}), "takes names of fields, or columns"),
    "update of _id": (lambda: update(Shelf).values({"_id": "x"}), "'_id' is the primary key"),
    "filter_by of _id": (lambda: select(Shelf).filter_by(_id="x"), r"is called 'id'; write filter_by\(id=\.\.\.\)"),
    "filter_by of no key": (lambda: select(Shelf).filter_by(id="x"), "holds ObjectIds, and 'x' is none"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG_NAMES.values(), ids=WRONG_NAMES)
def test_a_wrong_name_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()


async def test_filter_by_takes_the_string_of_a_key(session: AsyncSession) -> None:
    await session.execute(insert(Shelf).values(label="A", _id="507f1f77bcf86cd799439011"))
    assert await session.scalars(select(Shelf).filter_by(id="507f1f77bcf86cd799439011")).count() == 1


async def test_an_insert_of_dicts_can_be_executed_again(session: AsyncSession, raw: Database[Document]) -> None:
    statement = insert(Book).values({"title": "twice"})
    first, second = await session.execute(statement), await session.execute(statement)
    assert first.inserted_ids != second.inserted_ids
    assert raw["book"].count_documents({}) == 2


async def test_inserted_ids_of_other_keys_are_the_keys(session: AsyncSession) -> None:
    result = await session.execute(insert(Badge).values([{"code": "a"}, {"code": "b"}]))
    assert result.inserted_ids == ["a", "b"]


async def test_insert_stops_at_an_existing_key(session: AsyncSession, raw: Database[Document]) -> None:
    raw["badge"].insert_one({"_id": "b"})
    with pytest.raises(IntegrityError, match="Badge 'b' was not written") as caught:
        await session.execute(insert(Badge).values([{"code": "a"}, {"code": "b"}, {"code": "c"}]))
    assert [badge.model_dump()["code"] for badge in caught.value.written] == ["a"]
    assert [badge.model_dump()["code"] for badge in caught.value.pending] == ["b", "c"]
    assert sorted(document["_id"] for document in raw["badge"].find()) == ["a", "b"]
    assert "Written: 1; not written: 2." in str(caught.value)  # nothing is left to be done by a flush


def test_insert_validates_in_its_own_line() -> None:
    with pytest.raises(ValidationError, match="pages"):
        insert(Book).values({"title": "x", "pages": "many"})
    with pytest.raises(ArgumentError, match="Book has no field 'tittle'"):
        insert(Book).values({"tittle": "x"})
    with pytest.raises(ArgumentTypeError, match="takes dicts and Book instances"):
        insert(Book).values([Badge(code="a")])  # type: ignore[list-item]  # that is the point
    with pytest.raises(ArgumentTypeError, match=r"derived from odmantic\.Model"):
        insert(Address)  # type: ignore[type-var]  # that is the point


# -- update -------------------------------------------------------------------------------------------------------


@pytest.fixture
def books(raw: Database[Document]) -> None:
    raw["book"].insert_many([{"title": title, "pages": 100} for title in "abc"])


@pytest.mark.usefixtures("books")
async def test_update_changes_all_that_fit(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    result = await session.execute(update(Book).where({"title": {"$in": ["a", "b"]}}).values(pages=200))
    assert (result.rowcount, result.matched_count, result.modified_count) == (2, 2, 2)
    assert commands.names() == ["update book"]
    assert [document["pages"] for document in raw["book"].find().sort("title")] == [200, 200, 100]


@pytest.mark.usefixtures("books")
async def test_rowcount_is_what_was_modified(session: AsyncSession) -> None:
    result = await session.execute(update(Book).values(pages=100))
    assert (result.rowcount, result.matched_count) == (0, 3)
    assert result.inserted_ids == []


@pytest.mark.usefixtures("books")
async def test_updated_values_are_stored_as_an_instance_would_store_them(
    session: AsyncSession, raw: Database[Document]
) -> None:
    values = {"price": Decimal("1.50"), "level": Level.HIGH, "tags": ("x", "y"), "address": Address(city="Oslo")}
    await session.execute(update(Book).where(Book.title == "a").values(values))
    stored = raw["book"].find_one({"title": "a"})
    assert stored is not None
    assert {key: stored[key] for key in values} == {
        "price": bson.Decimal128("1.50"),
        "level": "high",
        "tags": ["x", "y"],
        "address": {"town": "Oslo"},
    }


@pytest.mark.usefixtures("books")
async def test_updated_values_pass_the_fields_own_validators(session: AsyncSession, raw: Database[Document]) -> None:
    await session.execute(update(Book).where(Book.title == "a").values(title="  z  "))
    assert raw["book"].count_documents({"title": "z"}) == 1


async def test_a_reference_is_updated_by_instance_or_key(session: AsyncSession, raw: Database[Document]) -> None:
    one, other = Publisher(name="one"), Publisher(name="other")
    session.add_all([Edition(number=1, publisher=one), other])
    await session.commit()
    for target in (other, other.id, str(other.id)):
        raw["edition"].update_one({}, {"$set": {"publisher": one.id}})
        assert (await session.execute(update(Edition).values(publisher=target))).rowcount == 1
        assert raw["edition"].find_one({}, {"_id": 0, "publisher": 1}) == {"publisher": other.id}


async def test_a_model_wide_validator_does_not_see_a_single_value(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["checked"].insert_one({"low": 20, "high": 30})
    assert (await session.execute(update(Checked).values(low=25))).rowcount == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pages": "many"}, r"'many' does not fit Book.pages"),
        ({"pages": -1}, r"-1 does not fit Book.pages"),
        ({"nothing": 1}, r"Book has no field 'nothing'"),
        ({"id": bson.ObjectId()}, r"'id' is the primary key"),
        ({}, r"nothing to set"),
    ],
)
def test_update_refuses_in_its_own_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        update(Book).values(values)


async def test_an_update_without_values_sends_nothing(session: AsyncSession, commands: CommandLog) -> None:
    with pytest.raises(ArgumentError, match="say what with values"):
        await session.execute(update(Book))
    assert commands.sent == []


@pytest.mark.usefixtures("books")
async def test_a_held_instance_is_read_again_after_an_update(session: AsyncSession, commands: CommandLog) -> None:
    book = await session.scalars(select(Book).where(Book.title == "a")).one()
    await session.execute(update(Book).values(pages=300))
    assert book.pages == 100
    commands.sent.clear()
    assert await session.get(Book, book.id) is book
    assert book.pages == 300
    assert commands.names() == ["find book"]


@pytest.mark.usefixtures("books")
async def test_an_unwritten_change_survives_an_update(session: AsyncSession, raw: Database[Document]) -> None:
    book = await session.scalars(select(Book).where(Book.title == "a")).one()
    book.tags.append("mine")
    await session.execute(update(Book).values(pages=300))
    await session.commit()
    stored = raw["book"].find_one({"title": "a"})
    assert stored is not None
    assert (stored["pages"], stored["tags"]) == (300, ["mine"])


# -- delete -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("books")
async def test_delete_removes_all_that_fit(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    assert (await session.execute(delete(Book).where(Book.title != "a"))).rowcount == 2
    assert commands.names() == ["delete book"]
    assert raw["book"].count_documents({}) == 1
    assert (await session.execute(delete(Book))).rowcount == 1


@pytest.mark.usefixtures("books")
async def test_get_after_a_deletion_is_none_and_lets_go(session: AsyncSession) -> None:
    book = await session.scalars(select(Book).where(Book.title == "a")).one()
    await session.execute(delete(Book).filter_by(title="a"))
    assert await session.get(Book, book.id) is None
    assert book not in session


# -- what execute refuses -----------------------------------------------------------------------------------------


async def test_execute_refuses_what_is_no_statement(session: AsyncSession, commands: CommandLog) -> None:
    with pytest.raises(TypeError, match="does not know SQL"):
        await session.execute("drop")  # type: ignore[call-overload]  # that is the point
    with pytest.raises(TypeError, match="made by select"):
        session.scalars(update(Book))  # type: ignore[call-overload]  # that is the point
    assert commands.sent == []


async def test_statements_never_change(session: AsyncSession) -> None:
    every = update(Book)
    some = every.where(Book.title == "a")
    named = some.values(pages=1)
    assert repr(every) == "update(Book).where({}).values({})"
    assert repr(some) == "update(Book).where({'title': {'$eq': 'a'}}).values({})"
    assert repr(named.values(tags=["x"])) == (
        "update(Book).where({'title': {'$eq': 'a'}}).values({'pages': 1, 'tags': ['x']})"
    )
    assert repr(delete(Book).where(Book.title == "a")) == "delete(Book).where({'title': {'$eq': 'a'}})"
    assert repr(insert(Book).values(title="x")) == "insert(Book).values(<1 rows>)"
