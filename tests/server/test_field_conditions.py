"""Conditions on lists, types, bits, places and words, on a real server; and values that look like conditions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bson import Regex
from odmantic import EmbeddedModel, Field, Model, Reference
from pymongo.database import Database

import mongotic
from mongotic import ArgumentError, and_, col, delete, desc, func, joinedload, or_, select, text_search, update
from mongotic.asyncio import AsyncSession
from tests.conftest import Document

untyped: Any = mongotic


class Line(EmbeddedModel):
    sku: str = Field(key_name="s")
    qty: int = 1


class Size(EmbeddedModel):
    size: int = 0
    any: int = 0


class Thing(Model):
    name: str
    number: int = 0
    tags: list[str] = []
    scores: list[int] = []
    lines: list[Line] = []
    anything: Any = None
    place: dict[str, Any] | None = None
    box: Size = Size()


class Stranger(EmbeddedModel):
    sku: str


ROME, OSLO, BONN = [12.5, 41.9], [10.7, 59.9], [7.1, 50.7]


def point(coordinates: list[float]) -> Document:
    return {"type": "Point", "coordinates": coordinates}


@pytest.fixture(autouse=True)
def things(raw: Database[Document]) -> None:
    raw["thing"].create_index([("place", "2dsphere")])
    raw["thing"].create_index([("name", "text")])
    raw["thing"].insert_many(
        [
            {"name": "ann", "number": 5, "tags": ["x", "y"], "scores": [1, 9], "lines": [{"s": "a", "qty": 4}],
             "place": point(ROME), "anything": {"$gt": ""}, "box": {"size": 3, "any": 1}},
            {"name": "bob", "number": 8, "tags": ["y"], "scores": [5],
             "lines": [{"s": "a", "qty": 1}, {"s": "b", "qty": 4}], "place": point(OSLO), "anything": Regex("^a")},
            {"name": "cid runs", "number": -3, "place": point(BONN), "anything": "abc", "tags": []},
        ]
    )  # fmt: skip


c: dict[str, Any] = {
    name: col(getattr(Thing, name))
    for name in ("name", "number", "tags", "scores", "lines", "anything", "place", "box")
}


CASES: list[tuple[str, Any, str]] = [
    ("any", lambda: c["tags"].any("x"), "a"),
    ("any of conditions", lambda: c["lines"].any(col(Line.sku) == "a", col(Line.qty) > 2), "a"),
    ("all", lambda: c["tags"].all(["y", "x"]), "a"),
    ("all of a generator", lambda: c["tags"].all(tag for tag in "y"), "ab"),
    ("all of none", lambda: c["tags"].all([]), ""),
    ("elem_match", lambda: c["lines"].elem_match(col(Line.sku) == "b", col(Line.qty) == 4), "b"),
    ("elem_match one field twice", lambda: c["lines"].elem_match(col(Line.qty) > 1, col(Line.qty) < 4), ""),
    ("elem_match of a dict", lambda: c["lines"].elem_match({"s": "a", "qty": {"$gt": 2}}), "a"),
    ("elem_match of or", lambda: c["lines"].elem_match(or_(col(Line.sku) == "b", col(Line.qty) == 1)), "b"),
    ("elem_match of ODMantic's", lambda: c["lines"].elem_match(untyped.col(Line.sku) == "b"), "b"),
    ("elem_match of plain values", lambda: c["scores"].elem_match({"$gt": 1, "$lt": 9}), "b"),
    ("elem_match of the list's own column", lambda: c["scores"].elem_match(c["scores"] > 1, c["scores"] < 9), "b"),
    ("any of the list's own column", lambda: c["scores"].any(and_(c["scores"] > 1, c["scores"] < 9)), "b"),
    ("elem_match of the own column and a dict", lambda: c["scores"].elem_match(c["scores"] > 1, {"$lt": 9}), "b"),
    ("elem_match of a pattern", lambda: c["tags"].elem_match(c["tags"].match("^x")), "a"),
    ("size", lambda: c["tags"].size(1), "b"),
    ("exists", lambda: c["scores"].exists(), "ab"),
    ("exists not", lambda: c["scores"].exists(False), "c"),
    ("type_", lambda: c["anything"].type_("string", "object"), "ac"),
    ("regexp_match", lambda: c["name"].regexp_match("^A", "i"), "a"),
    ("regexp_match of a pattern", lambda: c["name"].regexp_match(re.compile("^B", re.IGNORECASE)), "b"),
    ("mod", lambda: c["number"].mod(4, 1), "a"),
    ("bits_all_set", lambda: c["number"].bits_all_set(0b101), "ac"),
    ("bits_any_set", lambda: c["number"].bits_any_set([3, 1]), "bc"),
    ("bits_all_clear", lambda: c["number"].bits_all_clear(0b10), "abc"),
    ("bits_any_clear", lambda: c["number"].bits_any_clear([0]), "b"),
    ("near", lambda: c["place"].near((12.6, 41.9), max_distance=20_000), "a"),
    ("near a point of GeoJSON", lambda: c["place"].near(point(OSLO), min_distance=10, max_distance=3_000_000), "ac"),
    ("within", lambda: c["place"].within([(7, 50), (8, 50), (8, 51), (7, 51)]), "c"),
    ("within a polygon of GeoJSON",
     lambda: c["place"].within({"type": "Polygon", "coordinates": [[[7, 50], [13, 41], [13, 60], [7, 50]]]}), "a"),
    ("within_circle", lambda: c["place"].within_circle((10.7, 59.8), 20_000), "b"),
    ("intersects", lambda: c["place"].intersects([(12, 41), (14, 41), (12, 43)]), "a"),
    ("text_search", lambda: text_search("running"), "c"),
    ("text_search with options", lambda: text_search("ANN", language="none", case_sensitive=True), ""),
    ("a raw dict mixed in", lambda: or_({"number": {"$gt": 7}}, c["tags"].any("x")), "ab"),
    ("a field with a method's name", lambda: c["box"].size == 3, "a"),
    ("another one", lambda: c["box"].any == 1, "a"),
    ("in_ of a dict of operators", lambda: c["anything"].in_([{"$gt": ""}]), "a"),
    ("in_ of a pattern", lambda: c["anything"].in_([Regex("^a"), 3]), "b"),
    ("in_ of both", lambda: c["anything"].in_([{"$gt": ""}, "abc"]), "ac"),
    ("not_in of a dict of operators", lambda: c["anything"].not_in([{"$gt": ""}]), "bc"),
    ("not_in of a pattern", lambda: c["anything"].not_in([Regex("^a"), "abc"]), "a"),
    ("all of what looks like a condition", lambda: c["anything"].all([{"$elemMatch": {"$gt": 1}}]), ""),
    ("any of what looks like a condition", lambda: c["anything"].any({"$gt": ""}), ""),
]  # fmt: skip


@pytest.mark.parametrize(("make", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_a_condition(session: AsyncSession, make: Any, expected: str) -> None:
    found = await session.scalars(select(Thing).where(make())).all()
    assert "".join(sorted(thing.name[0] for thing in found)) == expected


async def test_near_gives_the_nearest_first(session: AsyncSession) -> None:
    found = await session.scalars(select(Thing).where(c["place"].near(point(OSLO)))).all()
    assert [thing.name[0] for thing in found] == ["b", "c", "a"]


async def test_near_in_pipelines(session: AsyncSession) -> None:
    near = c["place"].near(point(OSLO), max_distance=1_500_000)
    numbers = select(Thing.name).where(near, Thing.number > 0)
    assert await session.scalars(select(Thing).where(near)).count() == 2
    assert await session.scalars(select(Thing).where(near).limit(1)).count() == 1
    assert await session.scalars(numbers).count() == 1
    assert await session.scalar(select(func.count(Thing.id)).where(near)) == 2
    assert list(await session.scalars(numbers.distinct()).all()) == ["bob"]
    computed = select((col(Thing.number) * 2).label("twice")).where(c["place"].near(point(OSLO)))
    assert list(await session.scalars(computed).all()) == [16, -6, 10]
    piped = select(Thing).where(near).pipeline({"$project": {"_id": 0, "name": 1}})
    assert list(await session.aggregate(Thing, piped).all()) == [{"name": "bob"}, {"name": "cid runs"}]
    found = await session.aggregate(Thing, select(Thing).where(near).pipeline()).all()
    assert all(set(thing) <= {"_id", *Thing.model_fields} for thing in found)


class Visit(Model):
    place: dict[str, Any]
    thing: Thing = Reference()


async def test_near_of_what_refers_to_others(session: AsyncSession, raw: Database[Document]) -> None:
    raw["visit"].create_index([("place", "2dsphere")])
    thing = (await session.scalars(select(Thing)).all())[0]
    session.add_all([Visit(place=point(place), thing=thing) for place in (ROME, OSLO)])
    await session.commit()
    session.expunge_all()
    near = select(Visit).where(col(Visit.place).near(point(OSLO)))
    nearest = await session.scalars(near).first()
    assert nearest is not None
    assert nearest.place == point(OSLO)
    joined = await session.scalars(near.options(joinedload(Visit.thing))).all()
    assert [visit.place for visit in joined] == [point(OSLO), point(ROME)]
    assert {visit.thing.name for visit in joined} == {thing.name}


async def test_how_well_words_fit(session: AsyncSession) -> None:
    score = func.text_score()
    statement = select(Thing.name, score.label("score")).where(text_search("ann cid")).order_by(desc(score), Thing.name)
    found = list(await (await session.execute(statement)).all())
    assert [name for name, _ in found] == ["ann", "cid runs"]
    assert found[0].score > found[1].score > 0


async def test_conditions_of_updates_and_deletes(session: AsyncSession, raw: Database[Document]) -> None:
    changed = await session.execute(update(Thing).where(c["lines"].elem_match(col(Line.sku) == "b")).values(number=1))
    assert changed.rowcount == 1
    gone = await session.execute(delete(Thing).where(c["number"] * 2 == 2))
    assert gone.rowcount == 1
    assert sorted(thing["name"] for thing in raw["thing"].find()) == ["ann", "cid runs"]


MISTAKES: list[tuple[str, Any, type[Exception], str]] = [
    ("any of nothing", lambda: c["tags"].any(), TypeError, "takes one value"),
    ("any of two values", lambda: c["tags"].any("a", "b"), TypeError, "takes one value"),
    ("all of text", lambda: c["tags"].all("abc"), TypeError, "takes a list"),
    ("elem_match of nothing", lambda: c["lines"].elem_match(), TypeError, "at least one"),
    ("elem_match of a bool", lambda: c["lines"].elem_match(True), TypeError, "takes conditions"),
    ("elem_match of another model", lambda: c["lines"].elem_match(col(Thing.name) == "a"), ArgumentError, "no field"),
    ("elem_match of a computed value", lambda: c["lines"].elem_match(col(Line.qty) * 2 > 3), ArgumentError, "computed"),
    ("elem_match of another field", lambda: c["scores"].elem_match(c["number"] > 3), ArgumentError, "of an element"),
    ("elem_match of either", lambda: c["scores"].elem_match(or_(c["scores"] > 3, c["scores"] < 1)), ArgumentError,
     "of an element"),
    ("elem_match twice", lambda: c["scores"].elem_match(c["scores"] > 3, c["scores"] > 1), ArgumentError, "twice"),
    ("a field of an element in where", lambda: select(Thing).where(col(Line.sku) == "a"), ArgumentError, "one model"),
    ("a field of an element selected", lambda: select(col(Line.sku)), TypeError, "through the field that holds it"),
    ("a field of an element computed", lambda: select(col(Line.qty) * 2), TypeError, "through the field that holds it"),
    ("a negative size", lambda: c["tags"].size(-1), ArgumentError, "from 0"),
    ("exists of text", lambda: c["tags"].exists("no"), TypeError, "True or False"),
    ("an unknown type", lambda: c["name"].type_("str"), ArgumentError, "names of types"),
    ("no type", lambda: c["name"].type_(), ArgumentError, "got nothing"),
    ("a broken flag", lambda: c["name"].regexp_match("a", "g"), ArgumentError, "flags"),
    ("a pattern of bytes", lambda: c["name"].regexp_match(b"a"), TypeError, "is text"),
    ("mod by zero", lambda: c["number"].mod(0), ArgumentError, "divided by 0"),
    ("mod by text", lambda: c["number"].mod("2"), TypeError, "whole numbers"),
    ("a negative mask", lambda: c["number"].bits_all_set(-1), ArgumentError, "no sign"),
    ("a negative position", lambda: c["number"].bits_all_set([-1]), ArgumentError, "begin with 0"),
    ("a huge mask", lambda: c["number"].bits_all_set(2**70), TypeError, "64 bits"),
    ("latitude first", lambda: c["place"].near((41.9, 112.5)), ArgumentError, "longitude comes first"),
    ("a place of three", lambda: c["place"].near((1, 2, 3)), TypeError, "longitude and latitude"),
    ("a place that is no number", lambda: c["place"].near((float("nan"), 2)), ArgumentError, "is no place"),
    ("a negative distance", lambda: c["place"].near((1, 2), max_distance=-1), ArgumentError, "metres"),
    ("an endless distance", lambda: c["place"].within_circle((1, 2), float("inf")), ArgumentError, "metres"),
    ("two corners", lambda: c["place"].within([(1, 2), (3, 4)]), TypeError, "three corners"),
    ("words that are none", lambda: untyped.text_search(3), TypeError, "takes words"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "message"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_mistake(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, mongotic.MongoticError)
