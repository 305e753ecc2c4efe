"""A port that logs what goes through it: the command, how many documents it concerned, how long it took.

Put in front of a session's port by the facade, where its logger is listened to or `echo` asks for it.  Values are
redacted unless they are asked for: logs are kept longer and read by more people than databases.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, cast

from . import shell
from .commands import USUAL, Batch, FindAndModify, ModifyMany, Read, SendOptions, WriteReport
from .encoding import Document
from .mapping import Mapping
from .port import Port
from .records import Record

logger = logging.getLogger("mongotic.engine")

Echo: TypeAlias = Literal["values"] | bool
"""True shows commands without their values, `"values"` with them."""


class Entry:
    """One command that is being sent."""

    def __init__(self) -> None:
        self.documents: int | None = None


class LoggedPort:
    """A port in front of another one; see `port.Port` for what each method does.

    Arguments:
        port: the port that does it.
        values: values are shown.
    """

    def __init__(self, port: Port, *, values: bool) -> None:
        self._port = port
        self._show: Callable[[object], str] = shell.value if values else shell.redacted

    def __getattr__(self, name: str) -> Any:  # what sends nothing, or nothing worth logging
        return getattr(self._port, name)

    async def fetch(self, read: Read) -> Sequence[Record]:
        with self._logged(lambda: shell.find(read, self._show)) as entry:
            records = await self._port.fetch(read)
            entry.documents = len(records)
        return records

    async def batches(self, read: Read, size: int) -> AsyncGenerator[Sequence[Record], None]:
        async for records in self._counted(lambda: shell.find(read, self._show), self._port.batches(read, size)):
            yield cast("Sequence[Record]", records)

    async def documents(self, read: Read, size: int) -> AsyncGenerator[list[Document], None]:
        async for documents in self._counted(lambda: shell.find(read, self._show), self._port.documents(read, size)):
            yield cast("list[Document]", documents)

    async def aggregate(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[Document], None]:
        sent = self._port.aggregate(mapping, pipeline, size, options)
        shown = lambda: shell.aggregate(mapping.collection, pipeline, self._show, options)  # noqa: E731
        async for documents in self._counted(shown, sent):
            yield cast("list[Document]", documents)

    async def raw(
        self, mapping: Mapping, pipeline: list[Document], size: int, options: SendOptions = USUAL
    ) -> AsyncGenerator[list[bytes], None]:
        sent = self._port.raw(mapping, pipeline, size, options)
        shown = lambda: shell.aggregate(mapping.collection, pipeline, self._show, options)  # noqa: E731
        async for documents in self._counted(shown, sent):
            yield cast("list[bytes]", documents)

    async def count(self, read: Read) -> int:
        with self._logged(
            lambda: shell.call(read.mapping.collection, "countDocuments", read.filter, show=self._show)
        ) as entry:
            entry.documents = await self._port.count(read)
        return entry.documents

    async def write(self, batch: Batch) -> WriteReport:
        with self._logged(lambda: shell.write(batch, self._show)) as entry:
            report = await self._port.write(batch)
            entry.documents = len(batch.operations)
        return report

    async def modify_many(self, command: ModifyMany) -> WriteReport:
        with self._logged(lambda: shell.modify_many(command, self._show)) as entry:
            report = await self._port.modify_many(command)
            entry.documents = report.modified
        return report

    async def find_and_modify(self, command: FindAndModify) -> Record | None:
        with self._logged(lambda: shell.find_and_modify(command, self._show)) as entry:
            record = await self._port.find_and_modify(command)
            entry.documents = int(record is not None)
        return record

    async def delete_many(self, mapping: Mapping, condition: Document, options: SendOptions = USUAL) -> WriteReport:
        with self._logged(lambda: shell.delete_many(mapping.collection, condition, options, self._show)) as entry:
            report = await self._port.delete_many(mapping, condition, options)
            entry.documents = report.deleted
        return report

    async def commit(self) -> BaseException | None:
        if not self._port.has_open_transaction:
            return await self._port.commit()
        with self._logged(lambda: "commitTransaction"):
            return await self._port.commit()

    async def _counted(
        self, command: Callable[[], str], batches: AsyncGenerator[Any, None]
    ) -> AsyncGenerator[Any, None]:
        """Yield what a cursor gives, and log once it is through or left."""
        try:
            with self._logged(command) as entry:
                entry.documents = 0
                async for batch in batches:
                    entry.documents += len(batch)
                    yield batch
        finally:
            await batches.aclose()

    @contextmanager
    def _logged(self, command: Callable[[], str]) -> Generator[Entry]:
        entry = Entry()
        began = time.perf_counter()
        try:
            yield entry
        except GeneratorExit:
            self._log(logging.INFO, command, began, entry, "left")
            raise
        except BaseException as error:
            self._log(logging.WARNING, command, began, entry, f"{type(error).__name__}")
            raise
        else:
            self._log(logging.INFO, command, began, entry, "")

    def _log(self, level: int, command: Callable[[], str], began: float, entry: Entry, end: str) -> None:
        if not logger.isEnabledFor(level):
            return
        milliseconds = (time.perf_counter() - began) * 1000
        number = "" if entry.documents is None else f", {entry.documents} documents"
        logger.log(level, "%s  [%.1f ms%s%s]", command(), milliseconds, number, f", {end}" if end else "")


def logged(port: Port, echo: Echo) -> Port:
    """Return *port*, behind one that logs if anybody wants to know.

    Arguments:
        port: a session's port.
        echo: log in any case; `"values"`: with values.
    """
    if echo is not False:
        if not logger.isEnabledFor(logging.INFO):
            logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
    elif not logger.isEnabledFor(logging.INFO):
        return port
    return cast("Port", LoggedPort(port, values=echo == "values"))
