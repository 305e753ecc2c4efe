"""Models with every type of field that ODMantic supports, for the tests of encoding and of hydration."""

from __future__ import annotations

import datetime
import decimal
import enum
import re
from typing import Annotated, Any, Literal, Pattern  # noqa: UP035  # the one ODMantic knows

import bson
from bson import Binary, Decimal128, Int64, ObjectId, Regex
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic.bson import WithBsonSerializer
from pydantic import BaseModel, PlainSerializer, field_serializer, model_serializer
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

KEY = ObjectId("65f000000000000000000001")
NOON = datetime.datetime(2026, 1, 2, 12, 30, 15, 678_000)


class Color(str, enum.Enum):
    RED = "red"
    BLUE = "blue"


class Grade(enum.Enum):
    """No `str` base: ODMantic cannot write its values."""

    GOOD = 1
    BAD = "bad"


class Scalars(Model):
    text: str
    number: int
    real: float
    flag: bool
    nothing: None
    maybe: str | None
    data: bytes
    moment: datetime.datetime
    reference: ObjectId
    long: Int64
    decimal128: Decimal128
    money: decimal.Decimal
    blob: Binary
    regex: Regex  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument]  # the one ODMantic knows
    pattern: Pattern  # type: ignore[type-arg]  # ODMantic knows typing.Pattern alone
    color: Color
    choice: Literal["a", 1]
    either: int | str
    anything: Any
    renamed: str = Field(key_name="other_name")


SCALARS = Scalars(
    id=KEY,
    text="é\n",
    number=2**40,
    real=0.1,
    flag=True,
    nothing=None,
    maybe=None,
    data=b"\x00\xff",
    moment=NOON,
    reference=ObjectId("65f000000000000000000002"),
    long=Int64(3),
    decimal128=Decimal128("1.50"),
    money=decimal.Decimal("12.340"),
    blob=Binary(b"x", 5),
    regex=Regex("^a", "i"),
    pattern=re.compile("b$", re.IGNORECASE),
    color=Color.BLUE,
    choice=1,
    either="1",
    anything={"deep": [1, {"er": None}]},
    renamed="r",
)


class Containers(Model):
    numbers: list[int]
    nested: list[list[str]]
    mapped: dict[str, int]
    deep: dict[str, dict[str, list[float]]]
    pair: tuple[int, str]
    row: tuple[int, ...]
    bare_list: list  # type: ignore[type-arg]  # as users write it
    bare_dict: dict  # type: ignore[type-arg]  # as users write it
    colors: list[Color]
    moments: dict[str, datetime.datetime]
    renamed: list[str] = Field(key_name="other_names")


CONTAINERS = Containers(
    id=KEY,
    numbers=[1, 2],
    nested=[["a"], []],
    mapped={"a": 1},
    deep={"a": {"b": [0.5]}},
    pair=(1, "a"),
    row=(1, 2, 3),
    bare_list=[1, "a", None, [2]],
    bare_dict={"a": {"b": 1}},
    colors=[Color.RED],
    moments={"noon": NOON},
    renamed=["x"],
)


class Street(EmbeddedModel):
    name: str = Field(key_name="n")
    number: int = 1


class Address(EmbeddedModel):
    city: str = Field(key_name="town")
    street: Street = Field(key_name="str")
    former: list[Street] = Field(default=[], key_name="old")


class Home(Model):
    address: Address = Field(key_name="addr")
    streets: list[Street] = Field(key_name="ways")
    by_name: dict[str, Street]
    several: tuple[Street, ...]
    too_deep: dict[str, list[Street]]  # too deep for ODMantic, which keeps the Python names here


def home() -> Home:
    return Home(
        id=KEY,
        address=Address(city="Oslo", street=Street(name="a", number=2), former=[Street(name="b")]),
        streets=[Street(name="c"), Street(name="d", number=4)],
        by_name={"first": Street(name="e")},
        several=(Street(name="f"),),
        too_deep={"x": [Street(name="g")]},
    )


class Country(Model):
    code: str = Field(primary_field=True)
    name: str


class Publisher(Model):
    name: str
    country: Country = Reference(key_name="country_code")


class Book(Model):
    title: str
    publisher: Publisher = Reference(key_name="publisher_id")


class Place(EmbeddedModel):
    row: int = Field(key_name="r")
    seat: int


class Ticket(Model):
    place: Place = Field(primary_field=True)
    price: decimal.Decimal


class Admission(Model):
    ticket: Ticket = Reference()


class Open(Model):
    model_config = {"extra": "allow"}
    name: str


class OpenPart(EmbeddedModel):
    model_config = {"extra": "allow"}
    size: int


class OpenWhole(Model):
    part: OpenPart


class FieldSerialized(Model):
    name: str

    @field_serializer("name")
    def upper(self, name: str) -> str:
        return name.upper()


class ModelSerialized(Model):
    name: str
    size: int = 1

    @model_serializer
    def dumped(self) -> dict[str, Any]:
        return {"id": self.id, "name": f"<{self.name}>", "size": self.size}


Cents = Annotated[int, PlainSerializer(lambda value: value / 100)]


class TypeSerialized(Model):
    price: Cents


class SerializedPart(EmbeddedModel):
    price: Cents = Field(key_name="p")


class SerializedInside(Model):
    part: SerializedPart
    parts: list[SerializedPart]


Reversed = Annotated[str, WithBsonSerializer(lambda value: value[::-1])]


class BsonSerialized(Model):
    word: Reversed = Field(key_name="drow")


class Vector(BaseModel):
    x: int
    y: int


class Plain(Model):
    """A field of plain Pydantic models."""

    vector: Vector
    vectors: list[Vector]


class Strict(Model):
    model_config = {"extra": "forbid"}
    name: str


class Kelvin:
    """A type of a user's own."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kelvin) and other.degrees == self.degrees

    def __hash__(self) -> int:
        return hash(self.degrees)

    @classmethod
    def validated(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, float):
            return cls(value)
        raise ValueError("no temperature")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.validated)


class Weather(Model):
    outside: Annotated[Kelvin, WithBsonSerializer(lambda kelvin: kelvin.degrees)]


def open_with(**extra: Any) -> Open:
    return Open(id=KEY, name="a", **extra)


EXAMPLES: dict[str, Model] = {
    "scalars": SCALARS,
    "containers": CONTAINERS,
    "embedded": home(),
    "str as primary key": Country(code="no", name="Norway"),
    "embedded primary key": Ticket(place=Place(row=1, seat=2), price=decimal.Decimal("1.50")),
    "extra": open_with(b=1, c=[1], d={"e": None}),
    "extra, none given": open_with(),
    "extra in an embedded model": OpenWhole(id=KEY, part=OpenPart(size=1, color="red")),
    "field_serializer": FieldSerialized(id=KEY, name="ann"),
    "model_serializer": ModelSerialized(id=KEY, name="ann"),
    "PlainSerializer": TypeSerialized(id=KEY, price=250),
    "PlainSerializer in embedded": SerializedInside(
        id=KEY, part=SerializedPart(price=100), parts=[SerializedPart(price=150)]
    ),
    "WithBsonSerializer": BsonSerialized(id=KEY, word="abc"),
    "WithBsonSerializer of an own type": Weather(id=KEY, outside=Kelvin(280.5)),
    "Pydantic models": Plain(id=KEY, vector=Vector(x=1, y=2), vectors=[Vector(x=3, y=4)]),
    "extra forbidden": Strict(id=KEY, name="a"),
}


def as_bson(document: Any) -> bytes:
    """What a document is in the database, whatever the order of its outermost keys."""
    return bson.encode(dict(sorted(document.items())))
