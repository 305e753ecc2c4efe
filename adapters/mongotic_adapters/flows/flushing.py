"""Writes what a session holds: one call of the driver per kind of change and collection."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from odmantic import Model

from ..bookkeeping import Bookkeeping
from ..commands import Read, Update, WriteReport
from ..driver_errors import flush_error, integrity_error
from ..encoding import encode_key
from ..errors import StaleDataError, StaleDeleteWarning
from ..identity_map import IdentityKey, identity_key, identity_of
from ..instance_state import describe
from ..mapping import class_mapping
from ..port import Port, WriteFailed
from ..unit_of_work import Change, Plan, Step, plan
from .reading import REFERENCES_AT_ONCE


async def flush(port: Port, books: Bookkeeping) -> None:
    """Write every unwritten change.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        IntegrityError: a new document's unique key exists already.
        StaleDataError: a changed document is gone.
        FlushOperationalError: the driver or the server failed.

    After an error the session goes on: what was written is clean, the rest is still pending, and the error lists both.
    """
    todo = plan(books)
    for instance in todo.unchanged:
        books.unchanged(instance)
    written: list[Model] = []
    for step in todo.steps:
        try:
            report = await port.write(step.batch())
        except WriteFailed as failure:
            _settle(books, step.changes[: failure.completed], written)
            raise _failed(failure, step, written, _unwritten(todo, written)) from failure.error
        stale = await _stale(port, step, report)
        missed = {id(change) for change in stale}
        _settle(books, [change for change in step.changes if id(change) not in missed], written)
        if stale:
            raise _stale_error([change.instance for change in stale], written, _unwritten(todo, written))
        _warn_of_missing(step, report)


async def commit(port: Port, books: Bookkeeping) -> None:
    """Write every unwritten change and make it final; see `flush`."""
    await flush(port, books)
    books.commit()


def _settle(books: Bookkeeping, changes: Sequence[Change], written: list[Model]) -> None:
    for change in changes:
        if change.after is None:
            books.removed(change.instance)
        else:
            if change.replaces is not None:
                books.removed(change.replaces)
            books.written(change.instance, change.after)
        written.append(change.instance)


def _unwritten(todo: Plan, written: Sequence[Model]) -> list[Model]:
    done = {id(instance) for instance in written}
    return [change.instance for step in todo.steps for change in step.changes if id(change.instance) not in done]


def _failed(failure: WriteFailed, step: Step, written: Sequence[Model], pending: Sequence[Model]) -> Exception:
    if failure.duplicate:
        instance = step.changes[failure.completed].instance
        return integrity_error(failure, instance, describe(instance), written, pending)
    return flush_error(failure, written, pending)


async def _stale(port: Port, step: Step, report: WriteReport) -> list[Change]:
    """Return the updates that met no document.  The server only counts them, so their keys are looked for."""
    updates = [change for change in step.changes if isinstance(change.operation, Update)]
    if report.matched is None or report.matched >= len(updates):
        return []
    present = await _present_keys(port, updates)
    missing = [change for change in updates if identity_of(change.instance) not in present]
    # Stored again by somebody since: which of them was missed cannot be told, and writing an update twice does no harm.
    return missing or updates


async def _present_keys(port: Port, updates: Sequence[Change]) -> set[IdentityKey]:
    present: set[IdentityKey] = set()
    mapping = class_mapping(type(updates[0].instance))
    keys = [encode_key(change.instance) for change in updates]
    for start in range(0, len(keys), REFERENCES_AT_ONCE):
        chunk = keys[start : start + REFERENCES_AT_ONCE]
        records = await port.fetch(Read(mapping, {"_id": {"$in": chunk}}, projection={"_id": 1}))
        present.update(identity_key(mapping, document["_id"]) for document, _ in records)
    return present


def _stale_error(stale: Sequence[Model], written: Sequence[Model], pending: Sequence[Model]) -> StaleDataError:
    names = ", ".join(describe(instance) for instance in stale[:10])
    more = f" and {len(stale) - 10} more" if len(stale) > 10 else ""
    message = (
        f"not updated, because the document was deleted since it was read: {names}{more}. "
        f"Written: {len(written)}; still pending: {len(pending)}. "
        "expunge() the instance to drop the change, or insert a copy of it to store it anew."
    )
    return StaleDataError(message, stale, written=written, pending=pending)


def _warn_of_missing(step: Step, report: WriteReport) -> None:
    removals = [change for change in step.changes if change.after is None]
    if removals and report.deleted is not None and report.deleted < len(removals):
        missing = len(removals) - report.deleted
        warnings.warn(
            f"{missing} of {len(removals)} {step.mapping.name} documents to be deleted were gone already",
            StaleDeleteWarning,
            stacklevel=2,
        )
