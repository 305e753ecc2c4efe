"""`select()`: whole instances of one model, or some of its columns.

Most of this file tells type checkers what a row holds.  A column is a class attribute, which they take for a value of
its type, or a `Column`.  Up to ten columns have a type each, as in SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, overload

from odmantic import EmbeddedModel, Model

from mongotic_adapters import unsupported
from mongotic_adapters.columns import column_of
from mongotic_adapters.commands import Read
from mongotic_adapters.computed import Computed, Selectable, Value
from mongotic_adapters.mapping import class_mapping
from mongotic_adapters.odmantic_internals import FieldProxy, QueryExpression, SortExpression, is_model_class
from mongotic_adapters.projection import Projection
from mongotic_adapters.shown import shown

from .calculated_statement import of_calculated
from .exceptions import ArgumentTypeError
from .select_statement import Select

M = TypeVar("M", bound=Model)
A = TypeVar("A", bound=Value | None)
B = TypeVar("B", bound=Value | None)
C = TypeVar("C", bound=Value | None)
D = TypeVar("D", bound=Value | None)
E = TypeVar("E", bound=Value | None)
F = TypeVar("F", bound=Value | None)
G = TypeVar("G", bound=Value | None)
H = TypeVar("H", bound=Value | None)
J = TypeVar("J", bound=Value | None)
K = TypeVar("K", bound=Value | None)

_Of: TypeAlias = Selectable[A] | A
"""A column or computed value of a type: what `col()` gives, or the class attribute that a checker takes for such a
value."""


@overload
def select(model: type[M], /) -> Select[tuple[M]]: ...
@overload
def select(a: _Of[A], /) -> Select[tuple[A]]: ...
@overload
def select(a: _Of[A], b: _Of[B], /) -> Select[tuple[A, B]]: ...
@overload
def select(a: _Of[A], b: _Of[B], c: _Of[C], /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], /) -> Select[tuple[A, B, C, D]]: ...
@overload
def select(a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], e: _Of[E], /) -> Select[tuple[A, B, C, D, E]]: ...
@overload
def select(a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], e: _Of[E], f: _Of[F], /) -> Select[tuple[A, B, C, D, E, F]]: ...
@overload
def select(
    a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], e: _Of[E], f: _Of[F], g: _Of[G], /
) -> Select[tuple[A, B, C, D, E, F, G]]: ...
@overload
def select(
    a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], e: _Of[E], f: _Of[F], g: _Of[G], h: _Of[H], /
) -> Select[tuple[A, B, C, D, E, F, G, H]]: ...
@overload
def select(
    a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], e: _Of[E], f: _Of[F], g: _Of[G], h: _Of[H], j: _Of[J], /
) -> Select[tuple[A, B, C, D, E, F, G, H, J]]: ...
@overload
def select(
    a: _Of[A], b: _Of[B], c: _Of[C], d: _Of[D], e: _Of[E], f: _Of[F], g: _Of[G], h: _Of[H], j: _Of[J], k: _Of[K], /
) -> Select[tuple[A, B, C, D, E, F, G, H, J, K]]: ...
@overload
def select(
    a: object,
    b: object,
    c: object,
    d: object,
    e: object,
    f: object,
    g: object,
    h: object,
    j: object,
    k: object,
    m: object,
    /,
    *more: object,
) -> Select[tuple[Any, ...]]: ...
def select(*entities: object) -> Select[Any]:
    """Query the documents of one model: whole instances, or some columns of them.

    ```python
    select(User)  # rows of one User each; Session.scalars gives the users themselves
    select(User.name, User.age)  # rows of two values, fetched and validated without the rest of the document
    ```

    Arguments:
        *entities: a class derived from `odmantic.Model`; or columns of one such class: class attributes, embedded
            ones too (`User.address.city`), or what `col()` makes of them.

    Returns:
        A statement for `Session.scalars`, `Session.scalar` and `Session.execute`: one `find` command, with a
        `projection` for columns.

    Raises:
        ArgumentTypeError: there is nothing to select, or something that is neither, or a model together with others.
        ArgumentError: the columns are of several models, or one is there twice.
    """
    if not entities:
        raise ArgumentTypeError("select() takes a model class or columns: select(User), or select(User.name, User.age)")
    if len(entities) == 1 and is_model_class(entities[0]):
        return Select(Read(class_mapping(entities[0])))
    _expect_no_model(entities)
    for entity in entities:
        if not isinstance(entity, (FieldProxy, Computed)):  # a Column is a FieldProxy, too
            raise ArgumentTypeError(_no_column(entity))
    if any(isinstance(entity, Computed) for entity in entities):
        return of_calculated(entities)
    projection = Projection([column_of(entity) for entity in entities])
    return Select(Read(projection.mapping), projection)


def _expect_no_model(entities: Sequence[object]) -> None:
    models = [entity for entity in entities if isinstance(entity, type)]
    if not models or len(entities) == 1:
        return
    if len(models) > 1:
        raise unsupported.join(models[0].__name__, models[1].__name__)
    names = ", ".join(model.__name__ for model in models)
    first = models[0].__name__
    raise ArgumentTypeError(
        f"select() takes one model class, or columns of one, got {names} together with others; write select({first}) "
        f"for whole instances, or name the columns: select({first}.field, ...)"
    )


def _no_column(entity: object) -> str:
    """Return the message for what is neither a model class nor a column, with what is meant perhaps."""
    got = shown(entity)
    advice = "write select(User) for whole instances, or select(User.name, User.age) for columns of them"
    if isinstance(entity, (list, tuple)):
        advice = "write the columns without the brackets: select(User.name, User.age)"
    elif isinstance(entity, QueryExpression):
        advice = "a condition comes after it: select(User).where(...)"
    elif isinstance(entity, SortExpression):
        advice = "an order comes after it: select(User).order_by(...)"
    elif isinstance(entity, type) and issubclass(entity, EmbeddedModel):
        advice = "an embedded model is selected through the field that holds it: select(User.address)"
    return f"select() takes a class derived from odmantic.Model, or columns of one, got {got}; {advice}"
