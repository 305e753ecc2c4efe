"""Further figures of writing, beside the table:  `python benchmarks/costs.py`, and the end of `make bench`.

What a session costs that has nothing, or much, to write: the time of `dirty` and of an empty commit, and the memory a
flush needs above the objects it stores.  Each is measured on a real server, and what was done is checked.
"""

import argparse
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from documents import FLAT, ORDER, Kind, WrongResult
from harness import Clients, Ground, connected
from selection import positive, server

from mongotic import select

_ROUNDS = 7
_CLEAN = 10_000
_FLUSHED = 100_000


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of *work*, once done to warm up."""
    times: list[float] = []
    for _ in range(_ROUNDS + 1):
        gc.collect()
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def dirty(clients: Clients, kind: Kind, count: int) -> float:
    """Return how long `session.dirty` takes when *count* instances were read and none was changed, in seconds.

    Raises:
        WrongResult: it names one.
    """
    ground = Ground(clients, kind, count)
    ground.fill()
    with ground.session() as session:
        held = session.scalars(select(kind.model)).all()
        if len(held) != count or session.dirty:
            raise WrongResult(f"{len(held)} {kind.name} documents were read, {len(session.dirty)} are dirty")
        return seconds(lambda: session.dirty)


def empty_commit(clients: Clients) -> float:
    """Return how long a commit takes that has nothing to write, in seconds."""
    with Ground(clients, FLAT, 0).session() as session:
        return seconds(session.commit)


def memory_of_flush(clients: Clients, kind: Kind, count: int) -> int:
    """Return how far a flush of *count* new instances raises the memory of this process, in bytes.

    Raises:
        WrongResult: they are not all stored.
    """
    ground = Ground(clients, kind, count)
    ground.empty()
    instances = ground.kind.instances(count)
    gc.collect()
    with ground.session() as session:
        with highest_memory() as peak:
            session.add_all(instances)
            session.flush()
        stored = ground.collection.count_documents({})
        if stored != count:
            raise WrongResult(f"{stored} of {count} {kind.name} documents are stored")
    ground.empty()
    return peak()


@contextmanager
def highest_memory() -> Iterator[Callable[[], int]]:
    """Give a function that tells, after the block, how much more memory was in use in it than before, in bytes."""
    before = highest = resident()
    over = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.01):
            highest = max(highest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: highest - before
    finally:
        highest = max(highest, resident())
        over.set()
        watcher.join()


def resident() -> int:
    """Return how much memory this process has, in bytes; Linux says so."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # no file of a user's
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def report(clients: Clients, most_documents: int | None) -> Iterator[str]:
    """Give the lines of the figures."""
    clean = min(_CLEAN, most_documents or _CLEAN)
    flushed = min(_FLUSHED, most_documents or _FLUSHED)
    for kind in (FLAT, ORDER):
        yield f"session.dirty, {clean:,} clean {kind.name} objects: {1e3 * dirty(clients, kind, clean):.1f} ms"
    yield f"commit with nothing to write: {1e6 * empty_commit(clients):.0f} µs"
    for kind in (FLAT, ORDER):
        extra = memory_of_flush(clients, kind, flushed) / 2**20
        yield f"flush of {flushed:,} new {kind.name} objects: {extra:.0f} MB above the objects"


def main() -> int:
    parser = argparse.ArgumentParser(prog="costs.py", description="further figures of writing")
    parser.add_argument("--documents", type=positive, metavar="N", help="at most N: a quick run")
    parser.add_argument("--uri", help="use this server, in a database of its own, instead of starting one")
    given = parser.parse_args()
    with server(given.uri) as uri, connected(uri) as clients:
        for line in report(clients, given.documents):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
