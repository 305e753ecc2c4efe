"""The books of a session, without a server: what is held, for how long, and what counts as changed."""

# ODMantic and bson leave types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
import datetime
import gc
import itertools
import pickle
import weakref
from collections.abc import Iterator
from typing import Any, cast

import bson
import pytest
from bson.codec_options import CodecOptions
from odmantic import EmbeddedModel, Field, Model, ObjectId, Reference
from pydantic import BaseModel
from pydantic import Field as PydanticField

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.commands import Update
from mongotic_adapters.errors import InvalidRequestError, UnmappedInstanceError
from mongotic_adapters.flows import flushing
from mongotic_adapters.instance_state import InstanceState, state_of
from mongotic_adapters.mapping import Mapping, mapping_of
from mongotic_adapters.states import State
from mongotic_adapters.unit_of_work import plan
from tests.pure import models
from tests.pure.models import EXAMPLES, KEY
from tests.pure.test_hydration import READABLE, stored

Document = dict[str, Any]
CODEC = cast("CodecOptions[dict[str, object]]", CodecOptions())


class Address(EmbeddedModel):
    city: str = Field(key_name="town")


class User(Model):
    name: str
    tags: list[str] = []
    address: Address = Address(city="Oslo")


class Publisher(Model):
    name: str


class Book(Model):
    title: str
    publisher: Publisher = Reference()


def codec(_mapping: Mapping) -> CodecOptions[dict[str, object]]:
    return CODEC


@pytest.fixture
def books() -> Bookkeeping:
    return Bookkeeping(codec)


def loaded(books: Bookkeeping, model: type[Model], document: Document, **references: Model) -> Any:
    """The instance of a document, as a read gives it."""
    return books.load(mapping_of(model), (bson.decode(bson.encode(document)), bson.encode(document)), references)


def ann(books: Bookkeeping, **changes: Any) -> Any:
    return loaded(books, User, {"_id": KEY, "name": "Ann", "tags": ["a"], "address": {"town": "Oslo"}, **changes})


def state(instance: Model) -> State:
    found = state_of(instance)
    assert found is not None
    return found.state


def write(books: Bookkeeping) -> list[tuple[str, Model]]:
    """Do what a flush does with its plan when the database takes everything."""
    done: list[tuple[str, Model]] = []
    for step in plan(books).steps:
        done += [(type(change.operation).__name__, change.instance) for change in step.changes]
        flushing.settle(books, step.changes, [])
    return done


# -- what counts as changed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", READABLE.values(), ids=READABLE)
def test_an_instance_just_read_is_not_changed(books: Bookkeeping, instance: Model) -> None:
    loaded(books, type(instance), stored(instance))
    assert books.dirty == []


@pytest.mark.parametrize("name", ["extra", "extra, none given"])
def test_an_instance_with_extra_keys_just_read_is_not_changed(books: Bookkeeping, name: str) -> None:
    loaded(books, models.Open, stored(EXAMPLES[name]))
    assert books.dirty == []


def test_defaults_for_missing_keys_are_no_change(books: Bookkeeping) -> None:
    loaded(books, User, {"_id": KEY, "name": "Ann"})
    assert books.dirty == []


def test_keys_nobody_knows_are_no_change(books: Bookkeeping) -> None:
    ann(books, unknown={"a": 1})
    assert books.dirty == []


def test_another_order_of_keys_is_no_change(books: Bookkeeping) -> None:
    loaded(books, User, {"tags": [], "address": {"town": "Oslo"}, "name": "Ann", "_id": KEY})
    assert books.dirty == []


CLOCK = itertools.count()


class Stamped(BaseModel):
    at: int = PydanticField(default_factory=lambda: next(CLOCK))


class HasStamp(Model):
    stamp: Stamped


def test_a_default_made_up_while_reading_is_no_change(books: Bookkeeping) -> None:
    loaded(books, HasStamp, {"_id": KEY, "stamp": {}})
    assert books.dirty == []


def test_a_number_stored_as_another_kind_is_no_change(books: Bookkeeping) -> None:
    class Weight(Model):
        kilos: float

    loaded(books, Weight, {"_id": KEY, "kilos": 3})
    assert books.dirty == []


