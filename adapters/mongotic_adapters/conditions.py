"""Conditions on the documents of one model: what comparisons give, and what joins them.

Made by `columns` and `computed`; the statements take them in `where()` and `having()`.  A condition is ODMantic's
`QueryExpression`, so that ODMantic's engine takes it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from . import odmantic_internals as odm
from .encoding import Document
from .errors import ArgumentTypeError
from .mapping import Mapping as Mapped


class Expression(odm.QueryExpression):
    """A condition on the documents of one model.

    Attributes:
        mapping: the model.
    """

    def __init__(self, mapping: Mapped | None, condition: Document) -> None:
        super().__init__(condition)
        self.mapping = mapping

    def __and__(self, other: odm.QueryExpression) -> Expression:
        return combined("$and", [self, other])

    def __or__(self, other: odm.QueryExpression) -> Expression:  # type: ignore[override]  # dict's | means a union
        return combined("$or", [self, other])

    def __invert__(self) -> Expression:
        return combined("$nor", [self])

    def __bool__(self) -> NoReturn:
        raise ArgumentTypeError(
            "a condition is neither true nor false: combine conditions with and_(), or_() and not_(), or with &, | and "
            "~, not with the words and, or, not"
        )


def combined(operator: str, conditions: Iterable[Mapping[str, object]]) -> Expression:
    """Return the condition that joins others by `$and`, `$or` or `$nor`."""
    # Of several models: the statement that gets it compares each part with its own.
    return Expression(None, {operator: list(conditions)})
