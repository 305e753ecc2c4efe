"""What the books do when a document is read again, merged or expired, and when it is gone: without a server."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import gc
from typing import Any, cast

import bson
import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from odmantic import EmbeddedModel, Field, Model, Reference

from mongotic_adapters import changes, snapshot
from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.bulk import batches
from mongotic_adapters.commands import Delete, Insert, Update, Upsert
from mongotic_adapters.errors import ArgumentError, DocumentError, InvalidRequestError
from mongotic_adapters.instance_state import remember, state_of
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.states import State
from mongotic_adapters.unit_of_work import MOST_OPERATIONS, plan
from tests.pure.test_bookkeeping import Document, User, ann, codec, loaded, state, write


class Part(EmbeddedModel):
    name: str = "p"
    depth: int = 0


class Shelf(Model):
    id: int = Field(primary_field=True)
    name: str = ""


class Pair(Model):
    id: int = Field(primary_field=True)
    first: Shelf = Reference()
    second: Shelf = Reference()


class Book(Model):
    model_config = {"extra": "allow"}
    id: int = Field(primary_field=True)
    title: str = ""
    notes: dict[str, int] = {"made": 0}
    part: Part = Part()
    shelf: Shelf = Reference()


class Counted(Model):
    __version_field__ = "version"
    id: int = Field(primary_field=True)
    version: int


@pytest.fixture
def books() -> Bookkeeping:
    return Bookkeeping(codec)


def record(document: Document) -> Any:
    return bson.decode(bson.encode(document)), bson.encode(document)


def shelf(books: Bookkeeping, **values: Any) -> Any:
    return loaded(books, Shelf, {"_id": 1, "name": "a", **values})


def book(books: Bookkeeping, **values: Any) -> Any:
    return loaded(books, Book, {"_id": 1, "shelf": 1, **values}, shelf=shelf(books))


def operations(books: Bookkeeping) -> list[object]:
    return [change.operation for step in plan(books).steps for change in step.changes]


# -- reading again --------------------------------------------------------------------------------------------------


def test_all_values_are_overwritten_on_demand(books: Bookkeeping) -> None:
    held = shelf(books)
    held.name = "mine"
    found: Any = books.load(mapping_of(Shelf), record({"_id": 1, "name": "theirs"}), {}, overwrite=True)
    assert found is held
    assert (held.name, books.dirty) == ("theirs", [])


def test_a_reload_of_some_fields_keeps_the_others(books: Bookkeeping) -> None:
    held = book(books)
    held.title = "mine"
    held.notes["mine"] = 1
    books.reload(
        held, record({"_id": 1, "title": "theirs", "notes": {"t": 1}, "shelf": 1}), {"shelf": held.shelf}, ["notes"]
    )
    assert (held.title, held.notes) == ("mine", {"t": 1})
    assert operations(books) == [Update({"_id": 1}, {"$set": {"title": "mine"}})]


def test_a_reload_attaches_a_detached_instance(books: Bookkeeping) -> None:
    held: Any = shelf(books)
    assert id(books.expect_reloadable(held)) == id(held)
    books.expunge(held)
    assert id(books.expect_reloadable(held)) == id(held)
    books.reload(held, record({"_id": 1, "name": "theirs"}), {})
    assert (state(held), held.name) == (State.PERSISTENT, "theirs")


def test_what_cannot_be_reloaded(books: Bookkeeping) -> None:
    with pytest.raises(ArgumentError, match="never stored"):
        books.expect_reloadable(Shelf(id=1))
    held = shelf(books)
    with pytest.raises(InvalidRequestError, match="another session"):
        Bookkeeping(codec).expect_reloadable(held)
    books.expunge(held)
    other = shelf(books)
    with pytest.raises(InvalidRequestError, match="another instance of the same document"):
        books.expect_reloadable(held)
    books.delete(other)
    with pytest.raises(InvalidRequestError, match="marked for deletion"):
        books.expect_reloadable(held)


def test_a_reload_that_fails_changes_nothing(books: Bookkeeping) -> None:
    held = book(books)
    books.expunge(held)
    with pytest.raises(DocumentError):
        books.reload(held, record({"_id": 1, "shelf": 7}), {})
    assert state(held) is State.DETACHED


def test_a_merged_instance_is_not_renewed(books: Bookkeeping) -> None:
    held = shelf(books)
    books.merge(Shelf(id=1, name="merged"))
    loaded(books, Shelf, {"_id": 1, "name": "theirs"})
    assert held.name == "merged"


def test_a_reload_drops_a_merge(books: Bookkeeping) -> None:
    held: Any = shelf(books)
    books.merge(held)
    books.reload(held, record({"_id": 1, "name": "theirs"}), {})
    assert (books.merged, state(held)) == ([], State.PERSISTENT)


def test_held_instances_by_key(books: Bookkeeping) -> None:
    one, _ = shelf(books), ann(books)
    assert list(books.held(mapping_of(Shelf)).values()) == [one]
    books.flag_expired([one])
    assert books.is_expired(one)
    assert not books.is_expired(Shelf(id=2))
    assert books.find(mapping_of(Shelf), 1) is one
    assert books.find(mapping_of(Shelf), 2) is None


def test_few_are_held_strongly_when_asked_to() -> None:
    books = Bookkeeping(codec, cache_size=1)
    first = remember(shelf(books))
    kept = ann(books)
    assert books.find(mapping_of(User), kept.id) is kept
    loaded(books, Shelf, {"_id": 2})
    gc.collect()
    assert first() is None


def test_a_loop_lets_go_of_what_an_instance_refers_to(books: Bookkeeping) -> None:
    mapping = mapping_of(Book)
    target = books.load(mapping_of(Shelf), record({"_id": 1}), {}, in_passing=True)
    held = books.load(mapping, record({"_id": 1, "shelf": 1}), {"shelf": target}, in_passing=True)
    states = remember(held), remember(target)
    books.let_go(states[0])
    del held, target
    gc.collect()
    books.let_go(states[0])  # it is gone by now
    assert list(books) in ([], [states[1]()])


def test_what_is_lost_elsewhere_is_not_lost_here(books: Bookkeeping) -> None:
    held = shelf(books)
    Bookkeeping(codec).lost(held)
    assert held in books


# -- one document, one instance -------------------------------------------------------------------------------------


def test_references_are_those_the_session_holds(books: Bookkeeping) -> None:
    held = book(books)
    before = held.shelf
    books.expunge(before)
    after = shelf(books)
    loaded(books, Book, {"_id": 1, "shelf": 1}, shelf=after)
    assert held.shelf is after
    fresh = Book(id=2, shelf=before)
    books.add(fresh)
    assert fresh.shelf is after


def test_a_reference_to_another_document_is_left_alone(books: Bookkeeping) -> None:
    held = book(books)
    mine = held.shelf = Shelf(id=2)
    loaded(books, Book, {"_id": 1, "shelf": 1}, shelf=shelf(books))
    assert held.shelf is mine


def test_an_add_that_is_refused_adds_nothing(books: Bookkeeping) -> None:
    shelf(books)
    fresh = Shelf(id=2)
    book(books)
    with pytest.raises(InvalidRequestError):
        books.add(Book(id=1, shelf=fresh))
    assert (books.new, fresh in books) == ([], False)


def test_a_stranger_is_in_no_session_and_expunged_without_a_word(books: Bookkeeping) -> None:
    stranger: Any = "no model"
    books.expunge(stranger)
    books.expunge(Shelf(id=1))
    assert stranger not in books
    assert Shelf(id=1) not in books
    assert not books.is_modified(Shelf(id=1))


def test_what_is_returned_counts_once(books: Bookkeeping) -> None:
    held = shelf(books)
    books.expunge(held)
    books.add(held)
    books.add(held)
    new = Shelf(id=2)
    books.add(new)
    assert list(books) == [new, held]
    held.name = "changed"
    books.rollback()
    assert (held.name, state(held)) == ("a", State.DETACHED)


def test_what_odmantic_saved_since_it_was_added_is_no_insert(books: Bookkeeping) -> None:
    fresh = Shelf(id=1)
    books.add(fresh)
    object.__setattr__(fresh, "__fields_modified__", set())
    books.cascade()
    assert state(fresh) is State.RETURNED


def test_what_odmantic_loaded_is_detached(books: Bookkeeping) -> None:
    given = book(Bookkeeping(codec)).model_copy()
    object.__setattr__(given, "__fields_modified__", {"title"})
    shelf_ = given.shelf = Shelf(id=3)
    object.__setattr__(shelf_, "__fields_modified__", set())
    given.__fields_modified__.discard("shelf")
    books.add(given)
    assert state(given) is State.RETURNED
    found = operations(books)
    assert all(isinstance(operation, Update) for operation in found)
    books.rollback()
    assert state(given) is State.DETACHED


def test_an_unstored_instance_may_not_be_deleted(books: Bookkeeping) -> None:
    held = shelf(books)
    books.lost(held)
    with pytest.raises(InvalidRequestError, match="gone already"):
        books.delete(held)


def test_a_detached_instance_can_be_deleted_once(books: Bookkeeping) -> None:
    held = shelf(books)
    books.expunge(held)
    books.delete(held)
    assert operations(books) == [Delete({"_id": 1})]
    other = shelf(Bookkeeping(codec))
    with pytest.raises(InvalidRequestError, match="already"):
        books.delete(other)


def test_a_deletion_whose_place_is_taken_cannot_be_taken_back(books: Bookkeeping) -> None:
    held = shelf(books)
    books.delete(held)
    books.add(Shelf(id=1))
    with pytest.raises(InvalidRequestError, match="to take its place"):
        books.add(held)


def test_a_deletion_is_said_twice_though_another_takes_the_place(books: Bookkeeping) -> None:
    held = shelf(books)
    books.expunge(held)
    other = shelf(books)
    books.delete(other)
    books.add(held)
    books.delete(other)
    assert books.deleted == [other]
    assert state(held) is State.RETURNED


# -- merging --------------------------------------------------------------------------------------------------------


def test_a_merge_of_a_made_up_key_adds(books: Bookkeeping) -> None:
    class Slip(Model):
        text: str = ""

    slip = Slip()
    assert books.merge(slip) is slip
    assert books.new == [slip]


def test_a_merge_goes_on_to_targets_of_which_the_key_alone_is_known(books: Bookkeeping) -> None:
    books.merge(Book(id=1, shelf=Shelf(id=7, name="copied")))
    shelf, _ = operations(books)
    assert shelf == Upsert({"_id": 7}, {"$set": {"name": "copied"}})


def test_a_merge_leaves_targets_that_are_held_as_they_are(books: Bookkeeping) -> None:
    held = loaded(books, Shelf, {"_id": 7, "name": "held"})
    merged = books.merge(Book(id=1, shelf=Shelf(id=7, name="copied")))
    assert cast("Book", merged).shelf is held
    assert held.name == "held"


def test_a_refused_merge_leaves_no_merge_of_a_target(books: Bookkeeping) -> None:
    books.add(Shelf(id=8))
    pair = Pair(id=1, first=Shelf(id=7), second=Shelf(id=8))
    with pytest.raises(InvalidRequestError, match="another new instance with the same key"):
        books.merge(pair)
    assert books.merged == []
    assert state(pair.first) is State.TRANSIENT


def test_a_partial_merge_has_what_was_set_and_what_was_pending(books: Bookkeeping) -> None:
    held = book(books)
    held.notes["pending"] = 1
    books.merge(Book(id=1, title="merged", odd=1, shelf=held.shelf), exclude_unset=True)
    books.merge(Book(id=1, part=Part(depth=1), shelf=held.shelf), exclude_unset=True)
    (operation,) = operations(books)
    assert isinstance(operation, Upsert)
    assert set(operation.update["$set"]) == {"title", "odd", "notes", "part", "shelf"}  # type: ignore[call-overload]
    assert "$setOnInsert" not in operation.update
    books.merge(held)
    assert [merge.keys for merge in books.merged] == [None]
    books.merge(held, exclude_unset=True)
    assert [merge.keys for merge in books.merged] == [None]


def test_a_merge_of_a_key_alone(books: Bookkeeping) -> None:
    class Only(Model):
        id: int = Field(primary_field=True)

    books.merge(Only(id=1))
    assert operations(books) == [Upsert({"_id": 1}, {"$setOnInsert": {"_id": 1}})]


def test_merging_a_detached_instance_attaches_it(books: Bookkeeping) -> None:
    held = shelf(books)
    books.expunge(held)
    held.name = "changed"
    assert books.merge(held, exclude_unset=True) is held
    assert state(held) is State.MERGED
    write(books)
    assert state(held) is State.PERSISTENT


def test_a_merge_that_is_rolled_back(books: Bookkeeping) -> None:
    held, fresh = shelf(books), Shelf(id=2)
    books.merge(Shelf(id=1, name="merged"))
    books.merge(fresh)
    books.rollback()
    assert (held.name, state(held), fresh in books) == ("a", State.PERSISTENT, False)


def test_what_waits_for_its_insert_is_not_merged_over(books: Bookkeeping) -> None:
    books.add(Shelf(id=1))
    with pytest.raises(InvalidRequestError, match="another new instance"):
        books.merge(Shelf(id=1))


def test_a_marked_document_is_not_merged(books: Bookkeeping) -> None:
    held = shelf(books)
    other = shelf(Bookkeeping(codec))
    remember(other).owner_ref = None
    remember(other).state = State.DETACHED
    books.delete(held)
    with pytest.raises(InvalidRequestError, match="marked for deletion"):
        books.merge(Shelf(id=1))
    books.add(other)
    with pytest.raises(InvalidRequestError, match="marked for deletion"):
        books.merge(other)


# -- expiring -------------------------------------------------------------------------------------------------------


def test_expired_changes_are_not_written(books: Bookkeeping) -> None:
    held = book(books)
    held.title, held.notes = "mine", {"mine": 1}
    books.expire(held, ["title"])
    assert operations(books)[0].update == {"$set": {"notes": {"mine": 1}}}  # type: ignore[attr-defined]
    books.expire(held)
    assert operations(books) == []
    held.title = "again"
    books.expire_all()
    assert (operations(books), books.is_expired(held)) == ([], True)
    with pytest.raises(InvalidRequestError, match="cannot expire"):
        books.expire(Shelf(id=9))


def test_work_is_what_a_flush_would_write(books: Bookkeeping) -> None:
    assert not books.has_work()
    held = shelf(books)
    assert not books.has_work()
    held.name = "b"
    assert books.has_work()


# -- values ---------------------------------------------------------------------------------------------------------


def test_the_value_that_was_stored(books: Bookkeeping) -> None:
    held = book(books, title="a")
    found = state_of(held)
    assert found is not None
    held.title, former = "b", held.shelf
    held.shelf = Shelf(id=2)
    assert changes.codec_of(found) is codec(mapping_of(Book))
    assert changes.believed_value(found, held, "title", codec(mapping_of(Book))) == "a"
    assert changes.believed_value(found, held, "shelf", codec(mapping_of(Book))) is former
    held.__dict__["part"] = object()
    assert changes.believed_value(found, held, "title", codec(mapping_of(Book))) == "a"
    books.expunge(held)
    assert changes.codec_of(found) == CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


def test_a_key_taken_out_of_a_default_stores_it_whole(books: Bookkeeping) -> None:
    held = book(books)
    del held.notes["made"]
    held.part.name = "q"
    (operation,) = operations(books)
    assert operation == Update(
        {"_id": 1, "notes": {"$exists": False}, "part": {"$exists": False}},
        {"$set": {"notes": {}, "part": {"name": "q", "depth": 0}}},
    )


def test_the_value_under_a_path() -> None:
    assert snapshot.at({"a": {"b": 1}}, "a.b") == 1
    assert snapshot.at({"a": {"b": 1}}, "a.c") is snapshot.MISSING
    assert snapshot.at({"a": [1]}, "a.b") is snapshot.MISSING


# -- the plan -------------------------------------------------------------------------------------------------------


def test_changes_of_a_document_that_a_new_one_replaces_are_not_sent(books: Bookkeeping) -> None:
    new = Shelf(id=1, name="new")
    books.add(new)
    theirs = shelf(books)
    theirs.name = "changed"
    todo = plan(books)
    assert [[id(change.instance) for change in step.changes] for step in todo.steps] == [[id(new)]]
    assert [id(instance) for instance in todo.ousted] == [id(theirs)]
    write(books)
    assert (theirs in books, new in books) == (False, True)


def test_a_version_that_is_no_default_is_asked_for(books: Bookkeeping) -> None:
    held = loaded(books, Counted, {"_id": 1, "version": 4})
    books.delete(held)
    assert operations(books) == [Delete({"_id": 1, "version": 4})]


def test_inserts_of_a_statement_in_commands() -> None:
    mapping = mapping_of(Shelf)
    inserts: list[Any] = [Insert(b"x")] * (MOST_OPERATIONS + 1)
    cut = batches(mapping, inserts, codec(mapping))
    assert [(start, len(batch.operations)) for start, batch in cut] == [(0, MOST_OPERATIONS), (MOST_OPERATIONS, 1)]
    assert batches(mapping, [], codec(mapping)) == []


def test_a_new_instance_is_merged_twice(books: Bookkeeping) -> None:
    first = books.merge(Shelf(id=1), exclude_unset=True)
    assert books.merge(Shelf(id=1, name="b"), exclude_unset=True) is first
    assert operations(books) == [Upsert({"_id": 1}, {"$set": {"name": "b"}})]


def test_a_deleted_instance_is_let_go_with_the_others(books: Bookkeeping) -> None:
    held = shelf(books)
    books.delete(held)
    write(books)
    with pytest.raises(InvalidRequestError, match="a flush has deleted it"):
        books.add(held)
    with pytest.raises(InvalidRequestError, match="a flush has deleted it"):
        books.merge(held)
    books.release_all()
    assert state(held) is State.DETACHED


def test_a_value_that_cannot_be_stored_is_an_unwritten_key(books: Bookkeeping) -> None:
    held = book(books)
    held.__dict__["title"] = object()
    found = remember(held)
    assert changes.unwritten_keys(found, held, codec(mapping_of(Book))) == {"title"}
    assert changes.believed_value(found, held, "notes", codec(mapping_of(Book))) == {"made": 0}


def test_a_written_document_is_known_whole(books: Bookkeeping) -> None:
    fresh = Book(id=1, shelf=shelf(books))
    books.add(fresh)
    (change,) = [change for step in plan(books).steps for change in step.changes]
    assert change.assigned is None


def test_what_odmantic_did_not_tell_is_not_known(books: Bookkeeping) -> None:
    given = Shelf(id=1, name="a")
    object.__setattr__(given, "__fields_modified__", {"name"})
    books.add(given)
    assert changes.believed_value(remember(given), given, "name", codec(mapping_of(Shelf))) is None
    copied = Shelf.model_construct(id=2, name="b")
    books.add(copied)
    assert state(copied) is State.PENDING


def test_inserts_and_replacements_of_one_collection_are_two_commands(books: Bookkeeping) -> None:
    held = shelf(books)
    books.delete(held)
    for fresh in (Shelf(id=2), Shelf(id=1)):
        books.add(fresh)
    assert [len(step.batch().operations) for step in plan(books).steps] == [1, 1]


def test_adding_what_is_held_changes_nothing(books: Bookkeeping) -> None:
    held = shelf(books)
    books.add(held)
    assert (state(held), books.new) == (State.PERSISTENT, [])


def test_what_was_expunged_is_not_added_again_by_a_flush(books: Bookkeeping) -> None:
    held = book(books)
    target = held.shelf
    target.name = "not to be written"
    books.expunge(target)
    assert operations(books) == []
    assert target not in books


def test_an_unchanged_instance_that_was_added_again_is_settled_without_a_write(books: Bookkeeping) -> None:
    held = shelf(books)
    books.expunge(held)
    books.add(held)
    todo = plan(books)
    assert todo.steps == []
    for instance in todo.unchanged:
        books.unchanged(instance)
    assert (state(held), books.new) == (State.PERSISTENT, [])


def test_an_extra_key_that_is_gone_is_gone_from_the_instance(books: Bookkeeping) -> None:
    held = book(books, odd=1)
    loaded(books, Book, {"_id": 1, "shelf": 1}, shelf=held.shelf)
    assert held.__pydantic_extra__ == {}


def test_an_instance_whose_document_was_never_valid_is_left_as_it_is(books: Bookkeeping) -> None:
    given = Book(id=1, title="a", shelf=shelf(books))
    object.__setattr__(given, "__fields_modified__", {"part"})
    books.add(given)
    given.__dict__["part"] = object()
    given.__dict__["title"] = "b"
    found = remember(given)
    assert changes.believed_value(found, given, "title", codec(mapping_of(Book))) == "a"
    given.__dict__["part"] = {"depth": "no number"}
    assert changes.believed_value(found, given, "title", codec(mapping_of(Book))) == "a"
    books.rollback()
    assert given.title in ("a", "b")


@pytest.mark.parametrize("how", ["rollback", "release_all", "expunge"])
def test_a_merge_that_was_never_stored_leaves_a_transient_instance(books: Bookkeeping, how: str) -> None:
    given = Shelf(id=9)
    books.merge(given)
    books.expunge(given) if how == "expunge" else getattr(books, how)()
    assert state(given) is State.TRANSIENT
    books.add(given)
    assert books.new == [given]


def test_a_refused_merge_adds_nothing(books: Bookkeeping) -> None:
    held = book(books)
    books.delete(held)
    target = Shelf(id=9)
    with pytest.raises(InvalidRequestError):
        books.merge(Book(id=1, shelf=target))
    assert (state(target), books.new) == (State.TRANSIENT, [])
