"""New instances of classes that refer to nothing take a short way through the books, and it leads to the same place."""

# ODMantic leaves types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model, Reference

from mongotic_adapters import odmantic_internals as odm
from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.errors import InvalidRequestError, UnmappedInstanceError
from mongotic_adapters.identity_map import identity_of
from mongotic_adapters.instance_state import new_state, remember
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.snapshot import taker
from mongotic_adapters.states import State
from mongotic_adapters.unit_of_work import plan
from tests.pure.test_bookkeeping import CODEC, codec, loaded, state, write


class Part(EmbeddedModel):
    name: str


class Thing(Model):
    name: str
    part: Part = Part(name="a part")


class Dated(Model):
    id: float = Field(primary_field=True)


class Counted(Model):
    __version_field__ = "version"
    version: int = 0


class Owner(Model):
    thing: Thing = Reference()


@pytest.fixture
def books() -> Bookkeeping:
    return Bookkeeping(codec)


def everything(books: Bookkeeping, instance: Model) -> dict[str, Any]:
    """All that is remembered of an instance, and what ODMantic knows of it."""
    found = remember(instance)
    names = ("state", "key", "snapshot", "as_read", "absent", "references", "expired", "expunged_from", "in_passing")
    return {
        **{name: getattr(found, name) for name in names},
        "held": found.owner is books,
        "unsaved": odm.assigned_fields(instance),
        "set": instance.model_fields_set,
        "new": [id(each) for each in books.new],
        "in": instance in books,
        "flushed": books.has_flushed,
    }


def the_long_way(books: Bookkeeping) -> Bookkeeping:
    """Books that take no short way."""

    def refuse(*_: object) -> bool:
        return False

    setattr(books, "_arrived", refuse)  # noqa: B010  # hidden on purpose
    setattr(books, "inserted", refuse)  # noqa: B010
    return books


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("end", ["pending", "written", "rolled back", "undone", "committed", "let go"])
def test_the_short_way_leads_where_the_long_one_does(end: str, in_transaction: bool) -> None:
    found: list[dict[str, Any]] = []
    for books in (Bookkeeping(codec), the_long_way(Bookkeeping(codec))):
        if in_transaction:
            books.begin()
        thing = Thing(id="5f0000000000000000000001", name="a thing")
        books.add_all([thing])
        if end != "pending":
            thing.name = "renamed"
            write(books)
        if end == "rolled back":
            books.rollback()
        elif end == "undone":
            books.undo(values=True)
        elif end == "committed":
            books.commit(expire=True)
        elif end == "let go":
            books.release_all()
        found.append({**everything(books, thing), "new": len(books.new), "name": thing.name})
    short, long = found
    assert short == long
    assert short["name"] == "renamed" or end == "pending"


@pytest.mark.parametrize("given", [False, True])
def test_what_was_new_is_new_again_after_a_transaction(books: Bookkeeping, given: bool) -> None:
    thing = Thing(id="5f0000000000000000000001", name="a") if given else Thing(name="a")
    books.begin()
    books.add(thing)
    write(books)
    assert state(thing) is State.PERSISTENT
    books.undo(values=True)
    assert state(thing) is State.TRANSIENT
    assert ("id" in thing.model_fields_set) is given
    assert odm.assigned_fields(thing) == {"id", "name", "part"}
    books.add(thing)
    assert [type(change.operation).__name__ for step in plan(books).steps for change in step.changes] == ["Insert"]


def test_a_default_can_be_changed_once_it_is_added(books: Bookkeeping) -> None:
    thing = Thing(name="a")
    books.add_all([thing])
    thing.part.name = "another"
    assert thing.part.name == "another"


def test_what_is_changed_after_add_is_what_is_written(books: Bookkeeping) -> None:
    thing = Thing(name="a")
    books.add_all([thing])
    thing.part.name = "another"
    [change] = plan(books).steps[0].changes
    assert b"another" in (change.after or b"")


def test_an_instance_that_odmantic_saved_is_no_new_one(books: Bookkeeping) -> None:
    thing = Thing(name="a")
    odm.mark_assigned(thing, set())
    books.add_all([thing])
    assert state(thing) is State.RETURNED


def test_an_instance_that_odmantic_saved_after_it_was_added_is_no_new_one(books: Bookkeeping) -> None:
    things = [Thing(name="a"), Thing(name="b")]
    books.add_all(things)
    odm.mark_assigned(things[0], set())
    assert write(books) == [("Insert", things[1]), ("Update", things[0])]


@pytest.mark.parametrize(
    "instance", [Dated(id=1.5), Counted(), copy.copy(Thing(name="a"))], ids=["key", "version", "copy"]
)
def test_what_is_out_of_the_ordinary_takes_the_long_way(books: Bookkeeping, instance: Model) -> None:
    books.add_all([instance])
    assert state(instance) is State.PENDING
    assert write(books) == [("Insert", instance)]
    assert state(instance) is State.PERSISTENT


def test_what_is_no_model_is_refused(books: Bookkeeping) -> None:
    for wrong in ("text", Part(name="a"), Thing):
        with pytest.raises(UnmappedInstanceError):
            books.add_all([wrong])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert books.new == []


