"""What both ports do about transactions: begin, commit, abort, and the end of every driver session that was opened.

`blocking` and `awaiting` derive from it; they differ only in how a call of the driver is done.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast

from odmantic.session import AIOTransaction, SyncTransaction
from pymongo import timeout
from pymongo.errors import ConnectionFailure, PyMongoError

from . import odmantic_internals as odm
from .binding import Binding, OpenSession
from .driver_errors import translated
from .encoding import Document
from .errors import InvalidRequestError, OperationalError
from .mapping import Mapping
from .transactions import OwnTransaction, TransactionOptions

KILL_SECONDS = 2.0
"""How long a transaction whose commit failed is cared for: a primary that is gone has forgotten it."""

_deployments: weakref.WeakKeyDictionary[object, bool] = weakref.WeakKeyDictionary()
"""For each client that was asked, whether its deployment has transactions."""


class Transacting(ABC):
    """The transactions of one session; see `port.Port` for what each method does."""

    binding: Binding

    def __init__(self) -> None:
        self._abandoned: list[OwnTransaction | SyncTransaction | AIOTransaction] = []

    @abstractmethod
    async def _done(self, call: object) -> tuple[object, BaseException | None]:
        """Return what a call of the driver gives, and what has interrupted the waiting for it."""

    @property
    def odmantic(self) -> OpenSession:
        return self.binding.odmantic

    @property
    def in_transaction(self) -> bool:
        return self.binding.transaction is not None or self.joins_transaction

    @property
    def joins_transaction(self) -> bool:
        return self.binding.joined_transaction is not None

    def is_acknowledged(self, mapping: Mapping) -> bool:
        return bool(cast("Any", self.binding.collection(mapping)).write_concern.acknowledged)

    def begin(self, options: TransactionOptions) -> None:
        self.binding.begin(options)

    async def ready(self) -> None:
        await self.settle()
        transaction = self.binding.transaction
        if transaction is None or transaction.is_open:
            return
        try:
            possible = await self.has_transactions()
        except OperationalError as error:
            # As the driver has it for a transaction's first command: nothing was done, and another primary may answer.
            error.is_transient = error.is_transient or isinstance(error, ConnectionFailure)
            raise
        if not possible:
            raise InvalidRequestError(
                "begin(): this server has no transactions: it is neither a member of a replica set nor a mongos. Start "
                "it as a replica set, of one member if need be (mongod --replSet rs0, then rs.initiate() once), or "
                "leave out begin() and use flush() and commit(), which write at once"
            )

    async def has_transactions(self) -> bool:
        client = odm.hashable_client(self.binding.client)
        known = _deployments.get(client)
        if known is None:
            with translated("hello"):
                answer, interruption = await self._done(cast("Any", self.binding.client).admin.command("hello"))
            found = cast("Document", answer)
            known = _deployments[client] = "setName" in found or found.get("msg") == "isdbgrid"
            if interruption is not None:
                raise interruption
        return known

    async def commit(self) -> BaseException | None:
        transaction = self.binding.transaction
        if transaction is None or not transaction.is_open:
            self.binding.transaction = None
            return None
        with translated("commit"):
            try:
                _, interruption = await self._done(transaction.commit())
            except KeyboardInterrupt as pressed:  # asked again, it says what has become of it
                _, interruption = await self._done(transaction.commit())
                interruption = interruption or pressed
        self.binding.transaction = None
        _, late = await self._done(transaction.end())
        return interruption or late

    @property
    def has_open_transaction(self) -> bool:
        transaction = self.binding.transaction
        return transaction is not None and transaction.is_open

    def abandon(self) -> None:
        transaction, self.binding.transaction = self.binding.transaction, None
        if transaction is not None and transaction.is_open:
            self._abandoned.append(transaction)

    def abandon_joined(self) -> None:
        joined = self.binding.joined_transaction
        if joined is not None:
            self.binding.driver_session()  # refused if its owner has ended it
            self._abandoned.append(joined)

    async def settle(self) -> None:
        interruption: BaseException | None = None
        while self._abandoned:
            transaction = self._abandoned.pop()
            try:
                if isinstance(transaction, OwnTransaction) and transaction.is_ending:
                    with timeout(KILL_SECONDS):
                        interruption = await self._quietly(transaction.kill) or interruption
                else:
                    interruption = await self._quietly(transaction.abort) or interruption
            finally:
                if isinstance(transaction, OwnTransaction):
                    interruption = await self._quietly(transaction.end) or interruption
        if interruption is not None:
            raise interruption

    async def close(self) -> None:
        self.abandon()
        try:
            await self.settle()
        finally:
            own = self.binding.give_up_session()
            interruption = None if own is None else await self._quietly(own.end)
        if interruption is not None:
            raise interruption

    async def _quietly(self, call: Callable[[], object]) -> BaseException | None:
        """End something that the server ends by itself when its time is over, or has ended; return what interrupted
        it."""
        try:
            _, interruption = await self._done(call())
        except (PyMongoError, RuntimeError):  # the event loop of the client is closed, say
            return None
        return interruption
