"""Documents become instances as ODMantic makes them, and what does not fit is explained as ODMantic explains it."""

# ODMantic and bson leave types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import datetime
import decimal
import enum
from typing import Annotated, Any, cast

import bson
import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from odmantic import EmbeddedModel, Field, Model, Reference
from odmantic.exceptions import DocumentParsingError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from mongotic_adapters.encoding import encode_instance
from mongotic_adapters.errors import DocumentError
from mongotic_adapters.hydration import hydrate
from mongotic_adapters.mapping import mapping_of
from tests.pure import models
from tests.pure.models import EXAMPLES, KEY, NOON, Color, Grade
from tests.pure.test_encoding import EVERYTHING

Document = dict[str, Any]


def hydrated(model: type[Model], document: Document, **references: Model) -> Any:
    return hydrate(mapping_of(model), document, references)


def stored(instance: Model) -> Document:
    """The document of an instance, as the driver would give it."""
    return bson.decode(bson.encode(encode_instance(mapping_of(type(instance)), instance)))


def assert_as_odmantic(model: type[Model], document: Document) -> Any:
    """Check that both make the same instance of a document, and return it."""
    expected, found = model.model_validate_doc(document), hydrated(model, document)
    assert found == expected
    assert type(found) is model
    assert list(found.__dict__) == list(expected.__dict__)
    assert {name: type(value) for name, value in found.__dict__.items()} == {
        name: type(value) for name, value in expected.__dict__.items()
    }
    assert found.model_fields_set == expected.model_fields_set
    assert found.__fields_modified__ == set()
    return found


# -- as ODMantic does it ------------------------------------------------------------------------------------------

UNREADABLE = {"PlainSerializer", "PlainSerializer in embedded"}  # what they write, they do not read
KEEPS_THE_KEY = {"extra", "extra, none given"}  # ODMantic keeps `_id` as an extra key on top; see below
READABLE = {name: instance for name, instance in EXAMPLES.items() if name not in UNREADABLE | KEEPS_THE_KEY}


@pytest.mark.parametrize("instance", READABLE.values(), ids=READABLE)
def test_a_document_becomes_the_instance_odmantic_makes(instance: Model) -> None:
    assert_as_odmantic(type(instance), stored(instance))


@given(EVERYTHING)
def test_any_document_becomes_the_instance_it_was_made_of(instance: models.Scalars) -> None:
    document = stored(instance)
    found = hydrated(models.Scalars, document)
    assert bson.encode(stored(found)) == bson.encode(document)
    assert found.__fields_modified__ == set()


@given(st.dictionaries(st.sampled_from(["name", "_id", "more", "id", "0"]), st.integers() | st.text(), max_size=5))
def test_keys_the_model_does_not_know_are_passed_over(extra: Document) -> None:
    assert_as_odmantic(models.Country, {**extra, "_id": "no", "name": "Norway"})


def test_extra_keys_are_kept_when_the_model_allows_them() -> None:
    found = hydrated(models.Open, {"_id": KEY, "name": "a", "b": 1, "c": {"d": [2]}})
    assert (found.id, found.name, found.b, found.c) == (KEY, "a", 1, {"d": [2]})
    assert found.__pydantic_extra__ == {"b": 1, "c": {"d": [2]}}  # ODMantic has "_id" there as well
    assert found.model_fields_set == {"id", "name", "b", "c"}


def test_extra_keys_of_embedded_models_are_kept() -> None:
    found = hydrated(models.OpenWhole, {"_id": KEY, "part": {"size": 1, "color": "red"}})
    assert found.part.color == "red"


def test_the_document_is_left_as_it_was() -> None:
    document = stored(models.home())
    hydrated(models.Home, document)
    assert document == stored(models.home())


def test_embedded_instances_note_changes_as_odmantics_do() -> None:
    found = hydrated(models.Home, stored(models.home()))
    found.address.city = "Bergen"
    assert "city" in found.address.__fields_modified__


def test_assignments_are_validated_afterwards() -> None:
    found = hydrated(models.Country, {"_id": "no", "name": "Norway"})
    with pytest.raises(ValueError, match="valid string"):
        found.name = 3
    found.name = "Norge"
    assert found.__fields_modified__ == {"name"}


