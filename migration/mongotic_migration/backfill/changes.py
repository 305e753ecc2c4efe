"""What a backfill does to the documents of a range: call a Python function with each, or have the server update them.

Made by `run` from what the user gives; applied inside a transaction, except for statements that do no harm when done
twice.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import bson
from bson import CodecOptions, json_util
from bson.codec_options import DatetimeConversion
from odmantic import Model
from pymongo import ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from mongotic import ArgumentError, Select, Update
from mongotic_adapters import shell, snapshot
from mongotic_adapters.across import waiting
from mongotic_adapters.commands import ModifyMany, Read
from mongotic_adapters.mapping import Mapping, mapping_of

from ..connection import Document
from .errors import BackfillError, ChangeFailedError
from .id_ranges import EXACT, IdRange

ChangeFunction: TypeAlias = Callable[[Document], "Document | None"]
"""Takes a document and returns what is to be stored in its place; None for the given one, changed in place."""

MOST_SECONDS = 20.0
"""How long a function may work in one transaction, which the server ends after 60 seconds."""

MOST_BYTES = 32 * 1024 * 1024
"""How much one transaction may read and write of a function's documents."""

REPEATABLE_OPERATORS = frozenset({"$set", "$unset", "$addToSet", "$pull", "$pullAll", "$min", "$max"})
"""Update operators that leave a document as it is when they are applied again."""


@dataclass(frozen=True)
class Applied:
    """What was done with a range.

    Attributes:
        done: documents that were met.
        changed: documents that are not what they were.
        last: the key of the last one: the end of the range, or an earlier one where the rest was too much at once.
    """

    done: int
    changed: int
    last: object


class Change(Protocol):
    """What is to be done with documents, and which."""

    @property
    def mapping(self) -> Mapping:
        """The model of the documents."""
        ...

    @property
    def filter(self) -> Document:
        """Which documents."""
        ...

    @property
    def description(self) -> str:
        """The change in words."""
        ...

    @property
    def identity(self) -> object:
        """What makes it this change and no other, as BSON can hold it."""
        ...

    @property
    def is_repeatable(self) -> bool:
        """Whether doing it twice is the same as doing it once."""
        ...

    def apply(self, collection: Collection[Document], some: IdRange, session: ClientSession | None) -> Applied:
        """Change the documents of a range, in the transaction of *session*."""
        ...


def change_of(what: Update[Any] | ChangeFunction, documents: type[Model] | Select[Any] | None) -> Change:
    """Return the change a user means.

    Raises:
        BackfillError: it cannot be carried out in batches.
    """
    if isinstance(what, Update):
        if documents is not None:
            raise BackfillError("an update() statement says itself which documents it changes: leave the model out")
        return StatementChange(cast("Update[Any]", what))  # type: ignore[redundant-cast]  # not to pyright
    if not callable(cast("object", what)):
        raise BackfillError(f"a backfill takes a function or an update() statement, got {what!r}")
    if inspect.iscoroutinefunction(what):
        raise BackfillError(f"{_name(what)} is an async function: a backfill calls a plain one")
    if documents is None:
        raise BackfillError(f"whose documents is {_name(what)} to change? Say the model, or a select() of it")
    return FunctionChange(what, documents)


def fingerprint(change: Change, collection: Collection[Document]) -> str:
    """Return a text that is the same for the same change of the same documents."""
    whole = {"collection": collection.full_name, "filter": change.filter, "change": change.identity}
    return hashlib.sha256(json_util.dumps(whole, json_options=json_util.CANONICAL_JSON_OPTIONS).encode()).hexdigest()


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{getattr(function, '__qualname__', type(function).__qualname__)}"


def _read(documents: type[Model] | Select[Any]) -> tuple[Read, bool]:
    """Return what reads the documents, and whether it gives whole ones."""
    if isinstance(documents, type):
        return Read(mapping_of(documents)), True
    return documents.command, documents.projection is None and documents.calculation is None


def _plain(filter_: Document) -> Document:
    if any(True for _ in waiting(filter_)):
        raise BackfillError(
            "the condition asks for documents of another model, which may change while the backfill runs; ask for "
            "those first, and put their keys into the condition"
        )
    return filter_


