"""Documents as they were read: decoded, and the bytes they came in.

Made by the ports from the batches the driver gives; the bytes serve as snapshots (see `snapshot`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import bson
from bson.raw_bson import RawBSONDocument

from .encoding import Document

if TYPE_CHECKING:
    from .snapshot import Codec

Record: TypeAlias = tuple[Document, bytes]
"""A document and its BSON."""

# The driver's types leave the array type among their arguments open.
_decode_all = cast("Callable[[bytes, Codec], list[Document]]", bson.decode_all)  # pyright: ignore[reportUnknownMemberType]


def split(batch: bytes | RawBSONDocument, codec: Codec) -> list[Record]:
    """Return the documents of one batch.

    Arguments:
        batch: documents one after the other, as `find_raw_batches` gives them; or one document, from a client that
        encrypts
            fields, which cannot give raw batches.
        codec: the codec options of the collection.
    """
    data = bytes(batch.raw) if isinstance(batch, RawBSONDocument) else batch
    documents = _decode_all(data, codec)
    records: list[Record] = []
    start = 0
    for document in documents:
        # A BSON document begins with its length, in four bytes.
        end = start + int.from_bytes(data[start : start + 4], "little")
        records.append((document, data[start:end]))
        start = end
    return records