def test_the_same_value_set_again_is_no_change(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "Ann"
    user.tags = ["a"]
    assert books.dirty == []


def test_a_change_taken_back_is_no_change(books: Bookkeeping) -> None:
    user = ann(books)
    user.tags.append("b")
    assert books.dirty == [user]
    user.tags.pop()
    assert books.dirty == []


@pytest.mark.parametrize("change", ["list", "embedded", "field"])
def test_changes_in_place_are_seen(books: Bookkeeping, change: str) -> None:
    user = ann(books)
    if change == "list":
        user.tags.append("b")
    elif change == "embedded":
        user.address.city = "Bergen"
    else:
        user.name = "Anna"
    assert books.dirty == [user]
    assert books.is_modified(user)


def test_a_value_that_cannot_be_stored_is_a_change(books: Bookkeeping) -> None:
    user = ann(books)
    user.__dict__["name"] = object()
    assert books.dirty == [user]


# -- who is held, and for how long --------------------------------------------------------------------------------


def test_one_document_is_one_object(books: Bookkeeping) -> None:
    assert ann(books) is ann(books)
    assert books.find(mapping_of(User), KEY) is ann(books)


def test_a_read_shows_what_is_new_and_keeps_what_is_unwritten(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "Anna"
    assert ann(books, name="theirs", tags=["theirs"]) is user
    assert (user.name, user.tags) == ("Anna", ["theirs"])


def test_an_instance_is_held_until_the_session_ends(books: Bookkeeping) -> None:
    watch = weakref.ref(ann(books))
    gc.collect()
    assert watch() is not None
    books.release_all()
    gc.collect()
    assert watch() is None


def in_passing(books: Bookkeeping) -> tuple[User, InstanceState]:
    """An instance as an iteration meets it."""
    encoded = bson.encode({"_id": KEY, "name": "Ann", "tags": []})
    user = books.load(mapping_of(User), (bson.decode(encoded), encoded), {}, in_passing=True)
    state = state_of(user)
    assert isinstance(user, User)
    assert state is not None
    return user, state


def test_a_clean_instance_that_nobody_holds_is_let_go(books: Bookkeeping) -> None:
    user, state = in_passing(books)
    del user
    books.let_go(state)
    assert state() is None
    assert list(books) == []
    assert books.find(mapping_of(User), KEY) is None


def test_a_clean_instance_that_somebody_holds_stays(books: Bookkeeping) -> None:
    user, state = in_passing(books)
    books.let_go(state)
    user.name = "Anna"
    del user
    gc.collect()
    assert [found.name for found in books.dirty if isinstance(found, User)] == ["Anna"]


def test_a_changed_instance_is_not_let_go(books: Bookkeeping) -> None:
    user, state = in_passing(books)
    user.name = "Anna"
    del user
    books.let_go(state)
    assert [found.name for found in books.dirty if isinstance(found, User)] == ["Anna"]


def test_an_instance_that_was_also_asked_for_is_not_let_go(books: Bookkeeping) -> None:
    user, state = in_passing(books)
    assert ann(books) is user
    del user
    books.let_go(state)
    assert state() is not None


def test_an_instance_that_was_there_before_is_not_let_go(books: Bookkeeping) -> None:
    ann(books)
    user, state = in_passing(books)
    del user
    books.let_go(state)
    assert state() is not None


def test_a_marked_instance_is_not_let_go(books: Bookkeeping) -> None:
    user, state = in_passing(books)
    books.delete(user)
    del user
    books.let_go(state)
    assert [found.id for found in books.deleted] == [KEY]


def test_a_new_instance_is_held(books: Bookkeeping) -> None:
    books.add(User(name="Ann"))
    gc.collect()
    assert [found.name for found in books.new if isinstance(found, User)] == ["Ann"]


def test_books_that_are_dropped_let_go_of_their_instances() -> None:
    books = Bookkeeping(codec)
    user, new = ann(books), User(name="new")
    books.add(new)
    watch = weakref.ref(books)
    del books
    gc.collect()
    assert watch() is None
    assert (state(user), state(new)) == (State.DETACHED, State.TRANSIENT)


def test_an_instance_of_dropped_books_can_be_added_elsewhere() -> None:
    user = ann(Bookkeeping(codec))
    gc.collect()
    other = Bookkeeping(codec)
    other.add(user)
    assert (other.new, state(user)) == ([user], State.RETURNED)


def test_lists_are_fresh_each_time(books: Bookkeeping) -> None:
    books.add(User(name="Ann"))
    books.new.clear()
    books.deleted.append(User(name="b"))
    assert (len(books.new), books.deleted) == (1, [])


# -- add and delete -----------------------------------------------------------------------------------------------


def test_equal_instances_are_told_apart(books: Bookkeeping) -> None:
    one, other = User(name="Ann", id=ObjectId()), User(name="Ann", id=ObjectId())
    books.add(one)
    assert one in books
    assert other not in books
    assert copy.deepcopy(one) not in books


@pytest.mark.parametrize("stranger", [None, 1, "User", User, {"name": "a"}, Address(city="a")], ids=repr)
def test_only_instances_of_models_are_taken(books: Bookkeeping, stranger: Any) -> None:
    for take in (books.add, books.delete):
        with pytest.raises(UnmappedInstanceError, match=r"takes an instance of an odmantic\.Model"):
            take(stranger)
    books.expunge(stranger)
    assert stranger not in books


def test_two_new_instances_with_one_key_are_refused(books: Bookkeeping) -> None:
    books.add(User(id=KEY, name="one"))
    with pytest.raises(InvalidRequestError, match="another new instance with the same key"):
        books.add(User(id=KEY, name="other"))


def test_a_key_is_free_again_after_expunge(books: Bookkeeping) -> None:
    one, other = User(id=KEY, name="one"), User(id=KEY, name="other")
    books.add(one)
    books.expunge(one)
    books.add(other)
    assert [found is other for found in books.new] == [True]


def test_a_second_instance_of_a_held_document_is_refused(books: Bookkeeping) -> None:
    held = ann(books)
    with pytest.raises(InvalidRequestError, match="holds another instance of the same document"):
        books.add(User(id=KEY, name="other"))
    assert list(books) == [held]


def test_an_instance_of_another_session_is_refused(books: Bookkeeping) -> None:
    other = Bookkeeping(codec)
    user = ann(other)
    for refused in (books.add, books.delete):
        with pytest.raises(InvalidRequestError, match="held by another session"):
            refused(user)
    assert list(other) == [user]


def test_new_instances_are_written_before_what_refers_to_them(books: Bookkeeping) -> None:
    book = Book(title="b", publisher=Publisher(name="p"))
    books.add(book)
    assert write(books) == [("Insert", book.publisher), ("Insert", book)]
    assert (books.new, books.dirty) == ([], [])


def test_what_was_written_is_changed_in_place_later(books: Bookkeeping) -> None:
    user = User(name="Ann")
    books.add(user)
    write(books)
    user.tags.append("a")
    assert write(books) == [("Update", user)]


def test_deleted_and_added_again_before_the_flush_is_nothing(books: Bookkeeping) -> None:
    user = ann(books)
    books.delete(user)
    books.add(user)
    assert write(books) == []
    assert state(user) is State.PERSISTENT


def test_delete_and_a_new_instance_of_the_same_key_is_one_replace(books: Bookkeeping) -> None:
    gone, new = ann(books), User(id=KEY, name="new")
    books.delete(gone)
    books.add(new)
    assert [kind for kind, _ in write(books)] == ["Replace"]
    assert (state(gone), state(new)) == (State.DELETED, State.PERSISTENT)
    books.commit()
    assert state(gone) is State.DETACHED
    assert books.find(mapping_of(User), KEY) is new


def test_what_was_written_and_read_again_is_one_object(books: Bookkeeping) -> None:
    ticket = models.Ticket(place=models.Place(row=1, seat=2), price=cast("Any", "1"))
    books.add(ticket)
    write(books)
    assert loaded(books, models.Ticket, stored(ticket)) is ticket


def copies(user: User) -> Iterator[User]:
    yield copy.copy(user)
    yield copy.deepcopy(user)
    yield pickle.loads(pickle.dumps(user))
    yield user.model_copy()


def test_copies_of_a_held_instance_are_strangers(books: Bookkeeping) -> None:
    user = ann(books)
    for twin in copies(user):
        assert twin == user
        assert twin not in books
        assert state_of(twin) is None


# -- rollback -----------------------------------------------------------------------------------------------------


def test_rollback_gives_back_the_values_read(books: Bookkeeping) -> None:
    user = ann(books)
    tags = user.tags
    user.name = "Anna"
    user.tags.append("b")
    user.address = Address(city="Bergen")
    books.rollback()
    assert (user.name, user.tags, user.address) == ("Ann", ["a"], Address(city="Oslo"))
    assert user.tags is not tags
    assert books.dirty == []


def test_rollback_gives_back_the_values_written_last(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "Anna"
    write(books)
    user.name = "Annabel"
    books.rollback()
    assert user.name == "Anna"


def test_rollback_leaves_what_was_not_changed_alone(books: Bookkeeping) -> None:
    user = ann(books)
    tags = user.tags
    user.name = "Anna"
    books.rollback()
    assert user.tags is tags


def test_rollback_undoes_a_value_that_cannot_be_stored(books: Bookkeeping) -> None:
    user = ann(books)
    user.__dict__["name"] = object()
    books.rollback()
    assert user.name == "Ann"


def test_rollback_makes_new_instances_transient_and_keeps_their_values(books: Bookkeeping) -> None:
    user = User(name="Ann")
    books.add(user)
    user.name = "Anna"
    books.rollback()
    assert (state(user), user.name, list(books)) == (State.TRANSIENT, "Anna", [])


def test_rollback_unmarks(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "Anna"
    books.delete(user)
    books.rollback()
    assert (state(user), user.name, books.deleted) == (State.PERSISTENT, "Ann", [])


def test_rollback_gives_back_a_reference(books: Bookkeeping) -> None:
    north = loaded(books, Publisher, {"_id": ObjectId(), "name": "North"})
    book = loaded(books, Book, {"_id": KEY, "title": "b", "publisher": north.id}, publisher=north)
    book.publisher = Publisher(name="new")
    books.rollback()
    assert book.publisher is north


def test_rollback_gives_back_extra_keys(books: Bookkeeping) -> None:
    found = loaded(books, models.Open, {"_id": KEY, "name": "a", "more": 1})
    found.more = 2
    books.rollback()
    assert found.more == 1


def test_a_read_shows_new_extra_keys(books: Bookkeeping) -> None:
    found = loaded(books, models.Open, {"_id": KEY, "name": "a", "more": 1})
    assert loaded(books, models.Open, {"_id": KEY, "name": "a", "more": 2}) is found
    assert plan(books).steps == []  # else somebody's change would be undone
    assert found.more == 2


# -- expired and lost ---------------------------------------------------------------------------------------------


def test_a_statement_expires_the_instances_of_its_model_alone(books: Bookkeeping) -> None:
    user, north = ann(books), loaded(books, Publisher, {"_id": ObjectId(), "name": "North"})
    books.expire_model(mapping_of(User))
    assert (books.is_expired(user), books.is_expired(north)) == (True, False)
    ann(books)
    assert not books.is_expired(user)


def test_an_instance_whose_document_is_gone_is_stored_anew_when_added(books: Bookkeeping) -> None:
    user = ann(books)
    books.lost(user)
    assert (state(user), list(books)) == (State.DETACHED, [])
    books.add(user)
    assert write(books) == [("Insert", user)]


def test_a_detached_instance_added_again_is_an_update_of_what_differs(books: Bookkeeping) -> None:
    user = ann(books)
    user.name = "Anna"
    books.expunge(user)
    books.add(user)
    [step] = plan(books).steps
    assert [change.operation for change in step.changes] == [
        Update({"_id": KEY}, {"$set": {"name": "Anna"}}),
    ]


def test_a_detached_instance_added_again_unchanged_needs_no_write(books: Bookkeeping) -> None:
    user = ann(books)
    books.expunge(user)
    books.add(user)
    found = plan(books)
    assert (found.steps, found.unchanged) == ([], [user])


def test_times_are_compared_at_milliseconds(books: Bookkeeping) -> None:
    class Event(Model):
        at: Any

    event = loaded(books, Event, {"_id": KEY, "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678_000)})
    event.at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678_999)
    assert books.dirty == []
