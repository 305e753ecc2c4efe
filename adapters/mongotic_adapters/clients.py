"""Clients and indexes, as mongotic 0.5 made them.

Called by users through `mongotic` and `mongotic.asyncio`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from odmantic import Model
from pymongo import AsyncMongoClient, MongoClient

from .awaiting import AsyncBind, AwaitingPort
from .binding import BindOptions
from .blocking import BlockingPort, SyncBind
from .errors import ArgumentError
from .flows import driving
from .mapping import Mapping, mapping_of

# What PyMongo takes as keywords is PyMongo's to say; documents are dicts, as everywhere in mongotic.
Document: TypeAlias = dict[str, Any]


def create_engine(url: str, **options: Any) -> MongoClient[Document]:
    """Return a PyMongo client, for `sessionmaker`.

    Arguments:
        url: a connection string: `mongodb://localhost:27017/shop`.
        **options: what `pymongo.MongoClient` takes.

    Raises:
        pymongo.errors.ConfigurationError: the connection string is wrong.
    """
    return MongoClient(url, **options)


def create_async_engine(url: str, **options: Any) -> AsyncMongoClient[Document]:
    """Return a PyMongo asyncio client, for `async_sessionmaker`; see `mongotic.create_engine`."""
    return AsyncMongoClient(url, **options)


def create_indexes(engine: SyncBind, *models: type[Model], database: str | None = None) -> None:
    """Create the indexes that models declare: one `createIndexes` command per index. Existing ones are left as they
    are.

    Arguments:
        engine: what a session can be bound to.
        *models: model classes, with `__indexes__` or ODMantic's declarations.
        database: the database's name, for a client and models that name none.

    Raises:
        ArgumentTypeError: *engine* or a model is something else.
        ArgumentError: there is no model.
        OperationalError: the server refused; an index of that name with other keys exists, say.
    """
    port = BlockingPort(engine, BindOptions(database))
    for mapping in _mappings("create_indexes", models):
        driving.run(port.create_indexes(mapping))


async def create_async_indexes(engine: AsyncBind, *models: type[Model], database: str | None = None) -> None:
    """Create the indexes that models declare; see `mongotic.create_indexes`."""
    port = AwaitingPort(engine, BindOptions(database))
    for mapping in _mappings("create_async_indexes", models):
        await port.create_indexes(mapping)


def _mappings(function: str, models: tuple[type[Model], ...]) -> list[Mapping]:
    if not models:
        raise ArgumentError(f"{function}() takes the model classes too: {function}(engine, User, Book)")
    return [mapping_of(model) for model in models]
