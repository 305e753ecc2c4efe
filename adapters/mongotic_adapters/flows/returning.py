"""`update(...).returning(Model)` and `delete(...).returning(Model)`: one document, changed and given in one step.

Asked by the facade's results.  The command is sent once, however often the result is asked.  No listener but those of
`load` is told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import FindAndModify, Read
from ..encoding import encode_key
from ..options import WriteOptions, expect_no_concern
from ..port import Port
from ..records import Record
from .across import resolved
from .materialising import materialise
from .questions import Lookup
from .reading import detached


class Returned(Lookup[Model, Model]):
    """The document that a statement has changed or removed.

    Arguments:
        port: where to.
        books: the session's.
        command: what is sent.
        options: of the statement.
    """

    def __init__(self, port: Port, books: Bookkeeping, command: FindAndModify, options: WriteOptions) -> None:
        self._port = port
        self._books = books
        self._command = command
        self._options = options
        self._answer: list[Model] | None = None

    async def find(self, at_most: int | None) -> list[Model]:
        """Return the instance, if a document fitted; the first question sends the command."""
        if self._answer is None:
            self._answer = await self._ask()
        return self._answer[:at_most]

    async def make(self, found: Sequence[Model]) -> list[Model]:
        """Return it as it is."""
        return list(found)

    async def stream(self) -> AsyncGenerator[Model, None]:
        """Yield it."""
        for instance in await self.find(None):
            yield instance

    async def count(self) -> int:
        """Return 1, or 0."""
        return len(await self.find(None))

    async def exists(self) -> bool:
        """Tell whether a document fitted."""
        return bool(await self.find(None))

    async def _ask(self) -> list[Model]:
        expect_no_concern(self._command.options, in_transaction=self._port.in_transaction)
        mapping = self._command.mapping
        asked = await resolved(self._port, Read(mapping, self._command.filter))
        command = replace(self._command, filter=asked.filter)
        try:
            record = await self._port.find_and_modify(command)
        except BaseException:  # it may have reached the server all the same
            if self._options.synchronize_session is not False:
                self._books.expire_model(mapping)
            raise
        if record is None:
            return []
        if command.update is None:
            return await self._removed(record)
        if not command.before:
            return await materialise(self._port, self._books, mapping, [record])
        held = self._books.find(mapping, record[0]["_id"])
        if held is not None and self._options.synchronize_session is not False:
            self._books.flag_expired([held])
            if self._options.synchronize_session == "fetch":
                await self._read_again(held)
        return await detached(self._port, self._books.events, mapping, [record])

    async def _removed(self, record: Record) -> list[Model]:
        """Return the instance of a removed document: as one that was never stored, held by no session."""
        mapping = self._command.mapping
        held = self._books.find(mapping, record[0]["_id"])
        if held is not None and self._options.synchronize_session is not False:
            self._books.lost(held)
        books = Bookkeeping(self._port.codec)
        instances = await materialise(self._port, books, mapping, [record])
        for instance in instances:
            books.lost(instance)
        books.release_all()
        return instances

    async def _read_again(self, held: Model) -> None:
        records = await self._port.fetch(Read(self._command.mapping, {"_id": encode_key(held)}, limit=1))
        await materialise(self._port, self._books, self._command.mapping, records)

    def __str__(self) -> str:
        return f"{self._command.mapping.name} fits {self._command.filter}"
