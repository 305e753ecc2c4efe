"""The awaiting twin of `mongotic.scoped`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING

from odmantic import Model

from ..scoped import Registry, expect_callables
from .session import AsyncSession, async_sessionmaker

if TYPE_CHECKING:
    from .session import AsyncSession as Stand
else:
    Stand = object


class async_scoped_session(Stand):  # noqa: N801  # the name SQLAlchemy users know
    """Stands for the session of the current task; see `mongotic.scoped_session`.

    Arguments:
        maker: makes the sessions.
        scopefunc: gives what tells scopes apart: `asyncio.current_task`.

    Raises:
        ArgumentTypeError: *maker* or *scopefunc* cannot be called.

    Call `await remove()` at the end of each task; sessions that are not removed are kept, as their tasks are.
    """

    def __init__(self, maker: async_sessionmaker, scopefunc: Callable[[], Hashable]) -> None:
        expect_callables("async_scoped_session", maker, scopefunc)
        self.registry: Registry[AsyncSession] = Registry(maker, scopefunc)

    def __call__(self) -> AsyncSession:
        """Return the session itself; see `scoped_session.__call__`."""
        return self.registry.current()

    async def remove(self) -> None:
        """Close the session of this scope, if there is one; see `scoped_session.remove`."""
        session = self.registry.take()
        if session is not None:
            await session.close()

    def __contains__(self, instance: object) -> bool:
        return instance in self.registry.current()

    def __iter__(self) -> Iterator[Model]:
        return iter(self.registry.current())

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            return getattr(self.registry.current(), name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.registry.present()!r})"
