"""`run_transaction` and scoped sessions: fresh attempts, retries of what may succeed, and one session per scope."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from odmantic import Field, Model, SyncEngine
from pymongo import MongoClient
from pymongo.database import Database

import mongotic
import mongotic.asyncio
from mongotic import ArgumentError, OperationalError, Session, select, sessionmaker
from mongotic.asyncio import async_scoped_session
from mongotic.orm import scoped_session
from tests.conftest import Backend, CommandLog, Document, maybe_awaited


class Account(Model):
    number: int = Field(primary_field=True)
    balance: int = 0


@pytest.fixture
def accounts(raw: Database[Document]) -> None:
    raw["account"].insert_many([{"_id": 1, "balance": 100}, {"_id": 2, "balance": 0}])


def balances(raw: Database[Document]) -> dict[int, int]:
    return {document["_id"]: document["balance"] for document in raw["account"].find()}


@contextmanager
def failing(client: MongoClient[Document], *names: str, times: int = 1, **data: Any) -> Generator[None]:
    """Make the server fail commands, by its own fail points."""
    arguments = {"failCommands": list(names), **data}
    client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=arguments)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.fixture
def fail(raw_client: MongoClient[Document]) -> Callable[..., AbstractContextManager[None]]:
    def point(*names: str, **data: Any) -> AbstractContextManager[None]:
        return failing(raw_client, *names, **data)

    return point


class Transfer:
    """Moves money, and remembers the sessions it was given."""

    def __init__(self, backend: Backend, amount: int = 10) -> None:
        self.backend = backend
        self.amount = amount
        self.sessions: list[Any] = []

    async def run(self, **options: Any) -> int:
        maker = self.backend.real_maker()
        if self.backend.name == "sync":
            return mongotic.run_transaction(maker, self.blocking, **options)  # type: ignore[arg-type]
        return await mongotic.asyncio.run_transaction(maker, self.awaiting, **options)  # type: ignore[arg-type]

    def blocking(self, session: Session) -> int:
        self.sessions.append(session)
        source, target = session.get_one(Account, 1), session.get_one(Account, 2)
        source.balance -= self.amount
        target.balance += self.amount
        return target.balance

    async def awaiting(self, session: Any) -> int:
        self.sessions.append(session)
        source, target = await session.get_one(Account, 1), await session.get_one(Account, 2)
        source.balance -= self.amount
        target.balance += self.amount
        return int(target.balance)


@pytest.mark.usefixtures("accounts")
async def test_it_returns_what_the_function_returns(backend: Backend, raw: Database[Document]) -> None:
    assert await Transfer(backend).run() == 10
    assert balances(raw) == {1: 90, 2: 10}


@pytest.mark.usefixtures("accounts")
async def test_a_transient_failure_is_tried_again_with_a_fresh_session(
    backend: Backend, raw: Database[Document], fail: Callable[..., AbstractContextManager[None]]
) -> None:
    transfer = Transfer(backend)
    with fail("update", errorCode=112, errorLabels=["TransientTransactionError"], times=2):
        await transfer.run()
    assert balances(raw) == {1: 90, 2: 10}
    assert len({id(session) for session in transfer.sessions}) == 3


@pytest.mark.usefixtures("accounts")
async def test_the_last_attempt_raises(
    backend: Backend, raw: Database[Document], fail: Callable[..., AbstractContextManager[None]]
) -> None:
    transfer = Transfer(backend)
    with (
        fail("update", errorCode=112, errorLabels=["TransientTransactionError"], times=9),
        pytest.raises(OperationalError) as caught,
    ):
        await transfer.run(max_attempts=3)
    assert caught.value.is_transient
    assert len(transfer.sessions) == 3
    assert balances(raw) == {1: 100, 2: 0}


@pytest.mark.usefixtures("accounts")
async def test_other_errors_are_not_tried_again(
    backend: Backend, raw: Database[Document], fail: Callable[..., AbstractContextManager[None]]
) -> None:
    transfer = Transfer(backend)
    with fail("update", errorCode=8000), pytest.raises(OperationalError):
        await transfer.run()
    assert len(transfer.sessions) == 1
    assert balances(raw) == {1: 100, 2: 0}


@pytest.mark.usefixtures("accounts")
async def test_a_commit_of_unknown_outcome_is_asked_for_again(
    backend: Backend,
    raw: Database[Document],
    fail: Callable[..., AbstractContextManager[None]],
    commands: CommandLog,
) -> None:
    transfer = Transfer(backend)
    with fail("commitTransaction", errorCode=64, errorLabels=["UnknownTransactionCommitResult"], times=3):
        await transfer.run()
    assert len(transfer.sessions) == 1
    assert commands.names().count("commitTransaction 1") >= 4
    assert balances(raw) == {1: 90, 2: 10}


@pytest.mark.usefixtures("accounts")
async def test_workers_on_one_account_all_finish(session_maker: Any, backend: Backend, raw: Database[Document]) -> None:
    async def one() -> None:
        await Transfer(backend, 1).run()

    if backend.name == "sync":
        threads = [threading.Thread(target=lambda: asyncio.run(one())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        await asyncio.gather(*(one() for _ in range(8)))
    assert balances(raw) == {1: 92, 2: 8}


async def test_the_decorator_hands_arguments_on(backend: Backend, raw: Database[Document]) -> None:
    maker: Any = backend.real_maker()
    if backend.name == "sync":

        @mongotic.run_transaction(maker, max_attempts=2)
        def create(session: Session, number: int, *, balance: int) -> Account:
            account = Account(number=number, balance=balance)
            session.add(account)
            return account

        created = create(3, balance=7)
    else:

        @mongotic.asyncio.run_transaction(maker, max_attempts=2)
        async def create_awaited(session: Any, number: int, *, balance: int) -> Account:
            account = Account(number=number, balance=balance)
            session.add(account)
            return account

        created = await create_awaited(3, balance=7)
    assert created.number == 3
    assert balances(raw) == {3: 7}


@pytest.mark.parametrize("wrong", [{"max_attempts": 0}, {"max_attempts": "3"}, {"timeout": -1}, {"timeout": None}])
async def test_wrong_arguments_are_refused(backend: Backend, wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        await Transfer(backend).run(**wrong)


# -- scoped sessions ----------------------------------------------------------------------------------------------


def test_each_thread_has_a_session_of_its_own(sync_engine: SyncEngine, raw: Database[Document]) -> None:
    current = scoped_session(sessionmaker(sync_engine))
    account = Account(number=1)
    current.add(account)
    assert account in current
    assert list(current) == [account]
    seen: list[Session] = []

    def elsewhere() -> None:
        seen.append(current())
        current.remove()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen[0] is not current()
    assert account not in seen[0]
    current.commit()
    assert current.scalars(select(Account)).all() == [account]
    before = current()
    current.remove()
    current.remove()
    assert current() is not before
    current.remove()
    assert balances(raw) == {1: 0}


async def test_each_task_has_a_session_of_its_own(backend: Backend, raw: Database[Document]) -> None:
    if backend.name == "sync":
        pytest.skip("tasks are for asyncio")
    maker: Any = backend.real_maker()
    current = async_scoped_session(maker, asyncio.current_task)

    async def work(number: int) -> object:
        current.add(Account(number=number))
        await current.commit()
        session = current()
        await current.remove()
        return session

    one, other = await asyncio.gather(work(1), work(2))
    assert one is not other
    assert balances(raw) == {1: 0, 2: 0}


async def test_a_session_works_in_an_odmantic_transaction_that_both_use(
    backend: Backend, raw: Database[Document]
) -> None:
    engine: Any = backend.engine
    async with backend.maker()() as session:
        async with session.begin():
            session.add(Account(number=1, balance=5))
            await session.flush()
            await maybe_awaited(engine.save(Account(number=2, balance=6), session=session.odmantic))
            found = await maybe_awaited(engine.find_one(Account, Account.number == 1, session=session.odmantic))
            assert found.balance == 5
            assert (await session.get_one(Account, 2)).balance == 6
            assert balances(raw) == {}
        assert balances(raw) == {1: 5, 2: 6}
        # Outside a transaction it is a plain session, which ends with this one.
        plain = session.odmantic
        assert await maybe_awaited(engine.count(Account, session=plain)) == 2
    with pytest.raises(RuntimeError, match="not started"):
        plain.get_driver_session()
