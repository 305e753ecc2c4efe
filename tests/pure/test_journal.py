"""A transaction that is undone: every instance stands as it stood when it began, without a server."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Field, Model

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.errors import ArgumentError, InvalidRequestError
from mongotic_adapters.instance_state import remember
from mongotic_adapters.states import State
from tests.pure.test_bookkeeping import User, ann, codec, loaded, state, write


class Note(Model):
    __version_field__ = "version"
    id: int = Field(primary_field=True)
    text: str = ""
    version: int = 1


class Rented(Model):
    __shard_key__ = ("tenant",)
    id: int = Field(primary_field=True)
    tenant: str = ""
    text: str = ""


class Slip(Model):
    text: str = ""


@pytest.fixture
def books() -> Bookkeeping:
    return Bookkeeping(codec)


def note(books: Bookkeeping, **values: Any) -> Any:
    return loaded(books, Note, {"_id": 1, "text": "a", "version": 1, **values})


def settle(books: Bookkeeping) -> None:
    """Flush with versions, as `flows.flushing` settles it."""
    write(books)


# -- stored instances -----------------------------------------------------------------------------------------------


def test_what_was_changed_and_flushed_is_as_it_was(books: Bookkeeping) -> None:
    user = ann(books)
    books.begin()
    user.name = "Bob"
    user.tags.append("b")
    write(books)
    books.undo(values=True)
    assert (user.name, user.tags, books.dirty) == ("Ann", ["a"], [])


def test_what_was_changed_and_not_flushed_is_as_it_was(books: Bookkeeping) -> None:
    user = ann(books)
    books.begin()
    user.name = "Bob"
    books.undo(values=True)
    assert (user.name, books.dirty) == ("Ann", [])


def test_a_change_of_before_is_pending_again(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "before"
    books.begin()
    user.tags.append("in it")
    write(books)
    books.undo(values=True)
    assert (user.name, user.tags) == ("before", ["a"])
    assert write(books) == [("Update", user)]


def test_a_commit_that_failed_leaves_everything_to_be_tried_again(books: Bookkeeping) -> None:
    user = ann(books)
    gone = loaded(books, Note, {"_id": 7})
    new = Slip()
    user.name = "Bob"
    books.delete(gone)
    books.add(new)
    books.begin()
    first = write(books)
    books.undo(values=False)
    assert user.name == "Bob"
    assert (books.new, books.dirty, books.deleted) == ([new], [user], [gone])
    assert write(books) == first


def test_what_was_read_in_the_transaction_is_expired(books: Bookkeeping) -> None:
    books.begin()
    user = ann(books)
    user.name = "changed"
    books.undo(values=True)
    assert (user.name, books.is_expired(user)) == ("Ann", True)


def test_a_commit_forgets_how_it_was(books: Bookkeeping) -> None:
    user = ann(books)
    books.begin()
    user.name = "Bob"
    write(books)
    assert books.has_flushed
    books.commit(expire=True)
    assert books.is_expired(user)
    assert not books.has_flushed
    books.undo(values=True)
    assert user.name == "Bob"


def test_a_version_counts_back(books: Bookkeeping) -> None:
    held = note(books)
    books.begin()
    held.text = "b"
    settle(books)
    assert held.version == 2
    books.undo(values=False)
    assert (held.text, held.version, books.dirty) == ("b", 1, [held])
    settle(books)
    assert held.version == 2


# -- new instances --------------------------------------------------------------------------------------------------


def test_what_was_added_in_the_transaction_is_transient_with_its_values(books: Bookkeeping) -> None:
    slip = Slip(text="mine")
    books.begin()
    books.add(slip)
    write(books)
    books.undo(values=True)
    assert (state(slip), slip.text, slip in books) == (State.TRANSIENT, "mine", False)
    assert "id" not in slip.model_fields_set
    books.add(slip)
    assert write(books) == [("Insert", slip)]


def test_what_was_added_before_is_pending_again(books: Bookkeeping) -> None:
    slip = Slip()
    books.add(slip)
    books.begin()
    write(books)
    books.undo(values=True)
    assert books.new == [slip]
    with pytest.raises(InvalidRequestError, match="another new instance"):
        books.add(Slip(id=slip.id))


def test_what_was_let_go_in_the_transaction_is_not_held_again(books: Bookkeeping) -> None:
    slip, user = Slip(), ann(books)
    books.add(slip)
    user.name = "changed"
    books.begin()
    write(books)
    books.expunge(slip)
    books.expunge(user)
    books.undo(values=True)
    assert (state(slip), state(user)) == (State.TRANSIENT, State.DETACHED)
    assert list(books) == []


def test_an_instance_that_another_session_has_by_now_is_left_alone(books: Bookkeeping) -> None:
    user, other = ann(books), Bookkeeping(codec)
    user.name = "changed"
    books.begin()
    books.expunge(user)
    other.add(user)
    books.undo(values=True)
    assert user in other
    assert state(user) is State.RETURNED


def test_what_was_added_again_in_the_transaction_is_detached_as_it_was(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "changed"
    books.expunge(user)
    books.begin()
    books.add(user)
    write(books)
    books.undo(values=True)
    assert (state(user), user.name) == (State.DETACHED, "changed")
    books.add(user)
    assert write(books) == [("Update", user)]


# -- deletions and merges -------------------------------------------------------------------------------------------


def test_what_was_deleted_is_there_again(books: Bookkeeping) -> None:
    user = ann(books)
    books.begin()
    books.delete(user)
    write(books)
    assert state(user) is State.DELETED
    books.undo(values=True)
    assert state(user) is State.PERSISTENT
    user.name = "changed"
    assert write(books) == [("Update", user)]


def test_what_was_marked_before_is_marked_again(books: Bookkeeping) -> None:
    user = ann(books)
    books.delete(user)
    books.begin()
    write(books)
    books.undo(values=True)
    assert books.deleted == [user]


def test_what_a_flush_deleted_before_is_deleted_again(books: Bookkeeping) -> None:
    user = ann(books)
    books.delete(user)
    write(books)
    books.begin()
    books.undo(values=True)
    assert state(user) is State.DELETED
    books.commit()
    assert state(user) is State.DETACHED


def test_a_document_that_was_loaded_anew_gives_way(books: Bookkeeping) -> None:
    user = ann(books)
    books.begin()
    books.delete(user)
    write(books)
    again = ann(books, name="stored anew")
    books.undo(values=True)
    assert user in books
    assert again not in books


@pytest.mark.parametrize("partial", [False, True])
def test_a_merge_of_before_is_staged_again(books: Bookkeeping, partial: bool) -> None:
    user = User(id=ann(books).id, name="merged")
    held = books.merge(user, exclude_unset=partial)
    books.begin()
    write(books)
    books.undo(values=True)
    assert [(merge.instance, merge.keys) for merge in books.merged] == [(held, {"_id", "name"} if partial else None)]


def test_one_that_is_marked_and_one_that_takes_its_place_stay_so(books: Bookkeeping) -> None:
    held, other = ann(books), Bookkeeping(codec)
    returned = ann(other)
    other.expunge(returned)
    books.delete(held)
    books.add(returned)
    for _ in range(2):
        books.begin()
        assert write(books) == [("Replace", returned)]
        books.undo(values=False)
        assert (books.new, books.deleted) == ([returned], [held])
    books.rollback()
    assert list(books) == [held]


def test_what_was_found_gone_is_held_again(books: Bookkeeping) -> None:
    user = ann(books)
    books.begin()
    books.lost(user)
    books.undo(values=True)
    assert remember(user).is_stored


# -- versions and shard keys ----------------------------------------------------------------------------------------


def test_a_shard_key_joins_the_filter_and_is_kept(books: Bookkeeping) -> None:
    from mongotic_adapters.commands import Update
    from mongotic_adapters.unit_of_work import plan

    rented = loaded(books, Rented, {"_id": 1, "tenant": "x", "text": "a"})
    rented.text = "b"
    operation = plan(books).steps[0].changes[0].operation
    assert operation == Update({"_id": 1, "tenant": "x"}, {"$set": {"text": "b"}})
    rented.tenant = "y"
    with pytest.raises(ArgumentError, match="part of the shard key"):
        plan(books)


def test_a_version_is_not_set_by_hand(books: Bookkeeping) -> None:
    held = note(books)
    held.version = 7
    with pytest.raises(ArgumentError, match="is the version field"):
        settle(books)


def test_a_version_that_stands_for_a_default_may_be_missing(books: Bookkeeping) -> None:
    from mongotic_adapters.commands import Update, Upsert
    from mongotic_adapters.unit_of_work import plan

    held = loaded(books, Note, {"_id": 1, "text": "a"})
    held.text = "b"
    operation = plan(books).steps[0].changes[0].operation
    assert operation == Update({"_id": 1, "version": {"$in": [1, None]}}, {"$set": {"text": "b", "version": 2}})
    books.rollback()
    books.merge(held)
    operation = plan(books).steps[0].changes[0].operation
    assert operation == Upsert({"_id": 1, "version": {"$in": [1, None]}}, {"$set": {"text": "a", "version": 2}})


def test_a_first_version_is_one(books: Bookkeeping) -> None:
    fresh = Note(id=1, version=9)
    books.add(fresh)
    settle(books)
    assert fresh.version == 1
