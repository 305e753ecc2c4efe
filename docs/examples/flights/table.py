"""Prints what was measured and found."""

from collections.abc import Sequence

from losses import Finding
from measure import Measurement, mongotic, mongotic_async, odmantic, odmantic_async
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH = 100
"""Columns where the output is no terminal."""


def make_console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def print_measurements(console: Console, measurements: Sequence[Measurement], copied: int, rounds: int) -> None:
    """Print one line for each step: milliseconds on every side, and how many times as long ODMantic took.

    Arguments:
        console: where.
        measurements: one for each step.
        copied: flights in the copies that were changed.
        rounds: runs of which the median is shown.
    """
    console.print(
        f"\nMilliseconds (median of {rounds}), and ODMantic's time by mongotic's. Every side handled the same rows:\n"
        f"queries on all flights, changes on a copy with {copied:,} flights for each library."
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), collapse_padding=True, pad_edge=False)
    table.add_column("\nwhat was asked", ratio=1, vertical="bottom")
    for title in (
        "\nrows",
        "sync\nODMantic",
        "sync\nmongotic",
        "\nratio",
        "async\nODMantic",
        "async\nmongotic",
        "\nratio",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    previous = None
    for found in measurements:
        if previous is not None and found.step.changes != previous.step.changes:
            table.add_section()
        previous = found
        table.add_row(
            escape(found.step.asked),
            f"{found.rows:,}",
            _milliseconds(found.seconds[odmantic]),
            _milliseconds(found.seconds[mongotic]),
            _ratio(found.ratio(odmantic, mongotic)),
            _milliseconds(found.seconds[odmantic_async]),
            _milliseconds(found.seconds[mongotic_async]),
            _ratio(found.ratio(odmantic_async, mongotic_async)),
        )
    console.print(table)


def print_losses(console: Console, findings: Sequence[Finding]) -> None:
    """Print what happened and how it ended with each library."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("what happened", "ODMantic", "mongotic"):
        table.add_column(title, ratio=1)
    for found in findings:
        table.add_row(escape(found.story), escape(found.odmantic), escape(found.mongotic), end_section=True)
    console.print(table)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}"


def _ratio(times: float) -> str:
    text = f"{times:.1f}x"
    return f"[red]{text}[/]" if times < 1 else f"[green]{text}[/]"
