"""Streams, pages by key, pipelines, change streams, plans, and what goes along with a query."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest
from odmantic import Field, Model
from pymongo import ReadPreference
from pymongo.collation import Collation
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from mongotic import ArgumentError, OperationalError, col, delete, desc, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError
from tests.conftest import Backend, CommandLog, Document


class User(Model):
    number: int = Field(primary_field=True)
    name: str = ""
    age: int | None = None


@pytest.fixture
def users(raw: Database[Document]) -> None:
    raw["user"].insert_many([{"_id": n, "name": f"u{n % 3}", "age": n % 5 or None} for n in range(20)])


# -- streams ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("users")
async def test_a_stream_gives_instances_of_no_session(session: AsyncSession, commands: CommandLog) -> None:
    query = select(User).order_by(User.number).yield_per(7)
    found = [user async for user in session.stream_scalars(query)]
    assert [user.number for user in found] == list(range(20))
    assert list(session) == []
    assert [command["batchSize"] for command in commands.sent if "find" in command] == [7]


@pytest.mark.usefixtures("users")
async def test_a_stream_may_be_awaited_first_and_gives_rows_and_values(session: AsyncSession) -> None:
    assert [row.name async for row in await session.stream(select(User.number, User.name).limit(2))] == ["u0", "u1"]
    assert [name async for name in session.stream_scalars(select(User.name).limit(2))] == ["u0", "u1"]


@pytest.mark.usefixtures("users")
async def test_a_stream_through_the_identity_map_gives_the_sessions_instances(session: AsyncSession) -> None:
    held = await session.get_one(User, 3)
    query = select(User).execution_options(identity_map=True)
    assert held in [user async for user in session.stream_scalars(query)]
    assert any(user is held for user in session)


@pytest.mark.usefixtures("users")
async def test_a_stream_in_partitions(session: AsyncSession) -> None:
    stream = session.stream_scalars(select(User.number).order_by(User.number))
    assert [len(part) async for part in stream.partitions(8)] == [8, 8, 4]
    with pytest.raises(ArgumentError):
        [part async for part in session.stream_scalars(select(User)).partitions(0)]


@pytest.mark.usefixtures("users")
async def test_a_stream_that_is_left_closes_its_cursor(backend: Backend, raw: Database[Document]) -> None:
    def cursors() -> int:
        return int(raw.command("serverStatus")["metrics"]["cursor"]["open"]["total"])

    before = cursors()
    async with backend.maker()() as session:
        stream = session.stream_scalars(select(User).yield_per(2))
        async for _ in stream:
            assert cursors() == before + 1
            break
        await stream.close()
        assert cursors() == before


async def test_a_stream_takes_queries_only(session: AsyncSession) -> None:
    with pytest.raises(ArgumentTypeError, match="select"):
        session.stream_scalars(cast("Any", delete(User)))


# -- pages by key -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("order", [(User.age,), (desc(User.age),), (User.name, desc(User.age)), ()])
async def test_pages_by_key_give_every_document_once_in_order(session: AsyncSession, order: tuple[Any, ...]) -> None:
    query = select(User).order_by(*order)
    paged: list[User] = []
    page = await session.scalars(query.limit(3).after(None)).all()
    while page:
        paged += page
        page = await session.scalars(query.limit(3).after(page[-1])).all()
    assert paged == await session.scalars(query.after(None)).all()
    assert sorted(user.number for user in paged) == list(range(20))
    ages = [user.age for user in paged]
    if order and order[0] is not None and not isinstance(order[0], dict) and len(order) == 1:
        assert ages == sorted(ages, key=lambda age: (age is not None, age or 0))


@pytest.mark.usefixtures("users")
async def test_a_page_follows_a_row(session: AsyncSession) -> None:
    query = select(User.number, User.name).order_by(User.name, User.number)
    rows = await (await session.execute(query)).all()
    following = await (await session.execute(query.after(rows[4]).limit(2))).all()
    assert following == rows[5:7]
    with pytest.raises(ArgumentError, match="age"):
        select(User.number).order_by(User.age).after(rows[0])
    with pytest.raises(ArgumentTypeError, match="instance of User or a row"):
        query.after(3)


# -- pipelines ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("users")
async def test_a_pipeline_gives_dicts_or_instances(session: AsyncSession) -> None:
    query = select(User).where(User.number < 4).order_by(desc(User.number))
    found = await session.aggregate(User, query.pipeline({"$group": {"_id": "$name", "n": {"$sum": 1}}})).all()
    assert sorted((row["_id"], row["n"]) for row in found) == [("u0", 2), ("u1", 1), ("u2", 1)]
    held = await session.get_one(User, 2)
    instances = await session.aggregate(User, query.pipeline(), hydrate=True).all()
    assert [user.number for user in instances] == [3, 2, 1, 0]
    assert instances[1] is held
    assert await session.aggregate(User, [{"$match": {"name": "u0"}}]).count() == 7
    assert await session.aggregate(User, [{"$match": {"name": "none"}}]).exists() is False
    streamed = [row["_id"] async for row in session.aggregate(User, [{"$match": {"_id": {"$lt": 2}}}])]
    assert streamed == [0, 1]


@pytest.mark.parametrize("wrong", [None, "x", {"$match": {}}, [3], [{}], [{"$match": {}, "$limit": 1}]])
async def test_what_is_no_pipeline_is_refused(session: AsyncSession, commands: CommandLog, wrong: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="aggregate"):
        session.aggregate(User, wrong)
    assert commands.sent == []


# -- change streams -----------------------------------------------------------------------------------------------


async def test_changes_of_others_are_seen(backend: Backend, raw: Database[Document]) -> None:
    raw["user"].insert_one({"_id": 0, "name": "before"})

    def change() -> None:
        raw["user"].insert_one({"_id": 1, "name": "Ann"})
        raw["user"].update_one({"_id": 1}, {"$set": {"name": "Bob"}})
        raw["user"].delete_one({"_id": 1})

    timer = threading.Timer(0.3, change)
    timer.start()
    seen: list[tuple[str, object, str | None]] = []
    async with backend.maker()() as session:
        stream = session.watch(User, [{"$match": {"operationType": {"$ne": "drop"}}}], full_document="updateLookup")
        async with asyncio.timeout(20):
            async for event in stream:
                name = event.instance.name if isinstance(event.instance, User) else None
                seen.append((event.operation, event.key, name))
                if len(seen) == 3:
                    break
        await stream.close()
    timer.join()
    assert [(operation, key) for operation, key, _ in seen] == [("insert", 1), ("update", 1), ("delete", 1)]
    assert seen[0][2] == "Ann"


async def test_what_happens_before_the_first_step_is_seen(backend: Backend, raw: Database[Document]) -> None:
    raw["user"].insert_one({"_id": 0, "name": "before"})
    async with backend.maker()() as session:
        async with asyncio.timeout(20), session.watch(User) as changes:
            raw["user"].insert_one({"_id": 1, "name": "Ann"})
            first = await anext(aiter(changes))
        assert (first.operation, first.key) == ("insert", 1)
        assert isinstance(first.instance, User)
        after = session.watch(User, resume_after=cast("Any", first.resume_token))
        raw["user"].delete_one({"_id": 1})
        async with asyncio.timeout(20):
            assert (await anext(aiter(after))).operation == "delete"
        await after.close()


# -- plans, and what goes along -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("users")
async def test_the_server_explains_statements(session: AsyncSession) -> None:
    query = select(User).where(User.name == "u1").order_by(User.age).limit(3)
    assert "winningPlan" in (await session.explain(query))["queryPlanner"]
    stats = await session.explain(query, "executionStats")
    assert stats["executionStats"]["nReturned"] == 3
    distinct_names = select(User.name).distinct()
    assert await session.explain(distinct_names)
    along: Any = {"hint": [("_id", 1)], "collation": Collation("en", strength=2)}
    for statement in (query, distinct_names):
        asked = (await session.explain(statement.execution_options(**along)))["command"]
        assert asked["hint"] == {"_id": 1}
        assert asked["collation"]["strength"] == 2
    assert await session.explain(update(User).where(User.number == 1).values(name="x"))
    assert await session.explain(delete(User).where(User.number == 1))
    assert (await session.get_one(User, 1)).name == "u1"
    with pytest.raises(ArgumentError, match="verbosity"):
        await session.explain(query, "all")
    with pytest.raises(ArgumentTypeError, match="explain"):
        await session.explain(cast("Any", "select"))
    with pytest.raises(ArgumentTypeError, match="one for each row"):
        await session.explain(update(User).values([{"number": 1, "name": "x"}]))


@pytest.mark.usefixtures("users")
async def test_options_go_along_with_the_command(session: AsyncSession, commands: CommandLog) -> None:
    query = (
        select(User)
        .where(User.name == "U1")
        .execution_options(
            collation=Collation("en", strength=2),
            comment="from a test",
            max_time_ms=5000,
            allow_disk_use=True,
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY_PREFERRED,
        )
        .with_hint([("_id", 1)])
    )
    assert len(await session.scalars(query).all()) == 7
    assert await session.scalars(query).count() == 7
    find, aggregate = commands.sent[0], commands.sent[1]
    for sent in (find, aggregate):
        assert sent["comment"] == "from a test"
        assert sent["maxTimeMS"] == 5000
        assert sent["collation"]["strength"] == 2
        assert sent["hint"] == {"_id": 1}
        assert sent["readConcern"]["level"] == "majority"
    assert find["allowDiskUse"] is True
    assert len(await session.scalars(select(User.name).distinct().execution_options(max_time_ms=5000)).all()) == 3
    with pytest.raises(OperationalError, match="hint"):
        await session.scalars(select(User).with_hint("no such index")).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_time_ms": "5"},
        {"max_time_ms": 0},
        {"max_time_ms": True},
        {"hint": 3},
        {"collation": "en"},
        {"allow_disk_use": 1},
        {"read_concern": "majority"},
        {"read_preference": "secondary"},
        {"populate_existing": 1},
        {"no_such_option": True},
    ],
)
def test_wrong_options_are_refused(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        select(User).execution_options(**wrong)


def test_what_goes_along_is_shown() -> None:
    along: Any = {"collation": Collation("en", strength=2), "comment": "why", "max_time_ms": 50, "allow_disk_use": True}
    levels: Any = {"read_concern": ReadConcern("majority"), "read_preference": ReadPreference.SECONDARY}
    query = select(User).with_hint([("_id", 1)]).execution_options(comment="why", max_time_ms=50)
    assert str(query) == 'db.user.find().hint({_id: 1}).maxTimeMS(50).comment("why")'
    assert str(select(User).with_hint("_id_").execution_options(**levels)) == (
        'db.user.find().hint("_id_").readConcern("majority").readPref("secondary")'
    )
    shown = str(select(User.name).distinct().execution_options(**along))
    assert shown.endswith('strength: 2}, maxTimeMS: 50, allowDiskUse: true, comment: "why"})')


def test_a_statement_is_shown_as_the_shell_writes_it() -> None:
    query = select(User).where(col(User.name).like("A%")).where(col(User.age) > 3).order_by(desc(User.age)).limit(5)
    assert str(query) == ('db.user.find({name: {$regex: "^A", $options: "s"}, age: {$gt: 3}}).sort({age: -1}).limit(5)')
    assert str(select(User.name).where(User.age == None)) == "db.user.find({age: {$eq: null}}, {name: 1, _id: 0})"
    assert str(select(User.name).distinct()).startswith("db.user.aggregate([{$group: ")
    assert str(update(User).where(User.number == 1).values(name="x")) == (
        'db.user.updateMany({_id: {$eq: 1}}, {$set: {name: "x"}})'
    )
    assert (
        str(delete(User).where(User.number == 2**40)) == 'db.user.deleteMany({_id: {$eq: NumberLong("1099511627776")}})'
    )
    assert query.whereclause == {"name": {"$regex": "^A", "$options": "s"}, "age": {"$gt": 3}}
    assert select(User).whereclause is None
    assert [found["name"] for found in select(User.name, User.age).column_descriptions] == ["name", "age"]
