"""`inspect`, `object_session`, `make_transient` and `session.clone`, on ODMantic's models and on `MongoBaseModel`."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
import pickle
import uuid
from typing import Any

import pydantic
import pytest
from odmantic import EmbeddedModel, Field, Model, ObjectId, Reference
from pymongo import MongoClient
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    MongoBaseModel,
    Session,
    UnmappedInstanceError,
    inspect,
    make_transient,
    object_session,
    orm,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError
from mongotic.inspection import History
from tests.conftest import Backend, CommandLog, Document, SessionMaker, undressed


class Address(EmbeddedModel):
    city: str = Field(default="Rome", key_name="town")
    streets: list[str] = []


class Team(Model):
    name: str = Field(primary_field=True)


class Plain(Model):
    name: str = ""
    age: int = Field(default=0, key_name="years")
    tags: list[str] = []
    address: Address = Address()
    token: str = "t"

    model_config = {"collection": "people"}


class Based(MongoBaseModel):
    __tablename__ = "people"

    name: str = ""
    age: int = Field(default=0, key_name="years")
    tags: list[str] = pydantic.Field(default_factory=list)
    address: Address = Address()
    token: str = "t"


class Member(Model):
    name: str = ""
    team: Team = Reference()


class Open(Model):
    model_config = {"extra": "allow"}
    name: str = ""


MODELS: Any = [Plain, Based]


@pytest.fixture(params=MODELS)
def person(request: pytest.FixtureRequest) -> Any:
    return request.param


STATES = ("transient", "pending", "persistent", "deleted", "detached")


def state(instance: Any) -> str:
    found = inspect(instance)
    true = [name for name in STATES if getattr(found, name)]
    assert len(true) == 1, true
    return true[0]


# -- states -------------------------------------------------------------------------------------------------------


async def test_the_life_of_an_instance(session: AsyncSession, person: Any) -> None:
    own = undressed(session)
    one = person(name="Ann")
    seen: list[tuple[str, bool, bool, bool]] = []

    def look() -> None:
        found = inspect(one)
        assert object_session(one) is found.session
        assert found.session in (None, own)
        assert found.identity in (None, one.id)
        seen.append((state(one), found.session is own, found.identity is not None, found.expired))

    look()
    session.add(one)
    look()
    await session.rollback()
    look()
    session.add(one)
    await session.flush()
    look()
    session.expire(one)
    look()
    await session.refresh(one)
    look()
    session.expunge(one)
    look()
    session.add(one)
    look()
    await session.flush()
    look()
    session.delete(one)
    look()
    await session.flush()
    look()
    await session.commit()
    look()
    assert seen == [
        ("transient", False, False, False),
        ("pending", True, False, False),
        ("transient", False, False, False),
        ("persistent", True, True, False),
        ("persistent", True, True, True),
        ("persistent", True, True, False),
        ("detached", False, True, False),
        ("pending", True, True, False),
        ("persistent", True, True, False),
        ("persistent", True, True, False),
        ("deleted", True, False, False),
        ("detached", False, False, False),
    ]


async def test_what_was_merged_is_pending_until_a_document_is_known(
    session: AsyncSession, person: Any, raw: Database[Document]
) -> None:
    one = person(id=ObjectId())
    session.merge(one)
    assert (state(one), inspect(one).identity) == ("pending", None)
    await session.flush()
    assert (state(one), inspect(one).identity) == ("persistent", one.id)
    session.merge(one)
    assert state(one) == "persistent"


async def test_closing_detaches(session_maker: SessionMaker, person: Any) -> None:
    async with session_maker() as session:
        stored, new = person(), person()
        session.add(stored)
        await session.commit()
        session.add(new)
    assert (state(stored), state(new)) == ("detached", "transient")
    assert inspect(stored).identity == stored.id
    assert object_session(stored) is None


async def test_a_session_that_was_dropped_holds_nothing(backend: Backend, person: Any) -> None:
    session = backend.maker()()
    one = person()
    session.add(one)
    await session.commit()
    del session
    assert object_session(one) is None
    assert state(one) == "detached"


def test_strangers_are_refused() -> None:
    for wrong in (None, Plain, 3, "x", Address(), object()):
        for function in (inspect, object_session, make_transient):
            with pytest.raises(UnmappedInstanceError, match=f"{function.__name__}"):
                function(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the act under test


def test_repr_names_the_instance_and_its_state() -> None:
    assert repr(inspect(Team(name="red"))) == "<Team 'red': transient>"


def test_both_homes_have_the_same_functions() -> None:
    assert (orm.object_session, orm.make_transient) == (object_session, make_transient)


# -- fields -------------------------------------------------------------------------------------------------------


async def test_modified_fields_and_history(session: AsyncSession, person: Any) -> None:
    one = person(name="Ann", tags=["a"])
    assert sorted(inspect(one).modified_fields) == ["address", "age", "id", "name", "tags", "token"]
    assert inspect(one).history("name") == History(None, "Ann")
    session.add(one)
    await session.flush()
    assert inspect(one).modified_fields == ()
    assert inspect(one).history("age") == (0, 0)
    one.age = 1
    one.tags.append("b")
    one.address.streets.append("x")
    assert inspect(one).modified_fields == ("age", "tags", "address")
    assert inspect(one).history("age") == History(old=0, new=1)
    assert inspect(one).history("tags") == (["a"], ["a", "b"])
    assert inspect(one).history("address") == (Address(), Address(streets=["x"]))
    assert inspect(one).history("token") == ("t", "t")
    one.age = 0
    assert inspect(one).modified_fields == ("tags", "address")


async def test_looking_changes_nothing(session: AsyncSession, person: Any, commands: CommandLog) -> None:
    one = person(name="Ann")
    session.add(one)
    await session.commit()
    commands.sent.clear()
    inspect(one).history("address").old.city = "Paris"  # type: ignore[attr-defined]  # a copy
    inspect(one).history("tags").old.append("x")  # type: ignore[attr-defined]
    assert inspect(one).modified_fields == ()
    await session.flush()
    assert commands.sent == []


async def test_detached_instances_are_looked_at_alike(
    session: AsyncSession, person: Any, raw: Database[Document]
) -> None:
    one = person(name="Ann")
    session.add(one)
    await session.commit()
    session.expunge(one)
    assert inspect(one).modified_fields == ()
    one.age = 5
    assert inspect(one).modified_fields == ("age",)
    assert inspect(one).history("age") == (0, 5)
    assert inspect(one).history("token") == (one.token, one.token)


class Ticket(Model):
    token: uuid.UUID
    price: int = 0


def test_detached_instances_keep_the_ways_of_their_collection(server_uri: str, raw: Database[Document]) -> None:
    with MongoClient[Document](server_uri, uuidRepresentation="standard") as client:
        with Session(client, database=raw.name) as session:
            ticket = Ticket(token=uuid.UUID(int=1))
            session.add(ticket)
            session.commit()
            assert inspect(ticket).modified_fields == ()
        assert inspect(ticket).modified_fields == ()
        ticket.price = 1
        assert inspect(ticket).modified_fields == ("price",)
        assert inspect(ticket).history("token") == (ticket.token, ticket.token)
        ticket.token = uuid.UUID(int=2)
        assert inspect(ticket).history("token") == (uuid.UUID(int=1), uuid.UUID(int=2))


async def test_a_value_that_cannot_be_stored_is_modified(session: AsyncSession) -> None:
    one = Plain(name="Ann")
    session.add(one)
    await session.commit()
    one.__dict__["name"] = object()
    assert inspect(one).modified_fields == ("name",)
    assert inspect(one).history("name").old == "Ann"
    assert inspect(one).history("age") == (0, 0)
    one.age = 4
    assert inspect(one).history("age") == (0, 4)


async def test_references_have_a_history(session: AsyncSession) -> None:
    red, blue = Team(name="red"), Team(name="blue")
    member = Member(team=red)
    session.add(member)
    await session.commit()
    member.team = blue
    found = inspect(member).history("team")
    assert found.old is red
    assert found.new is blue
    assert inspect(member).modified_fields == ("team",)


async def test_keys_that_are_no_fields_are_modified_too(session: AsyncSession) -> None:
    one = Open(name="Ann", colour="red")
    session.add(one)
    await session.commit()
    one.colour = "blue"  # pyright: ignore[reportAttributeAccessIssue]
    assert inspect(one).modified_fields == ("colour",)


def test_unknown_fields_have_no_history() -> None:
    for name in ("nothing", "", "years", "_id"):
        with pytest.raises(ArgumentError, match="Plain has no field"):
            inspect(Plain()).history(name)


async def test_is_modified(session: AsyncSession, person: Any) -> None:
    one = person()
    assert not session.is_modified(one)
    session.add(one)
    assert not session.is_modified(one)
    await session.commit()
    assert not session.is_modified(one)
    one.tags.append("x")
    assert session.is_modified(one)
    one.tags.clear()
    assert not session.is_modified(one)
    with pytest.raises(UnmappedInstanceError, match="is_modified"):
        session.is_modified(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- make_transient -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    ["transient", "pending", "persistent", "dirty", "expired", "marked", "deleted", "detached", "returned", "merged"],
)
async def test_make_transient_from_every_state(
    session: AsyncSession, person: Any, raw: Database[Document], where: str
) -> None:
    one = person(name="Ann", tags=["a"])
    if where != "transient":
        session.add(one)
    if where not in ("transient", "pending"):
        await session.commit()
    match where:
        case "dirty":
            one.age = 4
        case "expired":
            session.expire(one)
        case "marked" | "deleted":
            session.delete(one)
        case "detached" | "returned":
            session.expunge(one)
        case "merged":
            session.merge(one)
        case _:
            pass
    if where == "deleted":
        await session.flush()
    if where == "returned":
        session.add(one)
    make_transient(one)
    assert (state(one), inspect(one).session, inspect(one).identity, inspect(one).expired) == (
        "transient", None, None, False,
    )  # fmt: skip
    assert one not in session
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    await session.commit()  # what was marked is not deleted any more
    stored = where not in ("transient", "pending", "deleted")
    assert raw["people"].count_documents({}) == int(stored)
    raw["people"].delete_many({})
    session.add(one)
    assert session.new == [one]
    one.address.city = "Paris"
    await session.commit()
    document = raw["people"].find_one()
    assert document is not None
    assert (document["_id"], document["tags"], document["address"]["town"]) == (one.id, ["a"], "Paris")
    one.tags.append("b")
    assert session.dirty == [one]


async def test_an_instance_made_transient_that_is_stored_still_is_no_silent_overwrite(
    session: AsyncSession, person: Any
) -> None:
    one = person(name="Ann")
    session.add(one)
    await session.commit()
    make_transient(one)
    session.add(one)
    with pytest.raises(IntegrityError):
        await session.commit()


async def test_an_instance_of_odmantics_is_made_transient(session: AsyncSession, backend: Backend, person: Any) -> None:
    engine: Any = backend.engine
    one = person(name="Ann")
    saved = engine.save(one)
    if backend.name != "sync":
        await saved
    make_transient(one)
    session.add(one)
    assert state(one) == "pending"
    assert inspect(one).identity is None


# -- clone --------------------------------------------------------------------------------------------------------


async def test_a_clone_is_a_new_instance_with_values_of_its_own(
    session: AsyncSession, person: Any, raw: Database[Document]
) -> None:
    one = person(name="Ann", age=3, tags=["a"], address=Address(city="Paris", streets=["x"]))
    session.add(one)
    await session.commit()
    twin = session.clone(one)
    assert (state(twin), twin not in session, twin.id != one.id) == ("transient", True, True)
    twin.tags.append("b")
    twin.address.streets.append("y")
    twin.address.city = "Oslo"
    twin.age = 4
    assert (one.tags, one.address.streets, one.address.city, one.age) == (["a"], ["x"], "Paris", 3)
    assert session.dirty == []
    session.add(twin)
    await session.commit()
    assert raw["people"].find_one({"_id": twin.id}) == {
        **(raw["people"].find_one({"_id": one.id}) or {}),
        "_id": twin.id,
        "years": 4,
        "tags": ["a", "b"],
        "address": {"town": "Oslo", "streets": ["x", "y"]},
    }
    twin.age = 5
    await session.commit()
    assert [person["years"] for person in raw["people"].find().sort("years")] == [3, 5]


async def test_a_clone_shares_what_it_refers_to(session: AsyncSession, raw: Database[Document]) -> None:
    member = Member(name="Ann", team=Team(name="red"))
    session.add(member)
    await session.commit()
    twin = session.clone(member)
    assert twin.team is member.team
    session.add(twin)
    await session.commit()
    assert raw["team"].count_documents({}) == 1
    assert raw["member"].count_documents({"team": "red"}) == 2


async def test_a_clone_has_copies_of_keys_that_are_no_fields(session: AsyncSession) -> None:
    one: Any = Open(name="Ann", notes=["a"])
    twin = session.clone(one)
    twin.notes.append("b")
    assert one.notes == ["a"]


async def test_a_clone_of_a_clone_of_what_is_new(session: AsyncSession, person: Any, raw: Database[Document]) -> None:
    one = person()
    instances = [one, session.clone(one), session.clone(session.clone(one))]
    session.add_all(instances)
    await session.commit()
    assert raw["people"].count_documents({}) == 3


async def test_what_has_no_key_of_its_own_making_is_not_cloned(session: AsyncSession) -> None:
    with pytest.raises(ArgumentError, match="keys of Team are not made up"):
        session.clone(Team(name="red"))
    with pytest.raises(UnmappedInstanceError, match="clone"):
        session.clone(None)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


async def test_what_was_pickled_or_copied_is_looked_at(session: AsyncSession, person: Any) -> None:
    one = person(name="Ann")
    session.add(one)
    await session.commit()
    for twin in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert state(twin) == "transient"
        assert object_session(twin) is None
        assert inspect(twin).history("name") == (None, "Ann")
        make_transient(twin)


async def test_what_a_statement_may_have_changed_is_expired(
    session: AsyncSession, person: Any, raw: Database[Document]
) -> None:
    session.add(person(name="Ann"))
    await session.commit()
    one = await session.scalars(select(person)).one()
    await session.execute(update(person).values(age=7))
    assert (inspect(one).expired, one.age, inspect(one).modified_fields) == (True, 0, ())
    await session.get(person, one.id)
    assert (inspect(one).expired, one.age) == (False, 7)
