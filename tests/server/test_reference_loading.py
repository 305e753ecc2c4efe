"""How references are loaded, and that the key of one that was not loaded is never lost."""

# pyright takes an attribute declared as Model for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from odmantic import Model, ObjectId, Reference
from pymongo.database import Database

from mongotic import (
    ArgumentError,
    DocumentError,
    InvalidRequestError,
    LoadOption,
    NotFound,
    col,
    desc,
    joinedload,
    noload,
    raiseload,
    select,
    selectinload,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError
from mongotic.inspection import inspect
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Country(Model):
    name: str


class Publisher(Model):
    name: str
    country: Country = Reference()


class Book(Model):
    title: str
    pages: int = 100
    publisher: Publisher = Reference(key_name="publisher_id")


NORWAY, ITALY = ObjectId("00000000000000000000c001"), ObjectId("00000000000000000000c002")
NORTH, SOUTH = ObjectId("00000000000000000000b001"), ObjectId("00000000000000000000b002")


@pytest.fixture(autouse=True)
def library(raw: Database[Document], commands: CommandLog) -> None:
    raw["country"].insert_many([{"_id": NORWAY, "name": "Norway"}, {"_id": ITALY, "name": "Italy"}])
    raw["publisher"].insert_many(
        [{"_id": NORTH, "name": "North", "country": NORWAY}, {"_id": SOUTH, "name": "South", "country": ITALY}]
    )
    raw["book"].insert_many(
        [
            {"title": f"book {number:02}", "pages": 100, "publisher_id": (NORTH, SOUTH)[number % 2]}
            for number in range(20)
        ]
    )
    commands.sent.clear()


def keys(raw: Database[Document]) -> list[object]:
    """The stored references of the first two books."""
    return [book["publisher_id"] for book in raw["book"].find({}, sort=[("title", 1)], limit=2)]


# -- ways ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        (selectinload(Book.publisher), ["find book", "find country", "find publisher"]),
        (joinedload(Book.publisher), ["aggregate book", "find country"]),
        (joinedload(Book.publisher).joinedload(Publisher.country), ["aggregate book"]),
        (selectinload(Book.publisher).joinedload(Publisher.country), ["aggregate publisher", "find book"]),
        (joinedload(Book.publisher).noload(Publisher.country), ["aggregate book"]),
        (selectinload(Book.publisher).noload(Publisher.country), ["find book", "find publisher"]),
        (noload(Book.publisher), ["find book"]),
        (raiseload(Book.publisher), ["find book"]),
    ],
    ids=repr,
)
async def test_each_way_sends_what_it_says(
    session: AsyncSession, commands: CommandLog, option: LoadOption, sent: list[str]
) -> None:
    books = await session.scalars(select(Book).options(option).order_by(Book.title)).all()
    assert [book.title for book in books] == [f"book {number:02}" for number in range(20)]
    assert sorted(commands.names()) == sent
    assert [inspect(book).foreign_key("publisher") for book in books[:2]] == [NORTH, SOUTH]


@pytest.mark.parametrize("way", [selectinload, joinedload])
async def test_what_is_loaded_is_the_same_whatever_the_way(
    session: AsyncSession, way: Callable[[object], LoadOption]
) -> None:
    books = await session.scalars(select(Book).options(way(Book.publisher)).order_by(Book.title)).all()
    assert [book.publisher.name for book in books[:2]] == ["North", "South"]
    assert [book.publisher.country.name for book in books[:2]] == ["Norway", "Italy"]
    assert len({id(book.publisher) for book in books}) == 2
    assert session.dirty == []


