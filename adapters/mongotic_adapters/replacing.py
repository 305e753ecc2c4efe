"""`dataclasses.replace` for frozen dataclasses that are replaced with every clause of a statement.

Used by the facade's statements.  That of the standard library asks each field in turn and calls `__init__`, which sets
each attribute of a frozen one the long way: that was two thirds of what a statement
takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["replaced"]

if TYPE_CHECKING:
    from dataclasses import replace as replaced  # checkers know which attributes it takes
else:

    def replaced(instance, /, **changes):
        """Return a copy of a dataclass that has neither slots nor `__post_init__`, with some attributes changed."""
        copy = object.__new__(type(instance))
        copy.__dict__.update(instance.__dict__, **changes)
        return copy
