"""What one statement asks for besides its clauses: `execution_options(...)`.

Made by the facade's statements, read by the flows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

from .errors import ArgumentError, ArgumentTypeError

Synchronize: TypeAlias = Literal["expire", "fetch", False]


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options of a query.

    Attributes:
        populate_existing: instances the session holds take every value read, unwritten changes included.
        identity_map: an iteration after `yield_per` gives the session's own instances.
        detached: the instances are copies of their own, held by no session.
    """

    populate_existing: bool = False
    identity_map: bool = False
    detached: bool = False


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


def changed_query(options: QueryOptions, given: Mapping[str, object]) -> QueryOptions:
    """Return *options* with those in *given*.

    Raises:
        ArgumentError: there is no option of that name.
        ArgumentTypeError: its value is no bool.
    """
    names = [field.name for field in fields(QueryOptions)]
    for name, value in given.items():
        _expect_option(name, names)
        if not isinstance(value, bool):
            raise ArgumentTypeError(f"execution_options({name}=...) takes True or False, got {value!r}")
    return replace(options, **given)  # type: ignore[arg-type]  # checked above


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
        raise ArgumentError(f"execution_options() knows no {name!r} here; it takes {', '.join(names)}")
