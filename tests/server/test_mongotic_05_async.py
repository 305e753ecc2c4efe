"""What the guide to the asyncio side of mongotic 0.5 promises, in its order, on PyMongo's own client and on Motor's."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pymongo
import pytest
from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.operations import IndexModel
from pymongo.uri_parser import parse_uri

from mongotic import Session, create_engine, create_indexes, delete, insert, select, sessionmaker, update
from mongotic.asyncio import (
    AsyncScalarResult,
    AsyncSelectResult,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
    create_async_indexes,
)
from mongotic.exceptions import InvalidRequestError, MultipleResultsFound, NotFound
from mongotic.model import MongoBaseModel
from mongotic.result import Result, Row
from tests.conftest import CommandLog, Document

SHIPS: list[Document] = [
    {"name": "Argo", "call": "AR1", "tons": 900, "port": "Bergen", "state": "moored", "afloat": True},
    {"name": "Brig", "call": "BR2", "tons": 120, "port": "Bergen", "state": "moored", "afloat": False},
    {"name": "Cog", "call": "CO3", "tons": 400, "port": "Lisbon", "state": "at sea", "afloat": True},
    {"name": "Dhow", "call": "DH4", "tons": 60, "port": "Muscat", "state": "moored", "afloat": False},
]


def declare(database: str) -> Any:  # its class attributes are columns, which no type checker can know
    """Declare the models of a test, in its own database."""

    class Ship(MongoBaseModel):
        __databasename__ = database
        __tablename__ = "ships"
        __indexes__ = [IndexModel([("call", ASCENDING)], unique=True), IndexModel([("tons", DESCENDING)])]

        name: str
        call: str = ""
        tons: int = 0
        port: str = "none"
        state: str = "moored"
        afloat: bool = True

    class Sailor(MongoBaseModel):
        __databasename__ = database
        __tablename__ = "sailors"
        __indexes__ = [IndexModel([("rank", ASCENDING)])]

        rank: str
        knots: list[str] = Field(default_factory=list)

    class Buoy(MongoBaseModel):
        __databasename__ = database
        __tablename__ = "buoys"

        number: int

    return SimpleNamespace(Ship=Ship, Sailor=Sailor, Buoy=Buoy)


@pytest.fixture
def fleet(raw: Database[Document]) -> Any:
    return declare(raw.name)


@pytest.fixture(scope="module")
async def own_engine(server_uri: str, command_log: CommandLog) -> AsyncIterator[AsyncMongoClient[Document]]:
    async with create_async_engine(server_uri, event_listeners=[command_log]) as client:
        yield client


@pytest.fixture(params=["pymongo", "motor"])
def engine(
    request: pytest.FixtureRequest,
    own_engine: AsyncMongoClient[Document],
    motor_client: AsyncIOMotorClient[Document],
) -> Any:  # one of two clients
    return own_engine if request.param == "pymongo" else motor_client


@pytest.fixture
def make(engine: Any) -> async_sessionmaker:
    return async_sessionmaker(bind=engine)


@pytest.fixture
async def session(make: async_sessionmaker) -> AsyncIterator[AsyncSession]:
    async with make() as opened:
        yield opened


@pytest.fixture
def stored(raw: Database[Document]) -> None:
    """Four ships, in the database only."""
    raw["ships"].insert_many([dict(ship) for ship in SHIPS])


async def by_name(session: AsyncSession, fleet: Any, name: str) -> Any:
    return await session.scalars(select(fleet.Ship).where(fleet.Ship.name == name)).one()


def in_database(raw: Database[Document], name: str) -> Document:
    return raw["ships"].find_one({"name": name}, {"_id": 0}) or {}


# -- overview, setup ----------------------------------------------------------------------------------------------


def test_the_methods_are_those_of_the_blocking_session() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(AsyncSession) == public(Session)
    blocking: Any = Session
    awaiting: Any = AsyncSession
    for name in public(Session) - {"new", "dirty", "deleted", "engine_room", "odmantic"}:
        ours, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in (awaiting, blocking))
        assert list(ours) == list(theirs), name


def test_an_engine_is_pymongos_asyncio_client(own_engine: AsyncMongoClient[Document]) -> None:
    assert type(own_engine) is AsyncMongoClient


async def test_an_engine_takes_what_pymongo_takes(server_uri: str) -> None:
    host, port = parse_uri(server_uri)["nodelist"][0]
    uri = f"mongodb://{host}:{port}/harbour?directConnection=true&appName=tug"
    async with create_async_engine(uri, tz_aware=True) as engine:
        assert engine.get_default_database().name == "harbour"
        assert engine.options.pool_options.appname == "tug"
        assert engine.codec_options.tz_aware is True
        assert (await engine.admin.command("ping"))["ok"] == 1


async def test_a_maker_is_called_for_each_session(
    make: async_sessionmaker, fleet: Any, raw: Database[Document]
) -> None:
    session, other = make(), make()
    try:
        assert isinstance(session, AsyncSession)
        assert session is not other
        session.add(fleet.Buoy(number=1))
        assert other.new == []
        await session.commit()
    finally:
        await session.close()
        await other.close()
    assert raw["buoys"].distinct("number") == [1]


async def test_a_maker_gives_a_block(make: async_sessionmaker, fleet: Any, raw: Database[Document]) -> None:
    async with make() as session:
        assert isinstance(session, AsyncSession)
        session.add(fleet.Buoy(number=1))
        await session.commit()
    assert raw["buoys"].distinct("number") == [1]


# -- querying -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
async def test_scalars_is_called_without_await(session: AsyncSession, fleet: Any, commands: CommandLog) -> None:
    result: Any = session.scalars(select(fleet.Ship))
    assert isinstance(result, AsyncScalarResult)
    for method in ("all", "first", "one", "one_or_none", "count", "exists"):
        assert inspect.iscoroutinefunction(inspect.unwrap(getattr(result, method)))
    assert commands.sent == []


@pytest.mark.usefixtures("stored")
async def test_all(session: AsyncSession, fleet: Any) -> None:
    ships: Any = await session.scalars(select(fleet.Ship).where(fleet.Ship.tons >= 400)).all()
    assert isinstance(ships, list)
    assert all(isinstance(ship, fleet.Ship) for ship in ships)
    assert sorted(ship.name for ship in ships) == ["Argo", "Cog"]
    assert await session.scalars(select(fleet.Ship).where(fleet.Ship.tons > 9000)).all() == []


@pytest.mark.usefixtures("stored")
async def test_first(session: AsyncSession, fleet: Any) -> None:
    cog: Any = await session.scalars(select(fleet.Ship).where(fleet.Ship.call == "CO3")).first()
    assert cog.name == "Cog"
    lightest: Any = await session.scalars(select(fleet.Ship).order_by(fleet.Ship.tons)).first()
    assert lightest.name == "Dhow"
    assert await session.scalars(select(fleet.Ship).where(fleet.Ship.call == "none")).first() is None


@pytest.mark.usefixtures("stored")
async def test_one(session: AsyncSession, fleet: Any) -> None:
    cog: Any = await session.scalars(select(fleet.Ship).where(fleet.Ship.call == "CO3")).one()
    assert cog.name == "Cog"
    with pytest.raises(NotFound):
        await session.scalars(select(fleet.Ship).where(fleet.Ship.call == "none")).one()
    with pytest.raises(MultipleResultsFound):
        await session.scalars(select(fleet.Ship).where(fleet.Ship.port == "Bergen")).one()


@pytest.mark.usefixtures("stored")
async def test_one_or_none(session: AsyncSession, fleet: Any) -> None:
    cog: Any = await session.scalars(select(fleet.Ship).where(fleet.Ship.call == "CO3")).one_or_none()
    assert cog.name == "Cog"
    assert await session.scalars(select(fleet.Ship).where(fleet.Ship.call == "none")).one_or_none() is None
    with pytest.raises(MultipleResultsFound):
        await session.scalars(select(fleet.Ship).where(fleet.Ship.port == "Bergen")).one_or_none()


@pytest.mark.usefixtures("stored")
async def test_count_and_exists(session: AsyncSession, fleet: Any) -> None:
    bergen = session.scalars(select(fleet.Ship).where(fleet.Ship.port == "Bergen"))
    nowhere = session.scalars(select(fleet.Ship).where(fleet.Ship.port == "Nowhere"))
    assert (await bergen.count(), await nowhere.count()) == (2, 0)
    assert (await bergen.exists(), await nowhere.exists()) == (True, False)
    assert list(session) == []


@pytest.mark.usefixtures("stored")
async def test_async_iteration(session: AsyncSession, fleet: Any) -> None:
    statement = select(fleet.Ship).order_by(fleet.Ship.name)
    assert [ship.name async for ship in session.scalars(statement)] == ["Argo", "Brig", "Cog", "Dhow"]
    names: list[str] = []
    async for ship in session.scalars(statement.yield_per(1)):
        names.append(ship.name)
        if ship.name == "Cog":
            break
    assert names == ["Argo", "Brig", "Cog"]


@pytest.mark.usefixtures("stored")
async def test_async_iteration_over_columns(session: AsyncSession, fleet: Any) -> None:
    names = select(fleet.Ship.name).order_by(fleet.Ship.tons)
    assert [name async for name in session.scalars(names)] == ["Dhow", "Brig", "Cog", "Argo"]
    rows: Any = await session.execute(select(fleet.Ship.name, fleet.Ship.tons).order_by(fleet.Ship.tons).limit(2))
    assert [(row.name, row.tons) async for row in rows] == [("Dhow", 60), ("Brig", 120)]


@pytest.mark.usefixtures("stored")
async def test_scalar(session: AsyncSession, fleet: Any) -> None:
    assert await session.scalar(select(fleet.Ship.tons).where(fleet.Ship.call == "CO3")) == 400
    assert await session.scalar(select(fleet.Ship.tons).where(fleet.Ship.call == "none")) is None
    cog: Any = await session.scalar(select(fleet.Ship).where(fleet.Ship.call == "CO3"))
    assert cog is await by_name(session, fleet, "Cog")


@pytest.mark.usefixtures("stored")
async def test_columns(session: AsyncSession, fleet: Any) -> None:
    statement = select(fleet.Ship.name, fleet.Ship.tons).where(fleet.Ship.tons >= 400).order_by(fleet.Ship.tons)
    result: Any = await session.execute(statement)
    assert isinstance(result, AsyncSelectResult)
    rows: Any = await result.all()
    assert all(isinstance(row, Row) for row in rows)
    assert [(row.name, row.tons) for row in rows] == [("Cog", 400), ("Argo", 900)]
    assert [(row[0], row["tons"]) for row in rows] == [("Cog", 400), ("Argo", 900)]
    assert list(session) == []


@pytest.mark.usefixtures("stored")
async def test_a_result_of_columns_has_every_ending(session: AsyncSession, fleet: Any) -> None:
    async def result(name: str) -> Any:
        statement = select(fleet.Ship.name, fleet.Ship.tons).where(fleet.Ship.name >= name)
        return await session.execute(statement.order_by(fleet.Ship.name))

    assert await (await result("C")).first() == ("Cog", 400)
    assert await (await result("D")).one() == await (await result("D")).one_or_none() == ("Dhow", 60)
    assert await (await result("Z")).first() is await (await result("Z")).one_or_none() is None
    assert (await (await result("C")).count(), await (await result("Z")).exists()) == (2, False)
    with pytest.raises(NotFound):
        await (await result("Z")).one()
    with pytest.raises(MultipleResultsFound):
        await (await result("C")).one()
    with pytest.raises(MultipleResultsFound):
        await (await result("C")).one_or_none()


@pytest.mark.usefixtures("stored")
async def test_one_column_is_unwrapped(session: AsyncSession, fleet: Any) -> None:
    names = select(fleet.Ship.name).where(fleet.Ship.port == "Bergen").order_by(fleet.Ship.name)
    assert await session.scalars(names).all() == ["Argo", "Brig"]
    assert await session.scalars(names).first() == "Argo"


async def test_several_columns_are_no_scalars(session: AsyncSession, fleet: Any, commands: CommandLog) -> None:
    several: Any = select(fleet.Ship.name, fleet.Ship.tons)
    with pytest.raises(TypeError, match=r"session\.execute"):
        session.scalars(several)
    with pytest.raises(TypeError, match=r"session\.execute"):
        await session.scalar(several)
    assert commands.sent == []


@pytest.mark.usefixtures("stored")
async def test_get(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    key = (raw["ships"].find_one({"name": "Cog"}) or {})["_id"]
    cog: Any = await session.get(fleet.Ship, str(key))
    assert isinstance(cog, fleet.Ship)
    assert (cog.name, cog._id) == ("Cog", str(key))
    assert await session.get(fleet.Ship, str(ObjectId())) is None


# -- writing ------------------------------------------------------------------------------------------------------


async def test_add_and_add_all_stage_at_once(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    one, two, three = (fleet.Buoy(number=number) for number in (1, 2, 3))
    untyped: Any = session  # for what the two return, which is nothing
    assert untyped.add(one) is None
    assert untyped.add_all([two, three]) is None
    assert session.new == [one, two, three]
    assert raw["buoys"].count_documents({}) == 0
    await session.commit()
    assert sorted(raw["buoys"].distinct("number")) == [1, 2, 3]


async def test_flush_gives_the_key_and_leaves_commit_nothing(
    session: AsyncSession, fleet: Any, raw: Database[Document], commands: CommandLog
) -> None:
    buoy = fleet.Buoy(number=1)
    assert buoy._id is None
    session.add(buoy)
    await session.flush()
    assert isinstance(buoy._id, str)
    assert raw["buoys"].find_one() == {"_id": ObjectId(buoy._id), "number": 1}
    assert commands.names() == ["insert buoys"]
    await session.commit()
    assert commands.names() == ["insert buoys"]


@pytest.mark.usefixtures("stored")
async def test_rollback_discards_what_was_not_flushed(
    session: AsyncSession, fleet: Any, raw: Database[Document]
) -> None:
    argo, brig, cog = [await by_name(session, fleet, name) for name in ("Argo", "Brig", "Cog")]
    argo.tons = 901
    await session.flush()
    session.add(fleet.Ship(name="Ewer", call="EW5"))
    brig.tons = 1
    session.delete(cog)
    session.rollback()
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    await session.commit()
    assert (argo.tons, brig.tons) == (901, 120)
    assert [in_database(raw, name).get("tons") for name in ("Argo", "Brig", "Cog", "Ewer")] == [901, 120, 400, None]


@pytest.mark.usefixtures("stored")
async def test_refresh_reloads_in_place(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    cog = await by_name(session, fleet, "Cog")
    cog.port = "Genoa"
    raw["ships"].update_one({"name": "Cog"}, {"$set": {"tons": 444, "state": "sunk"}})
    await session.refresh(cog)
    assert (cog.tons, cog.state, cog.port) == (444, "sunk", "Lisbon")
    assert session.dirty == []
    raw["ships"].delete_one({"name": "Cog"})
    with pytest.raises(NotFound):
        await session.refresh(cog)
    with pytest.raises(ValueError, match="never stored"):
        await session.refresh(fleet.Buoy(number=1))


@pytest.mark.usefixtures("stored")
async def test_merge_with_a_key_replaces(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    key = (raw["ships"].find_one({"name": "Cog"}) or {})["_id"]
    twin = fleet.Ship(name="Carrack", tons=450)
    twin._id = str(key)
    assert session.merge(twin) is twin
    assert in_database(raw, "Cog")["tons"] == 400
    await session.commit()
    expected = {"name": "Carrack", "call": "", "tons": 450, "port": "none", "state": "moored", "afloat": True}
    assert raw["ships"].find_one({"_id": key}, {"_id": 0}) == expected
    assert raw["ships"].count_documents({}) == 4


async def test_merge_with_a_key_nobody_has_stores_under_it(
    session: AsyncSession, fleet: Any, raw: Database[Document]
) -> None:
    buoy = fleet.Buoy(number=1)
    buoy._id = "650a0b0c0d0e0f1011121314"
    session.merge(buoy)
    await session.commit()
    assert list(raw["buoys"].find()) == [{"_id": ObjectId("650a0b0c0d0e0f1011121314"), "number": 1}]


async def test_merge_without_a_key_inserts(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    buoy = session.merge(fleet.Buoy(number=1))
    await session.commit()
    assert list(raw["buoys"].find()) == [{"_id": ObjectId(buoy._id), "number": 1}]


@pytest.mark.usefixtures("stored")
async def test_assignment_is_tracked_and_written_by_set(
    session: AsyncSession, fleet: Any, raw: Database[Document], commands: CommandLog
) -> None:
    cog = await by_name(session, fleet, "Cog")
    cog.tons = 401
    assert session.dirty == [cog]
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update ships"]
    assert commands.sent[0]["updates"][0]["u"] == {"$set": {"tons": 401}}
    assert in_database(raw, "Cog")["tons"] == 401
    assert session.dirty == []


# -- bulk writes --------------------------------------------------------------------------------------------------


async def test_bulk_insert(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    result = await session.execute(insert(fleet.Ship).values(SHIPS[:2]))
    assert isinstance(result, Result)
    assert result.rowcount == 2
    assert all(isinstance(key, str) for key in result.inserted_ids)
    assert [str(document["_id"]) for document in raw["ships"].find().sort("name")] == result.inserted_ids
    brig: Any = await session.get(fleet.Ship, result.inserted_ids[1])
    assert brig.name == "Brig"


@pytest.mark.usefixtures("stored")
async def test_bulk_update(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    result = await session.execute(update(fleet.Ship).where(fleet.Ship.state == "moored").values(state="docked"))
    assert isinstance(result, Result)
    assert (result.rowcount, result.inserted_ids) == (3, [])
    again = await session.execute(update(fleet.Ship).where(fleet.Ship.port == "Bergen").values(state="docked"))
    assert (again.rowcount, again.matched_count) == (0, 2)
    assert raw["ships"].count_documents({"state": "docked"}) == 3


@pytest.mark.usefixtures("stored")
async def test_bulk_delete(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    statement = delete(fleet.Ship).where(fleet.Ship.afloat == False)
    result = await session.execute(statement)
    assert isinstance(result, Result)
    assert (result.rowcount, result.inserted_ids) == (2, [])
    assert (await session.execute(statement)).rowcount == 0
    assert sorted(raw["ships"].distinct("name")) == ["Argo", "Cog"]


async def test_a_bulk_insert_stays_beside_the_unit_of_work(
    session: AsyncSession, fleet: Any, raw: Database[Document]
) -> None:
    await session.execute(insert(fleet.Ship).values(SHIPS))
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    assert list(session) == []
    session.rollback()
    assert raw["ships"].count_documents({}) == 4


# -- life of a session --------------------------------------------------------------------------------------------


async def test_a_block_closes_and_discards_what_was_not_flushed(
    make: async_sessionmaker, fleet: Any, raw: Database[Document]
) -> None:
    async with make() as session:
        kept, changed, lost = fleet.Buoy(number=1), fleet.Buoy(number=2), fleet.Buoy(number=3)
        session.add_all([kept, changed])
        await session.commit()
        session.add(lost)
        changed.number = 20
        session.delete(kept)
    assert kept._session is changed._session is lost._session is None
    assert sorted(raw["buoys"].distinct("number")) == [1, 2]
    with pytest.raises(InvalidRequestError, match="closed"):
        await session.commit()


async def test_a_block_passes_errors_on(make: async_sessionmaker, fleet: Any, raw: Database[Document]) -> None:
    async def work() -> None:
        async with make() as session:
            session.add(fleet.Buoy(number=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert raw["buoys"].count_documents({}) == 0


@pytest.mark.usefixtures("stored")
async def test_expunge_detaches_and_discards(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    cog = await by_name(session, fleet, "Cog")
    cog.tons = 999
    session.expunge(cog)
    assert session.dirty == []
    assert cog._session is None
    await session.commit()
    assert in_database(raw, "Cog")["tons"] == 400


@pytest.mark.usefixtures("stored")
async def test_an_expunged_instance_joins_a_new_session(
    make: async_sessionmaker, fleet: Any, raw: Database[Document]
) -> None:
    async with make() as first, make() as second:
        cog = await by_name(first, fleet, "Cog")
        first.expunge(cog)
        cog.tons = 500
        second.add(cog)
        assert cog._session is second
        await first.commit()
        assert in_database(raw, "Cog")["tons"] == 400
        await second.commit()
    assert in_database(raw, "Cog")["tons"] == 500
    assert raw["ships"].count_documents({}) == 4


@pytest.mark.usefixtures("stored")
async def test_expire_clears_and_informs(
    session: AsyncSession, fleet: Any, raw: Database[Document], commands: CommandLog
) -> None:
    cog = await by_name(session, fleet, "Cog")
    raw["ships"].update_one({"name": "Cog"}, {"$set": {"port": "Genoa"}})
    cog.tons = 999
    commands.sent.clear()
    session.expire(cog)
    assert cog._expired is True
    assert session.dirty == []
    assert (cog.tons, cog.port) == (999, "Lisbon")
    await session.commit()
    assert commands.sent == []
    assert in_database(raw, "Cog")["tons"] == 400
    await session.refresh(cog)
    assert commands.names() == ["find ships"]
    assert (cog.tons, cog.port, cog._expired) == (400, "Genoa", False)


async def test_the_lists_show_the_state(session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    buoy = fleet.Buoy(number=1)
    session.add(buoy)
    assert (session.new, session.dirty, session.deleted) == ([buoy], [], [])
    await session.commit()
    buoy.number = 2
    assert (session.new, session.dirty, session.deleted) == ([], [buoy], [])
    session.delete(buoy)
    assert (session.new, session.deleted) == ([], [buoy])
    await session.commit()
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    assert raw["buoys"].count_documents({}) == 0


# -- indexes ------------------------------------------------------------------------------------------------------


async def test_indexes_of_one_model(engine: Any, session: AsyncSession, fleet: Any, raw: Database[Document]) -> None:
    for _ in range(2):  # existing ones are left as they are
        await create_async_indexes(engine, fleet.Ship)
    found = raw["ships"].index_information()
    assert sorted(found) == ["_id_", "call_1", "tons_-1"]
    assert found["call_1"]["key"] == [("call", 1)]
    assert found["call_1"]["unique"] is True
    assert found["tons_-1"]["key"] == [("tons", -1)]
    await session.execute(insert(fleet.Ship).values(SHIPS[:1]))
    with pytest.raises(DuplicateKeyError):
        await session.execute(insert(fleet.Ship).values(SHIPS[:1]))


async def test_indexes_of_several_models(engine: Any, fleet: Any, raw: Database[Document]) -> None:
    await create_async_indexes(engine, fleet.Ship, fleet.Sailor, fleet.Buoy)
    assert "call_1" in raw["ships"].index_information()
    assert "rank_1" in raw["sailors"].index_information()
    assert set(raw["buoys"].index_information()) <= {"_id_"}


# -- blocking and awaiting, row by row ----------------------------------------------------------------------------


@pytest.fixture
def blocking(sync_client: MongoClient[Document]) -> Iterator[Session]:
    with sessionmaker(bind=sync_client)() as opened:
        yield opened


STAGING: list[tuple[str, Callable[[Any, Any], object]]] = [
    ("add", lambda session, ship: session.add(ship)),
    ("add_all", lambda session, ship: session.add_all([ship])),
    ("merge", lambda session, ship: session.merge(ship)),
    ("rollback", lambda session, ship: session.rollback()),
    ("expunge", lambda session, ship: session.expunge(ship)),
    ("expire", lambda session, ship: session.expire(ship)),
    ("delete", lambda session, ship: session.delete(ship)),
]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(("name", "call"), STAGING, ids=[name for name, _ in STAGING])
async def test_what_only_stages_acts_when_called(
    session: AsyncSession, blocking: Session, fleet: Any, commands: CommandLog, name: str, call: Callable[..., object]
) -> None:
    def noted(side: Any, ship: Any) -> tuple[object, ...]:
        return [len(listed) for listed in (side.new, side.dirty, side.deleted)], ship._session is side, ship._expired

    found: list[object] = []
    mine: Any = await by_name(session, fleet, "Cog")
    theirs: Any = blocking.scalars(select(fleet.Ship)).first()
    for side, ship in ((session, mine), (blocking, theirs)):
        ship.tons = 1
        commands.sent.clear()
        assert not inspect.iscoroutine(call(side, ship))
        assert commands.sent == []
        found.append(noted(side, ship))
    assert found[0] == found[1]
    expected: dict[str, object] = {
        "rollback": ([0, 0, 0], True, False),
        "expunge": ([0, 0, 0], False, False),
        "expire": ([0, 0, 0], True, True),
        "merge": ([0, 0, 0], True, False),
        "delete": ([0, 0, 1], True, False),
    }
    assert found[0] == expected.get(name, ([0, 1, 0], True, False))


@pytest.mark.parametrize("name", ["commit", "flush", "close", "scalar", "get", "refresh", "execute"])
def test_what_asks_the_server_is_awaited(name: str) -> None:
    assert inspect.iscoroutinefunction(inspect.unwrap(getattr(AsyncSession, name)))
    assert not inspect.iscoroutinefunction(getattr(Session, name))


async def test_the_same_unit_of_work_on_both_sides(
    make: async_sessionmaker, sync_client: MongoClient[Document], fleet: Any, raw: Database[Document]
) -> None:
    ship = fleet.Ship
    with sessionmaker(bind=sync_client)() as one:
        first: Any = ship(name="Argo", call="A")
        one.add(first)
        one.flush()
        first.tons = 5
        one.commit()
        first.tons = 6
        one.rollback()
        one.merge(ship(name="Brig", call="B"))
        one.commit()
        rows: Any = one.execute(select(ship.name, ship.tons).order_by(ship.name)).all()
        there = [one.scalars(select(ship.name).order_by(ship.name)).all(), one.scalar(select(ship.tons)), rows]
        found: Any = one.get(ship, first._id)
        assert found is first
        raw["ships"].update_one({"name": "Argo"}, {"$set": {"tons": 7}})
        one.refresh(first)
        assert first.tons == 7
        assert one.execute(delete(ship)).rowcount == 2

    async with make() as two:
        second: Any = ship(name="Argo", call="A")
        two.add(second)
        await two.flush()
        second.tons = 5
        await two.commit()
        second.tons = 6
        two.rollback()
        two.merge(ship(name="Brig", call="B"))
        await two.commit()
        result: Any = await two.execute(select(ship.name, ship.tons).order_by(ship.name))
        here = [
            await two.scalars(select(ship.name).order_by(ship.name)).all(),
            await two.scalar(select(ship.tons)),
            await result.all(),
        ]
        found = await two.get(ship, second._id)
        assert found is second
        raw["ships"].update_one({"name": "Argo"}, {"$set": {"tons": 7}})
        await two.refresh(second)
        assert second.tons == 7
        assert (await two.execute(delete(ship))).rowcount == 2

    assert here == there == [["Argo", "Brig"], 5, [("Argo", 5), ("Brig", 0)]]


@pytest.mark.usefixtures("stored")
async def test_iteration_on_both_sides(session: AsyncSession, blocking: Session, fleet: Any) -> None:
    statement = select(fleet.Ship).order_by(fleet.Ship.name)
    awaited = [ship.name async for ship in session.scalars(statement)]
    assert awaited == [ship.name for ship in blocking.scalars(statement)] == ["Argo", "Brig", "Cog", "Dhow"]
    untyped: Any = session.scalars(statement)
    with pytest.raises(TypeError, match="await"):
        list(untyped)


async def test_indexes_on_both_sides(server_uri: str, engine: Any, raw: Database[Document]) -> None:
    here, there = declare(raw.name), declare(f"{raw.name}_b")
    await create_async_indexes(engine, here.Ship, here.Sailor)
    with create_engine(server_uri) as client:
        create_indexes(client, there.Ship, there.Sailor)
        other = client[f"{raw.name}_b"]
        try:
            for table in ("ships", "sailors"):
                assert other[table].index_information() == raw[table].index_information()
        finally:
            client.drop_database(other.name)


# -- caveats ------------------------------------------------------------------------------------------------------


async def test_a_session_for_each_task(make: async_sessionmaker, fleet: Any, raw: Database[Document]) -> None:
    async def work(number: int) -> int:
        async with make() as session:
            buoy = fleet.Buoy(number=number)
            session.add(buoy)
            await session.flush()
            buoy.number += 100
            await session.commit()
            return await session.scalars(select(fleet.Buoy).where(fleet.Buoy.number == number + 100)).count()

    assert await asyncio.gather(*(work(number) for number in range(10))) == [1] * 10
    assert sorted(raw["buoys"].distinct("number")) == list(range(100, 110))


@pytest.mark.usefixtures("stored")
@pytest.mark.skipif(pymongo.version_tuple < (4, 11), reason="it blocks the event loop while a command is on its way")
async def test_a_session_shared_by_tasks_says_so(session: AsyncSession, fleet: Any) -> None:
    asking = [session.scalars(select(fleet.Ship)).all() for _ in range(2)]
    first, second = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, list)
    assert isinstance(second, InvalidRequestError)
    assert await session.scalars(select(fleet.Ship)).count() == 4


@pytest.mark.usefixtures("stored")
async def test_reading_an_expired_attribute_asks_nobody(
    session: AsyncSession, fleet: Any, raw: Database[Document], commands: CommandLog
) -> None:
    cog = await by_name(session, fleet, "Cog")
    raw["ships"].update_one({"name": "Cog"}, {"$set": {"tons": 444}})
    session.expire(cog)
    commands.sent.clear()
    assert [cog.tons for _ in range(3)] == [400] * 3
    assert (commands.sent, cog._expired) == ([], True)
