"""What a flush plans for models with a version or a shard key, and what a statement asks for: without a server."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import gc
from typing import Any, cast

import bson
import pytest
from odmantic import Field, Model

from mongotic import ops
from mongotic_adapters import changes
from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.commands import Delete, Insert, Replace, Update, Upsert
from mongotic_adapters.encoding import Document
from mongotic_adapters.errors import ArgumentError
from mongotic_adapters.identity_map import identity_key
from mongotic_adapters.instance_state import remember
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.unit_of_work import plan
from mongotic_adapters.update_changes import Changes
from tests.pure.test_bookkeeping import loaded
from tests.pure.test_books import books, operations, record

__all__ = ["books"]


class Plain(Model):
    id: int = Field(primary_field=True)
    text: str = ""


class Counted(Model):
    __version_field__ = "version"
    id: int = Field(primary_field=True)
    text: str = ""
    version: int = 0


class FromOne(Model):
    __version_field__ = "version"
    id: int = Field(primary_field=True)
    text: str = ""
    version: int = 1


class Sharded(Model):
    __shard_key__ = ("tenant",)
    id: int = Field(primary_field=True)
    tenant: str = "a"
    text: str = ""


def encoded(operation: Insert | Replace) -> Document:
    return cast("Document", bson.decode(operation.document))


def test_a_new_document_begins_with_the_first_version(books: Bookkeeping) -> None:
    books.add(Counted(id=1, version=7))
    (insert,) = operations(books)
    assert isinstance(insert, Insert)
    assert encoded(insert) == {"_id": 1, "text": "", "version": 1}


def test_updates_and_removals_ask_for_the_version_and_go_alone(books: Bookkeeping) -> None:
    one, two = (loaded(books, Counted, {"_id": number, "version": 3}) for number in (1, 2))
    one.text = two.text = "new"
    doomed = loaded(books, Counted, {"_id": 3, "version": 5})
    books.delete(doomed)
    steps = plan(books).steps
    assert [len(step.changes) for step in steps] == [1, 1, 1]
    assert operations(books) == [
        Update({"_id": 1, "version": 3}, {"$set": {"text": "new", "version": 4}}),
        Update({"_id": 2, "version": 3}, {"$set": {"text": "new", "version": 4}}),
        Delete({"_id": 3, "version": 5}),
    ]


def test_a_version_that_stands_for_a_default_may_be_missing(books: Bookkeeping) -> None:
    held = loaded(books, Counted, {"_id": 1})
    held.text = "new"
    assert operations(books) == [
        Update({"_id": 1, "version": {"$in": [0, None]}}, {"$set": {"text": "new", "version": 1}})
    ]


def test_what_takes_the_place_of_another_goes_on_counting(books: Bookkeeping) -> None:
    books.delete(loaded(books, Counted, {"_id": 1, "version": 4}))
    books.add(Counted(id=1, text="new"))
    (replace,) = operations(books)
    assert isinstance(replace, Replace)
    assert replace.filter == {"_id": 1, "version": 4}
    assert encoded(replace) == {"_id": 1, "text": "new", "version": 5}


def test_a_whole_merge_compares_and_counts(books: Bookkeeping) -> None:
    books.merge(Counted(id=1, text="new", version=2))
    assert operations(books) == [Upsert({"_id": 1, "version": 2}, {"$set": {"text": "new", "version": 3}})]


def test_a_merge_of_what_was_set_counts_what_it_does_not_know(books: Bookkeeping) -> None:
    books.merge(Counted(id=1, text="new"), exclude_unset=True)
    assert operations(books) == [Upsert({"_id": 1}, {"$inc": {"version": 1}, "$set": {"text": "new"}})]


def test_a_merge_of_what_was_set_with_its_version_compares(books: Bookkeeping) -> None:
    books.merge(Counted(id=1, text="new", version=2), exclude_unset=True)
    assert operations(books) == [Upsert({"_id": 1, "version": 2}, {"$set": {"text": "new", "version": 3}})]


def test_a_version_changed_by_hand_is_refused(books: Bookkeeping) -> None:
    held = loaded(books, Counted, {"_id": 1, "version": 3})
    held.version = 9
    with pytest.raises(ArgumentError, match="version field"):
        plan(books)


def test_a_change_keeps_the_version_it_was_made_of(books: Bookkeeping) -> None:
    held = loaded(books, Counted, {"_id": 1, "version": 3})
    held.text = "mine"
    books.load(mapping_of(Counted), record({"_id": 1, "text": "theirs", "version": 4}), {})
    assert operations(books) == [Update({"_id": 1, "version": 3}, {"$set": {"text": "mine", "version": 4}})]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Plain, {"$set": {"text": "x"}}),
        (Counted, {"$set": {"text": "x"}, "$inc": {"version": 1}}),
        (FromOne, [{"$set": {"text": {"$literal": "x"}, "version": {"$add": [{"$ifNull": ["$version", 1]}, 1]}}}]),
    ],
)
def test_a_statement_counts_versions_up(model: type[Model], expected: object) -> None:
    assert Changes(mapping_of(model)).added({"text": "x"}, "values()").as_update() == expected


def test_operators_count_versions_up_by_a_step_that_is_no_default() -> None:
    changes = Changes(mapping_of(FromOne)).added({"text": ops.unset()}, "values()")
    assert changes.as_update() == {"$unset": {"text": ""}, "$inc": {"version": 2}}


def test_the_shard_key_is_asked_for(books: Bookkeeping) -> None:
    held = loaded(books, Sharded, {"_id": 1, "tenant": "b"})
    held.text = "new"
    books.delete(loaded(books, Sharded, {"_id": 2, "tenant": "c"}))
    assert operations(books) == [
        Update({"_id": 1, "tenant": "b"}, {"$set": {"text": "new"}}),
        Delete({"_id": 2, "tenant": "c"}),
    ]


def test_a_merge_leaves_the_shard_key_to_its_filter(books: Bookkeeping) -> None:
    books.merge(Sharded(id=1, tenant="b", text="new"))
    assert operations(books) == [Upsert({"_id": 1, "tenant": "b"}, {"$set": {"text": "new"}})]


def test_a_changed_shard_key_is_refused(books: Bookkeeping) -> None:
    held = loaded(books, Sharded, {"_id": 1, "tenant": "b"})
    held.tenant = "c"
    with pytest.raises(ArgumentError, match="shard key"):
        plan(books)


def test_a_merge_to_another_shard_is_refused(books: Bookkeeping) -> None:
    held = loaded(books, Sharded, {"_id": 1, "tenant": "b"})
    books.merge(Sharded(id=1, tenant="c"))
    with pytest.raises(ArgumentError, match="shard key"):
        plan(books)
    books.rollback()
    books.merge(Sharded(id=1, tenant="b", text="new"))
    assert operations(books) == [Upsert({"_id": 1, "tenant": "b"}, {"$set": {"text": "new"}})]
    assert held.text == "new"


def test_a_replacement_on_another_shard_is_refused(books: Bookkeeping) -> None:
    books.delete(loaded(books, Sharded, {"_id": 1, "tenant": "b"}))
    books.add(Sharded(id=1, tenant="c"))
    with pytest.raises(ArgumentError, match="shard key"):
        plan(books)


def test_a_replacement_on_the_same_shard_is_one(books: Bookkeeping) -> None:
    books.delete(loaded(books, Sharded, {"_id": 1, "tenant": "b"}))
    books.add(Sharded(id=1, tenant="b", text="new"))
    (replace,) = operations(books)
    assert isinstance(replace, Replace)
    assert replace.filter == {"_id": 1, "tenant": "b"}


def test_changes_of_one_kind_share_a_command(books: Bookkeeping) -> None:
    one, two = (loaded(books, Plain, {"_id": number}) for number in (1, 2))
    one.text = two.text = "new"
    assert [len(step.changes) for step in plan(books).steps] == [2]


def test_a_merged_instance_is_known_as_one(books: Bookkeeping) -> None:
    merged = Plain(id=1)
    assert not books.is_merged(merged)
    books.merge(merged)
    assert books.is_merged(merged)


def test_what_is_stored_instead_of_an_embedded_document_is_not_absent() -> None:
    assert changes.absent_paths({"part": {"a": 1}, "other": {"b": {}}}, {"part": "text"}) == frozenset({"other"})


def test_an_instance_that_goes_between_two_looks_is_passed_over(books: Bookkeeping) -> None:
    stray: Any = Plain(id=1)
    state = remember(stray)
    identities = cast("Any", books)._identities
    identities.put(identity_key(mapping_of(Plain), 1), state, stray)
    identities.release(state)
    del stray
    gc.collect()
    assert list(books.stored()) == []
