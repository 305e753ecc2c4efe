"""The plan of one flush: which documents are inserted, updated and removed, in which order.

Called by `flows.flushing`.  Planning encodes every value, so that one that cannot be stored is refused before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from odmantic import Model

from . import snapshot
from .bookkeeping import Bookkeeping
from .commands import Batch, Delete, Insert, Operation, Replace, Update
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

    __slots__ = ("after", "instance", "operation", "replaces")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(
        self, instance: Model, operation: Operation, after: bytes | None = None, replaces: Model | None = None
    ) -> None:
        self.instance = instance
        self.operation = operation
        self.after = after
        self.replaces = replaces


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
        steps: inserts, referenced collections first; then updates; then removals.
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
    return Plan([*sorted(_steps(inserts), key=_depth), *_steps(updates), *_steps(removals)], unchanged)


def _inserts(books: Bookkeeping) -> tuple[list[Change], set[int]]:
    """Return the inserts, and the ids of the deleted instances whose documents they replace."""
    marked = {identity_of(instance): instance for instance in books.deleted}
    changes: list[Change] = []
    for instance in books.new:
        if remember(instance).state is not State.PENDING:
            continue
        mapping = class_mapping(type(instance))
        after = snapshot.take(mapping, instance, books.codec(mapping))
        replaced = marked.get(identity_of(instance)) if marked else None
        operation = Insert(after) if replaced is None else Replace(_by_key(instance), after)
        changes.append(Change(instance, operation, after, replaced))
    return changes, {id(change.replaces) for change in changes if change.replaces is not None}


def _updates(books: Bookkeeping) -> tuple[list[Change], list[Model]]:
    changes: list[Change] = []
    unchanged: list[Model] = []
    for state, instance in books.stored():
        found, after = books.unwritten(state, instance)
        if found:
            changes.append(Change(instance, Update(_by_key(instance), found.as_update()), after))
        elif state.state is State.RETURNED:
            unchanged.append(instance)
    return changes, unchanged


def _steps(changes: Iterable[Change]) -> list[Step]:
    """Group *changes* by collection, in order of first appearance."""
    steps: dict[Mapping, Step] = {}
    for change in changes:
        mapping = class_mapping(type(change.instance))
        steps.setdefault(mapping, Step(mapping)).changes.append(change)
    return list(steps.values())


def _depth(step: Step) -> int:
    return reference_depth(step.mapping)


def reference_depth(mapping: Mapping) -> int:
    """Return how long the longest chain of references from a model is: 0 for a model that refers to nothing."""
    # ODMantic needs a model's class to declare a reference to it, so there are no circles.
    return max((1 + reference_depth(cast("Mapping", field.target)) for field in mapping.references), default=0)


def _by_key(instance: Model) -> Document:
    return {"_id": encode_key(instance)}
