"""What users get wrong: refused in the line that does it, with the value and the remedy, and nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

import mongotic
from mongotic import (
    ArgumentError,
    DocumentError,
    FlushError,
    InvalidRequestError,
    OperationalError,
    Session,
    and_,
    asc,
    delete,
    desc,
    not_,
    or_,
    select,
    update,
)
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, CommandLog, Document


class Color(Enum):
    RED = "red"


class User(Model):
    name: str
    age: int = 0


class Order(Model):
    total: Decimal
    color: Color = Color.RED
    day: date | None = None
    anything: Any = None  # users have such fields


untyped: Any = mongotic
untyped_user: Any = User

CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "bool in where": (lambda: select(User).where(True), TypeError, "got True, which is no condition"),
    "instance compared": (
        lambda: select(User).where(User(name="a").name == "a"), TypeError, "attribute of an instance"),
    "text in where": (lambda: untyped.select(User).where("name = 1"), TypeError, "got 'name = 1'"),
    "field of another model": (
        lambda: select(User).where(Order.total == 1), ArgumentError, "'total' is no field of User"),
    "field of another model, nested": (
        lambda: select(User).where(and_(User.age > 1, or_(Order.total == 1))), ArgumentError,
        "'total' is no field of User"),
    "field of another model in delete": (
        lambda: delete(User).where(Order.total == 1), ArgumentError, "no field of User"),
    "two fields compared": (
        lambda: select(User).where(untyped_user.name == User.age), ArgumentError, r"col\(User\.name\)"),
    "unknown keyword": (lambda: select(User).filter_by(nam="a"), ArgumentError, "User has no field 'nam'"),
    "order of another model": (
        lambda: select(User).order_by(Order.total), ArgumentError, "'total' is no field of User"),
    "order of another model, desc": (
        lambda: select(User).order_by(desc(Order.total)), ArgumentError, "no field of User"),
    "order by text": (lambda: select(User).order_by("name"), TypeError, r"takes fields such as User\.id"),
    "asc of text": (lambda: asc("name"), TypeError, "takes a field of a model class"),
    "negative limit": (lambda: select(User).limit(-1), ValueError, "from 0, got -1"),
    "negative offset": (lambda: select(User).offset(-1), ValueError, "from 0, got -1"),
    "limit by bool": (lambda: select(User).limit(True), TypeError, "got True"),
    "limit by text": (lambda: untyped.select(User).limit("1"), TypeError, "got '1'"),
    "select of an instance": (lambda: untyped.select(User(name="a")), TypeError, r"derived from odmantic\.Model"),
    "select of Model itself": (lambda: select(Model), TypeError, r"derived from odmantic\.Model"),
    "select of a string": (lambda: untyped.select("User"), TypeError, "got 'User'"),
    "and_ of a bool": (lambda: and_(User.age > 1, True), TypeError, "got True"),
    "or_ of nothing": (lambda: or_(), ArgumentError, "at least one"),
    "not_ of a bool": (lambda: not_(False), TypeError, "got False"),
    "dict with a key that is no text": (
        lambda: untyped.select(User).where({1: 2}), TypeError, "1 cannot be a key"),
    "$and of no list": (lambda: select(User).where({"$and": 3}), TypeError, r"\$and takes a list"),
    "update of a model's unknown field": (
        lambda: update(User).values(nam=1), ArgumentError, "no field 'nam'"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), CALLS.values(), ids=CALLS)
def test_a_wrong_statement_is_refused_where_it_is_written(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("key", ["zz", 1, None, b"x", {"$gt": ""}, ["0" * 24], 1.5])
async def test_a_key_of_the_wrong_kind(session: AsyncSession, key: object, commands: CommandLog) -> None:
    with pytest.raises(ArgumentError, match=r"does not fit User\.id"):
        await session.get(User, key)
    assert commands.sent == []


async def test_get_of_no_model(session: AsyncSession) -> None:
    session_of_anything: Any = session
    with pytest.raises(TypeError, match=r"derived from odmantic\.Model"):
        await session_of_anything.get("User", 1)


async def test_operators_in_values_are_data(session: AsyncSession, raw: Database[Document]) -> None:
    session.add(Order(total=Decimal(1), anything={"$gt": ""}))
    await session.commit()
    assert await session.scalars(select(Order).filter_by(anything={"$gt": ""})).count() == 1
    assert (await session.execute(update(Order).values(anything={"$ne": 1}))).rowcount == 1
    assert (raw["order"].find_one() or {})["anything"] == {"$ne": 1}


async def test_filters_encode_what_documents_hold(session: AsyncSession) -> None:
    session.add(Order(total=Decimal("1.5"), day=date(2026, 1, 2)))
    await session.commit()
    for criterion in (
        Order.total == Decimal("1.50"),
        Order.color == Color.RED,
        {"color": {"$in": [Color.RED]}},
        {"day": date(2026, 1, 2)},
        {"$or": [{"total": {"$gt": Decimal(1)}}]},
    ):
        assert await session.scalars(select(Order).where(criterion)).count() == 1
    assert (await session.scalars(select(Order)).one()).day == date(2026, 1, 2)


@pytest.mark.parametrize(
    "value",
    [2**70, object(), {"nul\0key": 1}, {1: 2}, "\ud800", {"deep": lambda: 1}, complex(1, 2)],
    ids=["int", "object", "nul", "int key", "surrogate", "function", "complex"],
)
async def test_values_bson_cannot_hold(session: AsyncSession, value: object, commands: CommandLog) -> None:
    session.add(Order(total=Decimal(1)))
    session.add(Order(total=Decimal(1), anything=value))
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        await session.commit()
    assert commands.sent == []


async def test_a_value_that_contains_itself(session: AsyncSession, commands: CommandLog) -> None:
    order = Order(total=Decimal(1))
    session.add(order)
    order.anything = []
    order.anything.append(order.anything)
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        await session.commit()
    assert commands.sent == []


async def test_a_filter_value_bson_cannot_hold(session: AsyncSession) -> None:
    with pytest.raises(ArgumentError, match="cannot be encoded"):
        await session.scalars(select(Order).where(Order.anything == 2**70)).all()
    with pytest.raises(ArgumentError, match="cannot be encoded"):
        await session.execute(update(Order).where(Order.anything == object()).values(color=Color.RED))


async def test_a_document_over_16_mib(session: AsyncSession, commands: CommandLog) -> None:
    session.add(User(name="x" * (17 * 1024 * 1024)))
    with pytest.raises(ArgumentError, match="MongoDB takes at most 16,777,216"):
        await session.commit()
    assert commands.sent == []


async def test_a_document_that_does_not_fit_its_model(session: AsyncSession, raw: Database[Document]) -> None:
    key = raw["user"].insert_one({"name": "Ann", "age": "old"}).inserted_id
    raw["user"].insert_one({"age": 3})
    with pytest.raises(DocumentError, match=str(key)) as caught:
        await session.scalars(select(User).where(User.name == "Ann")).all()
    assert caught.value.key == key
    assert "age" in str(caught.value)
    with pytest.raises(DocumentError, match="Key 'name' not found in document"):
        await session.scalars(select(User).where({"age": 3})).one()


async def test_an_operator_the_server_does_not_know(session: AsyncSession) -> None:
    with pytest.raises(OperationalError, match="find on 'user' failed") as caught:
        await session.scalars(select(User).where({"name": {"$near_enough": 1}})).all()
    assert isinstance(caught.value, PyMongoError)
    assert caught.value.driver_error is caught.value.__cause__


@pytest.fixture
async def unreachable(backend: Backend) -> AsyncIterator[Any]:
    kinds: dict[str, tuple[Any, Any]] = {
        "sync": (MongoClient, SyncEngine),
        "motor": (AsyncIOMotorClient, AIOEngine),
        "pymongo": (AsyncMongoClient, PyMongoEngine),
    }
    client_class, engine_class = kinds[backend.name]
    client = client_class("mongodb://127.0.0.1:9/", serverSelectionTimeoutMS=150)
    yield engine_class(client, "nowhere")
    closing = client.close()
    if closing is not None:
        await closing


async def test_an_unreachable_server(backend: Backend, unreachable: Any) -> None:
    async with backend.maker(unreachable)() as session:
        with pytest.raises(OperationalError, match="Is the server running"):
            await session.scalars(select(User)).all()
        with pytest.raises(ServerSelectionTimeoutError):
            await session.get(User, ObjectId())
        with pytest.raises(OperationalError):
            await session.execute(delete(User))
        user = User(name="Ann")
        session.add(user)
        with pytest.raises(FlushError, match="Is the server running") as caught:
            await session.commit()
        assert isinstance(caught.value, ServerSelectionTimeoutError)
        assert (caught.value.written, caught.value.pending) == ([], [user])
        assert session.new == [user]


async def test_two_operations_at_a_time_are_refused_and_the_session_goes_on(motor_engine: AIOEngine) -> None:
    async with AsyncSession(motor_engine) as session:
        first = asyncio.ensure_future(session.scalars(select(User)).all())
        await asyncio.sleep(0)
        with pytest.raises(InvalidRequestError, match="still under way"):
            await session.scalars(select(User)).all()
        with pytest.raises(InvalidRequestError, match="one session per task"):
            session.add(User(name="Ann"))
        assert await first == []
        assert await session.scalars(select(User)).count() == 0


async def test_a_blocking_session_works_inside_a_running_loop(sync_engine: SyncEngine) -> None:
    with Session(sync_engine) as session:
        session.add(User(name="Ann"))
        session.commit()
        assert [user.name for user in session.scalars(select(User))] == ["Ann"]


async def test_a_naive_reader_of_time_gets_what_odmantic_gives(session: AsyncSession, raw: Database[Document]) -> None:
    raw["order"].insert_one({"total": "1", "color": "red", "anything": datetime(2026, 1, 2, 3, 4, 5, 678_000)})
    order = await session.scalars(select(Order)).one()
    assert order.anything == datetime(2026, 1, 2, 3, 4, 5, 678_000)
    assert session.dirty == []
