"""Rows, and how columns are read from documents: everything that needs no database."""

from __future__ import annotations

import copy
import datetime
import decimal
import pickle
from typing import Annotated, Any

import bson
import pytest
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic.exceptions import DocumentParsingError
from pydantic import BaseModel, field_validator, model_validator
from typing_extensions import Self, assert_type

import mongotic.orm
import mongotic.query
import mongotic.result
from mongotic import ArgumentError, DocumentError, MongoBaseModel, Row, Select, col, desc, select
from mongotic_adapters import distinct
from mongotic_adapters.columns import Column
from mongotic_adapters.projection import Projection
from mongotic_adapters.rows import row_class
from tests.pure.models import EXAMPLES, as_bson

untyped: Any = mongotic


class Geo(EmbeddedModel):
    lat: float = Field(default=1.5, key_name="y")


class Address(EmbeddedModel):
    city: str = Field(default="Rome", key_name="town")
    geo: Geo = Field(key_name="g")


class Item(EmbeddedModel):
    sku: str = Field(key_name="s")
    qty: int = 1


class Tag(BaseModel):
    label: str
    weight: int = 7


class Owner(Model):
    code: str = Field(primary_field=True)


class Order(Model):
    name: str
    age: int = Field(default=3, key_name="years")
    nick: str | None = None
    address: Address = Field(key_name="addr")
    items: list[Item] = Field(default=[], key_name="its")
    by_name: dict[str, Item] = {}
    tags: list[Tag] = []
    tag: Tag | None = None
    owner: Owner = Reference(key_name="owner_code")
    count: int = 0


class Other(Model):
    name: str


def projection(*columns: Any) -> Projection:
    found = untyped.select(*columns).projection
    assert isinstance(found, Projection)
    return found


def read(column: Any, *documents: dict[str, Any]) -> list[Any]:
    return projection(column).firsts(documents)


# -- a row --------------------------------------------------------------------------------------------------------


@pytest.fixture
def row() -> Row[str, int]:
    return row_class(("name", "city"), ("name", "address.city"))(("Ann", 30))


def test_a_row_is_asked_by_attribute_index_and_key(row: Row[str, int]) -> None:
    assert (row.name, row.city) == ("Ann", 30)
    assert (row[0], row[-1], row[0:1]) == ("Ann", 30, ("Ann",))
    assert (row["name"], row["city"], row["address.city"]) == ("Ann", 30, 30)
    name, city = row
    assert (name, city) == ("Ann", 30)


def test_a_row_is_a_tuple_and_equal_to_one(row: Row[str, int]) -> None:
    assert isinstance(row, tuple)
    assert row == ("Ann", 30)
    assert hash(row) == hash(("Ann", 30))
    assert row < ("Bob", 0)
    assert len(row) == 2


def test_a_row_tells_its_names(row: Row[str, int]) -> None:
    assert row._fields == ("name", "city")  # pyright: ignore[reportPrivateUsage]  # named as in a namedtuple
    assert row._asdict() == {"name": "Ann", "city": 30}  # pyright: ignore[reportPrivateUsage]
    mapping: Any = row._mapping  # pyright: ignore[reportPrivateUsage]
    assert mapping == {"name": "Ann", "city": 30}
    with pytest.raises(TypeError):
        mapping["name"] = "Bob"
    assert repr(row) == "Row(name='Ann', city=30)"


def test_a_row_cannot_be_changed(row: Any) -> None:
    with pytest.raises(AttributeError):
        row.name = "Bob"
    with pytest.raises(AttributeError):
        row.other = 1
    with pytest.raises(TypeError):
        row[0] = "Bob"


@pytest.mark.parametrize("name", ["nam", "other"])
def test_an_unknown_column_is_named(row: Row[str, int], name: str) -> None:
    with pytest.raises(AttributeError, match=f"'{name}' is no column of the row, which has name, city"):
        getattr(row, name)
    with pytest.raises(KeyError, match="which has name, city"):
        row[name]


def test_a_row_is_pickled_and_copied(row: Row[str, int]) -> None:
    for twin in (pickle.loads(pickle.dumps(row)), copy.copy(row), copy.deepcopy(row)):
        assert twin == row
        assert (twin.name, twin["address.city"]) == ("Ann", 30)
        assert type(twin) is type(row)


def test_a_column_called_as_a_method_of_tuples_is_meant() -> None:
    row: Any = projection(Order.count, Order.name).rows([{"count": 5, "name": "a"}])[0]
    assert row.count == 5
    assert row.index("a") == 1


