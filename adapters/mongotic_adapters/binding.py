"""What a session may be bound to, told apart by type.

Called by the ports.  Never by probing attributes: Motor makes a database of any attribute it is asked for.
"""

from __future__ import annotations

from .errors import ArgumentError, ArgumentTypeError


def refused(session: str, bind: object, fits: str) -> ArgumentTypeError:
    """Return the error for a bind of the wrong type.

    Arguments:
        session: the session's class.
        bind: what was given.
        fits: what would do.
    """
    kind = type(bind)
    return ArgumentTypeError(f"{session} cannot be bound to {kind.__module__}.{kind.__qualname__}; it takes {fits}")


def same_engine(engine_database: str, database: str | None) -> str:
    """Return the engine's database.

    Raises:
        ArgumentError: another one was given as `database=`.
    """
    if wanted_database(database) not in (None, engine_database):
        raise ArgumentError(
            f"database={database!r} differs from the engine's database {engine_database!r}; leave it out, or make an "
            "engine for the other database"
        )
    return engine_database


def wanted_database(database: object) -> str | None:
    """Return the `database=` argument.

    Raises:
        ArgumentTypeError: it is neither a string nor None.
        ArgumentError: it is empty.
    """
    if database is None:
        return None
    if not isinstance(database, str):
        raise ArgumentTypeError(f"database= takes the name of a database, got {database!r}")
    if not database:
        raise ArgumentError("database= is empty; it takes the name of a database")
    return database
