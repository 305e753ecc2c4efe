"""From a statement to what answers it: the step both sessions share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from odmantic import Model
from typing_extensions import TypeVarTuple, Unpack

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.commands import USUAL
from mongotic_adapters.encoding import Document
from mongotic_adapters.flows import pipelines
from mongotic_adapters.flows.calculating import Calculated
from mongotic_adapters.flows.querying import Columns, DistinctColumns, Instances
from mongotic_adapters.flows.questions import Query
from mongotic_adapters.mapping import Mapping as Mapped
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.port import BATCH_DOCUMENTS, Port
from mongotic_adapters.rows import Row, row_class
from mongotic_adapters.shown import shown

from .exceptions import ArgumentError, ArgumentTypeError
from .select_statement import Select
from .statements import Delete, Update

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
    return await port.explain(statement_mapping(statement), _command(statement), verbosity)


def statement_mapping(statement: object) -> Mapped:
    """Return the model a statement is about.

    Raises:
        ArgumentTypeError: it is none that the server can explain.
    """
    if not isinstance(statement, (Select, Update, Delete)):
        raise ArgumentTypeError(
            f"explain() takes a statement made by select(), update() or delete(), got {shown(statement)}"
        )
    return cast("Select[Any]", statement).command.mapping


def _command(statement: Explained) -> Document:
    """Return the command a statement becomes."""
    read = statement.command
    collection = read.mapping.collection
    if isinstance(statement, Delete):
        return {"delete": collection, "deletes": [{"q": read.filter, "limit": 0}]}
    if isinstance(statement, Update):
        change = {"$set": statement.assigned}
        return {"update": collection, "updates": [{"q": read.filter, "u": change, "multi": True}]}
    if statement.calculation is not None or (statement.once and statement.projection is not None):
        return {"aggregate": collection, "pipeline": statement.pipeline(), "cursor": {}}
    keys = None if statement.projection is None else statement.projection.keys
    parts: Document = {
        "find": collection,
        "filter": read.filter,
        "sort": dict(read.sort),
        "skip": read.skip,
        "limit": read.limit,
        "projection": keys,
        "hint": read.options.hint,
    }
    return {name: value for name, value in parts.items() if value or name in ("find", "filter")}


def _expect_one_column(statement: object, columns: int) -> None:
    if columns > 1:
        raise ArgumentTypeError(
            f"scalars() and scalar() give the values of one column, and {shown(statement)} has "
            f"{columns}; write session.execute(...) for rows of all of them, or select one column"
        )