# -- references ---------------------------------------------------------------------------------------------------


def test_a_reference_is_the_very_instance_given() -> None:
    norway = models.Country(code="no", name="Norway")
    north = hydrated(models.Publisher, {"_id": KEY, "name": "North", "country_code": "no"}, country=norway)
    assert north.country is norway
    assert north.__fields_modified__ == set()


def test_a_document_with_references_becomes_the_instance_odmantic_makes() -> None:
    country = {"_id": "no", "name": "Norway"}
    publisher = {"_id": KEY, "name": "North", "country_code": "no"}
    book = {"_id": ObjectId(), "title": "b", "publisher_id": KEY}
    expected = models.Book.model_validate_doc({**book, "publisher_id": {**publisher, "country_code": country}})
    north = hydrated(models.Publisher, publisher, country=hydrated(models.Country, country))
    found = hydrated(models.Book, book, publisher=north)
    assert found == expected
    assert found.model_fields_set == expected.model_fields_set


def test_a_missing_target_is_explained() -> None:
    document = {"_id": KEY, "name": "North", "country_code": "no"}
    with pytest.raises(DocumentError, match="Referenced document not found for foreign key 'country_code'"):
        hydrated(models.Publisher, document)


# -- missing keys -------------------------------------------------------------------------------------------------


def fresh_list() -> list[int]:
    return [7]


class Defaults(Model):
    number: int = 1
    text: str | None = Field(default=None, key_name="t")
    items: list[int] = [1]
    mapped: dict[str, int] = {}
    color: Color = Color.RED
    part: models.Street = models.Street(name="default")
    parts: list[models.Street] = [models.Street(name="default")]


class Factory(Model):
    items: list[int] = Field(default_factory=fresh_list)


class ParsedFactory(Model):
    model_config = {"parse_doc_with_default_factories": True}
    items: list[int] = Field(default_factory=fresh_list)
    moment: datetime.datetime = Field(default_factory=lambda: NOON)


def test_defaults_stand_in_for_missing_keys() -> None:
    found = assert_as_odmantic(Defaults, {"_id": KEY})
    assert (found.number, found.text, found.items, found.mapped, found.color) == (1, None, [1], {}, Color.RED)
    assert found.part == models.Street(name="default")


def test_a_default_is_not_shared_by_instances() -> None:
    one, other = hydrated(Defaults, {"_id": KEY}), hydrated(Defaults, {"_id": KEY})
    one.items.append(2)
    one.part.name = "changed"
    one.parts[0].name = "changed"
    assert (other.items, other.part.name, other.parts[0].name) == ([1], "default", "default")
    assert Defaults().part.name == "default"


def test_null_is_not_a_missing_key() -> None:
    assert hydrated(Defaults, {"_id": KEY, "t": None}).text is None
    with pytest.raises(DocumentError, match="number"):
        hydrated(Defaults, {"_id": KEY, "number": None})


def test_a_default_factory_does_not_stand_in_unless_the_model_says_so() -> None:
    assert_same_errors(Factory, {"_id": KEY})
    found = assert_as_odmantic(ParsedFactory, {"_id": KEY})
    assert (found.items, found.moment) == ([7], NOON)


def test_a_missing_primary_key_is_explained() -> None:
    assert_same_errors(Defaults, {})


class DefaultPart(EmbeddedModel):
    size: int = 3


class HasDefaultPart(Model):
    part: DefaultPart
    parts: list[DefaultPart] = []


def test_defaults_stand_in_inside_embedded_documents() -> None:
    found = assert_as_odmantic(HasDefaultPart, {"_id": KEY, "part": {}, "parts": [{}, {"size": 1}]})
    assert [part.size for part in found.parts] == [3, 1]


# -- documents that do not fit ------------------------------------------------------------------------------------


def errors_of(error: DocumentParsingError) -> list[Document]:
    found: list[Document] = [dict(details) for details in error.inner.errors()]
    for details in found:
        if "ctx" in details:  # it may hold an exception, and those do not compare
            details["ctx"] = repr(details["ctx"])
    return found


