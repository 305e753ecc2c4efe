"""Instances and operands become what BSON can hold: as ODMantic writes them, and some that it cannot write."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import re
import uuid
from collections import OrderedDict, defaultdict, deque
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.errors import InvalidDocument
from hypothesis import given
from hypothesis import strategies as st
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic.bson import WithBsonSerializer
from pydantic import (
    AnyUrl,
    BaseModel,
    HttpUrl,
    PlainSerializer,
    PostgresDsn,
    RootModel,
    SecretBytes,
    SecretStr,
    field_serializer,
)

from mongotic_adapters.encoding import encode_field, encode_instance, encode_key, encode_operand, encode_value
from mongotic_adapters.errors import ArgumentError
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.shown import shown
from tests.pure import models
from tests.pure.models import EXAMPLES, KEY, NOON, Color, Grade, as_bson


def encoded(instance: Model) -> dict[str, Any]:
    return encode_instance(mapping_of(type(instance)), instance)


# -- as ODMantic does it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", EXAMPLES.values(), ids=EXAMPLES)
def test_an_instance_becomes_the_document_odmantic_writes(instance: Model) -> None:
    assert as_bson(encoded(instance)) == as_bson(instance.model_dump_doc())


def test_keys_and_embedded_documents_written_out() -> None:
    assert encoded(models.home()) == {
        "_id": KEY,
        "addr": {"town": "Oslo", "str": {"n": "a", "number": 2}, "old": [{"n": "b", "number": 1}]},
        "ways": [{"n": "c", "number": 1}, {"n": "d", "number": 4}],
        "by_name": {"first": {"n": "e", "number": 1}},
        "several": [{"n": "f", "number": 1}],
        "too_deep": {"x": [{"name": "g", "number": 1}]},
    }


def test_the_key_comes_first() -> None:
    assert next(iter(encoded(models.home()))) == "_id"
    assert list(encoded(EXAMPLES["embedded primary key"])) == ["_id", "price"]


def test_references_become_keys() -> None:
    publisher = models.Publisher(id=KEY, name="North", country=models.Country(code="no", name="Norway"))
    book = models.Book(title="b", publisher=publisher)
    assert encoded(publisher) == {"_id": KEY, "name": "North", "country_code": "no"}
    assert encoded(book) == book.model_dump_doc() == {"_id": book.id, "title": "b", "publisher_id": KEY}


def test_a_reference_to_an_embedded_key_becomes_its_document() -> None:
    ticket = models.Ticket(place=models.Place(row=1, seat=2), price=decimal.Decimal(1))
    admission = models.Admission(id=KEY, ticket=ticket)
    assert encoded(admission) == {"_id": KEY, "ticket": {"r": 1, "seat": 2}}
    # ODMantic writes the Python names there, so that its own $lookup never finds the ticket.
    assert admission.model_dump_doc() == {"_id": KEY, "ticket": {"row": 1, "seat": 2}}


def test_extra_keys_are_stored_after_the_fields() -> None:
    assert encoded(models.open_with(b=1, c=Color.RED)) == {"_id": KEY, "name": "a", "b": 1, "c": "red"}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
SMALL = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | SMALL | st.floats() | TEXT | st.binary(max_size=4) | MOMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(lambda key: "\0" not in key), inner,
    max_size=3), max_leaves=8,
)  # fmt: skip
EVERYTHING = st.builds(
    models.Scalars,
    text=TEXT,
    number=SMALL,
    real=st.floats(),
    flag=st.booleans(),
    nothing=st.none(),
    maybe=st.none() | TEXT,
    data=st.binary(max_size=8),
    moment=MOMENTS,
    reference=st.binary(min_size=12, max_size=12).map(ObjectId),
    long=SMALL.map(Int64),
    decimal128=st.decimals(-1000, 1000, places=3).map(Decimal128),
    money=st.decimals(-1000, 1000, places=2),
    blob=st.binary(max_size=4).map(Binary),
    regex=st.sampled_from([Regex("a", "im"), Regex("b")]),
    pattern=st.sampled_from([re.compile("a", re.IGNORECASE), re.compile("b")]),
    color=st.sampled_from(Color),
    choice=st.sampled_from(["a", 1]),
    either=SMALL | TEXT,
    anything=JSON,
    renamed=TEXT,
)


@given(EVERYTHING)
def test_any_values_become_the_document_odmantic_writes(instance: models.Scalars) -> None:
    assert as_bson(encoded(instance)) == as_bson(instance.model_dump_doc())


@given(JSON)
def test_what_bson_holds_already_stays_as_it_is(value: object) -> None:
    assert bson.encode({"": encode_value(value)}) == bson.encode({"": value})


def test_containers_are_copied() -> None:
    inner: list[int] = [1]
    value = {"a": inner}
    copied: Any = encode_value(value)
    inner.append(2)
    value["b"] = []
    assert copied == {"a": [1]}


# -- what ODMantic can write and a shortcut could miss ------------------------------------------------------------


@dataclasses.dataclass
class Point:
    x: int
    y: int


class HasDataclass(Model):
    point: Point


# ODMantic before 1.1 breaks annotated types inside others.
if TYPE_CHECKING or version("odmantic") >= "1.1":
    Money = Annotated[decimal.Decimal, PlainSerializer(float)]
    Digits = Annotated[int, PlainSerializer(str)]
else:
    Money, Digits = float, int


class HasNestedSerializer(Model):
    price: Money | None
    prices: list[Digits]


class HasSerializedModel(Model):
    vector: Annotated[models.Vector, WithBsonSerializer(lambda vector: [vector["x"], vector["y"]])]


class Tags(RootModel[list[str]]): ...


class HasRootModel(Model):
    tags: Tags


class HasMappings(Model):
    ordered: OrderedDict[str, int]
    defaulting: defaultdict[str, int]


class HasAliased(Model):
    part: Any


@pytest.mark.parametrize(
    "instance",
    [
        HasDataclass(id=KEY, point=Point(1, 2)),
        HasNestedSerializer(id=KEY, price=decimal.Decimal("1.5"), prices=[1]),
        HasSerializedModel(id=KEY, vector=models.Vector(x=1, y=2)),
        HasRootModel(id=KEY, tags=Tags(["a"])),
        HasMappings(id=KEY, ordered=OrderedDict(b=1, a=2), defaulting=defaultdict(int, c=3)),
        HasAliased(id=KEY, part=models.Street(name="a")),
        HasAliased(id=KEY, part=[models.Vector(x=1, y=2)]),
        HasAliased(id=KEY, part=Point(1, 2)),
    ],
    ids=[
        "dataclass",
        "serializer inside a type",
        "BSON serializer of a Pydantic model",
        "root model",
        "other mappings",
        "embedded model in Any",
        "Pydantic model in Any",
        "dataclass in Any",
    ],
)
def test_less_common_fields_become_what_odmantic_writes(instance: Model) -> None:
    assert as_bson(encoded(instance)) == as_bson(instance.model_dump_doc())


class OwnWriter(Model):
    """Stores its values in a shape of its own, as ODMantic lets it."""

    secret: str

    def model_dump_doc(self, include: Any = None) -> dict[str, Any]:
        document = Model.model_dump_doc(self, include)
        document["secret"] = f"<{document['secret']}>"
        return document


def test_an_own_model_dump_doc_is_asked() -> None:
    assert encoded(OwnWriter(id=KEY, secret="s")) == {"_id": KEY, "secret": "<s>"}


# -- further than ODMantic ----------------------------------------------------------------------------------------


class Further(Model):
    grade: Grade = Grade.GOOD
    day: datetime.date = datetime.date(2026, 1, 2)
    words: set[str] = {"a"}
    frozen: frozenset[int] = frozenset({1})
    price: decimal.Decimal | None = decimal.Decimal("1.5")


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ("grade", 1),
        ("day", datetime.datetime(2026, 1, 2)),
        ("words", ["a"]),
        ("frozen", [1]),
        ("price", Decimal128("1.5")),
    ],
)
def test_types_odmantic_cannot_write(field: str, stored: object) -> None:
    instance = Further()
    with pytest.raises(InvalidDocument):
        bson.encode({field: instance.model_dump_doc()[field]})
    assert encoded(instance)[field] == stored


class MaybeAddressed(Model):
    home: models.Address | None = Field(default=None, key_name="h")
    work: models.Street | None = None


def test_an_optional_embedded_model_which_odmantic_cannot_write() -> None:
    instance = MaybeAddressed(id=KEY, work=models.Street(name="a"))
    with pytest.raises((TypeError, AttributeError)):
        instance.model_dump_doc()
    assert encoded(instance) == {"_id": KEY, "h": None, "work": {"n": "a", "number": 1}}


class Cat(EmbeddedModel):
    name: str = Field(key_name="n")


class Dog(EmbeddedModel):
    breed: str = Field(key_name="b")


class Owner(Model):
    pet: Cat | Dog


def test_a_union_of_embedded_models_uses_the_keys_of_the_one_that_is_there() -> None:
    assert encoded(Owner(id=KEY, pet=Dog(breed="terrier"))) == {"_id": KEY, "pet": {"b": "terrier"}}


class Shouting(Model):
    """A class with a serializer: what `model_dump` gives is stored."""

    name: str
    pet: Cat | Dog | None = None
    home: models.Address | None = Field(default=None, key_name="h")
    pets: list[Cat] = []
    by_name: dict[str, Cat] = {}
    two: tuple[Cat, Dog] | None = None
    price: decimal.Decimal = decimal.Decimal(1)

    @field_serializer("name")
    def upper(self, name: str) -> str:
        return name.upper()


def test_optional_and_union_embedded_models_beside_serializers() -> None:
    instance = Shouting(
        id=KEY,
        name="a",
        pet=Dog(breed="pug"),
        home=models.Address(city="Oslo", street=models.Street(name="s")),
        pets=[Cat(name="x")],
        by_name={"y": Cat(name="y")},
        two=(Cat(name="z"), Dog(breed="pug")),
    )
    assert encoded(instance) == {
        "_id": KEY,
        "name": "A",
        "pet": {"b": "pug"},
        "h": {"town": "Oslo", "str": {"n": "s", "number": 1}, "old": []},
        "pets": [{"n": "x"}],
        "by_name": {"y": {"n": "y"}},
        "two": [{"name": "z"}, {"breed": "pug"}],  # a plain value to ODMantic, which looks one level deep
        "price": Decimal128("1"),
    }


def test_none_for_an_optional_embedded_model_beside_serializers() -> None:
    assert encoded(Shouting(id=KEY, name="a"))["pet"] is None


class Badge(EmbeddedModel):
    label: str = Field(key_name="l")

    def __hash__(self) -> int:
        return hash(self.label)


class Decorated(Model):
    badges: set[Badge]


def test_a_set_of_embedded_models_has_an_order_of_its_own() -> None:
    instance = Decorated(id=KEY, badges={Badge(label="b"), Badge(label="c"), Badge(label="a")})
    assert encoded(instance) == {"_id": KEY, "badges": [{"l": "a"}, {"l": "b"}, {"l": "c"}]}


class Referring(Model):
    name: str
    country: models.Country = Reference()

    @field_serializer("name")
    def upper(self, name: str) -> str:
        return name.upper()


class RenamedOpen(Model):
    model_config = {"extra": "allow"}
    name: str = Field(key_name="n")


class OpenSerialized(Model):
    model_config = {"extra": "allow"}
    name: str = Field(key_name="n")

    @field_serializer("name")
    def upper(self, name: str) -> str:
        return name.upper()


def test_references_and_extra_keys_beside_serializers() -> None:
    found = encoded(Referring(id=KEY, name="a", country=models.Country(code="no", name="Norway")))
    assert found == {"_id": KEY, "name": "A", "country": "no"}
    assert encoded(OpenSerialized(id=KEY, name="a", b=Grade.GOOD)) == {"_id": KEY, "n": "A", "b": 1}


@pytest.mark.parametrize("model", [OpenSerialized, RenamedOpen], ids=lambda model: model.__name__)
def test_an_extra_key_that_would_overwrite_a_field_is_refused(model: type[Model]) -> None:
    with pytest.raises(ArgumentError, match="the extra key 'n' cannot be stored, because the field 'name'"):
        encoded(model(id=KEY, name="a", n="lost"))


def test_an_instance_without_all_its_fields_is_refused() -> None:
    with pytest.raises(ArgumentError, match="an instance of Home cannot be stored: it has no value for 'address'"):
        encoded(models.Home.model_construct())


class Failing(Model):
    word: Annotated[str, WithBsonSerializer(lambda word: {"a": 1}[word])] = "a"
    number: int = 1

    @field_serializer("number")
    def checked(self, number: int) -> int:
        if number == 13:
            raise KeyError(number)
        return number


class FailingType(Model):
    word: Annotated[str, WithBsonSerializer(lambda word: {"a": 1}[word])] = "a"


@pytest.mark.parametrize(
    "instance", [Failing(number=13), Failing(word="b"), FailingType(word="b")], ids=["field", "type", "type alone"]
)
def test_a_serializer_that_fails_is_reported_before_anything_is_sent(instance: Model) -> None:
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        encoded(instance)


class FailingPart(BaseModel):
    failure: Annotated[str, WithBsonSerializer(lambda failure: failing(failure))]


def failing(failure: str) -> str:
    raise {"KeyError": KeyError, "RecursionError": RecursionError}[failure]("no")


@pytest.mark.parametrize("failure", ["KeyError", "RecursionError"])
def test_a_serializer_that_fails_inside_a_value_is_reported(failure: str) -> None:
    part = FailingPart(failure=failure)
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        encode_operand(part)
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        encoded(HasAliased(id=KEY, part=part))


def test_an_embedded_operand_for_a_plain_field_has_the_names_of_its_fields() -> None:
    deep = mapping_of(models.Home).fields["too_deep"]
    assert encode_operand({"x": [models.Street(name="g")]}, deep) == {"x": [{"name": "g", "number": 1}]}
    address = mapping_of(models.Home).fields["address"]
    assert encode_operand(models.Street(name="g"), address) == {"n": "g", "number": 1}


class FieldsNamedLikePartsOfASchema(Model):
    default: models.Cents
    metadata: models.Cents = 200


def test_serializers_of_fields_named_like_parts_of_a_schema_are_seen() -> None:
    instance = FieldsNamedLikePartsOfASchema(id=KEY, default=100)
    assert encoded(instance) == instance.model_dump_doc() == {"_id": KEY, "default": 1.0, "metadata": 2.0}


class Level(enum.IntEnum):
    LOW = 1


HUGE = decimal.Decimal("1." + "1" * 40)
REFUSED: dict[str, tuple[object, str]] = {
    "secret": (SecretStr("s3cret"), "SecretStr is not stored in clear text"),
    "secret bytes": (SecretBytes(b"s3cret"), "SecretBytes is not stored in clear text"),
    "too many digits": (HUGE, "34 digits"),
    "a span too long for microseconds": (datetime.timedelta(days=60_000, microseconds=1), "136 years"),
    "a zone without an offset": (datetime.time(1, tzinfo=ZoneInfo("Europe/Oslo")), "no fixed offset"),
    "an offset of seconds": (
        datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(seconds=1))), "no fixed offset"),
    "a model that contains itself": (None, "nested too deeply"),
}  # fmt: skip


class Ring(BaseModel):
    next: Any = None


def ring() -> Ring:
    first = Ring()
    first.next = first
    return first


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_faithful_form_is_refused(value: object, reason: str) -> None:
    value = ring() if value is None else value
    for attempt in (encode_operand, partial(encode_field, mapping_of(HasAliased).fields["part"])):
        with pytest.raises(ArgumentError, match=reason) as caught:
            attempt(value)
        assert "s3cret" not in str(caught.value)
        assert "Nothing was sent" in str(caught.value)


class Unprintable:
    """Nothing of it can be shown."""

    def __repr__(self) -> str:
        raise KeyError("no")


def test_a_message_about_a_value_never_fails_itself() -> None:
    assert shown("a") == "'a'"
    assert shown(10**5000) == "<int>"
    assert "Unprintable" in shown(Unprintable())
    assert len(shown(["x" * 10**6] * 10**6)) < 5000
    assert shown(endless())


class Moment(datetime.datetime):
    """A subclass, as libraries for times have them."""


VALUES: dict[str, tuple[object, object]] = {
    "datetime of a subclass": (Moment(2026, 1, 2), Moment(2026, 1, 2)),
    "None": (None, None),
    "str enum": (Color.RED, "red"),
    "plain enum": (Grade.BAD, "bad"),
    "int enum": (Level.LOW, 1),
    "Decimal": (decimal.Decimal("0.10"), Decimal128("0.10")),
    "date": (datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2)),
    "datetime": (NOON, NOON),
    "time": (datetime.time(1, 2, 3, 400), "01:02:03.000400"),
    "time with an offset": (datetime.time(1, tzinfo=datetime.timezone.utc), "01:00:00+00:00"),
    "timedelta": (datetime.timedelta(minutes=1, microseconds=3), 60.000003),
    "long timedelta": (datetime.timedelta(days=100_000), 8_640_000_000.0),
    "URL": (AnyUrl("mongodb://a.b/c"), "mongodb://a.b/c"),
    "web address": (HttpUrl("http://a.b/c?d=é"), "http://a.b/c?d=%C3%A9"),
    "URL of several hosts": (PostgresDsn("postgres://u@h,i/d"), "postgres://u@h,i/d"),
    "IP address": (ipaddress.IPv4Address("1.2.3.4"), "1.2.3.4"),
    "network": (ipaddress.IPv6Network("::/64"), "::/64"),
    "path": (pathlib.PurePosixPath("a/b"), "a/b"),
    "fraction": (Fraction(1, 3), "1/3"),
    "deque": (deque([1, Grade.BAD]), [1, "bad"]),
    "set of texts": (set("edcba"), list("abcde")),
    "set of many kinds": ({"b", 2, "a", 1, None}, [None, 1, 2, "a", "b"]),
    "tuple": ((1, Grade.BAD), [1, "bad"]),
    "set": ({Grade.GOOD}, [1]),
    "frozenset": (frozenset({decimal.Decimal(1)}), [Decimal128("1")]),
    "dict": ({"a": Grade.GOOD}, {"a": 1}),
    "other mapping": (MappingProxyType({"a": Grade.GOOD}), {"a": 1}),
    "Pydantic model": (models.Vector(x=1, y=2), {"x": 1, "y": 2}),
    "uuid": (uuid.UUID(int=1), uuid.UUID(int=1)),
    "BSON's own": (
        [Code("f"), DBRef("c", 1), MinKey(), MaxKey(), Timestamp(1, 2), Regex("a")],
        [Code("f"), DBRef("c", 1), MinKey(), MaxKey(), Timestamp(1, 2), Regex("a")],
    ),
}


@pytest.mark.parametrize(("value", "stored"), VALUES.values(), ids=VALUES)
def test_a_value_encoded(value: object, stored: object) -> None:
    found = encode_value(value)
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(("value", "stored"), VALUES.values(), ids=VALUES)
def test_an_operand_is_encoded_as_a_value_is(value: object, stored: object) -> None:
    assert encode_operand([value]) == [stored]


def test_an_embedded_operand_has_the_keys_of_its_document() -> None:
    assert encode_operand(models.Street(name="a", number=2)) == {"n": "a", "number": 2}
    assert encode_operand([models.Street(name="a")]) == [{"n": "a", "number": 1}]


def test_an_instance_as_operand_is_its_key() -> None:
    assert encode_operand(models.Country(code="no", name="Norway")) == "no"
    assert encode_operand({"a"}) == ["a"]


def test_an_embedded_operand_inside_a_dict_has_the_keys_of_its_document() -> None:
    assert encode_operand({"home": models.Street(name="a", number=2)}) == {"home": {"n": "a", "number": 2}}


def test_a_type_nobody_knows_is_passed_on() -> None:
    unknown = object()
    assert encode_value(unknown) is unknown


def test_a_key_is_encoded_as_its_document_holds_it() -> None:
    assert encode_key(models.Country(code="no", name="Norway")) == "no"
    assert encode_key(models.Ticket(place=models.Place(row=1, seat=2), price=decimal.Decimal(1))) == {"r": 1, "seat": 2}


def endless() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def test_a_value_that_contains_itself_is_refused() -> None:
    with pytest.raises(ArgumentError, match="contains itself"):
        encode_operand(endless())
    with pytest.raises(ArgumentError, match="an instance of HasAliased cannot be stored"):
        encoded(HasAliased.model_construct(id=KEY, part=endless()))
