"""The calls made on a collection, the same for PyMongo and Motor.

The ports call these; the blocking one gets results, the awaiting one gets awaitables of the same results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, cast

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne, timeout
from pymongo.errors import InvalidOperation
from pymongo.results import (
    BulkWriteResult,
    DeleteResult,
    InsertManyResult,
    InsertOneResult,
    UpdateResult,
)

from .collector import paused
from .commands import (
    USUAL,
    Batch,
    FindAndModify,
    Insert,
    Modify,
    ModifyMany,
    Operation,
    Read,
    Replace,
    SendOptions,
    Update,
    Upsert,
    WriteReport,
)
from .encoding import Document

Request = InsertOne[RawBSONDocument] | UpdateOne | ReplaceOne[RawBSONDocument] | DeleteOne


class Database(Protocol):
    """What their databases have in common."""

    name: str


class Collection(Protocol):
    """What PyMongo's and Motor's collections have in common; results are plain or awaitable."""

    codec_options: CodecOptions[Document]
    name: str
    database: Database

    def find_raw_batches(
        self,
        filter: Document,  # noqa: A002  # PyMongo's name
        projection: Document | None,
        **options: object,
    ) -> object: ...
    def find(
        self,
        filter: Document,  # noqa: A002
        projection: Document | None,
        **options: object,
    ) -> object: ...
    def aggregate(self, pipeline: list[Document], *, session: object, **options: object) -> object: ...
    def with_options(
        self,
        codec_options: CodecOptions[RawBSONDocument] | None = None,
        *,
        read_concern: object = None,
        read_preference: object = None,
        write_concern: object = None,
    ) -> Collection: ...
    def count_documents(self, filter: Document, *, session: object, **options: object) -> object: ...  # noqa: A002
    def insert_one(self, document: RawBSONDocument, *, session: object, **options: object) -> object: ...
    def insert_many(
        self, documents: list[RawBSONDocument], *, ordered: bool, session: object, **options: object
    ) -> object: ...
    def update_one(
        self,
        filter: Document,  # noqa: A002
        update: Document | list[Document],
        **options: object,
    ) -> object: ...
    def update_many(
        self,
        filter: Document,  # noqa: A002
        update: Document | list[Document],
        *,
        upsert: bool = False,
        array_filters: list[Document] | None = None,
        session: object,
        **options: object,
    ) -> object: ...
    def find_one_and_update(
        self,
        filter: Document,  # noqa: A002
        update: Document | list[Document],
        **options: object,
    ) -> object: ...
    def find_one_and_delete(self, filter: Document, **options: object) -> object: ...  # noqa: A002
    def replace_one(
        self,
        filter: Document,  # noqa: A002
        replacement: RawBSONDocument,
        *,
        upsert: bool,
        session: object,
        **options: object,
    ) -> object: ...
    def delete_one(self, filter: Document, *, session: object, **options: object) -> object: ...  # noqa: A002
    def delete_many(self, filter: Document, *, session: object, **options: object) -> object: ...  # noqa: A002
    def bulk_write(self, requests: list[Request], *, ordered: bool, session: object, **options: object) -> object: ...


def find(collection: Collection, read: Read, session: object, batch_size: int = 0) -> object:
    """Open a cursor whose items `records.split` understands."""
    options = _find_options(read, session, batch_size)
    collection = reading(collection, read.options)
    try:
        return collection.find_raw_batches(read.filter, read.projection, **options)
    except InvalidOperation:  # the client encrypts fields; it decrypts document by document
        raw_codec = collection.codec_options.with_options(document_class=RawBSONDocument)
        return collection.with_options(raw_codec).find(read.filter, read.projection, **options)


def _find_options(read: Read, session: object, batch_size: int) -> dict[str, object]:
    return {
        "skip": read.skip,
        # A negative limit asks for a single batch, so that the server keeps no cursor for a single document.
        "limit": -1 if read.fits_one_batch else (read.limit or 0),
        "sort": list(read.sort) or None,
        "batch_size": batch_size,
        "session": session,
        **_sent_along(read.options, {"max_time_ms": "max_time_ms", "allow_disk_use": "allow_disk_use"}),
    }


def reading(collection: Collection, options: SendOptions) -> Collection:
    """Return the collection as it is to be read from."""
    if options.read_concern is None and options.read_preference is None:
        return collection
    return collection.with_options(read_concern=options.read_concern, read_preference=options.read_preference)


_NO_NAMES: dict[str, str] = {}


def _sent_along(options: SendOptions, names: dict[str, str] = _NO_NAMES) -> dict[str, object]:
    """Return what goes along with a command; some is called differently from method to method."""
    if options is USUAL:
        return {}
    names = {"hint": "hint", "collation": "collation", "comment": "comment", **names}
    given = {sent: getattr(options, name) for name, sent in names.items()}
    return {name: value for name, value in given.items() if value is not None}


def written_to(collection: Collection, options: SendOptions) -> Collection:
    """Return the collection as it is to be written to."""
    if options.write_concern is None:
        return collection
    return collection.with_options(write_concern=options.write_concern)


def deadline(options: SendOptions) -> AbstractContextManager[None]:
    """Return a block inside of which a write is sent and answered, or given up.

    Most of PyMongo's methods that write take no `maxTimeMS`; inside of this they send one, less the way to the server.
    """
    if options.max_time_ms is None:
        return nullcontext()
    return timeout(options.max_time_ms / 1000)


def find_documents(collection: Collection, read: Read, session: object, batch_size: int = 0) -> object:
    """Open a cursor over decoded documents.

    Where nobody needs their bytes this is faster: PyMongo puts a raw batch together from single documents.
    """
    options = _find_options(read, session, batch_size)
    return reading(collection, read.options).find(read.filter, read.projection, **options)


def aggregate(
    collection: Collection,
    pipeline: list[Document],
    session: object,
    batch_size: int = 0,
    sent: SendOptions = USUAL,
) -> object:
    """Run a pipeline.  PyMongo's asyncio client gives an awaitable of the cursor, the others give the cursor.

    Not in raw batches, for which PyMongo asks twice: its first question is for an empty batch.
    """
    # An explicit batch size of 0 would ask for an empty first batch, too.
    options: dict[str, object] = {"batchSize": batch_size} if batch_size else {}
    options |= _sent_along(sent, {"max_time_ms": "maxTimeMS", "allow_disk_use": "allowDiskUse"})
    return reading(collection, sent).aggregate(pipeline, session=session, **options)


def aggregate_raw(
    collection: Collection,
    pipeline: list[Document],
    session: object,
    batch_size: int = 0,
    sent: SendOptions = USUAL,
) -> object:
    """Run a pipeline whose documents are not decoded; see `aggregate`."""
    raw_codec = collection.codec_options.with_options(document_class=RawBSONDocument)
    return aggregate(collection.with_options(codec_options=raw_codec), pipeline, session, batch_size, sent)


async def undecoded(batches: AsyncGenerator[list[Document], None]) -> AsyncGenerator[list[bytes], None]:
    """Yield the bytes of what `aggregate_raw` gives."""
    try:
        async for documents in batches:
            yield [bytes(document.raw) for document in cast("list[RawBSONDocument]", documents)]
    finally:
        await batches.aclose()


def count(collection: Collection, read: Read, session: object) -> object:
    """Count documents."""
    options: dict[str, object] = {}
    if read.skip:
        options["skip"] = read.skip
    if read.limit is not None:
        options["limit"] = read.limit
    options |= _sent_along(read.options, {"max_time_ms": "maxTimeMS"})
    return reading(collection, read.options).count_documents(read.filter, session=session, **options)


def write(collection: Collection, batch: Batch, session: object) -> object:
    """Write a batch: a single operation by its own command, several by one bulk write."""
    operations = batch.operations
    collection = written_to(collection, batch.options)
    comment = batch.options.comment
    options: dict[str, object] = {} if comment is None else {"comment": comment}
    if len(operations) == 1:
        return _write_one(collection, operations[0], session, batch.options, options)
    if all(isinstance(operation, Insert) for operation in operations):
        with paused:
            documents = [RawBSONDocument(each.document) for each in operations if isinstance(each, Insert)]
        return collection.insert_many(documents, ordered=batch.ordered, session=session, **options)
    requests = [_request(operation, batch.options) for operation in operations]
    return collection.bulk_write(requests, ordered=batch.ordered, session=session, **options)


def modify_many(collection: Collection, command: ModifyMany, session: object) -> object:
    """Change every document that fits."""
    return written_to(collection, command.options).update_many(
        command.filter,
        command.update,
        upsert=command.upsert,
        array_filters=command.array_filters,
        session=session,
        **_sent_along(command.options),
    )


def delete_many(collection: Collection, condition: Document, session: object, options: SendOptions = USUAL) -> object:
    """Remove every document that fits."""
    return written_to(collection, options).delete_many(condition, session=session, **_sent_along(options))


def find_and_modify(collection: Collection, command: FindAndModify, session: object) -> object:
    """Change or remove one document and give it, as the bytes that came."""
    raw = written_to(collection, command.options).with_options(
        collection.codec_options.with_options(document_class=RawBSONDocument)
    )
    along = _sent_along(command.options)
    sort = list(command.sort) or None
    if command.update is None:
        return raw.find_one_and_delete(command.filter, sort=sort, session=session, **along)
    return raw.find_one_and_update(
        command.filter,
        command.update,
        sort=sort,
        upsert=command.upsert,
        array_filters=command.array_filters,
        return_document=ReturnDocument.BEFORE if command.before else ReturnDocument.AFTER,
        session=session,
        **along,
    )


def _write_one(
    collection: Collection, operation: Operation, session: object, sent: SendOptions, options: dict[str, object]
) -> object:
    if isinstance(operation, Insert):
        return collection.insert_one(RawBSONDocument(operation.document), session=session, **options)
    if isinstance(operation, Update):
        return collection.update_one(operation.filter, operation.update, session=session, **options)
    if isinstance(operation, Upsert):
        return collection.update_one(operation.filter, operation.update, upsert=True, session=session, **options)
    if isinstance(operation, Modify):
        return collection.update_one(
            operation.filter,
            operation.update,
            upsert=operation.upsert,
            array_filters=operation.array_filters,
            session=session,
            **_sent_along(sent),
        )
    if isinstance(operation, Replace):
        return collection.replace_one(
            operation.filter, RawBSONDocument(operation.document), upsert=True, session=session, **options
        )
    return collection.delete_one(operation.filter, session=session, **options)


def _request(operation: Operation, sent: SendOptions) -> Request:
    if isinstance(operation, Insert):
        return InsertOne(RawBSONDocument(operation.document))
    if isinstance(operation, Update):
        return UpdateOne(operation.filter, operation.update)
    if isinstance(operation, Upsert):
        return UpdateOne(operation.filter, operation.update, upsert=True)
    if isinstance(operation, Modify):
        return UpdateOne(
            operation.filter,
            operation.update,
            upsert=operation.upsert,
            # PyMongo wants a list of mappings, and a list of dicts is none to type checkers; options were checked.
            array_filters=cast("list[Mapping[str, object]] | None", operation.array_filters),
            hint=cast("str | None", sent.hint),
            collation=cast("Mapping[str, object] | None", sent.collation),
        )
    if isinstance(operation, Replace):
        # The deleted document may be gone already: the new one is stored then, whole, so this cannot leave a fragment.
        return ReplaceOne(operation.filter, RawBSONDocument(operation.document), upsert=True)
    return DeleteOne(operation.filter)


Result = InsertOneResult | InsertManyResult | UpdateResult | DeleteResult | BulkWriteResult


def report(result: Result) -> WriteReport:
    """Return what *result* says was done."""
    if not result.acknowledged:
        return WriteReport(acknowledged=False)
    if isinstance(result, (InsertOneResult, InsertManyResult)):
        return WriteReport()  # an insert that raised nothing stored every document
    if isinstance(result, DeleteResult):
        return WriteReport(deleted=result.deleted_count)
    if isinstance(result, UpdateResult):
        upserted: dict[int, object] = {} if not result.did_upsert else {0: result.upserted_id}
        return WriteReport(matched=result.matched_count, modified=result.modified_count, upserted=upserted)
    return WriteReport(
        result.matched_count, result.modified_count, result.deleted_count, upserted=result.upserted_ids or {}
    )
