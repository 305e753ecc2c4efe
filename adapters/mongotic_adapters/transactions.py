"""ODMantic sessions and transactions that a mongotic session opens, keeps and ends.

Kept by `binding`, ended by the ports.  Opening one sends nothing, whatever the driver, so it needs no awaiting; ending
one gives what the driver's method gives, awaitable or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from motor.core import AgnosticClientSession
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from odmantic import AIOEngine, SyncEngine
from odmantic.session import AIOSession, AIOTransaction, SyncSession, SyncTransaction
from pymongo import AsyncMongoClient, client_session
from pymongo.asynchronous import client_session as asyncio_sessions
from pymongo.collation import Collation
from pymongo.errors import ConfigurationError, InvalidOperation
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import Nearest, Primary, PrimaryPreferred, Secondary, SecondaryPreferred
from pymongo.write_concern import WriteConcern
from typing_extensions import TypedDict

from .errors import ArgumentError, ArgumentTypeError, InvalidRequestError
from .flows import driving
from .suggestions import did_you_mean

__all__ = [
    "Collation",
    "OwnSession",
    "OwnTransaction",
    "ReadConcern",
    "ReadPreference",
    "TransactionOptions",
    "WriteConcern",
]

Engine: TypeAlias = "SyncEngine | AIOEngine"
PlainSession: TypeAlias = "SyncSession | AIOSession"
Transaction: TypeAlias = "SyncTransaction | AIOTransaction"
ReadPreference: TypeAlias = "Primary | PrimaryPreferred | Secondary | SecondaryPreferred | Nearest"


class TransactionOptions(TypedDict, total=False):
    """What a transaction may be given; without it the client's own settings hold."""

    read_concern: ReadConcern | None
    """`pymongo.read_concern.ReadConcern("snapshot")`, say."""
    write_concern: WriteConcern | None
    """`pymongo.WriteConcern("majority")`, say."""
    read_preference: ReadPreference | None
    """`pymongo.ReadPreference.PRIMARY`, the only one MongoDB takes in a transaction, and what is used in any case."""
    max_commit_time_ms: int | None
    """How long the server may take to commit, in milliseconds."""


class OwnSession:
    """A plain ODMantic session: operations in order, no transaction.

    Arguments:
        engine: the engine it belongs to.
        client: its client.
        options: of the transactions to be begun in it.
        causal: reads see what was written before in it, wherever they are sent.
    """

    def __init__(self, engine: Engine, client: object, options: TransactionOptions, *, causal: bool) -> None:
        self.driver = _driver_session(client, options, causal=causal)
        self.odmantic: PlainSession = engine.session()
        # ODMantic's own start() waits for each write to be seen by the next read: causal consistency costs 1 ms each.
        cast("Any", self.odmantic).session = self.driver

    def end(self) -> object:
        """End it, and abort what is still under way in it."""
        cast("Any", self.odmantic).session = None
        return cast("Any", self.driver).end_session()


