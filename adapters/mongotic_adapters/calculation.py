"""What a query asks beside documents: computed columns, groups, and conditions on groups.

Made by the facade's `select()` and its clauses; `stages` makes the pipeline of it, and `flows.calculating` asks it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import ValidationError

from . import compiler
from .columns import Expression, column_of
from .computed import Key, Ordering, aggregates_in, is_computed, parts_of
from .encoding import Document
from .errors import ArgumentError, ArgumentTypeError, DocumentError
from .mapping import Mapping
from .odmantic_internals import FieldProxy
from .rows import AnyRow, row_class
from .scopes import DocumentScope
from .selection import Selected
from .shown import shown
from .values_validator import Values

Order = tuple[object, int]
"""A column or computed value, and 1 or -1."""


@dataclass(frozen=True, eq=False)
class Calculation:
    """What is computed for a query.

    Attributes:
        mapping: the model.
        columns: what is selected.
        keys: what is grouped by.
        having: the conditions on groups.
        order: what is sorted by, most significant first.
    """

    mapping: Mapping
    columns: tuple[Selected, ...]
    keys: tuple[object, ...] = ()
    having: tuple[object, ...] = ()
    order: tuple[Order, ...] = ()

    # -- clauses -------------------------------------------------------------------------------------------------

    def grouped(self, keys: Sequence[object]) -> Calculation:
        """Return the same, grouped by more."""
        found = tuple(self._resolved(key, "group_by()") for key in keys)
        for key in found:
            compiler.expression(self.mapping, key)  # refuses what has no value in a document
        return replace(self, keys=(*self.keys, *found))

    def filtered(self, criteria: Sequence[object]) -> Calculation:
        """Return the same with more conditions on groups."""
        return replace(self, having=(*self.having, *criteria))

    def sorted(self, clauses: Sequence[object]) -> Calculation:
        """Return the same, sorted by more; a single None takes the order away."""
        if len(clauses) == 1 and clauses[0] is None:
            return replace(self, order=())
        return replace(self, order=(*self.order, *(pair for clause in clauses for pair in self._ordered(clause))))

    def _ordered(self, clause: object) -> list[Order]:
        if isinstance(clause, Ordering):
            return [(clause.node, clause.direction)]
        if isinstance(clause, str) or is_computed(clause):
            return [(self._resolved(clause, "order_by()"), 1)]
        pairs = compiler.ordering(self.mapping, clause)
        if isinstance(clause, FieldProxy):
            return [(clause, 1)]
        return [(Key(key), direction) for key, direction in pairs]

    def _resolved(self, clause: object, where: str) -> object:
        """Return what a clause means: a column or computed value, or the selected one of that name."""
        if not isinstance(clause, str):
            if isinstance(clause, FieldProxy):
                compiler.expression(self.mapping, clause)  # refuses another model's
            elif not is_computed(clause):
                raise ArgumentTypeError(
                    f"{where} takes columns, computed values and names of labels, got {shown(clause)}"
                )
            return clause
        for column, name in zip(self.columns, self.names, strict=True):
            if name == clause:
                return column.value
        raise ArgumentError(f"{where}: {clause!r} is no name of what is selected: {', '.join(self.names)}")

    # -- rows ----------------------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the columns are called in a row."""
        return _names(self.columns)

    @property
    def types(self) -> list[object]:
        """The types of the columns; None where the server decides it."""
        scope = DocumentScope(self.mapping, compiler.condition)
        return [column.annotation(scope) for column in self.columns]

    @cached_property
    def _row(self) -> type[AnyRow]:
        return row_class(self.names, tuple(column.path for column in self.columns))

    def rows(self, documents: Sequence[Document]) -> list[AnyRow]:
        """Return the rows that the server's documents hold.

        Raises:
            DocumentError: a value does not fit its field.
        """
        return list(map(self._row, zip(*self._values(documents), strict=True)))

    def firsts(self, documents: Sequence[Document]) -> Values:
        """Return the values of the first column; see `rows`."""
        return self._values(documents)[0]

    def _values(self, documents: Sequence[Document]) -> list[Values]:
        try:
            return [column.values(documents) for column in self.columns]
        except ValidationError as error:
            raise DocumentError(None, self.mapping.document_model, error) from None

    @property
    def by_group(self) -> bool:
        """Tell whether a row stands for many documents."""
        values = [*(column.value for column in self.columns), *(value for value, _ in self.order)]
        return bool(self.keys or self.having or any(True for value in values for _ in aggregates_in(value)))


def calculation(entities: Sequence[object]) -> Calculation | None:
    """Return the calculation for what is selected; None if nothing in it says of which model.

    Raises:
        ArgumentTypeError: something cannot be selected.
        UnsupportedError: the columns are of several models.
    """
    try:
        mapping = model_of(entities)
        return None if mapping is None else _checked(of_model(mapping, entities))
    except RecursionError:
        raise ArgumentError("select(): a computed value is nested too deeply. Nothing was sent.") from None


def model_of(values: Sequence[object]) -> Mapping | None:
    """Return the model of the first field in columns, computed values and conditions; None if there is none."""
    return next((found for value in values for found in models_in(value)), None)


def _checked(asked: Calculation) -> Calculation:
    for column in asked.columns:
        if not any(True for _ in aggregates_in(column.value)):
            compiler.expression(asked.mapping, column.value)
    return asked


def models_in(value: object) -> Iterator[Mapping]:
    """Yield the models whose fields are in a column, a computed value or a condition."""
    if isinstance(value, FieldProxy):
        yield column_of(value).mapping_
    elif isinstance(value, Expression) and value.mapping is not None:
        yield value.mapping
    else:
        for part in parts_of(value):
            yield from models_in(part)


def of_model(mapping: Mapping, entities: Sequence[object]) -> Calculation:
    """Return the calculation for what is selected of a model."""
    columns = tuple(Selected(entity, position) for position, entity in enumerate(entities))
    found = Calculation(mapping, columns)
    assert found.names  # refuses two columns of one name
    return found


def _names(columns: Sequence[Selected]) -> tuple[str, ...]:
    """Return what the columns are called: labels and names of fields, others with a number: `count_1`, `anon_2`.

    Raises:
        ArgumentError: two would be called the same.
    """
    numbers: Counter[str] = Counter()
    names: list[str] = []
    for column in columns:
        name = column.name
        if column.is_unnamed:
            numbers[name] += 1
            name = f"{name}_{numbers[name]}"
        names.append(name)
    for index, name in enumerate(names):
        reader = columns[index].reader
        if names.count(name) > 1 and reader is not None and columns[index].label is None:
            names[index] = "_".join(step.name for step in reader.path)
    for name, number in Counter(names).items():
        if number > 1:
            raise ArgumentError(f"select(): two columns would be called {name!r}; give one a label: .label('other')")
    return tuple(names)
