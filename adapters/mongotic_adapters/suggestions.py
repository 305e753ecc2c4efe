"""What a user may have meant by a name that does not exist; the end of messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 1000
"""Names that are looked at; to compare takes some microseconds each."""


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """Return `; did you mean 'age'?`, or nothing if no name is close to *name*."""
    if not isinstance(name, str) or len(name) > MOST:
        return ""
    found = get_close_matches(name, list(names)[:MOST], n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
