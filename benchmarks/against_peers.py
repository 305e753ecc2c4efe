"""Other libraries beside mongotic at the same workloads: beanie, mongoengine, and the package called mongotic.

Used by `__main__` for `--peers`.  They live in an environment of their own, and each of their workloads runs in a new
process of it, with the raw driver in turn; only ratios to the raw driver of the same process are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import fresh
from harness import Bench, Figure, Party, Race, Row, Workload
from report import Report, rounded, versions
from rich.table import Table

PEERS = {
    "beanie": "beanie_documents",
    "mongoengine": "mongoengine_documents",
    "mongotic": "native_mongotic",
}
"""The packages, and the files in `peers` that say how each does the work."""

_ODMANTIC = {Party.ODMANTIC_SYNC, Party.ODMANTIC_ASYNC}


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        row: this project's.
        peers: the ratios of those that have the workload.
    """

    row: Row
    peers: Mapping[str, Figure]


def measure(bench: Bench, workloads: Sequence[Workload], python: Path) -> Report:
    """Return the report.

    Arguments:
        bench: the run.
        workloads: those that are no race are left out.
        python: the interpreter of the peers' environment.

    Raises:
        WrongResult: somebody did not do the work.
        ProcessFailed: a process of a peer ended with an error.
    """
    installed = cast("dict[str, str]", fresh.call("peers.race", "versions", python=python, names=list(PEERS)))
    lines = [line for workload in workloads if isinstance(workload, Race) for line in _lines(bench, workload, python)]
    notes = [
        "Ratios to raw PyMongo at the same work, per document and round: median (smallest to largest) of "
        f"{bench.rounds} rounds; each library in turn with the raw driver, in a process of its own. Write concern w=1; "
        "garbage collector as Python sets it. A dash: the library has no such thing, or its guides do not show it.",
        "Each does the work as its guides teach: beanie inserts by insert_many and changes by a BulkWriter; "
        "mongoengine inserts by objects.insert and saves each change. The last column is the package called mongotic, "
        "which has document classes of its own.",
    ]
    if bench.most_documents is not None:
        notes.append(f"Shortened: at most {bench.most_documents:,} documents per workload.")
    about = {**versions(bench.clients.server_version), **installed}
    return Report("peers", about, [_table(lines, installed)], notes, [_data(line) for line in lines])


def _lines(bench: Bench, race: Race, python: Path) -> list[Line]:
    ours = replace(race, contenders=[each for each in race.contenders if each.party not in _ODMANTIC])
    rows = [row for row in ours.measure(bench) if row.bar is not None]
    ratios: dict[tuple[str, str, str], Figure] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        for peer, module in PEERS.items():
            bench.progress(f"{race.code} {race.title}, {kind}: {peer}")
            found = fresh.call(
                "peers.race",
                "measure",
                python=python,
                peer=module,
                uri=bench.clients.uri,
                database=bench.clients.database,
                code=race.code,
                kind=kind,
                count=bench.scaled(race.documents),
                rounds=bench.rounds,
            )
            for against, times in cast("dict[str, dict[str, list[float]]]", found).items():
                pairs = zip(times["peer"], times["raw"], strict=True)
                ratios[peer, kind, against] = Figure([time / raw for time, raw in pairs])
    return [
        Line(row, {peer: ratios[place] for peer in PEERS if (place := (peer, row.kind, row.against)) in ratios})
        for row in rows
    ]


def _table(lines: Sequence[Line], installed: Mapping[str, str]) -> Table:
    table = Table(title="Beside other libraries", title_justify="left")
    table.add_column("workload")
    for name in ("documents", "against"):
        table.add_column(name, no_wrap=True)
    for name in ("this project", *(f"{peer} {installed[peer]}" for peer in PEERS)):
        table.add_column(name, justify="right", no_wrap=True)
    previous = ("", "")
    for line in lines:
        row = line.row
        if row.code != previous[0] and previous[0]:
            table.add_section()
        table.add_row(
            f"{row.code} {row.title}" if row.code != previous[0] else "",
            row.kind if (row.code, row.kind) != previous else "",
            row.against,
            _shown(row.mongotic),
            *(_shown(line.peers.get(peer)) for peer in PEERS),
        )
        previous = (row.code, row.kind)
    return table


def _shown(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return f"{rounded(figure.median)}× ({rounded(figure.low)} – {rounded(figure.high)})"


def _data(line: Line) -> dict[str, object]:
    row = line.row
    return {
        "workload": row.code,
        "title": row.title,
        "documents": row.kind,
        "against": row.against,
        "this project": list(row.mongotic.values),
        **{peer: list(figure.values) for peer, figure in line.peers.items()},
    }
