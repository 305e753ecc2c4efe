"""From a statement to what answers it: the step both sessions share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar, cast

from odmantic import Model
from typing_extensions import TypeVarTuple, Unpack

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.commands import USUAL
from mongotic_adapters.encoding import Document
from mongotic_adapters.flows import pipelines
from mongotic_adapters.flows.across import resolved
from mongotic_adapters.flows.calculating import Calculated
from mongotic_adapters.flows.querying import Columns, DistinctColumns, Instances
from mongotic_adapters.flows.questions import Lookup, Query
from mongotic_adapters.flows.returning import Returned
from mongotic_adapters.mapping import Mapping as Mapped
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.port import BATCH_DOCUMENTS, Port
from mongotic_adapters.rows import Row, row_class
from mongotic_adapters.shown import shown

from .exceptions import ArgumentError, ArgumentTypeError
from .select_statement import Select
from .statements import AnyValues, Delete, Insert, Returning, Update

M = TypeVar("M", bound=Model)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Rows: TypeAlias = AnyValues | Iterable[AnyValues]
"""What `execute()` takes besides a statement."""


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
        return cast("Query[T]", Instances(port, books, statement.command, statement.batch, statement.query_options))
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
        instances = Instances(port, books, statement.command, statement.batch, statement.query_options)
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


def streamed(statement: Select[Any]) -> Select[Any]:
    """Return a query as a stream asks it: in batches, and for instances of no session unless it says so.

    Raises:
        ArgumentTypeError: it is no query.
    """
    if not isinstance(cast("object", statement), Select):
        raise ArgumentTypeError(f"stream() and stream_scalars() take a query made by select(), got {shown(statement)}")
    return statement if statement.batch is not None else statement.yield_per(BATCH_DOCUMENTS)


def pipeline_query(
    port: Port, books: Bookkeeping, model: type[Model], pipeline: object, *, hydrate: bool
) -> Query[Any]:
    """Return the query for what a pipeline gives.

    Raises:
        ArgumentTypeError: it is no model class, or no list of stages.
    """
    mapping = mapping_of(model)
    stages = pipelines.stages_of("aggregate()", pipeline)
    if hydrate:
        return pipelines.HydratedPipeline(port, books, mapping, stages, USUAL)
    return pipelines.Pipeline(port, mapping, stages, USUAL)


def watch_query(
    port: Port,
    books: Bookkeeping,
    model: type[Model],
    pipeline: object,
    full_document: str | None,
    resume_after: Mapping[str, object] | None,
) -> AsyncGenerator[pipelines.Change, None]:
    """Return the changes of a model's documents; see `Session.watch`."""
    options: Document = {"full_document": full_document, "resume_after": resume_after}
    given = {name: value for name, value in options.items() if value is not None}
    return pipelines.watch(port, books.events, mapping_of(model), pipelines.stages_of("watch()", pipeline), given)


Explained: TypeAlias = "Select[Any] | Update[Any] | Delete[Any]"
"""The statements that the server can explain."""

VERBOSITIES = ("queryPlanner", "executionStats", "allPlansExecution")


async def explain(port: Port, statement: Explained, verbosity: str) -> dict[str, Any]:
    """Return how the server would carry out a statement.

    Raises:
        ArgumentTypeError: it is no such statement.
        ArgumentError: there is no such verbosity.
    """
    if verbosity not in VERBOSITIES:
        raise ArgumentError(f"explain(verbosity=...) takes one of {', '.join(VERBOSITIES)}, got {shown(verbosity)}")
    mapping = statement_mapping(statement)
    statement = replace(statement, command=await resolved(port, statement.command))
    return await port.explain(mapping, _command(statement), verbosity)


def statement_mapping(statement: object) -> Mapped:
    """Return the model a statement is about.

    Raises:
        ArgumentTypeError: it is none that the server can explain.
    """
    if not isinstance(statement, (Select, Update, Delete)):
        raise ArgumentTypeError(
            f"explain() takes a statement made by select(), update() or delete(), got {shown(statement)}"
        )
    if isinstance(statement, Update) and statement.rows is not None:
        raise ArgumentTypeError(
            "explain() takes a statement of one command, and a list of values() is one for each row; each finds its "
            "document by the primary key"
        )
    return cast("Select[Any]", statement).command.mapping


def _command(statement: Explained) -> Document:
    """Return the command a statement becomes."""
    read = statement.command
    collection = read.mapping.collection
    if isinstance(statement, Delete):
        return {"delete": collection, "deletes": [{"q": read.filter, "limit": 0}]}
    if isinstance(statement, Update):
        sent = statement.sent()
        change: Document = {"q": sent.filter, "u": sent.update, "multi": True, "upsert": sent.upsert}
        if sent.array_filters:
            change["arrayFilters"] = sent.array_filters
        return {"update": collection, "updates": [change]}
    hint, collation = read.options.hint, read.options.collation
    along: Document = {} if hint is None else {"hint": hint if isinstance(hint, str) else dict(cast("Any", hint))}
    along |= {} if collation is None else {"collation": getattr(collation, "document", collation)}
    if (
        statement.calculation is not None
        or statement.command.sorts_across
        or (statement.once and statement.projection is not None)
    ):
        return {"aggregate": collection, "pipeline": statement.pipeline(), "cursor": {}, **along}
    keys = None if statement.projection is None else statement.projection.keys
    parts: Document = {
        "find": collection,
        "filter": read.filter,
        "sort": dict(read.sort),
        "skip": read.skip,
        "limit": read.limit,
        "projection": keys,
    }
    return {name: value for name, value in parts.items() if value or name in ("find", "filter")} | along


def _expect_one_column(statement: object, columns: int) -> None:
    if columns > 1:
        raise ArgumentTypeError(
            f"scalars() and scalar() give the values of one column, and {shown(statement)} has "
            f"{columns}; write session.execute(...) for rows of all of them, or select one column"
        )
