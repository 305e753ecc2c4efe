"""What users write in statements and what is never a value: the encoder refuses it with words.

`computed.Computed` and the facade's statements derive from it.
"""

from __future__ import annotations

from .errors import ArgumentError


class StatementPart:
    """A part of a statement."""

    __slots__ = ()

    def refusal(self) -> ArgumentError:
        """Return the error for one that was given where a value belongs, which says what to write instead."""
        raise NotImplementedError
