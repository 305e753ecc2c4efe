"""Conditions and orders across references: by the keys of the targets that fit, and by `$lookup`."""

# pyright takes an attribute declared as Model for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model, ObjectId, Reference
from pydantic import Field as PydanticField
from pymongo.database import Database

from mongotic import (
    ArgumentError,
    MongoBaseModel,
    UnsupportedError,
    and_,
    asc,
    col,
    delete,
    desc,
    joinedload,
    not_,
    or_,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from tests.conftest import CommandLog, Document


class Country(Model):
    name: str
    code: str = Field(key_name="iso")


class Address(EmbeddedModel):
    city: str


class Publisher(Model):
    name: str
    founded: int | None = None
    address: Address = Address(city="Oslo")
    country: Country = Reference(key_name="country_id")


class Author(MongoBaseModel):
    __tablename__ = "author"
    name: str
    age: int = 40


class Book(MongoBaseModel):
    __tablename__ = "book"
    title: str
    pages: int = PydanticField(100, ge=1)
    publisher: Publisher | None = Reference(key_name="publisher_id")
    authors: list[Author] = Reference()


LOST = ObjectId("00000000000000000000dead")


@pytest.fixture(autouse=True)
def library(raw: Database[Document], commands: CommandLog) -> None:
    countries = [{"_id": ObjectId(), "name": name, "iso": name[:2]} for name in ("Norway", "Italy")]
    publishers: list[Document] = [
        {"_id": ObjectId(), "name": "North", "founded": 1900, "address": {"city": "Oslo"}},
        {"_id": ObjectId(), "name": "South", "founded": None, "address": {"city": "Rome"}},
        {"_id": ObjectId(), "name": "Nowhere", "address": {"city": "Oslo"}},
    ]
    for number, publisher in enumerate(publishers):
        publisher["country_id"] = [*(country["_id"] for country in countries), LOST][number]
    authors: list[Document] = [{"_id": ObjectId(), "name": name, "age": 30 + 10 * n} for n, name in enumerate("abc")]
    keys = [*(publisher["_id"] for publisher in publishers), LOST, None, "no key"]
    books = []
    for number in range(24):
        book = {"title": f"book {number:02}", "pages": 100 + number % 3, "publisher_id": keys[number % 6]}
        if book["publisher_id"] == "no key":
            del book["publisher_id"]
        book["authors"] = [author["_id"] for bit, author in enumerate(authors) if number >> bit & 1]
        books.append(book)
    raw["country"].insert_many(countries)
    raw["publisher"].insert_many(publishers)
    raw["author"].insert_many(authors)
    raw["book"].insert_many(books)
    commands.sent.clear()


def looked_up(raw: Database[Document], condition: Document) -> list[str]:
    """What MongoDB finds where a `$lookup` has put the targets in the documents."""
    pipeline: list[Document] = [
        {"$lookup": {"from": "publisher", "localField": "publisher_id", "foreignField": "_id", "as": "p"}},
        {"$unwind": {"path": "$p", "preserveNullAndEmptyArrays": True}},
        {"$lookup": {"from": "country", "localField": "p.country_id", "foreignField": "_id", "as": "p.c"}},
        {"$unwind": {"path": "$p.c", "preserveNullAndEmptyArrays": True}},
        {"$lookup": {"from": "author", "localField": "authors", "foreignField": "_id", "as": "a"}},
        {"$match": condition},
        {"$sort": {"title": 1}},
    ]
    return [document["title"] for document in raw["book"].aggregate(pipeline)]


publisher = col(Book.publisher)
CONDITIONS: list[tuple[Any, Document]] = [
    (publisher.name == "North", {"p.name": "North"}),
    (publisher.name != "North", {"p.name": {"$ne": "North"}}),
    (publisher.name.in_(["North", "South"]), {"p.name": {"$in": ["North", "South"]}}),
    (publisher.name.not_in(["North"]), {"p.name": {"$nin": ["North"]}}),
    (publisher.name.startswith("No"), {"p.name": {"$regex": "^No"}}),
    (publisher.name.ilike("%OR%"), {"p.name": {"$regex": "or", "$options": "i"}}),
    (publisher.founded == None, {"p.founded": None}),  # a condition
    (publisher.founded != None, {"p.founded": {"$ne": None}}),
    (publisher.founded.is_(None), {"p.founded": None}),
    (publisher.founded.between(1800, 1950), {"p.founded": {"$gte": 1800, "$lte": 1950}}),
    (publisher.founded > 1800, {"p.founded": {"$gt": 1800}}),
    (publisher.founded.in_([None, 1900]), {"p.founded": {"$in": [None, 1900]}}),
    (publisher.founded.not_in([None]), {"p.founded": {"$nin": [None]}}),
    (publisher.address.city == "Oslo", {"p.address.city": "Oslo"}),
    (publisher.country.name == "Norway", {"p.c.name": "Norway"}),
    (publisher.country.name != "Norway", {"p.c.name": {"$ne": "Norway"}}),
    (publisher.country.code == "It", {"p.c.iso": "It"}),
    (publisher.country.code.is_(None), {"p.c.iso": None}),
    (not_(publisher.country.name == "Norway"), {"$nor": [{"p.c.name": "Norway"}]}),
    (~(publisher.name != "North"), {"p.name": "North"}),
    (
        or_(publisher.name == "South", and_(publisher.founded == 1900, Book.pages == 101)),
        {"$or": [{"p.name": "South"}, {"p.founded": 1900, "pages": 101}]},
    ),
    ((publisher.name == "North") & (col(Book.pages) > 100), {"p.name": "North", "pages": {"$gt": 100}}),
    ((publisher.name == "North") | not_(publisher.name.in_(["South"])), {"p.name": {"$ne": "South"}}),
    (not_(or_(publisher.name == "North", publisher.country.name == "Italy")), {
        "$nor": [{"p.name": "North"}, {"p.c.name": "Italy"}]
    }),
    (col(Book.authors).name == "a", {"a.name": "a"}),
    (col(Book.authors).name != "a", {"a.name": {"$ne": "a"}}),
    (col(Book.authors).age > 35, {"a.age": {"$gt": 35}}),
    (not_(col(Book.authors).age > 35), {"$nor": [{"a.age": {"$gt": 35}}]}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CONDITIONS)), ids=lambda number: str(CONDITIONS[number][1]))
