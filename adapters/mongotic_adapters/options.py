"""What one statement asks for besides its clauses: `execution_options(...)`.

Made by the facade's statements, read by the flows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, cast, get_args

from .commands import SendOptions
from .errors import ArgumentError, ArgumentTypeError
from .load_plan import USUAL_PLAN, LoadPlan, Missing
from .suggestions import did_you_mean

Synchronize: TypeAlias = Literal["expire", "fetch", False]


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
    servers = [field.name for field in fields(SendOptions)]
    for name, value in given.items():
        _expect_option(name, [*mine, *servers])
        if name == "missing" and value not in get_args(Missing):
            raise ArgumentError(f'execution_options(missing=...) takes "error", "none" or "skip", got {value!r}')
        if name in mine and name != "missing" and not isinstance(value, bool):
            raise ArgumentTypeError(f"execution_options({name}=...) takes True or False, got {value!r}")
        if name in servers and value is not None:
            expect_sendable(name, value)
    own = {name: value for name, value in given.items() if name in mine}
    along = {name: value for name, value in given.items() if name in servers}
    return (
        replace(options, **own),  # type: ignore[arg-type]  # checked above
        replace(sent, **along) if along else sent,  # type: ignore[arg-type]  # checked above
    )


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
    wanted = {"read_concern": "ReadConcern", "collation": "Collation"}.get(name)
    if wanted is not None and kind != wanted and not (name == "collation" and isinstance(value, Mapping)):
        raise ArgumentTypeError(f"execution_options({name}=...) takes a pymongo {wanted}, got {value!r}")
    if name == "read_preference" and not hasattr(given, "mongos_mode"):
        raise ArgumentTypeError(f"execution_options({name}=...) takes one of pymongo.ReadPreference, got {value!r}")


def changed_write(options: WriteOptions, given: Mapping[str, object], names: Sequence[str]) -> WriteOptions:
    """Return *options* with those in *given*, which may have *names*; raises as `changed_query` does."""
    for name, value in given.items():
        _expect_option(name, names)
        if name != "synchronize_session":
            if not isinstance(value, bool):
                raise ArgumentTypeError(f"execution_options({name}=...) takes True or False, got {value!r}")
        elif value is not False and value not in ("expire", "fetch"):
            raise ArgumentError(f'execution_options({name}=...) takes "expire", "fetch" or False, got {value!r}')
    return replace(options, **given)  # type: ignore[arg-type]  # checked above


def _expect_option(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise ArgumentError(
            f"execution_options() knows no {name!r} here; it takes {', '.join(names)}{did_you_mean(name, names)}"
        )
