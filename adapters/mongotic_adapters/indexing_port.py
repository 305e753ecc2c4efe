"""A port that makes the indexes a model declares before the model's first write: `auto_indexes=True`.

Put in front of a session's port by the facade.  Once per process, database and model, the same is done as by
`create_indexes`.  Existing indexes cost nothing: the server finds that they are there without locking anybody out.

Nothing is made while a transaction is open.  MongoDB refuses `createIndexes` in one, for a collection that exists, and
beside it there is no good moment: where the transaction has touched the collection, each waits for the other; where it
has not, its next write there fails, for the collection has changed since its snapshot (tried on MongoDB 6.0).  So a
transaction of the session's own that has sent nothing waits until they are made for every model the session holds
instances of and for that of its first command.  A model that is met later is noted, and its turn comes before the next
write outside of a transaction, or the next transaction, of any session on the same client.

The same holds for a transaction that another session of this process has open and that has touched the collection: it
may be one further up in the same thread, and would never end. An index that is missing does wait for the transactions
of other processes on the collection; the server ends those after a minute.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Protocol, cast

from odmantic import Model

from . import odmantic_internals as odm
from .binding import Binding
from .errors import InvalidRequestError, OperationalError, UnboundExecutionError
from .mapping import Mapping, class_mapping
from .port import Port

WRITES = frozenset({"write", "modify_many", "find_and_modify", "delete_many", "save", "delete"})
READS = frozenset({"fetch", "count"})
STREAMS = frozenset({"batches", "documents", "aggregate", "raw"})

Place = tuple[str, str, Mapping]
"""A database, a collection and the model whose documents lie there."""


class BoundPort(Port, Protocol):
    """A port that says what it is bound to."""

    binding: Binding


class Known:
    """What is known of the indexes behind one client.

    Attributes:
        made: where they were made.
        owed: the models that were written to in a transaction before that, by place.
        touched: the ports in whose transactions it was read or written to before that, by place.
    """

    def __init__(self) -> None:
        self.made: set[Place] = set()
        self.owed: dict[Place, Mapping] = {}
        self.touched: dict[Place, weakref.WeakSet[IndexingPort]] = {}


_known: weakref.WeakKeyDictionary[object, Known] = weakref.WeakKeyDictionary()


class IndexingPort:
    """A port in front of another one; see `port.Port` for what each method does.

    Arguments:
        port: the port that does it.
        held: gives the classes of the instances that the session holds.
    """

    def __init__(self, port: BoundPort, held: Callable[[], Iterable[type[Model]]]) -> None:
        self._port = port
        self._held = held
        self._known = _known.setdefault(odm.hashable_client(port.binding.client), Known())

    def __getattr__(self, name: str) -> Any:  # a method of the port, or one around it
        found = getattr(self._port, name)
        if name in WRITES or name in READS:
            return partial(self._call, found, writes=name in WRITES)
        return partial(self._stream, found) if name in STREAMS else found

    async def _call(self, method: Callable[..., Awaitable[object]], *arguments: object, writes: bool) -> object:
        await self._prepare(_mapping(arguments), writes=writes)
        return await method(*arguments)

    async def _stream(
        self, method: Callable[..., AsyncGenerator[object, None]], *arguments: object
    ) -> AsyncGenerator[object, None]:
        await self._prepare(_mapping(arguments), writes=False)
        batches = method(*arguments)
        try:
            async for batch in batches:
                yield batch
        finally:
            await batches.aclose()

    async def _prepare(self, mapping: Mapping, *, writes: bool) -> None:
        """Make the indexes that can be made now, and are wanted before a command about a model."""
        port, known = self._port, self._known
        begins = port.in_transaction and not port.joins_transaction and not port.has_open_transaction
        place = self._place(mapping)
        if port.in_transaction and not begins:
            if writes and place not in known.made:
                known.owed[place] = mapping
        elif begins or (writes and (known.owed or place not in known.made)):
            held = [class_mapping(model) for model in self._held()] if begins else []
            wanted = {self._place(each): each for each in [*held, mapping]}
            owed = {where: each for where, each in known.owed.items() if self._is_here(where, each)}
            for where, each in {**wanted, **owed}.items():
                if where in known.made:
                    continue
                if any(one.is_open for one in known.touched.get(where, ())):
                    known.owed[where] = each
                else:
                    await self._make(where, each)
        if port.in_transaction and place not in known.made:
            known.touched.setdefault(place, weakref.WeakSet()).add(self)

    @property
    def is_open(self) -> bool:
        """Whether a transaction is under way that may hold locks."""
        if not self._port.joins_transaction:
            return self._port.has_open_transaction
        try:
            self._port.binding.driver_session()
        except InvalidRequestError:  # its owner has ended it
            return False
        return True

    def _place(self, mapping: Mapping) -> Place:
        collection = self._port.binding.collection(mapping)
        return collection.database.name, collection.name, mapping

    def _is_here(self, place: Place, mapping: Mapping) -> bool:
        """Tell whether a session that writes to a place has the same one for the model."""
        try:
            return self._place(mapping) == place
        except UnboundExecutionError:  # another session's
            return False

    async def _make(self, place: Place, mapping: Mapping) -> None:
        try:
            await self._port.create_indexes(mapping)
        except OperationalError as error:
            advice = (
                f"With auto_indexes=True the indexes of {mapping.name} come before what is written, and this was not "
                "sent. Put right the documents or the declaration (mongotic-migrate check compares them), or leave "
                "auto_indexes out and create the indexes yourself, with create_indexes()"
            )
            error.args = (f"{error.args[0]}. {advice}", *error.args[1:])
            raise
        self._known.made.add(place)
        self._known.owed.pop(place, None)
        self._known.touched.pop(place, None)


def _mapping(arguments: tuple[object, ...]) -> Mapping:
    """Return the model that a command is about: it is given, or in the command, or that of the instance to be saved."""
    first = arguments[0]
    if isinstance(first, Mapping):
        return first
    found = getattr(first, "mapping", None)
    return found if isinstance(found, Mapping) else class_mapping(cast("type[Model]", type(arguments[1])))


def indexing(port: BoundPort, held: Callable[[], Iterable[type[Model]]]) -> Port:
    """Return *port*, behind one that makes indexes."""
    return cast("Port", IndexingPort(port, held))
