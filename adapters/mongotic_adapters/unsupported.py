"""What SQLAlchemy has and mongotic has not: the errors, which say what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .across import CROSSING
from .errors import UnsupportedError

if TYPE_CHECKING:
    from .column_reader import ColumnReader


def join(first: str, other: str) -> UnsupportedError:
    """Return the error for a statement on two models."""
    return UnsupportedError(
        f"a statement concerns one model, and there is no join of {first} and {other}; ask a query of its own for "
        f"each: keys = session.scalars(select({first}.id).where(...)).all(), then select({other}).where(col(...)"
        ".in_(keys)), or use session.aggregate() with $lookup"
    )


def columns_of_two_models(first: ColumnReader, other: ColumnReader) -> UnsupportedError:
    """Return the error for columns of two models."""
    one, two = f"{first.mapping.name}.{first.dotted}", f"{other.mapping.name}.{other.dotted}"
    return UnsupportedError(
        f"select(): {one} and {two} are of two models, and there are no joins; ask a query of its own for each: "
        f"select({one}) and select({two})"
    )


def of_another_document(where: str, name: str, key: str, remedy: str) -> UnsupportedError:
    """Return the error for a field of another document, one that the model refers to, where it cannot stand.

    Arguments:
        where: the clause, as errors begin.
        name: the model's.
        key: the path of the field.
        remedy: what to write instead.
    """
    path = key.replace(CROSSING, ".")
    return UnsupportedError(f"{where}: {name}.{path} is a field of another document, which {name} refers to; {remedy}")


def order_of_a_change() -> UnsupportedError:
    """Return the error for a document that is changed and chosen by the order of others."""
    return UnsupportedError(
        "returning(): other documents decide the order, and findAndModify does not look at them; ask for the first "
        "one, key = session.scalar(select(Book.id).order_by(...).limit(1)), and change it by its key"
    )


def subquery() -> UnsupportedError:
    """Return the error for a statement inside of another one."""
    return UnsupportedError(
        "a statement cannot stand inside of another one; ask it first, and give the other one what it gave: "
        "keys = session.scalars(statement).all(), then where(column.in_(keys))"
    )


def exists() -> UnsupportedError:
    """Return the error for the question whether a query gives anything, asked inside of a statement."""
    return UnsupportedError(
        "a statement cannot stand inside of another one; session.scalars(statement).exists() tells whether it gives "
        "anything"
    )


def union() -> UnsupportedError:
    """Return the error for several queries as one."""
    return UnsupportedError(
        "there are no unions; of one model, give one query both conditions: where(or_(...)), and distinct() for "
        "columns; of several, use session.aggregate() with $unionWith"
    )


def lock() -> UnsupportedError:
    """Return the error for a lock on what a query gives."""
    return UnsupportedError(
        "MongoDB has no SELECT FOR UPDATE; change the document in a transaction, where another change of it is a "
        "conflict (run_transaction begins anew), or in one step: update(...).returning(...), or __version_field__"
    )


def text() -> UnsupportedError:
    """Return the error for a condition in SQL."""
    return UnsupportedError(
        "MongoDB does not know SQL; write conditions with columns, col(User.age) > 18, or as MongoDB takes them, "
        "where({'age': {'$gt': 18}}); for words in a text index write text_search('words')"
    )
