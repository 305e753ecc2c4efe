"""What `find` of the PyMongo Async engine returns: ODMantic's cursor over a driver whose queries must be awaited.

Made by `pymongo_async`.  ODMantic wants to read from something that is there at once and asks the server when first
read, as Motor's cursors do; PyMongo's `aggregate` is a coroutine instead.  `Query` stands between them.

ODMantic's own cursor also keeps every instance it has yielded, so that a stream becomes a list.  This one keeps none
that the caller could not tell from a fresh one; `AIOCursor` says what a second pass gives.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar, cast
from weakref import WeakValueDictionary

import odmantic.engine
from odmantic import Model
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from typing_extensions import Self

from . import odmantic_internals as odm

ModelT = TypeVar("ModelT", bound=Model)

RawDocument: TypeAlias = dict[Any, Any]  # ODMantic's type for it; its parser renames keys freely

Ask: TypeAlias = Callable[[], Awaitable[AsyncCommandCursor[RawDocument]]]
"""Sends the query."""

DOCUMENTS_A_TURN = 100
"""How many documents are taken from the driver, or parsed, at a time."""


class Query:
    """One run of a query: sent when first read, over when its end was met.

    Arguments:
        ask: sends the query.

    Attributes:
        over: a reader met the end, or failed; the last document alone does not end it.
    """

    def __init__(self, ask: Ask) -> None:
        self.over = False
        self._ask = ask
        self._cursor: AsyncCommandCursor[RawDocument] | None = None
        self._taken: deque[RawDocument] = deque()
        # Two tasks reading one cursor would otherwise send the query twice, or skip a batch.
        self._one_reader = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RawDocument:
        while not self._taken:
            if self.over:
                raise StopAsyncIteration
            await self._take(DOCUMENTS_A_TURN)
        return self._taken.popleft()

    async def to_list(self, length: None = None) -> list[RawDocument]:
        """Return the documents not yet read.  One `aggregate` command, and a `getMore` for each further batch.

        Arguments:
            length: as in Motor; ODMantic never asks for less than all.
        """
        await self._take(length)
        self.over = True
        rest = list(self._taken)
        self._taken.clear()
        return rest

    async def _take(self, length: int | None) -> None:
        async with self._one_reader:
            if self.over:
                return
            try:
                if self._cursor is None:
                    self._cursor = await self._ask()
                taken = await self._cursor.to_list(length)
                # The driver's list ends at an empty batch, which need not be the last.
                while self._cursor.alive and (length is None or not taken):
                    taken += await self._cursor.to_list(length)
            except BaseException:
                # The driver may skip a batch after a failure or a cancelled read: nothing is read on from there.
                self.over = True
                self._taken.clear()
                raise
            self._taken.extend(taken)
            self.over = not taken


class AIOCursor(odmantic.engine.AIOCursor[ModelT]):
    """The instances a query finds: `await` gives a list, `async for` one at a time.

    As in ODMantic, nothing is sent before the first of either; a loop left early is continued by the next one, or by
    `await`; and after `await`, every further pass gives the same instances again.

    **After a loop that went to its end**, ODMantic gives the same instances again, from a list it kept.  Here the loop
    keeps no list, whatever the number of documents: the next pass sends the query again, in the session it was given,
    which must still be open, and shows the database as it is by then.  Instances that are still in use are not made
    twice: what the caller holds, and what had an assigned field unsaved when the next instance was asked for, comes as
    the same object.  Lost are changes made in place, in a list, dict or embedded model, of an instance that nothing
    holds.

    **After a pass that failed**, ODMantic's next pass ends at once, as if there were no more documents.  Here it sends
    the query again.  A document that does not fit the model is no such failure: the next loop goes on behind it.

    Arguments:
        model: the model class.
        ask: sends the query.
    """

    def __init__(self, model: type[ModelT], ask: Ask) -> None:
        self._ask = ask
        self._held: WeakValueDictionary[str, ModelT] = WeakValueDictionary()
        self._unsaved: list[ModelT] = []
        # ODMantic's annotation names Motor's class.
        super().__init__(model, cast("Any", Query(ask)))  # pyright: ignore[reportUnknownMemberType]

    def __await__(self) -> Generator[Any, None, list[ModelT]]:
        return self._all().__await__()

    async def __aiter__(self) -> AsyncGenerator[ModelT, None]:
        if self._results is not None:
            for instance in self._results:
                yield instance
            return
        async for document in self._reading():
            instance = self._instance(document)
            yield instance
            if odm.assigned_fields(instance):
                self._unsaved.append(instance)

    async def _all(self) -> list[ModelT]:
        if self._results is None:
            instances: list[ModelT] = []
            for document in await self._reading().to_list():
                instances.append(self._instance(document) if self._held else self._parse(document))
                # ODMantic gives way after each document, which takes half as long as parsing it.
                if len(instances) % DOCUMENTS_A_TURN == 0:
                    await asyncio.sleep(0)
            self._results = instances
        return self._results

    def _reading(self) -> Query:
        """Return the query under way, or a new one after its end."""
        query = cast("Query", cast("object", self._cursor))  # pyright: ignore[reportUnknownMemberType]
        if query.over:
            query = Query(self._ask)
            self._cursor = cast("Any", query)
        return query

    def _instance(self, document: RawDocument) -> ModelT:
        key = repr(document.get("_id"))  # a key may be a document, which has no hash
        instance = self._held.get(key)
        if instance is None:
            instance = self._held[key] = self._parse(document)
        return instance

    def _parse(self, document: RawDocument) -> ModelT:
        return self._parse_document(document)  # pyright: ignore[reportUnknownMemberType]  # ODMantic leaves it half open
