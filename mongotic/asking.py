"""From a `select()` statement to what answers it: the step both sessions share."""

from __future__ import annotations

from typing import TypeVar, cast

from typing_extensions import TypeVarTuple, Unpack

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.flows.calculating import Calculated
from mongotic_adapters.flows.querying import Columns, DistinctColumns, Instances
from mongotic_adapters.flows.questions import Query
from mongotic_adapters.port import Port
from mongotic_adapters.rows import Row, row_class
from mongotic_adapters.shown import shown

from .exceptions import ArgumentTypeError
from .select_statement import Select

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def scalar_query(port: Port, books: Bookkeeping, statement: Select[tuple[T]]) -> Query[T]:
    """Return the query for the instances, or for the values of the only column.

    Raises:
        ArgumentTypeError: it is no query, or one for several columns.
    """
    if not isinstance(cast("object", statement), Select):
        raise ArgumentTypeError(f"scalars() and scalar() take a query made by select(), got {shown(statement)}")
    asked = statement.calculation
    if asked is not None:
        _expect_one_column(statement, len(asked.columns))
        return cast(
            "Query[T]",
            Calculated(port, asked, statement.command, asked.firsts, once=statement.once, batch=statement.batch),
        )
    projection = statement.projection
    if projection is None:
        return cast("Query[T]", Instances(port, books, statement.command, statement.batch, statement.options))
    _expect_one_column(statement, len(projection.readers))
    make = projection.computed_firsts if statement.once else projection.firsts
    kind = DistinctColumns if statement.once else Columns
    return cast("Query[T]", kind(port, statement.command, projection, make, statement.batch))


def row_query(port: Port, books: Bookkeeping, statement: Select[tuple[Unpack[Ts]]]) -> Query[Row[Unpack[Ts]]]:
    """Return the query for the rows of a statement."""
    projection, asked = statement.projection, statement.calculation
    query: object
    if asked is not None:
        query = Calculated(port, asked, statement.command, asked.rows, once=statement.once, batch=statement.batch)
    elif projection is None:
        name = statement.command.mapping.name
        row = row_class((name,), (name,))
        query = Instances(port, books, statement.command, statement.batch, statement.options).transformed(
            lambda item: row((item,))
        )
    elif statement.once:
        query = DistinctColumns(port, statement.command, projection, projection.computed_rows, statement.batch)
    else:
        query = Columns(port, statement.command, projection, projection.rows, statement.batch)
    return cast("Query[Row[Unpack[Ts]]]", query)


def _expect_one_column(statement: object, columns: int) -> None:
    if columns > 1:
        raise ArgumentTypeError(
            f"scalars() and scalar() give the values of one column, and {shown(statement)} has "
            f"{columns}; write session.execute(...) for rows of all of them, or select one column"
        )
