"""Plain Pydantic models, dataclasses and the like, of every declaration there is, for the tests of their storage."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import re
import uuid
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, cast

from odmantic import EmbeddedModel, Field
from odmantic.bson import WithBsonSerializer
from pydantic import (
    AliasChoices,
    AliasPath,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    HttpUrl,
    Json,
    NaiveDatetime,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    SerializeAsAny,
    Tag,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic import Field as PydanticField
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import NotRequired, Self, TypedDict

T = TypeVar("T")


class Grade(enum.Enum):
    GOOD = 1
    BAD = "bad"


class Odd(enum.Enum):
    PAIR = (1, 2)
    DAY = datetime.date(2026, 1, 2)


class Aliased(BaseModel):
    qty: int = PydanticField(0, alias="Qty")


class Validated(BaseModel):
    qty: int = PydanticField(0, validation_alias="Qty")


class Choices(BaseModel):
    qty: int = PydanticField(0, validation_alias=AliasChoices("Qty", AliasPath("more", 0)))
    deep: int = PydanticField(0, validation_alias=AliasPath("deeper", "down"))


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    unit_price: decimal.Decimal
    line_text: str | None = None


class Swapped(BaseModel):
    one: int = PydanticField(alias="other")
    other: int = PydanticField(alias="one")


class Populated(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    qty: int = PydanticField(0, alias="Qty")


class Shown(BaseModel):
    """Serialized in many ways, of which none has a part in how it is stored."""

    model_config = ConfigDict(extra="forbid")
    name: str
    when: datetime.date
    hidden: int = PydanticField(0, exclude=True)
    other: Annotated[int, PlainSerializer(str)] = 3
    renamed: int = PydanticField(4, serialization_alias="Renamed")

    @field_serializer("name")
    def upper(self, name: str) -> str:
        return name.upper()

    @field_serializer("when")
    def year(self, when: datetime.date) -> int:
        return when.year

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def length(self) -> int:
        return len(self.name)


class Dumped(BaseModel):
    number: int = 1

    @model_serializer
    def dumped(self) -> str:
        return f"<{self.number}>"


class Typed(BaseModel):
    """Of every type that something stands in for."""

    price: decimal.Decimal = decimal.Decimal("1.50")
    prices: list[decimal.Decimal] = [decimal.Decimal(2)]
    by_name: dict[str, decimal.Decimal | None] = {"a": decimal.Decimal(3), "b": None}
    either: int | decimal.Decimal = decimal.Decimal("4.5")
    pattern: re.Pattern[str] = re.compile("a+", re.IGNORECASE)
    any_pattern: re.Pattern  # type: ignore[type-arg]  # as users write it
    grade: Grade = Grade.BAD
    odd: Odd = Odd.PAIR
    odds: list[Odd] = [Odd.DAY, Odd.PAIR]
    choice: Literal[Grade.GOOD, "x"] = Grade.GOOD
    day: datetime.date = datetime.date(2026, 1, 2)
    clock: datetime.time = datetime.time(1, 2, 3, 4)
    span: datetime.timedelta = datetime.timedelta(days=1, microseconds=1)
    moment: datetime.datetime = datetime.datetime(2026, 1, 2, 3, 4, 5, 6000)
    aware: AwareDatetime = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    naive: NaiveDatetime = datetime.datetime(2026, 1, 2)
    url: HttpUrl = HttpUrl("http://a.b/c")
    path: pathlib.PurePosixPath = pathlib.PurePosixPath("/a/b")
    address: ipaddress.IPv4Address = ipaddress.IPv4Address("1.2.3.4")
    key: uuid.UUID = uuid.UUID(int=1)
    encoded: Base64Bytes = cast("Any", b"aGVsbG8=")
    json_list: Json[list[int]] = cast("Any", "[1, 2]")
    size: ByteSize = ByteSize(1024)
    words: set[str] = {"one", "two"}
    frozen: frozenset[int] = frozenset({3, 1})
    row: tuple[int, ...] = (1, 2)
    pair: tuple[int, str] = (1, "a")


class StrictlyTyped(Typed):
    model_config = ConfigDict(strict=True, validate_default=False)


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: int = PydanticField(alias="X")


class Tags(RootModel[list[decimal.Decimal]]): ...


class Private(BaseModel):
    name: str = PydanticField(alias="Name")
    _reads: int = PrivateAttr(3)

    def model_post_init(self, _context: Any, /) -> None:
        self._reads += 1


class Checked(BaseModel):
    low: int = PydanticField(alias="Low")
    high: int = PydanticField(alias="High")

    @model_validator(mode="before")
    @classmethod
    def as_mapping(cls, data: Any) -> Any:
        return {"Low": data[0], "High": data[1]} if isinstance(data, tuple) else data

    @field_validator("low", mode="before")
    @classmethod
    def number(cls, value: Any) -> Any:
        return int(value)

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Cat(BaseModel):
    kind: Literal["cat"] = PydanticField("cat", alias="Kind")
    lives: int = PydanticField(9, alias="Lives")


class Dog(BaseModel):
    kind: Literal["dog"] = PydanticField("dog", alias="Kind")
    breed: str = PydanticField(alias="Breed")


Pet = Annotated[Cat | Dog, PydanticField(discriminator="kind")]


def kind_of(value: Any) -> str:
    return "cat" if isinstance(value, Cat) or (isinstance(value, dict) and "lives" in value) else "dog"


TaggedPet = Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(kind_of)]


class Node(BaseModel):
    value: decimal.Decimal = PydanticField(alias="Value")
    children: list[Node] = PydanticField([], alias="Children")


class Pair(BaseModel, Generic[T]):
    one: T = PydanticField(alias="One")
    other: T


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    qty: int = PydanticField(alias="Qty")


class OpenTyped(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, decimal.Decimal] = PydanticField(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]  # as Pydantic's manual has it
    qty: int = PydanticField(alias="Qty")


class Street(EmbeddedModel):
    name: str = Field(key_name="n")
    price: decimal.Decimal = decimal.Decimal(1)
    line: Aliased = Aliased()


class Home(BaseModel):
    street: Street = PydanticField(alias="Street")
    former: list[Street] = []


def from_degrees(value: Any) -> Any:
    return value["degrees"] if isinstance(value, dict) else value


class Degrees(BaseModel):
    value: Annotated[
        float,
        WithBsonSerializer(lambda value: {"degrees": value}),
        BeforeValidator(from_degrees),
    ]


class Cents(BaseModel):
    """What its validator takes from others is not what it is stored as, and it takes both."""

    cents: Annotated[
        int,
        PlainSerializer(lambda cents: f"{cents}c"),
        BeforeValidator(lambda value: int(str(value).removesuffix("c"))),
    ]


class OwnInit(BaseModel):
    qty: int = 0

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)


class Details(TypedDict):
    qty: Annotated[int, PydanticField(alias="Qty")]
    price: NotRequired[decimal.Decimal]


@dataclasses.dataclass
class Point:
    x: Annotated[decimal.Decimal, PydanticField(alias="X")]
    computed: int = dataclasses.field(init=False, default=7)
    line: Aliased = dataclasses.field(default_factory=lambda: Aliased())


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    day: datetime.date
    pattern: re.Pattern[str]


@pydantic_dataclass(config=ConfigDict(alias_generator=to_camel, extra="forbid"))
class Box:
    unit_price: decimal.Decimal
    inner_box: Box | None = None
    hidden: Annotated[int, PydanticField(exclude=True)] = 0


@pydantic_dataclass(config=ConfigDict(extra="allow"))
class OpenBox:
    price: decimal.Decimal


class Coordinates(NamedTuple):
    x: decimal.Decimal
    line: Aliased = Aliased()


class Special(Aliased):
    more: int = 1


class Holder(BaseModel):
    """Plain models in plain models."""

    lines: list[Aliased] = PydanticField(alias="Lines")
    by_name: dict[str, Camel] = {}
    maybe: Shown | None = None
    pets: list[Pet] = []
    shown: SerializeAsAny[Aliased] = Aliased()


def point() -> Point:
    made = Point(decimal.Decimal("1.5"), Aliased(Qty=2))
    made.computed = 9
    return made


def typed(kind: type[Typed]) -> Typed:
    return kind(any_pattern=re.compile("b"), encoded=b"aGVsbG8=", json_list=cast("Any", "[1, 2]"))


def changed(instance: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(instance, name, value)
    return instance


ONE = decimal.Decimal("1.0")
SHOWN = Shown(name="a", when=datetime.date(2026, 1, 2), hidden=5)
CAMEL = Camel(unitPrice=decimal.Decimal("1.10"), lineText="t")

HOME = Home(Street=Street(name="a", line=Aliased(Qty=3)), former=[Street(name="b")])

VALUES: dict[str, tuple[Any, Any]] = {
    "alias": (Aliased, Aliased(Qty=7)),
    "validation alias": (Validated, Validated(Qty=7)),
    "alias choices": (Choices, Choices(more=[7], deeper={"down": 8})),
    "alias generator": (Camel, CAMEL),
    "aliases that are names of others": (Swapped, Swapped(other=1, one=2)),
    "populate by name": (Populated, Populated(qty=7)),
    "serializers, exclusions, computed fields": (Shown, SHOWN),
    "model serializer": (Dumped, Dumped(number=4)),
    "stand-ins": (Typed, typed(Typed)),
    "stand-ins, strictly": (StrictlyTyped, typed(StrictlyTyped)),
    "frozen": (Frozen, Frozen(X=1)),
    "root model": (Tags, Tags([decimal.Decimal(1)])),
    "private attributes": (Private, Private(Name="a")),
    "validators": (Checked, Checked(Low=1, High=2)),
    "discriminated union": (Pet, Dog(Breed="pug")),
    "union with a function": (TaggedPet, Cat(Lives=3)),
    "plain union": (Cat | Dog, Dog(Breed="pug")),
    "recursive": (Node, Node(Value=ONE, Children=[Node(Value=ONE, Children=[Node(Value=ONE)])])),
    "generic": (Pair[decimal.Decimal], Pair[decimal.Decimal](One=decimal.Decimal(1), other=decimal.Decimal(2))),
    "generic of a model": (Pair[Aliased], Pair[Aliased](One=Aliased(Qty=1), other=Aliased(Qty=2))),
    "extra keys": (Open, Open(Qty=1, more=[1], Deep={"a": 1})),
    "typed extra keys": (OpenTyped, OpenTyped(Qty=1, more=decimal.Decimal(2))),
    "embedded models of ODMantic's": (Home, HOME),
    "BSON serializer": (Degrees, Degrees(value=1.5)),
    "validator of another form": (Cents, Cents(cents=cast("Any", "5c"))),
    "own init": (OwnInit, OwnInit(qty=3)),
    "typed dict": (Details, {"Qty": 1, "price": decimal.Decimal(2)}),
    "typed dict without all its keys": (Details, {"Qty": 1}),
    "dataclass": (Point, point()),
    "slots": (Slotted, Slotted(datetime.date(2026, 1, 2), re.compile("a"))),
    "dataclass of Pydantic's": (Box, Box(decimal.Decimal(1), Box(decimal.Decimal(2)), 3)),
    "dataclass with extra keys": (OpenBox, cast("Any", OpenBox)(price=ONE, more=[1])),
    "named tuple": (Coordinates, Coordinates(decimal.Decimal(1), Aliased(Qty=2))),
    "plain models in plain models": (
        Holder,
        Holder(Lines=[Aliased(Qty=1)], by_name={"a": CAMEL}, maybe=SHOWN, pets=[Cat(Lives=1), Dog(Breed="b")]),
    ),
}  # fmt: skip
