"""The difference of two snapshots: what it finds, and that writing it makes one of the other."""

# ODMantic and bson leave types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
import datetime
from typing import Any, cast

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st
from odmantic import Model

from mongotic_adapters.errors import ArgumentError
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.snapshot import Difference, decode, difference, encode_document, take
from tests.pure import models
from tests.pure.models import KEY, NOON

Document = dict[str, Any]
CODEC = cast("CodecOptions[dict[str, object]]", CodecOptions())


def between(before: Document, after: Document) -> Difference:
    return difference(bson.encode(before), bson.encode(after), CODEC)


def update(before: Document, after: Document) -> Document:
    return cast("Document", between(before, after).as_update())


def applied(document: Document, changes: Document) -> Document:
    """What MongoDB makes of a document by `$set` and `$unset`."""
    result = copy.deepcopy(document)
    for path, value in changes.get("$set", {}).items():
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
            assert isinstance(place, dict), f"the server refuses to create {path!r} inside {place!r}"
        place[last] = value
    for path in changes.get("$unset", {}):
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            place = place[parent]
        del place[last]
    return result


def ordered(document: Document) -> bytes:
    """A document as BSON, whatever the order of its outermost keys."""
    return bson.encode(dict(sorted(document.items())))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**31, 2**40]),
    st.sampled_from([0.0, 1.0, float("nan"), float("inf")]),
    st.sampled_from(["", "a", "$a", "a.b"]),
    st.sampled_from([b"", b"a", ObjectId(b"0" * 12), Decimal128("1"), Int64(1), NOON]),
)
NAMES = st.sampled_from(["a", "b", "c", "0", "long name", "é"])
ODD_NAMES = NAMES | st.sampled_from(["", ".", "a.b", "$a", "$", "a."])


