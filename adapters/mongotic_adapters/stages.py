"""The pipeline of a calculation: `$match`, `$sort`, `$group`, `$match`, `$sort`, `$skip`, `$limit`, `$project`.

Asked by `flows.calculating`.  A row's values lie under the positions of their columns.  An order by keys of documents
comes before everything is computed, so that an index can help it; one by computed values comes after.
"""

from __future__ import annotations

from typing import cast

from . import compiler
from .aggregates import nothing
from .calculation import Calculation
from .column_reader import ColumnReader, missing_key
from .columns import column_of
from .commands import Read, matching
from .computed import Scope, aggregates_in, rendered
from .distinct import column_value
from .encoding import Document
from .errors import ArgumentError
from .odmantic_internals import FieldProxy
from .scopes import DocumentScope, GroupScope
from .selection import Selected, unlabelled

Sort = list[tuple[object, int]]
"""Expressions to sort by, each with a direction."""


def pipeline(asked: Calculation, read: Read, *, once: bool) -> list[Document]:
    """Return the stages that give one document per row.

    Arguments:
        asked: what is computed.
        read: the condition, and how many rows.
        once: each distinct row is given once.

    Raises:
        ArgumentError: something is selected or sorted by that has many values in a row.
    """
    try:
        return _pipeline(asked, read, once)
    except RecursionError:
        raise ArgumentError("a computed value is nested too deeply. Nothing was sent.") from None


def counting(asked: Calculation, read: Read, *, once: bool) -> list[Document]:
    """Return the stages that give the number of rows under `n`, or no document for none."""
    return [*pipeline(asked, read, once=once), {"$count": "n"}]


def _pipeline(asked: Calculation, read: Read, once: bool) -> list[Document]:
    documents = DocumentScope(asked.mapping, compiler.condition)
    stages = matching(read.filter)
    row: Document = {}
    scope: Scope = documents
    if asked.by_group:
        scope = groups = GroupScope(documents, asked.keys)
        for column in asked.columns:
            row |= _of_group(column, groups)
        sort, inner = _orders(asked, groups, documents)
        having: list[Document] = [{"$match": groups.filter(criterion)} for criterion in asked.having]
        stages += [*_sorted_documents(inner), *_grouping(asked, groups), *having]
    else:
        for column in asked.columns:
            row |= _of_document(column, documents)
        sort = [(rendered(value, documents), direction) for value, direction in asked.order]
    if not once:
        return [*stages, *_rows(row, sort, read)]
    return [*stages, *_once(row, [rendered(column.value, scope) for column in asked.columns], sort, read)]


# -- the values of a row ------------------------------------------------------------------------------------------


def _of_document(column: Selected, documents: DocumentScope) -> Document:
    if column.reader is None:
        return {column.key: rendered(column.value, documents)}
    return _shown(column.key, column.reader)


def _of_group(column: Selected, groups: GroupScope) -> Document:
    value = rendered(column.value, groups)
    if column.reader is None or column.reader.takes_null:
        return {column.key: value}
    # What tells whether the field was missing lies beside the key.
    number = cast("str", value).rpartition(".")[2]
    return {column.key: value, missing_key(int(column.key)): f"$_id.{missing_key(int(number))}"}


def _shown(key: str, reader: ColumnReader) -> Document:
    """Return what a row shows of a field, and where null is no value of it, whether it is missing."""
    value = column_value(reader)
    if reader.takes_null:  # the server puts null for what is missing; elsewhere, null is an error and that is not
        return {key: value}
    return {key: value, missing_key(int(key)): {"$eq": [{"$type": value}, "missing"]}}


# -- groups -------------------------------------------------------------------------------------------------------


def _grouping(asked: Calculation, groups: GroupScope) -> list[Document]:
    """Return the stages that make the groups; without keys, all documents are one, and none of them too."""
    if asked.keys:
        keys: Document = {}
        for number, key in enumerate(asked.keys):
            field = unlabelled(key)
            if isinstance(field, FieldProxy):
                keys |= _shown(str(number), ColumnReader(column_of(field)))
            else:
                keys[str(number)] = {"$ifNull": [groups.keys[number], None]}
        return [{"$group": {"_id": keys, **groups.accumulators}}]
    empty = {name: {"$literal": nothing(accumulator)} for name, accumulator in groups.accumulators.items()}
    return [
        {"$group": {"_id": None, **groups.accumulators}},
        {"$facet": {"all": [{"$limit": 1}]}},
        {"$replaceRoot": {"newRoot": {"$ifNull": [{"$arrayElemAt": ["$all", 0]}, {"_id": None, **empty}]}}},
    ]


def _orders(asked: Calculation, groups: GroupScope, documents: DocumentScope) -> tuple[Sort, Sort]:
    """Return the order of the groups, and that of the documents in each.

    What has one value in a group sorts the groups; the rest decides which document is the first of a group.
    """
    of_groups: Sort = []
    of_documents: Sort = []
    for value, way in asked.order:
        try:
            of_groups.append((rendered(value, groups), way))
        except ArgumentError:
            if not _is_ordered(asked) or any(True for _ in aggregates_in(value)):
                raise
            of_documents.append((rendered(value, documents), way))
    return of_groups, of_documents


def _sorted_documents(sort: Sort) -> list[Document]:
    if not sort:
        return []
    if all(_path(by) for by, _ in sort):
        return [{"$sort": {_path(by): way for by, way in sort}}]
    names = {f"order {number}": by for number, (by, _) in enumerate(sort)}
    return [{"$set": names}, {"$sort": dict(zip(names, (way for _, way in sort), strict=True))}]


def _is_ordered(asked: Calculation) -> bool:
    return any(found.ordered for column in asked.columns for found in aggregates_in(column.value))


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(row: Document, sort: Sort, read: Read) -> list[Document]:
    if all(_path(by) for by, _ in sort):
        first: list[Document] = [{"$sort": {_path(by): way for by, way in sort}}] if sort else []
        return [*first, *_range(read), {"$project": {"_id": 0, **row}}]
    names = {f"order {number}": by for number, (by, _) in enumerate(sort)}
    return [
        {"$project": {"_id": 0, **row, **names}},
        {"$sort": dict(zip(names, (way for _, way in sort), strict=True))},
        *_range(read),
        {"$unset": list(names)},
    ]


def _once(row: Document, values: list[object], sort: Sort, read: Read) -> list[Document]:
    """Return the stages that give each row once, sorted by some of its *values*."""
    order: Document = {}
    for by, way in sort:
        if by not in values:
            raise ArgumentError(
                "order_by() with distinct() takes what is selected, for the documents of one row may differ in the "
                "rest; select it too, or leave distinct() out"
            )
        order[f"_id.{values.index(by)}"] = way
    first: list[Document] = [{"$sort": order}] if order else []
    return [{"$group": {"_id": row}}, *first, *_range(read), {"$replaceRoot": {"newRoot": "$_id"}}]


def _range(read: Read) -> list[Document]:
    skip: list[Document] = [{"$skip": read.skip}] if read.skip else []
    return skip if read.limit is None else [*skip, {"$limit": read.limit}]


def _path(by: object) -> str:
    """Return the dotted path that an expression is, or nothing."""
    return by[1:] if isinstance(by, str) and by.startswith("$") and not by.startswith("$$") else ""
