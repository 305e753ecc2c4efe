"""Streams: results walked once, in constant memory.

Made by `Session.stream`, `Session.stream_scalars` and `Session.watch`; the awaiting twin is in
`mongotic.asyncio.streaming`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from typing_extensions import Self

from mongotic_adapters.flows import driving

from .select_statement import amount

T = TypeVar("T")


class Stream(Generic[T]):
    """Gives one item after the other, once.  Its cursor is closed at the end, by `close`, or at the end of a `with`
    block; a stream that is left early should be closed by one of these."""

    def __init__(self, items: AsyncGenerator[T, None], *, opened: bool = False) -> None:
        """Describe a stream.

        Arguments:
            items: what it gives.
            opened: it is opened now, and not by its first step; the first of the items tells that it is, and is nobody
                else's.
        """
        self._stream = items
        self._items = driving.iterate(items)
        if opened:
            next(self._items)

    def __iter__(self) -> Iterator[T]:
        """Give one after the other.

        Raises:
            DocumentError: a document does not fit the model.
            OperationalError: the driver or the server failed.
        """
        return self

    def __next__(self) -> T:
        return next(self._items)

    def partitions(self, size: int) -> Iterator[list[T]]:
        """Give lists of up to *size* items.

        Raises:
            ArgumentError: the size is not positive.
        """
        amount("partitions", size, least=1)
        while part := [item for _, item in zip(range(size), self, strict=False)]:  # in this order none is lost
            yield part

    def close(self) -> None:
        """Close the cursor; the stream gives nothing more."""
        driving.run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
