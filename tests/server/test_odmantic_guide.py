"""What ODMantic's users do with its sessions and transactions, done with mongotic; and both in one transaction."""

# ruff: noqa: PT012  # what raises is the end of the block

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from odmantic import Field, Model
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import InvalidOperation
from pymongo.read_concern import ReadConcern

from mongotic import ArgumentError, InvalidRequestError, select, sessionmaker
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, CommandLog, Document, SessionMaker, maybe_awaited


class Reader(Model):
    name: str
    fines: float = 0


class Wallet(Model):
    owner: str = Field(primary_field=True)
    coins: int = 0


class Payment(Model):
    payer: str
    payee: str
    coins: int


class Archive(Model):
    __databasename__ = "elsewhere"  # replaced by the test, which has a database of its own
    number: int = Field(primary_field=True)


# -- sessions -----------------------------------------------------------------------------------------------------


async def test_one_session_for_writes_and_reads(session: AsyncSession) -> None:
    session.add(Reader(name="Ida"))
    await session.commit()
    assert [reader.name for reader in await session.scalars(select(Reader)).all()] == ["Ida"]
    assert await session.scalars(select(Reader)).count() == 1


async def test_many_objects_in_one_session(session: AsyncSession, commands: CommandLog) -> None:
    session.add_all(Reader(name=f"reader {n}") for n in range(10))
    await session.commit()
    assert await session.scalars(select(Reader)).count() == 10
    assert commands.names() == ["insert reader", "aggregate reader"]


# -- transactions -------------------------------------------------------------------------------------------------


async def test_documents_of_several_collections_in_one_transaction(
    session: AsyncSession, raw: Database[Document]
) -> None:
    async with session.begin():
        ida = Reader(name="Ida")
        session.add(ida)
        await session.flush()
        session.add(Payment(payer="Ida", payee="library", coins=3))
        ida.fines = 1.5
    assert raw["reader"].find_one({}, {"_id": 0}) == {"name": "Ida", "fines": 1.5}
    assert raw["payment"].count_documents({}) == 1


async def pay(session: AsyncSession, payer: str, payee: str, coins: int) -> Payment:
    """Move coins in the transaction that is under way."""
    source, target = await session.get(Wallet, payer), await session.get(Wallet, payee)
    if source is None or source.coins < coins:
        raise ValueError("too few coins")
    if target is None:
        raise ValueError("nobody of that name")
    source.coins -= coins
    target.coins += coins
    payment = Payment(payer=payer, payee=payee, coins=coins)
    session.add(payment)
    return payment


def coins(raw: Database[Document]) -> dict[str, int]:
    return {document["_id"]: document["coins"] for document in raw["wallet"].find()}


async def test_a_transfer_over_several_collections(session: AsyncSession, raw: Database[Document]) -> None:
    raw["wallet"].insert_many([{"_id": "Ida", "coins": 10}, {"_id": "Kai", "coins": 0}])
    async with session.begin():
        payment = await pay(session, "Ida", "Kai", 4)
        assert coins(raw) == {"Ida": 10, "Kai": 0}
    assert coins(raw) == {"Ida": 6, "Kai": 4}
    assert raw["payment"].find_one() == {"_id": payment.id, "payer": "Ida", "payee": "Kai", "coins": 4}


@pytest.mark.parametrize(("payee", "amount"), [("Kai", 99), ("nobody", 4)])
async def test_a_transfer_that_is_refused_leaves_nothing(
    session: AsyncSession, raw: Database[Document], payee: str, amount: int
) -> None:
    raw["wallet"].insert_many([{"_id": "Ida", "coins": 10}, {"_id": "Kai", "coins": 0}])
    with pytest.raises(ValueError, match=r"too few|nobody"):
        async with session.begin():
            await pay(session, "Ida", "Kai", 1)
            await session.flush()
            await pay(session, "Ida", payee, amount)
    assert coins(raw) == {"Ida": 10, "Kai": 0}
    assert raw["payment"].count_documents({}) == 0
    assert (await session.get_one(Wallet, "Ida")).coins == 10