class StatementChange:
    """An update statement, carried out by the server."""

    def __init__(self, statement: Update[Any]) -> None:
        if statement.rows is not None:
            raise BackfillError("update() with a list of rows is no backfill: it names each document; execute it")
        if statement.options.upsert:
            raise BackfillError("a backfill changes documents that are there: leave upsert() out")
        try:
            self._command: ModifyMany = statement.sent()
        except ArgumentError as error:
            raise BackfillError(f"the statement cannot be sent: {error}") from error

    @property
    def mapping(self) -> Mapping:
        return self._command.mapping

    @property
    def filter(self) -> Document:
        return _plain(cast("Document", self._command.filter))

    @property
    def description(self) -> str:
        return shell.modify_many(self._command)

    @property
    def identity(self) -> object:
        return {"update": self._command.update, "arrayFilters": self._command.array_filters}

    @property
    def is_repeatable(self) -> bool:
        update = self._command.update
        return isinstance(update, dict) and update.keys() <= REPEATABLE_OPERATORS

    def apply(self, collection: Collection[Document], some: IdRange, session: ClientSession | None) -> Applied:
        command = self._command
        result = collection.update_many(
            some.condition(self.filter), command.update, array_filters=command.array_filters, session=session
        )
        return Applied(result.matched_count, result.modified_count, some.last)


class FunctionChange:
    """A Python function, called with each document."""

    is_repeatable = False  # nobody can know

    def __init__(self, function: ChangeFunction, documents: type[Model] | Select[Any]) -> None:
        self._function = function
        read, whole = _read(documents)
        if not whole or read.sort or read.skip or read.limit is not None:
            raise BackfillError("a backfill takes its documents by their keys: give a select() of a model and where()")
        self._mapping: Mapping = read.mapping
        self._filter = cast("Document", read.filter)

    @property
    def mapping(self) -> Mapping:
        return self._mapping

    @property
    def filter(self) -> Document:
        return _plain(self._filter)

    @property
    def description(self) -> str:
        return f"{_name(self._function)} on {self._mapping.name} {self._filter or ''}".rstrip()

    @property
    def identity(self) -> object:
        return {"function": _name(self._function)}

    def apply(self, collection: Collection[Document], some: IdRange, session: ClientSession | None) -> Applied:
        codec = codec_of(collection)
        documents = collection.with_options(codec_options=codec)
        operations: list[UpdateOne | ReplaceOne[Document]] = []
        done, size, last = 0, 0, some.last
        deadline = time.monotonic() + MOST_SECONDS
        with documents.find(some.condition(self.filter), session=session).sort("_id", 1).hint([("_id", 1)]) as found:
            for document in found:
                before = bson.encode(document, codec_options=codec)
                after = self._changed(document, codec)
                size += len(before) + len(after)
                done += 1
                if before != after:
                    operation = self._operation(document["_id"], before, after, codec)
                    operations += [operation] if operation is not None else []
                if time.monotonic() > deadline or size > MOST_BYTES:
                    last = snapshot.decode(before, EXACT)["_id"]
                    break
        if operations:
            result = documents.bulk_write(operations, session=session)
            if result.matched_count != len(operations):
                raise BackfillError(
                    f"{len(operations)} documents were to be written, and the server found {result.matched_count}; "
                    "nothing of this batch is written. On a sharded cluster, declare the model's __shard_key__"
                )
        return Applied(done, len(operations), last)

    def _changed(self, document: Document, codec: CodecOptions[Document]) -> bytes:
        """Return what the function makes of a document; the function gets a copy of it."""
        key = document["_id"]
        given = copy.deepcopy(document)
        try:
            returned = self._function(given)
        except Exception as error:  # a function of the user's may raise anything
            raise ChangeFailedError(key, f"{_name(self._function)} raised {type(error).__name__}: {error}") from error
        changed = given if returned is None else returned
        if not isinstance(cast("object", changed), dict):
            raise ChangeFailedError(key, f"{_name(self._function)} returned {changed!r} where a dict was expected")
        if "_id" not in changed or not snapshot.same(changed["_id"], key):
            raise ChangeFailedError(key, f"{_name(self._function)} changed its _id, which no update can")
        try:
            return snapshot.encode_document(changed, codec, f"the document with _id {key!r}")
        except ArgumentError as error:
            raise ChangeFailedError(key, str(error)) from error

    def _operation(
        self, key: object, before: bytes, after: bytes, codec: CodecOptions[Document]
    ) -> UpdateOne | ReplaceOne[Document] | None:
        """Return what makes one document of another; None if they are the same to MongoDB."""
        stored = snapshot.decode(before, codec)
        shard_key = {field.key: stored.get(field.key) for field in self._mapping.shard_key}
        one = {"_id": {"$eq": key}, **shard_key}
        try:
            found = snapshot.difference(before, after, codec)
        except ArgumentError:  # no path can name the keys that differ
            return ReplaceOne(one, snapshot.decode(after, codec))
        return UpdateOne(one, found.as_update()) if found else None


def codec_of(collection: Collection[Document]) -> CodecOptions[Document]:
    """Return how documents are read: as the client does, but as dicts, and no date is beyond them."""
    return collection.codec_options.with_options(
        document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO
    )
