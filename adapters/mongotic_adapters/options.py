"""What one statement asks for besides its clauses: `execution_options(...)`.

Made by the facade's statements, read by the flows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, cast, get_args

from .commands import SendOptions
from .errors import ArgumentError, ArgumentTypeError, InvalidRequestError
from .load_plan import USUAL_PLAN, LoadPlan, Missing
from .suggestions import did_you_mean

Synchronize: TypeAlias = Literal["expire", "fetch", False]

SENT_WITH_READS = tuple(field.name for field in fields(SendOptions) if field.name != "write_concern")
"""What goes along with a query."""

SENT_WITH_INSERTS = ("comment", "max_time_ms", "write_concern")
"""What goes along with an `insert` command, which looks for nothing."""

SENT_WITH_CHANGES = ("hint", "collation", *SENT_WITH_INSERTS)
"""What goes along with an `update` or `delete` command."""


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options of a query.

    Attributes:
        populate_existing: instances the session holds take every value read, unwritten changes included.
        identity_map: an iteration after `yield_per` gives the session's own instances.
        detached: the instances are copies of their own, held by no session.
        missing: what becomes of a document that refers to one that does not exist: an error, None in the place of the
            other, or it is left out.
        loading: how references are loaded; `options()` says it.
    """

    populate_existing: bool = False
    identity_map: bool = False
    detached: bool = False
    missing: Missing = "error"
    loading: LoadPlan = USUAL_PLAN

    @property
    def plan(self) -> LoadPlan:
        """How references are loaded, with what becomes of missing targets."""
        return self.loading if self.missing == self.loading.missing else replace(self.loading, missing=self.missing)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The options of `update()` and `delete()`.

    Attributes:
        synchronize_session: what becomes of the instances the session holds: all of the model are expired, those that
            fit are read again or detached (`"fetch"`), or nothing (`False`).
        upsert: an update that meets no document stores one.
        ordered: the first row that fails is the last one tried.
    """

    synchronize_session: Synchronize = "expire"
    upsert: bool = False
    ordered: bool = True


USUAL_QUERY = QueryOptions()
USUAL_WRITE = WriteOptions()


def changed_query(
    options: QueryOptions, sent: SendOptions, given: Mapping[str, object]
) -> tuple[QueryOptions, SendOptions]:
    """Return *options* of a query, and those *sent* along with its command, with those in *given*.

    Raises:
        ArgumentError: there is no option of that name, or its value is out of range.
        ArgumentTypeError: its value has the wrong type.
    """
    mine = [field.name for field in fields(QueryOptions) if field.name != "loading"]
    for name, value in given.items():
        _expect_option(name, [*mine, *SENT_WITH_READS])
        if name == "missing" and value not in get_args(Missing):
            raise ArgumentError(f'execution_options(missing=...) takes "error", "none" or "skip", got {value!r}')
        if name in mine and name != "missing" and not isinstance(value, bool):
            raise ArgumentTypeError(f"execution_options({name}=...) takes True or False, got {value!r}")
    own = {name: value for name, value in given.items() if name in mine}
    chosen = replace(options, **own)  # type: ignore[arg-type]  # checked above
    return chosen, _changed_sent(sent, given, SENT_WITH_READS)


def _changed_sent(sent: SendOptions, given: Mapping[str, object], names: Sequence[str]) -> SendOptions:
    along = {name: value for name, value in given.items() if name in names}
    for name, value in along.items():
        if value is not None:
            expect_sendable(name, value)
    return replace(sent, **along) if along else sent  # type: ignore[arg-type]  # checked above


def expect_sendable(name: str, value: object) -> None:
    """Check what goes along with a command.

    Raises:
        ArgumentError: its value is out of range.
        ArgumentTypeError: its value has the wrong type.
    """
    if name == "max_time_ms" and (isinstance(value, bool) or not isinstance(value, int)):
        raise ArgumentTypeError(f"execution_options({name}=...) takes a number of milliseconds, got {value!r}")
    if name == "max_time_ms" and isinstance(value, int) and value <= 0:
        raise ArgumentError(f"execution_options({name}=...) takes a positive number of milliseconds, got {value!r}")
    if name == "allow_disk_use" and not isinstance(value, bool):
        raise ArgumentTypeError(f"execution_options({name}=...) takes True or False, got {value!r}")
    if name == "hint" and not isinstance(value, (str, list, tuple)):
        raise ArgumentTypeError(
            f'execution_options({name}=...) takes the name of an index, or its keys as [("name", 1)], got {value!r}'
        )
    given = cast("object", value)  # type: ignore[redundant-cast]  # not to pyright
    kind = type(given).__name__
    concerns = {"read_concern": "ReadConcern", "write_concern": "WriteConcern"}
    wanted = {**concerns, "collation": "Collation"}.get(name)
    if wanted is not None and kind != wanted and not (name == "collation" and isinstance(value, Mapping)):
        raise ArgumentTypeError(f"execution_options({name}=...) takes a pymongo {wanted}, got {value!r}")
    if name == "read_preference" and not hasattr(given, "mongos_mode"):
        raise ArgumentTypeError(f"execution_options({name}=...) takes one of pymongo.ReadPreference, got {value!r}")


def changed_write(
    options: WriteOptions,
    sent: SendOptions,
    given: Mapping[str, object],
    names: Sequence[str],
    along: Sequence[str] = SENT_WITH_CHANGES,
) -> tuple[WriteOptions, SendOptions]:
    """Return *options* of a statement that writes, and those *sent* along with its command, with those in *given*.

    Arguments:
        options: what was chosen so far.
        sent: the same of what goes along.
        given: what is chosen now.
        names: the options that this statement has.
        along: what may go along with its command.

    Raises:
        ArgumentError: as `changed_query` does.
        ArgumentTypeError: as `changed_query` does.
    """
    own = {name: value for name, value in given.items() if name in names}
    for name in given:
        _expect_option(name, [*names, *along])
    for name, value in own.items():
        if name != "synchronize_session":
            if not isinstance(value, bool):
                raise ArgumentTypeError(f"execution_options({name}=...) takes True or False, got {value!r}")
        elif value is not False and value not in ("expire", "fetch"):
            raise ArgumentError(f'execution_options({name}=...) takes "expire", "fetch" or False, got {value!r}')
    chosen = replace(options, **own)  # type: ignore[arg-type]  # checked above
    return chosen, _changed_sent(sent, given, along)


def expect_no_concern(sent: SendOptions, *, in_transaction: bool) -> None:
    """Check that a statement of a transaction has no write concern of its own, which MongoDB refuses.

    Raises:
        InvalidRequestError: it has; nothing was sent.
    """
    if in_transaction and sent.write_concern is not None:
        raise InvalidRequestError(
            "execution_options(write_concern=...): in a transaction, what is written is confirmed by the commit as a "
            "whole; say it when the transaction begins: begin(write_concern=...). Nothing was sent"
        )


def _expect_option(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise ArgumentError(
            f"execution_options() knows no {name!r} here; it takes {', '.join(names)}{did_you_mean(name, names)}"
        )
