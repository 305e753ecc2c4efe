"""References between documents: read in batches, written before what refers to them."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import pickle

import pytest
from odmantic import Model, ObjectId, Reference
from odmantic.exceptions import DocumentParsingError
from pymongo.database import Database

from mongotic import DocumentError, select
from mongotic.asyncio import AsyncSession
from tests.conftest import CommandLog, Document, SessionMaker


class Country(Model):
    name: str


class Publisher(Model):
    name: str
    country: Country = Reference()


class Author(Model):
    name: str


class Book(Model):
    title: str
    publisher: Publisher = Reference(key_name="publisher_id")
    author: Author = Reference()


@pytest.fixture
async def library(session_maker: SessionMaker) -> None:
    norway, italy = Country(name="Norway"), Country(name="Italy")
    north, south = Publisher(name="North", country=norway), Publisher(name="South", country=italy)
    ann = Author(name="Ann")
    async with session_maker() as opened:
        opened.add_all(
            [Book(title=f"book {number}", publisher=(north, south)[number % 2], author=ann) for number in range(20)]
        )
        await opened.commit()


async def test_what_is_referred_to_is_stored_first(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    book = Book(title="b", publisher=Publisher(name="p", country=Country(name="c")), author=Author(name="a"))
    session.add(book)
    await session.commit()
    assert commands.names() == [
        "insert country",
        "insert author",
        "insert publisher",
        "insert book",
        "commitTransaction 1",
    ]
    assert raw["book"].find_one() == {
        "_id": book.id,
        "title": "b",
        "publisher_id": book.publisher.id,
        "author": book.author.id,
    }


@pytest.mark.usefixtures("library")
async def test_references_cost_one_query_per_model(session: AsyncSession, commands: CommandLog) -> None:
    commands.sent.clear()
    books = await session.scalars(select(Book).order_by(Book.title)).all()
    assert sorted(commands.names()) == ["find author", "find book", "find country", "find publisher"]
    assert {book.publisher.country.name for book in books} == {"Norway", "Italy"}


@pytest.mark.usefixtures("library")
async def test_one_document_is_one_object_through_references_too(session: AsyncSession) -> None:
    books = await session.scalars(select(Book)).all()
    assert len({id(book.author) for book in books}) == 1
    assert len({id(book.publisher) for book in books}) == 2
    assert await session.get(Author, books[0].author.id) is books[0].author


@pytest.mark.usefixtures("library")
async def test_what_the_session_holds_is_not_read_again(session: AsyncSession, commands: CommandLog) -> None:
    first = await session.scalars(select(Book)).first()
    assert first is not None
    commands.sent.clear()
    await session.scalars(select(Book).where(Book.publisher == first.publisher)).all()
    assert commands.names() == ["find book"]


@pytest.mark.usefixtures("library")
async def test_a_condition_takes_the_instance_for_its_key(session: AsyncSession) -> None:
    book = await session.scalars(select(Book)).first()
    assert book is not None
    assert await session.scalars(select(Book).where(Book.publisher == book.publisher)).count() == 10
    assert await session.scalars(select(Book).filter_by(publisher=book.publisher.id)).count() == 10


@pytest.mark.usefixtures("library")
async def test_an_unchanged_target_is_not_rewritten(session: AsyncSession, commands: CommandLog) -> None:
    book = await session.scalars(select(Book)).first()
    assert book is not None
    book.title = "changed"
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update book"]


@pytest.mark.usefixtures("library")
async def test_a_changed_target_is_written_once(
    session: AsyncSession, commands: CommandLog, raw: Database[Document]
) -> None:
    books = await session.scalars(select(Book)).all()
    books[0].author.name = "Anna"
    assert session.dirty == [books[0].author]
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update author"]
    assert raw["author"].find_one({}, {"_id": 0}) == {"name": "Anna"}


@pytest.mark.usefixtures("library")
async def test_a_new_target_of_a_held_instance_is_stored(session: AsyncSession, raw: Database[Document]) -> None:
    book = await session.scalars(select(Book)).first()
    assert book is not None
    book.author = Author(name="Bob")
    await session.commit()
    assert raw["author"].count_documents({}) == 2
    stored = raw["book"].find_one({"_id": book.id})
    assert stored is not None
    assert stored["author"] == book.author.id


@pytest.mark.usefixtures("library")
async def test_a_deleted_target_is_not_stored_again_by_what_refers_to_it(
    session: AsyncSession, raw: Database[Document]
) -> None:
    books = await session.scalars(select(Book)).all()
    session.delete(books[0].author)
    await session.commit()
    books[0].title = "changed"
    await session.commit()
    session.add(Book(title="new", publisher=books[0].publisher, author=books[0].author))
    await session.commit()
    assert raw["author"].count_documents({}) == 0


@pytest.mark.usefixtures("library")
async def test_rollback_gives_back_the_target(session: AsyncSession) -> None:
    book = await session.scalars(select(Book)).first()
    assert book is not None
    author = book.author
    book.author = Author(name="Bob")
    session.rollback()
    assert book.author is author


@pytest.mark.usefixtures("library")
async def test_a_missing_target_names_document_and_field(session: AsyncSession, raw: Database[Document]) -> None:
    lost = ObjectId()
    raw["book"].update_one({"title": "book 3"}, {"$set": {"publisher_id": lost}})
    key = (raw["book"].find_one({"title": "book 3"}) or {})["_id"]
    with pytest.raises(DocumentError, match="publisher") as caught:
        await session.scalars(select(Book)).all()
    assert caught.value.key == key
    assert str(key) in str(caught.value)
    assert isinstance(caught.value, DocumentParsingError)
    assert "Referenced document not found" in str(caught.value)


@pytest.mark.usefixtures("library")
async def test_iteration_loads_references_in_batches(session: AsyncSession, commands: CommandLog) -> None:
    commands.sent.clear()
    assert len([book.publisher.country.name async for book in session.scalars(select(Book))]) == 20
    assert sorted(commands.names()) == ["find author", "find book", "find country", "find publisher"]


@pytest.mark.usefixtures("library")
async def test_what_was_pickled_is_merged_along_with_what_it_refers_to(
    session: AsyncSession, session_maker: SessionMaker, raw: Database[Document]
) -> None:
    book = await session.scalars(select(Book).where(Book.title == "book 1")).one()
    book.author.name = "Bea"
    copied: Book = pickle.loads(pickle.dumps(book))
    async with session_maker() as other:
        other.merge(copied)
        copied.title = "renamed"
        await other.commit()
    assert raw["book"].count_documents({"title": "renamed", "_id": book.id}) == 1
    assert [author["name"] for author in raw["author"].find()] == ["Bea"]
    assert raw["publisher"].count_documents({}) == 2
