"""What statements give: `Result` for writes; `ScalarResult`, `SelectResult` and `Row` for queries.

`Result` is made by both sessions; the other classes are defined in `query_results` and `mongotic_adapters.rows`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import bson

from mongotic_adapters.commands import WriteReport
from mongotic_adapters.rows import Row

from .query_results import ScalarResult, SelectResult

__all__ = ["Result", "Row", "ScalarResult", "SelectResult", "deleted", "inserted", "updated"]


@dataclass(frozen=True)
class Result:
    """What a write statement did.

    Attributes:
        rowcount: documents inserted, modified or deleted; -1 when writes are not acknowledged (`w=0`).
        matched_count: documents that fitted the condition of an update, changed by it or not; -1 when not acknowledged.
        modified_count: documents an update changed; -1 when not acknowledged.
        inserted_primary_keys: the keys of the inserted documents, in order.
    """

    rowcount: int
    matched_count: int = 0
    modified_count: int = 0
    inserted_primary_keys: list[object] = field(default_factory=lambda: cast("list[object]", []))

    @property
    def inserted_ids(self) -> list[str | Any]:  # strings, unless the model has keys of a type of its own
        """The keys of the inserted documents, in order; an ObjectId is given as its string."""
        return [str(key) if isinstance(key, bson.ObjectId) else key for key in self.inserted_primary_keys]


def inserted(keys: list[object], acknowledged: bool) -> Result:
    """Return the result of an insert."""
    return Result(rowcount=len(keys) if acknowledged else -1, inserted_primary_keys=keys)


def updated(report: WriteReport) -> Result:
    """Return the result of an update."""
    matched, modified = (-1 if count is None else count for count in (report.matched, report.modified))
    return Result(rowcount=modified, matched_count=matched, modified_count=modified)


def deleted(report: WriteReport) -> Result:
    """Return the result of a delete."""
    return Result(rowcount=-1 if report.deleted is None else report.deleted)
