"""Shadow reads: the caller has what ODMantic gives, and hears nothing of the comparison."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from odmantic import AIOEngine, EmbeddedModel, Field, Model, Reference, SyncEngine
from odmantic.exceptions import DocumentParsingError
from odmantic.query import asc, desc
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from mongotic import ArgumentError, Select, insert, select, sessionmaker
from mongotic.asyncio import async_sessionmaker
from mongotic.exceptions import ArgumentTypeError
from mongotic_migration.shadow import AsyncShadowSession, Comparison, ShadowSession
from tests.conftest import Backend, Document, maybe_awaited


class Address(EmbeddedModel):
    city: str


class Country(Model):
    name: str


class User(Model):
    name: str
    age: int = 0
    score: float = 0.0
    tags: list[str] = []
    address: Address = Field(default_factory=lambda: Address(city="Rome"))
    country: Country = Reference()


class Shadows:
    """Shadow reads of either kind, awaited."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        self.engine: Any = backend.engine
        self.told = list[Comparison]()
        self.is_sync = backend.name == "sync"
        options = {"report": self.told.append, **options}
        self.inner: Any
        maker: Any = backend.real_maker()
        self.inner = ShadowSession(maker, **options) if self.is_sync else AsyncShadowSession(maker, **options)

    async def shadow(self, find: Callable[[], Any], statement: Select[Any], name: str = "") -> Any:
        return await maybe_awaited(self.inner.shadow(find, statement, name))

    async def ended(self) -> list[Comparison]:
        await maybe_awaited(self.inner.close())
        return self.told


@pytest.fixture
async def users(backend: Backend) -> list[User]:
    north = Country(name="North")
    made = [
        User(name=f"User {n}", age=n % 5, score=float("nan") if n == 3 else n / 2, tags=["a"] * n, country=north)
        for n in range(10)
    ]
    engine: Any = backend.engine
    await maybe_awaited(engine.save_all(made))
    return made


QUESTIONS: list[tuple[Callable[[Any], Any], Select[Any]]] = [
    (lambda engine: engine.find(User), select(User)),
    (lambda engine: engine.find(User, User.age > 2), select(User).where(User.age > 2)),
    (
        lambda engine: engine.find(User, sort=(desc(User.age), asc(User.name)), skip=2, limit=3),
        select(User).order_by(desc(User.age), User.name).offset(2).limit(3),
    ),
    (lambda engine: engine.find_one(User, User.name == "User 3"), select(User).where(User.name == "User 3")),
    (lambda engine: engine.find_one(User, User.name == "nobody"), select(User).where(User.name == "nobody")),
    (lambda engine: engine.count(User, User.age == 1), select(User).where(User.age == 1)),
]


@pytest.mark.parametrize(("find", "statement"), QUESTIONS)
async def test_the_same_question_has_the_same_answer(
    backend: Backend, users: list[User], find: Callable[[Any], Any], statement: Select[Any]
) -> None:
    shadows = Shadows(backend)
    given = await shadows.shadow(lambda: find(shadows.engine), statement, "question")
    alone = await maybe_awaited(find(shadows.engine))
    assert repr(given) == repr(list(alone) if hasattr(alone, "__iter__") and not isinstance(alone, Model) else alone)
    told = await shadows.ended()
    assert [(one.name, one.outcome, one.differences) for one in told] == [("question", "same", ())]
    assert told[0].odmantic_seconds > 0
    assert (told[0].mongotic_seconds or 0) > 0


async def test_another_set_of_documents_is_a_difference(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend)
    engine = shadows.engine
    await shadows.shadow(lambda: engine.find(User, User.age == 1), select(User).where(User.age <= 1).limit(3))
    (told,) = await shadows.ended()
    assert told.outcome == "different"
    assert [(one.position, one.path, one.odmantic, one.mongotic) for one in told.differences] == [
        (0, "document", users[1].id, users[0].id),
        (1, "document", users[6].id, users[1].id),
        (2, "document", None, users[5].id),
    ]


async def test_another_order_is_a_difference(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend)
    engine = shadows.engine
    few = User.name.in_(["User 1", "User 2"])  # type: ignore[attr-defined]  # a field's operator
    await shadows.shadow(lambda: engine.find(User, few), select(User).where(few).order_by(desc(User.name)))
    (told,) = await shadows.ended()
    ids = [users[1].id, users[2].id]
    assert [(one.path, one.odmantic, one.mongotic) for one in told.differences] == [("order", ids, ids[::-1])]


