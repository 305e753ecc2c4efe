"""What an update statement is to do: one assignment for every document that fits, or one row for each key.

Made by the facade's `update()`; the flows make commands of it.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from .commands import Modify, WriteReport
from .compiler import conjunction
from .driver_errors import adopted, explained, row_error
from .encoding import Document, encode_field, is_document
from .errors import ArgumentError, ArgumentTypeError, BulkUpdateError
from .mapping import Mapping
from .port import ALL, Failure, WriteFailed
from .shown import shown
from .update_changes import Changes, UpdateDocument
from .upserts import as_upsert
from .validation import validated


@dataclass(frozen=True, eq=False, slots=True)
class Assignment:
    """What is changed, and in which elements of lists."""

    changes: Changes
    array_filters: list[Document] | None = None

    def resolved(self, condition: Document, *, upsert: bool) -> tuple[Document, UpdateDocument]:
        """Return the filter and the update that are sent.

        Raises:
            ArgumentError: an upsert would store a document that does not fit the model.
        """
        if upsert:
            return condition, as_upsert(self.changes.mapping, condition, self.changes)
        return conjunction(condition, self.changes.within), self.changes.as_update()


@dataclass(frozen=True, eq=False, slots=True)
class KeyedRow:
    """One row of an update by a list: a key, and what becomes of its document.

    Attributes:
        key: the `_id`.
        condition: the key and the shard key, as a filter.
        what: what is changed.
    """

    key: object
    condition: Document
    what: Assignment

    def operation(self, condition: Document, *, upsert: bool) -> Modify:
        """Return what is sent.

        Arguments:
            condition: what the statement asks of every document.
            upsert: store a new document if there is none.
        """
        asked, update = self.what.resolved(conjunction(self.condition, condition), upsert=upsert)
        return Modify(asked, update, self.what.array_filters, upsert)


def keyed_row(row: object, common: Changes, criteria: AnyMapping[str, object], where: str) -> KeyedRow:
    """Return one dict of `update().values([...])` as a row.

    Arguments:
        row: the primary key and, for a sharded model, the shard key; and what is changed.
        common: what is changed in every document.
        criteria: what names of elements in paths stand for.
        where: how an error message begins.

    Raises:
        ArgumentTypeError: it is no dict.
        ArgumentError: it has no key, nothing to set, or what `values()` refuses.
    """
    mapping = common.mapping
    if not isinstance(row, AnyMapping):
        raise ArgumentTypeError(f"{where} takes dicts with the primary key in them, got {shown(row)}")
    given: dict[Any, object] = dict(cast("AnyMapping[Any, object]", row))
    condition: Document = {}
    for field in (mapping.fields[mapping.primary], *mapping.shard_key):
        name = _name_of(mapping, field.name, given)
        if name is None:
            raise ArgumentError(f"{where}: {shown(given)} does not say which document: {field.name!r} is missing")
        key = encode_field(field, validated(mapping, field, given.pop(name), where))
        condition[field.key] = {"$eq": key} if is_document(key) else key
    changes = common.added(given, where)
    if not changes:
        raise ArgumentError(f"{where}: {shown(cast('object', row))} has nothing to set")
    key = condition["_id"]
    used = {name: criterion for name, criterion in criteria.items() if name in changes.names}
    what = Assignment(changes, changes.array_filters(used))
    return KeyedRow(key["$eq"] if is_document(key) else key, condition, what)


def _name_of(mapping: Mapping, name: str, given: dict[Any, object]) -> object | None:
    """Return the key of a row that stands for a field: its name, `_id`, or its column."""
    key = mapping.fields[name].key
    for one in given:
        if one.__class__ is str:
            if one == name or one == key == "_id":
                return cast("object", one)
        elif getattr(one, "key_", None) == key:
            return cast("object", one)
    return None


class RowsProgress:
    """How far the rows of one statement have come.

    Arguments:
        mapping: the model.
        rows: the rows.
    """

    def __init__(self, mapping: Mapping, rows: Sequence[KeyedRow]) -> None:
        self.mapping = mapping
        self.rows = rows
        self.done: list[int] = []
        self.failures: list[tuple[int, Failure]] = []
        self.matched = self.modified = 0
        self.upserted: dict[int, object] = {}
        self.acknowledged = True

    def written(self, positions: range, report: WriteReport) -> None:
        """Note that rows were carried out as the server counted them."""
        self.done += positions
        self._count(positions, report)

    def failed(self, positions: range, failure: WriteFailed, *, ordered: bool) -> None:
        """Note which rows of a batch failed, and which were carried out all the same."""
        wrong = {one.position for one in failure.failures}
        if failure.completed == ALL:
            self.done += positions
        elif wrong and ordered:
            self.done += positions[: min(wrong)]
        elif wrong:
            self.done += [number for position, number in enumerate(positions) if position not in wrong]
        self.failures += [(positions[one.position], one) for one in failure.failures]
        counted = failure.report or failure.counted
        if counted is not None:
            self._count(positions, counted)

    def _count(self, positions: range, report: WriteReport) -> None:
        self.acknowledged = report.acknowledged
        self.matched += report.matched or 0
        self.modified += report.modified or 0
        self.upserted.update((positions[position], key) for position, key in report.upserted.items())

    def report(self) -> WriteReport:
        """Return what was done."""
        if not self.acknowledged:
            return WriteReport(acknowledged=False)
        return WriteReport(self.matched, self.modified, upserted=self.upserted)

    def error(self, failure: WriteFailed | None = None, *, undone: bool = False) -> BulkUpdateError:
        """Return the error for the rows that failed.

        Arguments:
            failure: what broke the statement off, if no row did.
            undone: a transaction is undone with it.
        """
        if undone:
            self.done, self.matched, self.modified = [], 0, 0
        if self.failures:
            number, first = self.failures[0]
            reason, certain = first.error, True
            what = f"update({self.mapping.name}) failed in row {number} ({shown(self.rows[number].key)})"
        else:
            reason = cast("WriteFailed", failure).error
            certain = cast("WriteFailed", failure).certain
            what = f"update({self.mapping.name}) by rows failed"
        doubt = "" if certain else " Whether the others reached the server is not known."
        if undone:
            doubt = " The transaction is undone."
        message = (
            f"{what}: {explained(reason)} Carried out: {len(self.done)} of {len(self.rows)} rows, with {self.modified} "
            f"documents modified.{doubt}"
        )
        error = adopted(BulkUpdateError, message, reason)
        done = set(self.done)
        error.written = sorted(done)
        error.pending = [number for number in range(len(self.rows)) if number not in done]
        error.errors = [row_error(one, number, self.rows[number].key) for number, one in self.failures]
        error.matched_count, error.modified_count = self.matched, self.modified
        return error
