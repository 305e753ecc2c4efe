"""Writes what a session holds: one call of the driver per kind of change and collection."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Read, Update, WriteReport
from ..driver_errors import flush_error, integrity_error
from ..errors import OperationalError, StaleDataError, StaleDeleteWarning
from ..identity_map import IdentityKey, identity_key, identity_of
from ..instance_state import describe
from ..mapping import class_mapping
from ..port import Port, WriteFailed
from ..unit_of_work import Change, Plan, Step, plan

FILTERS_AT_ONCE = 1_000
"""How many filters one query asks for when updates have met no document."""


async def flush(port: Port, books: Bookkeeping) -> None:
    """Write every unwritten change.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        IntegrityError: a new document's unique key exists already.
        StaleDataError: a changed document is gone.
        FlushOperationalError: the driver or the server failed.

    After an error the session goes on: what was written is clean, the rest is still pending, and the error lists both.
    """
    _warn(await _write(port, books))


async def commit(port: Port, books: Bookkeeping) -> None:
    """Write every unwritten change and make it final; see `flush`."""
    messages = await _write(port, books)
    books.commit()
    _warn(messages)


async def _write(port: Port, books: Bookkeeping) -> list[str]:
    """Write every unwritten change, and return what to warn of."""
    todo = plan(books)
    for instance in todo.unchanged:
        books.unchanged(instance)
    written: list[Model] = []
    messages: list[str] = []
    for step in todo.steps:
        failure: WriteFailed | None = None
        try:
            report = await port.write(step.batch())
        except WriteFailed as failed:
            if failed.report is None:
                _settle(books, step.changes[: failed.completed], written)
                raise _failed(failed, step, written, _unwritten(todo, written)) from failed.error
            failure, report = failed, failed.report
        stale = await _stale(port, step, report, todo, written)
        missed = {id(change) for change in stale}
        _settle(books, [change for change in step.changes if id(change) not in missed], written)
        if stale:
            raise _stale_error([change.instance for change in stale], written, _unwritten(todo, written))
        if failure is not None:
            raise _failed(failure, step, written, _unwritten(todo, written)) from failure.error
        if report.interruption is not None:
            raise report.interruption
        messages += _missing(step, report)
    return messages


def _settle(books: Bookkeeping, changes: Sequence[Change], written: list[Model]) -> None:
    for change in changes:
        if change.after is None:
            books.removed(change.instance)
        else:
            if change.replaces is not None:
                books.removed(change.replaces)
            books.written(change.instance, change.after, change.references, change.assigned)
        written.append(change.instance)


def _unwritten(todo: Plan, written: Sequence[Model]) -> list[Model]:
    done = {id(instance) for instance in written}
    return [change.instance for step in todo.steps for change in step.changes if id(change.instance) not in done]


def _failed(failure: WriteFailed, step: Step, written: Sequence[Model], pending: Sequence[Model]) -> Exception:
    if failure.duplicate:
        instance = step.changes[failure.completed].instance
        return integrity_error(failure, instance, describe(instance), written, pending)
    return flush_error(failure, "flush", written, pending)


async def _stale(port: Port, step: Step, report: WriteReport, todo: Plan, written: Sequence[Model]) -> list[Change]:
    """Return the updates that met no document.  The server only counts them, so their documents are looked for."""
    updates = [change for change in step.changes if isinstance(change.operation, Update)]
    if not updates or report.matched is None or report.matched >= len(updates):
        return []
    try:
        present = await _present_keys(port, updates)
    except OperationalError as error:
        failure = WriteFailed(0, error.driver_error, certain=False)
        raise flush_error(failure, "flush", written, _unwritten(todo, written)) from error
    return [change for change in updates if identity_of(change.instance) not in present]


async def _present_keys(port: Port, updates: Sequence[Change]) -> set[IdentityKey]:
    """Return the documents that the filters of *updates* still fit."""
    present: set[IdentityKey] = set()
    mapping = class_mapping(type(updates[0].instance))
    filters = [change.operation.filter for change in updates if isinstance(change.operation, Update)]
    for start in range(0, len(filters), FILTERS_AT_ONCE):
        chunk = filters[start : start + FILTERS_AT_ONCE]
        records = await port.fetch(Read(mapping, {"$or": chunk}, projection={"_id": 1}))
        present.update(identity_key(mapping, document["_id"]) for document, _ in records)
    return present


def _stale_error(stale: Sequence[Model], written: Sequence[Model], pending: Sequence[Model]) -> StaleDataError:
    names = ", ".join(describe(instance) for instance in stale[:10])
    more = f" and {len(stale) - 10} more" if len(stale) > 10 else ""
    message = (
        "not updated, because the document, or the embedded document that was changed, is no longer there as it was "
        f"read: {names}{more}. "
        f"Written: {len(written)}; still pending: {len(pending)}. "
        "expunge() the instance to drop the change, or insert a copy of it to store it anew."
    )
    return StaleDataError(message, stale, written=written, pending=pending)


def _missing(step: Step, report: WriteReport) -> list[str]:
    removals = [change for change in step.changes if change.after is None]
    if not removals or report.deleted is None or report.deleted >= len(removals):
        return []
    missing = len(removals) - report.deleted
    return [f"{missing} of {len(removals)} {step.mapping.name} documents to be deleted were gone already"]


def _warn(messages: Sequence[str]) -> None:
    for message in messages:
        warnings.warn(message, StaleDeleteWarning, stacklevel=2)
