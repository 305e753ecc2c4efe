"""What every statement with a condition shares: `where` and `filter_by`."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from typing_extensions import Self

from mongotic_adapters import compiler
from mongotic_adapters.commands import Read
from mongotic_adapters.errors import ArgumentError
from mongotic_adapters.replacing import replaced
from mongotic_adapters.statement_part import StatementPart
from mongotic_adapters.unsupported import subquery

from .expressions import Criterion


@dataclass(frozen=True, eq=False, repr=False)
class Filtered(StatementPart):
    """A statement with a condition; see `Select`, `Update`, `Delete`."""

    command: Read

    def _with(self, read: Read) -> Self:
        return replaced(self, command=read)

    def refusal(self) -> ArgumentError:
        """Return the error for a statement inside of another one; for mongotic alone."""
        return subquery()

    def where(self, *criteria: Criterion) -> Self:
        """Restrict the statement to documents that fit every criterion.

        Called again, it restricts further.  Comparison is MongoDB's: `!=` and `not_in` also match documents in which
        the field is null or missing.

        Arguments:
            *criteria: conditions such as `User.age > 18`, or filter dicts as MongoDB takes them: the string of an
                ObjectId is a string in a dict, and the ObjectId in `User._id == text`.

        Returns:
            A new statement; its `find`, `update` or `delete` command has the conditions in its filter.

        Raises:
            ArgumentTypeError: a criterion is a real bool or no condition at all.
            ArgumentError: a condition names a field of another model.
        """
        read = self.command
        for criterion in criteria:
            found = compiler.condition(read.mapping, criterion)
            read = replaced(read, filter=compiler.conjunction(read.filter, found))
        return self._with(read)

    @property
    def whereclause(self) -> dict[str, object] | None:
        """The filter as MongoDB takes it, a copy; None for every document."""
        return copy.deepcopy(self.command.filter) or None

    def filter_by(self, **values: object) -> Self:
        """Restrict the statement to documents whose fields equal *values*.

        Arguments:
            **values: field names with values; a dict is a value here, never an operator.

        Returns:
            A new statement; each field is compared by `$eq`.

        Raises:
            ArgumentError: a field is unknown.
        """
        read = self.command
        for name, value in values.items():
            found = compiler.equality(read.mapping, name, value)
            read = replaced(read, filter=compiler.conjunction(read.filter, found))
        return self._with(read)