@pytest.mark.parametrize("held", ["new", "stored"])
def test_a_key_that_is_taken_is_refused(books: Bookkeeping, held: str) -> None:
    first = loaded(books, Thing, {"_id": Thing(name="a").id, "name": "a"})
    if held == "new":
        books.release_all()
        first = Thing(name="a")
        books.add_all([first])
    with pytest.raises(InvalidRequestError, match="this session"):
        books.add_all([Thing(id=first.id, name="b")])
    assert first in books


def test_what_another_session_holds_is_refused(books: Bookkeeping) -> None:
    thing, other = Thing(name="a"), Bookkeeping(codec)
    other.add_all([thing])
    with pytest.raises(InvalidRequestError, match="another session"):
        books.add_all([thing])


def test_an_instance_added_twice_is_new_once(books: Bookkeeping) -> None:
    thing = Thing(name="a")
    books.add_all([thing, thing])
    assert write(books) == [("Insert", thing)]


def test_what_is_refused_takes_along_what_it_refers_to_and_nothing_else(books: Bookkeeping) -> None:
    kept, taken = Thing(name="kept"), Thing(name="taken")
    books.add_all([kept, Owner(thing=taken)])
    fresh = Thing(name="fresh")
    with pytest.raises(InvalidRequestError):
        books.add(Owner(id=books.new[-1].id, thing=fresh))
    assert fresh not in books
    assert kept in books
    assert taken in books


def test_the_collector_is_paused_for_a_list_and_not_for_code_of_the_users(books: Bookkeeping) -> None:
    seen: list[bool] = []

    def made() -> Iterator[Thing]:
        seen.append(gc.isenabled())
        yield Thing(name="a")

    books.add_all(made())
    assert seen == [True]
    assert gc.isenabled()
    with pytest.raises(UnmappedInstanceError):
        books.add_all([Thing(name="b"), None])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert gc.isenabled()
    assert len(books.new) == 2


def test_a_plan_leaves_the_collector_on_when_a_value_is_refused(books: Bookkeeping) -> None:
    thing = Thing(name="a")
    books.add(thing)
    thing.__dict__["name"] = object()
    with pytest.raises(Exception, match="cannot be stored"):
        plan(books)
    assert gc.isenabled()


def test_a_document_that_came_to_its_place_meanwhile_gives_way(books: Bookkeeping) -> None:
    thing = Thing(name="a")
    books.add(thing)
    [step] = plan(books).steps
    other = loaded(books, Thing, {"_id": thing.id, "name": "a"})
    assert not books.inserted(thing, step.changes[0].after or b"")
    books.written(thing, step.changes[0].after or b"", {})
    assert state(thing) is State.PERSISTENT
    assert other not in books


def test_only_what_is_new_is_inserted(books: Bookkeeping) -> None:
    stranger, other = Thing(name="a"), Thing(name="b")
    assert not books.inserted(stranger, b"")
    new_state(stranger)
    Bookkeeping(codec).add(other)
    assert not books.inserted(other, b"")
    assert not books.inserted(loaded(books, Thing, {"_id": Thing(name="c").id, "name": "c"}), b"")


def test_those_let_go_are_detached_and_transient_whatever_they_were(books: Bookkeeping) -> None:
    stored = loaded(books, Thing, {"_id": Thing(name="a").id, "name": "a"})
    marked = loaded(books, Thing, {"_id": Thing(name="a").id, "name": "a"})
    new = Thing(name="b")
    books.add(new)
    books.delete(marked)
    merged = books.merge(Thing(id="5f0000000000000000000001", name="m"))
    successor = Thing(id=marked.id, name="another")
    books.add(successor)
    books.release_all()
    assert [state(each) for each in (stored, marked, new, merged, successor)] == [
        State.DETACHED,
        State.DETACHED,
        State.TRANSIENT,
        State.TRANSIENT,
        State.TRANSIENT,
    ]
    assert [list(books), books.new, books.deleted] == [[], [], []]
    assert not books.has_new
    other = Bookkeeping(codec)
    other.add_all([stored, marked, new])
    assert other.new == [stored, marked, new]


def test_a_cache_keeps_to_its_size_while_many_are_stored() -> None:
    books = Bookkeeping(codec, cache_size=3)
    for number in range(20):
        books.add_all([Thing(name=str(number))])
        write(books)
    assert len(list(books)) <= 4


def test_a_snapshot_that_cannot_be_taken_names_its_instance() -> None:
    take = taker(mapping_of(Thing), CODEC)
    thing = Thing(name="a")
    assert identity_of(thing)[1] == thing.id
    for wrong, reason in ((object(), "cannot encode object"), ("x" * 17_000_000, "MongoDB takes at most")):
        thing.__dict__["name"] = wrong
        with pytest.raises(Exception, match=f"Thing .*{reason}"):
            take(thing)
    del thing.__dict__["name"]
    with pytest.raises(Exception, match="no value for 'name'"):
        take(thing)
