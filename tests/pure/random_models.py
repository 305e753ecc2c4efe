"""Random models with random instances: every type of field that ODMantic supports, and those mongotic adds.

For property tests.  A model is a list of fields drawn from `FIELDS`, ODMantic's own or one of `MongoBaseModel`'s; some
fields hold random plain Pydantic models, dataclasses and typed dicts.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import itertools
import pathlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from types import GenericAlias
from typing import Annotated, Any, Generic, Literal, Optional, Pattern, TypeVar, Union, cast  # noqa: UP035  # ODMantic's

import hypothesis
import pydantic
from bson import Binary, Decimal128, Int64, ObjectId, Regex
from hypothesis import strategies as st
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic.bson import WithBsonSerializer
from pydantic import AnyUrl, BaseModel, BeforeValidator, HttpUrl, PlainSerializer
from typing_extensions import TypedDict

from mongotic import MongoBaseModel

T = TypeVar("T")


class Color(str, enum.Enum):
    RED = "red"
    BLUE = "blue"


class Grade(enum.Enum):
    GOOD = 1
    BAD = "bad"


class Point(BaseModel):
    x: int
    label: str | None = None


class Pair(BaseModel, Generic[T]):
    """A generic Pydantic model."""

    one: T
    other: T


class Box(EmbeddedModel, Generic[T]):
    """A generic embedded model."""

    content: T


class Street(EmbeddedModel):
    name: str = Field(key_name="n")
    price: decimal.Decimal = decimal.Decimal(1)
    former: list[str] = []


class Address(EmbeddedModel):
    street: Street = Field(key_name="s")
    more: list[Street] = Field(default=[], key_name="m")


class Cat(EmbeddedModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(default=9, key_name="l")


class Dog(EmbeddedModel):
    kind: Literal["dog"] = "dog"
    breed: str = Field(key_name="b")


class Country(Model):
    code: str = Field(primary_field=True)


def to_degrees(value: float) -> dict[str, float]:
    return {"degrees": value}


def from_degrees(value: Any) -> float:
    return cast("float", value["degrees"] if isinstance(value, dict) else value)


Degrees = Annotated[
    float,
    WithBsonSerializer(to_degrees),
    BeforeValidator(from_degrees),
]
Cents = Annotated[
    int, PlainSerializer(lambda cents: f"{cents}c"), BeforeValidator(lambda value: int(str(value).removesuffix("c")))
]

# -- values -------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
SMALL = st.integers(-(2**63), 2**63 - 1)
REALS = st.floats(allow_nan=False)  # NaN is not equal to itself
MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
DECIMALS = st.decimals(-(10**9), 10**9, places=3)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | SMALL | REALS | TEXT | st.binary(max_size=4) | MOMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
STREETS = st.builds(Street, name=TEXT, price=DECIMALS, former=st.lists(TEXT, max_size=2))
ADDRESSES = st.builds(Address, street=STREETS, more=st.lists(STREETS, max_size=2))
PETS = st.builds(Cat, lives=SMALL) | st.builds(Dog, breed=TEXT)
POINTS = st.builds(Point, x=SMALL, label=st.none() | TEXT)

SIMPLE: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, TEXT),
    (int, SMALL),
    (float, REALS),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=4)),
    (datetime.datetime, MOMENTS),
    (ObjectId, st.binary(min_size=12, max_size=12).map(ObjectId)),
    (uuid.UUID, st.uuids()),
    (Int64, SMALL.map(Int64)),
    (Decimal128, DECIMALS.map(Decimal128)),
    (Binary, st.binary(max_size=4).map(Binary)),
    (Regex, st.sampled_from([Regex("a", "im"), Regex("b")])),
    (Pattern, st.sampled_from([re.compile("a", re.IGNORECASE), re.compile("b")])),
    (Color, st.sampled_from(Color)),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Any, JSON),
    (Point, POINTS),
    (Pair[int], st.builds(Pair[int], one=SMALL, other=SMALL)),
    (decimal.Decimal, DECIMALS),  # ODMantic stores these as fields, and refuses them inside others
    (Grade, st.sampled_from(Grade)),  # and from here on, it refuses them
    (datetime.date, st.dates()),
    (datetime.time, st.times()),
    (datetime.timedelta, st.timedeltas(datetime.timedelta(days=-40_000), datetime.timedelta(days=40_000))),
    (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    (ipaddress.IPv6Address, st.ip_addresses(v=6)),
    (ipaddress.IPv4Network, st.ip_addresses(v=4).map(ipaddress.IPv4Network)),
    (pathlib.PurePosixPath, TEXT.map(pathlib.PurePosixPath)),
    (AnyUrl, st.sampled_from([AnyUrl("mongodb://a.b/c"), AnyUrl("x:y?z#é")])),
    (HttpUrl, st.sampled_from([HttpUrl("http://a.b"), HttpUrl("https://é.c/d e?f=g")])),
    (Fraction, st.fractions()),
]


def several(simple: tuple[Any, st.SearchStrategy[Any]]) -> list[tuple[Any, st.SearchStrategy[Any]]]:
    """Types made of one type."""
    kind: Any
    kind, values = simple
    made: list[tuple[Any, st.SearchStrategy[Any]]] = [
        (Optional[kind], st.none() | values),  # noqa: UP045  # ObjectId | None cannot be written for every type
        (list[kind], st.lists(values, max_size=3)),
        (dict[str, kind], st.dictionaries(TEXT, values, max_size=3)),
        (tuple[kind, int], st.tuples(values, SMALL)),
        (tuple[kind, ...], st.lists(values, max_size=3).map(tuple)),
        (list[list[kind]], st.lists(st.lists(values, max_size=2), max_size=2)),
    ]
    if kind in (str, int, bytes, Color, ObjectId, uuid.UUID, datetime.date, Grade):
        made += [(set[kind], st.sets(values, max_size=3)), (frozenset[kind], st.frozensets(values, max_size=3))]
    return made


EMBEDDED: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Address, ADDRESSES),
    (list[Address], st.lists(ADDRESSES, max_size=2)),
    (dict[str, Street], st.dictionaries(TEXT, STREETS, max_size=2)),
    (tuple[Street, ...], st.lists(STREETS, max_size=2).map(tuple)),
    (Box[int], st.builds(Box[int], content=SMALL)),
    (list[Box[str]], st.lists(st.builds(Box[str], content=TEXT), max_size=2)),
    (Address | None, st.none() | ADDRESSES),
    (Cat | Dog, PETS),
    (Cat | Dog | None, st.none() | PETS),
    (Annotated[Cat | Dog, pydantic.Field(discriminator="kind")], PETS),
    (list[Cat | Dog], st.lists(PETS, max_size=3)),
    (list[Street | None], st.lists(st.none() | STREETS, max_size=3)),
    (dict[str, Street | None], st.dictionaries(TEXT, st.none() | STREETS, max_size=2)),
    (list[Street] | None, st.none() | st.lists(STREETS, max_size=2)),
    (dict[str, list[Street]], st.dictionaries(TEXT, st.lists(STREETS, max_size=2), max_size=2)),
    (int | Street, SMALL | STREETS),
]
SERIALIZED: list[tuple[Any, st.SearchStrategy[Any]]] = [(Degrees, REALS), (Cents, SMALL)]

FIELDS = [*SIMPLE, *itertools.chain.from_iterable(map(several, SIMPLE)), *EMBEDDED, *SERIALIZED]

# -- plain models -------------------------------------------------------------------------------------------------

_OF_ODMANTIC = (ObjectId, Int64, Decimal128, Binary, Regex)  # which plain Pydantic does not know
_PLAIN = [simple for simple in SIMPLE if simple[0] not in _OF_ODMANTIC]
PLAIN_FIELDS = [*_PLAIN, *itertools.chain.from_iterable(map(several, _PLAIN))]


@dataclass(frozen=True)
class PlainMade:
    """A random plain type, and a value of it.

    Attributes:
        kind: the type.
        value: the value, or what a typed dict is made of.
        ordinary: ODMantic stores it as mongotic does, for nothing says that its dump is another thing.
    """

    kind: Any
    value: Any
    ordinary: bool


class Computing(BaseModel):
    """A base with a computed field, and a serializer for each field that is called `f0`."""

    @pydantic.computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def computed(self) -> str:
        return "computed"

    @pydantic.field_serializer("f0", check_fields=False)
    def dumped(self, value: Any) -> str:
        return f"<{value!r}>"


@st.composite
def plain_values(draw: st.DrawFn, depth: int = 0) -> PlainMade:
    """A value of a new plain type of up to four fields, some of which have aliases."""
    form = draw(st.sampled_from([BaseModel, Computing, "dataclass", "typed dict"]))
    annotations: dict[str, Any] = {}
    values: dict[str, Any] = {}
    ordinary = form is not Computing
    aliased = {f"f{number}": f"f{(number + 1) % 4}" for number in range(4)}  # the name of another field
    for number in range(draw(st.integers(1, 4))):
        name = f"f{number}"
        if depth < 2 and draw(st.integers(0, 4)) == 0:
            inner = draw(plain_values(depth + 1))
            kind, value = inner.kind, inner.value
            ordinary = ordinary and inner.ordinary
        else:
            kind, strategy = draw(st.sampled_from(PLAIN_FIELDS))
            value = draw(strategy)
        alias = draw(st.sampled_from([None, None, f"Alias{number}", aliased[name]]))
        excluded = form != "typed dict" and draw(st.integers(0, 4)) == 0
        ordinary = ordinary and not excluded
        annotations[name] = Annotated[kind, pydantic.Field(alias=alias, exclude=excluded or None)]
        values[alias or name] = value
    hypothesis.assume(len(values) == len(annotations))  # no two fields are made of one value
    return PlainMade(*_plain(draw, form, annotations, values), ordinary)


def _plain(draw: st.DrawFn, form: Any, annotations: dict[str, Any], values: dict[str, Any]) -> tuple[Any, Any]:
    name = f"Plain{next(_numbers)}"
    config: dict[str, Any] = {
        "frozen": draw(st.booleans()),
        "extra": draw(st.sampled_from(["ignore", "forbid", "allow"])),
    }
    if form == "typed dict":
        return TypedDict(name, annotations), values  # type: ignore[operator]  # known at run time alone
    if form == "dataclass":
        made = dataclasses.make_dataclass(name, list(annotations.items()), frozen=config["frozen"])
        return made, pydantic.TypeAdapter(made).validate_python(values)
    body = {"__annotations__": annotations, "__module__": __name__, "model_config": config}
    make: Callable[..., Any] = type(form)
    kind = make(name, (form,), body)
    if config["extra"] == "allow":
        values = {**values, **draw(st.dictionaries(TEXT.map("x{}".format), JSON, max_size=2))}
    return kind, kind(**values)


# -- models -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A random instance, and what it refers to."""

    instance: Model
    references: dict[str, Model]
    ordinary: bool


