"""Puts what a run found into the documentation: a section of `performance.md`, its figures, and the chart.

Used by `__main__`.  The rest of the page is written by hand.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import chart
from harness import Row
from report import Report


class NoSuchSection(Exception):  # noqa: N818  # says what it is in the output
    """The page has no place for a report."""


def write(folder: Path, report: Report, rows: Sequence[Row]) -> None:
    """Write `performance.md`, `performance.json` and, where there are ratios, `performance.svg`.

    Arguments:
        folder: of the documentation; its page has the lines `<!-- begin NAME -->` and `<!-- end NAME -->`.
        report: the section.
        rows: what the chart shows; none leave it as it is.

    Raises:
        NoSuchSection: the page has not these lines.
    """
    page, figures = folder / "performance.md", folder / "performance.json"
    page.write_text(with_section(page.read_text("utf-8"), report, with_chart=bool(rows)), "utf-8")
    known = cast("dict[str, object]", json.loads(figures.read_text("utf-8"))) if figures.exists() else {}
    known[report.name] = {"versions": report.about, "rows": report.data}
    save(known, figures)
    if rows:
        chart.draw(rows, folder / "performance.svg")


def with_section(page: str, report: Report, *, with_chart: bool) -> str:
    """Return the page with a report, and the chart below it, in the place of what it had there."""
    begin, end = f"<!-- begin {report.name} -->\n", f"<!-- end {report.name} -->\n"
    head, found, rest = page.partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise NoSuchSection(f"performance.md has no lines {begin.strip()} and {end.strip()}")
    chart_below = "\n![Times as multiples of the raw driver's, with the bars](performance.svg)\n" if with_chart else ""
    return f"{head}{begin}```text\n{report.text()}```\n{chart_below}{end}{tail}"


def save(figures: object, file: Path) -> None:
    """Write figures as JSON."""
    file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