class OwnTransaction:
    """An ODMantic transaction, opened when it is first used.

    Arguments:
        open_session: gives the session it is to run in.
        is_owner: the session was opened for it, and ends with it.
    """

    def __init__(self, open_session: Callable[[], OwnSession | PlainSession], *, is_owner: bool) -> None:
        self._open_session = open_session
        self._is_owner = is_owner
        self._session: OwnSession | PlainSession | None = None
        self._transaction: Transaction | None = None
        self.is_ending = False

    @property
    def is_open(self) -> bool:
        """Whether anything was, or may have been, sent in it."""
        return self._transaction is not None

    @property
    def odmantic(self) -> Transaction:
        """ODMantic's transaction.

        Raises:
            InvalidRequestError: another transaction is under way in the same driver session.
        """
        if self._transaction is None:
            self._session = self._open_session()
            plain = self._session.odmantic if isinstance(self._session, OwnSession) else self._session
            transaction = plain.transaction()
            try:
                _start(transaction)
            except InvalidOperation as error:
                raise InvalidRequestError(f"begin(): {error}; end that transaction first") from error
            except ConfigurationError as error:  # of a client that does not wait for answers, say
                raise InvalidRequestError(f"begin(): {error}; give begin() a write_concern") from error
            self._transaction = transaction
        return self._transaction

    def driver_session(self) -> object:
        """Return the driver's session.

        Raises:
            InvalidRequestError: the transaction was ended through `session.odmantic`.
        """
        try:
            return cast("Any", self.odmantic).get_driver_session()
        except RuntimeError as error:
            raise InvalidRequestError(
                f"the transaction of this session was ended through session.odmantic ({error}); rollback() the session"
            ) from error

    def commit(self) -> object:
        """Commit: one `commitTransaction` command.  Called again, it asks again."""
        self.is_ending = True
        return cast("Any", self.driver_session()).commit_transaction()

    def abort(self) -> object:
        """Abort, unless a commit was tried: one `abortTransaction` command, if anything was sent."""
        driver = cast("Any", self.odmantic).session.session
        if driver is None or not driver.in_transaction or self.is_ending:
            return None
        return driver.abort_transaction()

    def kill(self) -> object:
        """Kill what a commit that failed may have left open: one `killSessions` command.

        A driver must not abort after a commit.  The server would go on with the transaction for a minute, and refuse
        whoever else writes to its documents.
        """
        driver = cast("Any", self.odmantic).session.session
        return driver.client.admin.command("killSessions", [driver.session_id])

    def end(self) -> object:
        """End the driver's session, if it is the transaction's own."""
        return self._session.end() if self._is_owner and isinstance(self._session, OwnSession) else None


def _start(transaction: Transaction) -> None:
    """Start a transaction.  ODMantic's `start` is awaited on its asyncio side, and never waits."""
    if isinstance(transaction, AIOTransaction):
        driving.run(transaction.start())
    else:
        transaction.start()


def _driver_session(client: object, options: TransactionOptions, *, causal: bool) -> object:
    """Return a new session of the driver; nothing is sent."""
    motor = isinstance(client, AsyncIOMotorClient)
    # Motor's start_session() goes through a thread for something that waits for nothing.
    blocking = cast("Any", client).delegate if motor else cast("Any", client)
    # One class in new versions of the driver, two in old ones.
    home = asyncio_sessions if isinstance(client, AsyncMongoClient) else client_session
    try:
        # The client's own preference may be another one, for its reads outside of transactions.
        driver_options = cast("Any", home).TransactionOptions(**{**options, "read_preference": Primary()})
    except (TypeError, ValueError, ConfigurationError) as error:
        raise ArgumentError(f"these options do not make a transaction: {error}. Nothing was sent.") from error
    started = blocking.start_session(causal_consistency=causal, default_transaction_options=driver_options)
    return cast("AgnosticClientSession", AsyncIOMotorClientSession(started, cast("Any", client))) if motor else started


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "read_concern": ((ReadConcern,), "a pymongo.read_concern.ReadConcern"),
    "write_concern": ((WriteConcern,), "a pymongo.WriteConcern"),
    "read_preference": (
        (Primary, PrimaryPreferred, Secondary, SecondaryPreferred, Nearest),
        "one of pymongo.ReadPreference",
    ),
    "max_commit_time_ms": ((int,), "a number of milliseconds"),
}


def expect_options(where: str, options: TransactionOptions) -> None:
    """Check what a transaction was given.

    Raises:
        ArgumentTypeError: an option is unknown, or its value has the wrong type.
        ArgumentError: its value is out of range.
    """
    for name, value in cast("dict[str, object]", options).items():
        if name not in _KINDS:
            raise ArgumentTypeError(
                f"{where}() takes no {name!r}; it takes {', '.join(_KINDS)}{did_you_mean(name, _KINDS)}"
            )
        kinds, wanted = _KINDS[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            raise ArgumentTypeError(f"{where}({name}=...) takes {wanted}, got {value!r}")
        if name == "read_preference" and value is not None and not isinstance(value, Primary):
            raise ArgumentError(
                f"{where}(read_preference=...) takes ReadPreference.PRIMARY: in a transaction MongoDB reads from the "
                f"primary only, got {value!r}"
            )
        if name == "max_commit_time_ms" and isinstance(value, int) and value <= 0:
            raise ArgumentError(f"{where}({name}=...) takes a positive number of milliseconds, got {value!r}")