BASES: list[Any] = [Model, MongoBaseModel]
_numbers = itertools.count()


def define(base: Any, annotations: dict[str, Any], defaults: dict[str, Any], config: dict[str, Any]) -> Any:
    """Return a new model class, as a class statement makes one."""
    name = f"Random{next(_numbers)}"
    body = {"__annotations__": annotations, "__module__": __name__, "model_config": config, **defaults}
    if base is MongoBaseModel:
        body["__tablename__"] = "random"
    else:
        config["collection"] = "random"
    make: Callable[..., Any] = type(base)
    return make(name, (base,), body)


def places(made: PlainMade) -> list[tuple[Any, Any]]:
    """Types of fields that hold a value of a plain type, and the value of the field."""
    kind, value = made.kind, made.value
    return [
        (kind, value),
        (GenericAlias(list, (kind,)), [value, value]),
        (GenericAlias(dict, (str, kind)), {"a": value}),
        (Optional[kind], value),  # noqa: UP045  # of any type
        (Optional[GenericAlias(list, (Optional[kind],))], [value, None]),  # noqa: UP045  # of any type
        (Union[int, kind], value),  # noqa: UP007  # of any type
    ]


@st.composite
def instances(draw: st.DrawFn) -> Made:
    """An instance of a new model of up to five fields."""
    base = draw(st.sampled_from(BASES))
    drawn = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=5))
    annotations: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    values: dict[str, Any] = {}
    references: dict[str, Model] = {}
    ordinary = True
    for number, (annotation, strategy) in enumerate(drawn):
        name = f"f{number}"
        annotations[name] = annotation
        values[name] = draw(strategy)
        if draw(st.integers(0, 3)) == 0:
            made = draw(plain_values())
            annotations[name], values[name] = draw(st.sampled_from(places(made)))
            ordinary = ordinary and made.ordinary
        if draw(st.booleans()):
            defaults[name] = Field(key_name=f"k{number}")
    if draw(st.booleans()):
        annotations["country"] = Country
        defaults["country"] = Reference(key_name="country_code")
        references["country"] = values["country"] = Country(code=draw(TEXT))
    config: dict[str, Any] = {}
    if draw(st.booleans()):
        config["extra"] = "allow"
        values.update(draw(st.dictionaries(TEXT.map("x{}".format), JSON, max_size=2)))
    return Made(define(base, annotations, defaults, config)(**values), references, ordinary)
