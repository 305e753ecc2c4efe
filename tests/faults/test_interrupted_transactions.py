"""Cancellation and Ctrl-C at every point of a transaction: it is ended on the server, the books agree with the
database, and the session can be used or says that it cannot."""

# ruff: noqa: PT012  # what raises is the end of the block

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Field, Model
from pymongo import AsyncMongoClient
from pymongo.database import Database

import mongotic.asyncio
from mongotic import InvalidRequestError, OperationalError, ResourceClosedError, event, select
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.asyncio import AsyncSession, async_sessionmaker
from tests.conftest import Backend, CommandLog, Document, SessionMaker, maybe_awaited
from tests.faults.conftest import FailPoint

pytestmark = pytest.mark.usefixtures("nothing_left_open")


class Account(Model):
    number: int = Field(primary_field=True)
    balance: int = 0


class Entry(Model):
    number: int = Field(primary_field=True)
    text: str = ""


BEFORE = {"account": [{"_id": 1, "balance": 0}, {"_id": 2, "balance": 0}], "entry": []}
AFTER = {"account": [{"_id": 1, "balance": 5}], "entry": [{"_id": 1, "text": "new"}]}


@pytest.fixture
async def asyncio_backend(backend: Backend) -> Backend:
    if backend.name == "sync":
        pytest.skip("tasks are for asyncio")
    return backend


def fill(raw: Database[Document]) -> None:
    for name, documents in BEFORE.items():
        raw[name].delete_many({})
        if documents:
            raw[name].insert_many([dict(document) for document in documents])


def everything(raw: Database[Document]) -> dict[str, list[Document]]:
    return {name: list(raw[name].find().sort("_id")) for name in BEFORE}


async def stage(session: AsyncSession) -> list[Model]:
    changed, doomed = await session.get_one(Account, 1), await session.get_one(Account, 2)
    changed.balance = 5
    session.delete(doomed)
    entry = Entry(number=1, text="new")
    session.add(entry)
    return [changed, doomed, entry]


async def atomic(session: AsyncSession) -> None:
    await stage(session)
    await session.commit()


async def in_a_block(session: AsyncSession) -> None:
    async with session.begin():
        await stage(session)


async def begun(session: AsyncSession) -> None:
    session.begin()
    await stage(session)
    await session.commit()


async def rolled_back(session: AsyncSession) -> None:
    session.begin()
    await stage(session)
    await session.flush()
    await session.rollback()


async def cancelled_at(call: Awaitable[None], steps: int) -> bool:
    """Run a task, and cancel it after the event loop has gone round so often; tell whether it was cancelled."""
    task = asyncio.ensure_future(call)
    for _ in range(steps):
        await asyncio.sleep(0)
        if task.done():
            break
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


async def steps_of(call: Awaitable[None]) -> int:
    """How often the event loop goes round until a task is done."""
    task = asyncio.ensure_future(call)
    steps = 0
    while not task.done():
        await asyncio.sleep(0)
        steps += 1
    await task
    return steps


@pytest.mark.parametrize("autobegin", [False, True])
@pytest.mark.parametrize("work", [atomic, in_a_block, begun, rolled_back], ids=lambda work: str(work.__name__))
async def test_a_task_cancelled_at_every_step(
    asyncio_backend: Backend,
    raw: Database[Document],
    work: Callable[[AsyncSession], Awaitable[None]],
    *,
    autobegin: bool,
) -> None:
    make = asyncio_backend.maker(autobegin=autobegin)
    fill(raw)
    async with make() as session:
        steps = await steps_of(work(session))
    seen: set[tuple[bool, bool]] = set()
    # With threads and sockets the same step is not the same point each time; many steps hit every await.
    for step in sorted({round(steps * n / 30) for n in range(31)}):
        fill(raw)
        async with make() as session:
            cancelled = await cancelled_at(work(session), step)
            stands = everything(raw)
            assert stands in (BEFORE, AFTER)
            seen.add((cancelled, stands == AFTER))
            if stands == AFTER and work is not rolled_back:
                assert session.in_transaction() == autobegin
            if session.in_transaction() and not autobegin:
                await session.rollback()  # cancelled before it had sent anything
            await agree(session, raw)
            if work is rolled_back:
                assert stands == BEFORE
            # It goes on: what is left undone can be done again.
            await session.rollback()
            if everything(raw) == BEFORE:
                await stage(session)
                await session.commit()
            assert everything(raw) == AFTER
    assert (True, False) in seen


