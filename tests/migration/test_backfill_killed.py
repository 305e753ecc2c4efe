"""A backfill is killed with SIGKILL at random points: every document is changed exactly once all the same."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from bson import ObjectId
from pymongo.database import Database

from tests.conftest import Document

ROOT = Path(__file__).parents[2]
KILLS = 20


@pytest.mark.parametrize("kind", ["function", "statement"])
def test_killed_runs_change_every_document_exactly_once(raw: Database[Document], server_uri: str, kind: str) -> None:
    keys = [*range(300), *(f"key {n}" for n in range(300)), *(ObjectId() for _ in range(300)), None, True, {"a": 1}]
    raw["item"].insert_many([{"_id": key, "count": 0} for key in keys])
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown if it fails
    worker = [
        sys.executable,
        "-m",
        "tests.migration.backfill_worker",
        server_uri,
        raw.name,
        kind,
        str(KILLS),
        str(seed),
    ]
    done = subprocess.run(worker, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    kills, rounds = map(int, done.stdout.split())
    assert kills >= KILLS
    assert raw["item"].distinct("count") == [rounds]
    assert raw["item"].count_documents({}) == len(keys)
