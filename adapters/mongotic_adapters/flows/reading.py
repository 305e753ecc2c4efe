"""From a `Read` to instances: queries, lookups by key, counts, iteration, and the loading of references."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import cast

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Read
from ..compiler import primary_key
from ..encoding import Document, encode_key
from ..errors import NotFound
from ..events import Dispatch
from ..identity_map import IdentityKey, identity_key, identity_of
from ..instance_state import InstanceState, References, describe, state_of
from ..mapping import FieldMap, Mapping, class_mapping
from ..port import BATCH_DOCUMENTS, Port
from ..records import Record

KEYS_AT_ONCE = 10_000
"""How many keys one `$in` query asks for; far below the limit of a command's size."""


async def fetch_all(port: Port, books: Bookkeeping, read: Read) -> list[Model]:
    """Return the instances of every document *read* asks for: one `find`, and one per referenced model."""
    records = [] if read.limit == 0 else await port.fetch(read)
    return await materialise(port, books, read.mapping, records)


async def fetch_first(port: Port, books: Bookkeeping, read: Read) -> Model | None:
    """Return the first instance, or None: a `find` with limit 1."""
    found = await fetch_all(port, books, limited(read, 1))
    return found[0] if found else None


async def count(port: Port, read: Read) -> int:
    """Return how many documents *read* would give: an `aggregate` with `$match`, `$skip`, `$limit` and a sum."""
    return 0 if read.limit == 0 else await port.count(read)


async def exists(port: Port, read: Read) -> bool:
    """Tell whether *read* would give a document: a `find` with limit 1 and nothing but `_id`."""
    if read.limit == 0:
        return False
    return bool(await port.fetch(replace(limited(read, 1), projection={"_id": 1}, sort=())))


async def get(
    port: Port, books: Bookkeeping, mapping: Mapping, key: object, *, populate_existing: bool = False
) -> Model | None:
    """Return the instance of the document with that key, or None.

    One that is held already is returned without a query, unless it is expired or to be overwritten.
    """
    stored_key = primary_key(mapping, key)
    held = books.find(mapping, stored_key)
    if held is not None and not populate_existing and not books.is_expired(held):
        return held
    records = await port.fetch(Read(mapping, {"_id": stored_key}, limit=1))
    found = await materialise(port, books, mapping, records, overwrite=populate_existing)
    if not found and held is not None:
        if books.is_merged(held) and not populate_existing:
            return held  # the next flush stores it as a new document
        books.lost(held)
    return found[0] if found else None


async def get_one(
    port: Port, books: Bookkeeping, mapping: Mapping, key: object, *, populate_existing: bool = False
) -> Model:
    """Return the instance of the document with that key; see `get`.

    Raises:
        NotFound: there is none.
    """
    found = await get(port, books, mapping, key, populate_existing=populate_existing)
    if found is None:
        raise NotFound(f"no {mapping.name} with the primary key {key!r}; use get() if that may be")
    return found


async def refresh(port: Port, books: Bookkeeping, instance: object, names: Sequence[str] | None) -> None:
    """Read the document of an instance again, into the instance: a `find` with limit 1.

    Raises:
        NotFound: the document is gone.
    """
    model = books.expect_reloadable(instance)
    mapping = class_mapping(type(model))
    for name in names or ():
        mapping.field(name, "refresh()")
    records = await port.fetch(Read(mapping, {"_id": encode_key(model)}, limit=1))
    if not records:
        raise NotFound(f"cannot refresh {describe(model)}: its document is gone from the database")
    references = (await load_references(port, books, mapping, records))[0]
    books.reload(model, records[0], references, names)


async def iterate(
    port: Port, books: Bookkeeping, read: Read, size: int = BATCH_DOCUMENTS, *, overwrite: bool = False
) -> AsyncGenerator[Model, None]:
    """Yield the instances one by one, fetched *size* documents at a time.

    An instance that nobody else holds and nobody changed is let go again, so that memory does not grow with the
    result; one that was changed, or is still in use, stays with the session, so that no change is lost.
    """
    if read.limit == 0:
        return
    batches = port.batches(read, size)
    previous: InstanceState | None = None
    try:
        async for records in batches:
            waiting = await materialise(port, books, read.mapping, records, in_passing=True, overwrite=overwrite)
            waiting.reverse()
            while waiting:
                instance = waiting.pop()
                state = state_of(instance)
                yield instance
                # The caller's loop variable holds the last instance until the next one is there: one step late, then.
                del instance
                if previous is not None:
                    books.let_go(previous)
                previous = state
        if previous is not None:
            books.let_go(previous)
    finally:
        await batches.aclose()