async def test_it_finds_what_a_lookup_finds(session: AsyncSession, raw: Database[Document], number: int) -> None:
    condition, stages = CONDITIONS[number]
    expected = looked_up(raw, stages)
    found = select(Book.title).where(condition).order_by(Book.title)
    assert await session.scalars(found).all() == expected
    assert [title async for title in session.scalars(found)] == expected
    assert await session.scalars(found).count() == len(expected)
    assert await session.scalars(found).exists() is bool(expected)
    assert await session.scalars(found.distinct()).all() == expected
    everything = select(Book).where(condition).order_by(Book.title).execution_options(missing="none")
    assert [book.title for book in await session.scalars(everything).all()] == expected
    assert [book.title async for book in session.scalars(everything)] == expected
    assert await session.scalars(everything).count() == len(expected)


async def test_it_costs_one_query_per_condition(session: AsyncSession, commands: CommandLog) -> None:
    await session.scalars(select(Book.title).where(publisher.country.name == "Norway")).all()
    assert commands.names() == ["find country", "find publisher", "find book"]
    assert commands.sent[0]["projection"] == {"_id": 1}
    assert commands.sent[0]["filter"] == {"name": {"$eq": "Norway"}}


def test_a_statement_shows_what_it_becomes() -> None:
    statement = select(Book.title).where(publisher.country.name == "Norway")
    assert str(statement) == (
        'db.book.find({publisher_id: {$in: db.publisher.distinct("_id", {country_id: {$in: db.country.distinct("_id", '
        '{name: {$eq: "Norway"}})}})}}, {title: 1, _id: 0})'
    )
    ordered = str(select(Book).order_by(publisher.name).limit(3))
    assert '{$sort: {"by_publisher_id.name": 1}}, {$limit: 3}, {$unset: ["by_publisher_id"]}' in ordered


async def test_the_server_explains_it(session: AsyncSession) -> None:
    plan = await session.explain(select(Book).where(publisher.name == "North"))
    assert "$in" in str(plan)
    assert "by_publisher_id" in str(await session.explain(select(Book).order_by(publisher.name)))
    with pytest.raises(UnsupportedError, match="change it by its key"):
        update(Book).values(title="x").returning(Book).order_by(publisher.name)