async def agree(session: AsyncSession, raw: Database[Document]) -> None:
    """Check that what the session believes stored is what is stored."""
    stored = {name: {document["_id"]: document for document in raw[name].find()} for name in BEFORE}
    pending = {id(instance) for instance in (*session.new, *session.dirty, *session.deleted)}
    for instance in session:
        if id(instance) in pending:
            continue
        document = stored[type(instance).__name__.lower()].get(instance.number)  # type: ignore[attr-defined]
        assert document == instance.model_dump_doc(), f"{instance!r} is not {document}"


async def test_run_transaction_cancelled_at_every_step(asyncio_backend: Backend, raw: Database[Document]) -> None:
    maker: Any = asyncio_backend.real_maker()

    async def work() -> None:
        await mongotic.asyncio.run_transaction(maker, stage)

    fill(raw)
    steps = await steps_of(work())
    for step in sorted({round(steps * n / 30) for n in range(31)}):
        fill(raw)
        cancelled = await cancelled_at(work(), step)
        stands = everything(raw)
        assert stands == AFTER if not cancelled else stands in (BEFORE, AFTER)


@pytest.mark.parametrize("command", ["insert", "commitTransaction", "abortTransaction", "find"])
async def test_a_timeout_while_a_command_is_on_its_way(
    asyncio_backend: Backend, raw: Database[Document], fail: FailPoint, command: str
) -> None:
    fill(raw)
    async with asyncio_backend.maker()() as session:
        with fail(command, blockConnection=True, blockTimeMS=150), pytest.raises(asyncio.TimeoutError):

            async def work() -> None:
                async with session.begin():
                    await stage(session)
                    await session.flush()
                    if command == "abortTransaction":
                        raise ZeroDivisionError

            await asyncio.wait_for(work(), 0.1)
        done = command == "commitTransaction"
        assert everything(raw) == (AFTER if done else BEFORE)
        await agree(session, raw)
        if not done:
            await in_a_block(session)
        assert everything(raw) == AFTER


