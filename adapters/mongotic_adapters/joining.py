"""Documents together with those they refer to: the pipeline with a `$lookup` per reference, and what it gives.

Asked by `flows.references`.  Each document is kept whole under a key of its own (`$replaceWith`), so that its bytes are
those of the stored document and can serve as its snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import bson

from .across import CROSSING
from .commands import Read, matching
from .encoding import Document
from .identity_map import IdentityKey, identity_key
from .load_plan import LoadPlan
from .mapping import FieldMap, Mapping
from .records import Record

if TYPE_CHECKING:
    from .snapshot import Codec

Pool = dict[Mapping, dict[IdentityKey, Record]]
"""Documents by model and key."""

_DOCUMENT = "document"
"""Where the pipeline puts the document that was asked for."""


class Joined(list[Record]):
    """Records, with those of the documents they refer to.

    Attributes:
        pool: the others.
    """

    def __init__(self, records: Iterable[Record], pool: Pool) -> None:
        super().__init__(records)
        self.pool = pool


@dataclass(frozen=True, slots=True)
class Join:
    """One `$lookup`.

    Attributes:
        target: the model that is looked up.
        stage: the stage.
        key: where its documents are put.
    """

    target: Mapping
    stage: Document
    key: str


def joins(mapping: Mapping, plan: LoadPlan, can_join: Callable[[Mapping], bool]) -> list[Join]:
    """Return the lookups a plan asks for, outer ones first."""
    return list(_joins(mapping, plan, can_join, _DOCUMENT, "joined"))


def _joins(
    mapping: Mapping, plan: LoadPlan, can_join: Callable[[Mapping], bool], place: str, prefix: str
) -> Iterator[Join]:
    for number, field in enumerate(mapping.references):
        target = cast("Mapping", field.target)
        if plan.joins(field.name) and can_join(target):
            key = f"{prefix}_{number}"
            yield _lookup(field, place, key)
            yield from _joins(target, plan.within(field.name), can_join, key, key)


def _lookup(field: FieldMap, place: str, key: str) -> Join:
    target = cast("Mapping", field.target)
    lookup = {"from": target.collection, "localField": f"{place}.{field.key}", "foreignField": "_id", "as": key}
    return Join(target, {"$lookup": lookup}, key)


def pipeline(read: Read, wanted: Sequence[Join]) -> list[Document]:
    """Return the stages that give the documents of *read*, each under a key of its own, with what they refer to."""
    stages = matching(read.filter)
    if not read.sorts_across:
        if read.sort:
            stages.append({"$sort": dict(read.sort)})
        return [*stages, *_bounds(read), _WHOLE, *(join.stage for join in wanted)]
    lookups: dict[str, Document] = {}
    keys = {_sorted_by(read.mapping, key, _DOCUMENT, lookups): direction for key, direction in read.sort}
    stages += [_WHOLE, *lookups.values()]
    stages.append({"$sort": keys})
    stages += _bounds(read)
    stages.append({"$unset": list(lookups)})
    return [*stages, *(join.stage for join in wanted)]


_WHOLE: Document = {"$replaceWith": {_DOCUMENT: "$$ROOT"}}


def _bounds(read: Read) -> Iterator[Document]:
    if read.skip:
        yield {"$skip": read.skip}
    if read.limit is not None:
        yield {"$limit": read.limit}


def sort_targets(read: Read) -> Iterator[Mapping]:
    """Yield the models whose documents decide the order of *read*."""
    for key, _ in read.sort:
        mapping = read.mapping
        while CROSSING in key:
            root, _, key = key.partition(CROSSING)  # one step of the path after the other
            mapping = cast("Mapping", mapping.by_key[root].target)
            yield mapping


def ordered_documents(read: Read) -> list[Document]:
    """Return the stages that give the documents of *read*, or their keys of its projection, in an order that other
    documents decide."""
    stages = pipeline(read, [])
    stages.append({"$replaceWith": f"${_DOCUMENT}"})
    if read.projection is not None:
        stages.append({"$project": read.projection})
    return stages


def _sorted_by(mapping: Mapping, key: str, place: str, lookups: dict[str, Document]) -> str:
    """Return the key to sort by, and add the lookups it takes."""
    root, crossing, rest = key.partition(CROSSING)
    if not crossing:
        return f"{place}.{key}"
    field = mapping.by_key[root]
    found = f"by_{root}" if place == _DOCUMENT else f"{place}_{root}"
    lookups[found] = _lookup(field, place, found).stage
    return _sorted_by(cast("Mapping", field.target), rest, found, lookups)


def split(
    mapping: Mapping, wanted: Sequence[Join], found: Iterable[bytes], codec_of: Callable[[Mapping], Codec]
) -> Joined:
    """Return the records in what the pipeline gave."""
    codec = codec_of(mapping)
    pool: Pool = {join.target: {} for join in wanted}
    targets = {join.key: join.target for join in wanted}
    seen: set[bytes] = set()
    records: list[Record] = []
    for data in found:
        for key, value in _parts(data):
            if key == _DOCUMENT:
                records.append((_decode(value, codec), value))
                continue
            target = targets[key]
            for _, document in _parts(value):
                if document not in seen:
                    seen.add(document)
                    decoded = _decode(document, codec_of(target))
                    pool[target][identity_key(target, decoded["_id"])] = (decoded, document)
    return Joined(records, pool)


def _parts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the documents and arrays in a BSON document that has nothing else in it: each begins with its length."""
    position = 4
    while data[position]:
        start = data.index(0, position) + 1
        end = start + int.from_bytes(data[start : start + 4], "little")
        yield data[position + 1 : start - 1].decode(), data[start:end]
        position = end


# The driver's type for it leaves the array type among its arguments open.
_decode = cast("Callable[[bytes, Codec], Document]", bson.decode)  # pyright: ignore[reportUnknownMemberType]
