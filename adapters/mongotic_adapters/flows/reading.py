"""From a `Read` to instances: queries, lookups by key, counts, iteration, and the loading of references."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import cast

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Read
from ..compiler import primary_key
from ..encoding import Document
from ..errors import MultipleResultsFound, NotFound
from ..identity_map import IdentityKey, identity_key, identity_of
from ..instance_state import References
from ..mapping import FieldMap, Mapping
from ..port import BATCH_DOCUMENTS, Port
from ..records import Record

REFERENCES_AT_ONCE = 10_000
"""How many keys one `$in` query asks for; far below the limit of a command's size."""


async def fetch_all(port: Port, books: Bookkeeping, read: Read) -> list[Model]:
    """Return the instances of every document *read* asks for: one `find`, and one per referenced model."""
    records = [] if read.limit == 0 else await port.fetch(read)
    return await materialise(port, books, read.mapping, records)


async def fetch_first(port: Port, books: Bookkeeping, read: Read) -> Model | None:
    """Return the first instance, or None: a `find` with limit 1."""
    found = await fetch_all(port, books, _at_most(read, 1))
    return found[0] if found else None


async def fetch_one_or_none(port: Port, books: Bookkeeping, read: Read) -> Model | None:
    """Return the only instance, or None: a `find` with limit 2.

    Raises:
        MultipleResultsFound: there is more than one.
    """
    records = await port.fetch(_at_most(read, 2)) if read.limit != 0 else []
    if len(records) > 1:
        raise MultipleResultsFound(
            f"more than one {read.mapping.name} fits {read.filter!r}; use first() for any of them"
        )
    found = await materialise(port, books, read.mapping, records)
    return found[0] if found else None


async def fetch_one(port: Port, books: Bookkeeping, read: Read) -> Model:
    """Return the only instance: a `find` with limit 2.

    Raises:
        NotFound: there is none.
        MultipleResultsFound: there is more than one.
    """
    found = await fetch_one_or_none(port, books, read)
    if found is None:
        raise NotFound(f"no {read.mapping.name} fits {read.filter!r}; use one_or_none() if that may be")
    return found


async def count(port: Port, _books: Bookkeeping, read: Read) -> int:
    """Return how many documents *read* would give: an `aggregate` with `$match`, `$skip`, `$limit` and a sum."""
    return 0 if read.limit == 0 else await port.count(read)


async def exists(port: Port, _books: Bookkeeping, read: Read) -> bool:
    """Tell whether *read* would give a document: a `find` with limit 1 and nothing but `_id`."""
    if read.limit == 0:
        return False
    return bool(await port.fetch(replace(_at_most(read, 1), projection={"_id": 1}, sort=())))


async def get(port: Port, books: Bookkeeping, mapping: Mapping, key: object) -> Model | None:
    """Return the instance of the document with that key, or None.

    One that is held already is returned without a query, unless it is expired.
    """
    stored_key = primary_key(mapping, key)
    held = books.find(mapping, stored_key)
    if held is not None and not books.is_expired(held):
        return held
    found = await fetch_first(port, books, Read(mapping, {"_id": stored_key}))
    if found is None and held is not None:
        books.lost(held)
    return found


async def iterate(port: Port, books: Bookkeeping, read: Read) -> AsyncGenerator[Model, None]:
    """Yield the instances one by one.

    An instance that was not changed by the time the next one is asked for is let go, so that memory does not grow
    with the result; one that was changed stays with the session, so that no change is lost.
    """
    if read.limit == 0:
        return
    batches = port.batches(read, BATCH_DOCUMENTS)
    try:
        async for records in batches:
            # Not the list itself: it would keep every instance of the batch alive, and needlessly in the books.
            waiting = await materialise(port, books, read.mapping, records)
            waiting.reverse()
            while waiting:
                instance = waiting.pop()
                yield instance
                books.let_go_if_clean(instance)
    finally:
        await batches.aclose()


async def materialise(port: Port, books: Bookkeeping, mapping: Mapping, records: Sequence[Record]) -> list[Model]:
    """Return the instances of documents that were read, with everything they refer to.

    Raises:
        DocumentError: a document does not fit the model, or refers to one that does not exist.
    """
    if not mapping.references:
        return [books.load(mapping, record, {}) for record in records]
    targets = {
        field.name: await _load_targets(port, books, cast("Mapping", field.target), field, records)
        for field in mapping.references
    }
    return [books.load(mapping, record, _references(mapping, targets, record[0])) for record in records]


async def _load_targets(
    port: Port, books: Bookkeeping, target: Mapping, field: FieldMap, records: Sequence[Record]
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
    for start in range(0, len(keys), REFERENCES_AT_ONCE):
        chunk = keys[start : start + REFERENCES_AT_ONCE]
        found = await fetch_all(port, books, Read(target, {"_id": {"$in": chunk}}))
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


def _at_most(read: Read, limit: int) -> Read:
    return replace(read, limit=limit if read.limit is None else min(limit, read.limit))
