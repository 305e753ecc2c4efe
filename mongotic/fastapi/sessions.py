"""A session for each request: `open_session` and `open_async_session`, and the same as dependencies of FastAPI.

Called by services.  A session is always closed.  It commits where the handler says so, or where `commit=True` asks for
it: after the handler, and before the answer is sent, so that nobody is told of success who then has none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from starlette.requests import HTTPConnection

from ..asyncio.session import AsyncSession, async_sessionmaker
from ..exceptions import InvalidRequestError
from ..session import Session, sessionmaker


@contextmanager
def open_session(connection: HTTPConnection, *, commit: bool = False) -> Generator[Session]:
    """Open a blocking session for a request: `with open_session(request) as session: ...`.

    Arguments:
        connection: the request, or the WebSocket; its application has the maker as `app.state.sessions`.
        commit: commit at the end of the block, unless an exception leaves it.

    Raises:
        InvalidRequestError: the application has no maker of blocking sessions.
    """
    maker = _maker(connection)
    if not isinstance(maker, sessionmaker):
        raise _missing("a sessionmaker", maker)
    with maker() as session:
        yield session
        if commit:
            session.commit()


@asynccontextmanager
async def open_async_session(connection: HTTPConnection, *, commit: bool = False) -> AsyncGenerator[AsyncSession]:
    """Open a session for a request: `async with open_async_session(request) as session: ...`; see `open_session`."""
    maker = _maker(connection)
    if not isinstance(maker, async_sessionmaker):
        raise _missing("an async_sessionmaker", maker)
    async with cast("async_sessionmaker", maker)() as session:
        yield session
        if commit:
            await session.commit()


def session_dependency(*, commit: bool = False) -> Any:  # as FastAPI types what `Depends` gives
    """Return the dependency of FastAPI that is a blocking session: `Annotated[Session, session_dependency()]`.

    Whoever asks for it in one request gets the same session.  It is closed once the answer is sent.

    Arguments:
        commit: commit once the handler has returned, before the answer is sent, and close the session then; an
            exception that leaves the handler commits nothing.
    """
    return _depends(_committed if commit else _opened, commit=commit)


def async_session_dependency(*, commit: bool = False) -> Any:  # as FastAPI types what `Depends` gives
    """Return the dependency of FastAPI that is a session: `Annotated[AsyncSession, async_session_dependency()]`; see
    `session_dependency`."""
    return _depends(_committed_async if commit else _opened_async, commit=commit)


def _depends(call: object, *, commit: bool) -> object:
    from fastapi import Depends

    return Depends(cast("Any", call), scope="function" if commit else "request")


# FastAPI tells dependencies apart by the function: one function for each kind is one session for each request.


def _opened(connection: HTTPConnection) -> Generator[Session]:
    with open_session(connection) as session:
        yield session


def _committed(connection: HTTPConnection) -> Generator[Session]:
    with open_session(connection, commit=True) as session:
        yield session


async def _opened_async(connection: HTTPConnection) -> AsyncGenerator[AsyncSession]:
    async with open_async_session(connection) as session:
        yield session


async def _committed_async(connection: HTTPConnection) -> AsyncGenerator[AsyncSession]:
    async with open_async_session(connection, commit=True) as session:
        yield session


def _maker(connection: HTTPConnection) -> object:
    return getattr(connection.app.state, "sessions", None)


def _missing(wanted: str, found: object) -> InvalidRequestError:
    has = "nothing" if found is None else f"a {type(found).__name__}"
    return InvalidRequestError(
        f"app.state.sessions is to be {wanted}, and is {has}; make the application with "
        "lifespan=mongotic.fastapi.lifespan(connect), where connect() returns one, or set it yourself"
    )
