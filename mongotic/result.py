"""What statements give: `Result` for writes; `ScalarResult`, `SelectResult` and `Row` for queries.

`Result` is made by both sessions; the other classes are defined in `query_results` and `mongotic_adapters.rows`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import bson

from mongotic_adapters.commands import WriteReport
from mongotic_adapters.flows.inserting import Inserted
from mongotic_adapters.rows import Row

from .query_results import ScalarResult, SelectResult

__all__ = ["Result", "Row", "ScalarResult", "SelectResult", "deleted", "inserted", "updated"]


@dataclass(frozen=True)
class Result:
    """What a write statement did.

    Attributes:
        rowcount: documents modified by an update, removed by a delete, stored by an insert (and modified, where that
            has a rule for existing keys); -1 when writes are not acknowledged (`w=0`).
        matched_count: documents that fitted the condition of an update, changed by it or not, or that an insert found
            in its way; -1 when not acknowledged.
        modified_count: documents an update changed; -1 when not acknowledged.
        inserted_primary_keys: the keys of the documents that were stored, in order.
    """

    rowcount: int
    matched_count: int = 0
    modified_count: int = 0
    inserted_primary_keys: list[object] = field(default_factory=lambda: cast("list[object]", []))

    @property
    def inserted_ids(self) -> list[str | Any]:  # strings, unless the model has keys of a type of its own
        """The keys of the documents that were stored, in order; an ObjectId is given as its string."""
        return [str(key) if isinstance(key, bson.ObjectId) else key for key in self.inserted_primary_keys]

    @property
    def upserted_id(self) -> object:
        """The key of the document that an update stored because none fitted, an ObjectId as its string; None if one
        did."""
        return self.inserted_ids[0] if self.inserted_primary_keys else None


def inserted(done: Inserted) -> Result:
    """Return the result of an insert."""
    if not done.acknowledged:
        return Result(-1, -1, -1, done.keys)
    return Result(len(done.keys) + done.modified, done.matched, done.modified, done.keys)


def updated(report: WriteReport) -> Result:
    """Return the result of an update."""
    matched, modified = (-1 if count is None else count for count in (report.matched, report.modified))
    keys = [report.upserted[position] for position in sorted(report.upserted)]
    return Result(modified, matched, modified, keys)


def deleted(report: WriteReport) -> Result:
    """Return the result of a delete."""
    return Result(rowcount=-1 if report.deleted is None else report.deleted)
