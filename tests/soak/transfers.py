"""Eight workers move money between a hundred accounts while the primary of a replica set is killed and stepped down.

`make soak`, or `python -m tests.soak.transfers [--faults 6] [--seed 1] [sync motor pymongo]`; `test_transfers` runs a
short form.  What must hold in the end: no money is lost or made, every transfer that was acknowledged is recorded
exactly once and no other one is, every worker has finished, and nothing is left open.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Field, Model, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

import mongotic
import mongotic.asyncio
from mongotic import Session, sessionmaker
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.testing import EmbeddedMongo
from tests.faults.conftest import open_driver_sessions, open_transactions

KINDS = ("sync", "motor", "pymongo")
ACCOUNTS = 100
WORKERS = 8
DATABASE = "soak"

STEP = 40
"""How many transfers must be acknowledged between two faults, and after the last."""

PATIENCE = 90.0
"""Seconds that may take."""


class Account(Model):
    number: int = Field(primary_field=True)
    balance: int


class Transfer(Model):
    number: int = Field(primary_field=True)
    source: int
    target: int
    amount: int


class Work:
    """What the workers of all kinds share.

    Attributes:
        acknowledged: the numbers of the transfers that were reported done.
        errors: what was raised to a worker.
        is_over: no other transfer is begun.
    """

    def __init__(self, seed: int) -> None:
        self.acknowledged: list[int] = []
        self.errors: list[BaseException] = []
        self.is_over = threading.Event()
        self._seed = seed

    def transfers(self, worker: int) -> Callable[[], Transfer]:
        """Return what makes up the transfers of one worker, none of which another one has."""
        choice = random.Random(self._seed * 1000 + worker)
        numbers = iter(range(worker * 1_000_000, (worker + 1) * 1_000_000))

        def make() -> Transfer:
            source, target = choice.sample(range(ACCOUNTS), 2)
            return Transfer(number=next(numbers), source=source, target=target, amount=choice.randint(1, 9))

        return make


def work_blocking(work: Work, uri: str, workers: Sequence[int]) -> None:
    """Let some workers move money in threads, until the work is over."""
    with MongoClient[dict[str, Any]](uri) as client:
        make = sessionmaker(SyncEngine(client, DATABASE))

        def move(transfer: Transfer, session: Session) -> None:
            source, target = session.get_one(Account, transfer.source), session.get_one(Account, transfer.target)
            source.balance -= transfer.amount
            target.balance += transfer.amount
            session.add(Transfer(**transfer.model_dump()))

        def one(worker: int) -> None:
            following = work.transfers(worker)
            try:
                while not work.is_over.is_set():
                    transfer = following()
                    mongotic.run_transaction(make, partial(move, transfer))
                    work.acknowledged.append(transfer.number)
            except BaseException as error:
                work.errors.append(error)
                raise

        threads = [threading.Thread(target=one, args=[worker]) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


async def work_awaiting(work: Work, kind: str, uri: str, workers: Sequence[int]) -> None:
    """Let some workers move money in tasks, until the work is over."""
    client: Any
    if kind == "motor":
        client = AsyncIOMotorClient[dict[str, Any]](uri)
        engine = AIOEngine(client, DATABASE)
    else:
        client = AsyncMongoClient[dict[str, Any]](uri)
        engine = PyMongoEngine(client, DATABASE)
    make = async_sessionmaker(engine)

    async def move(transfer: Transfer, session: AsyncSession) -> None:
        source = await session.get_one(Account, transfer.source)
        target = await session.get_one(Account, transfer.target)
        source.balance -= transfer.amount
        target.balance += transfer.amount
        session.add(Transfer(**transfer.model_dump()))

    async def one(worker: int) -> None:
        following = work.transfers(worker)
        try:
            while not work.is_over.is_set():
                transfer = following()
                await mongotic.asyncio.run_transaction(make, partial(move, transfer))
                work.acknowledged.append(transfer.number)
        except BaseException as error:
            work.errors.append(error)
            raise

    try:
        await asyncio.gather(*(one(worker) for worker in workers))
    finally:
        closing = client.close()
        if closing is not None:
            await closing


def kill_primary(server: EmbeddedMongo, client: MongoClient[Any], work: Work) -> None:
    """Send SIGKILL to the primary; start it again when the others have gone on without it."""
    host, port = primary(client)
    index = next(n for n, member in enumerate(server.members) if (member.host, member.port) == (host, port))
    server.kill(index)
    await_progress(work)
    server.restart(index)


def step_down(server: EmbeddedMongo, client: MongoClient[Any], work: Work) -> None:
    """Ask the primary to make room for another one."""
    with suppress(AutoReconnect):  # it closes its connections
        client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
    await_progress(work)


def primary(client: MongoClient[Any]) -> tuple[str, int]:
    """Return where the primary is."""
    while True:
        try:
            client.admin.command("hello")
            if client.primary is not None:
                return client.primary
        except PyMongoError:
            pass
        time.sleep(0.1)


def await_progress(work: Work) -> None:
    """Wait until the workers have come further.

    Raises:
        AssertionError: a worker has failed, or nothing goes on.
    """
    goal, deadline = len(work.acknowledged) + STEP, time.monotonic() + PATIENCE
    while len(work.acknowledged) < goal:
        assert not work.errors, f"a worker was given {work.errors[0]!r}"
        assert time.monotonic() < deadline, "the workers do not get on"
        time.sleep(0.02)


FAULTS = (kill_primary, step_down)


def soak(server: EmbeddedMongo, kinds: Sequence[str], faults: int, seed: int = 1) -> int:
    """Run the workload, with so many faults in turn, and check what is left of it.

    Arguments:
        server: a replica set of three.
        kinds: of the clients, which share the workers among them.
        faults: how often the primary is killed or stepped down.
        seed: of what is moved where.

    Returns:
        How many transfers were acknowledged.

    Raises:
        AssertionError: something does not hold.
    """
    work = Work(seed)
    with MongoClient[dict[str, Any]](server.uri) as client:
        primary(client)
        client.drop_database(DATABASE)
        client[DATABASE]["account"].insert_many([{"_id": number, "balance": 100} for number in range(ACCOUNTS)])
        client[DATABASE].create_collection("transfer")
        shares = [range(WORKERS)[n :: len(kinds)] for n in range(len(kinds))]
        threads = [
            threading.Thread(target=work_blocking, args=[work, server.uri, share])
            if kind == "sync"
            else threading.Thread(target=asyncio.run, args=[work_awaiting(work, kind, server.uri, share)])
            for kind, share in zip(kinds, shares, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            await_progress(work)
            for n in range(faults):
                FAULTS[n % len(FAULTS)](server, client, work)
                await_progress(work)
        finally:
            work.is_over.set()
            for thread in threads:
                thread.join()
        check(client, work)
    return len(work.acknowledged)


def check(client: MongoClient[Any], work: Work) -> None:
    """Compare what is stored with what was acknowledged."""
    primary(client)
    assert work.errors == []
    balances = {document["_id"]: document["balance"] for document in client[DATABASE]["account"].find()}
    transfers = list(client[DATABASE]["transfer"].find())
    assert sum(balances.values()) == ACCOUNTS * 100, "money was lost or made"
    assert sorted(each["_id"] for each in transfers) == sorted(work.acknowledged), "not what was acknowledged"
    expected = dict.fromkeys(range(ACCOUNTS), 100)
    for each in transfers:
        expected[each["source"]] -= each["amount"]
        expected[each["target"]] += each["amount"]
    assert balances == expected, "a transfer was applied in part, or twice"
    assert open_driver_sessions() == []
    assert open_transactions(client) == 0


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.transfers", description=str(__doc__).split("\n")[0])
    parser.add_argument("kinds", nargs="*", help=f"of clients: {', '.join(KINDS)} (default: one after the other)")
    parser.add_argument("--faults", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with EmbeddedMongo(members=3) as server:
        for kind in options.kinds or KINDS:
            began = time.monotonic()
            done = soak(server, [kind], options.faults, options.seed)
            seconds = time.monotonic() - began
            print(
                f"{kind}: {done:,} transfers by {WORKERS} workers, {options.faults} faults, {seconds:.0f} s: all hold"
            )


if __name__ == "__main__":
    main()
