"""The table of the workloads and the one of the further figures, with the notes below them.

Used by `__main__`.
"""

from collections.abc import Sequence

from harness import JUDGED_ROUNDS, Bench, Figure, Row, Workload
from report import Report, rounded, verdict, versions
from rich.table import Table


def report(
    workloads: Sequence[tuple[Workload, Sequence[Row]]],
    further: Sequence[tuple[Workload, Sequence[Row]]],
    bench: Bench,
) -> Report:
    """Return the report of a run.

    Arguments:
        workloads: what was measured, with its lines.
        further: the same, for the second table.
        bench: the run.
    """
    every = [*workloads, *further]
    rows = [row for _, found in every for row in found]
    notes = [
        "Ratios (×) to raw PyMongo at the same work, per document and round: median (smallest to largest) of "
        f"{bench.rounds} interleaved rounds. Write concern w=1; garbage collector as Python sets it."
    ]
    notes += [f"{workload.code}: {workload.notes}" for workload, _ in every]
    if bench.most_documents is not None:
        notes.append(f"Shortened: at most {bench.most_documents:,} documents per workload.")
    if any(not row.judged for row in rows):
        notes.append(f"Without a verdict: fewer than {JUDGED_ROUNDS} rounds, or fewer documents than the workload has.")
    tables = [
        _table(title, [row for _, found in part for row in found])
        for title, part in (("Workloads", workloads), ("Further figures", further))
        if part
    ]
    return Report("workloads", versions(bench.clients.server_version), tables, notes, [_line(row) for row in rows])


def _line(row: Row) -> dict[str, object]:
    return {
        "workload": row.code,
        "title": row.title,
        "documents": row.kind,
        "against": row.against,
        "raw": _values(row.baseline),
        "raw_unit": row.baseline_unit.strip(),
        "odmantic": _values(row.odmantic),
        "mongotic": _values(row.mongotic),
        "unit": row.unit.strip(),
        "bar": row.bar,
        "met": row.met,
    }


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("workload")
    for name in ("documents", "against"):
        table.add_column(name, no_wrap=True)
    for name in ("raw, per document", "ODMantic", "mongotic", "bar"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    previous = ("", "")
    for row in rows:
        if row.code != previous[0] and previous[0]:
            table.add_section()
        table.add_row(
            f"{row.code} {row.title}" if row.code != previous[0] else "",
            row.kind if (row.code, row.kind) != previous else "",
            row.against,
            _shown(row.baseline, row.baseline_unit),
            _shown(row.odmantic, row.unit),
            _shown(row.mongotic, row.unit),
            "" if row.bar is None else f"≤ {row.bar:g}{row.unit}",
            "for information" if row.bar is None else verdict(row.met),
        )
        previous = (row.code, row.kind)
    return table


def _shown(figure: Figure | None, unit: str) -> str:
    if figure is None:
        return "–"
    return f"{rounded(figure.median)}{unit} ({rounded(figure.low)} – {rounded(figure.high)})"


def _values(figure: Figure | None) -> list[float] | None:
    return None if figure is None else list(figure.values)