def assert_same_errors(model: type[Model], document: Document) -> list[Document]:
    with pytest.raises(DocumentParsingError) as expected:
        model.model_validate_doc(document)
    with pytest.raises(DocumentError) as found:
        hydrated(model, document)
    assert errors_of(found.value) == errors_of(expected.value)
    assert (found.value.key, found.value.model) == (document.get("_id"), model)
    return errors_of(found.value)


HOME = stored(models.home())
MISFITS: dict[str, tuple[type[Model], Document, list[tuple[Any, ...]]]] = {
    "missing key": (models.Country, {"_id": "no"}, [("name",)]),
    "missing renamed key": (
        models.Home, {key: value for key, value in HOME.items() if key != "addr"}, [("address",)]),
    "wrong type": (models.Country, {"_id": "no", "name": 3}, [("name",)]),
    "wrong key": (models.Country, {"_id": 3, "name": "Norway"}, [("code",)]),
    "two wrong types": (models.Country, {"_id": 3, "name": 3}, [("code",), ("name",)]),
    "two missing keys": (models.Country, {}, [("code",), ("name",)]),
    "missing key in embedded": (
        models.Home, {**HOME, "addr": {"str": {"n": "a"}}}, [("address", "city")]),
    "missing key in nested embedded": (
        models.Home, {**HOME, "addr": {"town": "a", "str": {}}}, [("address", "street", "name")]),
    "wrong type in nested embedded": (
        models.Home, {**HOME, "addr": {"town": "a", "str": {"n": 1}}}, [("address", "street", "name")]),
    "missing key in list of embedded": (
        models.Home, {**HOME, "ways": [{"n": "a"}, {"number": 1}]}, [("streets", "[1]", "name")]),
    "missing key in list inside embedded": (
        models.Home, {**HOME, "addr": {"town": "a", "str": {"n": "b"}, "old": [{}]}},
        [("address", "former", "[0]", "name")]),
    "wrong type in list of embedded": (
        models.Home, {**HOME, "ways": [{"n": 1}]}, [("streets", 0, "name")]),
    "missing key in dict of embedded": (
        models.Home, {**HOME, "by_name": {"x": {}}}, [("by_name", '["x"]', "name")]),
    "dict for a list of embedded": (models.Home, {**HOME, "ways": {"n": "a"}}, [("streets",)]),
    "text for a list of embedded": (models.Home, {**HOME, "ways": "a"}, [("streets",)]),
    "null for a list of embedded": (models.Home, {**HOME, "ways": None}, [("streets",)]),
    "python names instead of keys": (models.Home, {**HOME, "addr": {"city": "a", "street": {}}},
        [("address", "city"), ("address", "street")]),
}  # fmt: skip


