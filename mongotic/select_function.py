"""`select()`: whole instances of one model, or some of its columns.

Most of this file tells type checkers what a row holds.  A column is a class attribute, which they take for a value of
its type, or a `Column`.  pyright needs one overload per number of columns; mypy cannot see both in one, so that there
are others for columns made by `col()`, and for two or three of mixed kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from odmantic import Model

from mongotic_adapters.columns import Column, column_of
from mongotic_adapters.commands import Read
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.odmantic_internals import FieldProxy
from mongotic_adapters.projection import Projection

from .exceptions import ArgumentTypeError
from .select_statement import Select

M = TypeVar("M", bound=Model)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")


@overload
def select(model: type[M], /) -> Select[tuple[M]]: ...
@overload
def select(a: Column[A], /) -> Select[tuple[A]]: ...
@overload
def select(a: Column[A], b: Column[B], /) -> Select[tuple[A, B]]: ...
@overload
def select(a: Column[A], b: Column[B], c: Column[C], /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: Column[A], b: Column[B], c: Column[C], d: Column[D], /) -> Select[tuple[A, B, C, D]]: ...
@overload
def select(a: Column[A], b: Column[B], c: Column[C], d: Column[D], e: Column[E], /) -> Select[tuple[A, B, C, D, E]]: ...
@overload
def select(
    a: Column[A], b: Column[B], c: Column[C], d: Column[D], e: Column[E], f: Column[F], /
) -> Select[tuple[A, B, C, D, E, F]]: ...
@overload
def select(
    a: Column[A], b: Column[B], c: Column[C], d: Column[D], e: Column[E], f: Column[F], g: Column[G], /
) -> Select[tuple[A, B, C, D, E, F, G]]: ...
@overload
def select(
    a: Column[A], b: Column[B], c: Column[C], d: Column[D], e: Column[E], f: Column[F], g: Column[G], h: Column[H], /
) -> Select[tuple[A, B, C, D, E, F, G, H]]: ...
@overload
def select(a: Column[A], b: B, /) -> Select[tuple[A, B]]: ...
@overload
def select(a: A, b: Column[B], /) -> Select[tuple[A, B]]: ...
@overload
def select(a: Column[A], b: Column[B], c: C, /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: Column[A], b: B, c: Column[C], /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: A, b: Column[B], c: Column[C], /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: Column[A], b: B, c: C, /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: A, b: Column[B], c: C, /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: A, b: B, c: Column[C], /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: Column[A] | A, /) -> Select[tuple[A]]: ...
@overload
def select(a: Column[A] | A, b: Column[B] | B, /) -> Select[tuple[A, B]]: ...
@overload
def select(a: Column[A] | A, b: Column[B] | B, c: Column[C] | C, /) -> Select[tuple[A, B, C]]: ...
@overload
def select(a: Column[A] | A, b: Column[B] | B, c: Column[C] | C, d: Column[D] | D, /) -> Select[tuple[A, B, C, D]]: ...
@overload
def select(
    a: Column[A] | A, b: Column[B] | B, c: Column[C] | C, d: Column[D] | D, e: Column[E] | E, /
) -> Select[tuple[A, B, C, D, E]]: ...
@overload
def select(
    a: Column[A] | A, b: Column[B] | B, c: Column[C] | C, d: Column[D] | D, e: Column[E] | E, f: Column[F] | F, /
) -> Select[tuple[A, B, C, D, E, F]]: ...
@overload
def select(
    a: Column[A] | A,
    b: Column[B] | B,
    c: Column[C] | C,
    d: Column[D] | D,
    e: Column[E] | E,
    f: Column[F] | F,
    g: Column[G] | G,
    /,
) -> Select[tuple[A, B, C, D, E, F, G]]: ...
@overload
def select(
    a: Column[A] | A,
    b: Column[B] | B,
    c: Column[C] | C,
    d: Column[D] | D,
    e: Column[E] | E,
    f: Column[F] | F,
    g: Column[G] | G,
    h: Column[H] | H,
    /,
) -> Select[tuple[A, B, C, D, E, F, G, H]]: ...
@overload
def select(a: object, b: object, c: object, d: object, /, *more: object) -> Select[tuple[Any, ...]]: ...
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
    if len(entities) == 1 and not isinstance(entities[0], FieldProxy):  # a Column is a FieldProxy too
        return Select(Read(mapping_of(entities[0])))
    _expect_no_model(entities)
    projection = Projection([column_of(entity) for entity in entities])
    return Select(Read(projection.mapping), projection)


def _expect_no_model(entities: Sequence[object]) -> None:
    models = [entity for entity in entities if isinstance(entity, type)]
    if not models:
        return
    names = ", ".join(model.__name__ for model in models)
    first = models[0].__name__
    raise ArgumentTypeError(
        f"select() takes one model class, or columns of one, got {names} together with others; write select({first}) "
        f"for whole instances, or name the columns: select({first}.field, ...)"
    )
