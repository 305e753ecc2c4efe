"""The pipeline that gives distinct rows: `$match`, `$group`, `$sort`, `$skip`, `$limit`.

Asked by `flows.querying`.  The server groups by what the rows will show: a default stands in for a missing key before,
so that a document without the key and one that holds the default give one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from .column_reader import ColumnReader, missing_key
from .commands import Read, matching
from .encoding import Document
from .errors import ArgumentError
from .projection import Projection

Expression = object
"""What MongoDB computes: a document, or the text that names a field."""


def pipeline(read: Read, projection: Projection) -> list[Document]:
    """Return the stages that give one document per distinct row, each value under the position of its column.

    Where null is no value of a column, `missing_key` tells whether the field was missing.
    """
    positions = {reader.key: index for index, reader in enumerate(projection.readers)}
    stages = matching(read.filter)
    row: Document = {}
    for index, reader in enumerate(projection.readers):
        row[str(index)] = value = column_value(reader)
        if not reader.takes_null:  # the server puts null for what is missing; here, null is an error and that is not
            row[missing_key(index)] = {"$eq": [{"$type": value}, "missing"]}
    stages.append({"$group": {"_id": row}})
    if read.sort:
        stages.append({"$sort": {f"_id.{positions[key]}": direction for key, direction in read.sort}})
    if read.skip:
        stages.append({"$skip": read.skip})
    if read.limit is not None:
        stages.append({"$limit": read.limit})
    return [*stages, {"$replaceRoot": {"newRoot": "$_id"}}]


def counting(read: Read, projection: Projection) -> list[Document]:
    """Return the stages that give the number of distinct rows under `n`, or no document for none."""
    return [*pipeline(read, projection), {"$count": "n"}]


def expect_sortable(sort: Sequence[tuple[str, int]], projection: Projection) -> None:
    """Check that distinct rows can be sorted.

    Raises:
        ArgumentError: by a field that is not selected, which has many values for one row.
    """
    keys = {reader.key for reader in projection.readers}
    for key, _ in sort:
        if key not in keys:
            selected = ", ".join(reader.dotted for reader in projection.readers)
            raise ArgumentError(
                f"order_by() with distinct() takes selected columns only ({selected}), got {key!r}: the documents of "
                "one row may differ in it. Select it too, or leave distinct() out"
            )


def column_value(reader: ColumnReader) -> Expression:
    """Return the expression for what a row shows of a column: a default stands in for a missing key."""
    return _value(reader, 0, "$")


def _value(reader: ColumnReader, depth: int, base: str) -> Expression:
    """Return the expression for the value of a column from the step at *depth* on.

    Arguments:
        reader: the column.
        depth: the step.
        base: the document at that step: `$`, or a variable with a dot.
    """
    step = reader.path[depth]
    here = f"{base}{step.key}"
    missing: Document = {"case": {"$eq": [{"$type": here}, "missing"]}, "then": _fallback(reader, depth)}
    if depth == len(reader.path) - 1:
        return {"$switch": {"branches": [missing], "default": here}}
    null: Document = {"case": {"$eq": [here, None]}, "then": None if reader.takes_null else "$$REMOVE"}
    if not step.many:
        return {"$switch": {"branches": [missing, null], "default": _value(reader, depth + 1, f"{here}.")}}
    variable = f"item{depth}"
    each: Document = {"$map": {"input": here, "as": variable, "in": _value(reader, depth + 1, f"$${variable}.")}}
    # What should be a list and is none is given as it is, and refused when the row is made.
    other = cast("Document", {"case": {"$not": [{"$isArray": here}]}, "then": here})
    return {"$switch": {"branches": [missing, null, other], "default": each}}


def _fallback(reader: ColumnReader, depth: int) -> Expression:
    value = reader.fallback(depth)
    if value is not None:
        return {"$literal": value}
    # Missing and null are one row where null fits; where it does not, a null is an error and a missing key is not.
    return None if reader.takes_null else "$$REMOVE"