@pytest.mark.parametrize("command", ["insert", "update", "commitTransaction", "abortTransaction", "find"])
@pytest.mark.parametrize("mode", ["block", "atomic"])
async def test_ctrl_c_while_a_command_is_on_its_way(
    backend: Backend, raw: Database[Document], fail: FailPoint, commands: CommandLog, command: str, mode: str
) -> None:
    if backend.name != "sync":
        pytest.skip("a running event loop makes it a cancellation")
    if mode == "atomic" and command in ("find", "abortTransaction"):
        pytest.skip("it sends none")
    fill(raw)
    async with backend.maker()() as session:
        if mode == "atomic":
            await stage(session)
        main = threading.main_thread().ident
        assert main is not None

        def press() -> None:
            deadline = time.monotonic() + 2
            while not any(name.startswith(command) for name in commands.names()) and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(0.03)
            signal.pthread_kill(main, signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        commands.sent.clear()
        thread = threading.Thread(target=press)
        try:
            with fail(command, blockConnection=True, blockTimeMS=200), pytest.raises(KeyboardInterrupt):
                thread.start()
                if mode == "atomic":
                    await session.commit()
                else:
                    async with session.begin():
                        await stage(session)
                        await session.flush()
                        if command == "abortTransaction":
                            raise ZeroDivisionError
        finally:
            thread.join()
            signal.signal(signal.SIGINT, before)
        done = command == "commitTransaction"
        assert everything(raw) == (AFTER if done else BEFORE)
        await agree(session, raw)
        if not done:
            await (session.commit() if mode == "atomic" else in_a_block(session))
        assert everything(raw) == AFTER


@pytest.mark.parametrize("autobegin", [True, False])
async def test_what_a_listener_raises_after_the_commit_leaves_the_session_in_order(
    backend: Backend, raw: Database[Document], *, autobegin: bool
) -> None:
    fill(raw)
    maker: Any = backend.real_maker(autobegin=autobegin)

    def angry(*arguments: object) -> None:
        raise ZeroDivisionError

    for name in ("after_commit", "after_insert"):
        fill(raw)
        event.listen(maker, name, angry)
        async with backend.maker_of(maker)() as session:
            changed: Any = (await stage(session))[0]
            with pytest.raises(ZeroDivisionError):
                await session.commit()
            event.remove(maker, name, angry)
            if name == "after_commit" or not autobegin:
                assert everything(raw) == AFTER
                assert (session.new, session.dirty, session.deleted) == ([], [], [])
                assert session.in_transaction() == autobegin
                session.begin()
                changed.balance = 6
                await session.flush()
                await session.rollback()
                assert changed.balance == 5
                assert everything(raw) == AFTER


# -- one session, used wrongly ------------------------------------------------------------------------------------


async def test_two_tasks_on_one_session_in_a_transaction(asyncio_backend: Backend, raw: Database[Document]) -> None:
    fill(raw)
    async with asyncio_backend.maker()() as session:
        async with session.begin():
            first = asyncio.ensure_future(session.get(Account, 1))
            await asyncio.sleep(0)
            with pytest.raises(InvalidRequestError, match="still under way"):
                await session.get(Account, 2)
            with pytest.raises(InvalidRequestError, match="still under way"):
                session.rollback()
            assert await first is not None
            await stage(session)
        assert everything(raw) == AFTER


async def test_a_rollback_nobody_awaits_is_sent_before_the_next_command(
    asyncio_backend: Backend, raw: Database[Document], commands: CommandLog
) -> None:
    fill(raw)
    async with asyncio_backend.maker()() as session:
        session.begin()
        changed, *_ = await stage(session)
        await session.flush()
        session.rollback()
        assert (changed.balance, session.new) == (0, [])  # type: ignore[attr-defined]
        commands.sent.clear()
        assert await session.scalars(select(Account)).count() == 2
        assert commands.names()[0] == "abortTransaction 1"
        session.begin()
        await stage(session)
        await session.flush()
        session.rollback()
        commands.sent.clear()
    assert commands.names() == ["abortTransaction 1"]
    assert everything(raw) == BEFORE


async def test_a_session_used_after_close_says_so(session_maker: SessionMaker, raw: Database[Document]) -> None:
    fill(raw)
    session = session_maker()
    transaction = session.begin()
    await stage(session)
    await session.close()
    with pytest.raises(ResourceClosedError):
        session.begin()
    with pytest.raises(ResourceClosedError):
        await session.commit()
    with pytest.raises(InvalidRequestError):
        await transaction.commit()
    await transaction.rollback()
    await session.close()
    assert everything(raw) == BEFORE


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("kind", ["motor", "pymongo"])
def test_an_event_loop_that_is_closed_and_another_one(server_uri: str, raw: Database[Document], kind: str) -> None:
    fill(raw)
    held: list[Any] = []

    def engine() -> AIOEngine:
        if kind == "motor":
            return AIOEngine(AsyncIOMotorClient[Document](server_uri), raw.name)
        return PyMongoEngine(AsyncMongoClient[Document](server_uri), raw.name)

    async def first() -> None:
        bound = engine()
        session = async_sessionmaker(bound)()
        session.begin()
        await stage(session)
        await session.flush()
        held.extend([bound, session])

    async def second() -> None:
        with pytest.raises(OperationalError, match="event loop"):
            await held[1].scalars(select(Account)).all()
        await held[1].close()
        bound = engine()
        async with async_sessionmaker(bound)() as session:
            await asyncio.wait_for(in_a_block(session), 30)
        client = cast("Any", bound).client
        await maybe_awaited(client.close())

    asyncio.run(first())
    raw.client.admin.command("killAllSessions", [])  # what the server does after a minute
    asyncio.run(second())
    assert everything(raw) == AFTER
    held.clear()
    gc.collect()  # a client whose loop is closed cannot be closed
