"""The plan of one flush: which documents are inserted, updated and removed, in which order.

Called by `flows.flushing`.  Planning encodes every value, so that one that cannot be stored is refused before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from odmantic import Model

from . import single_document, snapshot
from .bookkeeping import Bookkeeping
from .collector import paused
from .commands import Batch, Delete, Insert, Operation, Replace, Update, Upsert
from .encoding import Document, encode_key
from .holdings import Merge
from .identity_map import identity_of
from .instance_state import describe, remember
from .mapping import Mapping, class_mapping
from .references import references_of
from .snapshot import Difference
from .states import State
from .unloaded import NO_REFERENCES, References


class Change:
    """One instance and the operation that writes it.

    Attributes:
        instance: what is written.
        operation: how.
        after: the snapshot once it is written; None for a removal.
        replaces: the deleted instance whose document it takes the place of.
        version: what the version field holds once it is written; None for a model without one.
        partial: only some fields of a merged instance are written, so that its document must be read afterwards.
        references: what the instance refers to.
    """

    __slots__ = ("after", "instance", "operation", "partial", "references", "replaces", "version")
    references: References

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(
        self,
        instance: Model,
        operation: Operation,
        after: bytes | None = None,
        *,
        replaces: Model | None = None,
        version: int | None = None,
        partial: bool = False,
        references: References | None = None,
    ) -> None:
        self.instance = instance
        self.operation = operation
        self.after = after
        self.replaces = replaces
        self.version = version
        self.partial = partial
        self.references = references_of(instance) if references is None else references

    @property
    def assigned(self) -> list[str] | None:
        """The paths an update writes; None where the whole document is written."""
        return (
            list(cast("Document", self.operation.update.get("$set", {})))
            if isinstance(self.operation, Update)
            else None
        )


@dataclass(slots=True)
class Step:
    """The changes of one kind to one collection, written by one call of the driver.

    Attributes:
        mapping: the model.
        inserts: it stores new documents, and nothing else.
        changes: in order.
        size: of their documents, in bytes.
    """

    mapping: Mapping
    inserts: bool = False
    changes: list[Change] = field(default_factory=lambda: cast("list[Change]", []))
    size: int = 0

    def batch(self) -> Batch:
        """Return what is to be sent."""
        return Batch(self.mapping, [change.operation for change in self.changes])


@dataclass(slots=True)
class Plan:
    """One flush.

    Attributes:
        steps: inserts and merges, referenced collections first; then updates; then removals.
        unchanged: instances added again that differ in nothing from their documents.
        ousted: changed instances whose documents a new instance takes the place of, if they are gone; they are never
            written, or they would overwrite it.
    """

    steps: list[Step]
    unchanged: list[Model]
    ousted: list[Model]


def plan(books: Bookkeeping) -> Plan:
    """Return what a flush of *books* has to write now.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
    """
    with paused:
        return _plan(books)


def _plan(books: Bookkeeping) -> Plan:
    books.cascade()
    inserts, consumed = _inserts(books)
    updates, unchanged = _updates(books)
    merges = [_upsert(books, merge) for merge in books.merged]
    ousted = [change.instance for change in (*merges, *updates) if _is_ousted(books, change)]
    if ousted:
        updates = [change for change in updates if not _is_ousted(books, change)]
        merges = [change for change in merges if not _is_ousted(books, change)]
    removals = [_removal(books, instance) for instance in books.deleted if id(instance) not in consumed]
    steps = [*sorted(_steps(inserts), key=_depth), *sorted(_steps(merges), key=_depth)]
    return Plan([*steps, *_steps(updates), *_steps(removals)], unchanged, ousted)


def _is_ousted(books: Bookkeeping, change: Change) -> bool:
    return books.has_new and books.awaits(identity_of(change.instance))


def _inserts(books: Bookkeeping) -> tuple[list[Change], set[int]]:
    """Return the inserts, and the ids of the deleted instances whose documents they replace."""
    marked = {identity_of(instance): instance for instance in books.deleted}
    changes: list[Change] = []
    only_new = books.has_only_new
    for instance in books.new:
        is_new = only_new or remember(instance).state is State.PENDING
        if not is_new and not (marked and identity_of(instance) in marked):
            continue
        mapping = class_mapping(type(instance))
        after = books.taker(type(instance))(instance)
        if not marked and mapping.version is None:
            references = None if mapping.references else NO_REFERENCES
            changes.append(Change(instance, Insert(after), after, references=references))
            continue
        replaced = marked.get(identity_of(instance)) if marked else None
        version = None
        if mapping.version is not None:
            version = _next_version(books, mapping, replaced)
            after = single_document.with_version(mapping, mapping.version, after, version, books.codec(mapping))
        if replaced is not None and mapping.shard_key:
            now = snapshot.decode(after, books.codec(mapping))
            single_document.expect_same_shard(mapping, books.believed(replaced), now, describe(instance))
        operation = Insert(after) if replaced is None else Replace(_filter(books, replaced), after)
        changes.append(Change(instance, operation, after, replaces=replaced, version=version))
    return changes, {id(change.replaces) for change in changes if change.replaces is not None}


def _next_version(books: Bookkeeping, mapping: Mapping, replaced: Model | None) -> int:
    """Return the version of a new document; it goes on counting where it takes the place of another, so that whoever
    has read that one does not take it for the same."""
    if replaced is None:
        return single_document.FIRST_VERSION
    return single_document.version_of(mapping, books.believed(replaced)) + 1


def _upsert(books: Bookkeeping, merge: Merge) -> Change:
    """Return the write of a merged instance."""
    instance = merge.instance
    mapping = class_mapping(type(instance))
    codec = books.codec(mapping)
    after = snapshot.take(mapping, instance, codec)
    state = {name: value for name, value in snapshot.decode(after, codec).items() if name != "_id"}
    known = remember(instance).is_stored
    if known and mapping.shard_key:
        single_document.expect_same_shard(mapping, books.believed(instance), state, describe(instance))
    shard = single_document.shard_condition(mapping, state)
    found: Document = {**_by_key(instance), **shard}
    update: Document = {}
    version: int | None = None
    wanted, elsewhere = merge.keys, set(shard)  # the filter gives a new document its shard key, and an old one has it
    counter = mapping.version
    if counter is not None and (known or wanted is None or counter.key in wanted):
        found = {**found, **single_document.condition(mapping, state)}
        version = state[counter.key] = single_document.version_of(mapping, state) + 1
        after = single_document.with_version(mapping, counter, after, version, codec)
        wanted = None if wanted is None else wanted | {counter.key}
    elif counter is not None:  # which version the document has is not known, and need not be: it goes up
        update["$inc"] = {counter.key: single_document.step(counter)}
        elsewhere.add(counter.key)
    rest = {name: value for name, value in state.items() if name not in elsewhere}
    written = {name: value for name, value in rest.items() if wanted is None or name in wanted}
    if written:
        update["$set"] = written
    others = {name: value for name, value in rest.items() if name not in written}
    # An update needs something to do, even where the key is all there is.
    if others or not update:
        update["$setOnInsert"] = others or _by_key(instance)
    return Change(instance, Upsert(found, update), after, version=version, partial=merge.keys is not None)


def _updates(books: Bookkeeping) -> tuple[list[Change], list[Model]]:
    changes: list[Change] = []
    unchanged: list[Model] = []
    marked = {identity_of(instance) for instance in books.deleted}
    for state, instance in books.stored():
        if marked and identity_of(instance) in marked:
            continue  # it takes the place of what is deleted, as a whole
        found, after = books.unwritten(state, instance)
        if found:
            changes.append(_update(books, instance, found, after))
        elif state.state is State.RETURNED:
            unchanged.append(instance)
    return changes, unchanged


def _update(books: Bookkeeping, instance: Model, found: Difference, after: bytes) -> Change:
    mapping = class_mapping(type(instance))
    asked = {**_filter(books, instance), **found.condition()}
    version = None
    if single_document.has_conditions(mapping):
        single_document.expect_writable(mapping, found, describe(instance))
    if mapping.version is not None:
        codec = books.codec(mapping)
        version = single_document.version_of(mapping, books.believed(instance)) + 1
        found.assigned[mapping.version.key] = version
        after = single_document.with_version(mapping, mapping.version, after, version, codec)
    return Change(instance, Update(asked, found.as_update()), after, version=version)


def _removal(books: Bookkeeping, instance: Model) -> Change:
    return Change(instance, Delete(_filter(books, instance)))


MOST_OPERATIONS = 50_000
MOST_BYTES = 32 * 1024 * 1024
"""What goes into one command; the server takes 100,000 operations and 48 MB. What is larger would be sent as several
commands by the driver, and then it could not be told which of them failed."""


def _steps(changes: Iterable[Change]) -> list[Step]:
    """Group *changes* by collection, in order of first appearance, so that each group is one command."""
    groups: dict[Mapping, list[Step]] = {}
    for change in changes:
        mapping = class_mapping(type(change.instance))
        steps = groups.setdefault(mapping, [])
        size = 0 if change.after is None else len(change.after)
        if not steps or not _fits(steps[-1], change, size):
            steps.append(Step(mapping, isinstance(change.operation, Insert)))
        steps[-1].changes.append(change)
        steps[-1].size += size
    return [step for steps in groups.values() for step in steps]


def _fits(step: Step, change: Change, size: int) -> bool:
    if step.mapping.version is not None and isinstance(change.operation, (Update, Delete)):
        # The server counts the documents of several operations as one number. Which of them met no document could not
        # be found out: another writer may have counted the same version up, and have written the same values.
        return False
    if isinstance(change.operation, Insert) is not step.inserts:
        return False
    return len(step.changes) < MOST_OPERATIONS and step.size + size <= MOST_BYTES


def _depth(step: Step) -> int:
    return reference_depth(step.mapping)


def reference_depth(mapping: Mapping) -> int:
    """Return how long the longest chain of references from a model is: 0 for a model that refers to nothing."""
    # ODMantic needs a model's class to declare a reference to it, so there are no circles.
    return max((1 + reference_depth(cast("Mapping", field.target)) for field in mapping.references), default=0)


def _filter(books: Bookkeeping, instance: Model) -> Document:
    """Return the filter for the document of a stored instance."""
    mapping = class_mapping(type(instance))
    if not single_document.has_conditions(mapping):
        return _by_key(instance)
    return {**_by_key(instance), **single_document.condition(mapping, books.believed(instance))}


def _by_key(instance: Model) -> Document:
    return {"_id": encode_key(instance)}
