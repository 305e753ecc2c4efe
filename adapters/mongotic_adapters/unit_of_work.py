"""The plan of one flush: which documents are inserted, updated and removed, in which order.

Called by `flows.flushing`.  Planning encodes every value, so that one that cannot be stored is refused before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from odmantic import Model

from . import snapshot
from .bookkeeping import Bookkeeping, references_of
from .commands import Batch, Delete, Insert, Operation, Replace, Update, Upsert
from .encoding import Document, encode_key
from .identity_map import identity_of
from .instance_state import remember
from .mapping import Mapping, class_mapping
from .states import State


class Change:
    """One instance and the operation that writes it.

    Attributes:
        instance: what is written.
        operation: how.
        after: the snapshot once it is written; None for a removal.
        replaces: the deleted instance whose document it takes the place of.
    """

    __slots__ = ("after", "instance", "operation", "references", "replaces")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(
        self, instance: Model, operation: Operation, after: bytes | None = None, replaces: Model | None = None
    ) -> None:
        self.instance = instance
        self.operation = operation
        self.after = after
        self.replaces = replaces
        self.references = references_of(instance)

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
    """The changes of one kind to one collection, written by one call of the driver."""

    mapping: Mapping
    changes: list[Change] = field(default_factory=lambda: cast("list[Change]", []))

    def batch(self) -> Batch:
        """Return what is to be sent."""
        return Batch(self.mapping, [change.operation for change in self.changes])


@dataclass(slots=True)
class Plan:
    """One flush.

    Attributes:
        steps: inserts and merges, referenced collections first; then updates; then removals.
        unchanged: instances added again that differ in nothing from their documents.
    """

    steps: list[Step]
    unchanged: list[Model]


def plan(books: Bookkeeping) -> Plan:
    """Return what a flush of *books* has to write now.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
    """
    books.cascade()
    inserts, consumed = _inserts(books)
    updates, unchanged = _updates(books)
    removals = [
        Change(instance, Delete(_by_key(instance))) for instance in books.deleted if id(instance) not in consumed
    ]
    merges = sorted(_steps(_merges(books)), key=_depth)
    steps = [*sorted(_steps(inserts), key=_depth), *merges, *_steps(updates), *_steps(removals)]
    return Plan(steps, unchanged)


def _inserts(books: Bookkeeping) -> tuple[list[Change], set[int]]:
    """Return the inserts, and the ids of the deleted instances whose documents they replace."""
    marked = {identity_of(instance): instance for instance in books.deleted}
    changes: list[Change] = []
    for instance in books.new:
        if remember(instance).state is not State.PENDING and identity_of(instance) not in marked:
            continue
        mapping = class_mapping(type(instance))
        after = snapshot.take(mapping, instance, books.codec(mapping))
        replaced = marked.get(identity_of(instance)) if marked else None
        operation = Insert(after) if replaced is None else Replace(_by_key(instance), after)
        changes.append(Change(instance, operation, after, replaced))
    return changes, {id(change.replaces) for change in changes if change.replaces is not None}


def _merges(books: Bookkeeping) -> list[Change]:
    changes: list[Change] = []
    for instance in books.merged:
        mapping = class_mapping(type(instance))
        codec = books.codec(mapping)
        after = snapshot.take(mapping, instance, codec)
        key = _by_key(instance)
        state = {name: value for name, value in snapshot.decode(after, codec).items() if name != "_id"}
        changes.append(Change(instance, Upsert(key, {"$set": state} if state else {"$setOnInsert": key}), after))
    return changes


def _updates(books: Bookkeeping) -> tuple[list[Change], list[Model]]:
    changes: list[Change] = []
    unchanged: list[Model] = []
    marked = {identity_of(instance) for instance in books.deleted}
    for state, instance in books.stored():
        if marked and identity_of(instance) in marked:
            continue  # it takes the place of what is deleted, as a whole
        found, after = books.unwritten(state, instance)
        if found:
            condition = {**_by_key(instance), **found.condition()}
            changes.append(Change(instance, Update(condition, found.as_update()), after))
        elif state.state is State.RETURNED:
            unchanged.append(instance)
    return changes, unchanged


MOST_OPERATIONS = 50_000
MOST_BYTES = 32 * 1024 * 1024
"""What goes into one command; the server takes 100,000 operations and 48 MB. What is larger would be sent as several
commands by the driver, and then it could not be told which of them failed."""


def _steps(changes: Iterable[Change]) -> list[Step]:
    """Group *changes* by collection, in order of first appearance, so that each group is one command."""
    groups: dict[Mapping, list[Step]] = {}
    sizes: dict[Mapping, int] = {}
    for change in changes:
        mapping = class_mapping(type(change.instance))
        steps = groups.setdefault(mapping, [])
        size = 0 if change.after is None else len(change.after)
        if not steps or not _fits(steps[-1], change, sizes[mapping] + size):
            steps.append(Step(mapping))
            sizes[mapping] = 0
        steps[-1].changes.append(change)
        sizes[mapping] += size
    return [step for steps in groups.values() for step in steps]


def _fits(step: Step, change: Change, size: int) -> bool:
    kind = isinstance(step.changes[0].operation, Insert)
    return isinstance(change.operation, Insert) is kind and len(step.changes) < MOST_OPERATIONS and size <= MOST_BYTES


def _depth(step: Step) -> int:
    return reference_depth(step.mapping)


def reference_depth(mapping: Mapping) -> int:
    """Return how long the longest chain of references from a model is: 0 for a model that refers to nothing."""
    # ODMantic needs a model's class to declare a reference to it, so there are no circles.
    return max((1 + reference_depth(cast("Mapping", field.target)) for field in mapping.references), default=0)


def _by_key(instance: Model) -> Document:
    return {"_id": encode_key(instance)}


def chunks(mapping: Mapping, inserts: Sequence[Operation]) -> Iterator[Batch]:
    """Yield the inserts of a statement in batches of one command each."""
    waiting: list[Operation] = []
    size = 0
    for insert in inserts:
        length = len(insert.document) if isinstance(insert, Insert) else 0
        if waiting and (len(waiting) == MOST_OPERATIONS or size + length > MOST_BYTES):
            yield Batch(mapping, waiting)
            waiting, size = [], 0
        waiting.append(insert)
        size += length
    if waiting:
        yield Batch(mapping, waiting)
