"""One element of a list, as statements see it: `col(User.tags)[0]`, `col(Order.items)[-1].qty`.

Made by `columns.Column`, and a column to type checkers.  The server computes it (`$arrayElemAt`), so it can be
selected, grouped and compared with other columns.  Compared with a value it is a path, `tags.0`, which an index can
help; but no path leads to the last element.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, TypeVar, Union, cast

from .column_reader import ColumnReader, missing_key
from .columns import Column, child_of
from .computed import Computed, Kind, Scope, compared, is_computed, rendered
from .conditions import Expression
from .encoding import Document
from .errors import ArgumentError, ArgumentTypeError
from .field_conditions import FieldConditions
from .odmantic_internals import FieldProxy
from .shown import shown
from .update_target import alternatives, element_types
from .values_validator import Values

T_co = TypeVar("T_co", covariant=True)

CONDITIONS = frozenset(
    name
    for name, what in {**vars(FieldConditions), **vars(Column)}.items()
    if not name.startswith("_") and isinstance(what, FunctionType) and name not in ("asc", "desc", "is_", "is_not")
)
"""The methods of a column that make conditions."""


class Element(Computed[T_co]):
    """One element of a list, or a field inside of it; for mongotic alone are:

    Attributes:
        through_: the column as if no element had been chosen: `items.qty`.
        at_: the same with positions, `items.0.qty`; its methods make the conditions.
        lists_: the lists on the way, outermost first, each with the position in it.
    """

    __slots__ = ("at_", "lists_", "through_")

    def __init__(self, through: Column[Any], at: Column[Any], lists: tuple[tuple[Column[Any], int], ...]) -> None:
        self.through_ = through
        self.at_ = at
        self.lists_ = lists

    def __getattribute__(self, name: str) -> Any:  # of a field that only the embedded model knows
        if not name.startswith("_") and (name in CONDITIONS or not name.endswith("_")):
            inner = child_of(self.at_, name)
            if inner is not None:
                return Element[Any](cast("Column[Any]", child_of(self.through_, name)), inner, self.lists_)
            if name in CONDITIONS and self.path_ is not None:
                return getattr(self.at_, name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:  # reached when there is no such field and no such method
        if name.startswith("__"):
            raise AttributeError(name)
        if name in CONDITIONS:
            raise AttributeError(
                f"{self.at_.mapping_.name}.{self.at_.key_} is counted from the end of its list, and filters have no "
                f"path to it, which {name}() needs; what is computed can be compared, and has in_(), between(), "
                "contains(), startswith(), endswith() and regexp_match()"
            )
        return getattr(self.at_, name)  # which says what there is

    def __getitem__(self, index: int) -> Element[Any]:
        return element(self.through_, index, self)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]  # a condition, not a bool
        return self._compared("$eq", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]  # a condition, not a bool
        return self._compared("$ne", other)

    def __gt__(self, other: object) -> Expression:
        return self._compared("$gt", other)

    def __ge__(self, other: object) -> Expression:
        return self._compared("$gte", other)

    def __lt__(self, other: object) -> Expression:
        return self._compared("$lt", other)

    def __le__(self, other: object) -> Expression:
        return self._compared("$lte", other)

    __hash__ = object.__hash__

    def is_(self, value: object) -> Expression:
        """The same as `==`."""
        return self._compared("$eq", value)

    def is_not(self, value: object) -> Expression:
        """The same as `!=`."""
        return self._compared("$ne", value)

    def _compared(self, operator: str, other: object) -> Expression:
        # A filter takes an element beyond the end of a list for null nowhere but in an expression.
        if self.path_ is None or other is None or is_computed(other) or isinstance(other, FieldProxy):
            return compared(operator, self, other)
        names = {"$eq": "__eq__", "$ne": "__ne__", "$gt": "__gt__", "$gte": "__ge__", "$lt": "__lt__", "$lte": "__le__"}
        return cast("Expression", getattr(self.at_, names[operator])(other))

    # -- for the server ------------------------------------------------------------------------------------------

    @property
    def path_(self) -> str | None:
        """The path in a document; None where a position is counted from the end, for there is none then."""
        return None if any(position < 0 for _, position in self.lists_) else self.at_.key_

    @property
    def annotation_(self) -> object:
        """The type of its values; one that is not there is None, whatever it says."""
        return self.at_.annotation_

    @property
    def operands_(self) -> tuple[object, ...]:
        return (self.through_,)

    def render_(self, scope: Scope) -> object:
        (outermost, position), *inner = self.lists_
        value: object = {"$arrayElemAt": [rendered(outermost, scope), position]}
        key = outermost.key_
        for column, index in inner:
            value = {"$arrayElemAt": [_within(value, column.key_[len(key) + 1 :]), index]}
            key = column.key_
        return _within(value, self.through_.key_[len(key) + 1 :])

    def kind_(self, scope: Scope) -> Kind:
        return scope.kind(cast("FieldProxy", self.at_))

    def values_(self, values: Values) -> Values:
        """Return what the server gave as the field's type has it; what is not there is None.

        Raises:
            pydantic.ValidationError: a value does not fit.
        """
        reader = ColumnReader(self.through_)
        documents: list[Document] = []
        for value in values:
            whole = value
            for _ in self.lists_:
                whole = [whole]
            documents.append({"0": whole, missing_key(0): value is None})
        return [_unwrapped(whole, len(self.lists_)) for whole in reader.computed(documents, 0)]


def element(column: Column[Any], index: object, around: Element[Any] | None = None) -> Element[Any]:
    """Return the element of a list at a position.

    Arguments:
        column: the column of the list.
        index: the position; a negative one counts from the end.
        around: the element of another list that the column lies in; None for none.

    Raises:
        ArgumentTypeError: the position is no whole number.
        ArgumentError: there is no list, or it lies in another one, of which no element was chosen.
    """
    at = column if around is None else around.at_
    name = f"{at.mapping_.name}.{at.key_}"
    if isinstance(index, bool) or not isinstance(index, int):
        raise ArgumentTypeError(f"{name}[...] takes the position of one element, 0 or -1 say, got {shown(index)}")
    if not -(2**31) <= index < 2**31:
        raise ArgumentError(f"{name}[{index}]: MongoDB counts elements in 32 bits")
    if at.lists_:
        raise ArgumentError(f"{name}[{index}]: say which of the lists first: col({at.mapping_.name}.{at.lists_[0]})[0]")
    kinds = tuple(found for part in alternatives(at.annotation_) for found in element_types(part))
    if not kinds:
        raise ArgumentError(f"{name} is no list; it has no element {index}")
    annotation: object = Union[kinds]  # noqa: UP007  # made of parts
    there: Column[Any] = Column(at.mapping_, f"{at.key_}.{index}", annotation, at.field_)
    return Element[Any](column, there, (*(() if around is None else around.lists_), (column, index)))


def _within(value: object, rest: str) -> object:
    """Return the expression for what lies under a path in what an expression gives."""
    return {"$let": {"vars": {"element": value}, "in": f"$$element.{rest}"}} if rest else value


def _unwrapped(whole: object, lists: int) -> object:
    for _ in range(lists):
        if whole is None:
            return None
        whole = next(iter(cast("Values", whole)), None)  # a set has no first one to index
    return whole
