"""`Select`: a query, as data.

Made by `select`; users add clauses and give it to a session.  It is immutable: every method returns a new statement.
Each clause is checked when it is written, so that a mistake is reported in its own line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, NoReturn, TypeVar, cast

from odmantic import Model
from odmantic.query import QueryExpression
from typing_extensions import Self, TypedDict, Unpack

from mongotic_adapters import calculation, compiler, distinct, stages, unsupported
from mongotic_adapters.calculation import Calculation
from mongotic_adapters.computed import Computed, Key, Ordering
from mongotic_adapters.encoding import Document
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.options import USUAL_QUERY, QueryOptions, changed_query
from mongotic_adapters.projection import Projection
from mongotic_adapters.shown import shown

from .clauses import Filtered
from .exceptions import ArgumentError, ArgumentTypeError, UnsupportedError
from .expressions import Criterion

R = TypeVar("R")


class QueryOption(TypedDict, total=False):
    """The keyword arguments of `Select.execution_options`."""

    populate_existing: bool
    identity_map: bool
    detached: bool


@dataclass(frozen=True, eq=False, repr=False)
class Select(Filtered, Generic[R]):
    """A query.  Made by `select`; the type parameter is the row it gives, `tuple[User]` for `select(User)`.

    Attributes:
        command: what will be asked of the database.
        projection: the selected columns; None for whole instances.
        calculation: the selected columns, if something is computed or grouped; there is no projection then.
        once: each distinct row is given once.
        batch: how many documents an iteration fetches at a time; None for the usual number.
        options: what `execution_options` was given.
    """

    projection: Projection | None = None
    once: bool = False
    batch: int | None = None
    options: QueryOptions = USUAL_QUERY
    calculation: Calculation | None = None

    def order_by(self, *clauses: object) -> Self:
        """Sort the result.

        Arguments:
            *clauses: fields such as `User.age`, `asc(field)` or `desc(field)`, most significant first; called again,
                less significant ones are added.  A single None takes the order away.  Where columns are selected,
                computed values too, and the names of what is selected.

        Returns:
            A new statement, with the keys in the `sort` of its `find` command, or in the `$sort` of an `aggregate`.

        Raises:
            ArgumentTypeError: a clause is neither.
            ArgumentError: a field belongs to another model, or is not among the columns of a `distinct` statement.
        """
        if len(clauses) == 1 and clauses[0] is None:  # by identity: a field answers == with a condition
            return self._with(replace(self.command, sort=()))
        if self.calculation is not None:
            return replace(self, calculation=self.calculation.sorted(clauses))
        if any(isinstance(clause, (str, Computed, Ordering)) for clause in clauses):
            return self._calculating("order_by() of a computed value").order_by(*clauses)
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

    def group_by(self, *keys: object) -> Self:
        """Give one row for all documents that have the same values.

        Arguments:
            *keys: columns, computed values such as `func.year(User.created)`, or names of what is selected; called
                again, more are added.

        Returns:
            A new statement; it becomes an `aggregate` command with `$group`.

        Raises:
            ArgumentTypeError: a key is none of these, or whole instances are selected.
            ArgumentError: a key belongs to another model, or looks at many documents.
        """
        if not keys:
            raise ArgumentTypeError("group_by() takes columns to group by")
        return self._computing("group_by()", lambda asked: asked.grouped(keys))

    def having(self, *criteria: Criterion) -> Self:
        """Restrict the statement to groups that fit every criterion.

        Arguments:
            *criteria: conditions on what is grouped by and on functions of the group: `func.count() > 1`.

        Returns:
            A new statement, with a `$match` after the `$group`.

        Raises:
            ArgumentTypeError: a criterion is no condition, or whole instances are selected.
        """
        for criterion in criteria:
            if not isinstance(criterion, QueryExpression):
                raise ArgumentTypeError(f"having() takes conditions such as func.count() > 1, got {shown(criterion)}")
        return self._computing("having()", lambda asked: asked.filtered(criteria))

    def select_from(self, model: type[Model]) -> Self:
        """Say whose documents are counted, where nothing selected says it: `select(func.count()).select_from(User)`.

        Raises:
            ArgumentTypeError: it is no model class.
            UnsupportedError: it is another model than that of the columns.
        """
        if mapping_of(model) is not self.command.mapping:
            raise unsupported.join(self.command.mapping.name, model.__name__)
        return self

    def join(self, target: object, *_: object, **__: object) -> NoReturn:
        """Refuse: MongoDB's documents hold what belongs together.

        Raises:
            UnsupportedError: always; it says what to write instead.
        """
        raise unsupported.join(self.command.mapping.name, getattr(target, "__name__", "the other model"))

    outerjoin = join

    def _computing(self, clause: str, change: Callable[[Calculation], Calculation]) -> Self:
        found = self._calculating(clause)
        return replace(found, calculation=change(cast("Calculation", found.calculation)))

    def _calculating(self, clause: str) -> Self:
        """Return the same statement with its columns as a calculation."""
        if self.calculation is not None:
            return self
        if self.projection is None:
            name = self.command.mapping.name
            raise UnsupportedError(
                f"{clause} needs columns, and select({name}) gives whole instances; select the columns: "
                f"select({name}.{self.command.mapping.primary}, ...)"
            )
        asked = calculation.of_model(self.command.mapping, self.projection.columns)
        order = tuple((Key(key), direction) for key, direction in self.command.sort)
        return replace(
            self,
            command=replace(self.command, sort=()),
            projection=None,
            calculation=replace(asked, order=order),
        )

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

        Returns:
            A new statement; the command it becomes is the same.

        Raises:
            ArgumentError: there is no option of that name.
            ArgumentTypeError: its value has the wrong type.
        """
        return replace(self, options=changed_query(self.options, options))

    def _stages(self) -> list[Document]:
        return stages.pipeline(cast("Calculation", self.calculation), self.command, once=self.once)

    def __repr__(self) -> str:
        read = self.command
        name = read.mapping.name
        if self.calculation is not None:
            return f"select({', '.join(self.calculation.names)}) of {name}: {shown(self._stages())}"
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
