"""References to nothing or one document, and to several: what a `MongoBaseModel` has and ODMantic has not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from odmantic import AIOEngine, Model, ObjectId, Reference, SyncEngine
from pydantic import ValidationError
from pymongo.database import Database

from mongotic import (
    ArgumentError,
    DocumentError,
    MongoBaseModel,
    col,
    insert,
    joinedload,
    noload,
    raiseload,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError
from mongotic.inspection import inspect
from tests.conftest import Backend, CommandLog, Document, maybe_awaited


class Country(MongoBaseModel):
    __tablename__ = "country"
    name: str


class Publisher(MongoBaseModel):
    __tablename__ = "publisher"
    name: str
    country: Country | None = Reference()


class Author(MongoBaseModel):
    __tablename__ = "author"
    name: str


class Book(MongoBaseModel):
    __tablename__ = "book"
    title: str
    publisher: Publisher | None = Reference(key_name="publisher_id")
    authors: list[Author] = Reference()


def _authors(*names: str) -> list[Author]:
    return [Author(name=name) for name in names]


async def _stored(session: AsyncSession, book: Book) -> Book:
    session.add(book)
    await session.commit()
    return book


async def test_they_are_stored_as_keys_and_what_they_refer_to_first(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    ann, bob = _authors("Ann", "Bob")
    book = Book(title="b", publisher=Publisher(name="p", country=Country(name="c")), authors=[ann, bob])
    await _stored(session, book)
    assert commands.names()[:-1] == ["insert country", "insert author", "insert publisher", "insert book"]
    assert book.publisher is not None
    assert raw["book"].find_one({}, {"_id": 0}) == {
        "title": "b",
        "publisher_id": book.publisher.id,
        "authors": [ann.id, bob.id],
    }


async def test_nothing_is_null_and_an_empty_list(session: AsyncSession, raw: Database[Document]) -> None:
    book = await _stored(session, Book(title="b"))
    assert raw["book"].find_one({}, {"_id": 0}) == {"title": "b", "publisher_id": None, "authors": []}
    session.expunge_all()
    found = await session.get_one(Book, book.id)
    assert found.publisher is None
    assert found.authors == []


async def test_a_document_without_the_keys_refers_to_nothing(session: AsyncSession, raw: Database[Document]) -> None:
    raw["book"].insert_one({"title": "old"})
    book = await session.scalars(select(Book)).one()
    assert (book.publisher, book.authors) == (None, [])
    assert session.dirty == []
    book.title = "new"
    await session.commit()
    assert raw["book"].find_one({}, {"_id": 0}) == {"title": "new"}


async def test_they_are_loaded_in_batches(session: AsyncSession, commands: CommandLog) -> None:
    ann, bob, cid = _authors("Ann", "Bob", "Cid")
    north = Publisher(name="North", country=Country(name="Norway"))
    books = [
        Book(title=str(n), publisher=(north, None)[n % 2], authors=([ann, bob], [cid, ann], [])[n % 3])
        for n in range(12)
    ]
    session.add_all(books)
    await session.commit()
    session.expunge_all()
    commands.sent.clear()
    found = await session.scalars(select(Book).order_by(Book.title)).all()
    assert sorted(commands.names()) == ["find author", "find book", "find country", "find publisher"]
    by_title = {book.title: [author.name for author in book.authors] for book in found}
    assert by_title == {str(n): (["Ann", "Bob"], ["Cid", "Ann"], [])[n % 3] for n in range(12)}
    assert {id(author) for book in found for author in book.authors} == {
        id(await session.get(Author, author.id)) for author in (ann, bob, cid)
    }
    assert {book.publisher.country.name for book in found if book.publisher and book.publisher.country} == {"Norway"}
    session.expunge_all()
    commands.sent.clear()
    one = await session.get_one(Book, books[1].id)
    assert [author.name for author in one.authors] == ["Cid", "Ann"]
    assert commands.names() == ["aggregate book"]


async def test_the_same_document_twice_in_a_list(session: AsyncSession, raw: Database[Document]) -> None:
    ann, bob = _authors("Ann", "Bob")
    book = await _stored(session, Book(title="b", authors=[ann, bob, ann]))
    session.expunge_all()
    for option in ([], [joinedload(Book.authors)]):
        found = await session.scalars(select(Book).options(*option)).one()
        assert [author.name for author in found.authors] == ["Ann", "Bob", "Ann"]
        session.expunge_all()
    assert raw["book"].find_one({"_id": book.id}, {"_id": 0, "authors": 1}) == {"authors": [ann.id, bob.id, ann.id]}


async def test_changes_in_place_are_noticed(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    ann = Author(name="Ann")
    book = await _stored(session, Book(title="b", authors=[ann]))
    assert session.dirty == []
    bob = Author(name="Bob")
    book.authors.append(bob)
    assert session.dirty == [book]
    assert inspect(book).modified_fields == ("authors",)
    assert inspect(book).history("authors") == ([ann], [ann, bob])
    commands.sent.clear()
    await session.commit()
    assert commands.names()[:2] == ["insert author", "update book"]
    assert commands.sent[1]["updates"][0]["u"] == {"$set": {"authors": [ann.id, bob.id]}}
    ann.name = "Anna"
    assert session.dirty == [ann]
    book.authors.remove(bob)
    book.publisher = Publisher(name="p")
    await session.commit()
    assert raw["author"].count_documents({"name": "Anna"}) == 1
    assert book.publisher is not None
    assert raw["book"].find_one({"_id": book.id}) == {
        "_id": book.id,
        "title": "b",
        "publisher_id": book.publisher.id,
        "authors": [ann.id],
    }
    book.publisher = None
    await session.commit()
    assert (raw["book"].find_one({}) or {})["publisher_id"] is None


async def test_rollback_gives_back_the_list(session: AsyncSession) -> None:
    ann, bob = _authors("Ann", "Bob")
    north = Publisher(name="North")
    book = await _stored(session, Book(title="b", authors=[ann], publisher=north))
    book.authors.append(bob)
    book.publisher = None
    session.rollback()
    assert book.authors == [ann]
    assert book.authors[0] is ann
    assert book.publisher is north
    book.authors.append(bob)
    assert session.dirty == [book]
    session.rollback()
    session.expire(book)
    assert session.dirty == []


async def test_copies_refer_to_the_same(session: AsyncSession, raw: Database[Document]) -> None:
    ann = Author(name="Ann")
    book = await _stored(session, Book(title="b", authors=[ann], publisher=Publisher(name="p")))
    twin = copy.copy(book)
    session.expunge(book)
    twin.title = "c"
    session.merge(twin)
    await session.commit()
    assert raw["author"].count_documents({}) == 1
    assert raw["book"].count_documents({"title": "c", "authors": [ann.id]}) == 1
    twin = session.clone(twin)
    session.add(twin)
    await session.commit()
    assert raw["book"].count_documents({"authors": [ann.id]}) == 2


async def test_conditions(session: AsyncSession) -> None:
    ann, bob, cid = _authors("Ann", "Bob", "Cid")
    north, south = Publisher(name="North"), Publisher(name="South")
    session.add_all(
        [
            Book(title="0", authors=[ann, bob], publisher=north),
            Book(title="1", authors=[bob], publisher=south),
            Book(title="2", authors=[cid]),
        ]
    )
    await session.commit()

    async def titles(*criteria: Any) -> list[str]:
        return await session.scalars(select(Book.title).where(*criteria).order_by(Book.title)).all()

    assert await titles(col(Book.authors).contains(bob)) == ["0", "1"]
    assert await titles(col(Book.authors).contains(str(bob.id))) == ["0", "1"]
    assert await titles(col(Book.authors).in_([[ann, bob]])) == ["0"]
    assert await titles(Book.publisher == north) == ["0"]
    assert await titles(Book.publisher == None) == ["2"]  # a condition
    assert await titles(Book.publisher != north) == ["1", "2"]
    assert await titles(col(Book.publisher).in_([north, None])) == ["0", "2"]
    assert await titles(col(Book.publisher).is_not(None)) == ["0", "1"]
    assert await titles({"publisher_id": south}) == ["1"]
    assert await session.scalars(select(Book).filter_by(publisher=south)).count() == 1


async def test_columns_give_keys(session: AsyncSession, raw: Database[Document]) -> None:
    ann, bob = _authors("Ann", "Bob")
    north = Publisher(name="North")
    await _stored(session, Book(title="0", authors=[ann, bob], publisher=north))
    await _stored(session, Book(title="1"))
    raw["book"].insert_one({"title": "2"})
    rows = await (await session.execute(select(Book.publisher, Book.authors).order_by(Book.title))).all()
    assert [tuple(row) for row in rows] == [(north.id, [ann.id, bob.id]), (None, []), (None, [])]
    assert await session.scalars(select(Book.authors).distinct()).count() == 2


async def test_update_takes_instances_and_keys(session: AsyncSession, raw: Database[Document]) -> None:
    ann, bob = _authors("Ann", "Bob")
    session.add_all([ann, bob])
    book = await _stored(session, Book(title="b"))
    await session.execute(update(Book).values(authors=[ann, str(bob.id)]))
    assert (raw["book"].find_one({}) or {})["authors"] == [ann.id, bob.id]
    await session.refresh(book)
    assert book.authors == [ann, bob]
    await session.execute(update(Book).values(authors=[], publisher=None))
    assert raw["book"].find_one({}, {"_id": 0}) == {"title": "b", "publisher_id": None, "authors": []}
    with pytest.raises(ArgumentError, match="a list of Author or of keys"):
        update(Book).values(authors=ann)
    with pytest.raises(ArgumentError, match="values"):
        update(Book).values(authors=["no key"])


async def test_insert_statements(session: AsyncSession, raw: Database[Document]) -> None:
    ann = await _author(session)
    await session.execute(insert(Book).values(title="b", authors=[ann]))
    assert raw["book"].find_one({}, {"_id": 0}) == {"title": "b", "publisher_id": None, "authors": [ann.id]}


async def _author(session: AsyncSession) -> Author:
    ann = Author(name="Ann")
    session.add(ann)
    await session.commit()
    return ann


def test_values_are_validated() -> None:
    with pytest.raises(ValidationError):
        Book(title="b", authors=[Publisher(name="p")])  # type: ignore[list-item]
    with pytest.raises(ValidationError):
        Book(title="b", publisher=3)  # type: ignore[arg-type]
    book = Book(title="b")
    with pytest.raises(ValidationError):
        book.authors = "ab"  # type: ignore[assignment]


# -- what is missing, and what is not loaded ----------------------------------------------------------------------


LOST = ObjectId("00000000000000000000dead")


async def test_a_missing_target(session: AsyncSession, raw: Database[Document]) -> None:
    ann, bob = _authors("Ann", "Bob")
    key = (await _stored(session, Book(title="b", authors=[ann, bob]))).id
    session.expunge_all()
    raw["book"].update_one({}, {"$set": {"authors": [ann.id, LOST, bob.id], "publisher_id": LOST}})
    with pytest.raises(DocumentError, match="publisher") as caught:
        await session.get(Book, key)
    assert caught.value.key == key
    session.expunge_all()
    raw["book"].update_one({}, {"$set": {"publisher_id": None}})
    with pytest.raises(DocumentError, match="authors"):
        await session.scalars(select(Book)).all()
    session.expunge_all()
    assert await session.scalars(select(Book).execution_options(missing="skip")).all() == []


async def test_keys_of_missing_targets_stay_in_the_list(session: AsyncSession, raw: Database[Document]) -> None:
    ann, bob = _authors("Ann", "Bob")
    await _stored(session, Book(title="b", authors=[ann, bob]))
    session.expunge_all()
    raw["book"].update_one({}, {"$set": {"authors": [ann.id, LOST, bob.id]}})
    statement = select(Book).execution_options(missing="none")
    book = await session.scalars(statement).one()
    assert [author.name for author in book.authors] == ["Ann", "Bob"]
    assert inspect(book).foreign_key("authors") == [ann.id, LOST, bob.id]
    assert session.dirty == []
    book.title = "c"
    await session.commit()
    assert (raw["book"].find_one({}) or {})["authors"] == [ann.id, LOST, bob.id]
    cid = Author(name="Cid")
    book.authors.append(cid)
    session.rollback()
    assert [author.name for author in book.authors] == ["Ann", "Bob"]
    book.authors.append(cid)
    await session.commit()
    # What nobody saw, nobody has taken out.
    assert (raw["book"].find_one({}) or {})["authors"] == [ann.id, bob.id, cid.id, LOST]
    assert session.dirty == []
    session.expunge_all()
    book = await session.scalars(statement).one()
    book.authors = list(book.authors)
    await session.commit()
    assert (raw["book"].find_one({}) or {})["authors"] == [ann.id, bob.id, cid.id]


@pytest.mark.parametrize("way", [noload, raiseload])
async def test_keys_of_what_is_not_loaded_stay(session: AsyncSession, raw: Database[Document], way: Any) -> None:
    ann, bob = _authors("Ann", "Bob")
    north = Publisher(name="p")
    await _stored(session, Book(title="b", authors=[ann, bob], publisher=north))
    before = raw["book"].find_one({})
    assert before is not None
    session.expunge_all()
    statement = select(Book).options(way(Book.publisher), way(Book.authors))
    book = await session.scalars(statement).one()
    assert inspect(book).foreign_key("authors") == [ann.id, bob.id]
    book.title = "c"
    twin = pickle.loads(pickle.dumps(book))
    await session.commit()
    assert raw["book"].find_one({}) == {**before, "title": "c"}
    session.expunge_all()
    session.merge(twin)
    await session.commit()
    assert raw["book"].find_one({}) == {**before, "title": "c"}
    if way is noload:
        assert (twin.publisher, twin.authors) == (None, None)
    twin.publisher = None
    await session.commit()
    assert raw["book"].find_one({}) == {**before, "title": "c", "publisher_id": None}
    twin.authors = []
    await session.commit()
    assert raw["book"].find_one({}) == {**before, "title": "c", "publisher_id": None, "authors": []}


async def test_a_document_that_has_something_else_there(session: AsyncSession, raw: Database[Document]) -> None:
    raw["book"].insert_one({"title": "b", "authors": "Ann"})
    with pytest.raises(DocumentError, match="authors"):
        await session.scalars(select(Book)).all()


# -- beside ODMantic ----------------------------------------------------------------------------------------------


async def test_the_engine_keeps_the_keys(backend: Backend, session: AsyncSession, raw: Database[Document]) -> None:
    ann = Author(name="Ann")
    book = await _stored(session, Book(title="b", authors=[ann], publisher=Publisher(name="p")))
    before = raw["book"].find_one({})
    assert before is not None
    session.expunge_all()
    engine: AIOEngine | SyncEngine = backend.engine
    found = await maybe_awaited(engine.find_one(Book, Book.id == book.id))
    assert found.publisher is None
    assert inspect(found).foreign_key("authors") == [ann.id]
    found.title = "c"
    await maybe_awaited(engine.save(found))
    assert raw["book"].find_one({}) == {**before, "title": "c"}
    found.title = "d"
    session.add(found)
    await session.commit()
    assert raw["book"].find_one({}) == {**before, "title": "d"}
    await session.refresh(found)
    assert found.authors == [ann]
    book.title = "e"
    await maybe_awaited(engine.save(book))
    assert raw["book"].find_one({}) == {**before, "title": "e"}


def test_what_cannot_be_a_reference() -> None:
    with pytest.raises(ArgumentTypeError, match=r"Wrong.other: .* cannot be a reference"):

        class Wrong(MongoBaseModel):  # pyright: ignore[reportUnusedClass]
            __tablename__ = "wrong"
            other: int | None = Reference()


def test_odmantic_itself_forbids_them() -> None:
    with pytest.raises(TypeError, match="Unhandled field definition"):

        class Plain(Model):  # pyright: ignore[reportUnusedClass]
            author: Author | None = Reference()


def test_subclasses_have_them() -> None:
    class Novel(Book):
        __tablename__ = "novel"
        pages: int = 1

    novel = Novel(title="n", authors=[Author(name="a")])
    assert novel.publisher is None
    assert inspect(novel).foreign_key("authors") == [novel.authors[0].id]
