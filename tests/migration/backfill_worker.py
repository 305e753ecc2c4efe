"""A program that runs a backfill in a process of its own and kills it with SIGKILL, again and again.

Started by `test_backfill_killed`.  Forked processes spare each run the time of the imports; nothing in this one has a
client or a thread, so that a fork is a whole process.

Arguments: connection string, database, "function" or "statement", how many kills, seed.  Prints the kills and rounds.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import Any

from pymongo import MongoClient

from mongotic_migration.backfill import Backfill
from tests.migration.backfill_changes import Item, count_all, count_up

LONGEST_LIFE = 0.5  # seconds


def backfill(kind: str, turn: int) -> Backfill:
    name = f"{kind} {turn}"
    return Backfill(name, count_up, Item) if kind == "function" else Backfill(name, count_all)


def run(uri: str, database: str, kind: str, turn: int) -> None:
    """Be one run of the backfill; ends the process."""
    with MongoClient[dict[str, Any]](uri) as client:
        progress = backfill(kind, turn).run(client[database], batch=5, lock_seconds=0.3, wait=30)
    os._exit(0 if progress.finished else 1)


def lived(uri: str, database: str, kind: str, turn: int, seconds: float) -> bool:
    """Start a run, kill it after a time, and tell whether it had come to its end by itself."""
    process = os.fork()
    if process == 0:
        run(uri, database, kind, turn)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            assert status == 0, f"the run ended with {status}"
            return True
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    return os.waitpid(process, 0)[1] == 0


def main(uri: str, database: str, kind: str, wanted: int, seed: int) -> None:
    chance = random.Random(seed)
    kills = turn = 0
    while kills < wanted:
        turn += 1
        # Once enough were killed, the last round is left to come to its end.
        while not lived(uri, database, kind, turn, chance.uniform(0.01, LONGEST_LIFE) if kills < wanted else 300):
            kills += 1
    print(kills, turn)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
