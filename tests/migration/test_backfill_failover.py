"""The primary is killed under a backfill: it goes on with the next one, and changes each document exactly once."""

from __future__ import annotations

import threading

import pytest
from pymongo import MongoClient

from mongotic.testing import EmbeddedMongo
from mongotic_migration.backfill import Backfill, Progress
from tests.conftest import Document
from tests.migration.backfill_changes import Item, count_all, count_up


@pytest.mark.parametrize("kind", ["function", "statement"])
def test_a_backfill_survives_its_primary(kind: str) -> None:
    backfill = Backfill("count", count_up, Item) if kind == "function" else Backfill("count", count_all)
    with EmbeddedMongo(members=3) as server, MongoClient[Document](server.uri, w="majority") as client:
        database = client["shop"]
        database["item"].insert_many([{"_id": n, "count": 0} for n in range(400)])
        killing = threading.Thread(target=lambda: server.kill(primary(server, client)))

        def half_way(progress: Progress) -> None:
            if progress.done >= 200 and not killing.ident:
                killing.start()

        progress = backfill.run(database, batch=10, rate=400, report=half_way)
        killing.join()
        assert (progress.done, progress.changed, progress.finished) == (400, 400, True)
        assert database["item"].distinct("count") == [1]


def primary(server: EmbeddedMongo, client: MongoClient[Document]) -> int:
    """Return which of the members is the primary."""
    host, port = client.primary or ("", 0)
    return next(index for index, member in enumerate(server.members) if member.address == f"{host}:{port}")
