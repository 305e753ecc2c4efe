"""ODMantic's ten losses: each is shown on plain ODMantic first, then not to happen with mongotic.

The numbers are those of the list in the design notes.
"""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import AsyncIterator
from typing import Any, TypeVar, cast

import pytest
from bson.errors import InvalidDocument
from odmantic import AIOEngine, Field, Model, Reference, SyncEngine
from odmantic.exceptions import DocumentParsingError, DuplicateKeyError
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError as DriverDuplicateKeyError
from pymongo.errors import InvalidOperation, OperationFailure

from mongotic import ArgumentError, IntegrityError, OperationalError, StaleDataError, col, select
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, Document, maybe_awaited

T = TypeVar("T")


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Publisher(Model):
    name: str
    tags: list[str] = []


class Book(Model):
    title: str
    publisher: Publisher = Reference()


class Badge(Model):
    code: str = Field(primary_field=True)
    owner: str


class Plain:
    """ODMantic's engine, awaited whichever kind it is."""

    def __init__(self, engine: SyncEngine | AIOEngine) -> None:
        self.engine: Any = engine  # the two kinds share no base, and ODMantic leaves their signatures half open

    async def save(self, instance: Model) -> None:
        await self._result(self.engine.save(instance))

    async def one(self, model: type[T]) -> T:
        found = await self._result(self.engine.find_one(model))
        assert found is not None
        return cast("T", found)

    async def all(self, model: type[T], *conditions: Any) -> list[T]:
        return [instance async for instance in self.each(model, *conditions)]

    async def each(self, model: type[T], *conditions: Any) -> AsyncIterator[T]:
        cursor = self.engine.find(model, *conditions)
        if isinstance(self.engine, SyncEngine):
            for instance in cursor:
                yield instance
                del instance
        else:
            async for instance in cursor:
                yield instance
                del instance

    @staticmethod
    async def _result(value: object) -> object:
        return await value if inspect.isawaitable(value) else value


@pytest.fixture
def plain(backend: Backend) -> Plain:
    return Plain(backend.engine)


def documents(raw: Database[Document], collection: str) -> list[Document]:
    return list(raw[collection].find({}, {"_id": 0}))


