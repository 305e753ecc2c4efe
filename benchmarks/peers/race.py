"""Runs one workload of one peer beside the raw driver, in turn, in this process.

Used by the peers' files; `against_peers` calls `measure`.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Protocol, TypeAlias, cast

from clock import Clock
from documents import FLAT, ORDER, OWNED, USERS, Document, Kind, WrongResult, user
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection

SYNC, ASYNC = "MongoClient", "AsyncMongoClient"
KINDS: dict[str, Kind] = {kind.name: kind for kind in (ORDER, FLAT, OWNED)}
_WARM_UP_DOCUMENTS = 50


@dataclass
class Stage:
    """What a contender works on.

    Attributes:
        uri: of the server.
        database: its name.
        client: blocking, with write concern 1 as everywhere here.
        async_client: awaiting, on `loop`.
        loop: the event loop.
        kind: of documents.
        count: how many.
    """

    uri: str
    database: str
    client: MongoClient[Document]
    async_client: AsyncMongoClient[Document]
    loop: asyncio.AbstractEventLoop
    kind: Kind
    count: int

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.kind.model.__collection__

    @property
    def collection(self) -> Collection[Document]:
        """The kind's collection."""
        return self.client[self.database][self.name]

    @property
    def async_collection(self) -> AsyncCollection[Document]:
        """The kind's collection, awaiting."""
        return self.async_client[self.database][self.name]

    def empty(self) -> None:
        """Make the collection empty; it exists afterwards."""
        self.collection.drop()
        self.client[self.database].create_collection(self.name)

    def fill(self) -> None:
        """Make the collection hold the first `count` documents and no other; users are there as well."""
        self.empty()
        self.collection.insert_many(self.kind.documents(self.count))
        users = self.client[self.database]["users"]
        users.drop()
        users.insert_many([user(number) for number in range(USERS)])


Act: TypeAlias = Callable[[Stage, Clock], None] | Callable[[Stage, Clock], Awaitable[None]]
Acts: TypeAlias = dict[tuple[str, str], Act]
"""By the workload's number and the driver; each act prepares, works inside `with clock:`, and checks."""


class Peer(Protocol):
    """What the file of a peer has."""

    ACTS: Acts

    def connect(self, stage: Stage) -> None:
        """Get ready to work in the stage's database."""
        ...

    def close(self, stage: Stage) -> None:
        """Close what `connect` has opened."""
        ...


def versions(names: list[str]) -> dict[str, str]:
    """Return the versions of packages installed in this environment."""
    return {name: metadata.version(name) for name in names}


def measure(
    peer: str, uri: str, database: str, code: str, kind: str, count: int, rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Return the seconds per document of the raw driver (`raw`) and of the peer (`peer`), by driver and round.

    Raises:
        WrongResult: one of them did not do the work.
    """
    acts = cast("Peer", importlib.import_module(f"peers.{peer}"))
    raw = cast("Peer", importlib.import_module("peers.raw"))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    client: MongoClient[Document] = MongoClient(uri, w=1)
    async_client: AsyncMongoClient[Document] = AsyncMongoClient(uri, w=1)
    stage = Stage(uri, database, client, async_client, loop, KINDS[kind], count)
    found: dict[str, dict[str, list[float]]] = {}
    acts.connect(stage)
    try:
        for side in (SYNC, ASYNC):
            if (code, side) in acts.ACTS:
                found[side] = _both(stage, raw.ACTS[code, side], acts.ACTS[code, side], rounds)
    finally:
        acts.close(stage)
        loop.run_until_complete(async_client.close())
        client.close()
        loop.close()
    return found


def _both(stage: Stage, raw: Act, peer: Act, rounds: int) -> dict[str, list[float]]:
    few = replace(stage, count=min(stage.count, _WARM_UP_DOCUMENTS))
    few.fill()
    for act in (raw, peer):
        _once(few, act)
    stage.fill()
    times: dict[str, list[float]] = {"raw": [], "peer": []}
    for number in range(rounds):
        order = (("raw", raw), ("peer", peer))
        for name, act in order if number % 2 == 0 else reversed(order):
            try:
                times[name].append(_once(stage, act) / stage.count)
            except WrongResult as error:
                raise WrongResult(f"{name}: {error}") from error
    return times


def _once(stage: Stage, act: Act) -> float:
    clock = Clock()
    waiting = act(stage, clock)
    if waiting is not None:
        stage.loop.run_until_complete(_finish(stage, waiting))
    return clock.seconds


async def _finish(stage: Stage, waiting: Awaitable[None]) -> None:
    await stage.async_client.admin.command("ping")
    await waiting
