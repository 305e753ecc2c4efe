"""The queries that `select()` makes of computed values.

A query knows its model by its columns.  `select(func.count())` has none: `select_from(User)` says it, or the first
condition on a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from odmantic import Model

from mongotic_adapters import calculation
from mongotic_adapters.commands import Read
from mongotic_adapters.mapping import Mapping, mapping_of

from .exceptions import ArgumentError
from .expressions import Criterion
from .select_statement import Select

R = TypeVar("R")


def of_calculated(entities: Sequence[object]) -> Select[Any]:  # the overloads of select() say of what
    """Return the query for columns and computed values."""
    asked = calculation.calculation(entities)
    return Placeless[Any](entities) if asked is None else Select(Read(asked.mapping), calculation=asked)


class Placeless(Select[R]):
    """A query that does not say yet whose documents it asks for.

    Arguments:
        entities: what is selected.
    """

    def __init__(self, entities: Sequence[object]) -> None:
        object.__setattr__(self, "entities", entities)

    def __getattr__(self, name: str) -> Any:  # of the attributes that a query with a model has
        raise ArgumentError(
            "nothing selected says whose documents are meant; write select(...).select_from(User), or count a column: "
            "func.count(User.id)"
        )

    def select_from(self, model: type[Model]) -> Any:  # another class, which Self cannot name
        """Say whose documents are meant; see `Select.select_from`."""
        return self._placed(mapping_of(model))

    def where(self, *criteria: Criterion) -> Any:  # the same
        """Restrict the statement; a column in a condition says whose documents are meant.  See `Select.where`."""
        return self._placed(self._mapping(criteria)).where(*criteria)

    def group_by(self, *keys: object) -> Any:  # the same
        """Give one row for all documents that have the same values; see `Select.group_by`."""
        return self._placed(self._mapping(keys)).group_by(*keys)

    def order_by(self, *clauses: object) -> Any:  # the same
        """Sort the result; see `Select.order_by`."""
        return self._placed(self._mapping(clauses)).order_by(*clauses)

    def _mapping(self, clauses: Sequence[object]) -> Mapping:
        mapping = calculation.model_of(clauses)
        return self.command.mapping if mapping is None else mapping

    def _placed(self, mapping: Mapping) -> Select[R]:
        asked = calculation.of_model(mapping, cast("Sequence[object]", self.__dict__["entities"]))
        return Select(Read(mapping), calculation=asked)

    def __repr__(self) -> str:
        return "select(...), of which model is not said yet"
