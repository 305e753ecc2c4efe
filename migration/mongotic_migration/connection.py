"""The server and the database that a tool works on.

Called by the commands; what goes wrong is said in one sentence, because the reader is at a terminal.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidName, InvalidURI, OperationFailure, PyMongoError

Document: TypeAlias = dict[str, Any]  # what the driver gives; it has every type that BSON has
"""A document as it is stored."""

DOES_NOT_KNOW_THE_COMMAND = 59


class ConnectionFailedError(Exception):
    """There is no such server or database, or it lets nobody in; the message says which."""


@contextmanager
def connected(uri: str, database: str | None, *, seconds: float = 10.0) -> Generator[Database[Document]]:
    """Connect, and close the connection at the end of the block.

    Arguments:
        uri: a connection string.
        database: the database's name; without it, the one in the connection string.
        seconds: how long to wait for a server.

    Returns:
        The database, of a server that has answered a `ping` command.

    Raises:
        ConnectionFailedError: the connection string is wrong or names no database, or no server lets us in.
    """
    try:
        # What the connection string itself says of the wait is left as it is.
        options: dict[str, Any] = {} if "selecttimeout" in _plain(uri) else _waiting(seconds)
        client = MongoClient[Document](uri, **options)
    except (InvalidURI, ConfigurationError, ValueError, PyMongoError) as error:
        raise ConnectionFailedError(f"the connection string is wrong: {error}") from error
    with client:
        try:
            found = client.get_default_database() if database is None else client[database]
        except ConfigurationError as error:
            raise ConnectionFailedError(
                "no database is named: give --database, or name it in the connection string (mongodb://host/NAME)"
            ) from error
        except InvalidName as error:
            raise ConnectionFailedError(f"{database!r} cannot be the name of a database: {error}") from error
        try:
            found.command("ping")
        except OperationFailure as error:
            raise ConnectionFailedError(f"the server refuses: {error}") from error
        except PyMongoError as error:
            raise ConnectionFailedError(f"no server answers: {error}") from error
        yield found


def _plain(uri: str) -> str:
    return uri.lower().replace("serverselectiontimeoutms", "selecttimeout")


def _waiting(seconds: float) -> dict[str, Any]:
    return {"serverSelectionTimeoutMS": int(seconds * 1000)}


def has_transactions(database: Database[Document]) -> bool:
    """Tell whether the deployment is a replica set or a sharded cluster: a `hello` command."""
    answer = database.client.admin.command("hello")
    return "setName" in answer or answer.get("msg") == "isdbgrid"
