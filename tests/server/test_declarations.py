"""Class bodies that Pydantic allows: methods that say `super()`, `model_post_init`, `class Config`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Optional

import odmantic
import pytest
from odmantic import SyncEngine
from pydantic import ConfigDict, TypeAdapter, field_validator
from pymongo.database import Database

from mongotic import MongoBaseModel, Session, select
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError
from tests.conftest import Document


class Named(MongoBaseModel):
    name: str = ""

    def label(self) -> str:
        return f"<{self.name}>"

    @field_validator("name")
    @classmethod
    def _clean(cls, name: str) -> str:
        return name.strip()


class Tool(Named):
    __tablename__ = "tools"
    slug: str = ""
    price: int = 0

    def __init__(self, **values: Any) -> None:  # as Pydantic's
        values.setdefault("price", 1)
        super().__init__(**values)

    def model_post_init(self, context: Any) -> None:  # as Pydantic's
        super().model_post_init(context)
        self.slug = self.name.lower()

    def model_dump(self, **options: Any) -> dict[str, Any]:  # as Pydantic's
        return {**super().model_dump(**options), "label": self.label()}

    def label(self) -> str:
        return f"{super().label()}!"

    @property
    def plain_label(self) -> str:
        return super().label()

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Tool:  # as Pydantic's
        return super().model_validate({"name": obj} if isinstance(obj, str) else obj, **options)

    @field_validator("name")
    @classmethod
    def _clean(cls, name: str) -> str:
        return super()._clean(name).capitalize()


class Configured(MongoBaseModel):
    __tablename__ = "configured"
    name: str

    class Config:
        str_strip_whitespace = True


# -- super() ------------------------------------------------------------------------------------------------------


def test_methods_can_say_super() -> None:
    tool = Tool(name=" saw ")
    assert (tool.name, tool.slug, tool.price, tool.label(), tool.plain_label) == ("Saw", "saw", 1, "<Saw>!", "<Saw>")
    assert tool.model_dump()["label"] == "<Saw>!"
    assert Tool.model_validate("axe").slug == "axe"


async def test_an_instance_with_its_own_init_is_stored_and_read(session: AsyncSession, raw: Database[Document]) -> None:
    session.add(Tool(name="saw"))
    await session.commit()
    assert raw["tools"].find_one({}, {"_id": 0}) == {"name": "Saw", "slug": "saw", "price": 1}
    session.expunge_all()
    tool = await session.scalars(select(Tool)).one()
    assert tool.label() == "<Saw>!"
    assert session.dirty == []
    tool.price = 3
    await session.commit()
    assert (raw["tools"].find_one() or {})["price"] == 3


def test_odmantics_engine_stores_and_reads_it_too(sync_engine: SyncEngine) -> None:
    sync_engine.save(Tool(name="saw"))
    tool = sync_engine.find_one(Tool)
    assert tool is not None
    assert (tool.name, tool.slug) == ("Saw", "saw")


def test_a_response_is_validated_and_written_as_any_models() -> None:
    adapter = TypeAdapter(list[Tool])
    tools = adapter.validate_json('[{"name": "saw"}]')
    assert tools[0].slug == "saw"
    assert adapter.dump_python(tools, mode="json") == [
        {"id": str(tools[0].id), "name": "Saw", "slug": "saw", "price": 1}
    ]
    assert "slug" in adapter.json_schema(mode="serialization")["$defs"]["Tool"]["properties"]


# -- model_post_init ----------------------------------------------------------------------------------------------


def test_a_field_assigned_to_a_constructed_instance_is_kept() -> None:
    tool = Tool.model_construct(name="saw")
    tool.slug = "s"
    assert tool.slug == "s"
    assert tool._id is None


# -- configuration ------------------------------------------------------------------------------------------------


def test_a_class_called_config_is_the_configuration() -> None:
    assert Configured(name=" Ann ").name == "Ann"
    assert Configured.model_config.get("str_strip_whitespace") is True


def test_model_config_goes_before_a_class_called_config() -> None:
    class Both(MongoBaseModel):
        __tablename__ = "both"
        model_config = ConfigDict(str_strip_whitespace=False)  # type: ignore[assignment]  # ODMantic's has more keys
        name: str

        class Config:
            str_strip_whitespace = True

    assert Both(name=" Ann ").name == " Ann "


@pytest.mark.parametrize("name", ["__tablename__", "__databasename__"])
def test_a_name_that_is_no_text_is_refused_where_it_is_declared(name: str) -> None:
    metaclass: Any = type(MongoBaseModel)
    body = {"__module__": __name__, "__qualname__": "Wrong", name: 3}
    with pytest.raises(ArgumentTypeError, match=rf"Wrong\.{name} = 3: it takes a name, as text"):
        metaclass("Wrong", (MongoBaseModel,), body)


# -- schemas ------------------------------------------------------------------------------------------------------


class Priced(MongoBaseModel):
    __tablename__ = "priced"
    price: Decimal = Decimal(1)
    former: list[Decimal] = []
    offer: Optional[Decimal] = None  # noqa: UP045  # as 0.5 code has it


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_decimals_are_text_in_every_schema(mode: Any) -> None:
    found = Priced.model_json_schema(mode=mode)["properties"]
    assert found["price"] == {"default": "1", "title": "Price", "type": "string"}
    assert found["former"] == {"default": [], "items": {"type": "string"}, "title": "Former", "type": "array"}
    assert found["offer"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert Priced(offer=Decimal("2.50")).model_dump(mode="json")["offer"] == "2.50"


class ByCode(MongoBaseModel):
    code: str = odmantic.Field(primary_field=True)


class Place(ByCode):
    __tablename__ = "places"
    size: int = 0


class Named2(Named):
    __tablename__ = "named"
    number: int = odmantic.Field(primary_field=True)


class Again(Place):
    __tablename__ = "again"
    id: int = 0


class OwnId(MongoBaseModel):
    __tablename__ = "own_ids"
    id: str = ""


class OwnIdByNumber(OwnId):
    __tablename__ = "numbers"
    number: int = odmantic.Field(primary_field=True)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (ByCode, ["code"]),
        (Place, ["code", "size"]),
        (Named2, ["name", "number"]),
        (Again, ["code", "size", "id"]),
        (OwnId, ["id", "document_id"]),
        (OwnIdByNumber, ["id", "number"]),
    ],
)
def test_a_model_with_a_key_of_its_own_has_no_other(model: type[MongoBaseModel], fields: list[str]) -> None:
    assert sorted(model.model_fields) == sorted(fields)
    assert sorted(model.model_json_schema()["properties"]) == sorted(fields)


def test_what_was_no_field_is_no_attribute(sync_engine: SyncEngine, raw: Database[Document]) -> None:
    place = Place(code="a")
    assert (repr(place), place.model_dump()) == ("Place(code='a', size=0)", {"code": "a", "size": 0})
    assert not hasattr(place, "id")
    assert not hasattr(Place, "id")
    again = Again(code="b")
    again.id = 7
    with Session(sync_engine) as session:
        session.add_all([place, again])
        session.commit()
        assert session.scalars(select(Again).where(Again.id == 7)).one() is again
    assert raw["places"].find_one() == {"_id": "a", "size": 0}
    assert raw["again"].find_one() == {"_id": "b", "size": 0, "id": 7}
