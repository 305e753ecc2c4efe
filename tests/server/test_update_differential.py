"""Random updates on random documents, on a real server, against what plain Python makes of the same documents."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from odmantic import EmbeddedModel, Field, Model, SyncEngine
from pymongo.database import Database

from mongotic import Session, col, ops, select, update
from tests.conftest import Document

EXAMPLES = int(os.environ.get("MONGOTIC_EXAMPLES", "150"))


class Item(EmbeddedModel):
    sku: str = Field(key_name="code")
    qty: int = 0


class Thing(Model):
    number: int = Field(primary_field=True)
    name: str = ""
    count: int = 0
    ratio: float = 0.0
    nick: str | None = Field(default=None, key_name="nk")
    other: str | None = None
    tags: list[str] = []
    scores: list[int] = []
    items: list[Item] = Field(default=[], key_name="parts")
    item: Item = Item(sku="-")


untyped: Any = Thing  # to checkers, a list is not compared with a number

Step: TypeAlias = tuple[dict[Any, object], Callable[[Document], None], dict[str, Any]]
"""Values for a statement; the same in Python; array filters."""

small = st.integers(-50, 50)
words = st.sampled_from(["a", "b", "c", "$d", "e.f", ""])
texts = st.one_of(words, st.text(max_size=4).filter(lambda text: "\0" not in text))
items = st.builds(Item, sku=words, qty=small)


def stored(item: Item) -> Document:
    return {"code": item.sku, "qty": item.qty}


documents = st.fixed_dictionaries(
    {
        "name": texts,
        "count": small,
        "ratio": st.floats(-100, 100),
        "tags": st.lists(words, max_size=5),
        "scores": st.lists(small, max_size=5),
        "parts": st.lists(items.map(stored), max_size=4),
        "item": items.map(stored),
    },
    optional={"nk": st.one_of(st.none(), texts)},
)


def assigned(key: str, value: object) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        document[key] = value

    return apply


def changed(key: str, change: Callable[[Any], object], default: object = None) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        document[key] = change(document.get(key, default))

    return apply


def in_place(key: str, change: Callable[[list[Any]], object]) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        change(document[key])

    return apply


def extended(found: list[Any], each: list[Any], position: int | None, kept: int | None, order: int | None) -> list[Any]:
    """`$push` as MongoDB's manual has it: put in place, sorted, and cut, in that order."""
    where = len(found) if position is None else position
    where = max(len(found) + where, 0) if where < 0 else where
    found = found[:where] + each + found[where:]
    if order is not None:
        found = sorted(found, reverse=order < 0)
    if kept is not None:
        found = found[:kept] if kept >= 0 else found[kept:]
    return found


def united(found: list[Any], each: list[Any]) -> list[Any]:
    for one in each:
        if one not in found:
            found = [*found, one]
    return found


def without(found: list[Any], wrong: Callable[[Any], bool]) -> list[Any]:
    return [one for one in found if not wrong(one)]


@st.composite
def pushes(draw: st.DrawFn) -> Step:
    each, position = draw(st.lists(small, max_size=3)), draw(st.none() | st.integers(-3, 6))
    kept, order = draw(st.none() | st.integers(-4, 4)), draw(st.sampled_from([None, 1, -1]))
    operator = ops.push(each=each, position=position, slice=kept, sort=order)  # type: ignore[arg-type]  # 1, -1, None
    return {"scores": operator}, changed("scores", lambda found: extended(found, each, position, kept, order)), {}


def removed(key: str) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        document.pop(key, None)

    return apply


def renamed(document: Document) -> None:
    if "nk" in document:
        document["other"] = document.pop("nk")


def set_inside(key: str, value: object, fits: Callable[[Document], bool]) -> Callable[[list[Document]], object]:
    def apply(found: list[Document]) -> None:
        for one in found:
            if fits(one):
                one[key] = value

    return apply


def popped(first: bool) -> Callable[[list[Any]], object]:
    return lambda found: found[1:] if first else found[:-1]


