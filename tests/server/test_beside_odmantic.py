"""mongotic beside plain ODMantic on one database: what each has loaded or saved, the other can go on with."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import inspect
from typing import Any, TypeVar, cast

import pytest
from odmantic import AIOEngine, Model, Reference, SyncEngine
from pymongo.database import Database

from mongotic import IntegrityError, InvalidRequestError, select
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, CommandLog, Document

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


class Plain:
    """ODMantic's engine, awaited whichever kind it is."""

    def __init__(self, engine: SyncEngine | AIOEngine) -> None:
        self._engine: Any = engine  # the two kinds share no base, and ODMantic leaves their signatures half open

    async def save(self, instance: Model) -> None:
        await self._result(self._engine.save(instance))

    async def one(self, model: type[T]) -> T:
        found = await self._result(self._engine.find_one(model))
        assert found is not None
        return cast("T", found)

    @staticmethod
    async def _result(value: object) -> object:
        return await value if inspect.isawaitable(value) else value


@pytest.fixture
def plain(backend: Backend) -> Plain:
    return Plain(backend.engine)


def documents(raw: Database[Document], collection: str) -> list[Document]:
    return list(raw[collection].find({}, {"_id": 0}))


# -- going on with each other's instances -------------------------------------------------------------------------


async def test_an_instance_odmantic_loaded_is_updated_not_inserted(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    await plain.save(User(name="Ann"))
    user = await plain.one(User)
    user.age = 31
    user.tags.append("x")
    session.add(user)
    await session.commit()
    assert documents(raw, "user") == [{"name": "Ann", "age": 31, "tags": ["x"]}]


async def test_an_instance_odmantic_saved_can_be_changed_and_deleted(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    user = User(name="Ann")
    await plain.save(user)
    session.add(user)
    user.name = "Anna"
    await session.commit()
    assert documents(raw, "user") == [{"name": "Anna", "age": 0, "tags": []}]
    session.delete(user)
    await session.commit()
    assert documents(raw, "user") == []


async def test_an_instance_odmantic_loaded_can_be_deleted_at_once(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    await plain.save(User(name="Ann"))
    session.delete(await plain.one(User))
    await session.commit()
    assert documents(raw, "user") == []


async def test_an_unwritten_field_of_an_adopted_instance_is_not_written(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    await plain.save(User(name="Ann", age=30))
    user = await plain.one(User)
    raw["user"].update_one({}, {"$set": {"age": 77}})
    user.name = "Anna"
    session.add(user)
    await session.commit()
    assert documents(raw, "user") == [{"name": "Anna", "age": 77, "tags": []}]


async def test_rollback_of_an_adopted_instance_undoes_what_is_known(session: AsyncSession, plain: Plain) -> None:
    await plain.save(User(name="Ann", age=30, tags=["a"]))
    user = await plain.one(User)
    user.tags.append("before")
    session.add(user)
    user.age = 31
    session.rollback()
    assert (user.age, user.tags) == (30, ["a", "before"])
    assert user not in session


async def test_a_reference_to_what_odmantic_loaded_is_not_written(
    session: AsyncSession, plain: Plain, raw: Database[Document], commands: CommandLog
) -> None:
    await plain.save(Publisher(name="North", tags=["a"]))
    publisher = await plain.one(Publisher)
    raw["publisher"].update_one({}, {"$push": {"tags": "theirs"}})
    commands.sent.clear()
    session.add(Book(title="b", publisher=publisher))
    await session.commit()
    assert commands.names() == ["insert book"]
    assert documents(raw, "publisher") == [{"name": "North", "tags": ["a", "theirs"]}]


async def test_an_instance_odmantic_loaded_with_its_references_can_be_changed(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    await plain.save(Book(title="b", publisher=Publisher(name="North", tags=["a"])))
    book = await plain.one(Book)
    raw["publisher"].update_one({}, {"$push": {"tags": "theirs"}})
    session.add(book)
    book.title = "c"
    await session.commit()
    assert [document["title"] for document in documents(raw, "book")] == ["c"]
    assert documents(raw, "publisher") == [{"name": "North", "tags": ["a", "theirs"]}]
    book.publisher.name = "South"
    await session.commit()
    assert documents(raw, "publisher") == [{"name": "South", "tags": ["a", "theirs"]}]


async def test_a_new_target_of_an_instance_odmantic_loaded_is_stored(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    await plain.save(Book(title="b", publisher=Publisher(name="North")))
    book = await plain.one(Book)
    book.publisher = Publisher(name="South")
    session.add(book)
    await session.commit()
    assert documents(raw, "publisher") == [{"name": "North", "tags": []}, {"name": "South", "tags": []}]
    assert [document["publisher"] for document in documents(raw, "book")] == [book.publisher.id]


async def test_odmantic_can_save_what_mongotic_loaded(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    session.add(User(name="Ann"))
    await session.commit()
    user = await session.scalars(select(User)).one()
    user.age = 31
    await plain.save(user)
    assert documents(raw, "user") == [{"name": "Ann", "age": 31, "tags": []}]
    user.age = 32
    await session.commit()
    assert documents(raw, "user") == [{"name": "Ann", "age": 32, "tags": []}]


async def test_what_mongotic_deleted_odmantic_can_save_anew(
    session: AsyncSession, plain: Plain, raw: Database[Document]
) -> None:
    user = User(name="Ann", age=3)
    session.add(user)
    await session.commit()
    session.delete(user)
    await session.commit()
    await plain.save(user)
    assert documents(raw, "user") == [{"name": "Ann", "age": 3, "tags": []}]


async def test_a_copy_is_a_new_instance(session: AsyncSession, plain: Plain, raw: Database[Document]) -> None:
    await plain.save(User(name="Ann"))
    user = await plain.one(User)
    constructed = User.model_construct(id=user.id, name="constructed", age=user.age, tags=user.tags)
    session.add(constructed)
    with pytest.raises(IntegrityError):
        await session.commit()
    with pytest.raises(InvalidRequestError, match="not stored yet"):
        session.delete(constructed)
