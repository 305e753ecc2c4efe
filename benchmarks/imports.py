"""How long imports take, in a process that has imported nothing of them before; see `fresh`.

Used by `w13_import`.  This file imports nothing that mongotic or ODMantic would have to import.
"""

import gc
import importlib
import sys
import time


def milliseconds(modules: list[str]) -> list[float]:
    """Import one after the other and return how long each took on top of those before it.

    What those before it have left to the garbage collector is collected first: ODMantic's import ends shortly before
    the first full collection, and the next import, whosever it is, would pay for all of ODMantic's objects.

    Raises:
        ImportError: one had been imported before, and would cost nothing.
    """
    took: list[float] = []
    for module in modules:
        if module in sys.modules:
            raise ImportError(f"{module} was imported before it could be measured")
        gc.collect()
        start = time.perf_counter()
        importlib.import_module(module)
        took.append(1e3 * (time.perf_counter() - start))
    return took
