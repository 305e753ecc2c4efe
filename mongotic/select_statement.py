"""`Select`: a query, as data.

Made by `select`; users add clauses and give it to a session.  It is immutable: every method returns a new statement.
Each clause is checked when it is written, so that a mistake is reported in its own line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from typing_extensions import Self, TypedDict, Unpack

from mongotic_adapters import compiler, distinct
from mongotic_adapters.load_plan import Missing
from mongotic_adapters.options import USUAL_QUERY, QueryOptions, changed_query
from mongotic_adapters.projection import Projection
from mongotic_adapters.shown import shown

from .clauses import Filtered
from .exceptions import ArgumentError, ArgumentTypeError
from .loading_options import LoadOption, load_plan

R = TypeVar("R")


class QueryOption(TypedDict, total=False):
    """The keyword arguments of `Select.execution_options`."""

    populate_existing: bool
    identity_map: bool
    detached: bool
    missing: Missing


@dataclass(frozen=True, eq=False, repr=False)
class Select(Filtered, Generic[R]):
    """A query.  Made by `select`; the type parameter is the row it gives, `tuple[User]` for `select(User)`.

    Attributes:
        command: what will be asked of the database.
        projection: the selected columns; None for whole instances.
        once: each distinct row is given once.
        batch: how many documents an iteration fetches at a time; None for the usual number.
        query_options: what `execution_options` and `options` were given.
    """

    projection: Projection | None = None
    once: bool = False
    batch: int | None = None
    query_options: QueryOptions = USUAL_QUERY

    def order_by(self, *clauses: object) -> Self:
        """Sort the result.

        Arguments:
            *clauses: fields such as `User.age`, `asc(field)` or `desc(field)`, most significant first; called again,
                less significant ones are added.  A single None takes the order away.

        Returns:
            A new statement, with the keys in the `sort` of its `find` command.

        Raises:
            ArgumentTypeError: a clause is neither.
            ArgumentError: a field belongs to another model, or is not among the columns of a `distinct` statement.
        """
        if len(clauses) == 1 and clauses[0] is None:  # by identity: a field answers == with a condition
            return self._with(replace(self.command, sort=()))
        found = [pair for clause in clauses for pair in compiler.ordering(self.command.mapping, clause)]
        if self.once and self.projection is not None:
            distinct.expect_sortable(found, self.projection)
        return self._with(replace(self.command, sort=(*self.command.sort, *found)))

    def limit(self, documents: int | None) -> Self:
        """Give at most that many documents; 0 gives none without asking the server, None takes the limit away.

        Raises:
            ArgumentError: the number is negative.
            ArgumentTypeError: it is no whole number.
        """
        return self._with(replace(self.command, limit=None if documents is None else _amount("limit", documents)))

    def offset(self, documents: int | None) -> Self:
        """Pass over that many documents; None passes over none.

        Raises:
            ArgumentError: the number is negative.
            ArgumentTypeError: it is no whole number.
        """
        return self._with(replace(self.command, skip=0 if documents is None else _amount("offset", documents)))

    def distinct(self) -> Self:
        """Give each distinct row of the selected columns once; `count` counts these.

        Documents are distinct by their keys: a query for whole instances stays as it is.

        Returns:
            A new statement; it becomes an `aggregate` command with `$match`, `$group`, `$sort`, `$skip`, `$limit`.

        Raises:
            ArgumentError: the order is by a field that is not selected.
        """
        if self.projection is not None:
            distinct.expect_sortable(self.command.sort, self.projection)
        return replace(self, once=True)

    def yield_per(self, documents: int) -> Self:
        """Let an iteration over the result fetch that many documents at a time.

        The instances of such an iteration belong to no session and leave no trace in it; one that was changed is
        written after `Session.add`, as an update.  Rows and values are the same either way.  `all()` and the other
        methods of a result are not affected.

        Arguments:
            documents: at least 1; the `batchSize` of the command.

        Raises:
            ArgumentError: the number is not positive.
            ArgumentTypeError: it is no whole number.
        """
        return replace(self, batch=_amount("yield_per", documents, least=1))

    def execution_options(self, **options: Unpack[QueryOption]) -> Self:
        """Say how the query is to be carried out.

        Arguments:
            populate_existing: instances the session holds take every value read; unwritten changes of them are lost.
            identity_map: an iteration after `yield_per` gives the session's own instances, as it does without.
            detached: the instances are copies of their own, held by no session; added to one, they are updated.
            missing: what becomes of a document that refers to one that does not exist: `"error"`, the usual way, raises
                `DocumentError`; with `"none"` the field is None, or a list is without it, and the document keeps the
                key; `"skip"` leaves the document out.

        Returns:
            A new statement; the command it becomes is the same.

        Raises:
            ArgumentError: there is no option of that name.
            ArgumentTypeError: its value has the wrong type.
        """
        return replace(self, query_options=changed_query(self.query_options, options))

    def options(self, *options: LoadOption) -> Self:
        """Say how references are loaded; those that no option names are loaded in the cheapest way.

        Arguments:
            *options: `selectinload(Book.publisher)`, `joinedload`, `noload`, `raiseload`, and chains of them for what
                the references refer to; called again, later ones hold.

        Returns:
            A new statement; the option says which commands it becomes.

        Raises:
            ArgumentTypeError: an argument is no such option.
            ArgumentError: it is about another model, or columns are selected and not instances.
        """
        if self.projection is not None:
            raise ArgumentError(
                "options(): a query for columns gives the keys of references and loads none; select the whole model"
            )
        plan = load_plan(self.command.mapping, options, "options()", self.query_options.loading)
        return replace(self, query_options=replace(self.query_options, loading=plan))

    def __repr__(self) -> str:
        read = self.command
        name = read.mapping.name
        columns = (
            [name] if self.projection is None else [f"{name}.{reader.dotted}" for reader in self.projection.readers]
        )
        clauses = [f"select({', '.join(columns)})"]
        clauses += [f"where({shown(read.filter)})"] if read.filter else []
        clauses += ["distinct()"] if self.once else []
        clauses += [f"order_by({dict(read.sort)!r})"] if read.sort else []
        clauses += [f"limit({shown(read.limit)})"] if read.limit is not None else []
        clauses += [f"offset({shown(read.skip)})"] if read.skip else []
        clauses += [f"yield_per({shown(self.batch)})"] if self.batch is not None else []
        return ".".join(clauses)


def _amount(method: str, documents: object, *, least: int = 0) -> int:
    if isinstance(documents, bool) or not isinstance(documents, int):
        raise ArgumentTypeError(f"{method}() takes a number of documents, got {shown(documents)}")
    if documents < least:
        raise ArgumentError(f"{method}() takes a number of documents from {least}, got {shown(documents)}")
    return documents
