"""Runs a flow without an event loop.

Called by the blocking session, whose port never suspends: one `send(None)` takes a flow to its end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import TypeVar, cast

T = TypeVar("T")


def run(flow: Coroutine[object, None, T]) -> T:
    """Run *flow* to its end and return its result.

    Raises:
        RuntimeError: the flow suspended, which only a port that is not a blocking one can cause.
    """
    try:
        flow.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    flow.close()
    raise RuntimeError("a blocking port must not suspend")


def iterate(stream: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what *stream* yields; it is closed on every way out."""
    try:
        while True:
            # A step of an asynchronous generator is driven as a coroutine is, and one around it would only take time.
            step = cast("Coroutine[object, None, T]", anext(stream))
            try:
                yield run(step)
            except StopAsyncIteration:
                return
    finally:
        run(_close(stream))


async def _close(stream: AsyncGenerator[T, None]) -> None:
    await stream.aclose()
