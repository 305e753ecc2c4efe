"""`mongotic-migrate backfill plan|apply|status`: the command line of `backfill`.

Registered by `cli`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from mongotic import Select, Update
from mongotic_adapters import snapshot

from .application import ApplicationError, thing_at
from .backfill import Backfill, BackfillError, Preview, Progress
from .backfill.changes import ChangeFunction
from .connection import connected
from .terminal import INTERRUPTED, AsJson, DatabaseName, Uri, errors_told, fail, output, print_json, remarks, say

app = typer.Typer(no_args_is_help=True, help="Change many documents, each exactly once.")

What: TypeAlias = Annotated[
    str, typer.Argument(metavar="MODULE:NAME", help="A function of a document, or an update() statement.")
]
Whose: TypeAlias = Annotated[
    str | None, typer.Option("--documents", help="For a function: the model, or a select() of it, as module:name.")
]
Name: TypeAlias = Annotated[
    str | None, typer.Option("--name", help="What its checkpoint is called; MODULE:NAME without it.")
]


@app.command()
def plan(
    what: What,
    uri: Uri,
    documents: Whose = None,
    name: Name = None,
    database: DatabaseName = None,
    show: Annotated[int, typer.Option("--show", min=1, help="How many documents to try it on.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what would become of the next documents. Nothing is written."""
    with _told():
        backfill = _backfill(what, documents, name)
        with connected(uri, database) as found:
            previews = backfill.preview(found, show)
            progress = backfill.progress(found)
    if as_json:
        print_json(
            {
                "name": backfill.name,
                "change": backfill.description,
                "done": 0 if progress is None else progress.done,
                "documents": [
                    {"_id": one.key, "changed": one.is_changed, "before": one.before, "after": one.after}
                    for one in previews
                ],
            }
        )
        return
    console = output()
    say(console, f"[bold]{escape(backfill.name)}[/bold]: {escape(backfill.description)}")
    for one in previews:
        _show(console, one)
    changed = sum(one.is_changed for one in previews)
    say(console, f"{changed} of {len(previews)} documents would be changed. `backfill apply` changes all of them.")


@app.command()
def apply(
    what: What,
    uri: Uri,
    documents: Whose = None,
    name: Name = None,
    database: DatabaseName = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Documents per transaction.")] = 1000,
    rate: Annotated[float | None, typer.Option("--rate", help="Documents per second at most.")] = None,
    lock_seconds: Annotated[
        float, typer.Option("--lock-seconds", help="When another run may take over from one that is not heard of.")
    ] = 30.0,
    wait: Annotated[float, typer.Option("--wait", help="How many seconds to wait for another run.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Change the documents that are not changed yet. Stop it with Ctrl-C; started again it goes on where it was."""
    stop = threading.Event()
    with _told():
        backfill = _backfill(what, documents, name)
        with connected(uri, database) as found, _stopping(stop), _bar() as report:
            progress = backfill.run(
                found, batch=batch, rate=rate, lock_seconds=lock_seconds, wait=wait, stop=stop, report=report
            )
    _told_of(backfill, progress, as_json=as_json)
    if not progress.finished:
        raise typer.Exit(INTERRUPTED)


@app.command()
def status(
    what: What,
    uri: Uri,
    documents: Whose = None,
    name: Name = None,
    database: DatabaseName = None,
    as_json: AsJson = False,
) -> None:
    """Tell how far it has come."""
    with _told():
        backfill = _backfill(what, documents, name)
        with connected(uri, database) as found:
            progress = backfill.progress(found)
    if progress is None:
        if as_json:
            print_json({"name": backfill.name, "begun": False})
        else:
            say(output(), f"{escape(backfill.name)} has not begun.")
        return
    _told_of(backfill, progress, as_json=as_json)


@contextmanager
def _told() -> Generator[None]:
    with errors_told():
        try:
            yield
        except BackfillError as error:
            fail(str(error))


def _backfill(what: str, documents: str | None, name: str | None) -> Backfill:
    change = thing_at(what)
    if not callable(change) and not isinstance(change, Update):
        raise ApplicationError(f"{what} is neither a function nor an update() statement: {change!r}")
    whose = None if documents is None else thing_at(documents)
    if whose is not None and not isinstance(whose, (type, Select)):
        raise ApplicationError(f"{documents} is neither a model nor a select(): {whose!r}")
    return Backfill(name or what, cast("ChangeFunction | Update[Any]", change), cast("Any", whose))


def _told_of(backfill: Backfill, progress: Progress, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": backfill.name,
                "begun": True,
                "finished": progress.finished,
                "done": progress.done,
                "changed": progress.changed,
                "total": progress.total,
            }
        )
        return
    state = "is finished" if progress.finished else "is not finished; start it again to go on"
    say(
        output(),
        f"{escape(backfill.name)} {state}: {progress.done:,} of about {progress.total:,} documents done, "
        f"{progress.changed:,} changed.",
    )


def _show(console: Console, preview: Preview) -> None:
    if not preview.is_changed:
        say(console, f"[bold]_id {escape(repr(preview.key))}[/bold]: unchanged")
        return
    table = Table("key", "before", "after", title=f"_id {escape(repr(preview.key))}", title_justify="left")
    for key, before, after in _differences(preview):
        table.add_row(escape(key), f"[red]{escape(before)}[/red]", f"[green]{escape(after)}[/green]")
    console.print(table)


def _differences(preview: Preview) -> list[tuple[str, str, str]]:
    """Return each top-level key that differs, with both values."""
    before, after = preview.before, preview.after or {}
    return [
        (key, _shown(before, key), _shown(after, key))
        for key in {**before, **after}
        if key not in before or key not in after or not snapshot.same(before[key], after[key])
    ]


def _shown(document: dict[str, Any], key: str) -> str:
    return repr(document[key]) if key in document else "–"


@contextmanager
def _stopping(stop: threading.Event) -> Generator[None]:
    """Let Ctrl-C and a polite kill end the run after the batch it is at."""

    def end(*_: object) -> None:
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, end) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


class _Report:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, rate="", left="")

    def __call__(self, progress: Progress) -> None:
        left = progress.remaining
        self._bar.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            rate=f"{progress.rate:,.0f} documents/s",
            left="" if left is None else f"{left:,.0f} s left",
        )


@contextmanager
def _bar() -> Generator[_Report]:
    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with Bar(*columns, console=remarks()) as bar:
        yield _Report(bar)