async def test_any_exception_rolls_everything_back(session: AsyncSession) -> None:
    with pytest.raises(RuntimeError, match="gone wrong"):
        async with session.begin():
            for n in range(5):
                session.add(Reader(name=f"reader {n}"))
                await session.flush()
            raise RuntimeError("gone wrong")
    assert await session.scalars(select(Reader)).count() == 0


async def test_a_rollback_by_hand_goes_on_after_the_block(session: AsyncSession) -> None:
    async with session.begin() as transaction:
        session.add(Reader(name="Test"))
        await session.flush()
        await transaction.rollback()
    assert await session.scalars(select(Reader)).count() == 0


# -- functions that work with the caller's session, or with one of their own ---------------------------------------


async def enrol(make: SessionMaker, name: str, session: AsyncSession | None = None) -> Reader:
    if session is not None:
        reader = Reader(name=name)
        session.add(reader)
        return reader
    async with make() as own:
        reader = await enrol(make, name, own)
        await own.commit()
        return reader


async def test_nested_functions_share_a_session_or_open_one(session_maker: SessionMaker) -> None:
    await enrol(session_maker, "alone")
    async with session_maker() as session:
        async with session.begin():
            await enrol(session_maker, "first", session)
            await enrol(session_maker, "second", session)
            assert await session.scalars(select(Reader)).count() == 3
        assert await session.scalars(select(Reader)).count() == 3


# -- both in one transaction --------------------------------------------------------------------------------------


async def test_a_transaction_of_odmantic_in_which_mongotic_works(backend: Backend, raw: Database[Document]) -> None:
    engine: Any = backend.engine
    for end in ("abort", "commit"):
        transaction = engine.transaction()
        await maybe_awaited(transaction.start())
        await maybe_awaited(engine.save(Wallet(owner="Ida", coins=7), session=transaction))
        async with backend.maker(transaction)() as session:
            ida = await session.get_one(Wallet, "Ida")
            ida.coins -= 2
            session.add(Payment(payer="Ida", payee="Kai", coins=2))
            await session.commit()
            with pytest.raises(InvalidRequestError, match="a transaction of yours"):
                session.begin()
        found = await maybe_awaited(engine.find_one(Wallet, Wallet.owner == "Ida", session=transaction))
        assert found.coins == 5
        assert coins(raw) == {}
        await maybe_awaited(getattr(transaction, end)())
    assert coins(raw) == {"Ida": 5}
    assert raw["payment"].count_documents({}) == 1


async def test_a_session_of_odmantic_in_which_mongotic_begins(backend: Backend, raw: Database[Document]) -> None:
    engine: Any = backend.engine
    plain = engine.session()
    await maybe_awaited(plain.start())
    async with backend.maker(plain)() as session:
        with pytest.raises(ZeroDivisionError):
            async with session.begin():
                session.add(Wallet(owner="Ida", coins=1))
                await session.flush()
                await maybe_awaited(engine.save(Wallet(owner="Kai", coins=1), session=session.odmantic))
                raise ZeroDivisionError
        assert coins(raw) == {}
        async with session.begin():
            session.add(Wallet(owner="Ida", coins=1))
            await maybe_awaited(engine.save(Wallet(owner="Kai", coins=2), session=session.odmantic))
        assert coins(raw) == {"Ida": 1, "Kai": 2}
    assert await maybe_awaited(engine.count(Wallet, session=plain)) == 2  # still the caller's
    await maybe_awaited(plain.end())


async def test_a_rollback_of_what_was_flushed_ends_the_callers_transaction(
    backend: Backend, raw: Database[Document]
) -> None:
    engine: Any = backend.engine
    transaction = engine.transaction()
    await maybe_awaited(transaction.start())
    async with backend.maker(transaction)() as session:
        session.add(Wallet(owner="Ida"))
        await session.rollback()  # nothing was flushed: only memory
        session.add(Wallet(owner="Kai"))
        await session.flush()
        await session.rollback()
    with pytest.raises((RuntimeError, InvalidOperation)):
        await maybe_awaited(transaction.commit())
    assert coins(raw) == {}


