"""Plain models are stored as their fields under their names, and are read back equal, wherever they are; or refused."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable
from types import GenericAlias
from typing import Annotated, Any, Optional, cast

import bson
import pytest
from bson import Decimal128, Regex
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic.bson import WithBsonSerializer
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    HttpUrl,
    NaiveDatetime,
    PlainSerializer,
    SecretStr,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic import Field as PydanticField
from pydantic.fields import FieldInfo
from typing_extensions import Self

from mongotic import MongoBaseModel, col
from mongotic_adapters import compiler
from mongotic_adapters.column_reader import ColumnReader
from mongotic_adapters.encoding import encode_field, encode_instance, encode_operand
from mongotic_adapters.errors import ArgumentError, DocumentError
from mongotic_adapters.hydration import hydrate
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.projection import Projection
from mongotic_adapters.update_changes import Changes
from tests.pure import plain_models as plain
from tests.pure.models import KEY, Country
from tests.pure.models import Street as ModelStreet
from tests.pure.plain_models import VALUES, Aliased

CODEC = cast("CodecOptions[dict[str, Any]]", CodecOptions(uuid_representation=UuidRepresentation.STANDARD))


def stored(instance: Model) -> Any:
    """The document of an instance, as the driver would give it."""
    return through_bson(encode_instance(mapping_of(type(instance)), instance))


def through_bson(document: Any) -> Any:
    return bson.decode(bson.encode(document, codec_options=CODEC), codec_options=CODEC)


def read(model: type[Model], document: Any) -> Any:
    return hydrate(mapping_of(model), {"_id": KEY, **document}, {})


# -- every declaration in every place -----------------------------------------------------------------------------


def define(base: Any, kind: Any, **more: Any) -> Any:
    """Return a class with one field of a type."""
    body = {"__annotations__": {"value": kind}, "__module__": __name__, **more}
    if base is MongoBaseModel:
        body["__tablename__"] = "plain"
    make: Callable[..., Any] = type(base)
    return make("Made", (base,), body)


def mapping_to(kind: Any) -> Any:
    return GenericAlias(dict, (str, kind))


def whole(self: Any) -> Any:
    return self


def own_init(self: Any, **values: Any) -> None:
    Model.__init__(self, **values)


def own_parsing(cls: Any, document: Any) -> Any:
    return Model.model_validate_doc.__func__(cls, document)  # type: ignore[attr-defined]  # of the class method


def in_embedded(kind: Any, value: Any) -> Any:
    part = define(EmbeddedModel, kind)
    return define(MongoBaseModel, mapping_to(part))(value={"a": part(value=value)})


def in_embedded_with_init(kind: Any, value: Any) -> Any:
    part = define(EmbeddedModel, kind, __init__=own_embedded_init)
    return define(MongoBaseModel, part)(value=part(value=value))


def own_embedded_init(self: Any, **values: Any) -> None:
    EmbeddedModel.__init__(self, **values)


def in_plain(kind: Any, value: Any) -> Any:
    part = define(BaseModel, kind)
    return define(MongoBaseModel, Optional[part])(value=part(value=value))  # noqa: UP045  # of any type


def optional_in_containers(kind: Any, value: Any) -> Any:
    return define(MongoBaseModel, dict[str, list[Optional[kind]]])(value={"a": [value, None]})  # noqa: UP045


PLACES: dict[str, Callable[[Any, Any], Any]] = {
    "field": lambda kind, value: define(MongoBaseModel, kind)(value=value),
    "field of a model of ODMantic's": lambda kind, value: define(Model, kind)(value=value),
    "list": lambda kind, value: define(MongoBaseModel, GenericAlias(list, (kind,)))(value=[value]),
    "dict": lambda kind, value: define(MongoBaseModel, mapping_to(kind))(value={"a": value}),
    "optional": lambda kind, value: define(MongoBaseModel, Optional[kind])(value=value),  # noqa: UP045  # of any type
    "optional in containers": optional_in_containers,
    "embedded": in_embedded,
    "embedded with an __init__ of its own": in_embedded_with_init,
    "plain": in_plain,
    "beside a validator": lambda kind, value: define(
        MongoBaseModel, kind, check=model_validator(mode="after")(whole)
    )(value=value),
    "own __init__": lambda kind, value: define(MongoBaseModel, kind, __init__=own_init)(value=value),
    "own parsing": lambda kind, value: define(
        MongoBaseModel, kind, model_validate_doc=classmethod(own_parsing)
    )(value=value),
}  # fmt: skip
OWN_CODE = {"own __init__", "own parsing", "embedded with an __init__ of its own"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", VALUES)
def test_what_is_stored_is_read_back_equal(name: str, place: str) -> None:
    kind, value = VALUES[name]
    instance = PLACES[place](kind, value)
    if place in OWN_CODE and kind is plain.Details:
        # The class itself must take what was read, and looks for the keys of a dict by their aliases.
        with pytest.raises(ArgumentError, match="could not be read back: Qty: Field required"):
            stored(instance)
        return
    document = stored(instance)
    again = read(type(instance), document)
    assert again == instance
    assert stored(again) == document


# -- what is stored -----------------------------------------------------------------------------------------------


class Order(MongoBaseModel):
    __tablename__ = "order"
    line: Aliased = Aliased()
    lines: list[Aliased] = []
    shown: plain.Shown | None = None
    home: plain.Home | None = None
    typed: plain.Typed | None = None
    dumped: plain.Dumped = plain.Dumped()
    pets: list[plain.Pet] = []
    anything: Any = None


def test_the_fields_of_a_plain_model_are_stored_under_their_names() -> None:
    order = Order(
        line=Aliased(Qty=7),
        shown=plain.SHOWN,
        home=plain.Home(Street=plain.Street(name="a", line=Aliased(Qty=3))),
        pets=cast("list[plain.Pet]", [plain.Dog(Breed="pug")]),
        anything=[plain.SHOWN, plain.point()],
    )
    document = stored(order)
    shown = {
        "name": "a",
        "when": datetime.datetime(2026, 1, 2),
        "hidden": 5,
        "other": 3,
        "renamed": 4,
    }
    assert document["line"] == {"qty": 7}
    assert document["shown"] == shown
    assert document["home"] == {
        "street": {"name": "a", "price": Decimal128("1"), "line": {"qty": 3}},
        "former": [],
    }
    assert document["dumped"] == {"number": 1}
    assert document["pets"] == [{"kind": "dog", "breed": "pug"}]
    assert document["anything"] == [shown, {"x": Decimal128("1.5"), "computed": 9, "line": {"qty": 2}}]


def test_extra_keys_of_a_plain_model_are_stored_and_never_overwrite_a_field() -> None:
    made = define(MongoBaseModel, plain.Open)
    assert stored(made(value=plain.Open(Qty=1, Deep={"a": 1})))["value"] == {"qty": 1, "Deep": {"a": 1}}
    with pytest.raises(ArgumentError, match="the extra key 'qty' cannot be stored"):
        stored(made(value=plain.Open(Qty=1, qty=2)))


class Excluding(MongoBaseModel):
    """Pydantic has a serializer for addresses, so that this class was dumped, without what is excluded."""

    __tablename__ = "excluding"
    url: HttpUrl = HttpUrl("http://a.b")
    hidden: int = PydanticField(0, exclude=True)
    loud: str = "a"

    @field_serializer("loud")
    def upper(self, loud: str) -> str:
        return loud.upper()


class ExcludingPart(EmbeddedModel):
    url: HttpUrl = HttpUrl("http://a.b")
    hidden: int = Field(default=0, key_name="h")
    lines: list[Aliased] = []


def test_an_excluded_field_is_stored() -> None:
    instance = Excluding(hidden=3)
    document = stored(instance)
    assert document == {"_id": instance.id, "url": "http://a.b/", "hidden": 3, "loud": "A"}
    assert read(Excluding, document).hidden == 3


def test_a_missing_value_beside_serializers_is_refused() -> None:
    with pytest.raises(ArgumentError, match="it has no value for 'hidden'"):
        stored(without(Excluding(), "hidden"))


def without(instance: Any, name: str) -> Any:
    del instance.__dict__[name]
    return instance


class OwnSerializers(Model):
    """What its own serializers say is stored, as ODMantic has it."""

    lines: list[Aliased] = []
    summed: Annotated[Aliased, PlainSerializer(lambda line: {"qty": line.qty * 2})] = Aliased()
    chosen: plain.Shown = plain.SHOWN

    @field_serializer("lines")
    def doubled(self, lines: list[Aliased]) -> list[dict[str, int]]:
        return [{"qty": line.qty * 2} for line in lines]


def test_the_serializers_of_the_field_itself_are_asked() -> None:
    instance = OwnSerializers(id=KEY, lines=[Aliased(Qty=1)], summed=Aliased(Qty=2))
    document = stored(instance)
    assert (document["lines"], document["summed"]) == ([{"qty": 2}], {"qty": 4})
    assert document["chosen"]["name"] == "a"


class Whole(Model):
    """Every kind of field, beside a serializer of the model itself."""

    line: Aliased
    street: ModelStreet
    streets: list[ModelStreet]
    by_name: dict[str, ModelStreet]
    maybe: ModelStreet | None = None
    word: Annotated[str, WithBsonSerializer(lambda word: word[::-1])] = "abc"
    country: Country = Reference(key_name="country_code")

    @model_serializer(mode="wrap")
    def dumped(self, handler: Any) -> Any:
        return handler(self)


def test_every_kind_of_field_beside_a_serializer_of_the_model() -> None:
    street = ModelStreet(name="a")
    country = Country(code="no", name="Norway")
    instance = Whole(
        id=KEY, line=Aliased(Qty=1), street=street, streets=[street], by_name={"a": street}, country=country
    )
    embedded = {"n": "a", "number": 1}
    assert stored(instance) == {
        "_id": KEY,
        "line": {"qty": 1},
        "street": embedded,
        "streets": [embedded],
        "by_name": {"a": embedded},
        "maybe": None,
        "word": "cba",
        "country_code": "no",
    }


class Undumpable(BaseModel):
    name: str = "a"

    @field_serializer("name")
    def fail(self, name: str) -> str:
        raise KeyError(name)


class HasUndumpable(Model):
    serialized: Annotated[Undumpable, WithBsonSerializer(lambda dumped: dumped)]


def test_a_bson_serializer_is_given_the_dump_of_a_plain_model() -> None:
    assert stored(define(Model, Undumpable)(id=KEY, value=Undumpable())) == {"_id": KEY, "value": {"name": "a"}}
    with pytest.raises(ArgumentError, match="KeyError: 'a'"):
        stored(HasUndumpable(serialized=Undumpable()))


class OwnModelSerializer(Model):
    line: Aliased
    hidden: int = Field(default=1)

    @model_serializer
    def dumped(self) -> dict[str, Any]:
        return {"id": self.id, "line": {"qty": self.line.qty + 1}, "hidden": 2}


def test_the_serializer_of_the_model_itself_is_asked() -> None:
    assert stored(OwnModelSerializer(id=KEY, line=Aliased(Qty=1))) == {"_id": KEY, "line": {"qty": 2}, "hidden": 2}


# -- what others have written -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"line": {"Qty": 7}}, {"line": Aliased(Qty=7)}),
        ({"line": {"qty": 7, "Qty": 8}}, {"line": Aliased(Qty=7)}),
        ({"lines": [{"Qty": 7}, {"qty": 8}, {}]}, {"lines": [Aliased(Qty=7), Aliased(Qty=8), Aliased()]}),
        ({"pets": [{"Kind": "dog", "Breed": "pug"}]}, {"pets": [plain.Dog(Breed="pug")]}),
        ({"home": {"Street": {"n": "a"}}}, {"home": plain.Home(Street=plain.Street(name="a"))}),
    ],
)
def test_an_alias_is_found_where_the_name_is_missing(document: Any, expected: dict[str, Any]) -> None:
    assert read(Order, document) == Order(id=KEY, **expected)


def test_an_alias_that_is_the_name_of_another_field_is_no_alias() -> None:
    made = define(MongoBaseModel, plain.Swapped)
    assert read(made, {"value": {"one": 1, "other": 2}}).value == plain.Swapped(other=1, one=2)
    with pytest.raises(DocumentError, match="Field required"):
        read(made, {"value": {"one": 1}})


def test_what_does_not_fit_is_refused_in_terms_of_the_document() -> None:
    with pytest.raises(DocumentError, match=r"line\.qty\n  Input should be a valid integer"):
        read(Order, {"line": {"qty": "many"}})


def test_bson_s_own_values_are_read_by_the_types_of_plain_models() -> None:
    made = define(MongoBaseModel, list[plain.Slotted])
    document = {"value": [{"day": datetime.datetime(2026, 1, 2), "pattern": Regex("a", "i")}]}
    assert read(made, document).value == [plain.Slotted(datetime.date(2026, 1, 2), re.compile("a", re.IGNORECASE))]


class Moments(BaseModel):
    aware: AwareDatetime
    naive: NaiveDatetime


def test_moments_have_the_zone_their_fields_ask_for() -> None:
    utc = datetime.timezone.utc
    naive = datetime.datetime(2026, 1, 2)
    made = define(MongoBaseModel, Moments)
    for given in (naive, naive.replace(tzinfo=utc)):
        found = read(made, {"value": {"aware": given, "naive": given}}).value
        assert (found.aware, found.naive) == (naive.replace(tzinfo=utc), naive)
    with pytest.raises(DocumentError, match="valid datetime"):
        read(made, {"value": {"aware": "soon", "naive": naive}})


def test_embedded_models_in_plain_ones_note_changes_as_odmantics_do() -> None:
    found = read(Order, {"home": {"street": {"name": "a"}}})
    found.home.street.name = "b"
    assert "name" in found.home.street.__fields_modified__


# -- what is refused ----------------------------------------------------------------------------------------------


class Line(BaseModel):
    qty: int = PydanticField(0, alias="Qty", ge=0)
    tag: str = "a"


class Hundredfold(BaseModel):
    """A pair of a serializer and a validator that would have to be asked both."""

    price: Annotated[float, PlainSerializer(lambda value: value * 100), BeforeValidator(lambda value: value / 100)]


class Tuples(BaseModel):
    low: int

    @model_validator(mode="before")
    @classmethod
    def of_pair(cls, data: Any) -> Any:
        return {"low": data[0]}


class Failing(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        return {"a": "a", "b": "b"}[name]


class InitAliased(BaseModel):
    qty: int = PydanticField(0, alias="Qty")

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)


class Left(BaseModel):
    x: int


class Right(Left):
    y: int = 0


class Secretive(BaseModel):
    secret: SecretStr


def assigned(instance: Any, **values: Any) -> Any:
    instance.__dict__.update(values)
    return instance


UNREADABLE: dict[str, tuple[Any, Any, str]] = {
    "wrong type": (
        Line,
        assigned(Line(), qty="many"),
        "value cannot be stored: .*qty: Input should be a valid integer",
    ),
    "broken constraint": (Line, assigned(Line(), qty=-1), "qty: Input should be greater than or equal to 0"),
    "missing": (Line, without(Line(), "qty"), "an instance of Line cannot be stored: it has no value for 'qty'"),
    "missing in a dataclass": (plain.Slotted, plain.Slotted.__new__(plain.Slotted), "it has no value for 'day'"),
    "subclass": (Aliased, plain.Special(Qty=1), "more: Extra inputs are not permitted"),
    "deep": (list[Line], [Line(), assigned(Line(), tag=3)], "1.tag: Input should be a valid string"),
    "serializer and validator": (Hundredfold, Hundredfold(price=500), "read back, it would be another value"),
    "validator of another form": (Tuples, Tuples.model_validate((1, 2)), "reading it back fails: KeyError"),
    "failing validator": (Failing, assigned(Failing(name="a"), name="c"), "reading it back fails: KeyError"),
    "own __init__": (InitAliased, InitAliased(Qty=1), "read back, it would be another value"),
    "union, left first": (
        Annotated[Left | Right, PydanticField(union_mode="left_to_right")],
        Right(x=1, y=2),
        "read back, it would be another value",
    ),
    "secret": (Secretive, Secretive(secret=SecretStr("s3cret")), "SecretStr is not stored in clear text"),
}


def test_a_plain_model_that_contains_itself_is_refused() -> None:
    node = plain.Node(Value=plain.ONE)
    node.children.append(node)
    made = define(MongoBaseModel, plain.Node)
    instance = made.model_construct(id=KEY, value=node)
    with pytest.raises(ArgumentError, match="nested too deeply, or contains itself"):
        stored(instance)
    with pytest.raises(ArgumentError, match="nested too deeply, or contains itself"):
        encode_field(mapping_of(made).fields["value"], node)


class Recursing(BaseModel):
    depth: int = 0

    @model_validator(mode="before")
    @classmethod
    def deeper(cls, data: Any) -> Any:
        return endless(data) if data["depth"] else data


def endless(value: Any) -> Any:
    return endless(value)


def test_a_validator_without_end_is_refused() -> None:
    made = define(MongoBaseModel, Recursing)
    with pytest.raises(ArgumentError, match="nested too deeply"):
        stored(made(value=assigned(Recursing.model_construct(), depth=1)))


@pytest.mark.parametrize(("kind", "value", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_could_not_be_read_back_is_refused(kind: Any, value: Any, reason: str) -> None:
    made = define(MongoBaseModel, kind)
    for instance in (made(value=value), in_embedded(kind, value)):
        with pytest.raises(ArgumentError, match=reason) as caught:
            stored(instance)
        assert "Nothing was sent" in str(caught.value)
        assert "s3cret" not in str(caught.value)
    with pytest.raises(ArgumentError, match=reason):
        encode_field(mapping_of(made).fields["value"], value)


def test_keys_that_a_typed_dict_does_not_declare_are_refused() -> None:
    made = define(MongoBaseModel, plain.Details)(value={"Qty": 1})
    made.value["more"] = 1
    with pytest.raises(ArgumentError, match="more: Extra inputs are not permitted"):
        stored(made)


class Loose(BaseModel):
    """Values that are of another type than declared, and read as what was meant."""

    price: decimal.Decimal = decimal.Decimal(1)
    ratio: float = 1.0
    day: datetime.date = datetime.date(2026, 1, 2)


def test_assigned_values_that_are_read_as_what_was_meant_are_stored() -> None:
    made = define(MongoBaseModel, Loose)
    loose = assigned(Loose(), price=2, ratio=3, day=datetime.datetime(2026, 1, 3))
    found = read(made, stored(made(id=KEY, value=loose))).value
    assert found == Loose(price=decimal.Decimal(2), ratio=3.0, day=datetime.date(2026, 1, 3))


class Stamped(BaseModel):
    reads: int = 0

    @model_validator(mode="after")
    def count(self) -> Self:
        self.reads += 1
        return self


def test_a_validator_may_add_to_what_was_read() -> None:
    made = define(MongoBaseModel, list[Stamped])
    instance = made(id=KEY, value=[Stamped(), Stamped()])
    assert not mapping_of(made).repeatable
    assert read(made, stored(instance)).value[0].reads == instance.value[0].reads + 1


# -- as ODMantic does it ------------------------------------------------------------------------------------------


class Ordinary(Model):
    typed: dict[str, list[plain.Populated]]
    dog: plain.Dog
    point: plain.Box
    home: plain.Home


def test_a_model_of_odmantics_is_stored_as_odmantic_stores_it() -> None:
    instance = Ordinary(
        typed={"a": [plain.Populated(qty=1)]},
        dog=plain.Dog(Breed="pug"),
        point=plain.Box(decimal.Decimal(1)),
        home=plain.Home(Street=plain.Street(name="a"), former=[plain.Street(name="b")]),
    )
    dumped = instance.model_dump_doc()
    document = encode_instance(mapping_of(Ordinary), instance)
    assert document["typed"] == dumped["typed"]
    assert document["dog"] == dumped["dog"]
    assert document["home"] == encode_operand(dumped["home"])  # ODMantic leaves decimals to fail in the driver


# -- conditions and columns ---------------------------------------------------------------------------------------


def test_conditions_have_the_names_of_fields() -> None:
    fields = mapping_of(Order).fields
    assert encode_operand(Aliased(Qty=1), fields["line"]) == {"qty": 1}
    assert encode_operand([plain.SHOWN], fields["shown"])[0]["name"] == "a"  # type: ignore[index]
    mapping = mapping_of(Order)
    assert compiler.condition(mapping, col(Order.line) == Aliased(Qty=1)) == {"line": {"$eq": {"qty": 1}}}
    assert compiler.condition(mapping, col(Order.lines).qty > 1) == {"lines.qty": {"$gt": 1}}
    changes = Changes(mapping).added({"line": {"Qty": 1}, "pets": [plain.Cat()]}, "values()")
    assert changes.as_update() == {"$set": {"line": {"qty": 1}, "pets": [{"kind": "cat", "lives": 9}]}}


def values(column: Any, *documents: Any) -> Any:
    return ColumnReader(col(column)).values(documents)


def test_columns_are_read_as_whole_documents_are() -> None:
    assert values(Order.line, {"line": {"qty": 7}}, {"line": {"Qty": 8}}, {}) == [
        Aliased(Qty=7),
        Aliased(Qty=8),
        Aliased(),
    ]
    assert values(Order.lines, {"lines": [{"qty": 7}]}) == [[Aliased(Qty=7)]]
    assert values(col(Order.lines).qty, {"lines": [{"qty": 7}, {"qty": 8}]}) == [[7, 8]]
    assert values(col(Order.typed).price, {"typed": {"price": Decimal128("1.5")}}) == [decimal.Decimal("1.5")]
    assert values(col(Order.typed).pattern, {"typed": {"pattern": Regex("a")}}) == [re.compile("a")]
    assert values(col(Order.lines).qty, {"lines": [{"Qty": 7}, {}]}) == [[7, 0]]
    street = values(col(Order.home).street, {"home": {"street": {"name": "a", "line": {"qty": 2}}}})
    assert street == [plain.Street(name="a", line=Aliased(Qty=2))]


class Traced(BaseModel):
    tags: list[str] = PydanticField(default_factory=lambda: ["new"], alias="Tags")
    camel: plain.Camel = plain.CAMEL
    node: plain.Node | None = None


class Tracing(MongoBaseModel):
    __tablename__ = "tracing"
    traced: Traced = Traced()


def test_a_column_is_fetched_under_every_key_it_may_have() -> None:
    traced = col(Tracing.traced)
    projection = Projection([traced.tags, traced.camel.unit_price, traced.node.value])
    assert projection.keys == {
        "_id": 0,
        "traced.tags": 1,
        "traced.Tags": 1,
        "traced.camel.unit_price": 1,
        "traced.camel.unitPrice": 1,
        "traced.node.value": 1,
        "traced.node.Value": 1,
    }
    document: dict[str, Any] = {
        "traced": {"Tags": ["a"], "camel": {"unitPrice": Decimal128("1")}, "node": {"Value": Decimal128("2")}}
    }
    assert projection.rows([document, {"traced": {}}]) == [
        (["a"], decimal.Decimal(1), decimal.Decimal(2)),
        (["new"], decimal.Decimal("1.10"), None),
    ]


def shouted(values: dict[str, Any]) -> str:
    return str(values["name"]).upper()


class Derived(BaseModel):
    name: str
    loud: str = PydanticField(default_factory=cast("Any", shouted))


@pytest.mark.skipif(
    not hasattr(FieldInfo, "default_factory_takes_validated_data"), reason="such factories came with Pydantic 2.10"
)
def test_a_default_made_of_other_fields_is_unknown_to_a_column() -> None:
    made = define(MongoBaseModel, Derived)
    assert values(col(made.value).loud, {"value": {"name": "a"}}, {"value": {"loud": "B"}}) == [None, "B"]
    assert read(made, {"value": {"name": "a"}}).value == Derived(name="a", loud="A")
