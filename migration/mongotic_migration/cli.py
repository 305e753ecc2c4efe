"""`mongotic-migrate`: the commands, each from the module that has it."""

from __future__ import annotations

import typer

from . import backfill_command, check_command, indexes_command, rewrite_command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Move a code base and its documents to mongotic.",
)

app.command("check")(check_command.check)
app.add_typer(indexes_command.app, name="indexes")
app.add_typer(backfill_command.app, name="backfill")
app.add_typer(rewrite_command.app, name="rewrite")