async def test_what_the_caller_does_with_the_result_is_no_difference(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend)
    engine = shadows.engine
    given = await shadows.shadow(lambda: engine.find(User), select(User))
    for user in given:
        user.age += 100
        user.tags.append("changed")
        user.country.name = "changed"
    assert [one.outcome for one in await shadows.ended()] == ["same"]


async def test_another_count_is_a_difference(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend)
    engine = shadows.engine
    assert await shadows.shadow(lambda: engine.count(User), select(User).where(User.age > 0)) == 10
    (told,) = await shadows.ended()
    assert [(one.path, one.odmantic, one.mongotic) for one in told.differences] == [("value", 10, 8)]


async def test_another_value_is_named_by_its_path(backend: Backend, raw: Database[Document], users: list[User]) -> None:
    """The collection that mongotic reads has other values under the same keys."""
    copied = [{**one, "age": 50, "address": {"city": "Oslo"}} for one in raw["user"].find({"name": "User 1"})]
    raw["other"].insert_many(copied)

    class Other(Model):
        name: str
        age: int = 0
        score: float = 0.0
        tags: list[str] = []
        address: Address
        country: Country = Reference()

        model_config = {"collection": "other"}

    Other.__name__ = "User"  # as if it were the same model, which has changed
    shadows = Shadows(backend)
    engine = shadows.engine
    await shadows.shadow(lambda: engine.find_one(User, User.name == "User 1"), select(Other))
    (told,) = await shadows.ended()
    assert [(one.path, one.odmantic, one.mongotic) for one in told.differences] == [
        ("age", 1, 50),
        ("address", {"city": "Rome"}, {"city": "Oslo"}),
    ]


async def test_a_write_in_between_is_no_difference(
    backend: Backend, raw: Database[Document], users: list[User]
) -> None:
    calls = list[int]()
    shadows = Shadows(backend)
    engine = shadows.engine

    def find() -> Any:
        calls.append(1)
        if len(calls) == 2:
            raw["user"].update_one({"name": "User 1"}, {"$set": {"age": 50}})
        return engine.find(User, User.name == "User 1")

    first = await shadows.shadow(find, select(User).where(User.name == "User 1"))
    assert first[0].age == 1
    assert [one.outcome for one in await shadows.ended()] == ["same"]

    calls.clear()
    later = Shadows(backend)
    wrote = threading.Event()

    def changed_behind() -> Any:
        return engine.find(User, User.name == "User 2")

    class Slow:
        """A maker whose first session comes after a write."""

        def __init__(self, maker: Any) -> None:
            self.maker = maker

        def __call__(self) -> Any:
            if not wrote.is_set():
                raw["user"].update_one({"name": "User 2"}, {"$set": {"age": 60}})
                wrote.set()
            return self.maker()

    later.inner._maker = Slow(later.inner._maker)
    await later.shadow(changed_behind, select(User).where(User.name == "User 2"))
    assert [one.outcome for one in await later.ended()] == ["changing"]


async def test_a_statement_that_fails_is_told_and_not_raised(
    backend: Backend, raw: Database[Document], users: list[User]
) -> None:
    class Strict(Model):
        name: int

        model_config = {"collection": "user"}

    shadows = Shadows(backend)
    engine = shadows.engine
    assert len(await shadows.shadow(lambda: engine.find(User), select(Strict))) == 10
    (told,) = await shadows.ended()
    assert told.outcome == "failed"
    assert told.mongotic_seconds is None
    assert isinstance(told.error, DocumentParsingError)


async def test_what_odmantic_raises_is_raised(backend: Backend, raw: Database[Document]) -> None:
    raw["user"].insert_one({"_id": ObjectId(), "name": "a", "age": "old"})
    shadows = Shadows(backend)
    engine = shadows.engine
    with pytest.raises(DocumentParsingError):
        await shadows.shadow(lambda: engine.find(User), select(User))
    assert await shadows.ended() == []


