"""What two libraries have read, taken down so that nobody can change it any more, and compared by value and order.

Called by `shadow`.  Instances are taken down as the bytes of their documents: those of the caller must be, before the
caller gets them and changes them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeAlias, cast

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from odmantic import Model

from mongotic_adapters import snapshot
from mongotic_adapters.encoding import Document, encode_instance, encode_key, encode_value
from mongotic_adapters.mapping import Mapping, class_mapping

logger = logging.getLogger("mongotic.shadow")

MOST_DIFFERENCES = 20

_CODEC = CodecOptions[Document](
    dict, uuid_representation=UuidRepresentation.STANDARD, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)

Outcome: TypeAlias = Literal["same", "different", "changing", "failed"]


@dataclass(frozen=True)
class Seen:
    """One instance, or one value, as it was read.

    Attributes:
        model: the name of its class; empty for a value.
        key: its primary key; None for a value.
        document: its document, or the value as one.
        references: what its references led to.
    """

    model: str
    key: object = field(compare=False)
    document: bytes
    references: tuple[tuple[str, Seen], ...] = ()

    def values(self) -> Document:
        """Return the values, those of referred documents under their paths."""
        found = snapshot.decode(self.document, _CODEC)
        for name, target in self.references:
            found.update({f"{name}.{path}": value for path, value in target.values().items()})
        return found


@dataclass(frozen=True)
class Difference:
    """One thing that the two have read differently.

    Attributes:
        position: where in the result, from 0.
        key: the document's key.
        path: the field; "document" where the other library has another document there, or none; "order" where the
            documents are the same in another order.
        odmantic: what ODMantic has read.
        mongotic: what mongotic has read.
    """

    position: int
    key: object
    path: str
    odmantic: object
    mongotic: object


@dataclass(frozen=True)
class Comparison:
    """One call, done by both.

    Attributes:
        name: what the caller calls it.
        outcome: "same"; "different"; "changing", where they differed at first and agreed when both were asked again,
            because somebody wrote in between; "failed", where the statement raised an error.
        odmantic_seconds: how long ODMantic took.
        mongotic_seconds: how long mongotic took; None if it failed.
        differences: what differs; the first ones.
        error: what was raised.
    """

    name: str
    outcome: Outcome
    odmantic_seconds: float
    mongotic_seconds: float | None = None
    differences: tuple[Difference, ...] = ()
    error: Exception | None = None


def log(comparison: Comparison) -> None:
    """Write a comparison to the log `mongotic.shadow`: names, keys and times, and no values of users."""
    times = f"ODMantic {comparison.odmantic_seconds * 1000:.1f} ms"
    if comparison.mongotic_seconds is not None:
        times += f", mongotic {comparison.mongotic_seconds * 1000:.1f} ms"
    if comparison.outcome == "failed":
        logger.warning("%s: the statement failed: %r (%s)", comparison.name, comparison.error, times)
    elif comparison.outcome == "different":
        where = "; ".join(f"{one.path} of {one.key!r} at {one.position}" for one in comparison.differences)
        logger.warning("%s: different: %s (%s)", comparison.name, where, times)
    else:
        logger.debug("%s: %s (%s)", comparison.name, comparison.outcome, times)


def taken_down(result: object) -> tuple[Seen, ...]:
    """Return what a call has given: a list, an instance, a number, or None for nothing."""
    if result is None:
        return ()
    items = cast("list[object]", result) if isinstance(result, list) else [result]
    return tuple(_seen(item) for item in items)


def _seen(item: object) -> Seen:
    if not isinstance(item, Model):
        return Seen("", None, bson.encode({"value": encode_value(item)}, codec_options=_CODEC))
    mapping = class_mapping(type(item))
    references = tuple(_targets(mapping, item))
    document = bson.encode(encode_instance(mapping, item), codec_options=_CODEC)
    return Seen(mapping.name, encode_key(item), document, references)


def _targets(mapping: Mapping, instance: Model) -> Iterator[tuple[str, Seen]]:
    for one in mapping.references:
        target: object = instance.__dict__.get(one.name)
        # Of references that ODMantic does not have it knows the keys alone, which are in the document.
        if isinstance(target, Model) and not one.is_special:
            yield one.name, _seen(target)


def differences(odmantic: tuple[Seen, ...], mongotic: tuple[Seen, ...]) -> tuple[Difference, ...]:
    """Return how two results differ; nothing if they are the same."""
    if odmantic == mongotic:
        return ()
    ours, theirs = (
        [(one.model, _bytes(one.key)) for one in odmantic],
        [(one.model, _bytes(one.key)) for one in mongotic],
    )
    if ours != theirs and sorted(ours) == sorted(theirs):
        position = next(index for index, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
        order = [one.key for one in odmantic], [one.key for one in mongotic]
        return (Difference(position, odmantic[position].key, "order", *order),)
    return tuple(islice(_compared(odmantic, mongotic), MOST_DIFFERENCES))


def _compared(odmantic: tuple[Seen, ...], mongotic: tuple[Seen, ...]) -> Iterator[Difference]:
    for position in range(max(len(odmantic), len(mongotic))):
        one = odmantic[position] if position < len(odmantic) else None
        other = mongotic[position] if position < len(mongotic) else None
        if one is None or other is None or (one.model, _bytes(one.key)) != (other.model, _bytes(other.key)):
            keys = None if one is None else one.key, None if other is None else other.key
            yield Difference(position, keys[0] if one is not None else keys[1], "document", *keys)
        elif one != other:
            yield from _fields(position, one, other)


def _fields(position: int, one: Seen, other: Seen) -> Iterator[Difference]:
    before, after = one.values(), other.values()
    for path in {**before, **after}:
        if not (path in before and path in after and snapshot.same(before[path], after[path])):
            yield Difference(position, one.key, path, before.get(path), after.get(path))


def _bytes(key: object) -> bytes:
    return bson.encode({"": key}, codec_options=_CODEC)
