"""How messages show values of users: short, and whatever they are.

`repr` itself fails for what is nested a thousand levels deep, for integers of more than 4300 digits, and for objects
whose own `__repr__` fails; and it would print all of a list of a million.
"""

from __future__ import annotations

import reprlib

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 12


def shown(value: object) -> str:
    """Return *value* as a message has it."""
    try:
        return _short.repr(value)
    except Exception:  # noqa: BLE001  # a message about one error must not end in another
        return f"<{type(value).__name__}>"
