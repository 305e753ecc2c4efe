"""What goes along with the commands of `insert()`, `update()` and `delete()`: `execution_options(hint=..., ...)`."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from odmantic import Field, Model, SyncEngine
from pymongo import MongoClient, WriteConcern
from pymongo.collation import Collation
from pymongo.database import Database

from mongotic import Session, col, delete, insert, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError, InvalidRequestError, OperationalError
from tests.conftest import CommandLog, Document, SessionMaker


class Crate(Model):
    number: int = Field(primary_field=True)
    label: str = ""
    weight: int = 0


ACCENTS = Collation("en", strength=2)
ALONG: Any = {"comment": "nightly", "max_time_ms": 60_000, "write_concern": WriteConcern(w=1, j=True)}
CHANGING: Any = {**ALONG, "hint": [("_id", 1)], "collation": ACCENTS}


@pytest.fixture(autouse=True)
def crates(raw: Database[Document], commands: CommandLog) -> None:
    raw["crate"].insert_many([{"_id": n, "label": label, "weight": n} for n, label in enumerate(["a", "A", "b"])])
    commands.sent.clear()


def expect_along(sent: Document, *, changing: Document | None) -> None:
    assert sent["comment"] == "nightly"
    assert sent["writeConcern"] == {"w": 1, "j": True}
    assert 0 < sent["maxTimeMS"] <= 60_000
    if changing is not None:
        assert changing["hint"] == {"_id": 1}
        assert changing["collation"]["strength"] == 2


async def test_an_update_takes_them_along(session: AsyncSession, commands: CommandLog) -> None:
    statement = update(Crate).where(Crate.label == "a").values(weight=9).execution_options(**CHANGING)
    assert (await session.execute(statement)).rowcount == 2  # of either case: that is the collation's doing
    expect_along(commands.sent[0], changing=commands.sent[0]["updates"][0])


@pytest.mark.parametrize("number", [1, 2])
async def test_an_update_by_rows_takes_them_along(session: AsyncSession, commands: CommandLog, number: int) -> None:
    rows = [{"number": n, "weight": 7} for n in range(number)]
    statement = update(Crate).where(Crate.label == "a").values(rows).execution_options(**CHANGING)
    assert (await session.execute(statement)).rowcount == number
    for sent in commands.sent[0]["updates"]:
        expect_along(commands.sent[0], changing=sent)


async def test_a_deletion_takes_them_along(session: AsyncSession, commands: CommandLog) -> None:
    statement = delete(Crate).where(Crate.label == "a").execution_options(**CHANGING)
    assert (await session.execute(statement)).rowcount == 2
    expect_along(commands.sent[0], changing=commands.sent[0]["deletes"][0])


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("upserts", [False, True])
async def test_an_insert_takes_them_along(
    session: AsyncSession, commands: CommandLog, number: int, *, upserts: bool
) -> None:
    statement = insert(Crate).values([{"number": 10 + n} for n in range(number)]).execution_options(**ALONG)
    if upserts:
        statement = statement.on_conflict_do_nothing(index_elements=["number"])
    assert len((await session.execute(statement)).inserted_ids) == number
    expect_along(commands.sent[0], changing=None)


async def test_one_document_that_is_given_back(session: AsyncSession, commands: CommandLog) -> None:
    changed = update(Crate).where(Crate.label == "B").values(weight=5).execution_options(**CHANGING).returning(Crate)
    assert (await session.scalars(changed).one()).weight == 5
    gone = delete(Crate).where(Crate.label == "B").execution_options(**CHANGING).returning(Crate)
    assert (await session.scalars(gone).one()).number == 2
    for sent in commands.sent:
        expect_along(sent, changing=sent)


async def test_what_the_session_holds_follows_the_collation(session: AsyncSession) -> None:
    held = await session.get_one(Crate, 1)
    statement = update(Crate).where(Crate.label == "a").values(weight=9)
    await session.execute(statement.execution_options(collation=ACCENTS, synchronize_session="fetch"))
    assert (held.label, held.weight) == ("A", 9)


async def test_a_command_that_takes_too_long_is_given_up(session: AsyncSession, raw: Database[Document]) -> None:
    slow: Any = {"$where": "sleep(2000) || true"}
    statements: list[Any] = [update(Crate).where(slow).values(weight=9), delete(Crate).where(slow)]
    for statement in statements:
        with pytest.raises(OperationalError, match=r"not known|stay changed"):
            await session.execute(statement.execution_options(max_time_ms=100))
    assert raw["crate"].count_documents({"weight": {"$ne": 9}}) == 3
    assert (await session.execute(update(Crate).values(weight=11))).rowcount == 3  # the session goes on


async def test_a_transaction_has_one_write_concern(session: AsyncSession, commands: CommandLog) -> None:
    concern: Any = {"write_concern": WriteConcern("majority")}
    async with session.begin():
        statements: list[Any] = [
            insert(Crate).values(number=10).execution_options(**concern),
            update(Crate).values(weight=9).execution_options(**concern),
            update(Crate).values([{"number": 0, "weight": 9}]).execution_options(**concern),
            delete(Crate).execution_options(**concern),
        ]
        for statement in statements:
            with pytest.raises(InvalidRequestError, match=r"begin\(write_concern=...\). Nothing was sent"):
                await session.execute(statement)
        with pytest.raises(InvalidRequestError, match="begin"):
            await session.scalars(delete(Crate).execution_options(**concern).returning(Crate)).all()
        assert commands.sent == []
        usual: Any = {name: value for name, value in CHANGING.items() if name != "write_concern"}
        statement = update(Crate).where(Crate.label == "a").values(weight=9).execution_options(**usual)
        assert (await session.execute(statement)).rowcount == 2
    assert await session.scalars(select(Crate).where(Crate.weight == 9)).count() == 2


async def test_writes_that_are_not_confirmed_count_nothing(session: AsyncSession) -> None:
    statement = insert(Crate).values(number=10).execution_options(write_concern=WriteConcern(w=0))
    assert (await session.execute(statement)).rowcount == -1


WRONG: list[Any] = [
    {"max_time_ms": "5"},
    {"max_time_ms": 0},
    {"write_concern": "majority"},
    {"hint": 3},
    {"collation": "en"},
    {"read_concern": None},
    {"allow_disk_use": True},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_options_are_refused_where_they_are_written(wrong: Any) -> None:
    statements: list[Any] = [insert(Crate), update(Crate), delete(Crate)]
    for statement in statements:
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            statement.execution_options(**wrong)


def test_a_query_has_no_write_concern() -> None:
    options: Any = {"write_concern": WriteConcern(1)}
    with pytest.raises(ArgumentError, match="knows no 'write_concern' here"):
        select(Crate).execution_options(**options)


def test_an_insert_looks_for_nothing() -> None:
    for name in ("hint", "collation"):
        options: Any = {name: CHANGING[name]}
        with pytest.raises(ArgumentError, match=f"knows no '{name}' here"):
            insert(Crate).execution_options(**options)


def test_they_are_shown() -> None:
    along: Any = {"hint": "_id_", "comment": "why", "max_time_ms": 50, "write_concern": WriteConcern("majority")}
    rest = 'maxTimeMS: 50, writeConcern: {w: "majority"}, comment: "why"})'
    changing = update(Crate).values(weight=1).upsert().execution_options(**along)
    assert str(changing) == f'db.crate.updateMany({{}}, {{$set: {{weight: 1}}}}, {{upsert: true, hint: "_id_", {rest}'
    assert str(delete(Crate).execution_options(**along)) == f'db.crate.deleteMany({{}}, {{hint: "_id_", {rest}'
    rows = update(Crate).values([{"number": 1, "weight": 1}, {"number": 2, "weight": 2}]).execution_options(**along)
    assert str(rows).count('hint: "_id_"') == 2
    assert str(rows).endswith(f"], {{{rest}")
    one = insert(Crate).values(number=1).execution_options(comment="why")
    assert str(one).endswith('{comment: "why"})')
    given = delete(Crate).execution_options(comment="why").returning(Crate)
    assert str(given) == 'db.crate.findOneAndDelete({}, {comment: "why"})'


async def test_they_are_logged(session_maker: SessionMaker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="mongotic.engine"):
        session = session_maker()
        await session.execute(delete(Crate).where(col(Crate.label) == "a").execution_options(comment="x", hint="_id_"))
    assert 'deleteMany({label: {$eq: ?}}, {hint: "_id_", comment: ?})' in caplog.text


class Careful(SyncEngine):
    """An engine with a say in removals."""

    def remove(self, *arguments: Any, **options: Any) -> int:
        return super().remove(*arguments, **options)


def test_an_engines_own_remove_takes_none(sync_client: MongoClient[Document], raw: Database[Document]) -> None:
    with Session(Careful(sync_client, raw.name)) as session:
        with pytest.raises(InvalidRequestError, match=r"a remove\(\) of its own"):
            session.execute(delete(Crate).execution_options(collation=ACCENTS))
        assert session.execute(delete(Crate)).rowcount == 3