# -- names and keys -----------------------------------------------------------------------------------------------


def test_the_keys_alone_are_fetched() -> None:
    assert projection(Order.name, Order.age).keys == {"name": 1, "years": 1, "_id": 0}
    assert projection(Order.id, Order.age).keys == {"_id": 1, "years": 1}
    assert projection(Order.address.city).keys == {"addr.town": 1, "_id": 0}
    assert projection(col(Order.items).sku).keys == {"its.s": 1, "_id": 0}


def test_a_column_inside_of_another_is_fetched_once() -> None:
    found = projection(Order.address.geo.lat, Order.address, Order.address.city)
    assert found.keys == {"addr": 1, "_id": 0}
    assert found.names == ("lat", "address", "city")


def test_columns_of_one_name_are_called_by_their_paths() -> None:
    class Two(Model):
        city: str
        address: Address

    [row] = projection(Two.address.city, Two.city).rows([{"city": "a", "address": {"town": "b"}}])
    assert repr(row) == "Row(address_city='b', city='a')"
    assert row["address.city"] == "b"


def test_the_statement_shows_its_columns() -> None:
    statement = select(Order.name, Order.address.city).order_by(desc(Order.name)).distinct
    with pytest.raises(ArgumentError, match="takes selected columns only"):
        select(Order.name).distinct().order_by(Order.age)
    assert repr(statement().limit(2).yield_per(5)) == (
        "select(Order.name, Order.address.city).distinct().order_by({'name': -1}).limit(2).yield_per(5)"
    )


# -- what select() refuses ----------------------------------------------------------------------------------------


def test_select_of_nothing() -> None:
    with pytest.raises(TypeError, match=r"select\(User\), or select\(User\.name, User\.age\)"):
        untyped.select()


@pytest.mark.parametrize("entities", [(Order, Order.name), (Order.name, Order)])
def test_select_of_a_model_and_more(entities: Any) -> None:
    with pytest.raises(TypeError, match=r"write select\(Order\)"):
        untyped.select(*entities)


def test_select_of_two_models() -> None:
    with pytest.raises(NotImplementedError, match=r"no join of Order and Other; .*select\(Order\.id\)"):
        untyped.select(Order, Other)


def test_select_of_columns_of_two_models() -> None:
    with pytest.raises(ArgumentError, match=r"of two models, .* select\(Order\.name\) and select\(Other\.name\)"):
        select(Order.name, Other.name)


@pytest.mark.parametrize(
    ("entity", "advice"),
    [
        ("name", r"got 'name'; write select\(User\) for whole instances, or select\(User\.name, User\.age\)"),
        (1, r"got 1; write select\(User\)"),
        (None, r"got None; write select\(User\)"),
        ([Order.name], r"without the brackets: select\(User\.name, User\.age\)"),
        (Order.age == 1, r"a condition comes after it: select\(User\)\.where"),
        (desc(Order.age), r"an order comes after it: select\(User\)\.order_by"),
    ],
)
def test_select_of_something_else(entity: Any, advice: str) -> None:
    expected = rf"takes a class derived from odmantic\.Model, or columns of one, .*{advice}"
    with pytest.raises(TypeError, match=expected):
        untyped.select(entity)
    with pytest.raises(TypeError, match=expected):
        untyped.select(Order.name, entity)


def test_select_of_an_embedded_model() -> None:
    with pytest.raises(TypeError, match=r"through the field that holds it: select\(User\.address\)"):
        untyped.select(Address)


def test_select_of_one_column_twice() -> None:
    with pytest.raises(ArgumentError, match="two columns would be called 'name'"):
        select(Order.name, Order.name)


def test_select_into_a_dict() -> None:
    with pytest.raises(ArgumentError, match=r"Order\.by_name is a dict"):
        select(untyped.col(Order.by_name).sku)


# -- values -------------------------------------------------------------------------------------------------------


def test_values_are_validated_by_the_type_of_the_field() -> None:
    class Typed(Model):
        real: float
        money: decimal.Decimal
        day: datetime.datetime
        key: bson.ObjectId
        pair: tuple[int, str]

    key, day = bson.ObjectId(), datetime.datetime(2026, 1, 2, 3, 4, 5, 6_000)
    found = projection(Typed.real, Typed.money, Typed.day, Typed.key, Typed.pair).rows(
        [{"real": 1, "money": bson.Decimal128("1.50"), "day": day, "key": key, "pair": [1, "a"]}]
    )
    assert found == [(1.0, decimal.Decimal("1.50"), day, key, (1, "a"))]
    assert [type(value) for value in found[0]] == [float, decimal.Decimal, datetime.datetime, bson.ObjectId, tuple]


