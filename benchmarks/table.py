"""How a run is shown: the versions, one table, the notes below it; and the same as JSON.

Used by `__main__`.  Everything shown was measured in the run or asked of what is installed.
"""

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from harness import JUDGED_ROUNDS, Bench, Figure, Row, Workload
from rich.console import Console
from rich.table import Table

_PACKAGES = ("mongotic-odmantic", "odmantic", "pydantic", "pydantic-core", "pymongo", "motor")
_LEAST_WIDTH = 150


def versions(server: str) -> dict[str, str]:
    """Return what was measured on what.

    Arguments:
        server: the version of the MongoDB server.
    """
    return {
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "MongoDB": server,
        **{name: metadata.version(name) for name in _PACKAGES},
    }


def show(rows: Sequence[Row], workloads: Sequence[Workload], about: dict[str, str], bench: Bench) -> None:
    """Print the table and what is needed to read it."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_LEAST_WIDTH)
    console.print(", ".join(f"{name} {version}" for name, version in about.items()))
    console.print(_table(rows))
    console.print(
        "Ratios to raw PyMongo at the same work, per document and round: median (smallest to largest) of "
        f"{bench.rounds} interleaved rounds. Write concern w=1; garbage collector as Python sets it."
    )
    for workload in workloads:
        console.print(f"{workload.code}: {workload.notes}")
    if bench.most_documents is not None:
        console.print(f"Shortened: at most {bench.most_documents:,} documents per workload.")
    if any(not row.judged for row in rows):
        console.print(
            f"Without a verdict: fewer than {JUDGED_ROUNDS} rounds, or fewer documents than the workload has."
        )


def save(rows: Sequence[Row], about: dict[str, str], file: Path) -> None:
    """Write the run as JSON, with the figure of every round."""
    lines = [
        {
            "workload": row.code,
            "title": row.title,
            "documents": row.kind,
            "against": row.against,
            "raw_microseconds": _values(row.baseline),
            "odmantic": _values(row.odmantic),
            "mongotic": _values(row.mongotic),
            "unit": row.unit,
            "bar": row.bar,
            "met": row.met,
        }
        for row in rows
    ]
    file.write_text(json.dumps({"versions": about, "rows": lines}, indent=2) + "\n")


def _table(rows: Sequence[Row]) -> Table:
    table = Table()
    for name in ("workload", "documents", "raw driver"):
        table.add_column(name)
    for name in ("raw, µs each", "ODMantic", "mongotic", "bar"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    previous = ("", "")
    for row in rows:
        if row.code != previous[0] and previous[0]:
            table.add_section()
        table.add_row(
            f"{row.code} {row.title}" if row.code != previous[0] else "",
            row.kind if (row.code, row.kind) != previous else "",
            row.against,
            _shown(row.baseline, ""),
            _shown(row.odmantic, row.unit),
            _shown(row.mongotic, row.unit),
            "" if row.bar is None else f"≤ {row.bar:g}",
            _verdict(row),
        )
        previous = (row.code, row.kind)
    return table


def _shown(figure: Figure | None, unit: str) -> str:
    if figure is None:
        return "–"
    return f"{_rounded(figure.median)}{unit} ({_rounded(figure.low)} – {_rounded(figure.high)})"


def _rounded(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _verdict(row: Row) -> str:
    if row.bar is None:
        return "for information"
    if row.met is None:
        return "–"
    return "[green]met[/]" if row.met else "[red]not met[/]"


def _values(figure: Figure | None) -> list[float] | None:
    return None if figure is None else list(figure.values)
