"""From documents to instances, with everything they refer to: what the session holds already, what a `$lookup` has
brought along, and the rest by one `$in` query per model.

Called by `reading`, `querying` and `flushing` with the plan of the query; see `load_plan`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from functools import partial
from itertools import islice, repeat
from typing import TypeAlias, cast

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..collector import paused
from ..commands import Read
from ..encoding import Document
from ..errors import DocumentError, UnsupportedError
from ..identity_map import PLAIN_KEYS, IdentityKey, identity_key, identity_of
from ..joining import Join, Joined, joins, pipeline, sort_targets, split
from ..load_plan import USUAL_PLAN, LoadPlan, Way
from ..mapping import FieldMap, Mapping
from ..odmantic_internals import target_missing
from ..port import Port
from ..records import Record, Records
from ..records import chunks as decoded
from ..unloaded import NO_REFERENCES, References, Target, Unloaded, unloaded

Targets: TypeAlias = dict[IdentityKey, Model]
"""Instances by the keys of their documents."""

KEYS_AT_ONCE = 10_000
"""How many keys one `$in` query asks for; far below the limit of a command's size."""

CHUNKS_AT_ONCE = 20
"""For how many chunks of documents the garbage collector is paused at a time."""

FEW = 10
"""Up to how many documents are asked for together with what they refer to, if nothing else was chosen: `$lookup` costs
the server more for each, and saves a round trip for each model."""


async def fetch(port: Port, read: Read, plan: LoadPlan) -> Sequence[Record]:
    """Return the documents *read* asks for: a `find` command, or an `aggregate` with a `$lookup` per joined
    reference."""
    if not read.mapping.references:
        return await port.fetch(read)
    few = read.limit is not None and read.limit <= FEW
    wanted = _wanted(port, read, plan.joining() if few else plan)
    expect_sortable(port, read)
    if not wanted and not read.sorts_across:
        return await port.fetch(read)
    batches = port.raw(read.mapping, pipeline(read, wanted), 0, read.options)
    found = [document async for batch in batches for document in batch]
    return split(read.mapping, wanted, found, port.codec)


async def batches(port: Port, read: Read, plan: LoadPlan, size: int) -> AsyncGenerator[Sequence[Record], None]:
    """Yield the same documents, at most *size* at a time."""
    wanted = _wanted(port, read, plan)
    expect_sortable(port, read)
    if not wanted and not read.sorts_across:
        plain = port.batches(read, size)
        try:
            async for records in plain:
                yield records
        finally:
            await plain.aclose()
        return
    raw = port.raw(read.mapping, pipeline(read, wanted), size, read.options)
    try:
        async for found in raw:
            yield split(read.mapping, wanted, found, port.codec)
    finally:
        await raw.aclose()


def expect_sortable(port: Port, read: Read) -> None:
    """Check that the documents that decide the order can be looked up.

    Raises:
        UnsupportedError: they are in another database, or are read by an engine of the user's.
    """
    for target in sort_targets(read):
        if not port.can_join(read.mapping, target):
            raise UnsupportedError(
                f"order_by(): documents of {read.mapping.name} cannot be sorted by those of {target.name}, which a "
                "$lookup cannot reach: they are in another database, or read by an engine with a find() of its own. "
                "Sort the instances in Python"
            )


def _wanted(port: Port, read: Read, plan: LoadPlan) -> list[Join]:
    return joins(read.mapping, plan, partial(port.can_join, read.mapping))


async def materialise(
    port: Port,
    books: Bookkeeping,
    mapping: Mapping,
    records: Sequence[Record],
    plan: LoadPlan = USUAL_PLAN,
    *,
    in_passing: bool = False,
    overwrite: bool = False,
) -> list[Model]:
    """Return the instances of documents that were read, with what they refer to.

    Arguments:
        port: where what they refer to is read.
        books: the books of the session.
        mapping: the model.
        records: the documents.
        plan: how the references are loaded.
        in_passing: they may be let go as soon as nobody else holds them, unless they are changed by then.
        overwrite: instances the session holds take every value read, unwritten changes included.

    Raises:
        DocumentError: a document does not fit the model, or refers to one that does not exist.
    """
    references: Iterator[References] = repeat(NO_REFERENCES)
    if mapping.references:
        if isinstance(records, Records):
            records = list(records)  # each is looked at twice, and decoded once
        found = await load_references(port, books, mapping, records, plan, in_passing=in_passing)
        records = [record for record, targets in zip(records, found, strict=True) if targets is not None]
        references = (targets for targets in found if targets is not None)
    instances: list[Model] = []
    chunks = decoded(records)
    while True:
        with paused:
            for chunk in islice(chunks, CHUNKS_AT_ONCE):
                targets = list(islice(references, len(chunk)))
                instances += books.load_all(mapping, chunk, targets, in_passing=in_passing, overwrite=overwrite)
        if len(instances) == len(records):
            return instances


