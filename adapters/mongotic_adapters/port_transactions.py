"""What both ports do about transactions: begin, commit, abort, and the end of every driver session that was opened.

`blocking` and `awaiting` derive from it; they differ only in how a call of the driver is done.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from typing import Any, cast

from pymongo.errors import PyMongoError

from . import odmantic_internals as odm
from .binding import Binding, OpenSession
from .driver_errors import translated
from .encoding import Document
from .errors import InvalidRequestError
from .mapping import Mapping
from .transactions import OwnTransaction, TransactionOptions

_deployments: weakref.WeakKeyDictionary[object, bool] = weakref.WeakKeyDictionary()
"""For each client that was asked, whether its deployment has transactions."""


class Transacting(ABC):
    """The transactions of one session; see `port.Port` for what each method does."""

    binding: Binding

    def __init__(self) -> None:
        self._abandoned: list[object] = []

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
        if transaction is not None and not transaction.is_open and not await self.has_transactions():
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
            _, interruption = await self._done(transaction.commit())
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
                _, late = await self._done(cast("Any", transaction).abort())
                interruption = interruption or late
            except (PyMongoError, RuntimeError):
                pass  # the server aborts it when its time is over, or has done so
            if isinstance(transaction, OwnTransaction):
                _, late = await self._done(transaction.end())
                interruption = interruption or late
        if interruption is not None:
            raise interruption

    async def close(self) -> None:
        self.abandon()
        try:
            await self.settle()
        finally:
            own = self.binding.give_up_session()
            if own is not None:
                await self._done(own.end())
