"""Tells listeners what a flush is about to write, and what it has written.

Called by `flushing`.  Listeners are told before anything is encoded, so that what they change is written too; and
after all has been written that can be, so that what they do to other instances does not meet a plan half done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Delete, Insert, Replace
from ..errors import InvalidRequestError
from ..events import BEFORE_WRITES
from ..identity_map import identity_of
from ..instance_state import describe, remember
from ..states import State
from ..unit_of_work import Change

MOST_ROUNDS = 100
"""How often listeners may give the session something new to write before that is taken for a circle."""


async def announce(books: Bookkeeping) -> None:
    """Tell who listens before a flush, and before each instance is written; once per instance, also for those that
    listeners add.

    Raises:
        InvalidRequestError: listeners never come to an end, or one cannot be told; nothing was sent.
    """
    events = books.events
    if not events.hears_of_writes:
        return
    if (events.listeners("before_flush") or events.listeners("after_flush")) and books.has_work():
        events.expect_tellable("after_flush")
        await events.tell("before_flush")
    told: dict[tuple[str, int], Model] = {}
    rounds = 0
    while True:
        books.cascade()
        waiting = [(name, instance) for name, instance in _to_be_written(books) if (name, id(instance)) not in told]
        if not waiting:
            return
        if rounds == MOST_ROUNDS:
            raise _endless(waiting[-1][1])
        rounds += 1
        for name, instance in waiting:
            told[name, id(instance)] = instance
            events.expect_tellable(BEFORE_WRITES[name], type(instance))
            await events.tell(name, instance)


def _endless(instance: Model) -> InvalidRequestError:
    return InvalidRequestError(
        f"after {MOST_ROUNDS} rounds listeners still give the session more to write, {describe(instance)} for one: "
        "does a listener add what it is told of again? Nothing was sent."
    )


def _to_be_written(books: Bookkeeping) -> Iterator[tuple[str, Model]]:
    marked = {identity_of(instance) for instance in books.deleted}
    for instance in books.new:
        if remember(instance).state is State.PENDING or (marked and identity_of(instance) in marked):
            yield "before_insert", instance
        elif books.is_modified(instance):
            yield "before_update", instance
    yield from (("before_update", merge.instance) for merge in books.merged)
    yield from (("before_update", instance) for instance in books.to_update)
    yield from (("before_delete", instance) for instance in books.deleted)


async def report_written(books: Bookkeeping, changes: Sequence[Change], written: Sequence[Model]) -> None:
    """Tell who listens of those *changes* whose instances were *written*."""
    if not books.events.hears_of_writes:
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
