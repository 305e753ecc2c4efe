"""What users write in a statement, and what MongoDB is asked."""

# ODMantic and bson leave types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import datetime
import decimal
import functools
import re
from operator import and_ as and_operator
from operator import or_ as or_operator
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from bson.son import SON
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic import query as odmantic_query

from mongotic import ArgumentError, and_, asc, col, delete, desc, not_, or_, select, update
from mongotic.exceptions import ArgumentTypeError
from mongotic_adapters.compiler import condition, conjunction, equality, ordering, primary_key
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.update_changes import Changes
from tests.pure.models import KEY, Color, Grade

Filter = dict[str, Any]


class Address(EmbeddedModel):
    city: str = Field(key_name="town")
    zip_code: str = Field(default="", key_name="zip")


class Publisher(Model):
    name: str


class Book(Model):
    title: str
    pages: int = Field(default=0, key_name="n")
    price: decimal.Decimal = decimal.Decimal(0)
    color: Color = Color.RED
    grade: Grade = Grade.GOOD
    day: datetime.date = datetime.date(2026, 1, 1)
    tags: list[str] = []
    address: Address = Field(default=Address(city="Oslo"), key_name="addr")
    publisher: Publisher = Reference(key_name="publisher_id")


class Other(Model):
    weight: int


BOOK: Any = Book  # its attributes are fields here, whatever the annotations say
MAPPING = mapping_of(Book)
NORTH = Publisher(id=KEY, name="North")


def compiled(criterion: Any) -> Filter:
    return condition(MAPPING, criterion)


# -- conditions ---------------------------------------------------------------------------------------------------

EXPRESSIONS: dict[str, tuple[Any, Filter]] = {
    "equal": (BOOK.title == "a", {"title": {"$eq": "a"}}),
    "stored under another key": (BOOK.pages > 3, {"n": {"$gt": 3}}),
    "other comparisons": (and_(BOOK.pages >= 1, BOOK.pages <= 2, BOOK.pages < 3, BOOK.pages != 4),
        {"$and": [{"n": {"$gte": 1}}, {"n": {"$lte": 2}}, {"n": {"$lt": 3}}, {"n": {"$ne": 4}}]}),
    "null": (BOOK.title == None, {"title": {"$eq": None}}),
    "in": (BOOK.title.in_(("a", "b")), {"title": {"$in": ["a", "b"]}}),
    "not in": (BOOK.title.not_in({"a"}), {"title": {"$nin": ["a"]}}),
    "match": (BOOK.title.match("^a"), {"title": re.compile("^a")}),
    "primary key": (BOOK.id == KEY, {"_id": {"$eq": KEY}}),
    "inside embedded": (BOOK.address.city == "a", {"addr.town": {"$eq": "a"}}),
    "Decimal": (BOOK.price > decimal.Decimal("1.50"), {"price": {"$gt": Decimal128("1.50")}}),
    "Decimals": (BOOK.price.in_([decimal.Decimal(1)]), {"price": {"$in": [Decimal128("1")]}}),
    "enum": (BOOK.color == Color.BLUE, {"color": {"$eq": "blue"}}),
    "enums": (BOOK.grade.in_([Grade.GOOD, Grade.BAD]), {"grade": {"$in": [1, "bad"]}}),
    "date": (BOOK.day < datetime.date(2026, 1, 2), {"day": {"$lt": datetime.datetime(2026, 1, 2)}}),
    "embedded": (BOOK.address == Address(city="a"), {"addr": {"$eq": {"town": "a", "zip": ""}}}),
    "embeddeds": (BOOK.address.in_([Address(city="a")]), {"addr": {"$in": [{"town": "a", "zip": ""}]}}),
    "instance": (BOOK.publisher == NORTH, {"publisher_id": {"$eq": KEY}}),
    "instances": (BOOK.publisher.in_([NORTH, KEY]), {"publisher_id": {"$in": [KEY, KEY]}}),
    "or": ((BOOK.title == "a") | (BOOK.pages == 1), {"$or": [{"title": {"$eq": "a"}}, {"n": {"$eq": 1}}]}),
    "and": ((BOOK.title == "a") & (BOOK.pages == 1), {"$and": [{"title": {"$eq": "a"}}, {"n": {"$eq": 1}}]}),
    "ODMantic's nor": (odmantic_query.nor_(BOOK.title == "a"), {"$nor": [{"title": {"$eq": "a"}}]}),
    "not": (not_(or_(BOOK.pages == 1, BOOK.grade == Grade.BAD)),
        {"$nor": [{"$or": [{"n": {"$eq": 1}}, {"grade": {"$eq": "bad"}}]}]}),
    "a dict inside or": (or_(BOOK.pages == 1, {"x": {"$exists": True}}),
        {"$or": [{"n": {"$eq": 1}}, {"x": {"$exists": True}}]}),
}  # fmt: skip


