"""ODMantic's `AIOEngine` without Motor, over `pymongo.AsyncMongoClient`.

Made by users as `mongotic.asyncio.AIOEngine`.  It is a subclass of ODMantic's engine and behaves as that does over
Motor; three driver calls differ and are met here and in the two modules beside:

- `client.start_session()` returns a session at once, where Motor's is awaited: `save`, `save_all`, `AIOSession.start`;
- `session.start_transaction()` is awaited, where Motor's is not: `AIOTransaction.start`;
- `collection.aggregate()` is awaited, where Motor's returns a cursor: `find`, `AIOCursor`.

Every other method only states types and promises, and hands on to ODMantic's.
"""

# ODMantic leaves the types of queries and sessions half open, so that each of its methods is "partially unknown":
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import odmantic.engine
import odmantic.session
from odmantic import Model
from odmantic.query import QueryExpression
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from . import odmantic_internals as odm
from .errors import ArgumentTypeError
from .pymongo_async_cursor import AIOCursor
from .pymongo_async_sessions import AIOSession, AIOTransaction, driver_session

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorClientSession as MotorSession

__all__ = ["AIOCursor", "AIOEngine", "AIOSession", "AIOTransaction"]

ModelT = TypeVar("ModelT", bound=Model)

Condition: TypeAlias = "QueryExpression | dict[Any, Any] | bool"
"""What ODMantic takes as a query; `bool` for type checkers only, to which `User.age > 3` is one."""

SessionArgument: TypeAlias = (
    "odmantic.session.AIOSession | odmantic.session.AIOTransaction | AsyncClientSession | MotorSession | None"
)
"""What `session()` and `transaction()` return, or a PyMongo session.  A Motor session is refused at run time; it is
named because a subclass must accept whatever ODMantic's engine accepts."""


