"""Measures mongotic against raw PyMongo and ODMantic; `make bench` runs it, and `--help` tells the options.

Every file `wNN_*.py` beside this one is a workload.  A wrong result ends the run with status 1; a bar that is not met
does not, because times on a shared machine are no test.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import table
from documents import WrongResult
from harness import JUDGED_ROUNDS, Bench, connected
from selection import chosen, positive, server, workloads

from mongotic.testing import EmbeddedMongoError


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="mongotic against raw PyMongo and ODMantic")
    parser.add_argument("--uri", help="use this server, in a database of its own, instead of starting one")
    parser.add_argument("--workload", metavar="W1,W3", help="measure these only")
    parser.add_argument("--rounds", type=positive, default=JUDGED_ROUNDS, help="default %(default)s")
    parser.add_argument("--documents", type=positive, metavar="N", help="at most N per workload: a quick, unjudged run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there too")
    return parser.parse_args(arguments)


def progress(line: str) -> None:
    """Tell the user, not the output, what is being measured."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    given = options()
    try:
        selected = chosen(workloads(), given.workload)
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    try:
        with server(given.uri) as uri, connected(uri) as clients:
            bench = Bench(clients, given.rounds, given.documents, progress)
            about = table.versions(clients.server_version)
            rows = [row for workload in selected for row in workload.measure(bench)]
    except (WrongResult, EmbeddedMongoError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    table.show(rows, selected, about, bench)
    if given.json is not None:
        table.save(rows, about, given.json)
    progress(f"took {time.perf_counter() - begun:.0f} seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