@pytest.mark.parametrize(("criterion", "expected"), EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_becomes_a_filter(criterion: Any, expected: Filter) -> None:
    found = compiled(criterion)
    assert found == expected
    assert type(found) is dict


DICTS: list[Filter] = [
    {},
    {"title": "a"},
    {"title": {"$regex": "^a", "$options": "i"}},
    {"unknown.path.0.x": {"$exists": True}},
    {"$expr": {"$gt": ["$n", {"$multiply": ["$price", 2]}]}},
    {"$text": {"$search": "coffee", "$caseSensitive": True}},
    {"$jsonSchema": {"required": ["title"], "properties": {"n": {"bsonType": "int", "minimum": 1}}}},
    {"$where": "this.n > 3"},
    {"$comment": "why", "title": "a"},
    {"$and": [{"title": "a"}, {"$or": [{"n": 1}, {"$nor": [{"n": {"$mod": [4, 0]}}]}]}]},
    {"title": {"$not": {"$in": ["a"]}}},
    {"tags": {"$elemMatch": {"$gte": "a", "$lt": "b"}}},
    {"tags": {"$size": 2, "$all": ["a"]}},
    {"place": {"$near": {"$geometry": {"type": "Point", "coordinates": [1.5, 2.5]}, "$maxDistance": 10}}},
    {"place": {"$geoWithin": {"$centerSphere": [[1, 2], 0.1]}}},
    {"flags": {"$bitsAllSet": [1, 5]}},
    {"title": re.compile("a", re.IGNORECASE)},
    {"x": {"$type": ["string", 16]}},
    {"_id": {"$in": [KEY]}},
]


@pytest.mark.parametrize("given", DICTS, ids=str)
def test_a_filter_dict_is_passed_on_as_it_is(given: Filter) -> None:
    assert compiled(given) == given


def test_a_filter_dict_keeps_the_order_of_its_keys() -> None:
    found = compiled({"addr": SON([("zip", "1"), ("town", "a")])})
    assert list(found["addr"]) == ["zip", "town"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"price": decimal.Decimal(1)}, {"price": Decimal128("1")}),
        ({"grade": {"$in": [Grade.BAD]}}, {"grade": {"$in": ["bad"]}}),
        ({"$or": [{"grade": Grade.BAD}]}, {"$or": [{"grade": "bad"}]}),
        ({"tags": {"$elemMatch": {"grade": {"$ne": Grade.BAD}}}}, {"tags": {"$elemMatch": {"grade": {"$ne": "bad"}}}}),
        ({"addr": Address(city="a")}, {"addr": {"town": "a", "zip": ""}}),
        ({"addr": {"$in": [Address(city="a")]}}, {"addr": {"$in": [{"town": "a", "zip": ""}]}}),
        ({"publisher_id": NORTH}, {"publisher_id": KEY}),
        ({"publisher_id": {"$nin": [NORTH]}}, {"publisher_id": {"$nin": [KEY]}}),
        ({"day": {"$gte": datetime.date(2026, 1, 2)}}, {"day": {"$gte": datetime.datetime(2026, 1, 2)}}),
        ({"$expr": {"$eq": ["$grade", Grade.BAD]}}, {"$expr": {"$eq": ["$grade", "bad"]}}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_values_in_a_filter_dict_are_encoded(given: Filter, expected: Filter) -> None:
    assert compiled(given) == expected


CHAINS: dict[str, tuple[Any, str]] = {
    "columns &": (and_operator, "$and"),
    "columns |": (or_operator, "$or"),
    "and_": (and_, "$and"),
    "or_": (or_, "$or"),
    "ODMantic's and_": (odmantic_query.and_, "$and"),
    "ODMantic's or_": (odmantic_query.or_, "$or"),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("join", "operator"), CHAINS.values(), ids=CHAINS)
def test_a_long_chain_is_one_condition(join: Any, operator: str, side: str) -> None:
    conditions = [BOOK.pages == number for number in range(3000)]
    chain = functools.reduce(join if side == "left" else lambda a, b: join(b, a), conditions)
    expected = [{"n": {"$eq": number}} for number in range(3000)]
    assert compiled(chain) == {operator: expected if side == "left" else expected[::-1]}


def test_only_ands_in_ands_and_ors_in_ors_are_one_condition() -> None:
    one, two, three = (col(BOOK.pages) == number for number in (1, 2, 3))
    assert compiled((one | two) & three) == {"$and": [{"$or": [{"n": {"$eq": 1}}, {"n": {"$eq": 2}}]}, three]}
    assert compiled(not_(~one)) == {"$nor": [{"$nor": [{"n": {"$eq": 1}}]}]}
    assert compiled({"$and": [{"$and": [{"a": 1}]}, {"$and": [{"a": 2}], "b": 1}]}) == {
        "$and": [{"$and": [{"a": 1}]}, {"$and": [{"a": 2}], "b": 1}]
    }


def test_a_condition_in_a_chain_is_checked_as_any_other() -> None:
    with pytest.raises(ArgumentError, match="'weight' is no field of Book"):
        compiled((col(BOOK.pages) == 1) & (col(BOOK.pages) == 2) & (Other.weight == 1))  # type: ignore[operator]


def test_the_filter_given_is_left_as_it_was_and_not_shared() -> None:
    given: Filter = {"tags": {"$in": ["a"]}}
    found = compiled(given)
    found["tags"]["$in"].append("b")
    assert given == {"tags": {"$in": ["a"]}}


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "field of another model": (
        Other.weight == 1,
        ArgumentError,
        r"'weight' is no field of Book, which has title, pages",
    ),
    "renamed fields are shown": (Other.weight == 1, ArgumentError, r"pages \(stored as 'n'\)"),
    "field of another model inside": (or_(BOOK.pages == 1, Other.weight == 1), ArgumentError, "'weight' is no field"),
    "two fields": (BOOK.title == BOOK.pages, ArgumentError, r"Write col\(Book.title\) in the place"),
    "field in a dict": ({"title": BOOK.pages}, ArgumentError, r"compared with the field 'n'.*col\(Book.title\)"),
    "True": (True, ArgumentTypeError, "got True, which is no condition"),
    "None": (None, ArgumentTypeError, "got None"),
    "a field": (BOOK.title, ArgumentTypeError, "where\\(\\) takes conditions such as Book.id == value"),
    "text": ("title = 1", ArgumentTypeError, "got 'title = 1'"),
    "$and of nothing": ({"$and": []}, ArgumentTypeError, r"\$and takes a list of conditions, got \[\]"),
    "$or of a dict": ({"$or": {"a": 1}}, ArgumentTypeError, r"\$or takes a list"),
    "$or of a bool": ({"$or": [True]}, ArgumentTypeError, "got True"),
    "key that is no text": ({1: 2}, ArgumentTypeError, "1 cannot be a key"),
}


