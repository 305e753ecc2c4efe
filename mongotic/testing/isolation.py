"""Tests that leave nothing behind: a transaction for each that is aborted, or a database of its own that is emptied.

Called by the pytest plugin, `pytest_mongotic`.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from uuid import uuid4

from odmantic import Model, SyncEngine
from odmantic.session import AIOTransaction, SyncTransaction
from pymongo import AsyncMongoClient, MongoClient
from pymongo.write_concern import WriteConcern

from mongotic_adapters.clients import create_indexes
from mongotic_adapters.pymongo_async import AIOEngine
from mongotic_adapters.transactions import OwnSession, OwnTransaction

from .embedded import EmbeddedMongo

Document: TypeAlias = dict[str, Any]

VARIABLE = "MONGOTIC_TEST_URI"

TRANSACTION_SECONDS = 24 * 3600
"""How long the transaction of a test may stay open: one who stops in a debugger needs more than the usual minute."""


@dataclass(frozen=True)
class Server:
    """The server that tests run on.

    Attributes:
        uri: its connection string.
        embedded: the embedded server it is; None if it was there before.
    """

    uri: str
    embedded: EmbeddedMongo | None = None


@dataclass(frozen=True)
class Place:
    """Where a test works.

    Attributes:
        database: the name of the database.
        in_transaction: in a transaction, which is aborted; the database is shared then.
    """

    database: str
    in_transaction: bool


@contextmanager
def running_server() -> Generator[Server]:
    """Give the server of `MONGOTIC_TEST_URI`, or start an embedded one, for a block.

    Raises:
        EmbeddedMongoError: there is no mongod, or it does not run.
    """
    given = os.environ.get(VARIABLE)
    if given:
        yield Server(given)
        return
    with EmbeddedMongo() as embedded:
        with MongoClient[Document](embedded.uri) as client:
            client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=TRANSACTION_SECONDS)
        yield Server(embedded.uri, embedded)


def has_transactions(client: MongoClient[Document]) -> bool:
    """Tell whether the deployment has transactions: one `hello` command."""
    answer = client.admin.command("hello")
    return "setName" in answer or answer.get("msg") == "isdbgrid"


@contextmanager
def shared_place(client: MongoClient[Document], models: Sequence[type[Model]]) -> Generator[Place]:
    """Give the database of all tests that work in transactions, with the indexes of *models*."""
    with _database(client, models) as name:
        yield Place(name, in_transaction=True)


@contextmanager
def own_place(client: MongoClient[Document], models: Sequence[type[Model]]) -> Generator[Place]:
    """Give a database for one test, with the indexes of *models*."""
    with _database(client, models) as name:
        yield Place(name, in_transaction=False)


@contextmanager
def _database(client: MongoClient[Document], models: Sequence[type[Model]]) -> Generator[str]:
    name = f"mongotic_test_{uuid4().hex}"
    try:
        if models:
            create_indexes(SyncEngine(client, name), *models)
        yield name
    finally:
        # A database without collections is none.  To drop it as such takes a hundred times as long: the server has that
        # confirmed by a majority first.
        database = client.get_database(name, write_concern=WriteConcern(w=1))
        for collection in database.list_collection_names():
            database.drop_collection(collection)


@contextmanager
def bound(client: MongoClient[Document], place: Place) -> Generator[SyncTransaction | SyncEngine]:
    """Give what blocking sessions are bound to, for a block."""
    engine = SyncEngine(client, place.database)
    if not place.in_transaction:
        yield engine
        return
    transaction = _transaction(engine, client)
    try:
        yield cast("SyncTransaction", transaction.odmantic)
    finally:
        transaction.abort()
        transaction.end()


class AsyncBound:
    """What sessions are bound to.  Made outside of the event loop, closed in it.

    Attributes:
        bind: a transaction, or an engine.
    """

    def __init__(self, client: AsyncMongoClient[Document], place: Place) -> None:
        engine = AIOEngine(client, place.database)
        self._transaction = _transaction(engine, client) if place.in_transaction else None
        self.bind: AIOTransaction | AIOEngine = (
            engine if self._transaction is None else cast("AIOTransaction", self._transaction.odmantic)
        )

    async def close(self) -> None:
        """Abort the transaction."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            aborting = cast("Any", transaction.abort())
            if aborting is not None:
                await aborting
            await cast("Any", transaction.end())

    def kill(self, client: MongoClient[Document]) -> None:
        """Abort the transaction from outside of its event loop, if nobody could close it: the test never ran."""
        if self._transaction is not None:
            client.admin.command("killSessions", [cast("Any", self._transaction.driver_session()).session_id])


def _transaction(engine: SyncEngine | AIOEngine, client: object) -> OwnTransaction:
    return OwnTransaction(lambda: OwnSession(engine, client, {}, causal=False), is_owner=True)
