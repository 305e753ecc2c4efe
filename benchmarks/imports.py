"""How long imports take, in a process that has imported nothing of them before; see `fresh`.

Used by W13 and by `further`.  This file imports nothing that mongotic or ODMantic would have to import.
"""

import importlib
import sys
import time


def milliseconds(modules: list[str]) -> list[float]:
    """Import one after the other and return how long each took on top of those before it.

    Raises:
        ImportError: one had been imported before, and would cost nothing.
    """
    took: list[float] = []
    for module in modules:
        if module in sys.modules:
            raise ImportError(f"{module} was imported before it could be measured")
        start = time.perf_counter()
        importlib.import_module(module)
        took.append(1e3 * (time.perf_counter() - start))
    return took
