"""Measures mongotic against raw PyMongo and ODMantic; `make bench` runs it, and `--help` tells the options.

Every file `wNN_*.py` beside this one is a workload.  A wrong result ends the run with status 1; a bar that is not met
does not, because times on a shared machine are no test.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import against_peers
import page
import scaling
import service
import table
from documents import WrongResult
from fresh import ProcessFailed
from further import FURTHER
from harness import JUDGED_ROUNDS, Bench, Row, connected
from report import Report
from selection import chosen, positive, server, workloads

from mongotic.testing import EmbeddedMongoError


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="mongotic against raw PyMongo and ODMantic")
    parser.add_argument("--uri", help="use this server, in a database of its own, instead of starting one")
    which = parser.add_mutually_exclusive_group()
    parser.add_argument("--workload", metavar="W1,F2", help="measure these only; not with --scaling and --service")
    which.add_argument("--scaling", action="store_true", help="measure how time and memory grow with the documents")
    which.add_argument("--service", action="store_true", help="measure 200 tasks that handle requests in an event loop")
    which.add_argument("--peers", type=Path, metavar="PYTHON", help="measure the libraries of this interpreter too")
    parser.add_argument("--rounds", type=positive, default=JUDGED_ROUNDS, help="default %(default)s")
    parser.add_argument("--documents", type=positive, metavar="N", help="at most N per workload: a quick, unjudged run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there too")
    parser.add_argument(
        "--write-docs", type=Path, metavar="FOLDER", help="put what was found into performance.md there, with its chart"
    )
    given = parser.parse_args(arguments)
    if given.workload is not None and (given.scaling or given.service):
        parser.error("--scaling and --service have no workloads to choose from")
    return given


def progress(line: str) -> None:
    """Tell the user, not the output, what is being measured."""
    print(line, file=sys.stderr, flush=True)


def measured(bench: Bench, given: argparse.Namespace) -> tuple[Report, list[Row]]:
    """Return the report of the run that was asked for, and what its chart shows."""
    if given.scaling:
        return scaling.measure(bench), []
    if given.service:
        return service.measure(bench), []
    if given.peers:
        return against_peers.measure(bench, chosen(workloads(), given.workload), given.peers), []
    selected = [(workload, workload.measure(bench)) for workload in chosen([*workloads(), *FURTHER], given.workload)]
    main_table = [each for each in selected if each[0] not in FURTHER]
    second_table = [each for each in selected if each[0] in FURTHER]
    rows = [row for _, found in main_table for row in found]
    return table.report(main_table, second_table, bench), rows


def main() -> int:
    given = options()
    try:
        chosen([*workloads(), *FURTHER], given.workload)
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    try:
        with server(given.uri) as uri, connected(uri) as clients:
            bench = Bench(clients, given.rounds, given.documents, progress)
            report, rows = measured(bench, given)
        report.show()
        if given.json is not None:
            page.save({report.name: {"versions": report.about, "rows": report.data}}, given.json)
        if given.write_docs is not None:
            page.write(given.write_docs, report, rows)
    except (WrongResult, ProcessFailed, EmbeddedMongoError, page.NoSuchSection) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    progress(f"took {time.perf_counter() - begun:.0f} seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