def test_datetimes_are_as_odmantic_has_them() -> None:
    class Dated(Model):
        at: datetime.datetime
        until: datetime.datetime | None = None

    naive = datetime.datetime(2026, 1, 2, 3, 4, 5, 6_000)
    utc = naive.replace(tzinfo=datetime.timezone.utc)
    elsewhere = naive.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    assert read(Dated.at, {"at": naive}, {"at": utc}) == [naive, utc]
    assert read(Dated.until, {"until": naive}, {"until": None}) == [naive, None]
    with pytest.raises(DocumentError, match="must be naive"):
        read(Dated.until, {"until": naive}, {"until": None}, {"until": elsewhere})


def test_a_long_of_the_database_is_an_int() -> None:
    assert [type(value) for value in read(Order.age, {"years": bson.Int64(5)})] == [int]


def test_what_is_missing_is_the_default_or_none() -> None:
    assert read(Order.age, {"years": 1}, {}, {"years": 2}) == [1, 3, 2]
    assert read(Order.name, {"name": "a"}, {}) == ["a", None]
    assert read(Order.nick, {"nick": None}, {}) == [None, None]
    assert read(Order.address, {}) == [None]


def test_a_default_that_can_change_is_not_shared() -> None:
    first, second = read(Order.items, {}, {})
    assert first == []
    assert first is not second

    class Default(Model):
        address: Address = Address(city="Oslo", geo=Geo())

    one, other = read(Default.address, {}, {})
    one.geo.lat = 9.0  # ODMantic's bookkeeping has what it needs
    assert other.geo.lat == 1.5
    assert read(Default.address.city, {}) == ["Oslo"]


@pytest.mark.parametrize("value", [None, "x", {"a": 1}, [1]])
def test_a_value_that_does_not_fit_is_an_error(value: object) -> None:
    keys = [bson.ObjectId() for _ in range(3)]
    documents: list[dict[str, Any]] = [
        {"_id": keys[0], "years": 1},
        {"_id": keys[1], "years": value},
        {"_id": keys[2], "years": "x"},
    ]
    with pytest.raises(DocumentError, match=r"does not fit Order: 1 validation error for Order\nage") as caught:
        projection(Order.id, Order.age).firsts(documents)
    assert caught.value.key == keys[1]
    with pytest.raises(DocumentError, match="select its primary field too"):
        read(Order.age, {"years": 1}, {"years": value})


def test_constraints_and_validators_of_the_field_hold() -> None:
    class Strict(Model):
        model_config = {"str_strip_whitespace": True}
        short: Annotated[str, Field()] = Field(max_length=3)
        word: str
        plain: str

        @field_validator("word")
        @classmethod
        def upper(cls, word: str, info: Any) -> str:
            assert info.data == {}
            return word.upper()

        @model_validator(mode="after")
        def whole(self) -> Self:
            raise AssertionError("there is no whole document")

    assert projection(Strict.word, Strict.plain).rows([{"word": "a", "plain": " b "}]) == [("A", "b")]
    with pytest.raises(DocumentError, match="at most 3 characters"):
        read(Strict.short, {"short": "long"})


def test_an_embedded_column() -> None:
    assert read(Order.address.city, {"addr": {"town": "Oslo"}}, {"addr": {}}, {}) == ["Oslo", "Rome", None]
    assert read(Order.address.geo.lat, {"addr": {"g": {"y": 1}}}, {"addr": {"g": {}}}, {"addr": {}}) == [1.0, 1.5, None]
    assert read(Order.address.geo.lat, {"addr": None}) == [None]
    with pytest.raises(DocumentError, match="Input should be a document"):
        read(Order.address.city, {"addr": "Oslo"})


def test_a_column_through_a_list() -> None:
    found = read(col(Order.items).qty, {"its": [{"qty": 2}, {}]}, {"its": []}, {}, {"its": [{"qty": 4}]})
    assert found == [[2, 1], [], [], [4]]
    with pytest.raises(DocumentError, match="a list of documents"):
        read(col(Order.items).qty, {"its": {"qty": 1}})


def test_a_column_of_a_plain_pydantic_model() -> None:
    tags: Any = col(Order.tags)
    assert read(tags.weight, {"tags": [{"weight": 1}, {}]}) == [[1, 7]]
    tag: Any = col(Order.tag)
    assert read(tag.label, {"tag": {"label": "a"}}, {"tag": None}, {}) == ["a", None, None]


