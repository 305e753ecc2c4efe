"""What the database is believed to hold for one instance, and the difference to what the instance holds now.

A snapshot is the instance's encoded document as BSON bytes.  Bytes, because nothing a user does to a list or an
embedded model can reach into them, because they cost one object for the garbage collector, and because comparing them
settles at once what "the same value" means: the same bytes in the database.  Datetimes are therefore compared at
milliseconds and as instants, aware or naive.

Called by `bookkeeping` and `unit_of_work`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import bson
from bson.codec_options import CodecOptions
from odmantic import Model

from .encoding import Document, encode_instance, encoder, is_document
from .errors import ArgumentError
from .mapping import Mapping
from .shown import shown

Codec = CodecOptions[Document]

# The driver's type for it leaves the array type among its arguments open.
_decode = cast("Callable[[bytes, Codec], Document]", bson.decode)  # pyright: ignore[reportUnknownMemberType]

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""What MongoDB accepts as one document."""


@dataclass(slots=True)
class Difference:
    """What an update has to write.

    Attributes:
        assigned: dotted path -> value, for `$set`.
        removed: dotted paths, for `$unset`.
        created: those of the assigned paths that the document has nothing under.
    """

    assigned: Document = field(default_factory=lambda: cast("Document", {}))
    removed: list[str] = field(default_factory=lambda: cast("list[str]", []))
    created: list[str] = field(default_factory=lambda: cast("list[str]", []))

    def __bool__(self) -> bool:
        return bool(self.assigned or self.removed)

    def as_update(self) -> Document:
        """Return the update document of MongoDB's `update` command."""
        update: Document = {}
        if self.assigned:
            update["$set"] = self.assigned
        if self.removed:
            update["$unset"] = dict.fromkeys(self.removed, "")
        return update

    def condition(self) -> Document:
        """Return what a document must be like for the update to fit: nobody else's embedded document is overwritten,
        and none is made up of a single field.
        """
        parents = {path.rpartition(".")[0] for path in (*self.assigned, *self.removed) if "." in path}
        condition: Document = {parent: {"$type": "object"} for parent in sorted(parents)}
        condition.update((path, {"$exists": False}) for path in self.created)
        return condition

    def top_level_keys(self) -> set[str]:
        """Return the document's keys at or under which something differs."""
        return {path.partition(".")[0] for path in (*self.assigned, *self.removed)}


def take(mapping: Mapping, instance: Model, codec: Codec) -> bytes:
    """Return the snapshot of *instance* as it is now.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
    """
    document = encode_instance(mapping, instance)
    return _encoded(document, codec, lambda: _name(mapping, instance))


def _name(mapping: Mapping, instance: Model) -> str:
    return f"{mapping.name} {shown(mapping.key_of(instance))}"


def taker(mapping: Mapping, codec: Codec) -> Callable[[Model], bytes]:
    """Return a function that takes snapshots of instances of one class; see `take`."""
    encode, as_bson = encoder(mapping), bson.encode

    def taken(instance: Model) -> bytes:
        try:
            encoded = as_bson(encode(instance), False, codec)
        except Exception:  # noqa: BLE001  # whatever it was: `take` says of which instance
            return take(mapping, instance, codec)
        return encoded if len(encoded) <= MAX_DOCUMENT_BYTES else take(mapping, instance, codec)

    return taken


def encode_document(document: Document, codec: Codec, name: str) -> bytes:
    """Return *document* as BSON.

    Arguments:
        document: what to encode.
        codec: the codec options of the collection.
        name: what to call the document in an error.

    Raises:
        ArgumentError: a value cannot be stored, or the document is larger than 16 MiB.
    """
    return _encoded(document, codec, lambda: name)


def encode_keyed(mapping: Mapping, document: Document, codec: Codec) -> bytes:
    """Return a whole document of a model as BSON; see `encode_document`."""
    return _encoded(document, codec, lambda: f"{mapping.name} {document['_id']!r}")


def _encoded(document: Document, codec: Codec, name: Callable[[], str]) -> bytes:
    try:
        encoded = bson.encode(document, False, codec)
    except Exception as error:  # the driver asks a value for its repr to refuse it, which may raise anything
        raise ArgumentError(f"{name()} cannot be stored: {error}. Nothing was sent.") from error
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise ArgumentError(
            f"{name()} cannot be stored: it has {len(encoded):,} bytes and MongoDB takes at most "
            f"{MAX_DOCUMENT_BYTES:,}. Nothing was sent. Move the largest part to a collection of its own, or to GridFS."
        )
    return encoded


def decode(snapshot: bytes, codec: Codec) -> Document:
    """Return the document a snapshot holds."""
    return _decode(snapshot, codec)


def difference(before: bytes, after: bytes, codec: Codec) -> Difference:
    """Return what turns the document *before* into *after*.

    Embedded documents differ by key, lists as a whole.
    """
    found = Difference()
    if before != after:
        _compare(decode(before, codec), decode(after, codec), "", found)
    return found


def _compare(before: Document, after: Document, prefix: str, found: Difference) -> None:
    for key, value in after.items():
        if key not in before:
            found.assigned[_path(prefix, key)] = value
        elif not same(before[key], value):
            path, earlier = _path(prefix, key), before[key]
            if is_document(earlier) and is_document(value) and _addressable(earlier, value):
                _compare(earlier, value, f"{path}.", found)
            else:
                found.assigned[path] = value
    found.removed.extend(_path(prefix, key) for key in before if key not in after)


def _path(prefix: str, key: str) -> str:
    if not _is_step(key):
        raise ArgumentError(
            f"the key {key!r} of a document was changed, but no update command can name a key that is empty, "
            "begins with $ or has a dot in it. Nothing was sent. Store it under another key."
        )
    return f"{prefix}{key}"


def same(before: object, after: object) -> bool:
    """Tell whether two decoded values are the same in the database: equal, of one type, and NaN equals itself."""
    kind = type(before)
    if kind is not type(after):
        return False
    if kind in _ALIKE_IF_EQUAL:  # most of what there is
        return before == after
    if isinstance(before, dict):
        one, other = cast("Document", before), cast("Document", after)
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(before, list):
        items, others = cast("list[object]", before), cast("list[object]", after)
        return len(items) == len(others) and all(map(same, items, others))
    if isinstance(before, float):
        return repr(before) == repr(after)  # NaN is itself, and -0.0 is not 0.0
    return before == after


_ALIKE_IF_EQUAL: frozenset[type] = frozenset({str, int, bool, bytes, type(None), bson.ObjectId, datetime.datetime})


MISSING = object()
"""What `at` gives where a document has nothing."""


def at(document: Document, path: str) -> object:
    """Return the value under a dotted path."""
    found: object = document
    for step in path.split("."):
        if not is_document(found) or step not in found:
            return MISSING
        found = found[step]
    return found


def _is_step(key: str) -> bool:
    """Tell whether a key can be part of a dotted path."""
    return bool(key) and "." not in key and not key.startswith("$")


def _addressable(before: Document, after: Document) -> bool:
    """Tell whether the keys of two embedded documents can be written one by one.

    A key with a dot or a leading dollar cannot be part of a path, and documents that differ in nothing but the order
    of their keys can only be written whole.  Where more than the order differs, the order is not worth the keys that
    others may have stored.
    """
    if not all(map(_is_step, (*before, *after))):
        return False
    return before.keys() != after.keys() or not all(same(value, after[key]) for key, value in before.items())
