"""Python's cyclic garbage collector, paused while a batch of documents becomes instances.

Used by `flows.materialising`.  Nothing that is made then is garbage yet, but every few hundred new objects let
the collector look through all of them again: two thirds of the time of a large read.  The policy:

1. It is paused for the time of one batch and never across an `await`: at most some thousand documents.
2. Pauses nest, across threads too; the last one to end switches it on again, on every way out.
3. A collector that the program has switched off itself stays off; nothing else of it is touched.
4. `MONGOTIC_GC=keep` in the environment, or `pause_collector(False)`, leaves it alone altogether.
"""

from __future__ import annotations

import gc
import os
import threading
from types import TracebackType


class _Paused:
    """The block during which the collector is paused; there is one for all."""

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self._lock = threading.Lock()
        self._depth = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._was_enabled = self.wanted and gc.isenabled()
                if self._was_enabled:
                    gc.disable()
            self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._was_enabled:
                gc.enable()


paused = _Paused(wanted=os.environ.get("MONGOTIC_GC") != "keep")
"""`with paused:` around what makes many objects and waits for nothing."""


def pause_collector(wanted: bool) -> None:  # a switch
    """Say whether mongotic may pause Python's cyclic garbage collector while it reads a batch of documents.

    Arguments:
        wanted: it may, as it does unless the environment has `MONGOTIC_GC=keep`.
    """
    paused.wanted = wanted
