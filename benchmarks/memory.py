"""How far the memory of this process rises while something is done.

Used by functions that run in a process of their own (`fresh`), so that nothing freed before is used again unnoticed.
What is measured is the resident memory the system counts, not what Python's allocator says of itself.
"""

from __future__ import annotations

import gc
import re
import resource
import sys
from pathlib import Path
from types import TracebackType

_STATUS = Path("/proc/self/status")
_FORGET_PEAK = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures the `with` block it guards.

    On Linux the peak since the block began, above what was in use then.  Elsewhere the system tells only the peak of
    the whole life of the process, so that a block which stays below an earlier peak counts as nothing.

    Attributes:
        megabytes: the peak above where memory stood when the block began.
    """

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._before = 0.0

    def __enter__(self) -> PeakMemory:
        gc.collect()
        if _STATUS.exists():
            _FORGET_PEAK.write_text("5")
        self._before = _peak()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.megabytes = _peak() - self._before


def _peak() -> float:
    """Return the peak of this process so far, in megabytes."""
    if _STATUS.exists():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        if found is not None:
            return int(found[1]) / 1024
    # Bytes on macOS, kilobytes elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