steps: st.SearchStrategy[Step] = st.one_of(
    texts.map(lambda value: ({"name": value}, assigned("name", value), {})),
    items.map(lambda value: ({"item": value}, assigned("item", stored(value)), {})),
    small.map(lambda by: ({"count": ops.inc(by)}, changed("count", lambda found: found + by), {})),
    small.map(lambda by: ({"count": ops.mul(by)}, changed("count", lambda found: found * by), {})),
    small.map(lambda by: ({"ratio": ops.inc(by)}, changed("ratio", lambda found: found + by), {})),
    small.map(lambda to: ({"count": ops.min_(to)}, changed("count", lambda found: min(found, to)), {})),
    small.map(lambda to: ({"count": ops.max_(to)}, changed("count", lambda found: max(found, to)), {})),
    st.integers(0, 255).map(lambda by: ({"count": ops.bit(xor=by)}, changed("count", lambda found: found ^ by), {})),
    st.just(({"nick": ops.unset()}, removed("nk"), {})),
    st.just(({"nick": ops.rename("other")}, renamed, {})),
    pushes(),
    st.lists(words, max_size=3).map(
        lambda each: ({"tags": ops.add_to_set(each=each)}, changed("tags", lambda found: united(found, each)), {})
    ),
    st.booleans().map(lambda first: ({"tags": ops.pop(first=first)}, changed("tags", popped(first)), {})),
    words.map(lambda one: ({"tags": ops.pull(one)}, changed("tags", lambda found: without(found, one.__eq__)), {})),
    small.map(
        lambda low: (
            {"scores": ops.pull(col(untyped.scores) < low)},
            changed("scores", lambda found: without(found, lambda one: one < low)),
            {},
        )
    ),
    small.map(
        lambda low: (
            {"items": ops.pull(col(Thing.items).qty < low)},
            changed("parts", lambda found: without(found, lambda one: one["qty"] < low)),
            {},
        )
    ),
    items.map(lambda one: ({"items": ops.push(one)}, changed("parts", lambda found: [*found, stored(one)]), {})),
    small.map(lambda to: ({col(Thing.item).qty: to}, changed("item", lambda found: {**found, "qty": to}), {})),
    small.map(lambda to: ({"items.$[].qty": to}, in_place("parts", set_inside("qty", to, lambda _: True)), {})),
    st.tuples(small, small).map(
        lambda pair: (
            {"items.$[few].qty": pair[0]},
            in_place("parts", set_inside("qty", pair[0], lambda one: one["qty"] < pair[1])),
            {"few": col(Thing.items).qty < pair[1]},
        )
    ),
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(st.lists(documents, min_size=1, max_size=3), st.lists(steps, min_size=1, max_size=4), small)
def test_an_update_does_what_python_would(
    sync_engine: SyncEngine, raw: Database[Document], before: list[Document], chosen: list[Step], least: int
) -> None:
    paths = [str(getattr(key, "key_", key)).split(".")[0] for values, _, _ in chosen for key in values]
    assume(len(set(paths)) == len(paths))
    before = [{"_id": number, **document} for number, document in enumerate(before)]
    expected = copy.deepcopy(before)
    values: dict[Any, object] = {}
    criteria: dict[str, Any] = {}
    for given_values, apply, elements in chosen:
        values |= given_values
        criteria |= elements
        for document, old in zip(expected, before, strict=True):
            if old["count"] >= least:
                apply(document)
    raw["thing"].delete_many({})
    raw["thing"].insert_many(copy.deepcopy(before))

    with Session(sync_engine) as session:
        statement = update(Thing).where(Thing.count >= least).values(values).array_filters(**criteria)
        result = session.execute(statement)
        assert list(raw["thing"].find().sort("_id")) == expected
        assert result.matched_count == sum(document["count"] >= least for document in before)
        modified = sum(new != old for new, old in zip(expected, before, strict=True))
        # The server counts a $push with modifiers as a modification, also where the list is as it was.
        pushes = any(isinstance(value, ops.Operator) and value.name == "$push" for value in values.values())
        assert modified <= result.rowcount <= (result.matched_count if pushes else modified)
        assert len(session.scalars(select(Thing)).all()) == len(before)
