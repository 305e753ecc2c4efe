"""What a command about one document asks for besides its key: the shard key, and the version it was read at.

Called by `unit_of_work`.  A model without `__shard_key__` and `__version_field__` is asked for by `_id` alone.
"""

from __future__ import annotations

from . import snapshot
from .encoding import Document, encode_field
from .errors import ArgumentError
from .mapping import FieldMap, Mapping
from .snapshot import Codec, Difference

FIRST_VERSION = 1


def has_conditions(mapping: Mapping) -> bool:
    """Tell whether the key alone does not do."""
    return mapping.version is not None or bool(mapping.shard_key)


def condition(mapping: Mapping, believed: Document) -> Document:
    """Return what the filter of an update or a removal asks for besides the key.

    Arguments:
        mapping: the model.
        believed: what the database is believed to hold.
    """
    asked = shard_condition(mapping, believed)
    if mapping.version is not None:
        asked[mapping.version.key] = _as_read(mapping.version, believed)
    return asked


def shard_condition(mapping: Mapping, document: Document) -> Document:
    """Return the values of the shard key in *document*."""
    return {field.key: document[field.key] for field in mapping.shard_key if field.key in document}


def expect_same_shard(mapping: Mapping, believed: Document, now: Document, name: str) -> None:
    """Check that a document stays where it is.

    Raises:
        ArgumentError: the shard key differs; nothing was sent.
    """
    for field in mapping.shard_key:
        if field.key in believed and not snapshot.same(believed[field.key], now.get(field.key)):
            raise _shard_changed(field, name)


def _shard_changed(field: FieldMap, name: str) -> ArgumentError:
    return ArgumentError(
        f"{name}: {field.name!r} is part of the shard key, which a document keeps. Nothing was sent. Delete it, flush, "
        "and add a new one with the other value."
    )


def _as_read(field: FieldMap, believed: Document) -> object:
    """Return the version as a filter asks for it: one that stands for a default may be missing in the document."""
    version = believed.get(field.key)
    default = field.default()
    if isinstance(default, int) and encode_field(field, default) == version:
        return {"$in": [version, None]}
    return version


def version_of(mapping: Mapping, document: Document) -> int:
    """Return the version that *document* has."""
    found = document.get(mapping.version.key) if mapping.version is not None else None
    return found if isinstance(found, int) else 0


def step(field: FieldMap) -> int:
    """Return by how much `$inc` counts a version up that nobody has read.

    Of a missing version it makes the step itself, which must not be the default that stands for a missing one.
    """
    default = field.default()
    return max(default, 0) + 1 if isinstance(default, int) else 1


def with_version(mapping: Mapping, field: FieldMap, after: bytes, version: int, codec: Codec) -> bytes:
    """Return a snapshot with another version."""
    document = snapshot.decode(after, codec)
    document[field.key] = version
    return snapshot.encode_document(document, codec, mapping.name)


def expect_writable(mapping: Mapping, found: Difference, name: str) -> None:
    """Check that an update changes neither the shard key nor the version.

    Raises:
        ArgumentError: it does; nothing was sent.
    """
    for field in mapping.shard_key:
        if field.key in found.top_level_keys():
            raise _shard_changed(field, name)
    if mapping.version is not None and mapping.version.key in found.top_level_keys():
        raise ArgumentError(
            f"{name}: {mapping.version.name!r} is the version field, which the session counts. Nothing was sent. "
            "Leave it as it is, or refresh() the instance."
        )
