"""`MongoBaseModel`: declared the way of mongotic 0.5, an ODMantic model underneath."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Optional, Text, cast, get_type_hints

import pytest
from bson import Decimal128, ObjectId
from odmantic import AIOEngine, EmbeddedModel, Index, Model, Reference, SyncEngine
from odmantic import Field as ODMField
from pydantic import BaseModel, Field, PrivateAttr, TypeAdapter, ValidationError, field_validator
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

import mongotic
from mongotic import ArgumentError, InvalidRequestError, col, create_indexes, select
from mongotic.asyncio import AsyncSession, create_async_indexes
from mongotic.exceptions import ArgumentTypeError
from mongotic.model import MongoBaseModel
from tests.conftest import Backend, Document, SessionMaker


class Address(EmbeddedModel):
    city: str
    street: str = ODMField(default="", key_name="way")


class Size(BaseModel):
    width: int


class Stamped(MongoBaseModel):
    created: Optional[datetime] = None  # noqa: UP045  # as 0.5 code has it
    version: int = 1

    @field_validator("version")
    @classmethod
    def _positive(cls, version: int) -> int:
        if version < 1:
            raise ValueError("versions begin at 1")
        return version

    def label(self) -> str:
        return f"v{self.version}"


class User(Stamped):
    __tablename__ = "users"
    __indexes__ = [IndexModel([("email", ASCENDING)], unique=True)]

    name: str = Field(..., max_length=10, description="what people call them")
    email: str = Field(default="")
    bio: Optional[Text] = None  # noqa: UP019, UP045  # as 0.5 code has it
    tags: list[str] = Field(default_factory=list)
    scores: dict[str, int] = Field(default_factory=dict)
    address: Optional[Address] = None  # noqa: UP045
    homes: list[Address] = Field(default_factory=list)
    size: Size = Size(width=1)


class Ticket(MongoBaseModel):
    __databasename__ = "mongotic_test_tickets"
    __tablename__ = "tickets"
    id: int  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]  # MongoBaseModel's is a key
    holder: str = ""


class Team(MongoBaseModel):
    __tablename__ = "teams"
    name: str
    lead: User = Reference()


untyped: Any = User  # its class attributes are columns, which no type checker can know


class Nowhere(MongoBaseModel):
    name: str


# -- declaration --------------------------------------------------------------------------------------------------


def test_it_is_an_odmantic_model() -> None:
    assert issubclass(User, Model)
    assert issubclass(User, Stamped)
    assert mongotic.MongoBaseModel is MongoBaseModel
    assert User(name="Ann").label() == "v1"


def test_constraints_and_validators_hold_on_construction_and_assignment() -> None:
    user = User(name="Ann")
    with pytest.raises(ValidationError, match="at most 10"):
        user.name = "a very long name"
    with pytest.raises(ValidationError, match="versions begin at 1"):
        user.version = 0
    with pytest.raises(ValidationError, match="name"):
        User.model_validate({})


def test_schema_and_dump() -> None:
    schema = User.model_json_schema()
    assert schema["properties"]["name"] == {
        "description": "what people call them",
        "maxLength": 10,
        "title": "Name",
        "type": "string",
    }
    assert schema["required"] == ["name"]
    user = User(name="Ann", homes=[Address(city="Rome")])
    assert user.model_dump(include={"name", "homes"}) == {"name": "Ann", "homes": [{"city": "Rome", "street": ""}]}
    assert User.model_validate_json(user.model_dump_json()) == user
    assert TypeAdapter(list[User]).dump_python([user])[0]["name"] == "Ann"


def test_indexes_are_a_list_that_odmantic_can_call() -> None:
    assert [index.document["name"] for index in User.__indexes__] == ["email_1"]
    assert User.__indexes__() == tuple(User.__indexes__)
    assert Team.__indexes__ == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            ["email"],
            r"Wrong\.__indexes__ .* got 'email' in \['email'\]; write __indexes__ = \[IndexModel\(\"email\"\)\]",
        ),
        ("email", r"Wrong\.__indexes__ .* got 'email'; write"),
        (IndexModel("email"), r"Wrong\.__indexes__ .* got <?.*IndexModel.*; write"),
        ([("email", 1)], r"got \('email', 1\) in"),
        ({"email": 1}, r"got \{'email': 1\}; write"),
        ([IndexModel("email"), None], "got None in"),
        (3, "got 3; write"),
    ],
    ids=str,
)
def test_indexes_of_a_wrong_kind_are_refused_where_they_are_declared(value: object, message: str) -> None:
    with pytest.raises(ArgumentTypeError, match=message):

        class Wrong(MongoBaseModel):  # pyright: ignore[reportUnusedClass]  # it comes to nothing
            __tablename__ = "wrong"
            __indexes__ = value


def test_indexes_can_be_a_tuple_and_odmantics() -> None:
    class Fine(Nowhere):
        __tablename__ = "fine"
        __indexes__ = (IndexModel("size"),)

    Fine.__indexes__.append(Index(Fine.name, unique=True))
    assert [index.document["name"] for index in Fine.__indexes__[:1]] == ["size_1"]
    assert len(Fine.__indexes__()) == 2


class Draft(MongoBaseModel):
    __tablename__ = "drafts"

    text: str = ""
    home: Address = Address(city="Rome")
    _reads: int = 4
    _seen: list[str] = PrivateAttr(default_factory=list)
    _length: int = PrivateAttr()
    _unset: int
    _plain = PrivateAttr(1)
    _kinds: ClassVar[int] = 2

    @field_validator("text")
    @classmethod
    def _stripped(cls, text: str) -> str:
        return text.strip()

    def model_post_init(self, context: object, /) -> None:
        self._length = self._reads + len(self.text)


class LongDraft(Draft):
    __tablename__ = "long_drafts"

    _reads: int = 5
    _pages: int = 1


def private(draft: Draft) -> dict[str, object]:
    return dict(draft.__pydantic_private__ or {})


def test_private_attributes_are_those_of_pydantic() -> None:
    draft, other = Draft(text=" ab"), Draft()
    draft._reads += 1
    draft._seen.append("a")
    assert (draft._reads, draft._seen, draft._length, Draft._kinds) == (5, ["a"], 6, 2)
    assert private(other) == {"_reads": 4, "_seen": [], "_plain": 1, "_length": 4}
    with pytest.raises(AttributeError, match="_unset"):
        draft._unset
    assert draft.model_dump(include={"text"}) == {"text": "ab"}
    assert {"_reads", "_seen", "_length"}.isdisjoint({*draft.model_dump(), *Draft.model_json_schema()["properties"]})
    assert private(Draft.model_construct(text="a"))["_length"] == 5
    assert get_type_hints(Draft)["_reads"] is int
    assert "_plain" not in get_type_hints(Draft)
    assert (LongDraft()._reads, LongDraft()._pages, LongDraft()._length) == (5, 1, 5)


TWINS: dict[str, Callable[[Draft], Draft]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda draft: pickle.loads(pickle.dumps(draft)),
    "model_copy": lambda draft: draft.model_copy(),
    "deep model_copy": lambda draft: draft.model_copy(deep=True),
}


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_private_attributes_are_copied_as_pydantic_copies_them(twin: Callable[[Draft], Draft]) -> None:
    draft = Draft(text="a")
    draft._reads = 9
    draft._seen = ["x"]
    copied = twin(draft)
    assert private(copied) == {"_reads": 9, "_seen": ["x"], "_plain": 1, "_length": 5}
    copied._reads = 1
    assert draft._reads == 9


async def test_private_attributes_are_made_and_never_stored(
    session_maker: SessionMaker, raw: Database[Document]
) -> None:
    async with session_maker() as first:
        draft = Draft(text="a")
        draft._reads = 9
        first.add(draft)
        await first.commit()
        draft._reads = 10
        assert first.dirty == []
        draft.text = "b"
        await first.commit()
        await first.refresh(draft)
        draft.text = "c"
        first.rollback()
        assert (draft._reads, draft.text) == (10, "b")
    document = raw["drafts"].find_one({}, {"_id": 0})
    assert document == {"text": "b", "home": {"city": "Rome", "way": ""}}
    async with session_maker() as second:
        loaded = await second.scalars(select(Draft)).one()
        assert private(loaded) == {"_reads": 4, "_seen": [], "_plain": 1, "_length": 5}
        loaded._seen.append("x")
        loaded.home.city = "Bonn"
        await second.commit()
        assert loaded._seen == ["x"]


async def test_odmantics_engine_carries_private_attributes_too(sync_engine: SyncEngine) -> None:
    sync_engine.save(Draft(text="a"))
    draft = cast("Draft", sync_engine.find_one(Draft))
    draft._reads = 7
    sync_engine.save(draft)
    assert private(draft) == {"_reads": 7, "_seen": [], "_plain": 1, "_length": 5}
    assert private(cast("Draft", sync_engine.find_one(Draft)))["_reads"] == 4


@pytest.mark.parametrize("name", ["_id", "_session", "_expired"])
@pytest.mark.parametrize("annotated", [True, False])
def test_a_private_attribute_cannot_have_a_name_of_mongotics(name: str, annotated: bool) -> None:
    body: dict[str, object] = {"__module__": __name__, "__qualname__": "Taken", name: PrivateAttr(None)}
    if annotated:
        body["__annotations__"] = {name: Optional[str]}  # noqa: UP045
    with pytest.raises(ArgumentError, match=f"Taken.{name}: .* has a meaning of its own"):
        cast("Any", type(MongoBaseModel))("Taken", (MongoBaseModel,), body)


def test_pickled_and_copied_instances_can_be_changed() -> None:
    user = User(name="Ann", address=Address(city="Rome"), homes=[Address(city="Oslo")])
    for twin in (pickle.loads(pickle.dumps(user)), copy.deepcopy(user), user.model_copy(deep=True), copy.copy(user)):
        assert twin == user
        twin.name = "Bob"
        twin.homes[0].street = "1"
        twin.homes = []
        assert (user.name, user.homes[0].city) == ("Ann", "Oslo")


class Audited(BaseModel):
    author: str = "nobody"


class Note(MongoBaseModel, Audited):  # pyright: ignore[reportIncompatibleVariableOverride, reportIncompatibleMethodOverride]  # ODMantic's
    __tablename__ = "notes"
    text: str = ""
    address: Optional[Address] = None  # noqa: UP045


untyped_note: Any = Note


class Loud(Note):
    text = "!"  # pyright: ignore[reportGeneralTypeIssues]  # a new default, without saying the type again


async def test_fields_of_a_plain_mixin_are_stored(session: AsyncSession, raw: Database[Document]) -> None:
    session.add(Note(author="Ann"))  # pyright: ignore[reportCallIssue]
    await session.commit()
    assert raw["notes"].find_one({}, {"_id": 0}) == {"author": "Ann", "text": "", "address": None}


def test_an_inherited_field_takes_a_new_default() -> None:
    assert (Loud().text, Loud(text="?").text) == ("!", "?")


def test_an_odmantic_model_cannot_be_mixed_in() -> None:
    class Plain(Model):
        name: str

    with pytest.raises(TypeError, match=r"cannot derive from .*Plain"):
        cast("Any", type(MongoBaseModel))(
            "Both", (MongoBaseModel, Plain), {"__module__": __name__, "__qualname__": "Both"}
        )


async def test_a_field_of_an_optional_embedded_model_can_be_selected(session: AsyncSession) -> None:
    session.add_all([Note(text="a"), Note(text="b", address=Address(city="Rome"))])
    await session.commit()
    statement = select(Note.text, untyped_note.address.city).order_by(Note.text)
    rows = await (await session.execute(statement)).all()
    assert [tuple(row) for row in rows] == [("a", None), ("b", "Rome")]


def test_columns_can_be_copied() -> None:
    assert copy.deepcopy(untyped.name == "a") == {"name": {"$eq": "a"}}
    assert copy.copy(untyped.name) is not None


async def test_a_pickled_twin_can_be_merged(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Ann", email="a")
    session.add(user)
    await session.commit()
    twin = pickle.loads(pickle.dumps(user))
    twin.name = "Anna"
    assert session.merge(twin) is user
    await session.commit()
    assert (raw["users"].find_one() or {})["name"] == "Anna"


# -- the key ------------------------------------------------------------------------------------------------------


async def test_the_key_is_none_until_there_is_one(session: AsyncSession) -> None:
    user = User(name="Ann", email="a")
    assert (user._id, user._session, user._expired) == (None, None, False)
    session.add(user)
    assert user._session is not None
    await session.commit()
    assert user._id == str(user.id)
    assert len(str(user._id)) == 24


async def test_the_key_can_be_set_before_it_is_stored(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Ann", email="a")
    user._id = "507f1f77bcf86cd799439011"
    assert user._id == "507f1f77bcf86cd799439011"
    session.merge(user)
    await session.commit()
    assert (raw["users"].find_one() or {})["_id"] == ObjectId("507f1f77bcf86cd799439011")
    with pytest.raises(InvalidRequestError, match="can no longer be changed"):
        user._id = "507f1f77bcf86cd799439012"


def test_the_key_of_what_odmantic_stored_is_text(sync_engine: SyncEngine) -> None:
    class Simple(MongoBaseModel):
        __tablename__ = "simple"
        name: str

    user = Simple(name="Ann")
    others = [Simple(name="Bob"), Simple(name="Cid")]
    sync_engine.save(user)
    sync_engine.save_all(others)
    assert [one._id for one in (user, *others)] == [str(one.id) for one in (user, *others)]
    with pytest.raises(InvalidRequestError, match="can no longer be changed"):
        user._id = "507f1f77bcf86cd799439012"


async def test_a_key_set_to_none_is_made_up_anew(session: AsyncSession, raw: Database[Document]) -> None:
    user = User(name="Ann", email="a")
    user._id = "507f1f77bcf86cd799439011"
    user._id = None
    assert user._id is None
    session.add(user)
    await session.commit()
    assert (raw["users"].find_one() or {})["_id"] == user.id != ObjectId("507f1f77bcf86cd799439011")
    with pytest.raises(InvalidRequestError, match="can no longer be changed"):
        user._id = None


def test_a_key_that_is_not_made_up_cannot_be_none() -> None:
    class Coded(MongoBaseModel):
        __tablename__ = "coded"
        code: str = ODMField(primary_field=True)

    with pytest.raises(ArgumentError, match="keys of Coded are not made up; assign one"):
        Coded(code="a")._id = None


async def test_a_row_has_the_key_as_text(session: AsyncSession) -> None:
    user = User(name="Ann", email="a")
    session.add(user)
    await session.commit()
    row: Any = await (await session.execute(select(untyped._id, untyped.id, untyped.name))).one()
    assert row == (str(user.id), user.id, "Ann")
    assert (row._id, row["_id"], row.id) == (user._id, user._id, user.id)
    assert await session.scalars(select(untyped._id).distinct()).all() == [user._id]
    assert await session.scalars(select(untyped._id).where(untyped._id == user._id)).one() == user._id


async def test_a_dict_in_where_is_sent_as_it_is(session: AsyncSession) -> None:
    user = User(name="Ann", email="a")
    session.add(user)
    await session.commit()
    assert await session.scalars(select(User).where({"_id": user._id})).first() is None
    assert await session.scalars(select(User).where({"_id": user.id})).first() is user


def test_a_key_of_the_wrong_kind() -> None:
    user = User(name="Ann")
    with pytest.raises(ArgumentError, match=r"'zz' does not fit User\.id"):
        user._id = "zz"
    with pytest.raises(ArgumentError, match="holds ObjectIds, and 'zz' is none"):
        select(User).where(untyped._id == "zz")


async def test_expire_shows(session: AsyncSession) -> None:
    user = User(name="Ann", email="a")
    session.add(user)
    await session.commit()
    session.expire(user)
    assert user._expired is True
    await session.refresh(user)
    assert user._expired is False
    session.expunge(user)
    assert user._session is None


# -- stored -------------------------------------------------------------------------------------------------------


async def test_documents_have_the_declared_keys_and_the_id(session: AsyncSession, raw: Database[Document]) -> None:
    session.add(User(name="Ann", email="a", address=Address(city="Rome"), homes=[Address(city="Oslo", street="1")]))
    await session.commit()
    document = raw["users"].find_one({}, {"_id": 0})
    assert document == {
        "created": None,
        "version": 1,
        "name": "Ann",
        "email": "a",
        "bio": None,
        "tags": [],
        "scores": {},
        "address": {"city": "Rome", "way": ""},
        "homes": [{"city": "Oslo", "way": "1"}],
        "size": {"width": 1},
    }


async def test_what_is_stored_comes_back(session_maker: SessionMaker) -> None:
    user = User(name="Ann", email="a", address=Address(city="Rome"), homes=[Address(city="Oslo")], size=Size(width=2))
    async with session_maker() as first:
        first.add(user)
        await first.commit()
    async with session_maker() as second:
        again = await second.scalars(select(User)).one()
        assert again is not user
        assert again == user
        assert again.address is not None
        again.address.city = "Bonn"
        assert second.dirty == [again]
        await second.commit()


async def test_a_field_called_id(backend: Backend, raw: Database[Document]) -> None:
    database = raw.client["mongotic_test_tickets"]
    database["tickets"].drop()
    async with backend.maker()() as session:
        ticket = Ticket(id=7)
        session.add(ticket)
        await session.commit()
        document = database["tickets"].find_one() or {}
        assert document == {"_id": ObjectId(ticket._id), "id": 7, "holder": ""}
        assert await session.scalars(select(Ticket).where(Ticket.id == 7)).one() is ticket
        assert await session.get(Ticket, document["_id"]) is ticket
    raw.client.drop_database("mongotic_test_tickets")


async def test_references_between_them(session: AsyncSession, session_maker: SessionMaker) -> None:
    session.add(Team(name="t", lead=User(name="Ann", email="a")))
    await session.commit()
    async with session_maker() as other:
        team = await other.scalars(select(Team)).one()
        assert team.lead.name == "Ann"
        assert await other.scalars(select(Team).where(Team.lead == team.lead)).count() == 1


async def test_a_model_without_a_table_is_reported_when_it_is_used(session: AsyncSession) -> None:
    with pytest.raises(ArgumentError, match="Nowhere has no __tablename__"):
        select(Nowhere)
    with pytest.raises(ArgumentError, match="Nowhere has no __tablename__"):
        session.add(Nowhere(name="a"))


async def test_odmantics_engine_works_on_it(sync_engine: SyncEngine, raw: Database[Document]) -> None:
    engine: Any = sync_engine  # ODMantic types conditions as its own
    engine.save(Ticket(id=3, holder="Ann"))
    assert [ticket.id for ticket in engine.find(Ticket, Ticket.holder == "Ann", sort=Ticket.id)] == [3]
    assert engine.count(Ticket, col(Ticket.holder).in_(["Ann"])) == 1
    assert engine.remove(Ticket, Ticket.id > 0) == 1


# -- indexes ------------------------------------------------------------------------------------------------------


async def test_indexes_are_created(backend: Backend, raw: Database[Document]) -> None:
    bind: Any = backend.engine
    for _ in range(2):
        if backend.name == "sync":
            create_indexes(bind, User, Team)
        else:
            await create_async_indexes(bind, User, Team)
    assert sorted(raw["users"].index_information()) == ["_id_", "email_1"]


async def test_indexes_of_no_model_are_refused(sync_engine: SyncEngine, pymongo_engine: AIOEngine) -> None:
    with pytest.raises(ArgumentError, match=r"takes the model classes too: create_indexes\(engine, User, Book\)"):
        create_indexes(sync_engine)
    with pytest.raises(ArgumentError, match=r"create_async_indexes\(engine, User, Book\)"):
        await create_async_indexes(pymongo_engine)


async def test_a_conflicting_index_is_an_operational_error(backend: Backend, raw: Database[Document]) -> None:
    raw["users"].create_index("email", name="email_1")
    bind: Any = backend.engine

    async def create() -> None:
        if backend.name == "sync":
            create_indexes(bind, User)
        else:
            await create_async_indexes(bind, User)

    with pytest.raises(OperationFailure, match="createIndexes on 'users' failed"):
        await create()


# -- plain Pydantic models in it ----------------------------------------------------------------------------------


class Line(BaseModel):
    qty: int = Field(0, alias="Qty")
    price: Decimal = Decimal(1)
    note: str = Field("", exclude=True)


class Order(MongoBaseModel):
    __tablename__ = "orders"
    line: Line = Line()
    lines: list[Line] = Field(default_factory=list)


async def test_a_change_in_place_leaves_the_other_values_of_a_plain_model(
    session: AsyncSession, raw: Database[Document]
) -> None:
    order = Order(line=Line(Qty=7, price=Decimal("1.50"), note="n"), lines=[Line(Qty=8)])
    session.add(order)
    await session.commit()
    stored = {"qty": 7, "price": Decimal128("1.50"), "note": "n"}
    lines = [{"qty": 8, "price": Decimal128("1"), "note": ""}]
    assert raw["orders"].find_one() == {"_id": order.id, "line": stored, "lines": lines}

    session.expunge_all()
    read: Any = await session.get(Order, order.id)
    assert read == order
    read.line.price = Decimal(2)
    read.lines.append(Line(Qty=9))
    await session.commit()
    lines.append({"qty": 9, "price": Decimal128("1"), "note": ""})
    changed = {**stored, "price": Decimal128("2")}
    assert raw["orders"].find_one() == {"_id": order.id, "line": changed, "lines": lines}


async def test_a_document_of_another_program_is_read_by_alias_and_changed_by_name(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["orders"].insert_one({"line": {"Qty": 7}, "lines": [{"Qty": 8}, {"qty": 9}]})
    order = await session.scalars(select(Order)).one()
    assert (order.line.qty, [line.qty for line in order.lines]) == (7, [8, 9])
    assert session.dirty == []
    assert await session.scalars(select(col(Order.line).qty)).all() == [7]
    assert await session.scalars(select(col(Order.lines).qty)).all() == [[8, 9]]
    order.line.note = "n"
    await session.commit()
    assert raw["orders"].find_one({}, {"_id": 0, "line": 1}) == {"line": {"Qty": 7, "note": "n"}}
    order.line.qty = 10
    await session.commit()
    await session.refresh(order)
    assert order.line == Line(Qty=10, note="n")


async def test_a_plain_model_that_could_not_be_read_back_is_not_sent(
    session: AsyncSession, raw: Database[Document]
) -> None:
    order = Order(line=Line(Qty=7))
    session.add(order)
    await session.commit()
    cast("Any", order.line).qty = "many"
    with pytest.raises(ArgumentError, match=r"Order\.line cannot be stored: it could not be read back: qty: "):
        await session.commit()
    assert raw["orders"].find_one({}, {"_id": 0, "line.qty": 1}) == {"line": {"qty": 7}}
    order.line.qty = 8
    await session.commit()
    assert raw["orders"].find_one({}, {"_id": 0, "line.qty": 1}) == {"line": {"qty": 8}}


async def test_conditions_on_plain_models_use_the_names_of_their_fields(session: AsyncSession) -> None:
    session.add_all([Order(line=Line(Qty=qty), lines=[Line(Qty=qty + 10)]) for qty in range(3)])
    await session.commit()
    for condition in (
        col(Order.line).qty == 1,
        col(Order.lines).qty == 11,
        col(Order.line) == Line(Qty=1),
        col(Order.lines) == [Line(Qty=11)],
        col(Order.lines).contains(Line(Qty=11)),
    ):
        assert [order.line.qty for order in await session.scalars(select(Order).where(condition)).all()] == [1]
