"""Writes what a session holds: one call of the driver per kind of change and collection."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from odmantic import Model

from .. import snapshot
from ..bookkeeping import Bookkeeping
from ..collector import paused
from ..commands import Delete, Insert, Read, Update, WriteReport
from ..driver_errors import flush_error, integrity_error
from ..encoding import Document, encode_key, is_document
from ..errors import DocumentError, FlushError, OperationalError, StaleDataError, StaleDeleteWarning, progress
from ..identity_map import IdentityKey, identity_key, identity_of
from ..instance_state import describe
from ..load_plan import LoadPlan
from ..mapping import Mapping
from ..overrides import Overrides
from ..port import Port, WriteFailed
from ..unit_of_work import Change, Plan, Step, plan
from . import engine_writing
from .announcing import announce, report_written
from .materialising import load_references

logger = logging.getLogger("mongotic.events")

FILTERS_AT_ONCE = 1_000
DOCUMENTS_AT_ONCE = 100
"""How many filters, or whole documents, one query asks for when updates have met no document."""


async def flush(port: Port, books: Bookkeeping) -> None:
    """Write every unwritten change, and tell listeners.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        IntegrityError: a new document's unique key exists already.
        StaleDataError: a changed document is gone.
        FlushOperationalError: the driver or the server failed.

    After an error the session goes on: what was written is clean, the rest is still pending, and the error lists both.
    """
    await announce(books)
    warn(await write_plan(port, books, plan(books)))


async def write_plan(port: Port, books: Bookkeeping, todo: Plan, *, tell: bool = True) -> list[str]:
    """Write what is planned, and return what to warn of.

    Arguments:
        port: where to write.
        books: the session's.
        todo: the plan.
        tell: tell listeners what was written.

    Raises:
        FlushError: see `flush`.
    """
    for step in todo.steps:
        engine_writing.expect_loaded(port.overrides(step.mapping), step)
    for instance in todo.unchanged:
        books.unchanged(instance)
    try:
        return await _write_steps(port, books, todo, tell=tell)
    except FlushError as error:
        if port.in_transaction:
            error.undone(_unwritten(todo, ()))
        raise


async def _write_steps(port: Port, books: Bookkeeping, todo: Plan, *, tell: bool) -> list[str]:
    written: list[Model] = []
    messages: list[str] = []
    try:
        for step in todo.steps:
            messages += await _write_step(port, books, step, todo, written)
            await _read_partial(port, books, step)
        if todo.ousted:
            raise _stale_error(todo.ousted, written, _unwritten(todo, written))
    except BaseException:
        if tell and not port.in_transaction:  # what was written in one will be undone
            await _report_rest(books, todo, written)
        raise
    if tell:
        await report_plan(books, todo)
    return messages


async def report_plan(books: Bookkeeping, todo: Plan) -> None:
    """Tell listeners that everything planned is written."""
    if books.events.hears_of_writes:
        await report_written(books, _changes(todo), [change.instance for change in _changes(todo)])
    if todo.steps:
        await books.events.tell("after_flush")


def _changes(todo: Plan) -> list[Change]:
    return [change for step in todo.steps for change in step.changes]


async def _report_rest(books: Bookkeeping, todo: Plan, written: Sequence[Model]) -> None:
    """Tell listeners what a flush that failed had written; what they raise does not hide why it failed."""
    try:
        await report_written(books, _changes(todo), written)
    except Exception:
        logger.exception("a listener failed while it was told what a flush had written before the flush failed")


async def _write_step(port: Port, books: Bookkeeping, step: Step, todo: Plan, written: list[Model]) -> list[str]:
    """Send one step and settle it, and return what to warn of."""
    custom = port.overrides(step.mapping)
    if custom is not None and engine_writing.is_engines(custom, step):
        return await _write_by_engine(port, books, custom, step, todo, written)
    failure: WriteFailed | None = None
    try:
        report = await port.write(step.batch())
    except WriteFailed as failed:
        if failed.report is None:
            settle(books, step.changes[: failed.completed], written)
            raise _failed(failed, step, written, _unwritten(todo, written)) from failed.error
        failure, report = failed, failed.report
    stale = await _stale(port, step, report, todo, written)
    missed = {id(change) for change in stale}
    settle(books, [change for change in step.changes if id(change) not in missed], written)
    if stale:
        raise _stale_error([change.instance for change in stale], written, _unwritten(todo, written))
    if failure is not None:
        raise _failed(failure, step, written, _unwritten(todo, written)) from failure.error
    if report.interruption is not None:
        raise report.interruption
    return _missing(step, report, written, todo)


async def _write_by_engine(
    port: Port, books: Bookkeeping, custom: Overrides, step: Step, todo: Plan, written: list[Model]
) -> list[str]:
    """Let the engine write one step, instance by instance, and return what to warn of."""
    before = len(written)
    try:
        return await engine_writing.write(port, books, custom, step, lambda change: settle(books, [change], written))
    except WriteFailed as failed:
        failure = WriteFailed(len(written) - before, failed.error, duplicate=failed.duplicate, certain=failed.certain)
        raise _failed(failure, step, written, _unwritten(todo, written)) from failed.error
    except engine_writing.Missing as missing:
        raise _stale_error([missing.change.instance], written, _unwritten(todo, written)) from None


async def _read_partial(port: Port, books: Bookkeeping, step: Step) -> None:
    """Read the documents of which only some fields were written: what the others hold is not known yet.

    They are written already; what cannot be read back now counts as expired, and the rest of the flush goes on.
    """
    if step.inserts:
        return
    partial = {identity_of(change.instance): change.instance for change in step.changes if change.partial}
    if not partial:
        return
    keys: list[object] = [encode_key(instance) for instance in partial.values()]
    books.flag_expired(partial.values())
    try:
        records = await port.fetch(Read(step.mapping, {"_id": {"$in": keys}}))
        references = await load_references(port, books, step.mapping, records, LoadPlan(missing="none"))
    except (DocumentError, OperationalError):
        return
    for record, targets in zip(records, references, strict=True):
        instance = partial.get(identity_key(step.mapping, record[0]["_id"]))
        if instance is not None and targets is not None:
            with suppress(DocumentError):
                books.reload(instance, record, targets)


def settle(books: Bookkeeping, changes: Sequence[Change], written: list[Model]) -> None:
    """Note in the books that *changes* were written, and add their instances to *written*."""
    with paused:
        for change in changes:
            if change.after is None:
                books.removed(change.instance)
            elif type(change.operation) is not Insert or not books.inserted(change.instance, change.after):
                if change.replaces is not None:
                    books.removed(change.replaces)
                books.written(change.instance, change.after, change.references, change.assigned, change.version)
            written.append(change.instance)


def _unwritten(todo: Plan, written: Sequence[Model]) -> list[Model]:
    done = {id(instance) for instance in written}
    waiting = [change.instance for step in todo.steps for change in step.changes if id(change.instance) not in done]
    return [*waiting, *todo.ousted]


def _failed(failure: WriteFailed, step: Step, written: Sequence[Model], pending: Sequence[Model]) -> Exception:
    if failure.duplicate:
        change = step.changes[failure.completed]
        instance = change.instance
        if change.version is not None and not isinstance(change.operation, Insert) and _is_of_key(failure):
            # An upsert or a replacement that met no document of that version, and so tried to store another one.
            return _stale_error([instance], written, pending)
        return integrity_error(failure, instance, describe(instance), written, pending)
    return flush_error(failure, "flush", written, pending)


def _is_of_key(failure: WriteFailed) -> bool:
    """Tell whether the key that exists already is the primary key."""
    details = getattr(failure.error, "details", None)
    return is_document(details) and list(cast("Document", details.get("keyPattern") or {})) == ["_id"]


async def _stale(port: Port, step: Step, report: WriteReport, todo: Plan, written: Sequence[Model]) -> list[Change]:
    """Return the updates that met no document, and the removals that met one of another version.

    The server only counts them, so their documents are looked for.
    """
    if step.inserts:
        return []
    updates = [change for change in step.changes if isinstance(change.operation, Update)]
    removals = [change for change in step.changes if isinstance(change.operation, Delete)]
    try:
        if removals and step.mapping.version is not None and _falls_short(report.deleted, removals):
            keys: list[Document] = [{"_id": encode_key(change.instance)} for change in removals]
            present = await _present_keys(port, step.mapping, keys)
            return [change for change in removals if identity_of(change.instance) in present]
        if not updates or not _falls_short(report.matched, updates):
            return []
        if step.mapping.version is not None:
            return updates  # it was sent alone
        operations = [change.operation for change in updates if isinstance(change.operation, Update)]
        present = await _present_keys(port, step.mapping, [update.filter for update in operations if _lasts(update)])
        shown = await _shown_keys(port, step.mapping, [update for update in operations if not _lasts(update)])
        if len(present) + len(shown) <= cast("int", report.matched):
            present |= shown  # else somebody wrote the very same, and whose write counted cannot be told
    except OperationalError as error:
        failure = WriteFailed(0, error.driver_error, certain=False)
        raise flush_error(failure, "flush", written, _unwritten(todo, written)) from error
    return [change for change in updates if identity_of(change.instance) not in present]


def _falls_short(counted: int | None, changes: Sequence[Change]) -> bool:
    return counted is not None and counted < len(changes)


def _lasts(operation: Update) -> bool:
    """Tell whether a document still fits the filter of an update after that update: it neither counts a version up nor
    stores what must not have been there."""
    return _part(operation, "$set").keys().isdisjoint(operation.filter)


def _part(operation: Update, name: str) -> Document:
    return cast("Document", operation.update.get(name, {}))


async def _shown_keys(port: Port, mapping: Mapping, operations: Sequence[Update]) -> set[IdentityKey]:
    """Return the documents that have everything their updates write."""
    updates = {identity_key(mapping, operation.filter["_id"]): operation for operation in operations}
    keys = [operation.filter["_id"] for operation in operations]
    shown: set[IdentityKey] = set()
    for start in range(0, len(keys), DOCUMENTS_AT_ONCE):
        for document, _ in await port.fetch(Read(mapping, {"_id": {"$in": keys[start : start + DOCUMENTS_AT_ONCE]}})):
            key = identity_key(mapping, document["_id"])
            if _shows(document, updates[key]):
                shown.add(key)
    return shown


def _shows(document: Document, operation: Update) -> bool:
    assigned, removed = _part(operation, "$set"), _part(operation, "$unset")
    return all(snapshot.same(snapshot.at(document, path), value) for path, value in assigned.items()) and all(
        snapshot.at(document, path) is snapshot.MISSING for path in removed
    )


async def _present_keys(port: Port, mapping: Mapping, filters: Sequence[Document]) -> set[IdentityKey]:
    """Return the documents that *filters* fit."""
    present: set[IdentityKey] = set()
    for start in range(0, len(filters), FILTERS_AT_ONCE):
        chunk = filters[start : start + FILTERS_AT_ONCE]
        records = await port.fetch(Read(mapping, {"$or": chunk}, projection={"_id": 1}, direct=True))
        present.update(identity_key(mapping, document["_id"]) for document, _ in records)
    return present


def _stale_error(stale: Sequence[Model], written: Sequence[Model], pending: Sequence[Model]) -> StaleDataError:
    names = ", ".join(describe(instance) for instance in stale[:10])
    more = f" and {len(stale) - 10} more" if len(stale) > 10 else ""
    message = (
        "not updated, because the document, or the embedded document that was changed, is no longer there as it was "
        f"read: {names}{more}. "
        f"{progress(written, pending)} "
        "expunge() the instance to drop the change, or insert a copy of it to store it anew."
    )
    return StaleDataError(message, stale, written=written, pending=pending)


def _missing(step: Step, report: WriteReport, written: Sequence[Model], todo: Plan) -> list[str]:
    """Return what to warn of: documents to be deleted that were gone.

    Raises:
        StaleDataError: the model has a version field, and somebody else has deleted them.
    """
    if report.deleted is None:
        return []
    removals = [change for change in step.changes if isinstance(change.operation, Delete)]
    if not removals or not _falls_short(report.deleted, removals):
        return []
    missing = len(removals) - report.deleted
    message = f"{missing} of {len(removals)} {step.mapping.name} documents to be deleted were gone already"
    if step.mapping.version is not None:
        gone = [change.instance for change in removals]  # it was sent alone
        raise StaleDataError(message, gone, written=written, pending=_unwritten(todo, written))
    return [message]


def warn(messages: Sequence[str]) -> None:
    """Warn of documents that were not as expected."""
    for message in messages:
        warnings.warn(message, StaleDeleteWarning, stacklevel=2)
