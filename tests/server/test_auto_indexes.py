"""`sessionmaker(auto_indexes=True)`: the indexes a model declares are made before its first write."""

# pyright takes an attribute declared as Model for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Field, Model, Reference
from pymongo import monitoring
from pymongo.database import Database

from mongotic import col, delete, insert, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError, IntegrityError, OperationalError
from tests.conftest import Backend, CommandLog, Document, SessionMaker, maybe_awaited


class Firm(Model):
    name: str = Field(primary_field=True)
    code: str = Field(default="", unique=True)


class Clerk(Model):
    number: int = Field(primary_field=True)
    badge: str = Field(default="", unique=True)
    firm: Firm = Reference()


class Note(Model):
    text: str = ""


@pytest.fixture
def maker(backend: Backend) -> SessionMaker:
    return backend.maker(auto_indexes=True)


@pytest.fixture
async def indexed(maker: SessionMaker) -> Any:
    async with maker() as opened:
        yield opened


@pytest.fixture
def creations(monkeypatch: pytest.MonkeyPatch, command_log: CommandLog) -> list[str]:
    """The collections for which `createIndexes` was sent, one after the other."""
    found: list[str] = []
    started = command_log.started

    def listen(event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "createIndexes":
            found.append(event.command["createIndexes"])
        started(event)

    monkeypatch.setattr(command_log, "started", listen)
    return found


def unique(raw: Database[Document], collection: str) -> list[str]:
    found = raw[collection].index_information().values()
    return [key for index in found if index.get("unique") for key, _ in index["key"]]


WRITES: list[Any] = [
    lambda: insert(Firm).values(name="a"),
    lambda: update(Firm).values(code="x"),
    lambda: update(Firm).values([{"name": "a", "code": "x"}]),
    lambda: delete(Firm),
]


@pytest.mark.parametrize("position", range(len(WRITES)))
async def test_every_kind_of_write_makes_them_once(
    indexed: AsyncSession, raw: Database[Document], creations: list[str], position: int
) -> None:
    await indexed.scalars(select(Firm)).all()
    assert creations == []  # a query alone needs none
    await indexed.execute(WRITES[position]())
    await indexed.execute(WRITES[position]()) if position else None
    assert (unique(raw, "firm"), creations) == (["code"], ["firm"])


async def test_one_document_that_is_given_back(indexed: AsyncSession, raw: Database[Document]) -> None:
    changed = update(Firm).filter_by(name="a").values(code="x").upsert().returning(Firm)
    assert (await indexed.scalars(changed).one()).code == "x"
    assert unique(raw, "firm") == ["code"]


async def test_a_commit_of_several_models_is_whole(
    maker: SessionMaker, raw: Database[Document], commands: CommandLog, creations: list[str]
) -> None:
    async with maker() as session:
        session.add(Clerk(number=1, badge="b", firm=Firm(name="a")))
        await session.commit()
    assert commands.names() == ["insert firm", "insert clerk", "commitTransaction 1"]
    assert sorted(creations) == ["clerk", "firm"]
    async with maker() as session:
        session.add(Clerk(number=2, badge="b", firm=await session.get_one(Firm, "a")))
        with pytest.raises(IntegrityError):
            await session.commit()
    assert sorted(creations) == ["clerk", "firm"]  # another session makes none again


async def test_before_a_transaction_begins(
    indexed: AsyncSession, raw: Database[Document], creations: list[str]
) -> None:
    async with indexed.begin():
        await indexed.execute(insert(Firm).values(name="a"))
        assert creations == ["firm"]
    assert unique(raw, "firm") == ["code"]


async def test_what_is_pending_is_known_before_a_transaction_begins(
    indexed: AsyncSession, creations: list[str]
) -> None:
    async with indexed.begin():
        indexed.add(Firm(name="a"))
        await indexed.execute(insert(Note).values(text="x"))
        assert creations == ["firm"]


@pytest.mark.parametrize("exists", [True, False])
async def test_an_open_transaction_is_left_alone(
    maker: SessionMaker, raw: Database[Document], creations: list[str], *, exists: bool
) -> None:
    if exists:
        raw["firm"].insert_one({"_id": "old", "code": "old"})
    async with maker() as session:
        async with session.begin():
            await session.execute(insert(Note).values(text="x"))
            await session.scalars(select(Firm)).all()
            await session.execute(insert(Firm).values(name="a", code="a"))
            assert creations == []
        await session.scalars(select(Note)).all()
        assert creations == []
    async with maker() as session:
        await session.execute(insert(Note).values(text="y"))  # the next write, of whatever model
    assert (creations, unique(raw, "firm")) == (["firm"], ["code"])


async def test_the_next_transaction_makes_what_an_open_one_left(maker: SessionMaker, creations: list[str]) -> None:
    async with maker() as session:
        async with session.begin():
            await session.execute(insert(Note).values(text="x"))
            await session.execute(insert(Firm).values(name="a", code="a"))
        async with session.begin():
            await session.scalars(select(Note)).all()
            assert creations == ["firm"]


async def test_the_transaction_of_another_session_is_not_waited_for(
    maker: SessionMaker, raw: Database[Document], creations: list[str]
) -> None:
    raw["firm"].insert_one({"_id": "old", "code": "old"})
    async with maker() as outer, maker() as inner:
        async with outer.begin():
            await outer.execute(insert(Note).values(text="x"))
            await outer.execute(insert(Firm).values(name="a", code="a"))
            await inner.execute(insert(Firm).values(name="b", code="b"))
            assert creations == []
        await inner.execute(insert(Note).values(text="y"))
        assert (creations, unique(raw, "firm")) == (["firm"], ["code"])


async def test_a_transaction_of_the_callers_is_left_alone(backend: Backend, creations: list[str]) -> None:
    engine: Any = backend.engine
    begun = engine.transaction()
    await maybe_awaited(begun.start())
    async with backend.maker(begun, auto_indexes=True)() as session:
        session.add(Firm(name="a"))
        await session.commit()
        assert creations == []
    await maybe_awaited(begun.commit())
    async with backend.maker(auto_indexes=True)() as session:
        await session.execute(update(Firm).values(code="x"))
    assert creations == ["firm"]


async def test_documents_that_contradict_an_index_keep_the_write_back(
    indexed: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["firm"].insert_many([{"_id": "a", "code": "same"}, {"_id": "b", "code": "same"}])
    indexed.add(Firm(name="c", code="c"))
    for _ in range(2):
        with pytest.raises(OperationalError, match=r"E11000.*was not sent.*create_indexes\(\)"):
            await indexed.commit()
    assert commands.names() == []
    assert [firm.name for firm in indexed.new if isinstance(firm, Firm)] == ["c"]
    raw["firm"].delete_one({"_id": "b"})
    await indexed.commit()
    assert (raw["firm"].count_documents({}), unique(raw, "firm")) == (2, ["code"])


async def test_a_database_is_not_taken_for_another_one(
    backend: Backend, raw: Database[Document], creations: list[str]
) -> None:
    other = raw.client[f"{raw.name}_other"]
    try:
        for name in (raw.name, other.name):
            async with backend.maker(backend.client, database=name, auto_indexes=True)() as session:
                await session.execute(insert(Firm).values(name="a"))
        assert (creations, unique(other, "firm")) == (["firm", "firm"], ["code"])
    finally:
        other.drop_collection("firm")


async def test_without_it_none_are_made(session: AsyncSession, raw: Database[Document], creations: list[str]) -> None:
    await session.execute(insert(Firm).values(name="a"))
    await session.execute(update(Firm).where(col(Firm.code) == "").values(code="x"))
    assert (creations, unique(raw, "firm")) == ([], [])


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_it_is_true_or_false(backend: Backend, value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"auto_indexes=...\) takes True or False"):
        backend.maker(auto_indexes=value)
