"""The block of `session.begin()`.

Made by `Session.begin`; the awaiting twin is in `mongotic.asyncio.transaction`.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from typing_extensions import Self

from .exceptions import InvalidRequestError

if TYPE_CHECKING:
    from .session import Session


class Block:
    """Where one transaction of a session stands.

    Attributes:
        is_entered: it is used as a `with` block, which ends it.
        is_active: neither committed nor rolled back.
    """

    def __init__(self) -> None:
        self.is_entered = False
        self.is_active = True

    def enter(self) -> None:
        """Note that the block begins.

        Raises:
            InvalidRequestError: the transaction has ended, or its block was entered before.
        """
        if self.is_entered or not self.is_active:
            raise InvalidRequestError("begin(): a block can be entered once, before its transaction ends")
        self.is_entered = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'active' if self.is_active else 'ended'}>"


class SessionTransaction(Block):
    """A transaction of a session, begun.  Made by `Session.begin`.

    As a block it commits at its end, and rolls back when an exception leaves it.  Without one, `commit` or `rollback`
    ends it, here or on the session.

    Attributes:
        is_active: neither committed nor rolled back.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def commit(self) -> None:
        """Commit the transaction; see `Session.commit`.

        Raises:
            InvalidRequestError: it has ended.
        """
        self._expect_active("commit")
        self._session.commit()

    def rollback(self) -> None:
        """Roll the transaction back; see `Session.rollback`.  One that has ended is left as it is."""
        if self.is_active:
            self._session.rollback()

    def _expect_active(self, name: str) -> None:
        if not self.is_active:
            raise InvalidRequestError(f"{name}(): this transaction has ended; begin() another one")

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.leave(self)
        if not self.is_active:
            return
        if kind is not None:
            self._session.rollback()
            return
        try:
            self._session.commit()
        except BaseException:
            if self.is_active:  # it was not committed
                self._session.rollback()
            raise