@pytest.mark.parametrize(("criterion", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_condition_is_refused(criterion: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compiled(criterion)


@pytest.mark.parametrize(
    "write", [lambda: compiled(BOOK.title.in_([BOOK.pages])), lambda: equality(MAPPING, "title", BOOK.pages)],
    ids=["in a list", "in filter_by"],
)  # fmt: skip
def test_a_field_as_value_is_refused_elsewhere_too(write: Any) -> None:
    with pytest.raises(ArgumentError, match="field"):
        write()


# -- conditions together ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"$gt": 1}}, {"a": {"$lt": 3}}, {"$and": [{"a": {"$gt": 1}}, {"a": {"$lt": 3}}]}),
        ({"a": 1}, {"$or": [{"b": 1}]}, {"$and": [{"a": 1}, {"$or": [{"b": 1}]}]}),
        ({"$or": [{"a": 1}]}, {"$or": [{"b": 1}]}, {"$and": [{"$or": [{"a": 1}]}, {"$or": [{"b": 1}]}]}),
        ({"$and": [{"a": 1}, {"a": 2}]}, {"a": 3}, {"$and": [{"a": 1}, {"a": 2}, {"a": 3}]}),
        ({"$and": [{"a": 1}], "b": 1}, {"b": 2}, {"$and": [{"$and": [{"a": 1}], "b": 1}, {"b": 2}]}),
    ],
    ids=str,
)
def test_a_conjunction_asks_for_both(first: Filter, second: Filter, expected: Filter) -> None:
    assert conjunction(first, second) == expected


def test_a_conjunction_changes_neither_part() -> None:
    first: Filter = {"$and": [{"a": 1}]}
    conjunction(first, {"b": 1})
    assert first == {"$and": [{"a": 1}]}


def test_conditions_on_one_field_are_all_kept() -> None:
    statement = select(Book).where(BOOK.pages > 1).where(BOOK.pages < 5, BOOK.pages != 3)
    assert statement.command.filter == {"$and": [{"n": {"$gt": 1}}, {"n": {"$lt": 5}}, {"n": {"$ne": 3}}]}


def test_a_statement_is_not_changed_by_those_made_of_it() -> None:
    statement = select(Book).where(BOOK.pages > 1)
    statement.where(BOOK.pages < 5).order_by(BOOK.title).limit(1)
    assert repr(statement) == "select(Book).where({'n': {'$gt': 1}})"


@pytest.mark.parametrize("make", [select, update, delete])
def test_every_statement_compiles_its_conditions_alike(make: Any) -> None:
    statement = make(Book).where(BOOK.grade == Grade.BAD).filter_by(pages=1)
    assert statement.command.filter == {"grade": {"$eq": "bad"}, "n": {"$eq": 1}}


# -- filter_by ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pages", 1, {"n": {"$eq": 1}}),
        ("id", KEY, {"_id": {"$eq": KEY}}),
        ("title", {"$gt": ""}, {"title": {"$eq": {"$gt": ""}}}),
        ("title", re.compile("a"), {"title": {"$eq": re.compile("a")}}),
        ("grade", Grade.BAD, {"grade": {"$eq": "bad"}}),
        ("publisher", NORTH, {"publisher_id": {"$eq": KEY}}),
        ("address", Address(city="a"), {"addr": {"$eq": {"town": "a", "zip": ""}}}),
        ("tags", ["a"], {"tags": {"$eq": ["a"]}}),
    ],
    ids=str,
)
def test_a_keyword_is_compared_as_data(name: str, value: object, expected: Filter) -> None:
    assert equality(MAPPING, name, value) == expected