# -- options ------------------------------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": WriteConcern("majority", wtimeout=5000),
    "read_preference": ReadPreference.PRIMARY,
    "max_commit_time_ms": 4000,
}


@pytest.mark.parametrize("where", ["begin", "maker", "autobegin", "atomic"])
async def test_options_reach_the_server(backend: Backend, commands: CommandLog, where: str) -> None:
    options: dict[str, Any] = {} if where == "begin" else OPTIONS
    of_begin: dict[str, Any] = OPTIONS if where == "begin" else {}
    async with backend.maker(autobegin=where == "autobegin", **options)() as session:
        if where in ("begin", "maker"):
            session.begin(**of_begin)
        session.add_all([Wallet(owner="Ida"), Reader(name="Ida")])
        await session.commit()
    first, *_, last = commands.sent
    assert (first["startTransaction"], first["readConcern"]["level"]) == (True, "snapshot")
    assert last["commitTransaction"] == 1
    assert last["writeConcern"] == {"w": "majority", "wtimeout": 5000}
    assert last["maxTimeMS"] == 4000
    assert all("writeConcern" not in command for command in commands.sent[:-1])


async def test_a_read_preference_of_transactions_is_the_primary(session: AsyncSession) -> None:
    with pytest.raises(ArgumentError, match="reads from the primary only"):
        session.begin(read_preference=ReadPreference.SECONDARY)
    assert not session.in_transaction()


def test_a_client_that_prefers_secondaries_has_transactions_all_the_same(
    server_uri: str, raw: Database[Document]
) -> None:
    with (
        MongoClient[Document](server_uri, readPreference="secondaryPreferred") as client,
        sessionmaker(client, database=raw.name).begin() as session,
    ):
        session.add(Wallet(owner="Ida"))
        assert session.scalars(select(Wallet)).count() == 1
    assert coins(raw) == {"Ida": 0}


async def test_a_write_concern_that_waits_for_nobody_is_refused(session: AsyncSession) -> None:
    session.begin(write_concern=WriteConcern(0))
    with pytest.raises(ArgumentError, match="Nothing was sent"):
        await session.scalars(select(Wallet)).all()
    await session.rollback()
    assert await session.scalars(select(Wallet)).all() == []


@pytest.mark.parametrize("causal", [True, False])
async def test_causal_consistency_where_it_is_asked_for(
    backend: Backend, commands: CommandLog, *, causal: bool
) -> None:
    async with backend.maker(causal_consistency=causal)() as session:
        session.add(Wallet(owner="Ida"))
        await session.commit()
        await session.scalars(select(Wallet)).all()
    assert ("afterClusterTime" in commands.sent[-1].get("readConcern", {})) == causal


async def test_a_transaction_over_two_databases(
    session: AsyncSession, raw: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = raw.client[f"{raw.name}_b"]
    monkeypatch.setattr(Archive, "__databasename__", other.name)
    try:
        with pytest.raises(ZeroDivisionError):
            async with session.begin():
                session.add_all([Archive(number=1), Wallet(owner="Ida")])
                await session.flush()
                assert await session.scalars(select(Archive)).count() == 1
                raise ZeroDivisionError
        assert (other["archive"].count_documents({}), coins(raw)) == (0, {})
        session.add_all([Archive(number=1), Wallet(owner="Ida")])
        await session.commit()
        assert (other["archive"].count_documents({}), coins(raw)) == (1, {"Ida": 0})
    finally:
        raw.client.drop_database(other.name)


def test_keys_are_made_up_before_anything_is_sent() -> None:
    """A reference by key needs no save before it, as ODMantic's examples have it."""
    reader = Reader(name="Ida")
    assert isinstance(reader.id, ObjectId)
