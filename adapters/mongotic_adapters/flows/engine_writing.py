"""Writes a step one instance after the other through the engine's own `save` and `delete`.

Called by `flushing` where a team's engine class overrides them, or a session was made with `writes="engine"`.
ODMantic's `save` is an upsert: what must not be overwritten or come back is looked for first, which leaves the moment
between the two commands; in a transaction there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from odmantic import Model

from .. import odmantic_internals as odm
from .. import snapshot
from ..bookkeeping import Bookkeeping
from ..changes import take_over
from ..commands import Batch, Delete, Insert, Read, Replace, Update, Upsert
from ..driver_errors import key_taken
from ..encoding import Document, encode_key, is_document
from ..hydration import hydrate
from ..mapping import Mapping, class_mapping
from ..overrides import Overrides
from ..port import Port
from ..references import references_of
from ..single_document import FIRST_VERSION
from ..unit_of_work import Change, Step
from .reading import load_references


class Missing(Exception):  # noqa: N818  # passes between this and `flushing` only
    """The document of *change* is not there as it should be."""

    def __init__(self, change: Change) -> None:
        super().__init__(change)
        self.change = change


def is_engines(custom: Overrides | None, step: Step) -> bool:
    """Tell whether the engine writes a step."""
    if custom is None:
        return False
    if all(isinstance(change.operation, Delete) for change in step.changes):
        return custom.deletes
    return custom.saves or (custom.deletes and any(isinstance(change.operation, Replace) for change in step.changes))


async def write(
    port: Port, books: Bookkeeping, custom: Overrides, step: Step, done: Callable[[Change], None]
) -> list[str]:
    """Write the changes of a step, and return what to warn of.

    Arguments:
        port: where to write.
        books: the session's.
        custom: the engine's calls.
        step: what to write.
        done: called after each.

    Raises:
        WriteFailed: an instance could not be written; those before it were.
        Missing: the document of one is gone, or has another version.
    """
    messages: list[str] = []
    for change in step.changes:
        if isinstance(change.operation, Delete):
            await _expect_present(port, step.mapping, change, change.operation.filter, always=False)
            if not await _delete(port, custom, change.instance):
                if step.mapping.version is not None:
                    raise Missing(change)
                messages.append(f"1 of 1 {step.mapping.name} documents to be deleted were gone already")
        else:
            await _save(port, books, custom, change)
        done(change)
    return messages


async def _save(port: Port, books: Bookkeeping, custom: Overrides, change: Change) -> None:
    instance, operation = change.instance, change.operation
    mapping = class_mapping(type(instance))
    unsaved = set(mapping.fields)
    if isinstance(operation, Insert):
        await _expect_absent(port, mapping, instance)
    elif isinstance(operation, Update):
        await _expect_present(port, mapping, change, operation.filter, always=True)
        unsaved = _fields(mapping, operation.update)
    elif isinstance(operation, Upsert):
        await _expect_present(port, mapping, change, operation.filter, always=False)
        if change.partial and await _complete(port, books, mapping, change):
            unsaved = _fields(mapping, {"$set": operation.update.get("$set", {})})
    elif isinstance(operation, Replace) and change.replaces is not None:
        await _expect_present(port, mapping, change, operation.filter, always=False)
        await _delete(port, custom, change.replaces)
    earlier = None if mapping.version is None else instance.__dict__[mapping.version.name]
    if mapping.version is not None and change.version is not None:
        instance.__dict__[mapping.version.name] = change.version
        unsaved.add(mapping.version.name)
    marks = set(odm.assigned_fields(instance) or ())
    # Let ODMantic believe unsaved what is to be written, and no more.
    odm.mark_assigned(instance, unsaved)
    try:
        await port.save(custom, instance)
    except BaseException:
        if mapping.version is not None:
            instance.__dict__[mapping.version.name] = earlier
        odm.mark_assigned(instance, marks)
        raise
    await _write_rest(port, mapping, change)
    change.references = references_of(instance)
    change.after = _after(books, mapping, change)


async def _complete(port: Port, books: Bookkeeping, mapping: Mapping, change: Change) -> bool:
    """Give an instance of which only some fields are merged what its document has in the others, because ODMantic
    writes containers in any case; say whether there is a document."""
    instance, update = change.instance, change.operation.update if isinstance(change.operation, Upsert) else {}
    records = await port.fetch(Read(mapping, {"_id": encode_key(instance)}, limit=1))
    if not records:
        if "$inc" in update:
            change.version = FIRST_VERSION
        return False
    references = await load_references(port, books, mapping, records)
    stored = hydrate(mapping, records[0][0], references[0])
    written = {"_id", *_keys({"$set": update.get("$set", {})})}
    take_over(mapping, instance, stored, lambda key: key not in written)
    if "$inc" in update and mapping.version is not None:
        change.version = int(cast("int", stored.__dict__[mapping.version.name])) + 1
    return True


def _fields(mapping: Mapping, update: Document) -> set[str]:
    """Return the fields that an update writes."""
    return {mapping.by_key[key].name for key in _keys(update) if key in mapping.by_key}


def _keys(update: Document) -> set[str]:
    return {path.partition(".")[0] for change in update.values() if is_document(change) for path in change}


async def _write_rest(port: Port, mapping: Mapping, change: Change) -> None:
    """Write what ODMantic's `save` cannot: keys that are no fields, and those that are gone."""
    if not mapping.keeps_extra or not isinstance(change.operation, (Insert, Update, Upsert)):
        return
    codec = port.codec(mapping)
    document = snapshot.decode(change.after, codec) if change.after is not None else {}
    update: Document = {}
    extra = {key: value for key, value in document.items() if key not in mapping.by_key}
    if extra:
        update["$set"] = extra
    if isinstance(change.operation, Update):
        gone = [path for path in _removed(change.operation) if path not in mapping.by_key and "." not in path]
        if gone:
            update["$unset"] = dict.fromkeys(gone, "")
    if update:
        await port.write(Batch(mapping, [Update({"_id": encode_key(change.instance)}, update)]))


def _removed(operation: Update) -> Sequence[str]:
    removed = operation.update.get("$unset")
    return list(removed) if is_document(removed) else []


def _after(books: Bookkeeping, mapping: Mapping, change: Change) -> bytes:
    """Return what the database holds now: the instance as the engine's hooks have left it, but for what they have
    assigned since it was sent."""
    codec = books.codec(mapping)
    now = snapshot.decode(snapshot.take(mapping, change.instance, codec), codec)
    unsaved = odm.assigned_fields(change.instance) or set[str]()
    sent = snapshot.decode(change.after, codec) if change.after is not None else {}
    for name in unsaved:
        key = mapping.fields[name].key
        if key in sent:
            now[key] = sent[key]
    return snapshot.encode_document(now, codec, mapping.name)


async def _delete(port: Port, custom: Overrides, instance: Model) -> bool:
    return await port.delete(custom, instance)


async def _expect_absent(port: Port, mapping: Mapping, instance: Model) -> None:
    key = encode_key(instance)
    if await port.count(Read(mapping, {"_id": key}, limit=1, direct=True)):
        raise key_taken(mapping.collection, key)


async def _expect_present(port: Port, mapping: Mapping, change: Change, condition: Document, *, always: bool) -> None:
    """Check that a document is there, or, unless *always*, that there is none of another version."""
    if not always and mapping.version is None:
        return
    if await port.count(Read(mapping, condition, limit=1, direct=True)):
        return
    if always or await port.count(Read(mapping, {"_id": encode_key(change.instance)}, limit=1, direct=True)):
        raise Missing(change)