async def independent(port: Port, events: Dispatch, read: Read, size: int) -> AsyncGenerator[Model, None]:
    """Yield the instances one by one, fetched *size* documents at a time, as instances no session holds.

    What they hold in the database is remembered: added to a session later, they are updated.
    """
    if read.limit == 0:
        return
    batches = port.batches(read, size)
    try:
        async for records in batches:
            instances = await detached(port, events, read.mapping, records)
            instances.reverse()
            while instances:
                yield instances.pop()
    finally:
        await batches.aclose()


async def detached(port: Port, events: Dispatch, mapping: Mapping, records: Sequence[Record]) -> list[Model]:
    """Return instances of documents that no session holds; listeners for `load` are told all the same."""
    # Books of their own give one object for what several documents refer to.
    books = Bookkeeping(port.codec)
    books.events = events
    instances = await materialise(port, books, mapping, records)
    books.release_all()
    return instances


async def materialise(
    port: Port,
    books: Bookkeeping,
    mapping: Mapping,
    records: Sequence[Record],
    *,
    in_passing: bool = False,
    overwrite: bool = False,
) -> list[Model]:
    """Return the instances of documents that were read, with everything they refer to.

    Arguments:
        port: where what they refer to is read.
        books: the books of the session.
        mapping: the model.
        records: the documents.
        in_passing: they may be let go as soon as nobody else holds them, unless they are changed by then.
        overwrite: instances the session holds take every value read, unwritten changes included.

    Raises:
        DocumentError: a document does not fit the model, or refers to one that does not exist.
    """
    if not mapping.references:
        return [books.load(mapping, record, {}, in_passing=in_passing, overwrite=overwrite) for record in records]
    references = await load_references(port, books, mapping, records, in_passing=in_passing)
    return [
        books.load(mapping, record, found, in_passing=in_passing, overwrite=overwrite)
        for record, found in zip(records, references, strict=True)
    ]


async def load_references(
    port: Port, books: Bookkeeping, mapping: Mapping, records: Sequence[Record], *, in_passing: bool = False
) -> list[References]:
    """Return what each document refers to: instances held, and others by one query per referenced model."""
    targets = {
        field.name: await _load_targets(port, books, cast("Mapping", field.target), field, records, in_passing)
        for field in mapping.references
    }
    return [_references(mapping, targets, document) for document, _ in records]


async def _load_targets(
    port: Port, books: Bookkeeping, target: Mapping, field: FieldMap, records: Sequence[Record], in_passing: bool
) -> dict[IdentityKey, Model]:
    """Return the instances that *field* of *records* points to: those held, and the others by `$in` queries."""
    loaded: dict[IdentityKey, Model] = {}
    wanted: dict[IdentityKey, object] = {}
    for document, _ in records:
        key = document.get(field.key)
        if key is None:
            continue
        identity = identity_key(target, key)
        if identity in loaded or identity in wanted:
            continue
        held = books.find(target, key)
        if held is None:
            wanted[identity] = key
        else:
            loaded[identity] = held
    keys = list(wanted.values())
    for start in range(0, len(keys), KEYS_AT_ONCE):
        chunk = keys[start : start + KEYS_AT_ONCE]
        found_records = await port.fetch(Read(target, {"_id": {"$in": chunk}}))
        found = await materialise(port, books, target, found_records, in_passing=in_passing)
        loaded.update((identity_of(instance), instance) for instance in found)
    return loaded


def _references(mapping: Mapping, targets: dict[str, dict[IdentityKey, Model]], document: Document) -> References:
    found: dict[str, Model] = {}
    for field in mapping.references:
        key = document.get(field.key)
        instance = None if key is None else targets[field.name].get(identity_key(cast("Mapping", field.target), key))
        if instance is not None:
            found[field.name] = instance
    return found


def limited(read: Read, limit: int | None) -> Read:
    """Return *read* for at most *limit* documents; None for as many as it asks for."""
    if limit is None:
        return read
    return replace(read, limit=limit if read.limit is None else min(limit, read.limit))
