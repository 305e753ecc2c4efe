"""Columns, and conditions and orders made of others: `col`, `and_`, `or_`, `not_`, `asc`, `desc`.

Users write them in `where()` and `order_by()`.  To the operators ODMantic's fields have, they add the checks ODMantic
leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, cast, overload

from odmantic.query import QueryExpression, SortExpression

from mongotic_adapters import unsupported
from mongotic_adapters.columns import Column, column_of
from mongotic_adapters.computed import Computed, Ordering
from mongotic_adapters.odmantic_internals import FieldProxy
from mongotic_adapters.shown import shown

from .exceptions import ArgumentError, ArgumentTypeError

T = TypeVar("T")

Criterion: TypeAlias = QueryExpression | Mapping[str, object] | bool
"""What a condition can be.  `bool` stands here for type checkers alone, which see one in `User.name == "Ann"`; a real
one is refused."""


def and_(*criteria: Criterion) -> QueryExpression:
    """Fit documents that fit every criterion: `$and`.

    Raises:
        ArgumentTypeError: a criterion is a real bool, or no condition.
        ArgumentError: there is none.
    """
    return _combined("and_", "$and", criteria)


def or_(*criteria: Criterion) -> QueryExpression:
    """Fit documents that fit at least one criterion: `$or`.

    Raises:
        ArgumentTypeError: a criterion is a real bool, or no condition.
        ArgumentError: there is none.
    """
    return _combined("or_", "$or", criteria)


def not_(criterion: Criterion) -> QueryExpression:
    """Fit documents that do not fit the criterion, those that lack its field included: `$nor`.

    Raises:
        ArgumentTypeError: the criterion is a real bool, or no condition.
    """
    return _combined("not_", "$nor", (criterion,))


def col(field: T) -> Column[T]:
    """Return a field as a column, with all operators: `col(User.name).like("A%")`, `col(User.address).city`.

    Type checkers take the class attribute of a plain ODMantic model for a value; a column they know for what it is.

    Arguments:
        field: a field of the model class, `User.age` say; one of an embedded model stands for that of an element, in
            `col(Order.items).elem_match(col(Item.sku) == "a")`.

    Raises:
        ArgumentTypeError: it is no field.
    """
    return column_of(field, of_element=True)


@overload
def asc(field: Computed[Any]) -> Ordering: ...  # type: ignore[overload-overlap]  # the narrower one
@overload
def asc(field: object) -> SortExpression: ...
def asc(field: object) -> SortExpression | Ordering:
    """Sort by *field*, smallest first.

    Arguments:
        field: a field of the model class, `User.age` say, or a computed value.

    Raises:
        ArgumentTypeError: it is neither.
    """
    return _sorted("asc", field, 1)


@overload
def desc(field: Computed[Any]) -> Ordering: ...  # type: ignore[overload-overlap]  # the narrower one
@overload
def desc(field: object) -> SortExpression: ...
def desc(field: object) -> SortExpression | Ordering:
    """Sort by *field*, largest first.

    Arguments:
        field: a field of the model class, `User.age` say, or a computed value.

    Raises:
        ArgumentTypeError: it is neither.
    """
    return _sorted("desc", field, -1)


def text_search(
    words: str, *, language: str | None = None, case_sensitive: bool = False, diacritic_sensitive: bool = False
) -> QueryExpression:
    """Fit documents that have the words in a text index of theirs: `$text`.

    Arguments:
        words: words of which one is enough; a phrase in double quotes, and a word not wanted after a minus sign.
        language: whose endings and stop words count; None for that of the index.
        case_sensitive: upper and lower case differ.
        diacritic_sensitive: accents differ.

    Returns:
        A condition; `func.text_score()` tells how well a document fits.

    Raises:
        ArgumentTypeError: the words are no text.
    """
    if not isinstance(cast("object", words), str):
        raise ArgumentTypeError(f"text_search() takes words, got {shown(words)}")
    search: dict[str, object] = {"$search": words}
    search |= {} if language is None else {"$language": language}
    search |= {"$caseSensitive": True} if case_sensitive else {}
    search |= {"$diacriticSensitive": True} if diacritic_sensitive else {}
    return QueryExpression({"$text": search})


def text(*_: object, **__: object) -> NoReturn:
    """Refuse: MongoDB does not know SQL.

    Raises:
        UnsupportedError: always; it says what to write instead.
    """
    raise unsupported.text()


def _combined(name: str, operator: str, criteria: tuple[Criterion, ...]) -> QueryExpression:
    if not criteria:
        raise ArgumentError(f"{name}() takes at least one condition")
    for criterion in criteria:
        if isinstance(criterion, bool) or not isinstance(cast("object", criterion), Mapping):
            raise ArgumentTypeError(
                f"{name}() takes conditions such as User.age > 18, or filter dicts, got {shown(criterion)}; "
                "was an attribute of an instance compared instead of one of the class?"
            )
    return QueryExpression({operator: list(criteria)})


def _sorted(name: str, field: object, direction: Literal[-1, 1]) -> SortExpression | Ordering:
    if isinstance(field, Computed):
        return Ordering(cast("Computed[object]", field), direction)
    if not isinstance(field, FieldProxy):
        raise ArgumentTypeError(f"{name}() takes a field of a model class, got {shown(field)}")
    # A field's + gives the key it is stored under.
    return SortExpression({str(+field): direction})
