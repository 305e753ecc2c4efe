"""Transactions on a server that fails at every point: nothing is written, the objects stand as before, nothing stays
open, and the same work succeeds when it is done again."""

# ruff: noqa: PT012  # what raises is the end of the block

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from odmantic import Field, Model
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

import mongotic
import mongotic.asyncio
from mongotic import (
    FlushError,
    IntegrityError,
    OperationalError,
    PendingRollbackError,
    StaleDataError,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import FlushOperationalError, MongoticError
from tests.conftest import Backend, CommandLog, Document, SessionMaker, maybe_awaited
from tests.faults.conftest import FailPoint, open_transactions

pytestmark = pytest.mark.usefixtures("nothing_left_open")


class Account(Model):
    number: int = Field(primary_field=True)
    email: str = ""
    balance: int = 0


class Entry(Model):
    number: int = Field(primary_field=True)
    text: str = ""


MIXED = ["insert account", "insert entry", "update account", "update entry", "delete account", "delete entry"]
"""The commands that write twelve staged changes."""

BEFORE = {
    "account": [{"_id": n, "email": f"{n}@x", "balance": 0} for n in range(4)],
    "entry": [{"_id": n, "text": ""} for n in range(4)],
}
AFTER = {
    "account": [{"_id": n, "email": f"{n}@x", "balance": 1} for n in (0, 1)]
    + [{"_id": n, "email": f"{n}@x", "balance": 7} for n in (8, 9)],
    "entry": [{"_id": n, "text": "changed"} for n in (0, 1)] + [{"_id": n, "text": "new"} for n in (8, 9)],
}


@pytest.fixture(autouse=True)
def stored(raw: Database[Document]) -> None:
    raw["account"].create_index("email", unique=True)
    for name, documents in BEFORE.items():
        raw[name].insert_many([dict(document) for document in documents])


def everything(raw: Database[Document]) -> dict[str, list[Document]]:
    return {name: list(raw[name].find().sort("_id")) for name in BEFORE}


class Work:
    """Twelve changes of every kind in two collections, and how the objects stand."""

    def __init__(self, accounts: list[Account], entries: list[Entry]) -> None:
        self.accounts, self.entries = accounts, entries
        self.added: list[Model] = []
        self.added += [Account(number=n, email=f"{n}@x", balance=7) for n in (8, 9)]
        self.added += [Entry(number=n, text="new") for n in (8, 9)]

    def stage(self, session: AsyncSession) -> None:
        session.add_all(self.added)
        for account in self.accounts[:2]:
            account.balance = 1
        for entry in self.entries[:2]:
            entry.text = "changed"
        for doomed in (*self.accounts[2:], *self.entries[2:]):
            session.delete(doomed)

    @property
    def all(self) -> list[Model]:
        """The instances, in the order they are written."""
        changed = [*self.accounts[:2], *self.entries[:2]]
        return [*self.added, *changed, *self.accounts[2:], *self.entries[2:]]

    def picture(self, session: AsyncSession) -> dict[str, object]:
        """How session and objects stand."""
        lists = {"new": session.new, "dirty": session.dirty, "deleted": session.deleted}
        numbers = {name: [id(instance) for instance in instances] for name, instances in lists.items()}
        values = [repr(instance) for instance in self.all]
        return {**numbers, "values": values, "held": [instance in session for instance in self.all]}


async def work(session: AsyncSession) -> Work:
    accounts = await session.scalars(select(Account).order_by(Account.number)).all()
    return Work(accounts, await session.scalars(select(Entry).order_by(Entry.number)).all())


# -- an error at every write --------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(6))
async def test_command_k_of_6_fails_in_a_block(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, commands: CommandLog, k: int
) -> None:
    staged = await work(session)
    before = staged.picture(session)
    name, collection = MIXED[k].split()
    commands.sent.clear()
    with fail(name, errorCode=8000, namespace=f"{raw.name}.{collection}"), pytest.raises(FlushError):
        async with session.begin():
            staged.stage(session)
            await session.flush()
    assert commands.names() == [*MIXED[: k + 1], "abortTransaction 1"]
    assert everything(raw) == BEFORE
    assert staged.picture(session) == before
    async with session.begin():
        staged.stage(session)
    assert everything(raw) == AFTER


@pytest.mark.parametrize("k", range(6))
async def test_command_k_of_6_fails_in_an_atomic_commit(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, commands: CommandLog, k: int
) -> None:
    staged = await work(session)
    staged.stage(session)
    before = staged.picture(session)
    name, collection = MIXED[k].split()
    commands.sent.clear()
    with (
        fail(name, errorCode=8000, namespace=f"{raw.name}.{collection}"),
        pytest.raises(FlushOperationalError) as caught,
    ):
        await session.commit()
    assert (caught.value.written, caught.value.pending) == ([], staged.all)
    assert "Nothing was written" in str(caught.value)
    assert "Written:" not in str(caught.value)
    assert commands.names() == [*MIXED[: k + 1], "abortTransaction 1"]
    assert everything(raw) == BEFORE
    assert staged.picture(session) == before
    await session.commit()
    assert everything(raw) == AFTER
    assert (session.new, session.dirty, session.deleted) == ([], [], [])


@pytest.mark.parametrize("k", range(12))
@pytest.mark.parametrize("begin", [True, False])
async def test_write_k_of_12_fails_when_the_engine_writes_one_by_one(
    backend: Backend, raw: Database[Document], fail: FailPoint, k: int, *, begin: bool
) -> None:
    async with backend.maker(writes="engine")() as session:
        staged = await work(session)
        if begin:
            before = staged.picture(session)
            session.begin()
            staged.stage(session)
        else:
            staged.stage(session)
            before = staged.picture(session)
        with fail("insert", "update", "delete", skip=k, errorCode=8000), pytest.raises(FlushOperationalError):
            await session.commit()
        await session.rollback() if begin else None
        assert everything(raw) == BEFORE
        assert staged.picture(session) == before
        if begin:
            staged.stage(session)
        await session.commit()
    assert everything(raw) == AFTER


@pytest.mark.parametrize("k", range(12))
async def test_write_k_of_12_fails_outside_of_transactions(
    backend: Backend, raw: Database[Document], fail: FailPoint, k: int
) -> None:
    async with backend.maker(writes="engine")() as session:
        staged = await work(session)
        staged.stage(session)
        with (
            fail("insert", "update", "delete", skip=k, errorCode=8000),
            pytest.raises(FlushOperationalError) as caught,
        ):
            await session.flush()
        assert (caught.value.written, caught.value.pending) == (staged.all[:k], staged.all[k:])
        assert session.new == staged.added[k:]
        assert len(session.deleted) == min(4, 12 - k)
        await session.flush()
        assert (session.new, session.dirty, session.deleted) == ([], [], [])
    assert everything(raw) == AFTER


@pytest.mark.parametrize("k", range(12))
async def test_insert_k_of_12_meets_an_existing_key(session: AsyncSession, raw: Database[Document], k: int) -> None:
    added = [Account(number=100 + n, email=f"{100 + n}@x") for n in range(12)]
    added[k].email = "3@x"
    async with session.begin() as transaction:
        session.add_all(added)
        with pytest.raises(IntegrityError, match="email = '3@x' exists already") as caught:
            await session.flush()
        assert caught.value.instance is added[k]
        await transaction.rollback()
    assert everything(raw) == BEFORE
    assert session.new == []
    added[k].email = "free@x"
    session.add_all(added)
    async with session.begin():
        pass
    assert raw["account"].count_documents({}) == 16


@pytest.mark.parametrize("k", range(4))
async def test_a_stale_update_in_an_atomic_commit_or_a_block(
    session: AsyncSession, raw: Database[Document], k: int
) -> None:
    staged = await work(session)
    for instance in (*staged.accounts, *staged.entries):
        setattr(
            instance,
            "balance" if isinstance(instance, Account) else "text",
            5 if isinstance(instance, Account) else "x",
        )
    raw["entry"].delete_one({"_id": k})
    left = everything(raw)
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert caught.value.instances == [staged.entries[k]]
    assert everything(raw) == left
    assert len(session.dirty) == 8
    with pytest.raises(StaleDataError):
        async with session.begin():
            pass
    assert everything(raw) == left
    assert len(session.dirty) == 8
    session.expunge(staged.entries[k])
    await session.commit()
    assert [account["balance"] for account in raw["account"].find()] == [5] * 4


# -- the faults of the network and of other transactions ----------------------------------------------------------

LABEL = ["TransientTransactionError"]
FAULTS: list[tuple[str, Document]] = [
    ("insert", {"closeConnection": True}),
    ("find", {"closeConnection": True}),
    ("update", {"errorCode": 112, "errorLabels": LABEL}),  # WriteConflict
    ("delete", {"errorCode": 251, "errorLabels": LABEL}),  # NoSuchTransaction
    ("find", {"errorCode": 11602, "errorLabels": LABEL}),  # InterruptedDueToReplStateChange
]

transient = pytest.mark.parametrize(("name", "fault"), FAULTS)
of_writes = pytest.mark.parametrize(("name", "fault"), [FAULTS[0], *FAULTS[2:4]])
answered = pytest.mark.parametrize(("name", "fault"), FAULTS[2:4])  # after a broken connection the driver waits


@transient
async def test_a_transient_fault_in_a_transaction(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, name: str, fault: Document
) -> None:
    staged = await work(session)
    before = staged.picture(session)
    session.begin()
    staged.stage(session)
    with fail(name, **fault), pytest.raises(OperationalError) as caught:
        await session.scalars(select(Account).where(Account.balance > 0)).all()
    assert caught.value.is_transient
    assert not caught.value.outcome_unknown
    assert isinstance(caught.value, (AutoReconnect, OperationFailure))
    assert staged.picture(session) == before
    with pytest.raises(PendingRollbackError, match=r"rollback\(\) the session"):
        await session.flush()
    with pytest.raises(PendingRollbackError):
        session.begin()
    with pytest.raises(PendingRollbackError):
        session.add(Account(number=50))
    assert not session.in_transaction()
    await session.rollback()
    assert everything(raw) == BEFORE
    staged.stage(session)
    await session.commit()
    assert everything(raw) == AFTER


@transient
async def test_a_transient_fault_of_an_autobegin_session(
    backend: Backend, raw: Database[Document], fail: FailPoint, name: str, fault: Document
) -> None:
    async with backend.maker(autobegin=True)() as session:
        staged = await work(session)
        await session.commit()
        before = staged.picture(session)
        staged.stage(session)
        with fail(name, **fault), pytest.raises(OperationalError) as caught:
            await session.scalars(select(Account).where(Account.balance > 0)).all()
        assert caught.value.is_transient
        with pytest.raises(PendingRollbackError):
            await session.commit()
        await session.rollback()
        assert staged.picture(session) == before
        assert session.in_transaction()
        staged.stage(session)
        await session.flush()
        assert everything(raw) == BEFORE
        await session.commit()
        assert everything(raw) == AFTER


@answered
async def test_an_atomic_commit_tries_again_and_gives_up_as_it_began(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, name: str, fault: Document
) -> None:
    staged = await work(session)
    staged.stage(session)
    before = staged.picture(session)
    with fail(name, times=30, **fault), pytest.raises(FlushOperationalError) as caught:
        await session.commit()
    assert caught.value.is_transient
    assert staged.picture(session) == before
    assert everything(raw) == BEFORE
    with fail(name, times=3, **fault):
        await session.commit()
    assert everything(raw) == AFTER


@of_writes
async def test_a_transient_fault_in_a_transaction_of_the_callers(
    backend: Backend, raw: Database[Document], fail: FailPoint, name: str, fault: Document
) -> None:
    engine: Any = backend.engine
    transaction = engine.transaction()
    await maybe_awaited(transaction.start())
    async with backend.maker(transaction)() as session:
        staged = await work(session)
        before = staged.picture(session)
        staged.stage(session)
        with fail(name, **fault), pytest.raises(FlushOperationalError) as caught:
            await session.flush()
        assert caught.value.is_transient
        assert staged.picture(session) == before
        with pytest.raises(PendingRollbackError):
            await session.flush()
        await session.rollback()
        with pytest.raises(MongoticError):
            await session.flush()
            await session.scalars(select(Account)).all()
    assert everything(raw) == BEFORE


# -- commits ------------------------------------------------------------------------------------------------------

MODES = ["block", "begun", "autobegin", "atomic"]
modes = pytest.mark.parametrize("mode", MODES)


async def commit(session: AsyncSession, mode: str, staged: Work) -> None:
    if mode == "block":
        async with session.begin():
            staged.stage(session)
        return
    if mode == "begun":
        session.begin()
    staged.stage(session)
    await session.commit()


async def session_of(backend: Backend, mode: str) -> tuple[AsyncSession, Work]:
    session = backend.maker(autobegin=mode == "autobegin")()
    staged = await work(session)
    if mode == "autobegin":
        await session.commit()
    return session, staged


@modes
@pytest.mark.parametrize("fault", [{"closeConnection": True}, {"errorCode": 11602}], ids=["network", "step down"])
async def test_a_commit_that_is_broken_off_once_is_asked_for_again(
    backend: Backend, raw: Database[Document], fail: FailPoint, mode: str, fault: Document
) -> None:
    session, staged = await session_of(backend, mode)
    async with session:
        with fail("commitTransaction", **fault):
            await commit(session, mode, staged)
        assert everything(raw) == AFTER
        assert (session.new, session.dirty, session.deleted) == ([], [], [])


@modes
async def test_a_commit_of_unknown_outcome_says_so(
    backend: Backend, raw: Database[Document], fail: FailPoint, mode: str
) -> None:
    session, staged = await session_of(backend, mode)
    async with session:
        before = staged.picture(session)
        if mode == "atomic":
            staged.stage(session)
            before = staged.picture(session)
        with (
            fail("commitTransaction", times=2, closeConnection=True),
            pytest.raises(OperationalError, match="read before you try it again") as caught,
        ):
            await commit(session, mode, staged)
        assert caught.value.outcome_unknown
        assert not caught.value.is_transient
        if mode in ("begun", "autobegin"):
            with pytest.raises(PendingRollbackError):
                await session.commit()
            await session.rollback()
        assert staged.picture(session) == before
        assert everything(raw) == BEFORE  # this server has not got it


@modes
async def test_a_commit_that_is_refused(backend: Backend, raw: Database[Document], fail: FailPoint, mode: str) -> None:
    session, staged = await session_of(backend, mode)
    async with session:
        before = staged.picture(session)
        if mode == "atomic":
            staged.stage(session)
            before = staged.picture(session)
        with fail("commitTransaction", errorCode=8000), pytest.raises(OperationalError) as caught:
            await commit(session, mode, staged)
        assert not caught.value.outcome_unknown
        if mode in ("begun", "autobegin"):
            await session.rollback()
        assert staged.picture(session) == before
        if mode == "atomic":
            await session.commit()
        else:
            await commit(session, mode, staged)
        assert everything(raw) == AFTER


@modes
async def test_a_transaction_whose_time_is_over(backend: Backend, raw: Database[Document], mode: str) -> None:
    """What a server does after 60 seconds: it ends the transaction by itself."""
    if mode == "atomic":
        pytest.skip("it is not open between calls")
    session, staged = await session_of(backend, mode)
    async with session:
        before = staged.picture(session)
        if mode != "autobegin":
            session.begin()
        staged.stage(session)
        await session.flush()
        raw.client.admin.command("killAllSessions", [])
        with pytest.raises(OperationalError) as caught:
            await session.commit()
        assert caught.value.is_transient
        assert staged.picture(session) == before
        await session.rollback()
        assert everything(raw) == BEFORE
        await commit(session, "begun" if mode == "block" else mode, staged)
        assert everything(raw) == AFTER


@pytest.mark.parametrize("fault", [{"closeConnection": True}, {"errorCode": 8000}], ids=["network", "refused"])
async def test_an_abort_that_fails_is_left_to_the_server(
    session: AsyncSession, raw: Database[Document], fail: FailPoint, fault: Document
) -> None:
    staged = await work(session)
    before = staged.picture(session)
    with fail("abortTransaction", times=1, **fault), pytest.raises(ZeroDivisionError):
        async with session.begin():
            staged.stage(session)
            await session.flush()
            raise ZeroDivisionError
    assert staged.picture(session) == before
    assert everything(raw) == BEFORE
    staged.stage(session)
    await session.commit()
    assert everything(raw) == AFTER


async def test_statements_in_a_transaction_fail_as_a_whole(
    session: AsyncSession, raw: Database[Document], fail: FailPoint
) -> None:
    staged = await work(session)
    before = staged.picture(session)
    with fail("update", closeConnection=True), pytest.raises(OperationalError) as caught:
        async with session.begin():
            session.add(Entry(number=20))
            await session.execute(update(Account).values(balance=9))
    assert caught.value.is_transient
    assert everything(raw) == BEFORE
    assert staged.picture(session) == before


# -- run_transaction ----------------------------------------------------------------------------------------------


async def run(backend: Backend, fn: Callable[[Any], Coroutine[Any, Any, object]], **options: Any) -> object:
    """Call `run_transaction` with a function that is given an awaited session."""
    maker: Any = backend.real_maker()
    if backend.name != "sync":
        return await mongotic.asyncio.run_transaction(maker, fn, **options)

    def blocking(session: Any) -> object:
        from tests.conftest import AwaitedSession, driven

        return driven(fn(AwaitedSession(session)))

    return mongotic.run_transaction(maker, blocking, **options)


async def stage_all(session: AsyncSession) -> None:
    (await work(session)).stage(session)


@transient
async def test_run_transaction_survives(
    backend: Backend, raw: Database[Document], fail: FailPoint, name: str, fault: Document
) -> None:
    with fail(name, times=2, **fault):
        await run(backend, stage_all)
    assert everything(raw) == AFTER


async def test_run_transaction_asks_for_the_outcome_of_its_commit(
    backend: Backend, raw: Database[Document], fail: FailPoint, commands: CommandLog
) -> None:
    with fail("commitTransaction", times=3, closeConnection=True):
        await run(backend, stage_all)
    assert everything(raw) == AFTER
    assert commands.names().count("insert account") == 1


async def test_run_transaction_begins_anew_when_the_server_has_lost_the_transaction(
    backend: Backend, raw: Database[Document], fail: FailPoint, commands: CommandLog
) -> None:
    with fail("commitTransaction", errorCode=251):
        await run(backend, stage_all)
    assert everything(raw) == AFTER
    assert commands.names().count("insert account") == 2


async def test_run_transaction_gives_up_when_the_time_is_over(
    backend: Backend, raw: Database[Document], fail: FailPoint
) -> None:
    with fail("commitTransaction", times=10_000, closeConnection=True), pytest.raises(OperationalError) as caught:
        await run(backend, stage_all, timeout=0.2)
    assert caught.value.outcome_unknown
    assert everything(raw) == BEFORE


async def test_other_writers_need_not_wait_for_a_transaction_whose_commit_failed(
    session_maker: SessionMaker, raw: Database[Document], raw_client: MongoClient[Document], fail: FailPoint
) -> None:
    async with session_maker() as session:
        staged = await work(session)
        staged.stage(session)
        with fail("commitTransaction", times=2, closeConnection=True), pytest.raises(OperationalError):
            await session.commit()
        assert open_transactions(raw_client) == 0
        raw["account"].with_options().update_one({"_id": 0}, {"$set": {"balance": 3}})
    assert raw["account"].find_one({"_id": 0}, {"balance": 1}) == {"_id": 0, "balance": 3}
