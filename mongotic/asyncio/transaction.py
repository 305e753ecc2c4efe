"""The awaiting twin of `mongotic.transaction`.  Made by `AsyncSession.begin`."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from ..exceptions import InvalidRequestError
from ..transaction import Block

if TYPE_CHECKING:
    from .session import AsyncSession


class AsyncSessionTransaction(Block):
    """A transaction of a session, begun; see `mongotic.transaction.SessionTransaction`.

    `async with session.begin():`, or `await session.begin()`, or `session.begin()`.
    """

    # The session's other type parameter says what its results are; a transaction gives none.
    def __init__(self, session: AsyncSession[Any]) -> None:
        super().__init__()
        self._session = session

    async def commit(self) -> None:
        """Commit the transaction; see `SessionTransaction.commit`."""
        if not self.is_active:
            raise InvalidRequestError("commit(): this transaction has ended; begin() another one")
        await self._session.commit()

    async def rollback(self) -> None:
        """Roll the transaction back; see `SessionTransaction.rollback`."""
        if self.is_active:
            await self._session.rollback()

    def __await__(self) -> Generator[None, None, Self]:
        return self
        yield

    async def __aenter__(self) -> Self:
        self.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.leave(self)
        if not self.is_active:
            return
        if kind is not None:
            await self._session.rollback()
            return
        try:
            await self._session.commit()
        except BaseException:
            if self.is_active:  # it was not committed
                await self._session.rollback()
            raise