def values(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


def documents(names: st.SearchStrategy[str]) -> st.SearchStrategy[Document]:
    """Documents whose outermost keys are names of fields; further in lie keys of any kind."""
    return st.dictionaries(NAMES, values(names), max_size=4)


@given(documents(NAMES), documents(NAMES))
def test_writing_the_difference_makes_the_one_document_of_the_other(before: Document, after: Document) -> None:
    assert plain(applied(before, update(before, after))) == plain(after)


@given(documents(ODD_NAMES), documents(ODD_NAMES))
def test_keys_that_no_path_can_name_are_written_whole(before: Document, after: Document) -> None:
    assert plain(applied(before, update(before, after))) == plain(after)


def plain(value: Any) -> Any:
    """A value with its types, in which NaN equals itself and the order of keys does not matter."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast("Document", value).items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return bson.encode({"": value})


def test_keys_in_a_new_order_are_written_whole() -> None:
    assert update({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}) == {"$set": {"a": {"y": 2, "x": 1}}}


def test_a_key_added_at_the_end_is_written_alone() -> None:
    assert update({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}) == {"$set": {"a.y": 2}}


def test_a_key_added_in_the_middle_is_written_alone_so_that_other_keys_survive() -> None:
    assert update({"a": {"x": 1, "z": 3}}, {"a": {"x": 1, "y": 2, "z": 3}}) == {"$set": {"a.y": 2}}


@given(documents(ODD_NAMES))
def test_a_document_does_not_differ_from_itself(document: Document) -> None:
    assert not between(document, copy.deepcopy(document))


@given(documents(ODD_NAMES), documents(ODD_NAMES))
def test_nothing_differs_only_between_documents_that_are_the_same(before: Document, after: Document) -> None:
    assert bool(between(before, after)) == (ordered(before) != ordered(after))


CHANGES: dict[str, tuple[Document, Document, Document]] = {
    "value": ({"a": 1}, {"a": 2}, {"$set": {"a": 2}}),
    "new key": ({}, {"a": 1}, {"$set": {"a": 1}}),
    "key gone": ({"a": 1}, {}, {"$unset": {"a": ""}}),
    "both": ({"a": 1, "b": 1}, {"b": 2}, {"$set": {"b": 2}, "$unset": {"a": ""}}),
    "embedded": ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3, "d": 2}}}, {"$set": {"a.b.c": 3}}),
    "embedded key gone": ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, {"$unset": {"a.b": ""}}),
    "embedded emptied": ({"a": {"b": 1}}, {"a": {}}, {"$unset": {"a.b": ""}}),
    "embedded becomes a value": ({"a": {"b": 1}}, {"a": 1}, {"$set": {"a": 1}}),
    "value becomes embedded": ({"a": None}, {"a": {"b": 1}}, {"$set": {"a": {"b": 1}}}),
    "list grows": ({"a": [1]}, {"a": [1, 2]}, {"$set": {"a": [1, 2]}}),
    "inside a list": ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"$set": {"a": [{"b": 2}]}}),
    "list becomes embedded": ({"a": [1]}, {"a": {"0": 1}}, {"$set": {"a": {"0": 1}}}),
    "int becomes float": ({"a": 1}, {"a": 1.0}, {"$set": {"a": 1.0}}),
    "int becomes bool": ({"a": 1}, {"a": True}, {"$set": {"a": True}}),
    "int becomes long": ({"a": 1}, {"a": Int64(1)}, {"$set": {"a": Int64(1)}}),
    "float becomes int in a list": ({"a": [1.0]}, {"a": [1]}, {"$set": {"a": [1]}}),
    "bool in embedded": ({"a": {"b": 0}}, {"a": {"b": False}}, {"$set": {"a.b": False}}),
    "NaN becomes a number": ({"a": float("nan")}, {"a": 0.5}, {"$set": {"a": 0.5}}),
    "empty key": ({"a": {"": 1, "b": 1}}, {"a": {"": 2, "b": 1}}, {"$set": {"a": {"": 2, "b": 1}}}),
    "dotted key": ({"a": {"b.c": 1}}, {"a": {"b.c": 2}}, {"$set": {"a": {"b.c": 2}}}),
    "dotted key gone": ({"a": {"b.c": 1, "d": 1}}, {"a": {"d": 1}}, {"$set": {"a": {"d": 1}}}),
    "dollar key": ({"a": {"$b": 1}}, {"a": {"$b": 2}}, {"$set": {"a": {"$b": 2}}}),
    "dollar inside a key": ({"a": {"b$": 1}}, {"a": {"b$": 2}}, {"$set": {"a.b$": 2}}),
    "dotted key further in": (
        {"a": {"b": {"c.d": 1}, "e": 1}}, {"a": {"b": {"c.d": 2}, "e": 1}}, {"$set": {"a.b": {"c.d": 2}}}),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "written"), CHANGES.values(), ids=CHANGES)
def test_what_is_written(before: Document, after: Document, written: Document) -> None:
    found = update(before, after)
    assert found == written
    assert plain(found) == plain(written)


UNCHANGED: dict[str, tuple[Document, Document]] = {
    "NaN": ({"a": float("nan")}, {"a": float("nan")}),
    "NaN in a list": ({"a": [float("nan")]}, {"a": [float("nan")]}),
    "Decimal NaN": ({"a": Decimal128("NaN")}, {"a": Decimal128("NaN")}),
    "less than a millisecond": ({"a": NOON}, {"a": NOON.replace(microsecond=678_999)}),
    "aware and naive": ({"a": NOON}, {"a": NOON.replace(tzinfo=datetime.timezone.utc)}),
    "tuple and list": ({"a": [1, 2]}, {"a": (1, 2)}),
    "order of the outermost keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
}


@pytest.mark.parametrize(("before", "after"), UNCHANGED.values(), ids=UNCHANGED)
def test_what_is_the_same_in_the_database_is_not_written(before: Document, after: Document) -> None:
    assert update(before, after) == {}
    assert not between(before, after)


def test_a_millisecond_is_a_difference() -> None:
    later = NOON + datetime.timedelta(milliseconds=1)
    assert update({"a": NOON}, {"a": later}) == {"$set": {"a": later}}


def test_minus_zero_is_not_zero() -> None:
    assert str(update({"a": 0.0}, {"a": -0.0})) == "{'$set': {'a': -0.0}}"


def test_an_outermost_key_with_a_dot_never_becomes_a_path() -> None:
    with pytest.raises(ArgumentError, match=r"a\.b"):
        update({"a.b": 1}, {"a.b": 2})


def test_the_outermost_keys_that_differ() -> None:
    found = between({"a": {"x": 1, "y": {"z": 1}}, "b": 1, "c": 1}, {"a": {"x": 1, "y": {}}, "c": 2})
    assert found.top_level_keys() == {"a", "b", "c"}
    assert between({}, {}).top_level_keys() == set()


# -- taking one ---------------------------------------------------------------------------------------------------


class Anything(Model):
    value: Any


def taken(value: object) -> bytes:
    instance = Anything.model_construct(id=KEY, value=value)
    return take(mapping_of(Anything), instance, CODEC)


def test_a_snapshot_is_the_document_as_bson() -> None:
    assert taken({"a": [1]}) == bson.encode({"_id": KEY, "value": {"a": [1]}})
    assert decode(taken("x"), CODEC) == {"_id": KEY, "value": "x"}


def test_a_snapshot_is_out_of_reach_of_later_changes() -> None:
    instance = models.home()
    mapping = mapping_of(models.Home)
    before = take(mapping, instance, CODEC)
    instance.address.former.append(models.Street(name="new"))
    instance.streets[0].name = "changed"
    found = difference(before, take(mapping, instance, CODEC), CODEC)
    assert found.as_update() == {
        "$set": {
            "addr.old": [{"n": "b", "number": 1}, {"n": "new", "number": 1}],
            "ways": [{"n": "changed", "number": 1}, {"n": "d", "number": 4}],
        }
    }


@pytest.mark.parametrize(
    "value", [2**63, object(), {1: 2}, {"a\0": 1}, "\ud800", complex(1)], ids=lambda value: type(value).__name__
)
def test_what_cannot_be_stored_is_refused_by_name(value: object) -> None:
    with pytest.raises(ArgumentError, match=rf"^Anything ObjectId\('{KEY}'\) cannot be stored: .* Nothing was sent"):
        taken(value)


class Unprintable:
    def __repr__(self) -> str:
        raise KeyError("no")


def test_what_cannot_even_be_printed_is_refused() -> None:
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        taken(Unprintable())


def test_a_document_of_16_mib_is_the_largest() -> None:
    room = 16 * 1024 * 1024 - len(bson.encode({"a": b""}))
    assert len(encode_document({"a": b"x" * room}, CODEC, "it")) == 16 * 1024 * 1024
    with pytest.raises(ArgumentError, match=r"it has 16,777,217 bytes and MongoDB takes at most 16,777,216"):
        encode_document({"a": b"x" * (room + 1)}, CODEC, "it")


@pytest.mark.parametrize("tz_aware", [False, True])
def test_the_codec_of_the_collection_is_used(tz_aware: bool) -> None:
    codec = cast("CodecOptions[dict[str, object]]", CodecOptions(tz_aware=tz_aware))
    before, after = bson.encode({"a": NOON}), bson.encode({"a": NOON + datetime.timedelta(days=1)})
    found = cast("datetime.datetime", difference(before, after, codec).assigned["a"])
    assert (found.tzinfo is not None) is tz_aware
