"""A flush that fails at any point: what was written is known, the rest is still pending, and the next flush finishes
it."""

from __future__ import annotations

import pytest
from odmantic import Field, Model
from pymongo.database import Database
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure, WriteConcernError

from mongotic import FlushError, IntegrityError, OperationalError, select
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import FlushOperationalError
from tests.conftest import CommandLog, Document
from tests.faults.conftest import FailPoint


class Account(Model):
    number: int = Field(primary_field=True)
    email: str = ""
    balance: int = 0


class Entry(Model):
    number: int = Field(primary_field=True)
    text: str = ""


@pytest.fixture
def accounts(raw: Database[Document]) -> None:
    raw["account"].create_index("email", unique=True, partialFilterExpression={"email": {"$gt": ""}})
    raw["account"].insert_many([{"_id": number, "email": f"{number}@x", "balance": 0} for number in range(12)])


def balances(raw: Database[Document]) -> dict[int, int]:
    return {document["_id"]: document["balance"] for document in raw["account"].find()}


@pytest.mark.parametrize("k", range(12))
async def test_insert_k_of_12_meets_an_existing_key(session: AsyncSession, raw: Database[Document], k: int) -> None:
    raw["entry"].insert_one({"_id": k, "text": "theirs"})
    entries = [Entry(number=number, text="mine") for number in range(12)]
    session.add_all(entries)
    with pytest.raises(IntegrityError) as caught:
        await session.flush()
    assert caught.value.instance is entries[k]
    assert (caught.value.written, caught.value.pending) == (entries[:k], entries[k:])
    assert sorted(document["_id"] for document in raw["entry"].find()) == list(range(k + 1))

    session.expunge(entries[k])
    await session.flush()
    expected = {number: "theirs" if number == k else "mine" for number in range(12)}
    assert {document["_id"]: document["text"] for document in raw["entry"].find()} == expected
    assert (session.new, session.dirty) == ([], [])


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("k", range(12))
async def test_update_k_of_12_breaks_a_unique_index(session: AsyncSession, raw: Database[Document], k: int) -> None:
    held = await session.scalars(select(Account).order_by(Account.number)).all()
    for account in held:
        account.balance = 1
    held[k].email = held[(k + 1) % 12].email
    with pytest.raises(IntegrityError, match="email") as caught:
        await session.flush()
    assert caught.value.instance is held[k]
    assert (caught.value.written, caught.value.pending) == (held[:k], held[k:])
    assert balances(raw) == {number: int(number < k) for number in range(12)}

    held[k].email = "free@x"
    await session.flush()
    assert balances(raw) == dict.fromkeys(range(12), 1)
    assert session.dirty == []


MIXED = ["insert account", "insert entry", "update account", "update entry", "delete account", "delete entry"]


async def mixed_changes(session: AsyncSession, raw: Database[Document]) -> list[Model]:
    """Stage one change of every kind in both collections, in the order they are written."""
    raw["account"].insert_many([{"_id": number} for number in (1, 2)])
    raw["entry"].insert_many([{"_id": number} for number in (1, 2)])
    changed, removed = [await session.get(Account, number) for number in (1, 2)]
    edited, dropped = [await session.get(Entry, number) for number in (1, 2)]
    assert changed is not None
    assert removed is not None
    assert edited is not None
    assert dropped is not None
    created, written = Account(number=3), Entry(number=3)
    session.add_all([created, written])
    changed.balance = 1
    edited.text = "changed"
    session.delete(removed)
    session.delete(dropped)
    return [created, written, changed, edited, removed, dropped]


def everything(raw: Database[Document]) -> dict[str, list[Document]]:
    return {name: list(raw[name].find().sort("_id")) for name in ("account", "entry")}


EXPECTED = {
    "account": [{"_id": 1, "balance": 1}, {"_id": 3, "email": "", "balance": 0}],
    "entry": [{"_id": 1, "text": "changed"}, {"_id": 3, "text": ""}],
}


@pytest.mark.parametrize("k", range(6))
async def test_command_k_of_6_is_refused_by_the_server(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, commands: CommandLog, k: int
) -> None:
    staged = await mixed_changes(session, raw)
    name, collection = MIXED[k].split()
    commands.sent.clear()
    with (
        fail(name, errorCode=13, namespace=f"{raw.name}.{collection}"),
        pytest.raises(FlushOperationalError, match=rf"Written: {k}; still pending: {6 - k}") as caught,
    ):
        await session.flush()
    assert isinstance(caught.value, OperationFailure)
    assert (caught.value.written, caught.value.pending) == (staged[:k], staged[k:])
    assert commands.names() == MIXED[: k + 1]

    commands.sent.clear()
    await session.flush()
    assert commands.names() == MIXED[k:]
    assert everything(raw) == EXPECTED
    assert (session.new, session.dirty, session.deleted) == ([], [], [])


@pytest.mark.parametrize("k", range(6))
async def test_the_connection_breaks_once_at_command_k_of_6(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, k: int
) -> None:
    await mixed_changes(session, raw)
    with fail(MIXED[k].split()[0], closeConnection=True):
        await session.flush()
    assert everything(raw) == EXPECTED


@pytest.mark.parametrize("k", range(6))
async def test_the_connection_breaks_for_good_at_command_k_of_6(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, k: int
) -> None:
    staged = await mixed_changes(session, raw)
    name, collection = MIXED[k].split()
    with (
        fail(name, times=10, closeConnection=True, namespace=f"{raw.name}.{collection}"),
        pytest.raises(FlushError, match="Whether the pending ones reached the server is not known") as caught,
    ):
        await session.flush()
    assert isinstance(caught.value, AutoReconnect)
    assert (caught.value.written, caught.value.pending) == (staged[:k], staged[k:])
    await session.flush()
    assert everything(raw) == EXPECTED


async def test_a_write_that_is_done_but_not_replicated_is_not_pending(
    session: AsyncSession, raw: Database[Document], fail: FailPoint
) -> None:
    entries = [Entry(number=number) for number in range(3)]
    for staged in (entries[:1], entries[1:]):  # one command, then a bulk write
        session.add_all(staged)
        with (
            fail("insert", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"}),
            pytest.raises(FlushError, match="still pending: 0") as caught,
        ):
            await session.flush()
        assert isinstance(caught.value, (WriteConcernError, BulkWriteError))
        assert caught.value.written == staged
    assert (session.new, session.dirty) == ([], [])
    assert raw["entry"].count_documents({}) == 3


@pytest.mark.usefixtures("accounts")
async def test_a_broken_read_is_an_operational_error_and_the_session_goes_on(
    session: AsyncSession, fail: FailPoint
) -> None:
    with fail("find", times=10, closeConnection=True), pytest.raises(OperationalError, match="The connection broke"):
        await session.scalars(select(Account)).all()
    assert len(await session.scalars(select(Account)).all()) == 12
