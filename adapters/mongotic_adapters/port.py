"""The protocol between decisions and the database.

`flows` call it; `blocking.BlockingPort` and `awaiting.AwaitingPort` implement it.  The methods are `async def` in
both; those of the blocking port never suspend.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from odmantic import Model

from .commands import USUAL, Batch, FindAndModify, ModifyMany, Read, SendOptions, WriteReport
from .encoding import Document
from .errors import UnboundExecutionError
from .mapping import Mapping
from .overrides import Overrides
from .records import Record
from .snapshot import Codec
from .transactions import TransactionOptions

BATCH_DOCUMENTS = 1000
"""How many documents an iteration asks for at a time."""


ALL = sys.maxsize
"""As many operations as a batch has."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One operation of a batch that the server refused.

    Attributes:
        position: which one.
        error: why, as an error of the driver.
        duplicate: it met an existing key.
    """

    position: int
    error: Exception
    duplicate: bool


class WriteFailed(Exception):  # noqa: N818  # passes between port and flow only
    """A batch was not written as a whole.

    Attributes:
        completed: how many operations, from the first, are known to be written.
        error: the driver's error.
        duplicate: the operation after the completed ones met an existing key.
        report: what the server counted, where everything was written but not confirmed by as many servers as asked for.
        certain: False when the connection broke, so that later operations may or may not have been written.
        failures: every operation the server refused: one, unless the batch was not ordered.
        counted: what the server counted for the operations that were done; None where it did not say.
    """

    def __init__(
        self,
        completed: int,
        error: Exception,
        *,
        duplicate: bool = False,
        certain: bool = True,
        report: WriteReport | None = None,
        failures: list[Failure] | None = None,
        counted: WriteReport | None = None,
    ) -> None:
        super().__init__(completed, error)
        self.completed = completed
        self.error = error
        self.duplicate = duplicate
        self.certain = certain
        self.report = report
        self.failures = failures or []
        self.counted = counted


class Port(Protocol):
    """One session's way to the database."""

    @property
    def odmantic(self) -> object:
        """The ODMantic session or transaction that commands run in; opened if there is none."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether commands run in a transaction, the session's own or the caller's."""
        ...

    @property
    def joins_transaction(self) -> bool:
        """Whether writes go into a transaction that the caller ends."""
        ...

    @property
    def has_open_transaction(self) -> bool:
        """Whether the session's own transaction may have sent something."""
        ...

    def is_acknowledged(self, mapping: Mapping) -> bool:
        """Tell whether the server confirms writes to a model's collection."""
        ...

    def begin(self, options: TransactionOptions) -> None:
        """Let what follows run in a transaction; it is opened by the first command.  Nothing is sent."""
        ...

    async def ready(self) -> None:
        """Do what must be done before the next command: end what was abandoned, see that a transaction can be begun.

        Raises:
            InvalidRequestError: one was begun, and the deployment has none.
        """
        ...

    async def has_transactions(self) -> bool:
        """Tell whether the deployment has transactions: one `hello` command per client."""
        ...

    async def commit(self) -> BaseException | None:
        """Commit the session's own transaction; return what interrupted it, to be raised once the books are in order.

        Raises:
            OperationalError: it failed; the transaction is still there, to be committed again or abandoned.
        """
        ...

    def abandon(self) -> None:
        """Let go of the session's own transaction; `settle` aborts it."""
        ...

    def abandon_joined(self) -> None:
        """Let `settle` abort the caller's transaction.

        Raises:
            InvalidRequestError: its owner has ended it.
        """
        ...

    async def settle(self) -> None:
        """Abort what was abandoned, and end its driver sessions."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait."""
        ...

    async def close(self) -> None:
        """End everything that was opened."""
        ...

    def codec(self, mapping: Mapping) -> Codec:
        """Return the codec options of the model's collection.

        Raises:
            UnboundExecutionError: no database can be told for the model.
        """
        ...

    async def fetch(self, read: Read) -> Sequence[Record]:
        """Return the documents *read* asks for."""
        ...

    def batches(self, read: Read, size: int) -> AsyncGenerator[Sequence[Record], None]:
        """Yield the documents *read* asks for, at most *size* at a time; the cursor is closed with the generator."""
        ...

    def documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        """Yield the same documents without their BSON, for rows, which need no snapshot."""
        ...

    def aggregate(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[Document], None]:
        """Yield what *pipeline* makes of the model's documents, at most *size* at a time."""
        ...

    def raw(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[bytes], None]:
        """Yield the same as BSON."""
        ...

    def can_join(self, mapping: Mapping, target: Mapping) -> bool:
        """Tell whether a `$lookup` from one model's documents finds the other's: in one database, past no engine's own
        `find`."""
        ...

    async def explain(self, mapping: Mapping, command: Document, verbosity: str) -> Document:
        """Return how the server would carry out a command on the model's collection."""
        ...

    def watch(
        self, mapping: Mapping, pipeline: list[Document], options: dict[str, object]
    ) -> AsyncGenerator[Document, None]:
        """Yield an empty document once the stream is open, then the model's change events, without end."""
        ...

    async def count(self, read: Read) -> int:
        """Return how many documents *read* would give."""
        ...

    async def write(self, batch: Batch) -> WriteReport:
        """Write *batch* in order.

        Raises:
            WriteFailed: an operation failed; the ones after it were not sent.
        """
        ...

    def overrides(self, mapping: Mapping) -> Overrides | None:
        """Return what the engine of a model wants to be called for; None for nothing."""
        ...

    async def save(self, custom: Overrides, instance: Model) -> None:
        """Let the engine store an instance.

        Raises:
            WriteFailed: it failed.
        """
        ...

    async def delete(self, custom: Overrides, instance: Model) -> bool:
        """Let the engine remove the document of an instance, and say whether it was there.

        Raises:
            WriteFailed: it failed.
        """
        ...

    async def modify_many(self, command: ModifyMany) -> WriteReport:
        """Change every document that fits.

        Raises:
            OperationalError: it failed; the message says what is known to be done.
        """
        ...

    async def find_and_modify(self, command: FindAndModify) -> Record | None:
        """Change or remove one document and return it, None if none fits.

        Raises:
            OperationalError: it failed; the message says what is known to be done.
            InvalidRequestError: the engine has methods of its own that this would pass by.
        """
        ...

    async def delete_many(self, mapping: Mapping, condition: Document, options: SendOptions = USUAL) -> WriteReport:
        """Remove every document that fits *condition*.

        Raises:
            OperationalError: it failed; the message says what is known to be done.
            InvalidRequestError: the engine has a `remove` of its own, which takes no *options*.
        """
        ...


def database_name(mapping: Mapping, engine: str | None, default: Callable[[], str | None]) -> str:
    """Return the name of the database that holds the documents of a model.

    Arguments:
        mapping: the model.
        engine: the database of the engine, or the one given as `database=`.
        default: gives the default database of the client's connection string.

    Raises:
        UnboundExecutionError: none of the four places names one.
    """
    own: object = getattr(mapping.model, "__databasename__", None)
    name = own or engine or default()
    if not isinstance(name, str):
        raise UnboundExecutionError(
            f"no database is known for {mapping.name}: give the model a __databasename__, or bind the session to an "
            "ODMantic engine, or pass database= to the session or its maker, or name a default database in the "
            "connection string (mongodb://host/NAME)"
        )
    return name
