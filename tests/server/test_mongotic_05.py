"""What the guide from mongotic 0.4 to 0.5 promises, in its order, with the blocking session on a plain MongoClient."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from bson import ObjectId
from pydantic import Field, ValidationError
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.operations import IndexModel

import mongotic
from mongotic import Session, create_engine, create_indexes, delete, insert, select, sessionmaker, update
from mongotic.asyncio import async_sessionmaker, create_async_engine
from mongotic.exceptions import MultipleResultsFound, NotFound
from mongotic.model import MongoBaseModel
from mongotic.result import Result, Row, ScalarResult, SelectResult
from tests.conftest import CommandLog, Document

KEEPERS: list[Document] = [
    {"name": "Ida", "mail": "ida@hives.test", "age": 52, "apiary": "North", "rank": "master", "active": True},
    {"name": "Jon", "mail": "jon@hives.test", "age": 17, "apiary": "North", "rank": "trainee", "active": True},
    {"name": "Kim", "mail": "kim@hives.test", "age": 34, "apiary": "South", "rank": "trainee", "active": False},
    {"name": "Lea", "mail": "lea@hives.test", "age": 41, "apiary": "North", "rank": "trainee", "active": False},
]


def declare(database: str) -> Any:  # its class attributes are columns, which no type checker can know
    """Declare the models of a test, in its own database."""

    class Keeper(MongoBaseModel):
        __databasename__ = database
        __tablename__ = "keepers"
        __indexes__ = [IndexModel([("mail", ASCENDING)], unique=True), IndexModel([("age", DESCENDING)])]

        name: str = Field(..., max_length=20)
        mail: str
        age: int = Field(default=0, ge=0)
        apiary: str = "none"
        rank: str = "trainee"
        active: bool = True

    class Hive(MongoBaseModel):
        __databasename__ = database
        __tablename__ = "hives"

        label: str
        frames: list[int] = Field(default_factory=list)

    return SimpleNamespace(Keeper=Keeper, Hive=Hive)


@pytest.fixture
def farm(raw: Database[Document]) -> Any:
    return declare(raw.name)


@pytest.fixture(scope="module")
def engine(server_uri: str, command_log: CommandLog) -> Iterator[MongoClient[Document]]:
    with create_engine(server_uri, event_listeners=[command_log]) as client:
        yield client


@pytest.fixture
def make(engine: MongoClient[Document]) -> sessionmaker:
    return sessionmaker(bind=engine)


@pytest.fixture
def session(make: sessionmaker) -> Iterator[Session]:
    with make() as opened:
        yield opened


@pytest.fixture
def stored(raw: Database[Document]) -> None:
    """Four keepers, in the database only."""
    raw["keepers"].insert_many([dict(keeper) for keeper in KEEPERS])


def by_name(session: Session, farm: Any, name: str) -> Any:
    return session.scalars(select(farm.Keeper).where(farm.Keeper.name == name)).one()


def in_database(raw: Database[Document], name: str) -> Document:
    return raw["keepers"].find_one({"name": name}, {"_id": 0}) or {}


# -- where things are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("mongotic", "create_engine create_indexes select insert update delete Session sessionmaker MongoBaseModel"),
        ("mongotic", "and_ or_ not_ asc desc NotFound MultipleResultsFound"),
        ("mongotic.orm", "Session sessionmaker"),
        ("mongotic.model", "MongoBaseModel ModelField"),
        ("mongotic.query", "select insert update delete and_ or_ not_"),
        ("mongotic.result", "Result Row ScalarResult SelectResult"),
        ("mongotic.exceptions", "NotFound MultipleResultsFound"),
        ("mongotic.asyncio", "create_async_engine async_sessionmaker create_async_indexes"),
        ("mongotic.asyncio", "AsyncSession AsyncScalarResult AsyncSelectResult"),
    ],
)
def test_everything_is_where_0_5_has_it(module: str, names: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", ["orm", "model", "query", "result", "exceptions"])
def test_one_thing_is_the_same_from_everywhere(module: str) -> None:
    part, package = importlib.import_module(f"mongotic.{module}"), vars(mongotic)
    shared = {name for name in vars(part) if name in mongotic.__all__}
    assert shared
    assert all(getattr(part, name) is package[name] for name in shared)


def test_an_engine_is_a_client_of_pymongo(engine: MongoClient[Document]) -> None:
    assert type(engine) is MongoClient


# -- changes at a glance, and the breaking one: execute() gives a Result ------------------------------------------


@pytest.mark.usefixtures("stored")
def test_an_update_gives_a_result(session: Session, farm: Any, raw: Database[Document]) -> None:
    result = session.execute(update(farm.Keeper).where(farm.Keeper.rank == "trainee").values(rank="helper"))
    assert isinstance(result, Result)
    assert not isinstance(result, int)
    assert result.rowcount == 3
    assert result.inserted_ids == []
    assert raw["keepers"].count_documents({"rank": "helper"}) == 3


@pytest.mark.usefixtures("stored")
def test_an_update_counts_what_it_modified(session: Session, farm: Any) -> None:
    result = session.execute(update(farm.Keeper).where(farm.Keeper.apiary == "North").values(rank="trainee"))
    assert (result.rowcount, result.matched_count, result.modified_count) == (1, 3, 1)


@pytest.mark.usefixtures("stored")
def test_a_delete_gives_a_result(session: Session, farm: Any, raw: Database[Document]) -> None:
    result = session.execute(delete(farm.Keeper).where(farm.Keeper.active == False))
    assert isinstance(result, Result)
    assert (result.rowcount, result.inserted_ids) == (2, [])
    assert raw["keepers"].count_documents({}) == 2


@pytest.mark.usefixtures("stored")
def test_the_count_serves_as_a_condition(session: Session, farm: Any) -> None:
    statement = delete(farm.Keeper).where(farm.Keeper.name == "Jon")
    assert session.execute(statement).rowcount
    assert not session.execute(statement).rowcount
    changing = update(farm.Keeper).where(farm.Keeper.name == "Nobody").values(age=1)
    assert session.execute(changing).rowcount == 0


@pytest.mark.usefixtures("stored")
def test_bulk_writes_reach_the_database_without_commit(session: Session, farm: Any, raw: Database[Document]) -> None:
    session.execute(update(farm.Keeper).where(farm.Keeper.name == "Ida").values(age=53))
    session.execute(delete(farm.Keeper).where(farm.Keeper.name == "Jon"))
    session.rollback()
    assert in_database(raw, "Ida")["age"] == 53
    assert in_database(raw, "Jon") == {}


# -- insert() -----------------------------------------------------------------------------------------------------


def test_an_insert_gives_count_and_keys(session: Session, farm: Any, raw: Database[Document]) -> None:
    result = session.execute(insert(farm.Keeper).values(KEEPERS[:2]))
    assert isinstance(result, Result)
    assert result.rowcount == 2
    assert all(isinstance(key, str) and ObjectId.is_valid(key) for key in result.inserted_ids)
    assert [str(document["_id"]) for document in raw["keepers"].find().sort("name")] == result.inserted_ids


def test_the_keys_find_the_documents(session: Session, farm: Any) -> None:
    first, second = session.execute(insert(farm.Keeper).values(KEEPERS[:2])).inserted_ids
    ida: Any = session.get(farm.Keeper, first)
    jon: Any = session.get(farm.Keeper, second)
    assert (ida.name, jon.name) == ("Ida", "Jon")
    assert (ida._id, jon._id) == (first, second)


def test_an_insert_is_one_command_sent_at_once(
    session: Session, farm: Any, raw: Database[Document], commands: CommandLog
) -> None:
    session.execute(insert(farm.Keeper).values(KEEPERS))
    assert commands.names() == ["insert keepers"]
    assert raw["keepers"].count_documents({}) == 4
    session.rollback()
    session.commit()
    assert raw["keepers"].count_documents({}) == 4
    assert commands.names() == ["insert keepers"]


def test_an_insert_stays_beside_the_unit_of_work(session: Session, farm: Any) -> None:
    session.execute(insert(farm.Keeper).values(KEEPERS))
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    assert list(session) == []


def test_an_inserted_instance_is_not_tracked(session: Session, farm: Any, raw: Database[Document]) -> None:
    hive = farm.Hive(label="H1")
    session.execute(insert(farm.Hive).values([hive]))
    assert hive._session is None
    assert hive not in session
    hive.label = "H2"
    session.commit()
    assert [document["label"] for document in raw["hives"].find()] == ["H1"]


def test_an_insert_is_validated_and_completed_by_the_model(
    session: Session, farm: Any, raw: Database[Document]
) -> None:
    with pytest.raises(ValidationError, match="age"):
        insert(farm.Keeper).values([{"name": "Max", "mail": "m", "age": -1}])
    with pytest.raises(ValidationError, match="mail"):
        insert(farm.Keeper).values([{"name": "Max"}])
    session.execute(insert(farm.Keeper).values([{"name": "Max", "mail": "m"}]))
    expected = {"name": "Max", "mail": "m", "age": 0, "apiary": "none", "rank": "trainee", "active": True}
    assert in_database(raw, "Max") == expected


def test_add_and_add_all_are_the_tracked_way(session: Session, farm: Any) -> None:
    one, two, three = (farm.Keeper(name=name, mail=name) for name in ("A", "B", "C"))
    session.add(one)
    session.add_all([two, three])
    assert session.new == [one, two, three]
    session.commit()
    assert session.new == []
    two.age = 20
    assert session.dirty == [two]


# -- columns ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
def test_columns_give_rows(session: Session, farm: Any) -> None:
    result: Any = session.execute(select(farm.Keeper.name, farm.Keeper.mail).where(farm.Keeper.age >= 18))
    assert isinstance(result, SelectResult)
    rows: Any = result.all()
    assert all(isinstance(row, Row) for row in rows)
    assert sorted((row.name, row.mail) for row in rows) == [
        ("Ida", "ida@hives.test"),
        ("Kim", "kim@hives.test"),
        ("Lea", "lea@hives.test"),
    ]


@pytest.mark.usefixtures("stored")
def test_a_row_is_read_by_attribute_index_and_key(session: Session, farm: Any) -> None:
    statement = select(farm.Keeper.name, farm.Keeper.age).where(farm.Keeper.name == "Kim")
    row: Any = session.execute(statement).one()
    assert (row.name, row.age) == (row[0], row[1]) == (row["name"], row["age"]) == ("Kim", 34)
    with pytest.raises(AttributeError):
        row.mail
    with pytest.raises(KeyError):
        row["mail"]
    with pytest.raises(IndexError):
        row[2]
    with pytest.raises(AttributeError):
        row.name = "Kit"


@pytest.mark.usefixtures("stored")
def test_only_the_columns_are_fetched(session: Session, farm: Any, commands: CommandLog) -> None:
    session.execute(select(farm.Keeper.name, farm.Keeper.mail)).all()
    assert commands.names() == ["find keepers"]
    assert {key for key, kept in commands.sent[0]["projection"].items() if kept} == {"name", "mail"}


@pytest.mark.usefixtures("stored")
def test_rows_are_not_tracked(session: Session, farm: Any) -> None:
    session.execute(select(farm.Keeper.name, farm.Keeper.mail)).all()
    assert list(session) == []


@pytest.mark.usefixtures("stored")
def test_one_column_is_unwrapped(session: Session, farm: Any) -> None:
    statement = select(farm.Keeper.name).where(farm.Keeper.apiary == "North").order_by(farm.Keeper.name)
    result: Any = session.scalars(statement)
    assert isinstance(result, ScalarResult)
    assert result.all() == ["Ida", "Jon", "Lea"]
    assert list(result) == ["Ida", "Jon", "Lea"]
    assert (result.first(), result.count(), result.exists()) == ("Ida", 3, True)


@pytest.mark.parametrize("method", ["scalars", "scalar"])
def test_several_columns_are_no_scalars(session: Session, farm: Any, method: str, commands: CommandLog) -> None:
    with pytest.raises(TypeError, match=r"session\.execute"):
        getattr(session, method)(select(farm.Keeper.name, farm.Keeper.age))
    assert commands.sent == []


@pytest.mark.usefixtures("stored")
def test_a_result_of_columns_has_every_ending(session: Session, farm: Any) -> None:
    def result(name: str) -> Any:
        statement = select(farm.Keeper.name, farm.Keeper.age).where(farm.Keeper.name >= name)
        return session.execute(statement.order_by(farm.Keeper.name))

    assert result("K").first() == ("Kim", 34)
    assert result("L").one() == result("L").one_or_none() == ("Lea", 41)
    assert result("Z").first() is result("Z").one_or_none() is None
    assert [row.name for row in result("J")] == ["Jon", "Kim", "Lea"]
    with pytest.raises(NotFound):
        result("Z").one()
    with pytest.raises(MultipleResultsFound):
        result("J").one()
    with pytest.raises(MultipleResultsFound):
        result("J").one_or_none()


# -- scalar() -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
def test_scalar_gives_the_first_value_or_none(session: Session, farm: Any) -> None:
    assert session.scalar(select(farm.Keeper.age).where(farm.Keeper.mail == "kim@hives.test")) == 34
    assert session.scalar(select(farm.Keeper.age).where(farm.Keeper.mail == "no@hives.test")) is None
    ordered = select(farm.Keeper.name).order_by(farm.Keeper.age)
    assert session.scalar(ordered) == session.scalars(ordered).first() == "Jon"


@pytest.mark.usefixtures("stored")
def test_scalar_gives_the_first_instance_or_none(session: Session, farm: Any) -> None:
    statement = select(farm.Keeper).where(farm.Keeper.name == "Ida")
    ida: Any = session.scalar(statement)
    assert isinstance(ida, farm.Keeper)
    assert ida is session.scalars(statement).first()
    assert session.scalar(select(farm.Keeper).where(farm.Keeper.name == "Nobody")) is None


# -- expunge() ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
def test_expunge_detaches_and_discards(session: Session, farm: Any, raw: Database[Document]) -> None:
    ida = by_name(session, farm, "Ida")
    ida.age = 99
    assert session.dirty == [ida]
    session.expunge(ida)
    assert session.dirty == []
    assert ida._session is None
    assert ida not in session
    session.commit()
    assert in_database(raw, "Ida")["age"] == 52
    assert ida.age == 99


def test_expunge_takes_a_new_instance_out(session: Session, farm: Any, raw: Database[Document]) -> None:
    hive = farm.Hive(label="H1")
    session.add(hive)
    session.expunge(hive)
    assert session.new == []
    session.commit()
    assert raw["hives"].count_documents({}) == 0


@pytest.mark.usefixtures("stored")
def test_expunge_takes_back_a_deletion(session: Session, farm: Any, raw: Database[Document]) -> None:
    ida = by_name(session, farm, "Ida")
    session.delete(ida)
    session.expunge(ida)
    assert session.deleted == []
    session.commit()
    assert in_database(raw, "Ida")["age"] == 52


def test_expunging_a_stranger_does_nothing(session: Session, farm: Any) -> None:
    session.expunge(farm.Hive(label="H1"))
    assert list(session) == []


@pytest.mark.usefixtures("stored")
def test_an_expunged_instance_serves_another_session(make: sessionmaker, farm: Any, raw: Database[Document]) -> None:
    with make() as first, make() as second:
        ida = by_name(first, farm, "Ida")
        first.expunge(ida)
        ida.age = 60
        assert first.dirty == []
        second.add(ida)
        assert second.new == [ida]
        assert ida._session is second
        second.commit()
        assert second.new == []
    assert in_database(raw, "Ida")["age"] == 60
    assert raw["keepers"].count_documents({}) == 4


# -- expire() -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
def test_expire_informs_and_loads_nothing(
    session: Session, farm: Any, raw: Database[Document], commands: CommandLog
) -> None:
    ida = by_name(session, farm, "Ida")
    assert ida._expired is False
    raw["keepers"].update_one({"name": "Ida"}, {"$set": {"age": 53}})
    commands.sent.clear()
    session.expire(ida)
    assert ida._expired is True
    assert ida._session is session
    assert (ida.age, ida.name, ida.model_dump()["age"]) == (52, "Ida", 52)
    assert commands.sent == []
    session.refresh(ida)
    assert commands.names() == ["find keepers"]
    assert ida.age == 53
    assert ida._expired is False


@pytest.mark.usefixtures("stored")
def test_expire_clears_what_was_pending(
    session: Session, farm: Any, raw: Database[Document], commands: CommandLog
) -> None:
    ida = by_name(session, farm, "Ida")
    ida.age = 99
    session.expire(ida)
    assert session.dirty == []
    assert ida.age == 99
    commands.sent.clear()
    session.commit()
    assert commands.sent == []
    assert in_database(raw, "Ida")["age"] == 52
    session.refresh(ida)
    assert ida.age == 52


@pytest.mark.usefixtures("stored")
def test_a_field_set_after_expire_is_written(session: Session, farm: Any, raw: Database[Document]) -> None:
    ida = by_name(session, farm, "Ida")
    ida.age = 99
    session.expire(ida)
    ida.apiary = "West"
    assert session.dirty == [ida]
    session.commit()
    assert (in_database(raw, "Ida")["age"], in_database(raw, "Ida")["apiary"]) == (52, "West")


# -- yield_per() --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
def test_yield_per_may_stand_anywhere_in_a_chain(session: Session, farm: Any) -> None:
    keeper = farm.Keeper
    plain = select(keeper).where(keeper.apiary == "North").order_by(keeper.name).offset(1).limit(2)
    last = plain.yield_per(100)
    first = select(keeper).yield_per(1).where(keeper.apiary == "North").order_by(keeper.name).offset(1).limit(2)
    assert last is not plain
    expected: Any = session.scalars(plain).all()
    assert [keeper.name for keeper in expected] == ["Jon", "Lea"]
    for statement in (last, first):
        found: Any = session.scalars(statement)
        assert all(one is other for one, other in zip(found.all(), expected, strict=True))
        assert (found.count(), found.exists(), found.first()) == (2, True, expected[0])
        assert list(found) == expected


@pytest.mark.usefixtures("stored")
def test_iterating_with_yield_per_gives_strangers(session: Session, farm: Any) -> None:
    """Where mongotic 0.5 did nothing: such an iteration leaves no trace in the session."""
    for keeper in session.scalars(select(farm.Keeper).yield_per(2)):
        assert keeper._session is None
        keeper.age = 1
    assert (list(session), session.dirty) == ([], [])


@pytest.mark.usefixtures("stored")
def test_yield_per_with_columns(session: Session, farm: Any) -> None:
    statement = select(farm.Keeper.name, farm.Keeper.age).order_by(farm.Keeper.age)
    assert session.execute(statement.yield_per(1)).all() == session.execute(statement).all()
    names = select(farm.Keeper.name).order_by(farm.Keeper.name).yield_per(3)
    assert list(session.scalars(names)) == ["Ida", "Jon", "Kim", "Lea"]


# -- mongotic.asyncio ---------------------------------------------------------------------------------------------


async def test_the_asyncio_side_in_brief(server_uri: str, farm: Any) -> None:
    async_engine = create_async_engine(server_uri)
    try:
        assert isinstance(async_engine, AsyncMongoClient)
        maker = async_sessionmaker(bind=async_engine)
        async with maker() as session:
            await session.execute(insert(farm.Keeper).values(KEEPERS))
            keepers: Any = await session.scalars(select(farm.Keeper)).all()
    finally:
        await async_engine.close()
    assert sorted(keeper.name for keeper in keepers) == ["Ida", "Jon", "Kim", "Lea"]


# -- what did not change: models ----------------------------------------------------------------------------------


def test_a_model_says_where_it_lives(session: Session, farm: Any, raw: Database[Document]) -> None:
    assert farm.Keeper.__databasename__ == raw.name
    assert (farm.Keeper.__tablename__, farm.Hive.__tablename__) == ("keepers", "hives")
    session.add_all([farm.Keeper(name="A", mail="a"), farm.Hive(label="H1", frames=[1, 2])])
    session.commit()
    assert sorted(raw.list_collection_names()) == ["hives", "keepers"]
    assert raw["hives"].find_one({}, {"_id": 0}) == {"label": "H1", "frames": [1, 2]}


def test_models_of_several_databases_share_a_session(
    session: Session, farm: Any, raw: Database[Document], raw_client: MongoClient[Document]
) -> None:
    other = declare(f"{raw.name}_b")
    try:
        session.add_all([farm.Hive(label="here"), other.Hive(label="there")])
        session.commit()
        assert raw["hives"].distinct("label") == ["here"]
        assert raw_client[f"{raw.name}_b"]["hives"].distinct("label") == ["there"]
        assert session.scalars(select(other.Hive.label)).all() == ["there"]
    finally:
        raw_client.drop_database(f"{raw.name}_b")


def test_a_model_validates(farm: Any) -> None:
    with pytest.raises(ValidationError):
        farm.Keeper(name="x" * 21, mail="a")
    keeper = farm.Keeper(name="A", mail="a")
    with pytest.raises(ValidationError):
        keeper.age = -1
    assert get_type_hints(farm.Keeper)["age"] is int


def test_indexes_are_created_from_the_declaration(
    engine: MongoClient[Document], session: Session, farm: Any, raw: Database[Document]
) -> None:
    create_indexes(engine, farm.Keeper, farm.Hive)
    found = raw["keepers"].index_information()
    assert found["mail_1"]["key"] == [("mail", 1)]
    assert found["mail_1"]["unique"] is True
    assert found["age_-1"]["key"] == [("age", -1)]
    session.add_all([farm.Keeper(name="A", mail="same"), farm.Keeper(name="B", mail="same")])
    with pytest.raises(DuplicateKeyError):
        session.commit()


# -- what did not change: staging ---------------------------------------------------------------------------------


def test_add_stages_and_commit_writes(session: Session, farm: Any, raw: Database[Document]) -> None:
    keeper = farm.Keeper(name="A", mail="a")
    assert keeper._id is None
    session.add(keeper)
    assert session.new == [keeper]
    assert keeper._session is session
    assert raw["keepers"].count_documents({}) == 0
    session.commit()
    assert (raw["keepers"].find_one() or {})["_id"] == ObjectId(keeper._id)


def test_flush_gives_the_key(session: Session, farm: Any, raw: Database[Document]) -> None:
    keeper = farm.Keeper(name="A", mail="a")
    session.add(keeper)
    session.flush()
    assert isinstance(keeper._id, str)
    assert len(keeper._id) == 24
    assert session.new == []
    assert raw["keepers"].count_documents({}) == 1


@pytest.mark.usefixtures("stored")
def test_assignment_is_tracked(session: Session, farm: Any, raw: Database[Document], commands: CommandLog) -> None:
    kim = by_name(session, farm, "Kim")
    kim.age = 35
    assert session.dirty == [kim]
    commands.sent.clear()
    session.commit()
    assert session.dirty == []
    assert in_database(raw, "Kim")["age"] == 35
    assert commands.names() == ["update keepers"]
    assert commands.sent[0]["updates"][0]["u"] == {"$set": {"age": 35}}


@pytest.mark.usefixtures("stored")
def test_the_three_lists_are_compared_with_models(session: Session, farm: Any) -> None:
    fresh, kim, lea = farm.Keeper(name="A", mail="a"), by_name(session, farm, "Kim"), by_name(session, farm, "Lea")
    session.add(fresh)
    kim.age = 35
    session.delete(lea)
    assert (session.new, session.dirty, session.deleted) == ([fresh], [kim], [lea])
    session.new.clear()
    assert session.new == [fresh]
    session.commit()
    assert (session.new, session.dirty, session.deleted) == ([], [], [])


@pytest.mark.usefixtures("stored")
def test_delete_waits_for_the_flush(session: Session, farm: Any, raw: Database[Document]) -> None:
    lea = by_name(session, farm, "Lea")
    session.delete(lea)
    assert session.deleted == [lea]
    assert in_database(raw, "Lea") != {}
    session.flush()
    assert session.deleted == []
    assert in_database(raw, "Lea") == {}
    assert session.get(farm.Keeper, lea._id) is None


@pytest.mark.usefixtures("stored")
def test_rollback_discards_what_was_not_flushed(session: Session, farm: Any, raw: Database[Document]) -> None:
    kim, lea, ida = (by_name(session, farm, name) for name in ("Kim", "Lea", "Ida"))
    ida.age = 53
    session.flush()
    fresh = farm.Keeper(name="A", mail="a")
    session.add(fresh)
    kim.age = 1
    session.delete(lea)
    session.rollback()
    assert (session.new, session.dirty, session.deleted) == ([], [], [])
    session.commit()
    assert (kim.age, fresh._session, fresh.name) == (34, None, "A")
    assert [in_database(raw, name).get("age") for name in ("Kim", "Lea", "Ida", "A")] == [34, 41, 53, None]


def test_close_discards_what_was_not_flushed(make: sessionmaker, farm: Any, raw: Database[Document]) -> None:
    session = make()
    hive = farm.Hive(label="H1")
    session.add(hive)
    session.close()
    assert hive._session is None
    assert raw["hives"].count_documents({}) == 0


def test_a_block_closes_and_does_not_commit(make: sessionmaker, farm: Any, raw: Database[Document]) -> None:
    with make() as session:
        assert isinstance(session, Session)
        kept, lost = farm.Hive(label="kept"), farm.Hive(label="lost")
        session.add(kept)
        session.commit()
        session.add(lost)
    assert kept._session is lost._session is None
    assert raw["hives"].distinct("label") == ["kept"]


def test_a_block_passes_errors_on(make: sessionmaker, farm: Any, raw: Database[Document]) -> None:
    def work() -> None:
        with make() as session:
            session.add(farm.Hive(label="lost"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert raw["hives"].count_documents({}) == 0


# -- what did not change: get, refresh, merge ---------------------------------------------------------------------


@pytest.mark.usefixtures("stored")
def test_get_takes_the_text_of_a_key(session: Session, farm: Any, raw: Database[Document]) -> None:
    key = (raw["keepers"].find_one({"name": "Kim"}) or {})["_id"]
    kim: Any = session.get(farm.Keeper, str(key))
    assert (kim.name, kim._id) == ("Kim", str(key))
    assert session.get(farm.Keeper, key) is kim
    assert session.get(farm.Keeper, str(ObjectId())) is None


@pytest.mark.usefixtures("stored")
def test_refresh_reloads_in_place(session: Session, farm: Any, raw: Database[Document]) -> None:
    kim = by_name(session, farm, "Kim")
    kim.apiary = "West"
    raw["keepers"].update_one({"name": "Kim"}, {"$set": {"age": 40}})
    session.refresh(kim)
    assert (kim.age, kim.apiary) == (40, "South")
    assert session.dirty == []


@pytest.mark.usefixtures("stored")
def test_refresh_of_what_is_gone_or_never_was(session: Session, farm: Any, raw: Database[Document]) -> None:
    kim = by_name(session, farm, "Kim")
    raw["keepers"].delete_one({"name": "Kim"})
    with pytest.raises(NotFound):
        session.refresh(kim)
    with pytest.raises(ValueError, match="never stored"):
        session.refresh(farm.Keeper(name="A", mail="a"))


@pytest.mark.usefixtures("stored")
def test_merge_with_a_key_replaces(session: Session, farm: Any, raw: Database[Document]) -> None:
    key = str((raw["keepers"].find_one({"name": "Kim"}) or {})["_id"])
    twin = farm.Keeper(name="Kira", mail="kira@hives.test")
    twin._id = key
    assert session.merge(twin) is twin
    assert in_database(raw, "Kim") != {}
    session.commit()
    assert raw["keepers"].find_one({"_id": ObjectId(key)}, {"_id": 0}) == {
        "name": "Kira",
        "mail": "kira@hives.test",
        "age": 0,
        "apiary": "none",
        "rank": "trainee",
        "active": True,
    }
    assert raw["keepers"].count_documents({}) == 4


def test_merge_with_an_unknown_key_stores_under_it(session: Session, farm: Any, raw: Database[Document]) -> None:
    hive = farm.Hive(label="H1")
    hive._id = "64b7f0f0f0f0f0f0f0f0f0f0"
    session.merge(hive)
    session.commit()
    assert list(raw["hives"].find()) == [{"_id": ObjectId("64b7f0f0f0f0f0f0f0f0f0f0"), "label": "H1", "frames": []}]
    hive.label = "H2"
    session.commit()
    assert list(raw["hives"].find()) == [{"_id": ObjectId("64b7f0f0f0f0f0f0f0f0f0f0"), "label": "H2", "frames": []}]


def test_merge_without_a_key_inserts(session: Session, farm: Any, raw: Database[Document]) -> None:
    hive = session.merge(farm.Hive(label="H1"))
    session.commit()
    assert str((raw["hives"].find_one() or {})["_id"]) == hive._id


def test_merge_of_what_is_pending_leaves_it_so(session: Session, farm: Any) -> None:
    hive = farm.Hive(label="H1")
    session.add(hive)
    assert session.merge(hive) is hive
    assert session.new == [hive]


@pytest.mark.usefixtures("stored")
def test_merge_keeps_what_the_model_does_not_know(session: Session, farm: Any, raw: Database[Document]) -> None:
    raw["keepers"].update_one({"name": "Kim"}, {"$set": {"veil": "black"}})
    twin = farm.Keeper(name="Kim", mail="kim@hives.test", age=35)
    twin._id = str((raw["keepers"].find_one({"name": "Kim"}) or {})["_id"])
    session.merge(twin)
    session.commit()
    assert (in_database(raw, "Kim")["veil"], in_database(raw, "Kim")["age"]) == ("black", 35)


@pytest.mark.usefixtures("stored")
def test_merge_onto_what_the_session_holds(session: Session, farm: Any, raw: Database[Document]) -> None:
    kim = by_name(session, farm, "Kim")
    twin = farm.Keeper(name="Kira", mail="kira@hives.test", age=5)
    twin._id = kim._id
    assert session.merge(twin) is kim
    assert kim.name == "Kira"
    session.commit()
    assert in_database(raw, "Kira")["age"] == 5


@pytest.mark.usefixtures("stored")
def test_merge_of_what_another_session_loaded(make: sessionmaker, farm: Any, raw: Database[Document]) -> None:
    with make() as first:
        kim = by_name(first, farm, "Kim")
    kim.age = 36
    with make() as second:
        second.merge(kim)
        second.commit()
    assert in_database(raw, "Kim")["age"] == 36


# -- what did not change: queries ---------------------------------------------------------------------------------


CLAUSES: list[tuple[Callable[[Any, Any], Any], str]] = [
    (lambda q, k: q.where(k.age > 34), "Ida Lea"),
    (lambda q, k: q.where(k.age >= 34, k.apiary == "North"), "Ida Lea"),
    (lambda q, k: q.where(k.age >= 34).where(k.rank != "master"), "Kim Lea"),
    (lambda q, k: q.where(mongotic.or_(k.age < 18, k.name == "Lea")), "Jon Lea"),
    (lambda q, k: q.where(mongotic.not_(k.active == True)), "Kim Lea"),
    (lambda q, k: q.where(k.name.in_(["Ida", "Kim"])), "Ida Kim"),
    (lambda q, k: q.filter_by(apiary="South"), "Kim"),
    (lambda q, k: q.order_by(None).order_by(k.age), "Jon Kim Lea Ida"),
    (lambda q, k: q.order_by(None).order_by(-k.age), "Ida Lea Kim Jon"),
    (lambda q, k: q.order_by(None).order_by(mongotic.desc(k.apiary), mongotic.asc(k.age)), "Kim Jon Lea Ida"),
    (lambda q, k: q.limit(2), "Ida Jon"),
    (lambda q, k: q.limit(0), ""),
    (lambda q, k: q.offset(3), "Lea"),
    (lambda q, k: q.offset(1).limit(1), "Jon"),
    (lambda q, k: q.distinct(), "Ida Jon Kim Lea"),
]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(("clauses", "expected"), CLAUSES)
def test_every_clause(session: Session, farm: Any, clauses: Callable[[Any, Any], Any], expected: str) -> None:
    statement = clauses(select(farm.Keeper).order_by(farm.Keeper.name), farm.Keeper)
    assert [keeper.name for keeper in session.scalars(statement).all()] == expected.split()


@pytest.mark.usefixtures("stored")
def test_distinct_values_of_a_column(session: Session, farm: Any) -> None:
    statement = select(farm.Keeper.apiary).distinct().order_by(farm.Keeper.apiary)
    assert session.scalars(statement).all() == ["North", "South"]


@pytest.mark.usefixtures("stored")
def test_every_ending(session: Session, farm: Any) -> None:
    def keepers(apiary: str) -> Any:
        return session.scalars(select(farm.Keeper).where(farm.Keeper.apiary == apiary).order_by(farm.Keeper.name))

    assert [keeper.name for keeper in keepers("North").all()] == ["Ida", "Jon", "Lea"]
    assert [keeper.name for keeper in keepers("North")] == ["Ida", "Jon", "Lea"]
    assert keepers("North").first().name == "Ida"
    assert keepers("South").one() is keepers("South").one_or_none()
    assert keepers("East").first() is keepers("East").one_or_none() is None
    assert (keepers("North").count(), keepers("East").count()) == (3, 0)
    assert (keepers("North").exists(), keepers("East").exists()) == (True, False)
    with pytest.raises(NotFound):
        keepers("East").one()
    with pytest.raises(MultipleResultsFound):
        keepers("North").one()
    with pytest.raises(MultipleResultsFound):
        keepers("North").one_or_none()


@pytest.mark.usefixtures("stored")
def test_whole_instances_as_rows(session: Session, farm: Any) -> None:
    row: Any = session.execute(select(farm.Keeper).where(farm.Keeper.name == "Ida")).one()
    assert row.Keeper is row[0] is by_name(session, farm, "Ida")
