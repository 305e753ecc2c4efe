"""`scoped_session`: one session per thread, or per whatever else a function tells apart.

The awaiting twin is in `mongotic.asyncio.scoped`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from odmantic import Model

from .exceptions import ArgumentTypeError
from .session import Session, sessionmaker

S = TypeVar("S")


class Registry(Generic[S]):
    """The sessions of each scope.

    Arguments:
        make: makes one.
        scope: gives what a session belongs to; None for the thread.
    """

    def __init__(self, make: Callable[[], S], scope: Callable[[], Hashable] | None) -> None:
        self._make = make
        self._scope = scope
        self._sessions: dict[Hashable, S] = {}
        self._of_thread = threading.local()

    def current(self) -> S:
        """Return the session of this scope, made now if there is none."""
        found = self.present()
        if found is None:
            found = self._make()
            if self._scope is None:
                self._of_thread.session = found
            else:
                self._sessions[self._scope()] = found
        return found

    def present(self) -> S | None:
        """Return the session of this scope, or None."""
        if self._scope is None:
            found: S | None = getattr(self._of_thread, "session", None)
            return found
        return self._sessions.get(self._scope())

    def take(self) -> S | None:
        """Return the session of this scope, or None, and forget it."""
        found = self.present()
        if self._scope is None:
            self._of_thread.session = None
        else:
            self._sessions.pop(self._scope(), None)
        return found


if TYPE_CHECKING:
    from .session import Session as Stand
else:
    Stand = object


class scoped_session(Stand):  # noqa: N801  # the name SQLAlchemy users know
    """Stands for the session of the current thread: everything a session does, it does with that one.

    `remove` closes it, at the end of a request say; the next use makes another one.

    Arguments:
        maker: makes the sessions.
        scopefunc: gives what tells scopes apart, anything hashable; None for the thread.

    Raises:
        ArgumentTypeError: *maker* or *scopefunc* cannot be called.
    """

    def __init__(self, maker: sessionmaker, scopefunc: Callable[[], Hashable] | None = None) -> None:
        expect_callables("scoped_session", maker, scopefunc)
        self.registry: Registry[Session] = Registry(maker, scopefunc)

    def __call__(self) -> Session:
        """Return the session itself."""
        return self.registry.current()

    def remove(self) -> None:
        """Close the session of this scope, if there is one; what it had not committed is undone."""
        session = self.registry.take()
        if session is not None:
            session.close()

    def __contains__(self, instance: object) -> bool:
        return instance in self.registry.current()

    def __iter__(self) -> Iterator[Model]:
        return iter(self.registry.current())

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            return getattr(self.registry.current(), name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.registry.present()!r})"


def expect_callables(where: str, maker: object, scopefunc: object) -> None:
    """Check the arguments of a scoped session.

    Raises:
        ArgumentTypeError: one of them cannot be called.
    """
    if not callable(maker):
        raise ArgumentTypeError(f"{where}() takes a session maker, got {maker!r}")
    if scopefunc is not None and not callable(scopefunc):
        raise ArgumentTypeError(f"{where}(scopefunc=...) takes a function, got {scopefunc!r}")
