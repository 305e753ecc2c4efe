"""`insert()`: new documents beside the unit of work.  No listener is told: there are no instances to be told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from odmantic import Model

from .. import odmantic_internals as odm
from .. import single_document, snapshot
from ..bulk import batches
from ..collector import paused
from ..commands import USUAL, Insert, Operation, SendOptions, WriteReport
from ..conflicts import OnConflict
from ..driver_errors import flush_error, integrity_error, row_error
from ..encoding import Document, encode_field, encode_instance
from ..errors import FlushError, InvalidRequestError
from ..mapping import Mapping, class_mapping
from ..options import expect_no_concern
from ..port import ALL, Failure, Port, WriteFailed


class NewDocument:
    """One document of an `insert()` statement, encoded when the statement was written: later changes do not reach it.

    Attributes:
        instance: what it was made of, for errors.
        document: what is stored.
        fresh_key: its key was made up, so each execution makes up another.
    """

    __slots__ = ("document", "fresh_key", "instance")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(self, instance: Model, *, fresh_key: bool = False) -> None:
        self.instance = instance
        mapping = class_mapping(type(instance))
        self.document = encode_instance(mapping, instance)
        if mapping.version is not None and mapping.version.name not in instance.model_fields_set:
            self.document[mapping.version.key] = single_document.FIRST_VERSION
        self.fresh_key = fresh_key


@dataclass(slots=True)
class Inserted:
    """What an `insert()` statement did.

    Attributes:
        keys: the keys of the documents that were stored, in order.
        acknowledged: whether the server confirmed it.
        matched: documents that were there already, where the statement has a rule for them.
        modified: those of them that were changed.
    """

    keys: list[object]
    acknowledged: bool
    matched: int
    modified: int


class _Progress:
    """How far the rows of one statement have come.

    Arguments:
        mapping: the model.
        rows: what the statement stores.
        encoded: their documents, in the same order.
        rule: what becomes of existing keys.
    """

    def __init__(
        self, mapping: Mapping, rows: Sequence[NewDocument], encoded: Sequence[Document], rule: OnConflict | None
    ) -> None:
        self.mapping = mapping
        self.rows = rows
        self.encoded = encoded
        self.upserts = rule is not None and bool(rule.fields)
        self.skips = rule is not None and not rule.fields
        self.stored: set[int] = set()
        self.skipped: set[int] = set()
        self.failures: list[tuple[int, Failure]] = []
        self.acknowledged = True
        self.matched = self.modified = 0

    def written(self, positions: range, report: WriteReport) -> None:
        """Note that rows were carried out as the server counted them."""
        self.acknowledged = report.acknowledged
        self.matched += report.matched or 0
        self.modified += report.modified or 0
        if self.upserts and report.acknowledged:
            self.stored.update(positions[position] for position in report.upserted)
        else:
            self.stored.update(positions)

    def failed(self, positions: range, failure: WriteFailed, *, ordered: bool) -> None:
        """Note which rows of a batch failed, and which were carried out all the same."""
        wrong = {one.position for one in failure.failures}
        if failure.completed == ALL:
            carried_out = list(positions)
        elif not wrong:  # nobody knows
            carried_out = []
        elif ordered:
            carried_out = list(positions[: min(wrong)])
        else:
            carried_out = [number for position, number in enumerate(positions) if position not in wrong]
        counted = failure.report or failure.counted
        if self.upserts:
            if counted is not None:
                self.written(positions, counted)
        else:
            self.stored.update(carried_out)
        for one in failure.failures:
            if self.skips and one.duplicate:
                self.skipped.add(positions[one.position])
            else:
                self.failures.append((positions[one.position], one))

    def error(self, failure: WriteFailed | None = None, *, undone: bool = False) -> FlushError:
        """Return the error for the rows that failed.

        Arguments:
            failure: what broke the statement off, if no row did.
            undone: a transaction is undone with it.
        """
        rows = [row.instance for row in self.rows]
        written = [instance for number, instance in enumerate(rows) if number in self.stored]
        done = self.stored | self.skipped
        pending = [instance for number, instance in enumerate(rows) if number not in done]
        errors = [row_error(one, number, self.encoded[number]["_id"]) for number, one in self.failures]
        made: FlushError
        if self.failures:
            number, first = self.failures[0]
            name = f"{self.mapping.name} {self.encoded[number]['_id']!r}"
            reason = WriteFailed(0, first.error, duplicate=first.duplicate)
            if first.duplicate:
                made = integrity_error(reason, rows[number], name, written, pending)
            else:
                made = flush_error(reason, f"insert of {name}", written, pending)
        else:
            made = flush_error(cast("WriteFailed", failure), "insert", written, pending)
        if len(errors) > 1:
            made.args = (f"{made.args[0]} {len(errors)} rows failed; `errors` has each.",)
        made.errors = errors
        if undone:
            made.undone(rows)
        return made


async def insert(
    port: Port,
    mapping: Mapping,
    documents: Sequence[NewDocument],
    rule: OnConflict | None = None,
    *,
    ordered: bool = True,
    options: SendOptions = USUAL,
) -> Inserted:
    """Store new documents: one `insert` command, or one bulk of upserts where there is a rule for existing keys.

    Arguments:
        port: where to.
        mapping: the model.
        documents: what to store.
        rule: what becomes of documents that are there already; None for an error.
        ordered: the first row that fails is the last one tried.
        options: how the command is to be carried out.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
        InvalidRequestError: the rule needs to know the index, because a transaction is under way; or the statement has
            a write concern of its own.
        IntegrityError: a unique key exists already; `written` has the instances that were stored, and
            `errors` each row that failed.
        FlushOperationalError: the driver or the server failed.
    """
    expect_no_concern(options, in_transaction=port.in_transaction)
    if rule is not None and not rule.fields and port.in_transaction:
        raise InvalidRequestError(
            f"insert({mapping.name}).on_conflict_do_nothing(): an existing key ends a transaction; "
            " say which fields are unique: on_conflict_do_nothing(index_elements=[...])"
        )
    encoded = [_with_key(mapping, document) for document in documents]
    progress = _Progress(mapping, documents, encoded, rule)
    ordered = ordered and not progress.skips
    operations = _operations(port, mapping, encoded, rule)
    for start, batch in batches(mapping, operations, port.codec(mapping), ordered=ordered, options=options):
        positions = range(start, start + len(batch.operations))
        try:
            report = await port.write(batch)
        except WriteFailed as failure:
            progress.failed(positions, failure, ordered=ordered)
            if ordered or not failure.failures or port.in_transaction:
                raise progress.error(failure, undone=port.in_transaction) from failure.error
            continue
        progress.written(positions, report)
        if report.interruption is not None:
            raise report.interruption
    if progress.failures:
        raise progress.error() from progress.failures[0][1].error
    keys = [document["_id"] for number, document in enumerate(encoded) if number in progress.stored]
    return Inserted(keys, progress.acknowledged, progress.matched, progress.modified)


def _operations(port: Port, mapping: Mapping, encoded: Sequence[Document], rule: OnConflict | None) -> list[Operation]:
    codec = port.codec(mapping)
    # A document by itself is measured, too: as part of an upsert it has the same limit.
    with paused:
        inserts = [Insert(snapshot.encode_keyed(mapping, document, codec)) for document in encoded]
    if rule is None or not rule.fields:
        return list(inserts)
    return [rule.operation(mapping, document) for document in encoded]


def _with_key(mapping: Mapping, document: NewDocument) -> Document:
    if not document.fresh_key:
        return document.document
    primary = mapping.fields[mapping.primary]
    return {**document.document, "_id": encode_field(primary, odm.default_key(mapping.document_model))}