def test_a_keyword_that_is_no_field_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"filter_by\(\): Book has no field 'n'; it has title, pages"):
        equality(MAPPING, "n", 1)


# -- order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (BOOK.pages, [("n", 1)]),
        (BOOK.id, [("_id", 1)]),
        (asc(BOOK.pages), [("n", 1)]),
        (desc(BOOK.pages), [("n", -1)]),
        (odmantic_query.desc(BOOK.pages), [("n", -1)]),
        (BOOK.pages.desc(), [("n", -1)]),
        (BOOK.address.city, [("addr.town", 1)]),
        (desc(BOOK.address.city), [("addr.town", -1)]),
    ],
)
def test_an_order_becomes_sort_keys(clause: Any, expected: list[tuple[str, int]]) -> None:
    assert ordering(MAPPING, clause) == expected


class Inside(EmbeddedModel):
    place: str


class Outside(Model):
    place: Inside


def test_an_order_by_a_field_called_as_the_one_it_lies_in_keeps_both() -> None:
    place: Any = Outside.place
    assert ordering(mapping_of(Outside), place) == [("place", 1)]
    assert ordering(mapping_of(Outside), place.place) == [("place.place", 1)]


@pytest.mark.parametrize("clause", [Other.weight, desc(Other.weight)])
def test_an_order_by_another_model_is_refused(clause: Any) -> None:
    with pytest.raises(ArgumentError, match=r"order_by\(\): 'weight' is no field of Book"):
        ordering(MAPPING, clause)


