"""`Select`: a query, as data.

Made by `select`; users add clauses and give it to a session.  It is immutable: every method returns a new statement.
Each clause is checked when it is written, so that a mistake is reported in its own line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar, cast

from odmantic import Model
from odmantic.query import QueryExpression
from typing_extensions import Self, TypedDict, Unpack

from mongotic_adapters import calculation, commands, compiler, distinct, joining, keyset, shell, unsupported
from mongotic_adapters.across import waiting
from mongotic_adapters.calculation import Calculation
from mongotic_adapters.computed import Computed, Key, Ordering
from mongotic_adapters.load_plan import Missing
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.odmantic_internals import is_model_class
from mongotic_adapters.options import USUAL_QUERY, QueryOptions, changed_query
from mongotic_adapters.projection import Projection
from mongotic_adapters.replacing import replaced
from mongotic_adapters.shown import shown
from mongotic_adapters.stages import pipeline as calculated

from .clauses import Filtered
from .exceptions import ArgumentError, ArgumentTypeError, UnsupportedError
from .expressions import Criterion
from .loading_options import LoadOption, load_plan

if TYPE_CHECKING:
    from mongotic_adapters.transactions import Collation, ReadConcern, ReadPreference

R = TypeVar("R")


class ColumnDescription(TypedDict):
    """One column of a query; see `Select.column_descriptions`."""

    name: str
    type: object
    entity: type[Model]


class QueryOption(TypedDict, total=False):
    """The keyword arguments of `Select.execution_options`."""

    populate_existing: bool
    identity_map: bool
    detached: bool
    missing: Missing
    hint: str | Sequence[tuple[str, int]] | None
    collation: Collation | Mapping[str, object] | None
    comment: object
    max_time_ms: int | None
    allow_disk_use: bool | None
    read_concern: ReadConcern | None
    read_preference: ReadPreference | None


@dataclass(frozen=True, eq=False, repr=False)
class Select(Filtered, Generic[R]):
    """A query.  Made by `select`; the type parameter is the row it gives, `tuple[User]` for `select(User)`.

    Attributes:
        command: what will be asked of the database.
        projection: the selected columns; None for whole instances.
        calculation: the selected columns, if something is computed or grouped; there is no projection then.
        once: each distinct row is given once.
        batch: how many documents an iteration fetches at a time; None for the usual number.
        query_options: what `execution_options` and `options` were given.
    """

    projection: Projection | None = None
    once: bool = False
    batch: int | None = None
    query_options: QueryOptions = USUAL_QUERY
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
            return self._with(replaced(self.command, sort=()))
        if self.calculation is not None:
            return replaced(self, calculation=self.calculation.sorted(clauses))
        kinds = (Computed, Ordering) if self.projection is None else (Computed, Ordering, str)
        if any(isinstance(clause, kinds) for clause in clauses):
            return self._calculating("order_by() of a computed value").order_by(*clauses)
        found = [pair for clause in clauses for pair in compiler.ordering(self.command.mapping, clause)]
        if self.once and self.projection is not None:
            distinct.expect_sortable(found, self.projection)
        return self._with(replaced(self.command, sort=(*self.command.sort, *found)))

    def limit(self, documents: int | None) -> Self:
        """Give at most that many documents; 0 gives none without asking the server, None takes the limit away.

        Raises:
            ArgumentError: the number is negative.
            ArgumentTypeError: it is no whole number.
        """
        return self._with(replaced(self.command, limit=None if documents is None else amount("limit", documents)))

    def offset(self, documents: int | None) -> Self:
        """Pass over that many documents; None passes over none.

        Raises:
            ArgumentError: the number is negative.
            ArgumentTypeError: it is no whole number.
        """
        return self._with(replaced(self.command, skip=0 if documents is None else amount("offset", documents)))

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
        return replaced(self, once=True)

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
        other = mapping_of(model)
        if other is not self.command.mapping:
            raise unsupported.join(self.command.mapping.name, other.name)
        return self

    def join(self, target: object, *_: object, **__: object) -> NoReturn:
        """Refuse: MongoDB's documents hold what belongs together.

        Raises:
            UnsupportedError: always; it says what to write instead.
        """
        other = mapping_of(target).name if is_model_class(target) else "the other model"
        raise unsupported.join(self.command.mapping.name, other)

    outerjoin = join

    def subquery(self, *_: object, **__: object) -> NoReturn:
        """Refuse: a statement cannot stand inside of another one.

        Raises:
            UnsupportedError: always; it says what to write instead.
        """
        raise unsupported.subquery()

    scalar_subquery = cte = alias = lateral = subquery

    def exists(self) -> NoReturn:
        """Refuse; see `subquery`.  `ScalarResult.exists` answers the question."""
        raise unsupported.exists()

    def union(self, *_: object) -> NoReturn:
        """Refuse: a query concerns one model.

        Raises:
            UnsupportedError: always; it says what to write instead.
        """
        raise unsupported.union()

    union_all = intersect = except_ = union

    def with_for_update(self, **_: object) -> NoReturn:
        """Refuse: no query locks what it reads.

        Raises:
            UnsupportedError: always; it says what to write instead.
        """
        raise unsupported.lock()

    def _computing(self, clause: str, change: Callable[[Calculation], Calculation]) -> Self:
        found = self._calculating(clause)
        return replaced(found, calculation=change(cast("Calculation", found.calculation)))

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
            command=replaced(self.command, sort=()),
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
        return replaced(self, batch=amount("yield_per", documents, least=1))

    def execution_options(self, **options: Unpack[QueryOption]) -> Self:
        """Say how the query is to be carried out.

        Arguments:
            populate_existing: instances the session holds take every value read; unwritten changes of them are lost.
            identity_map: an iteration after `yield_per` gives the session's own instances, as it does without.
            detached: the instances are copies of their own, held by no session; added to one, they are updated.
            missing: what becomes of a document that refers to one that does not exist: `"error"`, the usual way, raises
                `DocumentError`; with `"none"` the field is None, or a list is without it, and the document keeps the
                key; `"skip"` leaves the document out.
            hint: the index to use: its name, or its keys.
            collation: the rules of a language for comparing text: `pymongo.collation.Collation("de", strength=2)`.
            comment: shown by the server's profiler and logs.
            max_time_ms: after how many milliseconds the server gives up.
            allow_disk_use: whether the server may sort and group on disk.
            read_concern: how settled the documents must be: `pymongo.read_concern.ReadConcern("majority")`.
            read_preference: which members are read from: `pymongo.ReadPreference.SECONDARY`.

        Returns:
            A new statement; the last seven go along with its command.

        Raises:
            ArgumentError: there is no option of that name.
            ArgumentTypeError: its value has the wrong type.
        """
        chosen, sent = changed_query(self.query_options, self.command.options, options)
        return replaced(self, query_options=chosen, command=replaced(self.command, options=sent))

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
        if self.projection is not None or self.calculation is not None:
            raise ArgumentError(
                "options(): a query for columns gives the keys of references and loads none; select the whole model"
            )
        plan = load_plan(self.command.mapping, options, "options()", self.query_options.loading)
        return replaced(self, query_options=replace(self.query_options, loading=plan))

    def with_hint(self, index: str | Sequence[tuple[str, int]]) -> Self:
        """Let the server use an index: its name, or its keys; the same as `execution_options(hint=...)`."""
        return self.execution_options(hint=index)

    def after(self, last: object) -> Self:
        """Give what comes after a row in the order of the query: the next page.

        The primary key is added to the order, so that nothing is missed where other values are the same.  Unlike an
        `offset`, it costs the same on every page, and an index on the order serves it.

        Arguments:
            last: the last instance of the page before, or a row of it that has every column of the order; None for the
                first page, which must be in the same order.

        Returns:
            A new statement, with a range in the filter of its `find` command.

        Raises:
            ArgumentTypeError: it is neither.
            ArgumentError: the row lacks a column of the order, or the query is one for distinct rows.
        """
        if self.once or self.calculation is not None:
            raise ArgumentError(
                "after() takes the order of documents, and distinct(), groups and computed columns give rows; use "
                "offset()"
            )
        if self.command.sorts_across:
            raise UnsupportedError("after(): other documents decide the order; use offset()")
        order = keyset.with_key(self.command.sort)
        if last is None:
            return self._with(replaced(self.command, sort=order))
        condition = keyset.after(order, keyset.values_of(last, self.command.mapping, order))
        found = compiler.conjunction(self.command.filter, condition)
        return self._with(replaced(self.command, filter=found, sort=order))

    @property
    def column_descriptions(self) -> list[ColumnDescription]:
        """What the rows of the query hold: name, type and model of each column, as in SQLAlchemy.

        The type of what is computed is None where the server decides it, as for an average.
        """
        model = self.command.mapping.document_model
        if self.calculation is not None:
            pairs = zip(self.calculation.names, self.calculation.types, strict=True)
            return [{"name": name, "type": known, "entity": model} for name, known in pairs]
        if self.projection is None:
            return [{"name": self.command.mapping.name, "type": model, "entity": model}]
        readers = zip(self.projection.names, self.projection.readers, strict=True)
        return [{"name": name, "type": reader.annotation, "entity": model} for name, reader in readers]

    def pipeline(self, *stages: Mapping[str, object]) -> list[dict[str, object]]:
        """Return the query as the stages of an `aggregate` command, to go on from with stages of your own:
        `session.aggregate(User, select(User).where(User.age > 18).pipeline({"$count": "adults"}))`.

        Arguments:
            *stages: what follows, as MongoDB takes it.

        Raises:
            UnsupportedError: a condition is on what a document refers to.
        """
        if any(waiting(self.command.filter)):
            raise UnsupportedError(
                "pipeline(): a condition on what a document refers to takes a query of its own before the statement is "
                "sent; look the other documents up in the pipeline, with $lookup, and match there"
            )
        own = [dict(stage) for stage in stages]
        if self.calculation is not None:
            return [*calculated(self.calculation, self.command, once=self.once), *own]
        if self.projection is not None and self.once:
            return [*distinct.pipeline(self.command, self.projection), *own]
        keys = None if self.projection is None else self.projection.keys
        read = replaced(self.command, projection=keys)
        return [*(joining.ordered_documents(read) if read.sorts_across else commands.stages(read)), *own]

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        if self.calculation is not None or self.command.sorts_across:
            return shell.aggregate(self.command.mapping.collection, self.pipeline(), options=self.command.options)
        if self.projection is None:
            return shell.find(self.command)
        if self.once:
            stages = distinct.pipeline(self.command, self.projection)
            return shell.aggregate(self.command.mapping.collection, stages, options=self.command.options)
        return shell.find(replaced(self.command, projection=self.projection.keys))

    def __repr__(self) -> str:
        read = self.command
        name = read.mapping.name
        if self.calculation is not None:
            return f"select({', '.join(self.calculation.names)}) of {name}"
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


def amount(method: str, documents: object, *, least: int = 0) -> int:
    """Return a number of documents that *method* was given.

    Raises:
        ArgumentError: it is less than *least*.
        ArgumentTypeError: it is no whole number.
    """
    if isinstance(documents, bool) or not isinstance(documents, int):
        raise ArgumentTypeError(f"{method}() takes a number of documents, got {shown(documents)}")
    if documents < least:
        raise ArgumentError(f"{method}() takes a number of documents from {least}, got {shown(documents)}")
    return documents