async def test_1_resurrection(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    await plain.save(User(name="Ann"))
    user = await plain.one(User)
    raw["user"].delete_many({})
    user.age = 31
    await plain.save(user)
    assert documents(raw, "user") == [{"age": 31, "tags": []}]
    with pytest.raises(DocumentParsingError):
        await plain.one(User)
    raw["user"].delete_many({})

    user = User(name="Bob")
    session.add(user)
    await session.commit()
    raw["user"].delete_many({})
    user.age = 31
    with pytest.raises(StaleDataError):
        await session.commit()
    assert documents(raw, "user") == []


async def test_2_overwritten_containers(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    await plain.save(User(name="Ann"))
    user = await plain.one(User)
    raw["user"].update_one({}, {"$push": {"tags": "theirs"}})
    user.age = 31
    await plain.save(user)
    assert documents(raw, "user") == [{"name": "Ann", "age": 31, "tags": []}]
    raw["user"].delete_many({})

    user = User(name="Bob")
    session.add(user)
    await session.commit()
    raw["user"].update_one({}, {"$push": {"tags": "theirs"}})
    user.age = 31
    await session.commit()
    assert documents(raw, "user") == [{"name": "Bob", "age": 31, "tags": ["theirs"]}]


async def test_3_an_abort_believed_saved(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    user = User(name="Ann")
    transaction = plain.engine.transaction()
    await maybe_awaited(transaction.start())
    await maybe_awaited(transaction.save(user))
    await maybe_awaited(transaction.abort())
    await plain.save(user)
    assert documents(raw, "user") == [{"tags": []}]
    raw["user"].delete_many({})

    user = User(name="Bob")
    session.begin()
    session.add(user)
    await session.flush()
    await session.rollback()
    session.add(user)
    await session.commit()
    assert documents(raw, "user") == [{"name": "Bob", "age": 0, "tags": []}]


async def test_4_a_leaked_driver_session(backend: Backend, session: AsyncSession, raw: Database[Document]) -> None:
    engine: Any = backend.engine
    raw["user"].insert_one({"name": "Ann"})
    transaction = engine.transaction()
    if backend.name == "sync":
        with transaction:
            engine.count(User, session=transaction)
    else:
        async with transaction:
            await engine.count(User, session=transaction)
    # The engine that mongotic brings for PyMongo's own asyncio client ends it.
    assert transaction.session.is_started is (backend.name != "pymongo")
    if transaction.session.is_started:
        await maybe_awaited(transaction.session.end())

    async with session.begin():
        await session.scalars(select(User.name)).all()
        own = cast("Any", session.odmantic).session
        assert own.is_started
    assert not own.is_started


async def test_5_silent_overwrite(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    await plain.save(Badge(code="1", owner="Ann"))
    await plain.save(Badge(code="1", owner="thief"))
    assert documents(raw, "badge") == [{"owner": "thief"}]

    session.add(Badge(code="1", owner="other thief"))
    with pytest.raises(IntegrityError) as caught:
        await session.commit()
    assert isinstance(caught.value, DuplicateKeyError)
    assert isinstance(caught.value, DriverDuplicateKeyError)
    assert documents(raw, "badge") == [{"owner": "thief"}]


async def test_6_cascading_writes(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    await plain.save(Book(title="b", publisher=Publisher(name="North")))
    book = await plain.one(Book)
    raw["publisher"].update_one({}, {"$push": {"tags": "theirs"}})
    book.title = "c"
    await plain.save(book)
    assert documents(raw, "publisher") == [{"name": "North", "tags": []}]

    loaded = await session.scalars(select(Book)).one()
    raw["publisher"].update_one({}, {"$push": {"tags": "theirs"}})
    loaded.title = "d"
    await session.commit()
    assert documents(raw, "publisher") == [{"name": "North", "tags": ["theirs"]}]


async def test_7_a_condition_dropped_by_and(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": "Ann", "age": 30}, {"name": "Bob", "age": 30}])
    dropped = (User.name == "Ann") and (User.age == 30)
    assert [user.name for user in await plain.all(User, dropped)] == ["Ann", "Bob"]

    with pytest.raises(TypeError):
        select(User).where((col(User.name) == "Ann") and (col(User.age) == 30))
    both = select(User).where(User.name == "Ann", User.age == 30)
    assert [user.name for user in await session.scalars(both).all()] == ["Ann"]


async def test_8_a_value_that_is_none(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    raw["user"].insert_many([{"name": "a"}, {"name": "abc"}])
    assert [user.name for user in await plain.all(User, cast("Any", User.name).in_("abc"))] == ["a"]
    with pytest.raises(InvalidDocument):
        await plain.all(User, cast("Any", User.age) == User.name)

    with pytest.raises(ArgumentError):
        select(User).where(col(User.name).in_("abc"))


async def test_9_a_stream_that_is_a_list(
    session: AsyncSession, plain: Plain, backend: Backend, raw: Database[Document]
) -> None:
    raw["user"].insert_many([{"name": str(number)} for number in range(20)])
    alive: list[weakref.ref[User]] = []
    most = 0
    async for user in plain.each(User):
        alive.append(weakref.ref(user))
        del user
        gc.collect()
        most = max(most, sum(found() is not None for found in alive))
    assert most == (1 if backend.name == "pymongo" else 20)  # that engine is mongotic's own

    alive.clear()
    most = 0
    async for user in session.scalars(select(User)):
        alive.append(weakref.ref(user))
        del user
        gc.collect()
        most = max(most, sum(found() is not None for found in alive))
    assert most <= 3


async def test_10_what_follows_a_commit_that_failed(
    backend: Backend, session: AsyncSession, raw: Database[Document], raw_client: MongoClient[Document]
) -> None:
    engine: Any = backend.engine
    raw["user"].insert_one({"name": "theirs"})

    def refuse() -> None:
        point = {"failCommands": ["commitTransaction"], "errorCode": 251, "closeConnection": False}
        raw_client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=point)

    transaction = engine.transaction()
    await maybe_awaited(transaction.start())
    await maybe_awaited(transaction.save(User(name="Ann")))
    refuse()
    with pytest.raises(OperationFailure):
        await maybe_awaited(transaction.commit())
    with pytest.raises(InvalidOperation):
        await maybe_awaited(transaction.abort())
    if transaction.session.is_started:
        await maybe_awaited(transaction.session.end())

    user = User(name="Bob")
    session.begin()
    session.add(user)
    await session.flush()
    refuse()
    with pytest.raises(OperationalError):
        await session.commit()
    await session.rollback()
    assert user not in session
    session.add(user)
    await session.commit()
    assert sorted(document["name"] for document in documents(raw, "user")) == ["Bob", "theirs"]
