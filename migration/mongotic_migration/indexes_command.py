"""`mongotic-migrate indexes plan|apply`: the command line of `indexes`.

Registered by `cli`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import indexes
from .application import models_in
from .connection import Document, connected
from .indexes import Finding, IndexChange, IndexDifference, IndexPlan
from .terminal import FOUND, AsJson, DatabaseName, Modules, Uri, errors_told, output, print_json, remarks, say

app = typer.Typer(no_args_is_help=True, help="Bring the indexes of collections and models together.")

COLOURS = {Finding.MISSING: "green", Finding.DIFFERENT: "yellow", Finding.EXTRA: "red"}


@app.command()
def plan(models: Modules, uri: Uri, database: DatabaseName = None, as_json: AsJson = False) -> None:
    """Show how indexes differ from the declarations. Exit status 1: some are missing or different."""
    with errors_told():
        classes = models_in(models)
        with connected(uri, database) as found:
            plans = indexes.plan(found, classes)
    if as_json:
        print_json([plan_as_json(one) for one in plans])
    else:
        console = output()
        for one in plans:
            show(console, one)
    if any(one.having(Finding.MISSING, Finding.DIFFERENT) for one in plans):
        raise typer.Exit(FOUND)


@app.command()
def apply(
    models: Modules,
    uri: Uri,
    database: DatabaseName = None,
    drop: Annotated[bool, typer.Option("--drop", help="Replace different indexes and drop extra ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create missing indexes. Exit status 1: something was left as it was."""
    with errors_told():
        classes = models_in(models)
        with connected(uri, database) as found:
            plans = indexes.plan(found, classes)
            with _bar(sum(_is_due(one, drop) for plan in plans for one in plan.differences)) as before:
                changes = indexes.apply(found, plans, drop=drop, before=before)
    if as_json:
        print_json([_change_as_json(change) for change in changes])
    else:
        _show_changes(changes)
    if any(change.error or change.difference.finding is not Finding.EXTRA for change in changes if _is_left(change)):
        raise typer.Exit(FOUND)


def show(console: Console, plan: IndexPlan) -> None:
    """Print the indexes of one collection."""
    place = f"{plan.database}.{plan.collection}"
    if not plan.differences:
        say(console, f"[bold]{escape(place)}[/bold]: {len(plan.present)} indexes, as they are declared")
        return
    table = Table("index", "is", "because", title=f"{escape(place)} ({', '.join(plan.models)})", title_justify="left")
    for one in plan.differences:
        colour = COLOURS[one.finding]
        why = "; ".join(one.reasons) or _keys(one)
        table.add_row(escape(one.name), f"[{colour}]{one.finding.value}[/{colour}]", escape(why))
    console.print(table)


def plan_as_json(plan: IndexPlan) -> Document:
    """Return a plan as JSON can hold it."""
    return {
        "collection": f"{plan.database}.{plan.collection}",
        "models": list(plan.models),
        "present": list(plan.present),
        "differences": [_difference_as_json(one) for one in plan.differences],
    }


def _difference_as_json(one: IndexDifference) -> Document:
    return {
        "name": one.name,
        "finding": one.finding.value,
        "reasons": list(one.reasons),
        "declared": None if one.declared is None else dict(one.declared.document),
        "existing": one.existing,
    }


def _change_as_json(change: IndexChange) -> Document:
    return {
        "collection": f"{change.plan.database}.{change.plan.collection}",
        "name": change.difference.name,
        "finding": change.difference.finding.value,
        "done": change.verb,
        "error": change.error or None,
    }


def _show_changes(changes: list[IndexChange]) -> None:
    console = output()
    for change in changes:
        place = escape(f"{change.plan.database}.{change.plan.collection} {change.difference.name}")
        why = ""
        if change.error:
            why = f": [red]{escape(change.error)}[/red]"
        elif _is_left(change):
            why = f" as it is: {change.difference.finding.value}; --drop changes it"
        say(console, f"{place} [bold]{change.verb}[/bold]{why}")
    if not changes:
        say(console, "Every index is as it is declared.")


def _is_left(change: IndexChange) -> bool:
    return change.verb == "left"


def _is_due(one: IndexDifference, drop: bool) -> bool:
    return drop or one.finding is Finding.MISSING


def _keys(one: IndexDifference) -> str:
    index = one.existing if one.declared is None else one.declared.document
    return ", ".join(f"{key} {kind}" for key, kind in dict((index or {})["key"]).items())


class _Before:
    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total)
        self._begun = 0

    def __call__(self, plan: IndexPlan, one: IndexDifference) -> None:
        self._bar.update(self._task, description=escape(f"{plan.collection} {one.name}"), completed=self._begun)
        self._begun += 1


@contextmanager
def _bar(total: int) -> Generator[_Before]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=remarks(), transient=True) as bar:
        yield _Before(bar, total)