@pytest.mark.parametrize(("model", "document", "where"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_explained_as_odmantic_does(
    model: type[Model], document: Document, where: list[tuple[Any, ...]]
) -> None:
    assert [details["loc"] for details in assert_same_errors(model, document)] == where


def test_a_list_where_a_dict_of_embedded_belongs_is_explained() -> None:
    errors = assert_same_errors(models.Home, {**HOME, "by_name": [{"n": "a"}]})
    assert [details["loc"] for details in errors] == [("by_name",)]


@pytest.mark.parametrize("shape", [[{"town": "a"}], "text", 3, None, ["a"]], ids=repr)
def test_a_shape_odmantic_stumbles_over_is_explained_too(shape: object) -> None:
    document = {**HOME, "addr": shape}
    with pytest.raises((TypeError, AttributeError)):
        models.Home.model_validate_doc(document)
    with pytest.raises(DocumentError, match=r"address|str|town"):
        hydrated(models.Home, document)


@pytest.mark.parametrize("item", ["text", 3, None, [{}]], ids=repr)
def test_a_wrong_item_in_a_list_of_embedded_is_explained(item: object) -> None:
    with pytest.raises(DocumentError, match=r"streets|name"):
        hydrated(models.Home, {**HOME, "ways": [{"n": "a"}, item]})


def test_bytes_that_are_no_key_are_explained_though_odmantic_stumbles_over_them() -> None:
    with pytest.raises(TypeError):
        Defaults.model_validate_doc({"_id": b"xx"})
    with pytest.raises(DocumentError, match="must be an instance of"):
        hydrated(Defaults, {"_id": b"xx"})


def test_the_error_names_document_and_model() -> None:
    with pytest.raises(DocumentError, match=r"^the document with _id 'no' does not fit Country: 1 validation error"):
        hydrated(models.Country, {"_id": "no"})


# -- code of users ------------------------------------------------------------------------------------------------


class OwnInit(Model):
    name: str
    size: int = 0

    def __init__(self, name: str, **data: Any) -> None:
        Model.__init__(self, name=name.strip(), **data)  # ODMantic's metaclass breaks super() without arguments
        self.size = len(self.name)


def test_an_own_init_is_called() -> None:
    found = assert_as_odmantic(OwnInit, {"_id": KEY, "name": " Ann ", "size": 9})
    assert (found.name, found.size) == ("Ann", 3)


class PickyInit(Model):
    name: str

    def __init__(self, **data: Any) -> None:
        if data["name"] == "":
            raise ValueError("no name")
        Model.__init__(self, **data)


def test_an_own_init_that_refuses_is_explained() -> None:
    assert_same_errors(PickyInit, {"_id": KEY, "name": ""})


def test_what_fits_no_type_is_explained_beside_an_own_init() -> None:
    assert_same_errors(PickyInit, {"_id": KEY, "name": 3})


class PickyReader(Model):
    """Refuses a document as ODMantic does."""

    name: str

    @classmethod
    def model_validate_doc(cls, raw_doc: Document) -> Self:
        inherited: Any = Model.model_validate_doc
        return cast("Self", inherited.__func__(cls, {**raw_doc, "name": raw_doc.get("name") or 3}))


def test_what_an_own_model_validate_doc_refuses_is_explained() -> None:
    assert_same_errors(PickyReader, {"_id": KEY, "name": ""})


def test_a_misfit_beside_a_reference_is_explained() -> None:
    norway = models.Country(code="no", name="Norway")
    with pytest.raises(DocumentError, match="name") as caught:
        hydrate(mapping_of(models.Publisher), {"_id": KEY, "name": 3, "country_code": "no"}, {"country": norway})
    assert [details["loc"] for details in caught.value.inner.errors()] == [("name",)]


class Validated(Model):
    name: str
    code: Annotated[str, BeforeValidator(str), AfterValidator(str.upper)]
    low: int = 0
    high: int = 10

    @field_validator("name", mode="before")
    @classmethod
    def texts_only(cls, value: object) -> object:
        return "bytes" if isinstance(value, bytes) else value

    @field_validator("name")
    @classmethod
    def strip(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            raise ValueError(f"{info.field_name} is empty")
        return value.strip()

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_validators_are_run() -> None:
    document = {"_id": KEY, "name": " Ann ", "code": 3, "low": 4}
    expected, found = Validated.model_validate_doc(document), hydrated(Validated, document)
    assert found.__dict__ == expected.__dict__
    assert (found.name, found.code, found.low, found.high) == ("Ann", "3", 4, 10)
    assert found.model_fields_set == expected.model_fields_set
    assert found.__fields_modified__ == set()


@pytest.mark.parametrize("wrong", [{"name": ""}, {"low": 20}, {"name": 3}, {"high": 2**70, "low": 2**71}], ids=repr)
def test_what_validators_refuse_is_explained_as_odmantic_does(wrong: Document) -> None:
    assert_same_errors(Validated, {"_id": KEY, "name": "Ann", "code": "x", **wrong})


class Counting(BaseModel):
    """ODMantic takes private attributes from a base alone."""

    _count: int = 3
    _fresh: list[int] = PrivateAttr(default_factory=list)

    def model_post_init(self, _context: Any) -> None:
        self._fresh.append(self._count)


class Prepared(Model):
    name: str = Field(key_name="n")
    label: str = ""

    @model_validator(mode="before")
    @classmethod
    def add_label(cls, values: Any) -> Any:
        return {**values, "label": values.get("name", "nobody").upper()}


def test_a_before_validator_of_a_model_is_given_field_names() -> None:
    assert assert_as_odmantic(Prepared, {"_id": KEY, "n": "ann"}).label == "ANN"


class Demanding(Model):
    name: str
    size: int = 3

    @model_validator(mode="before")
    @classmethod
    def doubled(cls, values: Any) -> Any:
        return {**values, "size": min(values["size"], 2)}


def test_a_before_validator_of_a_model_is_given_defaults() -> None:
    assert assert_as_odmantic(Demanding, {"_id": KEY, "name": "a"}).size == 2


class HasPrivate(Counting, Model):
    name: str


def test_private_attributes_are_there() -> None:
    one, other = hydrated(HasPrivate, {"_id": KEY, "name": "a"}), hydrated(HasPrivate, {"_id": KEY, "name": "a"})
    one._fresh.append(1)
    assert (one._count, one._fresh, other._fresh) == (3, [3, 1], [3])


class Capital(EmbeddedModel):
    name: str

    @field_validator("name")
    @classmethod
    def capital(cls, value: str) -> str:
        return value.upper()


class HasCapital(Model):
    capital: Capital


def test_validators_of_embedded_models_are_run() -> None:
    assert assert_as_odmantic(HasCapital, {"_id": KEY, "capital": {"name": "oslo"}}).capital.name == "OSLO"


class Inner(EmbeddedModel):
    name: str = Field(key_name="n")

    def __init__(self, **data: Any) -> None:
        EmbeddedModel.__init__(self, **{**data, "name": data["name"] + "!"})


class Outer(Model):
    inner: Inner


def test_an_own_init_of_an_embedded_model_is_called() -> None:
    assert assert_as_odmantic(Outer, {"_id": KEY, "inner": {"n": "a"}}).inner.name == "a!"


class OwnReader(Model):
    """Reads documents of an older shape, as ODMantic lets it."""

    name: str

    @classmethod
    def model_validate_doc(cls, raw_doc: Document) -> Self:
        renamed = {"name": raw_doc.get("old_name"), **raw_doc}
        inherited: Any = Model.model_validate_doc
        return cast("Self", inherited.__func__(cls, renamed))  # ODMantic's metaclass breaks super() without arguments


def test_an_own_model_validate_doc_is_called() -> None:
    assert assert_as_odmantic(OwnReader, {"_id": KEY, "old_name": "Ann"}).name == "Ann"


# -- names and places that are easily missed ----------------------------------------------------------------------


class Part(EmbeddedModel):
    size: int = Field(default=0, key_name="s")


class InOptional(Model):
    parts: list[Part] | None = None


class InDeep(Model):
    deep: dict[str, list[Part]]


class WithMetadata(Model):
    metadata: Part


class WithValues(Model):
    values: list[Part]


class WithConfig(Model):
    config: Part
    values: list[Part]
    default: dict[str, Part]
    cls: int
    type: str
    expected: str


NAMES: dict[str, Model] = {
    "optional list of embedded": InOptional(id=KEY, parts=[Part(size=5)]),
    "dict of lists of embedded": InDeep(id=KEY, deep={"a": [Part(size=5)]}),
    "fields called like parts of a schema": WithConfig(
        id=KEY, config=Part(size=5), values=[Part(size=6)], default={"a": Part(size=7)}, cls=1, type="t", expected="e"
    ),
    "field called metadata": WithMetadata(id=KEY, metadata=Part(size=5)),
    "field called values": WithValues(id=KEY, values=[Part(size=5)]),
}


@pytest.mark.parametrize("instance", NAMES.values(), ids=NAMES)
def test_embedded_documents_are_read_wherever_they_lie(instance: Model) -> None:
    assert assert_as_odmantic(type(instance), stored(instance)) == instance


def test_deep_embedded_instances_can_be_changed() -> None:
    found = hydrated(InDeep, {"_id": KEY, "deep": {"a": [{"size": 5}]}})
    found.deep["a"][0].size = 6
    assert stored(found)["deep"] == {"a": [{"size": 6}]}


class Stamped(BaseModel):
    created: int = 0


class HasMixin(Stamped, Model):
    name: str


def test_a_field_of_a_plain_base_is_left_at_its_default() -> None:
    assert assert_as_odmantic(HasMixin, {"_id": KEY, "name": "a", "created": 9}).created == 0


# -- further than ODMantic ----------------------------------------------------------------------------------------


class Further(Model):
    grade: Grade
    day: datetime.date
    words: set[str]
    frozen: frozenset[int]
    price: decimal.Decimal | None
    flags: dict[str, Grade]


def test_what_only_mongotic_can_write_is_read_back() -> None:
    instance = Further(
        id=KEY,
        grade=Grade.BAD,
        day=datetime.date(2026, 1, 2),
        words={"a"},
        frozen=frozenset({1}),
        price=decimal.Decimal("1.50"),
        flags={"x": Grade.GOOD},
    )
    assert hydrated(Further, stored(instance)) == instance


class MaybeHome(Model):
    home: models.Address | None = Field(default=None, key_name="h")


@pytest.mark.parametrize(
    "home", [None, models.Address(city="Oslo", street=models.Street(name="a"), former=[models.Street(name="b")])]
)
def test_an_optional_embedded_model_is_read_back(home: models.Address | None) -> None:
    instance = MaybeHome(id=KEY, home=home)
    assert hydrated(MaybeHome, stored(instance)) == instance


def test_a_missing_optional_embedded_model_is_its_default() -> None:
    assert hydrated(MaybeHome, {"_id": KEY}).home is None


def test_a_misfit_in_an_optional_embedded_model_is_explained() -> None:
    with pytest.raises(DocumentError, match="home") as caught:
        hydrated(MaybeHome, {"_id": KEY, "h": {"str": {"n": "a"}}})
    assert caught.value.key == KEY


class Cat(EmbeddedModel):
    name: str = Field(key_name="n")


class Dog(EmbeddedModel):
    breed: str = Field(key_name="b")


class Owner(Model):
    pet: Cat | Dog


@pytest.mark.parametrize("pet", [Cat(name="Tom"), Dog(breed="pug")], ids=["first", "second"])
def test_a_union_of_embedded_models_is_read_back(pet: Cat | Dog) -> None:
    instance = Owner(id=KEY, pet=pet)
    assert hydrated(Owner, stored(instance)) == instance


class Pets(Model):
    """A class that is not read by key inside pydantic-core: its validator expects field names."""

    pet: Cat | Dog | None = None
    pets: tuple[Cat, Dog] | None = None
    named: dict[str, Dog] = {}
    two: tuple[Cat, Dog]

    @model_validator(mode="after")
    def checked(self) -> Self:
        return self


@pytest.mark.parametrize("pet", [Cat(name="Tom"), Dog(breed="pug"), None], ids=["first", "second", "none"])
def test_a_union_of_embedded_models_is_read_back_beside_validators(pet: Cat | Dog | None) -> None:
    two = (Cat(name="Tom"), Dog(breed="pug"))
    instance = Pets(id=KEY, pet=pet, pets=two, named={"a": Dog(breed="lab")}, two=two)
    assert hydrated(Pets, stored(instance)) == instance


def test_what_fits_none_of_the_models_of_a_union_is_explained() -> None:
    with pytest.raises(DocumentError, match="pet"):
        hydrated(Pets, {"_id": KEY, "pet": {"x": 1}, "two": [{"n": "a"}, {"b": "c"}]})


class Kind(enum.Enum):
    A = "a"


class ByKind(Model):
    kind: Kind = Field(primary_field=True)


class RefersToKind(Model):
    by: ByKind = Reference()


def test_a_plain_enum_may_be_the_primary_key() -> None:
    assert hydrated(ByKind, {"_id": "a"}).kind is Kind.A
    assert stored(RefersToKind(id=KEY, by=ByKind(kind=Kind.A))) == {"_id": KEY, "by": "a"}
