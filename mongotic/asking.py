"""From a `select()` statement to what answers it: the step both sessions share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from odmantic import Model
from typing_extensions import TypeVarTuple, Unpack

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.flows.querying import Columns, DistinctColumns, Instances
from mongotic_adapters.flows.questions import Lookup, Query
from mongotic_adapters.flows.returning import Returned
from mongotic_adapters.port import Port
from mongotic_adapters.rows import Row, row_class
from mongotic_adapters.shown import shown

from .exceptions import ArgumentTypeError
from .select_statement import Select
from .statements import Insert, Returning, Update

M = TypeVar("M", bound=Model)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Rows: TypeAlias = Mapping[str, object] | Iterable[Mapping[str, object]]
"""What `execute()` takes besides a statement."""


def scalar_query(port: Port, books: Bookkeeping, statement: Select[tuple[T]]) -> Query[T]:
    """Return the query for the instances, or for the values of the only column.

    Raises:
        ArgumentTypeError: it is no query, or one for several columns.
    """
    if not isinstance(cast("object", statement), Select):
        raise ArgumentTypeError(f"scalars() and scalar() take a query made by select(), got {shown(statement)}")
    projection = statement.projection
    if projection is None:
        return cast("Query[T]", Instances(port, books, statement.command, statement.batch, statement.options))
    if len(projection.readers) > 1:
        raise ArgumentTypeError(
            f"scalars() and scalar() give the values of one column, and {shown(statement)} has "
            f"{len(projection.readers)}; write session.execute(...) for rows of all of them, or select one column"
        )
    make = projection.computed_firsts if statement.once else projection.firsts
    kind = DistinctColumns if statement.once else Columns
    return cast("Query[T]", kind(port, statement.command, projection, make, statement.batch))


def row_query(port: Port, books: Bookkeeping, statement: Select[tuple[Unpack[Ts]]]) -> Query[Row[Unpack[Ts]]]:
    """Return the query for the rows of a statement."""
    projection = statement.projection
    query: object
    if projection is None:
        instances = Instances(port, books, statement.command, statement.batch, statement.options)
        query = instance_rows(instances, statement.command.mapping.name)
    elif statement.once:
        query = DistinctColumns(port, statement.command, projection, projection.computed_rows, statement.batch)
    else:
        query = Columns(port, statement.command, projection, projection.rows, statement.batch)
    return cast("Query[Row[Unpack[Ts]]]", query)


def returning_query(port: Port, books: Bookkeeping, statement: Returning[M]) -> Query[M]:
    """Return what sends a statement once and gives the instance.

    Raises:
        ArgumentError: there is nothing to set, or an upsert would store a document that does not fit the model.
    """
    return cast("Query[M]", Returned(port, books, statement.resolved(), statement.options))


def returning_rows(port: Port, books: Bookkeeping, statement: Returning[M]) -> Query[Row[M]]:
    """Return what sends a statement once and gives the instance in a row; raises as `returning_query` does."""
    query = Returned(port, books, statement.resolved(), statement.options)
    return cast("Query[Row[M]]", instance_rows(query, statement.command.mapping.name))


def instance_rows(query: Lookup[Any, Model], name: str) -> object:  # whatever it finds the instances in
    """Return the query for rows of one instance each."""
    row = row_class((name,), (name,))
    return query.transformed(lambda item: row((item,)))


def with_rows(statement: object, rows: Rows | None) -> object:
    """Return a statement with the rows that `execute()` was given.

    Raises:
        ArgumentTypeError: it takes none.
    """
    if rows is None:
        return statement
    if isinstance(statement, Insert):
        return cast("Any", statement).values(rows)  # of whatever model
    if isinstance(statement, Update):
        return cast("Any", statement).values([rows] if isinstance(rows, Mapping) else rows)
    raise ArgumentTypeError(f"execute() takes rows for insert() and update(), not for {shown(statement)}")
