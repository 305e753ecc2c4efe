"""Ranges of documents in the order of `_id`, whatever types the keys have.

Asked by `run` for the next range.  MongoDB compares with `$gt` inside one type only: after the last number, `$gt`
finds no string.  So the walk goes through the types one after the other.  The order of the types is of no importance;
that each key belongs to exactly one of them is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from bson import CodecOptions
from bson.codec_options import DatetimeConversion
from pymongo.collection import Collection

from ..connection import Document

# Every key comes back as it is stored, dates beyond Python's and UUIDs too.
EXACT = CodecOptions[Document](dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO)


@dataclass(frozen=True)
class Bracket:
    """Keys that MongoDB compares with each other.

    Attributes:
        name: what the checkpoint calls it.
        condition: what every key in it fits, and no other key.
        is_single: at most one key can be in it.
    """

    name: str
    condition: Document
    is_single: bool = False


def _of_type(name: str, *, is_single: bool = False) -> Bracket:
    return Bracket(name, {"$type": name}, is_single)


BRACKETS = (
    _of_type("minKey", is_single=True),
    _of_type("null", is_single=True),
    # Not a number: no number is greater or less than it, so that it could be the end of no range.
    Bracket("nan", {"$eq": float("nan")}, is_single=True),
    Bracket("number", {"$type": "number", "$gte": float("-inf")}),
    Bracket("string", {"$type": ["string", "symbol"]}),
    _of_type("object"),
    _of_type("binData"),
    _of_type("objectId"),
    _of_type("bool"),
    _of_type("date"),
    _of_type("timestamp"),
    _of_type("dbPointer"),
    _of_type("javascript"),
    _of_type("javascriptWithScope"),
    _of_type("maxKey", is_single=True),
)
"""Every type that a key may have: MongoDB refuses lists, regular expressions and undefined."""

_INDEX = {bracket.name: index for index, bracket in enumerate(BRACKETS)}


@dataclass(frozen=True)
class Position:
    """How far a walk has come: everything up to the key `after` of that bracket, and every bracket before it.

    Attributes:
        bracket: the name of the bracket.
        after: the last key that is done, in a list of one; an empty list for none of the bracket.
    """

    bracket: str = BRACKETS[0].name
    after: tuple[object, ...] = ()

    def stored(self) -> Document:
        """Return the position as the checkpoint holds it."""
        return {"bracket": self.bracket, "after": list(self.after)}

    @classmethod
    def read(cls, stored: Document) -> Position:
        """Return the position a checkpoint holds."""
        return cls(stored["bracket"], tuple(cast("list[object]", stored["after"])))


@dataclass(frozen=True)
class IdRange:
    """Some documents that follow each other.

    Attributes:
        bracket: the type of their keys.
        after: their keys are greater than this one, if it is given.
        last: the greatest of their keys.
    """

    bracket: Bracket
    after: tuple[object, ...]
    last: object

    def condition(self, filter_: Document) -> Document:
        """Return the condition of the documents in the range that fit *filter_*."""
        return _conjunction(filter_, _keys(self.bracket, self.after, (self.last,)))

    def up_to(self, key: object) -> Position:
        """Return where the walk stands once everything up to *key* is done."""
        return Position(self.bracket.name, (key,))


def next_range(collection: Collection[Document], filter_: Document, position: Position, size: int) -> IdRange | None:
    """Return the range of the next documents that fit *filter_*: `find` commands on the index of `_id`.

    Arguments:
        collection: the documents.
        filter_: a condition; empty for every document.
        position: where the range begins.
        size: how many documents.

    Returns:
        The range; None if there are no more documents.
    """
    keys = collection.with_options(codec_options=EXACT)
    after = position.after
    for bracket in BRACKETS[_INDEX[position.bracket] :]:
        if not (bracket.is_single and after):
            wanted = _conjunction(filter_, _keys(bracket, after, ()))
            # With the hint, one pass over the index is all that the whole walk costs, whatever else the filter asks.
            found = keys.find(wanted, {"_id": 1}).sort("_id", 1).limit(size).hint([("_id", 1)])
            ids = [document["_id"] for document in found]
            if ids:
                return IdRange(bracket, after, ids[-1])
        after = ()
    return None


def _keys(bracket: Bracket, after: tuple[object, ...], last: tuple[object, ...]) -> Document:
    condition = dict(bracket.condition)
    if not bracket.is_single:
        condition.update(("$gt", key) for key in after)
        condition.update(("$lte", key) for key in last)
    return {"_id": condition}


def _conjunction(filter_: Document, keys: Document) -> Document:
    return {"$and": [keys, filter_]} if filter_ else keys