async def test_one_document_is_read_together_with_what_it_refers_to(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    key = raw["book"].find_one({})["_id"]  # type: ignore[index]
    book = await session.get_one(Book, key)
    assert commands.names() == ["aggregate book"]
    assert book.publisher.country.name == "Norway"
    book.publisher.country.name = "Noreg"
    book.title = "changed"
    assert len(session.dirty) == 2
    await session.commit()
    assert raw["country"].distinct("name") == ["Italy", "Noreg"]
    assert raw["book"].find_one({"_id": key}) == {"_id": key, "title": "changed", "pages": 100, "publisher_id": NORTH}


async def test_get_takes_options(session: AsyncSession, raw: Database[Document], commands: CommandLog) -> None:
    key = raw["book"].find_one({})["_id"]  # type: ignore[index]
    book = await session.get(Book, key, options=[noload(Book.publisher)])
    assert book is not None
    assert book.publisher is None
    assert commands.names() == ["find book"]
    assert await session.get_one(Book, key, options=[raiseload(Book.publisher)]) is book


async def test_joined_documents_stream_in_batches(session: AsyncSession, commands: CommandLog) -> None:
    statement = select(Book).options(joinedload(Book.publisher).joinedload(Publisher.country)).yield_per(5)
    names = [book.publisher.country.name async for book in session.scalars(statement)]
    assert sorted(set(names)) == ["Italy", "Norway"]
    assert len(names) == 20
    assert commands.names() == ["aggregate book"]


@pytest.mark.parametrize("detached", [True, False])
async def test_streams_and_copies_follow_the_options(session: AsyncSession, *, detached: bool) -> None:
    statement = select(Book).options(noload(Book.publisher)).execution_options(detached=detached)
    assert {book.publisher async for book in session.scalars(statement)} == {None}
    assert {book.publisher for book in await session.scalars(statement).all()} == {None}


async def test_limit_offset_and_order_hold_for_joined_documents(session: AsyncSession) -> None:
    statement = select(Book).options(joinedload(Book.publisher)).order_by(desc(Book.title)).offset(2).limit(3)
    books = await session.scalars(statement).all()
    assert [book.title for book in books] == ["book 17", "book 16", "book 15"]


async def test_a_later_option_holds(session: AsyncSession, commands: CommandLog) -> None:
    statement = select(Book).options(noload(Book.publisher)).options(joinedload(Book.publisher))
    assert (await session.scalars(statement).all())[0].publisher is not None
    assert "aggregate book" in commands.names()


# -- what was not loaded ------------------------------------------------------------------------------------------


async def test_reading_what_raises_says_what_to_do(session: AsyncSession) -> None:
    book = await session.scalars(select(Book).options(raiseload(Book.publisher))).first()
    assert book is not None
    with pytest.raises(InvalidRequestError, match=r'session.refresh\(instance, \["publisher"\]\)'):
        _ = book.publisher
    assert inspect(book).foreign_key("publisher") == NORTH
    assert "publisher" not in book.model_dump()
    assert str(book)
    other = Book(title="whole", publisher=Publisher(name="p", country=Country(name="c")))
    assert other.publisher.name == "p"
    assert +Book.publisher == "publisher_id"  # type: ignore[operator]  # ODMantic's class attribute is what it was


Act = Callable[[AsyncSession, Book], Awaitable[None]]


async def _change_another_field(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    await session.flush()


async def _expire(session: AsyncSession, book: Book) -> None:
    session.expire(book)
    book.pages = 7
    await session.flush()


async def _expire_the_field(session: AsyncSession, book: Book) -> None:
    session.expire(book, ["publisher"])
    book.pages = 7
    await session.flush()


async def _refresh_another_field(session: AsyncSession, book: Book) -> None:
    await session.refresh(book, ["title"])
    book.pages = 7
    await session.flush()


async def _refresh_without(session: AsyncSession, book: Book) -> None:
    await session.refresh(book, options=[noload(Book.publisher)])
    book.pages = 7
    await session.flush()


async def _expunge_and_add(session: AsyncSession, book: Book) -> None:
    session.expunge(book)
    book.pages = 7
    session.add(book)
    await session.flush()


async def _merge(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    session.merge(book)
    await session.flush()


async def _merge_a_copy(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    twin = copy.copy(book)
    session.expunge(book)
    session.merge(twin)
    await session.flush()


async def _merge_a_deep_copy_into_the_held_one(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    twin = copy.deepcopy(book)
    assert session.merge(twin) is book
    await session.flush()


async def _merge_a_pickled_one(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    twin: Book = pickle.loads(pickle.dumps(book))
    session.expunge_all()
    session.merge(twin)
    await session.flush()


async def _merge_what_is_set(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    twin: Book = pickle.loads(pickle.dumps(book))
    session.expunge_all()
    session.merge(twin, exclude_unset=True)
    await session.flush()


async def _model_copy(session: AsyncSession, book: Book) -> None:
    twin = book.model_copy(update={"pages": 7})
    session.expunge_all()
    session.merge(twin)
    await session.flush()


async def _roll_back(session: AsyncSession, book: Book) -> None:
    book.publisher = Publisher(name="other", country=Country(name="c"))
    session.rollback()
    book.pages = 7
    await session.flush()


async def _roll_back_a_transaction(session: AsyncSession, book: Book) -> None:
    transaction = session.begin()
    book.publisher = Publisher(name="other", country=Country(name="c"))
    book.title = "other"
    await session.flush()
    await transaction.rollback()
    book.pages = 7
    await session.flush()


async def _delete_and_roll_back(session: AsyncSession, book: Book) -> None:
    session.delete(book)
    session.rollback()
    book.pages = 7
    await session.flush()


async def _replace(session: AsyncSession, book: Book) -> None:
    book.pages = 7
    twin: Book = pickle.loads(pickle.dumps(book))
    session.delete(book)
    session.add(twin)
    await session.flush()


async def _read_again(session: AsyncSession, book: Book) -> None:
    await session.scalars(select(Book).options(noload(Book.publisher))).all()
    book.pages = 7
    await session.flush()


async def _add_to_another_session(session: AsyncSession, book: Book) -> None:
    session.expunge_all()
    book.pages = 7
    session.add(book)
    await session.commit()


ACTS: list[Act] = [
    *(_change_another_field, _expire, _expire_the_field, _refresh_another_field, _refresh_without, _expunge_and_add),
    *(_merge, _merge_a_copy, _merge_a_deep_copy_into_the_held_one, _merge_a_pickled_one, _merge_what_is_set),
    *(_model_copy, _roll_back, _roll_back_a_transaction, _delete_and_roll_back, _replace, _read_again),
    _add_to_another_session,
]


@pytest.mark.parametrize("way", [noload, raiseload])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__.strip("_"))
async def test_the_key_of_what_was_not_loaded_is_kept(
    session: AsyncSession, raw: Database[Document], way: Callable[[object], LoadOption], act: Act
) -> None:
    statement = select(Book).options(way(Book.publisher)).order_by(Book.title)
    book = (await session.scalars(statement).all())[0]
    assert session.dirty == []
    before = raw["publisher"].count_documents({})
    await act(session, book)
    stored = raw["book"].find_one({"_id": book.id})
    assert stored == {"_id": book.id, "title": "book 00", "pages": 7, "publisher_id": NORTH}
    assert raw["publisher"].count_documents({}) == before
    assert keys(raw) == [NORTH, SOUTH]
    assert inspect(book).foreign_key("publisher") == NORTH
    assert session.dirty == []


@pytest.mark.parametrize("way", [noload, raiseload])
async def test_only_what_differs_is_sent(
    session: AsyncSession, commands: CommandLog, way: Callable[[object], LoadOption]
) -> None:
    book = await session.scalars(select(Book).options(way(Book.publisher))).first()
    assert book is not None
    book.pages = 7
    await session.flush()
    assert commands.sent[-1]["updates"][0]["u"] == {"$set": {"pages": 7}}


@pytest.mark.parametrize("way", [noload, raiseload])
async def test_what_is_set_is_written(
    session: AsyncSession, raw: Database[Document], way: Callable[[object], LoadOption]
) -> None:
    books = await session.scalars(select(Book).options(way(Book.publisher)).order_by(Book.title)).all()
    south = await session.get_one(Publisher, SOUTH)
    books[0].publisher = south
    assert inspect(books[0]).history("publisher").new is south
    await session.commit()
    assert keys(raw) == [SOUTH, SOUTH]
    books[0].pages = 8
    await session.commit()
    assert keys(raw) == [SOUTH, SOUTH]


@pytest.mark.parametrize("way", [noload, raiseload])
async def test_it_is_loaded_later(session: AsyncSession, way: Callable[[object], LoadOption]) -> None:
    books = await session.scalars(select(Book).options(way(Book.publisher)).order_by(Book.title)).all()
    books[0].title = "changed"
    await session.refresh(books[0], ["publisher"])
    assert books[0].publisher.country.name == "Norway"
    assert books[0].title == "changed"
    assert len(session.dirty) == 1
    await session.scalars(select(Book)).all()
    assert books[1].publisher.country.name == "Italy"
    assert len(session.dirty) == 1


async def test_what_is_loaded_stays_loaded(session: AsyncSession, raw: Database[Document]) -> None:
    books = await session.scalars(select(Book).order_by(Book.title)).all()
    publisher = books[0].publisher
    raw["book"].update_many({}, {"$set": {"pages": 5}})
    await session.scalars(select(Book).options(noload(Book.publisher))).all()
    assert books[0].pages == 5
    assert books[0].publisher is publisher
    books[0].publisher = books[1].publisher
    session.rollback()
    assert books[0].publisher is publisher


async def test_another_key_read_later_takes_the_place_of_what_was_loaded(
    session: AsyncSession, raw: Database[Document]
) -> None:
    books = await session.scalars(select(Book).order_by(Book.title)).all()
    raw["book"].update_many({}, {"$set": {"publisher_id": SOUTH}})
    await session.scalars(select(Book).options(noload(Book.publisher))).all()
    assert books[0].publisher is None
    assert inspect(books[0]).foreign_key("publisher") == SOUTH
    assert session.dirty == []


async def test_a_clone_keeps_the_key(session: AsyncSession, raw: Database[Document]) -> None:
    book = await session.scalars(select(Book).options(raiseload(Book.publisher))).first()
    assert book is not None
    twin = session.clone(book)
    session.add(twin)
    await session.commit()
    assert raw["book"].find_one({"_id": twin.id}, {"_id": 0, "publisher_id": 1}) == {"publisher_id": NORTH}


async def test_a_nested_reference_that_was_not_loaded_is_loaded_when_asked_for(session: AsyncSession) -> None:
    north = (
        await session.scalars(select(Publisher).options(noload(Publisher.country)).order_by(Publisher.name)).all()
    )[0]
    assert north.country is None
    books = await session.scalars(select(Book).order_by(Book.title)).all()
    assert books[0].publisher is north
    assert north.country.name == "Norway"


async def test_the_engines_own_save_takes_what_is_loaded_alone(
    backend: Backend, raw: Database[Document], commands: CommandLog
) -> None:
    async with backend.maker(writes="engine")() as session:
        book = await session.scalars(select(Book).options(noload(Book.publisher))).first()
        assert book is not None
        book.pages = 7
        commands.sent.clear()
        with pytest.raises(ArgumentError, match=r'Load it first: session.refresh\(instance, \["publisher"\]\)'):
            await session.flush()
        assert commands.sent == []
        await session.refresh(book, ["publisher"])
        await session.flush()
        assert raw["book"].find_one({"_id": book.id}, {"_id": 0}) == {
            "title": book.title,
            "pages": 7,
            "publisher_id": NORTH,
        }


async def test_an_engine_with_its_own_find_is_asked_itself(
    backend: Backend, raw: Database[Document], commands: CommandLog
) -> None:
    kind: Any = type(backend.engine)

    def find(engine: Any, *conditions: Any, **options: Any) -> Any:
        return kind.find(engine, *conditions, **options)

    own: Any = type("Own", (kind,), {"find": find})
    async with backend.maker(own(backend.client, backend.database))() as session:
        statement = select(Book).options(joinedload(Book.publisher))
        assert len(await session.scalars(statement).all()) == 20
        with pytest.raises(NotImplementedError, match="cannot be sorted"):
            await session.scalars(select(Book).order_by(col(Book.publisher).name)).all()
        found = await session.scalars(select(Book).where(col(Book.publisher).name == "North")).all()
        assert {book.publisher.name for book in found} == {"North"}


# -- missing targets ----------------------------------------------------------------------------------------------


@pytest.fixture
def lost(raw: Database[Document]) -> ObjectId:
    key = ObjectId("00000000000000000000dead")
    raw["book"].update_one({"title": "book 00"}, {"$set": {"publisher_id": key}})
    return key


@pytest.mark.parametrize("way", [selectinload, joinedload])
async def test_a_missing_target_is_an_error_that_names_document_and_field(
    session: AsyncSession, raw: Database[Document], lost: ObjectId, way: Callable[[object], LoadOption]
) -> None:
    key = (raw["book"].find_one({"publisher_id": lost}) or {})["_id"]
    with pytest.raises(DocumentError, match="publisher") as caught:
        await session.scalars(select(Book).options(way(Book.publisher))).all()
    assert caught.value.key == key
    with pytest.raises(DocumentError, match="Referenced document not found"):
        await session.get(Book, key)


async def test_none_in_the_place_of_a_missing_target(
    session: AsyncSession, raw: Database[Document], lost: ObjectId
) -> None:
    statement = select(Book).execution_options(missing="none").order_by(Book.title)
    books = await session.scalars(statement).all()
    assert len(books) == 20
    assert books[0].publisher is None
    assert books[1].publisher.name == "South"
    assert inspect(books[0]).foreign_key("publisher") == lost
    books[0].pages = 7
    assert len(session.dirty) == 1
    await session.commit()
    assert keys(raw) == [lost, SOUTH]


async def test_documents_with_missing_targets_are_left_out(session: AsyncSession, lost: ObjectId) -> None:
    statement = select(Book).execution_options(missing="skip").order_by(Book.title)
    assert [book.title for book in await session.scalars(statement).all()][:2] == ["book 01", "book 02"]
    assert len([book async for book in session.scalars(statement)]) == 19
    assert (
        await session.scalars(select(Book).where(Book.publisher == lost).execution_options(missing="skip")).all() == []
    )


async def test_a_missing_target_of_a_target_counts_too(session: AsyncSession, raw: Database[Document]) -> None:
    raw["country"].delete_one({"_id": NORWAY})
    statement = select(Book).order_by(Book.title)
    assert len(await session.scalars(statement.execution_options(missing="skip")).all()) == 10
    session.expunge_all()
    books = await session.scalars(statement.execution_options(missing="none")).all()
    assert books[0].publisher.country is None
    assert inspect(books[0].publisher).foreign_key("country") == NORWAY


# -- mistakes -----------------------------------------------------------------------------------------------------


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no reference": (lambda: noload(Book.title), ArgumentError, "Book.title is no reference"),
    "no field": (lambda: noload("publisher"), ArgumentTypeError, "takes a reference"),
    "another model": (lambda: select(Book).options(noload(Publisher.country)), ArgumentError, "is about Publisher"),
    "a chain that breaks": (
        lambda: selectinload(Book.publisher).noload(Book.publisher),
        ArgumentError,
        "leads to Publisher",
    ),
    "inside of nothing": (lambda: noload(Book.publisher).noload(Publisher.country), ArgumentError, "is not loaded"),
    "no option": (lambda: select(Book).options("publisher"), ArgumentTypeError, "takes options such as"),  # type: ignore[arg-type]
    "columns": (lambda: select(Book.title).options(noload(Book.publisher)), ArgumentError, "query for columns"),
    "missing": (
        lambda: select(Book).execution_options(missing="ignore"),  # type: ignore[arg-type]
        ArgumentError,
        '"error", "none" or "skip"',
    ),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake(name: str) -> None:
    act, error, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        act()


async def test_foreign_key_is_of_references_alone(session_maker: SessionMaker) -> None:
    book = Book(title="t", publisher=Publisher(name="p", country=Country(name="c")))
    assert inspect(book).foreign_key("publisher") == book.publisher.id
    with pytest.raises(ArgumentError, match="is no reference"):
        inspect(book).foreign_key("title")
    async with session_maker() as session:
        session.add(book)
        await session.commit()
        await session.execute(select(Book.title))
        with pytest.raises(NotFound):
            await session.get_one(Book, ObjectId())
