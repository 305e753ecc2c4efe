"""`mongotic-migrate rewrite`: the codemods on the command line.  `cli` registers it."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .rewrite.running import Options, run
from .rewrite.showing import show

app = typer.Typer(help="Rewrite source files.  A dry run with a diff, unless --write is given.", no_args_is_help=True)


class Style(str, Enum):
    """How many sessions the rewritten code opens."""

    call = "call"
    session = "session"


Paths = Annotated[list[Path], typer.Argument(exists=True, help="Files, and folders with Python files.")]
Write = Annotated[bool, typer.Option("--write", help="Put the changes into the files.")]
Check = Annotated[bool, typer.Option("--check", help="Exit with 1 when something is left alone or cannot be parsed.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Chosen = Annotated[
    Style,
    typer.Option(help="call: every call in a session of its own; session: functions take or open one session."),
]
Engines = Annotated[
    list[str], typer.Option("--engine", metavar="NAME", help="A name that is an engine, such as db.engine; repeatable.")
]


@app.command()
def odmantic(
    paths: Paths,
    style: Chosen = Style.call,
    engine: Engines = [],  # noqa: B006  # Typer's way to say that none is needed; it is never changed
    write: Write = False,
    check: Check = False,
    as_json: Json = False,
) -> None:
    """ODMantic's engine calls become statements of mongotic sessions."""
    _run("odmantic", paths, Options(style.value, tuple(engine)), write=write, check=check, as_json=as_json)


@app.command()
def motor(
    paths: Paths,
    engine: Engines = [],  # noqa: B006  # as above
    write: Write = False,
    check: Check = False,
    as_json: Json = False,
) -> None:
    """Motor's clients become PyMongo's AsyncMongoClient, and their engines mongotic's."""
    _run("motor", paths, Options(engines=tuple(engine)), write=write, check=check, as_json=as_json)


@app.command("mongotic-0.4")
def mongotic_04(paths: Paths, write: Write = False, check: Check = False, as_json: Json = False) -> None:
    """The numbers that execute() gave in mongotic 0.4 become its .rowcount."""
    _run("mongotic-0.4", paths, Options(), write=write, check=check, as_json=as_json)


@app.command("sqlalchemy-habits")
def sqlalchemy_habits(paths: Paths, write: Write = False, check: Check = False, as_json: Json = False) -> None:
    """Forms of SQLAlchemy that mongotic writes differently."""
    _run("sqlalchemy-habits", paths, Options(), write=write, check=check, as_json=as_json)


def _run(codemod: str, paths: list[Path], options: Options, *, write: bool, check: bool, as_json: bool) -> None:
    report = run(codemod, paths, options, write_files=write)
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        show(report, Console())
    if check and not report.is_complete:
        raise typer.Exit(1)