async def test_the_key_of_the_target_is_in_the_document(session: AsyncSession, commands: CommandLog) -> None:
    assert await session.scalars(select(Book.title).where(publisher.id == LOST).order_by(Book.title)).all() == [
        f"book {number:02}" for number in (3, 9, 15, 21)
    ]
    assert commands.names() == ["find book"]


async def test_updates_and_removals_go_by_it(session: AsyncSession, raw: Database[Document]) -> None:
    north = looked_up(raw, {"p.name": "North"})
    result = await session.execute(update(Book).where(publisher.name == "North").values(pages=7))
    assert result.rowcount == len(north) == 4
    assert sorted(document["title"] for document in raw["book"].find({"pages": 7})) == north
    result = await session.execute(delete(Book).where(publisher.country.name == "Norway"))
    assert result.rowcount == 4
    assert raw["book"].count_documents({"pages": 7}) == 0


async def test_held_instances_follow(session: AsyncSession) -> None:
    statement = select(Book).order_by(Book.title).execution_options(missing="none")
    books = await session.scalars(statement).all()
    change = update(Book).where(publisher.name == "North").values(pages=7)
    await session.execute(change.execution_options(synchronize_session="fetch"))
    assert [book.pages for book in books[:2]] == [7, 101]


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        ((publisher.name, Book.title), ["p.name", "title"]),
        ((publisher.name.asc(), Book.title), ["p.name", "title"]),
        ((publisher.country.code, Book.title), ["p.c.iso", "title"]),
        ((asc(publisher.address.city), publisher.name, Book.title), ["p.address.city", "p.name", "title"]),
    ],
)
async def test_documents_are_sorted_by_what_they_refer_to(
    session: AsyncSession, raw: Database[Document], order: tuple[Any, ...], keys: list[str]
) -> None:
    def key(document: Document) -> list[tuple[bool, object]]:
        return [(value is not None, value) for path in keys for value in [_at(document, path)]]

    pipeline: list[Document] = [
        {"$lookup": {"from": "publisher", "localField": "publisher_id", "foreignField": "_id", "as": "p"}},
        {"$unwind": {"path": "$p", "preserveNullAndEmptyArrays": True}},
        {"$lookup": {"from": "country", "localField": "p.country_id", "foreignField": "_id", "as": "p.c"}},
        {"$unwind": {"path": "$p.c", "preserveNullAndEmptyArrays": True}},
    ]
    expected = [document["title"] for document in sorted(raw["book"].aggregate(pipeline), key=key)]
    statement = select(Book).order_by(*order).execution_options(missing="none")
    assert [book.title for book in await session.scalars(statement).all()] == expected
    assert [book.title for book in await session.scalars(statement.offset(3).limit(4)).all()] == expected[3:7]
    assert [book.title async for book in session.scalars(statement)] == expected
    joined = statement.options(joinedload(Book.publisher))
    assert [book.title for book in await session.scalars(joined).all()] == expected
    assert await session.scalars(select(Book.title).order_by(*order)).all() == expected
    assert await session.scalars(statement).count() == 24
    first = await session.scalars(statement).first()
    assert first is not None
    assert first.title == expected[0]
    assert session.dirty == []


def _at(document: Document, path: str) -> object:
    value: Any = document
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


async def test_the_other_direction(session: AsyncSession) -> None:
    statement = select(Book.title).order_by(desc(publisher.name), -col(Book.title)).limit(5)
    assert await session.scalars(statement).all() == ["book 19", "book 13", "book 07", "book 01", "book 20"]


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a column of another document": (lambda: select(publisher.name), NotImplementedError, "field of another document"),
    "two fields": (
        lambda: select(Book).where(publisher.name == col(Book.title)),
        NotImplementedError,
        "field of another document",
    ),
    "a pipeline": (lambda: select(Book).where(publisher.name == "x").pipeline(), NotImplementedError, "\\$lookup"),
    "pages by key": (lambda: select(Book).order_by(publisher.name).after(None), NotImplementedError, "offset"),
    "another model": (lambda: select(Author).where(publisher.name == "x"), ArgumentError, "one model only"),
    "an order of another model": (lambda: select(Author).order_by(publisher.name), ArgumentError, "one model only"),
    "distinct": (
        lambda: select(Book.title).distinct().order_by(publisher.name),
        ArgumentError,
        "distinct",
    ),
    "an unknown field": (lambda: publisher.nome, AttributeError, "nome"),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake(name: str) -> None:
    act, error, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        act()
