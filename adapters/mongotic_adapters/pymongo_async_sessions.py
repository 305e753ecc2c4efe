"""ODMantic's sessions and transactions over PyMongo Async, whose calls differ from Motor's.

Made by `pymongo_async`: `engine.session()`, `engine.transaction()`.  What is not here is inherited: ODMantic's
operations call the engine, and its `commit` and `end` call driver methods that both drivers have.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, cast

import odmantic.engine
import odmantic.session
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from typing_extensions import Self

from . import odmantic_internals as odm
from .errors import ArgumentTypeError


class AIOSession(odmantic.session.AIOSession):
    """Operations that see each other's effects in order, in one driver session.

    `async with engine.session() as session:`, or `start()` and `end()`.

    Arguments:
        engine: an engine over an `AsyncMongoClient`.
    """

    def get_driver_session(self) -> AsyncClientSession:  # type: ignore[override]  # ODMantic names Motor's class
        """Return the PyMongo session.

        Raises:
            RuntimeError: the session was not started, or was ended.
        """
        return driver_session(super().get_driver_session())

    async def start(self) -> None:
        """Start the session.  Nothing is sent before the first operation.

        Raises:
            RuntimeError: it was started already.
            ArgumentTypeError: the engine's client is no `AsyncMongoClient`.
        """
        if self.is_started:
            raise RuntimeError("Session is already started")
        self.session = cast("Any", _pymongo_client(self.engine).start_session())  # ODMantic names Motor's class

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    def transaction(self) -> AIOTransaction:
        """Return a transaction of this session, not yet started.

        Raises:
            RuntimeError: the session was not started, or was ended.
        """
        return AIOTransaction(self)


class AIOTransaction(odmantic.session.AIOTransaction):
    """Operations that happen together or not at all.

    `async with engine.transaction() as transaction:` commits at the end of the block, and aborts when an exception
    leaves it, cancellation included.  Or `start()`, then `commit()` or `abort()`.

    The driver session that a transaction made for itself is always ended by the block; ODMantic leaves it open unless
    the block calls `commit()` or `abort()`.  A `commit()` that failed may be tried again; `abort()` is then refused by
    PyMongo, as with ODMantic, but ends the session.

    Arguments:
        context: an engine over an `AsyncMongoClient`, or a started session of one, which is then left open.

    Raises:
        RuntimeError: the session was not started.
    """

    def __init__(self, context: odmantic.engine.AIOEngine | odmantic.session.AIOSession) -> None:
        super().__init__(context)
        if isinstance(context, odmantic.engine.AIOEngine):
            self.session = AIOSession(context)

    def get_driver_session(self) -> AsyncClientSession:  # type: ignore[override]  # ODMantic names Motor's class
        """Return the PyMongo session.

        Raises:
            RuntimeError: the transaction was not started, or was committed or aborted.
        """
        if not self._transaction_started:
            raise RuntimeError("transaction not started")
        return driver_session(self.session)

    async def start(self) -> None:
        """Start the transaction, and the session if it is the transaction's own.  Nothing is sent yet.

        Raises:
            RuntimeError: it was started already.
            InvalidOperation: another transaction of the same session is under way (PyMongo).
        """
        if self._transaction_started:
            raise RuntimeError("Transaction already started")
        if not self._session_provided:
            await self.session.start()
        try:
            self._transaction_context = await driver_session(self.session).start_transaction()
        except BaseException:
            await self._end_own_session()
            raise
        self._transaction_started = True

    async def abort(self) -> None:
        """Discard what the transaction wrote.  The command `abortTransaction`, if anything was sent.

        Raises:
            RuntimeError: the transaction was not started, or was committed or aborted.
            InvalidOperation: a `commit()` failed before (PyMongo).  The server knows whether it was done.
        """
        try:
            await super().abort()
        finally:
            self._transaction_started = False
            await self._end_own_session()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # The driver's own block: commits or aborts only what is still under way, so never after a failed commit.
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            self._transaction_started = False
            await self._end_own_session()

    async def _end_own_session(self) -> None:
        if not self._session_provided and self.session.is_started:
            await self.session.end()


def driver_session(session: object) -> AsyncClientSession:
    """Return the PyMongo session of *session*.

    Arguments:
        session: an ODMantic session or transaction, or a PyMongo session.

    Raises:
        RuntimeError: the session or transaction was not started.
        ArgumentTypeError: *session* is something else, or belongs to another driver.
    """
    given = session
    if isinstance(session, (odmantic.session.AIOSession, odmantic.session.AIOTransaction)):
        given = session.get_driver_session()
    if isinstance(given, AsyncClientSession):
        return given
    raise ArgumentTypeError(
        f"{_described(given)} is no session of this engine; it takes what its session() and transaction() return, or a "
        "pymongo AsyncClientSession"
    )


def _pymongo_client(engine: odmantic.engine.AIOEngine) -> AsyncMongoClient[Any]:  # documents of any class
    client = odm.client(engine)
    if isinstance(client, AsyncMongoClient):
        return client  # pyright: ignore[reportUnknownVariableType]  # isinstance() says nothing of the documents
    raise ArgumentTypeError(f"the client of the engine is a {_described(client)}; a pymongo AsyncMongoClient is needed")


def _described(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
