"""What the commands share at a terminal: options, the two streams, exit statuses, and how errors are told.

Called by the commands.  Findings go to the standard output, everything else to the error output, so that the output
with `--json` is JSON and nothing else.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, NoReturn, TypeAlias

import typer
from bson import json_util
from odmantic.exceptions import BaseEngineException
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.markup import escape

from mongotic import MongoticError

from .application import ApplicationError
from .connection import ConnectionFailedError

FOUND = 1
"""Exit status: there is something to be done."""

FAILED = 2
"""Exit status: the command could not do its work; Typer's for wrong arguments, too."""

INTERRUPTED = 130
"""Exit status: stopped by Ctrl-C."""

Uri: TypeAlias = Annotated[
    str, typer.Option("--uri", envvar="MONGODB_URI", help="Connection string: mongodb://host:27017/shop")
]
DatabaseName: TypeAlias = Annotated[
    str | None, typer.Option("--database", help="The database, where the connection string names none.")
]
Modules: TypeAlias = Annotated[
    list[str], typer.Option("--models", help="A module with models, such as app.models; may be given again.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def output() -> Console:
    """Return where findings are written."""
    return Console(highlight=False)


def say(console: Console, text: str) -> None:
    """Write a line with markup; the terminal breaks it, so that another program finds it whole."""
    console.print(text, soft_wrap=True)


def remarks() -> Console:
    """Return where progress and errors are written."""
    return Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """Print *value*; what JSON has not is written as MongoDB's Extended JSON."""
    print(json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS, indent=2))


def fail(message: str) -> NoReturn:
    """End the command with a message."""
    say(remarks(), f"[red]Error:[/red] {escape(message)}")
    raise typer.Exit(FAILED)


@contextmanager
def errors_told() -> Generator[None]:
    """Tell what a user can do something about in one sentence, and end the command."""
    try:
        yield
    except (ApplicationError, ConnectionFailedError, MongoticError, BaseEngineException) as error:
        fail(str(error))
    except PyMongoError as error:
        fail(f"the server failed: {error}")
