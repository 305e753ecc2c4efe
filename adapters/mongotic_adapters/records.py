"""Documents as they were read: the bytes they came in, decoded a few at a time.

Made by the ports from the batches the driver gives; `flows.materialising` makes instances of them, and the bytes serve
as snapshots (see `snapshot`).  A decoded document is needed until there is an instance of it, so that few of them are
about at any time: the processor's cache holds them, and the garbage collector never sees most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias, cast, overload

import bson
from bson.raw_bson import RawBSONDocument

from .encoding import Document

if TYPE_CHECKING:
    from .snapshot import Codec

Record: TypeAlias = tuple[Document, bytes]
"""A document and its BSON."""

DECODED_AT_ONCE = 200
"""How many documents are decoded by one call; twice as many are no faster, and ten times as many are slower."""

# The driver's types leave the array type among their arguments open.
_decode_all = cast("Callable[[bytes, Codec], list[Document]]", bson.decode_all)  # pyright: ignore[reportUnknownMemberType]


class Records(Sequence[Record]):
    """The documents of one or more batches, each decoded when it is looked at.

    Arguments:
        codec: the codec options of the collection.
        decoding: gives the context documents are decoded in, which raises errors of mongotic.
    """

    __slots__ = ("_codec", "_decoding", "_stored")

    def __init__(self, codec: Codec, decoding: Callable[[], AbstractContextManager[None]]) -> None:
        self._codec = codec
        self._decoding = decoding
        self._stored: list[bytes] = []

    def add(self, batch: bytes | RawBSONDocument) -> None:
        """Add the documents of a batch.

        Arguments:
            batch: documents one after the other, as `find_raw_batches` gives them; or one document, from a client that
                encrypts fields, which cannot give raw batches.
        """
        data = bytes(batch.raw) if isinstance(batch, RawBSONDocument) else batch
        start, size, stored = 0, len(data), self._stored
        while start < size:
            # A BSON document begins with its length, in four bytes.
            end = start + int.from_bytes(data[start : start + 4], "little")
            stored.append(data[start:end])
            start = end

    def chunks(self) -> Iterator[list[Record]]:
        """Yield the documents, some at a time.

        Raises:
            OperationalError: a document cannot be decoded.
        """
        stored = self._stored
        if len(stored) <= DECODED_AT_ONCE:
            if stored:
                yield self._decoded(stored)
            return
        for start in range(0, len(stored), DECODED_AT_ONCE):
            yield self._decoded(stored[start : start + DECODED_AT_ONCE])

    def _decoded(self, stored: list[bytes]) -> list[Record]:
        with self._decoding():
            documents = _decode_all(b"".join(stored), self._codec)
        return list(zip(documents, stored, strict=True))

    def __len__(self) -> int:
        return len(self._stored)

    def __iter__(self) -> Iterator[Record]:
        for chunk in self.chunks():
            yield from chunk

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        if isinstance(place, slice):
            return self._decoded(self._stored[place])
        return self._decoded([self._stored[place]])[0]


def chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Yield documents some at a time, decoded."""
    if isinstance(records, Records):
        yield from records.chunks()
        return
    for start in range(0, len(records), DECODED_AT_ONCE):
        yield records[start : start + DECODED_AT_ONCE]
