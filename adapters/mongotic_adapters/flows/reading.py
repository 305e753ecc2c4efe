"""From a `Read` to instances: queries, lookups by key, counts and iteration; `materialising` makes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import cast

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Read, is_near, stages
from ..compiler import primary_key
from ..encoding import Document, encode_key
from ..errors import NotFound
from ..events import Dispatch
from ..instance_state import InstanceState, describe, state_of
from ..load_plan import USUAL_PLAN, LoadPlan, Way
from ..mapping import Mapping, class_mapping
from ..port import BATCH_DOCUMENTS, Port
from ..records import Record
from . import materialising
from .across import resolved
from .materialising import load_references, materialise


async def fetch_all(port: Port, books: Bookkeeping, read: Read) -> list[Model]:
    """Return the instances of every document *read* asks for: one `find`, and one per referenced model."""
    read = await resolved(port, read)
    records: Sequence[Record] = [] if read.limit == 0 else await materialising.fetch(port, read, USUAL_PLAN)
    return await materialise(port, books, read.mapping, records)


async def fetch_first(port: Port, books: Bookkeeping, read: Read) -> Model | None:
    """Return the first instance, or None: a `find` with limit 1."""
    found = await fetch_all(port, books, limited(read, 1))
    return found[0] if found else None


async def count(port: Port, read: Read) -> int:
    """Return how many documents *read* would give: an `aggregate` with `$match`, `$skip`, `$limit` and a sum."""
    if read.limit == 0:
        return 0
    read = await resolved(port, read)
    if not is_near(read.filter):
        return await port.count(read)
    counting: list[Document] = [*stages(replace(read, sort=())), {"$count": "n"}]
    return sum([cast("int", found[0]["n"]) async for found in port.aggregate(read.mapping, counting, 0, read.options)])


async def exists(port: Port, read: Read) -> bool:
    """Tell whether *read* would give a document: a `find` with limit 1 and nothing but `_id`."""
    if read.limit == 0:
        return False
    asked = await resolved(port, replace(limited(read, 1), projection={"_id": 1}, sort=()))
    return bool(await port.fetch(asked))


async def get(
    port: Port,
    books: Bookkeeping,
    mapping: Mapping,
    key: object,
    *,
    populate_existing: bool = False,
    plan: LoadPlan = USUAL_PLAN,
) -> Model | None:
    """Return the instance of the document with that key, or None.

    One that is held already is returned without a query, unless it is expired or to be overwritten.
    """
    stored_key = primary_key(mapping, key)
    held = books.find(mapping, stored_key)
    if held is not None and not populate_existing and not books.is_expired(held):
        return held
    records = await materialising.fetch(port, Read(mapping, {"_id": stored_key}, limit=1), plan)
    found = await materialise(port, books, mapping, records, plan, overwrite=populate_existing)
    if not records and held is not None:
        if books.is_merged(held) and not populate_existing:
            return held  # the next flush stores it as a new document
        books.lost(held)
    return found[0] if found else None


async def get_one(
    port: Port,
    books: Bookkeeping,
    mapping: Mapping,
    key: object,
    *,
    populate_existing: bool = False,
    plan: LoadPlan = USUAL_PLAN,
) -> Model:
    """Return the instance of the document with that key; see `get`.

    Raises:
        NotFound: there is none.
    """
    found = await get(port, books, mapping, key, populate_existing=populate_existing, plan=plan)
    if found is None:
        raise NotFound(f"no {mapping.name} with the primary key {key!r}; use get() if that may be")
    return found


async def refresh(
    port: Port, books: Bookkeeping, instance: object, names: Sequence[str] | None, plan: LoadPlan = USUAL_PLAN
) -> None:
    """Read the document of an instance again, into the instance: a `find` with limit 1.

    Raises:
        NotFound: the document is gone.
    """
    model = books.expect_reloadable(instance)
    mapping = class_mapping(type(model))
    for name in names or ():
        mapping.field(name, "refresh()")
    for field in mapping.references:
        if names is not None and field.name not in names:
            plan = plan.chosen((field.name,), Way.NOTHING)
    records = await materialising.fetch(port, Read(mapping, {"_id": encode_key(model)}, limit=1), plan)
    if not records:
        raise NotFound(f"cannot refresh {describe(model)}: its document is gone from the database")
    references = (await load_references(port, books, mapping, records, plan))[0]
    if references is None:  # what it refers to is gone, and such documents are to be left out
        raise NotFound(f"cannot refresh {describe(model)}: what it refers to is gone from the database")
    books.reload(model, records[0], references, names)


async def iterate(
    port: Port,
    books: Bookkeeping,
    read: Read,
    size: int = BATCH_DOCUMENTS,
    plan: LoadPlan = USUAL_PLAN,
    *,
    overwrite: bool = False,
) -> AsyncGenerator[Model, None]:
    """Yield the instances one by one, fetched *size* documents at a time.

    An instance that nobody else holds and nobody changed is let go again, so that memory does not grow with the
    result; one that was changed, or is still in use, stays with the session, so that no change is lost.
    """
    if read.limit == 0:
        return
    batches = materialising.batches(port, await resolved(port, read), plan, size)
    previous: InstanceState | None = None
    try:
        async for records in batches:
            waiting = await materialise(port, books, read.mapping, records, plan, in_passing=True, overwrite=overwrite)
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


async def independent(
    port: Port, events: Dispatch, read: Read, size: int, plan: LoadPlan = USUAL_PLAN
) -> AsyncGenerator[Model, None]:
    """Yield the instances one by one, fetched *size* documents at a time, as instances no session holds.

    What they hold in the database is remembered: added to a session later, they are updated.
    """
    if read.limit == 0:
        return
    batches = materialising.batches(port, await resolved(port, read), plan, size)
    try:
        async for records in batches:
            instances = await detached(port, events, read.mapping, records, plan)
            instances.reverse()
            while instances:
                yield instances.pop()
    finally:
        await batches.aclose()


async def detached(
    port: Port, events: Dispatch, mapping: Mapping, records: Sequence[Record], plan: LoadPlan = USUAL_PLAN
) -> list[Model]:
    """Return instances of documents that no session holds; listeners for `load` are told all the same."""
    # Books of their own give one object for what several documents refer to.
    books = Bookkeeping(port.codec)
    books.events = events
    instances = await materialise(port, books, mapping, records, plan)
    books.release_all()
    return instances


def limited(read: Read, limit: int | None) -> Read:
    """Return *read* for at most *limit* documents; None for as many as it asks for."""
    if limit is None:
        return read
    return replace(read, limit=limit if read.limit is None else min(limit, read.limit))
