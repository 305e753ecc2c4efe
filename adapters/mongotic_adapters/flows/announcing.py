"""Tells listeners what a flush is about to write, and what it has written.

Called by `flushing`.  Listeners are told before anything is encoded, so that what they change is written too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Delete, Insert, Replace
from ..instance_state import remember
from ..states import State
from ..unit_of_work import Change


async def announce(books: Bookkeeping) -> None:
    """Tell who listens before a flush, and before each instance is written; once per instance, also for those that
    listeners add."""
    events = books.events
    if not events.hears_of_instances:
        return
    if events.listeners("before_flush") and books.has_work():
        await events.tell("before_flush")
    told: dict[int, Model] = {}
    while True:
        books.cascade()
        waiting = [(name, instance) for name, instance in _to_be_written(books) if id(instance) not in told]
        if not waiting:
            return
        for name, instance in waiting:
            told[id(instance)] = instance
            await events.tell(name, instance)


def _to_be_written(books: Bookkeeping) -> Iterator[tuple[str, Model]]:
    for instance in books.new:
        if remember(instance).state is State.PENDING:
            yield "before_insert", instance
        elif books.is_modified(instance):
            yield "before_update", instance
    yield from (("before_update", merge.instance) for merge in books.merged)
    yield from (("before_update", instance) for instance in books.dirty)
    yield from (("before_delete", instance) for instance in books.deleted)


async def report_written(books: Bookkeeping, changes: Sequence[Change], written: Sequence[Model]) -> None:
    """Tell who listens of those *changes* whose instances were *written*."""
    if not books.events.hears_of_instances:
        return
    done = {id(instance) for instance in written}
    for change in (change for change in changes if id(change.instance) in done):
        if isinstance(change.operation, Delete):
            await books.events.tell("after_delete", change.instance)
        elif isinstance(change.operation, (Insert, Replace)):
            if change.replaces is not None:
                await books.events.tell("after_delete", change.replaces)
            await books.events.tell("after_insert", change.instance)
        else:
            await books.events.tell("after_update", change.instance)
