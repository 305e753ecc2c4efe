"""Shows what a run of a codemod did: coloured diff, summary, and what was left alone.  Called by `rewrite_command`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .report import FileReport, Report

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def show(report: Report, console: Console) -> None:
    """Print a report for people."""
    for file in report.files:
        if file.is_changed:
            _show_diff(file, console)
    for file in report.files:
        if file.error:
            console.print(f"[red]{escape(str(file.path))}[/]: not read: {escape(file.error)}", soft_wrap=True)
        for note in sorted(file.left):
            place = f"{file.path}:{note.line}"
            console.print(
                f"[yellow]{escape(place)}[/]: left alone: {escape(note.text)}\n    {escape(note.code)}", soft_wrap=True
            )
    _show_summary(report, console)


def _show_diff(file: FileReport, console: Console) -> None:
    for line in file.diff().splitlines():
        is_header = line.startswith(("+++ ", "--- "))
        style = "bold" if is_header else _COLOURS.get(line[:1], "")
        console.print(Text(line, style=style), soft_wrap=True)


def _show_summary(report: Report, console: Console) -> None:
    if report.rules:
        table = Table("rule", "places", title="Rewritten")
        for rule, count in sorted(report.rules.items()):
            table.add_row(rule, str(count))
        console.print(table)
    changed = sum(file.is_changed for file in report.files)
    left = sum(len(file.left) for file in report.files)
    errors = sum(file.error is not None for file in report.files)
    done = "written" if report.written else "to be written"
    console.print(
        f"{len(report.files)} files read, {changed} {done}, {left} places left alone, {errors} files not parsed."
    )
    if changed and not report.written:
        console.print("This was a dry run: nothing was changed. --write puts it into the files.")
