"""Pipelines that a user writes, change streams, and what the server says it would do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import cast

import bson
from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import SendOptions
from ..encoding import Document, encode_operand, is_document
from ..errors import ArgumentTypeError
from ..events import Dispatch
from ..mapping import Mapping as Mapped
from ..port import Port
from ..records import Record
from . import materialising, reading
from .questions import Lookup


class Pipeline(Lookup[Document, object]):
    """What a pipeline gives: documents as they are.

    Arguments:
        port: where to ask.
        mapping: the model whose collection it begins with.
        stages: as `stages_of` gives them.
        options: what goes along with the command.
        size: how many documents a stream fetches at a time.
    """

    def __init__(
        self, port: Port, mapping: Mapped, stages: list[Document], options: SendOptions, size: int = 0
    ) -> None:
        self._port = port
        self._mapping = mapping
        self._stages = stages
        self._options = options
        self._size = size

    async def find(self, at_most: int | None) -> list[Document]:
        """Return the documents: an `aggregate` command."""
        found: list[Document] = []
        async for documents in self._documents([] if at_most is None else [{"$limit": at_most}]):
            found += documents
        return found

    async def make(self, found: Sequence[Document]) -> list[object]:
        """Return the documents as they are."""
        return cast("list[object]", found)

    async def stream(self) -> AsyncGenerator[object, None]:
        """Yield the documents, fetched in batches."""
        batches = self._documents([])
        try:
            async for documents in batches:
                for document in documents:
                    yield document
        finally:
            await batches.aclose()

    async def count(self) -> int:
        """Return how many documents there are: an `aggregate` command that ends with `$count`."""
        async for documents in self._documents([{"$count": "n"}]):
            return cast("int", documents[0]["n"]) if documents else 0
        return 0

    async def exists(self) -> bool:
        """Tell whether there is a document: an `aggregate` command with limit 1."""
        return bool(await self.find(1))

    def _documents(self, more: list[Document]) -> AsyncGenerator[list[Document], None]:
        return self._port.aggregate(self._mapping, [*self._stages, *more], self._size, self._options)

    def __str__(self) -> str:
        return f"{self._mapping.name} comes out of the pipeline"


class HydratedPipeline(Pipeline):
    """The same, as instances of the session."""

    def __init__(
        self, port: Port, books: Bookkeeping, mapping: Mapped, stages: list[Document], options: SendOptions
    ) -> None:
        super().__init__(port, mapping, stages, options)
        self._books = books

    async def make(self, found: Sequence[Document]) -> list[object]:
        """Return the session's instances of the documents, and load what they refer to."""
        codec = self._port.codec(self._mapping)
        records: list[Record] = [(document, bson.encode(document, codec_options=codec)) for document in found]
        made = await materialising.materialise(self._port, self._books, self._mapping, records)
        return cast("list[object]", made)

    async def stream(self) -> AsyncGenerator[object, None]:
        """Yield the instances, fetched in batches."""
        batches = self._documents([])
        try:
            async for documents in batches:
                for instance in await self.make(documents):
                    yield instance
        finally:
            await batches.aclose()


def stages_of(where: str, pipeline: object) -> list[Document]:
    """Return the stages of a pipeline, the values in them encoded.

    Raises:
        ArgumentTypeError: it is no list of stages.
    """
    if isinstance(pipeline, (str, bytes, Mapping)) or not isinstance(pipeline, Sequence):
        raise ArgumentTypeError(f"{where} takes a list of stages, [{{'$match': ...}}, ...], got {pipeline!r}")
    stages: list[Document] = []
    for stage in cast("Sequence[object]", pipeline):
        if not is_document(stage) or len(stage) != 1:
            raise ArgumentTypeError(f"{where}: a stage is a dict of one operator, {{'$match': ...}}, got {stage!r}")
        stages.append(cast("Document", encode_operand(stage)))
    return stages


class Change:
    """One change that a change stream tells of.

    Attributes:
        operation: "insert", "update", "replace", "delete", "drop", "rename", "dropDatabase" or "invalidate".
        key: the primary key of the document; None for what concerns the whole collection.
        instance: the document as an instance of its own, held by no session; None where the event does not bring it.
        event: everything the server said.
        resume_token: what `watch(resume_after=...)` takes to go on after this change.
    """

    __slots__ = ("event", "instance", "key", "operation", "resume_token")

    def __init__(self, event: Document, instance: Model | None) -> None:
        self.operation = str(event["operationType"])
        key = event.get("documentKey")
        self.key: object = cast("Document", key)["_id"] if isinstance(key, dict) else None
        self.instance = instance
        self.event = event
        self.resume_token: object = event["_id"]

    def __repr__(self) -> str:
        return f"<Change: {self.operation} {self.key!r}>"


async def watch(
    port: Port, events: Dispatch, mapping: Mapped, stages: list[Document], options: dict[str, object]
) -> AsyncGenerator[Change, None]:
    """Yield a change called "open" once the stream is open, and then those of a model's collection; without end."""
    codec = port.codec(mapping)
    changes = port.watch(mapping, stages, options)
    try:
        async for event in changes:
            if not event:
                yield Change({"operationType": "open", "_id": None}, None)
                continue
            document = event.get("fullDocument")
            instance: Model | None = None
            if isinstance(document, dict):
                whole = cast("Document", document)
                record: Record = (whole, bson.encode(whole, codec_options=codec))
                instance = (await reading.detached(port, events, mapping, [record]))[0]
            yield Change(event, instance)
    finally:
        await changes.aclose()