async def load_references(
    port: Port,
    books: Bookkeeping,
    mapping: Mapping,
    records: Sequence[Record],
    plan: LoadPlan = USUAL_PLAN,
    *,
    in_passing: bool = False,
) -> list[References | None]:
    """Return what each document refers to; None for one that is to be left out.

    Raises:
        DocumentError: a document refers to one that does not exist, or that does not fit its model.
    """
    targets = {
        field.name: await _targets(port, books, field, records, plan, in_passing=in_passing)
        for field in mapping.references
        if plan.loads(field.name)
    }
    if len(mapping.references) == 1:
        usual = _only_reference(mapping.references[0], targets, records)
        if usual is not None:
            return usual
    return [_references(mapping, plan, targets, document) for document, _ in records]


def _only_reference(
    field: FieldMap, targets: AnyMapping[str, Targets], records: Sequence[Record]
) -> list[References | None] | None:
    """Return what documents refer to that have one reference, each to a document that exists; None for others.

    Most models are like that, and this is twice as fast as looking at each document in turn.
    """
    found = targets.get(field.name)
    if found is None or field.container is list:
        return None
    name, key, model = field.name, field.key, cast("Mapping", field.target).model
    try:
        keys = [document[key] for document, _ in records]
        if PLAIN_KEYS.issuperset(map(type, keys)):  # the others have another form in the identity map
            return [{name: found[model, value]} for value in keys]
    except KeyError:  # one is missing here or there
        pass
    return None


async def _targets(
    port: Port,
    books: Bookkeeping,
    field: FieldMap,
    records: Sequence[Record],
    plan: LoadPlan,
    *,
    in_passing: bool,
) -> Targets:
    """Return the instances that *field* of *records* points to."""
    target, inner = cast("Mapping", field.target), plan.within(field.name)
    pool = records.pool if isinstance(records, Joined) else {}
    joined = pool.get(target, {})
    loaded: Targets = {}
    wanted: dict[IdentityKey, object] = {}
    for document, _ in records:
        for key in _keys(field, document):
            identity = identity_key(target, key)
            if identity in loaded or identity in wanted:
                continue
            held = None if identity in joined else books.find(target, key)
            if held is None or (target.references and any(map(inner.loads, unloaded(held)))):
                wanted[identity] = key
            else:
                loaded[identity] = held
    there = Joined((joined[identity] for identity in wanted if identity in joined), pool)
    for instance in await materialise(port, books, target, there, inner, in_passing=in_passing):
        loaded[identity_of(instance)] = instance
    keys = [key for identity, key in wanted.items() if identity not in joined]
    for start in range(0, len(keys), KEYS_AT_ONCE):
        found = await fetch(port, Read(target, {"_id": {"$in": keys[start : start + KEYS_AT_ONCE]}}), inner)
        for instance in await materialise(port, books, target, found, inner, in_passing=in_passing):
            loaded[identity_of(instance)] = instance
    return loaded


def _keys(field: FieldMap, document: Document) -> Sequence[object]:
    """Return the keys that a document holds for a reference."""
    value = document.get(field.key)
    if field.container is list:
        return [key for key in cast("list[object]", value) if key is not None] if isinstance(value, list) else ()
    return () if value is None else (value,)


def _references(
    mapping: Mapping, plan: LoadPlan, targets: AnyMapping[str, Targets], document: Document
) -> References | None:
    found: dict[str, Target] = {}
    for field in mapping.references:
        value = _stored(field, document)
        if not plan.loads(field.name):
            target = _not_loaded(field, plan, value)
        elif field.container is list:
            target = _several(field, targets[field.name], value)
        else:
            target = _single(field, targets[field.name], value)
        if target is _LOST or (isinstance(target, Unloaded) and target.lost):
            if plan.missing == "skip":
                return None
            if plan.missing == "error":
                raise DocumentError(
                    document.get("_id"),
                    mapping.document_model,
                    target_missing(mapping.document_model, field.name, field.key, document),
                )
            found[field.name] = Unloaded(value) if target is _LOST else target
        else:
            found[field.name] = target
    return found


def _stored(field: FieldMap, document: Document) -> object:
    value = document.get(field.key)
    return list[object]() if value is None and field.container is list else value


_LOST = Unloaded(None)
"""Stands for a target that does not exist."""


def _not_loaded(field: FieldMap, plan: LoadPlan, value: object) -> Target:
    if value is None and field.required:
        return _LOST
    raises = plan.ways[field.name] is Way.RAISE
    return None if value is None and not raises else Unloaded(value, raises=raises)


def _single(field: FieldMap, targets: Targets, value: object) -> Target:
    if value is None:
        return _LOST if field.required else None
    return targets.get(identity_key(cast("Mapping", field.target), value), _LOST)


def _several(field: FieldMap, targets: Targets, value: object) -> Target:
    if not isinstance(value, list):
        return cast("Target", value)  # the model's validator refuses it
    keys = cast("list[object]", value)
    target = cast("Mapping", field.target)
    found = [None if key is None else targets.get(identity_key(target, key)) for key in keys]
    there = [instance for instance in found if instance is not None]
    if len(there) == len(keys):
        return there
    lost = tuple(key for key, instance in zip(keys, found, strict=True) if instance is None)
    return Unloaded(keys, found=tuple(there), lost=lost)