class AIOEngine(odmantic.engine.AIOEngine):
    """ODMantic's asyncio engine over PyMongo's own asyncio client.

    Existing code keeps working: what is given and returned are instances of ODMantic's classes, and an override of a
    method is called wherever ODMantic would call it.  Sessions and transactions are made by `session()` and
    `transaction()`; ODMantic's own classes, constructed by hand, would call the client as if it were Motor's.

    Where ODMantic has a defect that no caller can rely on, it is mended: see `AIOTransaction` and `AIOCursor`.

    A cancelled task leaves nothing open behind it, from PyMongo 4.11 on: older ones lose a cancellation that arrives
    while a command is on its way.

    Arguments:
        client: a PyMongo client; None for a new one on localhost, port 27017.
        database: the name of the database.

    Raises:
        ArgumentTypeError: *client* is something else, such as a Motor client.
        ValueError: the name has a character that MongoDB does not allow.
    """

    # ODMantic's annotations name Motor's classes. Any: the class of raw documents is the client's choice.
    client: AsyncMongoClient[Any]  # type: ignore[assignment]
    database: AsyncDatabase[Any]  # type: ignore[assignment]

    def __init__(self, client: AsyncMongoClient[Any] | None = None, database: str = "test") -> None:
        if client is None:
            client = AsyncMongoClient()
        elif not isinstance(client, AsyncMongoClient):  # pyright: ignore[reportUnnecessaryIsInstance]  # not at run time
            kind = type(client)
            raise ArgumentTypeError(
                f"AIOEngine cannot use a {kind.__module__}.{kind.__qualname__}; it takes a pymongo AsyncMongoClient "
                "(odmantic.AIOEngine takes a Motor client, odmantic.SyncEngine a pymongo MongoClient)"
            )
        super().__init__(cast("Any", client), database)

    @odm.in_place_of_odmantics
    def get_collection(self, model: type[Model]) -> AsyncCollection[Any]:  # type: ignore[override]  # not Motor's
        """Return the PyMongo collection that holds the documents of *model*.

        Arguments:
            model: a model class.
        """
        return cast("AsyncCollection[Any]", cast("object", super().get_collection(model)))

    def session(self) -> AIOSession:
        """Return a session, not yet started."""
        return AIOSession(self)

    def transaction(self) -> AIOTransaction:
        """Return a transaction in a session of its own, not yet started.  Needs a replica set or a sharded cluster."""
        return AIOTransaction(self)

    async def configure_database(  # pyright: ignore[reportIncompatibleMethodOverride]  # as below
        self,
        models: Sequence[type[Model]],
        *,
        update_existing_indexes: bool = False,
        session: SessionArgument = None,  # type: ignore[override]  # ODMantic names its blocking sessions, by mistake
    ) -> None:
        """Create the indexes that *models* declare.  One `createIndexes` command per index.

        Arguments:
            models: model classes.
            update_existing_indexes: drop and create anew (`dropIndexes`) an index of the same name or keys that
                differs.
            session: a session or transaction to do it in.

        Raises:
            OperationFailure: an index differs from the existing one, or the documents violate it (PyMongo).
        """
        await super().configure_database(
            models, update_existing_indexes=update_existing_indexes, session=cast("Any", session)
        )

    def find(
        self,
        model: type[ModelT],
        *queries: Condition,
        sort: object = None,
        skip: int = 0,
        limit: int | None = None,
        session: SessionArgument = None,
    ) -> AIOCursor[ModelT]:
        """Return a cursor over the instances that fulfil all *queries*: `await` it, or loop with `async for`.

        The command is `aggregate`, with a `$lookup` per reference; it is sent when the cursor is first read.

        Arguments:
            model: a model class.
            queries: expressions of the model's fields, or raw filters.
            sort: a field, `desc(field)`, or a tuple of these.
            skip: how many documents to pass over.
            limit: how many documents to return at most; None for all.
            session: a session or transaction to read in.

        Raises:
            TypeError: *model*, one of *queries* or *sort* is something else.
            ValueError: *skip* is negative, or *limit* less than 1.
            RuntimeError: *session* was not started.
            DocumentParsingError: a document does not fit *model*; raised when it is read.
        """
        pipeline = self._prepare_find_pipeline(model, *queries, sort=sort, skip=skip, limit=limit)
        aggregate = self.get_collection(model).aggregate
        return AIOCursor(model, partial(aggregate, pipeline, session=self._get_session(session)))

    async def find_one(
        self, model: type[ModelT], *queries: Condition, sort: object = None, session: SessionArgument = None
    ) -> ModelT | None:
        """Return the first instance that fulfils all *queries*, or None.  The command is `aggregate`, as in `find`.

        Arguments:
            model: a model class.
            queries: expressions of the model's fields, or raw filters.
            sort: a field, `desc(field)`, or a tuple of these.
            session: a session or transaction to read in.

        Raises:
            TypeError: *model*, one of *queries* or *sort* is something else.
            DocumentParsingError: the document does not fit *model*.
        """
        return await super().find_one(model, *queries, sort=sort, session=_handed_on(session))

    async def save(self, instance: ModelT, *, session: SessionArgument = None) -> ModelT:
        """Write *instance* and what it refers to, and return it.  One `update` command with upsert for each.

        Written are the fields assigned since it was loaded or saved, and always those that can change in place
        (lists, dicts, embedded models).  A document that does not exist is created from these.

        Arguments:
            instance: a model instance.
            session: a session or transaction to write in; otherwise a session of its own.

        Raises:
            TypeError: *instance* is something else.
            DuplicateKeyError: another document has the same value in a unique index (ODMantic).
        """
        if session:
            return await super().save(instance, session=_handed_on(session))
        async with self.client.start_session() as own:
            return await super().save(instance, session=_handed_on(own))

    async def save_all(self, instances: Sequence[ModelT], *, session: SessionArgument = None) -> list[ModelT]:
        """Write each of *instances* as `save` does, in order, and return them.  Not in a transaction: those before
        one that fails are written.

        Arguments:
            instances: model instances.
            session: a session or transaction to write in; otherwise one session of its own for all.

        Raises:
            DuplicateKeyError: another document has the same value in a unique index (ODMantic).
        """
        if session:
            return await super().save_all(instances, session=_handed_on(session))
        async with self.client.start_session() as own:
            return await super().save_all(instances, session=_handed_on(own))

    async def delete(self, instance: Model, *, session: SessionArgument = None) -> None:
        """Delete the document of *instance*; what it refers to stays.  The command is `delete`.

        Arguments:
            instance: a model instance.
            session: a session or transaction to write in.

        Raises:
            DocumentNotFoundError: there is no such document (ODMantic).
        """
        await super().delete(instance, session=_handed_on(session))

    async def remove(
        self, model: type[Model], *queries: Condition, just_one: bool = False, session: SessionArgument = None
    ) -> int:
        """Delete the documents that fulfil all *queries*, and return how many.  The command is `delete`.

        Arguments:
            model: a model class.
            queries: expressions of the model's fields, or raw filters; none for all documents.
            just_one: delete one at most.
            session: a session or transaction to write in.
        """
        return await super().remove(model, *queries, just_one=just_one, session=_handed_on(session))

    async def count(self, model: type[Model], *queries: Condition, session: SessionArgument = None) -> int:
        """Return how many documents fulfil all *queries*.  The command is `aggregate` with `$match` and `$group`.

        Arguments:
            model: a model class.
            queries: expressions of the model's fields, or raw filters.
            session: a session or transaction to read in.

        Raises:
            TypeError: *model* or one of *queries* is something else.
        """
        return await super().count(model, *queries, session=_handed_on(session))

    @staticmethod
    def _get_session(  # type: ignore[override]  # ODMantic names Motor's class
        session: SessionArgument | odmantic.session.AIOSessionBase,
    ) -> AsyncClientSession | None:
        return None if session is None else driver_session(session)


def _handed_on(session: SessionArgument) -> odmantic.engine.AIOSessionType:
    """ODMantic's annotations name Motor's session; its code hands on whatever `_get_session` returns."""
    return cast("odmantic.engine.AIOSessionType", session)
