"""What a machine that compares sessions with dictionaries has found: each was a loss, or an object of its own."""

from __future__ import annotations

import pytest
from odmantic import EmbeddedModel, Field, Model, Reference
from pymongo.database import Database

from mongotic import IntegrityError, InvalidRequestError, StaleDataError, select
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import DocumentError
from mongotic.inspection import inspect
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Part(EmbeddedModel):
    name: str = "p"
    depth: int = 0


class Publisher(Model):
    id: int = Field(primary_field=True)
    name: str = ""


class Book(Model):
    id: int = Field(primary_field=True)
    title: str = ""
    tags: list[str] = []
    notes: dict[str, int] = {"made": 0}
    part: Part = Part()
    publisher: Publisher = Reference()


class Note(Model):
    __version_field__ = "version"
    id: int = Field(primary_field=True)
    text: str = ""
    version: int = 1


@pytest.fixture
async def book(session: AsyncSession, raw: Database[Document]) -> Book:
    raw["publisher"].insert_one({"_id": 1, "name": "North"})
    raw["book"].insert_one({"_id": 1, "title": "a", "publisher": 1})
    return await session.scalars(select(Book)).one()


async def test_a_refused_delete_does_not_bring_a_deleted_document_back(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    session.delete(book.publisher)
    await session.commit()
    with pytest.raises(InvalidRequestError, match="gone already"):
        session.delete(book.publisher)
    book.title = "b"
    await session.commit()
    assert list(raw["publisher"].find()) == []


async def test_versioned_documents_that_were_written_are_not_called_stale(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["note"].insert_many([{"_id": number, "version": 1} for number in (1, 2)])
    one, two = await session.scalars(select(Note).order_by(Note.id)).all()
    raw["note"].update_one({"_id": 2}, {"$set": {"text": "theirs", "version": 2}})
    one.text = two.text = "mine"
    with pytest.raises(StaleDataError) as caught:
        await session.flush()
    assert [id(instance) for instance in caught.value.instances] == [id(two)]
    assert [id(instance) for instance in caught.value.written] == [id(one)]
    one.text = "again"
    session.expunge(two)
    await session.flush()
    assert raw["note"].find_one({"_id": 1}) == {"_id": 1, "text": "again", "version": 3}


async def test_whose_write_counted_is_told_though_another_wrote_the_very_same(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["note"].insert_many([{"_id": number, "version": 1} for number in (1, 2)])
    one, two = await session.scalars(select(Note).order_by(Note.id)).all()
    raw["note"].update_one({"_id": 2}, {"$set": {"text": "the same", "version": 2}})
    one.text = two.text = "the same"
    with pytest.raises(StaleDataError) as caught:
        await session.flush()
    assert [id(instance) for instance in caught.value.instances] == [id(two)]
    assert [id(instance) for instance in caught.value.written] == [id(one)]


async def test_a_default_that_was_stored_is_not_called_stale_for_another_one(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    raw["book"].insert_one({"_id": 2, "publisher": 1})
    other = await session.get(Book, 2)
    assert other is not None
    raw["book"].delete_one({"_id": 2})
    book.part.name = other.part.name = "mine"
    with pytest.raises(StaleDataError) as caught:
        await session.flush()
    assert [id(instance) for instance in caught.value.instances] == [id(other)]
    assert [id(instance) for instance in caught.value.written] == [id(book)]


async def test_refresh_drops_a_staged_merge(session: AsyncSession, book: Book, raw: Database[Document]) -> None:
    session.merge(book)
    await session.refresh(book)
    raw["book"].update_one({}, {"$set": {"title": "theirs"}})
    await session.commit()
    assert [document["title"] for document in raw["book"].find()] == ["theirs"]


async def test_merged_values_are_copies(session: AsyncSession, book: Book, raw: Database[Document]) -> None:
    mine = Book(id=1, title="b", tags=["x"], publisher=book.publisher)
    assert session.merge(mine) is book
    mine.tags.append("not merged")
    mine.part = Part(name="not merged")
    await session.commit()
    assert book.tags == ["x"]
    book.part.name = "q"
    await session.commit()
    assert [(document["tags"], document["part"]["name"]) for document in raw["book"].find()] == [(["x"], "q")]


async def test_a_default_of_a_merged_instance_can_be_changed(session: AsyncSession, raw: Database[Document]) -> None:
    merged = session.merge(Book(id=1, publisher=Publisher(id=1)))
    merged.part.name = "q"
    await session.commit()
    assert [document["part"] for document in raw["book"].find()] == [{"name": "q", "depth": 0}]


async def test_a_refreshed_field_is_known_to_be_stored(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    raw["book"].update_one({}, {"$set": {"part": {"name": "theirs", "depth": 5}}})
    await session.refresh(book, ["part"])
    book.part.name = "mine"
    await session.commit()
    assert [document["part"] for document in raw["book"].find()] == [{"name": "mine", "depth": 5}]


async def test_a_key_taken_out_of_a_default_is_written(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    del book.notes["made"]
    await session.commit()
    assert [document["notes"] for document in raw["book"].find()] == [{}]


async def test_a_key_put_in_again_does_not_cost_others_theirs(session: AsyncSession, raw: Database[Document]) -> None:
    raw["publisher"].insert_one({"_id": 1})
    raw["book"].insert_one({"_id": 1, "notes": {"a": 1, "b": 2}, "publisher": 1})
    book = await session.scalars(select(Book)).one()
    raw["book"].update_one({}, {"$set": {"notes.theirs": 3}})
    book.notes["a"] = book.notes.pop("a") + 10
    await session.commit()
    assert [document["notes"] for document in raw["book"].find()] == [{"a": 11, "b": 2, "theirs": 3}]


async def test_an_expunged_target_is_not_written_because_somebody_refers_to_it(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    publisher = book.publisher
    publisher.name = "not to be written"
    session.expunge(publisher)
    book.title = "b"
    await session.commit()
    assert list(raw["publisher"].find()) == [{"_id": 1, "name": "North"}]
    assert publisher not in session


async def test_a_query_refers_to_what_the_session_holds(session: AsyncSession, book: Book) -> None:
    before = book.publisher
    session.expunge(before)
    await session.scalars(select(Book)).all()
    assert book.publisher is not before
    assert book.publisher is await session.get(Publisher, 1)
    assert session.dirty == []


@pytest.fixture
async def twins(session: AsyncSession, session_maker: SessionMaker, raw: Database[Document]) -> list[Publisher]:
    """A held instance that is marked for deletion, and a detached one of the same document that takes its place."""
    raw["publisher"].insert_one({"_id": 1, "name": "North"})
    async with session_maker() as other:
        detached = await other.get(Publisher, 1)
    held = await session.get(Publisher, 1)
    assert held is not None
    assert detached is not None
    session.delete(held)
    session.add(detached)
    return [held, detached]


async def test_rollback_gives_a_marked_instance_its_place_back(
    session: AsyncSession, twins: list[Publisher], raw: Database[Document]
) -> None:
    held, _ = twins
    session.rollback()
    assert await session.get(Publisher, 1) is held
    held.name = "changed"
    await session.commit()
    assert list(raw["publisher"].find()) == [{"_id": 1, "name": "changed"}]


async def test_a_deletion_can_be_taken_back_once_its_place_is_free(
    session: AsyncSession, twins: list[Publisher], raw: Database[Document]
) -> None:
    held, detached = twins
    session.expunge(detached)
    session.add(held)
    held.name = "changed"
    await session.commit()
    assert list(raw["publisher"].find()) == [{"_id": 1, "name": "changed"}]


async def test_one_document_is_deleted_and_merged_once(session: AsyncSession, twins: list[Publisher]) -> None:
    _, detached = twins
    session.add(detached)  # it is there already
    with pytest.raises(InvalidRequestError, match="marked for deletion already"):
        session.delete(detached)
    with pytest.raises(InvalidRequestError, match="marked for deletion"):
        session.merge(detached)


async def test_a_detached_instance_of_a_marked_document_is_not_deleted_again(
    session: AsyncSession, session_maker: SessionMaker, raw: Database[Document]
) -> None:
    raw["publisher"].insert_one({"_id": 1})
    async with session_maker() as other:
        detached = await other.get(Publisher, 1)
    held = await session.get(Publisher, 1)
    assert held is not None
    assert detached is not None
    session.delete(held)
    with pytest.raises(InvalidRequestError, match="marked for deletion already"):
        session.delete(detached)
    with pytest.raises(InvalidRequestError, match="marked for deletion"):
        await session.refresh(detached)
    await session.commit()  # and no warning of a document that was gone


async def test_a_new_document_is_not_overwritten_by_changes_of_the_one_before(
    session: AsyncSession, raw: Database[Document]
) -> None:
    new = Publisher(id=1, name="new")
    session.add(new)
    raw["publisher"].insert_one({"_id": 1, "name": "theirs"})
    theirs = await session.scalars(select(Publisher)).one()
    theirs.name = "changed"
    with pytest.raises(IntegrityError) as failed:
        await session.flush()
    assert [id(instance) for instance in failed.value.pending] == [id(new), id(theirs)]
    raw["publisher"].delete_many({})
    with pytest.raises(StaleDataError) as caught:
        await session.flush()
    assert [id(instance) for instance in caught.value.instances] == [id(theirs)]
    assert list(raw["publisher"].find()) == [{"_id": 1, "name": "new"}]
    assert inspect(theirs).session is None
    assert await session.get(Publisher, 1) is new


async def test_a_missing_target_is_missed_whatever_is_held(
    session: AsyncSession, book: Book, raw: Database[Document], backend: Backend, commands: CommandLog
) -> None:
    session.expunge(book.publisher)
    raw["publisher"].delete_many({})
    with pytest.raises(DocumentError, match="does not fit Book"):
        await session.scalars(select(Book)).all()


async def test_a_refresh_that_fails_attaches_nothing(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    session.expunge_all()
    raw["publisher"].delete_many({})
    with pytest.raises(DocumentError, match="does not fit Book"):
        await session.refresh(book)
    assert inspect(book).session is None
    assert list(session) == []


async def test_a_merge_is_read_back_without_a_target_that_is_gone(
    session: AsyncSession, book: Book, raw: Database[Document]
) -> None:
    raw["note"].insert_one({"_id": 1, "version": 1})
    note = await session.get(Note, 1)
    assert note is not None
    note.text = "b"
    book.title = "b"
    session.merge(book, exclude_unset=True)
    raw["publisher"].delete_many({})
    session.expunge(book.publisher)
    await session.flush()
    assert [document["title"] for document in raw["book"].find()] == ["b"]
    assert [document["text"] for document in raw["note"].find()] == ["b"]
    assert not inspect(book).expired