def test_a_whole_embedded_model_gives_instances() -> None:
    [address] = read(Order.address, {"addr": {"town": "Oslo", "g": {}}})
    assert isinstance(address, Address)
    assert (address.city, address.geo.lat) == ("Oslo", 1.5)
    address.geo.lat = 2.0  # ODMantic's bookkeeping has what it needs
    [items] = read(Order.items, {"its": [{"s": "a"}]})
    assert items == [Item(sku="a")]
    with pytest.raises(DocumentError, match="'s'"):
        read(Order.items, {"its": [{}]})


def test_a_reference_gives_the_stored_key() -> None:
    assert read(Order.owner, {"owner_code": "a"}, {"owner_code": None}, {}) == ["a", None, None]


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_each_column_gives_what_an_instance_would_hold(name: str) -> None:
    """For every type of field ODMantic knows."""
    instance = EXAMPLES[name]
    model: Any = type(instance)
    document: dict[str, Any] = bson.decode(as_bson(instance.model_dump_doc()))
    try:
        expected = model.model_validate_doc(document)
    except DocumentParsingError:
        pytest.skip("ODMantic does not read back what it wrote")
    for field in model.model_fields:
        [value] = read(getattr(model, field), document)
        assert value == getattr(expected, field)
        assert type(value) is type(getattr(expected, field))


# -- distinct -----------------------------------------------------------------------------------------------------


def test_the_pipeline_of_distinct_rows() -> None:
    statement = select(Order.name, Order.nick).where(Order.age > 1).order_by(desc(Order.nick)).offset(1).limit(2)
    assert statement.projection is not None
    assert distinct.pipeline(statement.distinct().command, statement.projection) == [
        {"$match": {"years": {"$gt": 1}}},
        {
            "$group": {
                "_id": {
                    "0": {
                        "$switch": {
                            "branches": [{"case": {"$eq": [{"$type": "$name"}, "missing"]}, "then": "$$REMOVE"}],
                            "default": "$name",
                        }
                    },
                    "missing 0": {
                        "$eq": [
                            {
                                "$type": {
                                    "$switch": {
                                        "branches": [
                                            {"case": {"$eq": [{"$type": "$name"}, "missing"]}, "then": "$$REMOVE"}
                                        ],
                                        "default": "$name",
                                    }
                                }
                            },
                            "missing",
                        ]
                    },
                    "1": {
                        "$switch": {
                            "branches": [{"case": {"$eq": [{"$type": "$nick"}, "missing"]}, "then": None}],
                            "default": "$nick",
                        }
                    },
                }
            }
        },
        {"$sort": {"_id.1": -1}},
        {"$skip": 1},
        {"$limit": 2},
        {"$replaceRoot": {"newRoot": "$_id"}},
    ]


# -- for type checkers and importers ------------------------------------------------------------------------------


class Native(MongoBaseModel):
    __tablename__ = "natives"
    name: str
    age: int = 0


def test_the_types_of_statements() -> None:
    assert_type(select(Order), Select[tuple[Order]])
    assert_type(select(Order.name), Select[tuple[str]])
    assert_type(select(Order.name, Order.age), Select[tuple[str, int]])
    assert_type(select(col(Order.age)), Select[tuple[int]])
    assert_type(select(Order.name, col(Order.age)), Select[tuple[str, int]])
    assert_type(select(col(Order.age), Order.name, col(Order.nick)), Select[tuple[int, str, str | None]])
    assert_type(select(Native.name, Native.age), Select[tuple[str, int]])
    assert_type(
        select(Order.name, Order.age, Order.nick, Order.count, Order.items, Order.tags, Order.tag, Order.by_name),
        Select[tuple[str, int, str | None, int, list[Item], list[Tag], Tag | None, dict[str, Item]]],
    )


def test_col_gives_a_column() -> None:
    assert isinstance(col(Order.age), Column)
    assert repr(select(Native.name, col(Native.age))) == "select(Native.name, Native.age)"
    with pytest.raises(TypeError, match="expected a field"):
        col(3)


def test_the_import_paths_of_mongotic_0_5() -> None:
    assert mongotic.orm.sessionmaker is mongotic.sessionmaker
    assert mongotic.query.select is mongotic.select
    assert mongotic.result.Row is Row
    assert mongotic.result.SelectResult is mongotic.SelectResult
    assert Row.__module__ == "mongotic.result"
