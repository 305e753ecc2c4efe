"""`mongotic-migrate check`: the command line of `check`.

Registered by `cli`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .application import models_in
from .check import ModelReport, Occurrences
from .check import check as check_models
from .connection import Document, connected
from .indexes_command import plan_as_json, show
from .terminal import FOUND, AsJson, DatabaseName, Modules, Uri, errors_told, output, print_json, remarks, say


def check(
    models: Modules,
    uri: Uri,
    database: DatabaseName = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Documents of each model, chosen at random; all without it.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many documents to name for one model.")] = 20,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for remarks, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare stored documents with the models; reads only. Exit status 1: something would fail."""
    with errors_told():
        classes = models_in(models)
        with connected(uri, database) as found, _bar() as report:
            reports = check_models(found, classes, sample=sample, most=most, report=report)
    if as_json:
        print_json([_as_json(one) for one in reports])
    else:
        console = output()
        for one in reports:
            _show(console, one)
    if any(one.has_errors or (strict and one.has_remarks) for one in reports):
        raise typer.Exit(FOUND)


def _show(console: Console, report: ModelReport) -> None:
    colour = "red" if report.has_errors else "yellow" if report.has_remarks else "green"
    place = escape(f"{report.database}.{report.collection}")
    console.rule(f"[{colour}]{escape(report.model)}[/{colour}] in {place}", align="left")
    say(console, f"{report.examined:,} of about {report.stored:,} documents examined")
    if report.unparsed_count:
        say(console, f"[red]{report.unparsed_count:,} documents do not fit the model[/red]")
        for one in report.unparsed:
            say(console, f"  _id {escape(repr(one.key))}: {escape(one.reason)}")
    if report.dangling_count:
        say(console, f"[red]{report.dangling_count:,} references lead to no document[/red]")
        for dangling in report.dangling:
            what = f"{dangling.field} -> {dangling.model} {dangling.target!r}"
            say(console, f"  {escape(what)}: {_told(dangling.found)}")
    for path, found in report.unknown.items():
        say(console, f"[yellow]{escape(path)}[/yellow] is no field of the model: {_told(found)}")
    for path, found in report.absent.items():
        say(console, f"[yellow]{escape(path)}[/yellow] is not in {_told(found)}")
    for path, types in report.types.items():
        shown = ", ".join(f"{count:,} {name}" for name, count in sorted(types.items(), key=lambda pair: -pair[1]))
        say(console, f"[yellow]{escape(path)}[/yellow] has several types: {shown}")
    show(console, report.indexes)


def _told(found: Occurrences) -> str:
    keys = ", ".join(repr(key) for key in found.examples)
    return f"{found.count:,} documents ({escape(keys)}{', …' if found.count > len(found.examples) else ''})"


def _as_json(report: ModelReport) -> Document:
    return {
        "model": report.model,
        "collection": f"{report.database}.{report.collection}",
        "stored": report.stored,
        "examined": report.examined,
        "errors": report.has_errors,
        "unparsed_count": report.unparsed_count,
        "unparsed": [{"_id": one.key, "reason": one.reason} for one in report.unparsed],
        "dangling_count": report.dangling_count,
        "dangling": [
            {"field": one.field, "model": one.model, "target": one.target, **_occurrences(one.found)}
            for one in report.dangling
        ],
        "unknown": {path: _occurrences(found) for path, found in report.unknown.items()},
        "absent": {path: _occurrences(found) for path, found in report.absent.items()},
        "types": report.types,
        "indexes": plan_as_json(report.indexes),
    }


def _occurrences(found: Occurrences) -> Document:
    return {"count": found.count, "examples": found.examples}


class _Report:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, model: str, done: int, total: int) -> None:
        if model not in self._tasks:
            self._tasks[model] = self._bar.add_task(escape(model))
        self._bar.update(self._tasks[model], completed=done, total=total)


@contextmanager
def _bar() -> Generator[_Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=remarks()) as bar:
        yield _Report(bar)
