"""Commands that say where they come from: PyMongo's `comment`, shown by the server's profiler, logs and `currentOp`.

Put around collections by `binding`, for sessions that ask for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from .driver_calls import Collection

COMMENTED = frozenset(
    {"find", "find_raw_batches", "aggregate", "watch", "count_documents", "insert_one", "insert_many", "bulk_write"}
    | {"update_one", "update_many", "replace_one", "delete_one", "delete_many"}
    | {"find_one_and_update", "find_one_and_delete"}
)
OWN = frozenset({"mongotic", "mongotic_adapters", "contextlib"})
"""The packages whose code is on the way from the program to the driver."""


class CommentedCollection:
    """A collection of PyMongo or Motor whose commands carry a comment, unless they are given one."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:  # as the driver types it
        found = getattr(self._collection, name)
        return partial(_commented, found) if name in COMMENTED else found

    def with_options(self, *arguments: Any, **options: Any) -> Collection:
        """Return the same collection with other options; it comments as well."""
        return cast("Collection", CommentedCollection(self._collection.with_options(*arguments, **options)))


def commented(collection: Collection) -> Collection:
    """Return *collection* as one whose commands say which line of the program has sent them."""
    return cast("Collection", CommentedCollection(collection))


def _commented(method: Callable[..., object], *arguments: object, **options: object) -> object:
    options.setdefault("comment", origin())
    return method(*arguments, **options)


def origin() -> str:
    """Return the line of the program that asks: `shop.orders:42 in pay`, and the span it works in, if there is one."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # inspect.stack() reads every file on the way
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in OWN:
        frame = frame.f_back
    line = f"{frame.f_globals.get('__name__')}:{frame.f_lineno} in {frame.f_code.co_name}"
    trace = sys.modules.get("opentelemetry.trace")
    context = None if trace is None else cast("Any", trace).get_current_span().get_span_context()
    if context is None or not context.is_valid:
        return line
    return f"{line} traceparent=00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