async def test_a_report_that_fails_is_logged(
    backend: Backend, users: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(_: Comparison) -> None:
        raise ValueError("no")

    shadows = Shadows(backend, report=wrong)
    engine = shadows.engine
    assert await shadows.shadow(lambda: engine.count(User), select(User)) == 10
    await shadows.ended()
    assert "the report of a comparison failed" in caplog.text


async def test_the_log_has_keys_and_no_values(
    backend: Backend, users: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    from mongotic_migration.shadow import log

    caplog.set_level(logging.DEBUG, "mongotic.shadow")
    shadows = Shadows(backend, report=log)
    engine = shadows.engine
    await shadows.shadow(lambda: engine.find(User, User.age == 1), select(User).where(User.age == 2), "by age")
    await shadows.ended()
    (told,) = (one for one in caplog.records if one.name == "mongotic.shadow")
    assert told.levelname == "WARNING"
    assert "by age: different: document of ObjectId(" in told.getMessage()
    assert "User 1" not in told.getMessage()


@pytest.mark.parametrize(("sample", "expected"), [(0.0, 0), (1.0, 5)])
async def test_a_part_of_the_calls_is_picked(backend: Backend, users: list[User], sample: float, expected: int) -> None:
    shadows = Shadows(backend, sample=sample, limit=10)
    engine = shadows.engine
    for _ in range(5):
        await shadows.shadow(lambda: engine.count(User), select(User))
    assert len(await shadows.ended()) == expected


async def test_no_more_than_the_limit_are_under_way(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend, limit=1)
    engine = shadows.engine
    slow = select(Country).where({"$where": "sleep(300) || true"})
    for _ in range(4):
        await shadows.shadow(lambda: engine.find_one(Country), slow)
    told = await shadows.ended()
    assert [one.outcome for one in told] == ["same"]
    assert shadows.inner.tally.skipped == 3


async def test_a_comparison_that_takes_too_long_is_ended(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend, timeout=0.3)
    engine = shadows.engine
    endless = select(Country).where({"$where": "sleep(5000) || true"})
    await shadows.shadow(lambda: engine.find_one(Country), endless)
    (told,) = await shadows.ended()
    assert told.outcome == "failed"
    assert isinstance(told.error, PyMongoError)
    assert told.error.timeout


async def test_the_caller_does_not_wait_for_the_comparison(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend)
    engine = shadows.engine
    slow = select(Country).where({"$where": "sleep(300) || true"})
    await shadows.shadow(lambda: engine.find_one(Country), slow)
    assert shadows.told == []
    assert len(await shadows.ended()) == 1


async def test_nothing_is_compared_after_close(backend: Backend, users: list[User]) -> None:
    shadows = Shadows(backend)
    await shadows.ended()
    engine = shadows.engine
    assert await shadows.shadow(lambda: engine.count(User), select(User)) == 10
    assert await shadows.ended() == []


async def test_as_a_block(sync_engine: SyncEngine, motor_engine: AIOEngine) -> None:
    told = list[Comparison]()
    with ShadowSession(sessionmaker(sync_engine), report=told.append) as shadows:
        assert shadows.shadow(lambda: sync_engine.count(User), select(User)) == 0
    assert len(told) == 1
    async with AsyncShadowSession(async_sessionmaker(motor_engine), report=told.append) as awaited:
        assert await awaited.shadow(lambda: motor_engine.count(User), select(User)) == 0
    assert len(told) == 2


def test_many_threads_share_one(
    sync_engine: SyncEngine, raw: Database[Document], sync_client: MongoClient[Document]
) -> None:
    raw["country"].insert_one({"_id": ObjectId(), "name": "North"})
    with ShadowSession(sessionmaker(sync_engine), limit=50) as shadows:
        threads = [
            threading.Thread(target=lambda: shadows.shadow(lambda: sync_engine.find(Country), select(Country)))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (shadows.tally.same, shadows.tally.skipped) == (20, 0)


async def test_what_is_no_question_is_refused(backend: Backend) -> None:
    shadows = Shadows(backend)
    engine = shadows.engine
    with pytest.raises(ArgumentTypeError, match="takes a select"):
        await shadows.shadow(lambda: engine.find(User), insert(User))  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(ArgumentTypeError, match="takes a function"):
        await shadows.shadow(engine.find(User), select(User))
    for options in ({"sample": 2}, {"limit": 0}, {"timeout": 0}):
        with pytest.raises(ArgumentError):
            Shadows(backend, **options)
    await shadows.ended()
