"""`lifespan`: connects when a service starts, creates its indexes, and closes the client when it stops.

Given to `FastAPI(lifespan=...)` or `Starlette(lifespan=...)`; `sessions` finds the maker where it is put here.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, cast

from anyio import to_thread
from odmantic import Model
from starlette.applications import Starlette

from mongotic_adapters.awaiting import AwaitingPort
from mongotic_adapters.binding import BindOptions
from mongotic_adapters.blocking import BlockingPort
from mongotic_adapters.clients import create_async_indexes, create_indexes

from ..asyncio.session import async_sessionmaker
from ..session import sessionmaker

Maker: TypeAlias = "sessionmaker | async_sessionmaker[Any]"  # whatever its results are
Lifespan: TypeAlias = Callable[[Starlette], AbstractAsyncContextManager[None]]


def lifespan(connect: Callable[[], Maker], *models: type[Model]) -> Lifespan:
    """Return the lifespan of a service: from `connect()` until its client is closed.

    While the service runs, the maker is `app.state.sessions`.  A test may put another one there.

    Arguments:
        connect: makes the client and the maker bound to it: `lambda: async_sessionmaker(create_async_engine(url))`.
            It is called at each start, in the service's event loop.
        *models: the models whose indexes are created before the first request: one `createIndexes` command per index.

    Raises:
        OperationalError: at the start, the server cannot be reached or refuses an index.
    """

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncGenerator[None]:
        maker = connect()
        try:
            await _indexes(maker, models)
            app.state.sessions = maker
            yield
        finally:
            app.state.sessions = None
            closing = cast("object", cast("Any", _client(maker)).close())
            if inspect.isawaitable(closing):
                await closing

    return running


async def _indexes(maker: Maker, models: tuple[type[Model], ...]) -> None:
    if not models:
        return
    if isinstance(maker, async_sessionmaker):
        await create_async_indexes(maker.bind, *models, database=maker.options.get("database"))
        return
    blocking = maker
    await to_thread.run_sync(lambda: create_indexes(blocking.bind, *models, database=blocking.options.get("database")))


def _client(maker: Maker) -> object:
    if isinstance(maker, async_sessionmaker):
        return AwaitingPort(maker.bind, BindOptions()).binding.client
    return BlockingPort(maker.bind, BindOptions()).binding.client
