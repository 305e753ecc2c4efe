"""What a session is bound to: an engine, a client, or an ODMantic session that is open already.

Made by the ports, which know what fits them; told apart by type and never by probing attributes, because Motor makes
a database of any attribute it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from odmantic import AIOEngine, SyncEngine
from odmantic.session import AIOSession, AIOTransaction, SyncSession, SyncTransaction
from pymongo.errors import ConfigurationError

from . import odmantic_internals as odm
from .commands import Read
from .driver_calls import Collection
from .errors import ArgumentError, ArgumentTypeError, InvalidRequestError
from .mapping import Mapping
from .origin import commented
from .overrides import Overrides, Writes, overrides
from .port import database_name
from .transactions import OwnSession, OwnTransaction, TransactionOptions

Engine = SyncEngine | AIOEngine
OpenSession = SyncSession | SyncTransaction | AIOSession | AIOTransaction


@dataclass(frozen=True)
class BindOptions:
    """How a session uses what it is bound to.

    Attributes:
        database: the database's name, for a client.
        writes: whether instances are written by the engine's own methods.
        causal: every read sees what the session wrote before, wherever it is sent.
        origin_comments: commands say which line of the program has sent them.
    """

    database: str | None = None
    writes: Writes = "auto"
    causal: bool = False
    origin_comments: bool = False


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
        choices: BindOptions | None = None,
        joined: OpenSession | None = None,
    ) -> None:
        chosen = BindOptions() if choices is None else choices
        self._client = client
        self._make_engine = make_engine
        self._database = database
        self._writes: Writes = chosen.writes
        self._causal = chosen.causal
        self._origin_comments = chosen.origin_comments
        self.joined = joined
        self.transaction: OwnTransaction | None = None
        self._own_session: OwnSession | None = None
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
            found = odm.collection(self.engine(mapping), mapping.document_model)
            if self._origin_comments:
                found = commented(found)
            self._collections[mapping] = found
        return found

    def can_join(self, mapping: Mapping, target: Mapping) -> bool:
        """Tell whether a `$lookup` from the collection of one model finds the documents of another."""
        asked = [self.overrides(mapping), self.overrides(target)]
        if any(custom is not None and custom.reads for custom in asked):
            return False
        one, other = self.collection(mapping), self.collection(target)
        # An engine may keep the documents in a collection of another name, but then nobody knows what it does there.
        return one.database.name == other.database.name and other.name == target.collection

    def overrides(self, mapping: Mapping) -> Overrides | None:
        """Return what the engine of a model wants to be called for; None for nothing.

        Raises:
            UnboundExecutionError: no database can be told for the model.
        """
        if mapping not in self._overrides:
            self._overrides[mapping] = overrides(self.engine(mapping), self._writes)
        return self._overrides[mapping]

    def readers(self, read: Read) -> Overrides | None:
        """Return what the engine wants to be called for when documents are read; None for nothing."""
        return None if read.direct else self.overrides(read.mapping)

    @property
    def joined_transaction(self) -> SyncTransaction | AIOTransaction | None:
        """The transaction that writes go into and that the caller ends."""
        return self.joined if isinstance(self.joined, (SyncTransaction, AIOTransaction)) else None

    def begin(self, options: TransactionOptions) -> None:
        """Let what follows run in a transaction of its own, or in one of the caller's session.  Nothing is sent."""
        joined = self.joined
        if not isinstance(joined, (SyncSession, AIOSession)):
            self.transaction = OwnTransaction(lambda: self._new_session(options, causal=self._causal), is_owner=True)
        elif any(value is not None for value in options.values()):
            raise InvalidRequestError(
                f"begin(): this session works in a {type(joined).__name__} of yours, whose own transaction options "
                "hold; leave the options out"
            )
        else:
            self.transaction = OwnTransaction(lambda: joined, is_owner=False)

    def open_session(self) -> OwnSession:
        """Let everything outside of transactions run in one driver session, until `give_up_session`.  Nothing is
        sent."""
        if self._own_session is None:
            self._own_session = self._new_session({}, causal=self._causal)
        return self._own_session

    def give_up_session(self) -> OwnSession | None:
        """Return the session that was opened, to be ended."""
        given, self._own_session = self._own_session, None
        return given

    @property
    def odmantic(self) -> OpenSession:
        """The ODMantic session or transaction that commands run in; a plain session is opened if there is none."""
        if self.transaction is not None:
            return self.transaction.odmantic
        return self.open_session().odmantic if self.joined is None else self.joined

    def _new_session(self, options: TransactionOptions, *, causal: bool) -> OwnSession:
        engine = self._make_engine(self._database or self._default_database() or "test")
        return OwnSession(engine, self._client, options, causal=causal)

    def driver_session(self) -> object:
        """Return the driver's session to send commands in, None for none in particular.

        Raises:
            InvalidRequestError: the caller's session or transaction is not open.
        """
        if self.transaction is not None:
            return self.transaction.driver_session()
        if self.joined is None:
            return self.open_session().driver if self._causal or self._own_session is not None else None
        try:
            return cast("Any", self.joined).get_driver_session()
        except RuntimeError as error:
            kind = type(self.joined).__name__
            raise InvalidRequestError(
                f"the {kind} this session is bound to is not open ({error}); start it first, and end it last"
            ) from error

    @property
    def client(self) -> object:
        """The client that everything goes through."""
        return self._client

    def _default_database(self) -> str | None:
        try:
            return str(cast("Any", self._client).get_default_database().name)
        except ConfigurationError:
            return None


def bind_engine(engine: Engine, choices: BindOptions, joined: OpenSession | None = None) -> Binding:
    """Return the binding to an engine, and to the session of the caller's it is part of.

    Raises:
        ArgumentError: another database than the engine's was given as `database=`.
    """
    own = engine.database_name
    database = wanted_database(choices.database)
    if database not in (None, own):
        raise ArgumentError(
            f"database={database!r} differs from the engine's database {own!r}; leave it out, or make an "
            "engine for the other database"
        )
    return Binding(odm.client(engine), lambda name: odm.on_database(engine, name), own, choices, joined)


def bind_client(client: object, make_engine: Callable[[str], Engine], choices: BindOptions) -> Binding:
    """Return the binding to a client.

    Arguments:
        client: the client.
        make_engine: makes an engine on a database of it.
        choices: how it is used; without a database's name, that is left to the models and the connection string.

    Raises:
        ArgumentTypeError: *database* is no string.
        ArgumentError: it is empty.
    """
    return Binding(client, make_engine, wanted_database(choices.database), choices)


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