@pytest.mark.parametrize("clause", ["title", None, 1, True, {"title": 1}, Book])
def test_what_is_no_order_is_refused(clause: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"order_by\(\) takes fields such as Book\.id"):
        ordering(MAPPING, clause)


def test_orders_add_up_and_none_clears_them() -> None:
    statement = select(Book).order_by(BOOK.title).order_by(desc(BOOK.pages), BOOK.id)
    assert statement.command.sort == (("title", 1), ("n", -1), ("_id", 1))
    assert statement.order_by(None).command.sort == ()


# -- keys and values ----------------------------------------------------------------------------------------------


def test_a_key_is_taken_through_the_type_of_its_field() -> None:
    assert primary_key(MAPPING, str(KEY)) == KEY
    assert isinstance(primary_key(MAPPING, str(KEY)), ObjectId)


@pytest.mark.parametrize("key", ["x", None, 3, {"$gt": ""}, [], b"short"])
def test_what_cannot_be_a_key_is_refused(key: object) -> None:
    with pytest.raises(ArgumentError, match=r"get\(Book, \.\.\.\): .* does not fit Book\.id"):
        primary_key(MAPPING, key)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pages", "3", {"n": 3}),
        ("price", decimal.Decimal("1.5"), {"price": Decimal128("1.5")}),
        ("color", "blue", {"color": "blue"}),
        ("grade", Grade.BAD, {"grade": "bad"}),
        ("address", {"city": "a"}, {"addr": {"town": "a", "zip": ""}}),
        ("address", Address(city="a"), {"addr": {"town": "a", "zip": ""}}),
        ("publisher", NORTH, {"publisher_id": KEY}),
        ("publisher", KEY, {"publisher_id": KEY}),
        ("publisher", str(KEY), {"publisher_id": KEY}),
        ("tags", ["a"], {"tags": ["a"]}),
    ],
    ids=str,
)
def test_a_value_to_set_is_validated_and_encoded(name: str, value: object, expected: Filter) -> None:
    assert Changes(MAPPING).added({name: value}, "values()").as_update() == {"$set": expected}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n": 1}, "Book has no field 'n'"),
        ({"id": KEY}, "'id' is the primary key"),
        ({"pages": "many"}, r"'many' does not fit Book\.pages"),
        ({"publisher": "x"}, r"'x' does not fit Publisher\.id"),
        ({"pages": 1, "title": 3}, r"3 does not fit Book\.title"),
    ],
)
def test_what_cannot_be_set_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Changes(MAPPING).added(values, "values()")
