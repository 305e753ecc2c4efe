"""What a session is bound to: an engine, a client, or an ODMantic session that is open already.

Made by the ports, which know what fits them; told apart by type and never by probing attributes, because Motor makes
a database of any attribute it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from odmantic import AIOEngine, SyncEngine
from odmantic.session import AIOSession, AIOTransaction, SyncSession, SyncTransaction
from pymongo.errors import ConfigurationError

from . import odmantic_internals as odm
from .driver_calls import Collection
from .errors import ArgumentError, ArgumentTypeError, InvalidRequestError
from .mapping import Mapping
from .overrides import Overrides, Writes, overrides
from .port import database_name

Engine = SyncEngine | AIOEngine
OpenSession = SyncSession | SyncTransaction | AIOSession | AIOTransaction


class Binding:
    """Where one session's documents are, and in which driver session it works.

    Attributes:
        joined: the ODMantic session or transaction of the caller's that the session works in, None for one of its own.
    """

    def __init__(
        self,
        client: object,
        make_engine: Callable[[str], Engine],
        database: str | None = None,
        writes: Writes = "auto",
        joined: OpenSession | None = None,
    ) -> None:
        self._client = client
        self._make_engine = make_engine
        self._database = database
        self._writes: Writes = writes
        self.joined = joined
        self._overrides: dict[Mapping, Overrides | None] = {}
        self._collections: dict[Mapping, Collection] = {}

    def engine(self, mapping: Mapping) -> Engine:
        """Return an ODMantic engine on the database of a model.

        Raises:
            UnboundExecutionError: no database can be told for the model.
        """
        return self._make_engine(database_name(mapping, self._database, self._default_database))

    def collection(self, mapping: Mapping) -> Collection:
        """Return the collection of a model.

        Raises:
            UnboundExecutionError: no database can be told for the model.
        """
        found = self._collections.get(mapping)
        if found is None:
            # Asked of the engine, because a subclass may choose another collection.
            found = self._collections[mapping] = odm.collection(self.engine(mapping), mapping.document_model)
        return found

    def overrides(self, mapping: Mapping) -> Overrides | None:
        """Return what the engine of a model wants to be called for; None for nothing.

        Raises:
            UnboundExecutionError: no database can be told for the model.
        """
        if mapping not in self._overrides:
            self._overrides[mapping] = overrides(self.engine(mapping), self._writes)
        return self._overrides[mapping]

    @property
    def in_foreign_transaction(self) -> bool:
        """Whether writes go into a transaction that the caller ends."""
        return isinstance(self.joined, (SyncTransaction, AIOTransaction))

    def driver_session(self) -> object:
        """Return the driver's session to send commands in, None for none in particular.

        Raises:
            InvalidRequestError: the caller's session or transaction is not open.
        """
        if self.joined is None:
            return None
        try:
            return cast("Any", self.joined).get_driver_session()
        except RuntimeError as error:
            kind = type(self.joined).__name__
            raise InvalidRequestError(
                f"the {kind} this session is bound to is not open ({error}); start it first, and end it last"
            ) from error

    def _default_database(self) -> str | None:
        try:
            return str(cast("Any", self._client).get_default_database().name)
        except ConfigurationError:
            return None


def bind_engine(engine: Engine, database: str | None, writes: Writes, joined: OpenSession | None = None) -> Binding:
    """Return the binding to an engine, and to the session of the caller's it is part of.

    Raises:
        ArgumentError: another database than the engine's was given as `database=`.
    """
    own = engine.database_name
    if wanted_database(database) not in (None, own):
        raise ArgumentError(
            f"database={database!r} differs from the engine's database {own!r}; leave it out, or make an "
            "engine for the other database"
        )
    return Binding(odm.client(engine), lambda name: odm.on_database(engine, name), own, writes, joined)


def bind_client(client: object, make_engine: Callable[[str], Engine], database: str | None, writes: Writes) -> Binding:
    """Return the binding to a client.

    Arguments:
        client: the client.
        make_engine: makes an engine on a database of it.
        database: the database's name; None leaves it to the models and the connection string.
        writes: whether instances are written by the engine's own methods.

    Raises:
        ArgumentTypeError: *database* is no string.
        ArgumentError: it is empty.
    """
    return Binding(client, make_engine, wanted_database(database), writes)


def refused(session: str, bind: object, fits: str) -> ArgumentTypeError:
    """Return the error for a bind of the wrong type.

    Arguments:
        session: the session's class.
        bind: what was given.
        fits: what would do.
    """
    kind = type(bind)
    return ArgumentTypeError(f"{session} cannot be bound to {kind.__module__}.{kind.__qualname__}; it takes {fits}")


def wanted_database(database: object) -> str | None:
    """Return the `database=` argument.

    Raises:
        ArgumentTypeError: it is neither a string nor None.
        ArgumentError: it is empty.
    """
    if database is None:
        return None
    if not isinstance(database, str):
        raise ArgumentTypeError(f"database= takes the name of a database, got {database!r}")
    if not database:
        raise ArgumentError("database= is empty; it takes the name of a database")
    return database
