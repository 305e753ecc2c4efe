"""Statements that write at once: `insert`, `update`, `delete`.

Users build them and give them to a session.  They are immutable: every method returns a new statement, so that one
can be kept, shared by threads and used again.  Each clause is compiled when it is written, so that a mistake is
reported in its own line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from odmantic import Model
from typing_extensions import Self, TypedDict, Unpack

from mongotic_adapters import compiler, shell, unsupported
from mongotic_adapters.collector import paused
from mongotic_adapters.columns import Column
from mongotic_adapters.commands import USUAL, Batch, FindAndModify, ModifyMany, Operation, Read, SendOptions
from mongotic_adapters.conflicts import OnConflict, on_conflict, on_conflict_update
from mongotic_adapters.flows.inserting import NewDocument
from mongotic_adapters.keyed_rows import Assignment, KeyedRow, keyed_row
from mongotic_adapters.mapping import Mapping as Mapped
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.options import SENT_WITH_INSERTS, USUAL_WRITE, Synchronize, WriteOptions, changed_write
from mongotic_adapters.replacing import replaced
from mongotic_adapters.shown import shown
from mongotic_adapters.update_changes import Changes

from .clauses import Filtered
from .exceptions import ArgumentError, ArgumentTypeError
from .expressions import Criterion

if TYPE_CHECKING:
    from mongotic_adapters.transactions import Collation, WriteConcern

M = TypeVar("M", bound=Model)
T = TypeVar("T")

AnyValues: TypeAlias = Mapping[str, object] | Mapping[Column[Any], object] | Mapping[Column[Any] | str, object]
"""Values by field name, or by column."""

_NOTHING: tuple[()] = ()


class WriteOption(TypedDict, total=False):
    """What goes along with the command of every statement that writes."""

    comment: object
    max_time_ms: int | None
    write_concern: WriteConcern | None


class InsertOption(WriteOption, total=False):
    """The keyword arguments of `execution_options` of `insert()`."""

    ordered: bool


@dataclass(frozen=True, eq=False, repr=False)
class Insert(Generic[M]):
    """Stores new documents beside the unit of work.  Made by `insert`."""

    mapping: Mapped
    given: tuple[NewDocument, ...] | None = None
    rule: OnConflict | None = None
    ordered: bool = True
    sent_along: SendOptions = USUAL

    @property
    def documents(self) -> tuple[NewDocument, ...]:
        """What is to be stored.

        Raises:
            ArgumentError: nobody has said it.
        """
        if self.given is None:
            raise ArgumentError(f"insert({self.mapping.name}) has nothing to store; say what with values()")
        return self.given

    def values(self, rows: AnyValues | M | Iterable[AnyValues | M] = _NOTHING, /, **values: object) -> Insert[M]:
        """Say what to store.  Called again, it adds more.

        Arguments:
            rows: a dict, an instance, or an iterable of both; an empty one stores nothing.  The keys of a dict are
                names of fields or their Pydantic aliases, or columns; the primary key may be called `_id`.
            **values: one document by field name.

        Returns:
            A new statement; executed, it becomes one `insert` command.  A dict without primary key gets a new one in
            each execution.  An instance stays as it is: its `_id` is not set, and its key is in `inserted_ids`.

        Raises:
            pydantic.ValidationError: a dict does not make an instance.
            ArgumentError: a dict names an unknown field, or there is nothing at all.
            ArgumentTypeError: a row is neither a dict nor an instance of the model.
        """
        where = f"insert({self.mapping.name}).values()"
        if rows is _NOTHING and not values:
            raise ArgumentError(f"{where} has nothing to store")
        if isinstance(rows, (str, bytes)) or not isinstance(cast("object", rows), (Iterable, Model)):
            raise self._no_row(rows)
        given: list[object] = [rows] if isinstance(rows, (Mapping, Model)) else list(rows)
        if values:
            given.append(values)
        with paused:
            documents = [self._document(row) for row in given]
        return replaced(self, given=(*(self.given or ()), *documents))

    def _document(self, row: object) -> NewDocument:
        mapping = self.mapping
        if isinstance(row, mapping.document_model):
            return NewDocument(row)
        if not isinstance(row, Mapping):
            raise self._no_row(row)
        given = cast("AnyValues", row)
        fields, has_key = compiler.arguments(mapping, given)
        try:
            instance = mapping.document_model(**fields)
        except TypeError as error:  # of ODMantic's own validators: bytes that are no ObjectId
            where = f"insert({mapping.name}).values()"
            raise ArgumentTypeError(f"{where}: {shown(given)} makes no {mapping.name}: {error}") from error
        return NewDocument(instance, fresh_key=not has_key)

    def _no_row(self, row: object) -> ArgumentTypeError:
        name = self.mapping.name
        return ArgumentTypeError(f"insert({name}).values() takes dicts and {name} instances, got {shown(row)}")

    def on_conflict_do_nothing(self, *, index_elements: Iterable[object] = ()) -> Self:
        """Leave a document as it is whose key exists already, and go on with the other rows.

        Arguments:
            index_elements: the fields of the unique index meant, by name or as columns.  Without it, every unique
                index is; in a transaction it must be said, because MongoDB ends a transaction that meets an existing
                key.

        Returns:
            A new statement: an `insert` command that is not ordered; or, with *index_elements*, an `update` command
            whose rows are upserts with nothing but `$setOnInsert`.  `Result.inserted_ids` has the new ones only.

        Raises:
            ArgumentError: one is no field of the model.
        """
        where = f"insert({self.mapping.name}).on_conflict_do_nothing()"
        return replaced(self, rule=on_conflict(self.mapping, index_elements, where))

    def on_conflict_do_update(
        self, *, set_: AnyValues | Iterable[str] | None = None, index_elements: Iterable[object] = ()
    ) -> Self:
        """Change the document whose key exists already, and store the other rows.

        Arguments:
            set_: what it is given: names of fields, whose values the row has; or a dict of values and operators, which
                must agree with the row, because MongoDB applies them to a new document too; None for every field of
                the row but those of the index and the primary key.
            index_elements: the fields of the unique index, by name or as columns; without it, the primary key.

        Returns:
            A new statement: an `update` command whose rows are upserts. `Result.rowcount` counts the new documents and
            those modified.

        Raises:
            ArgumentError: one is no field of the model, or cannot be changed.
        """
        where = f"insert({self.mapping.name}).on_conflict_do_update()"
        return replaced(self, rule=on_conflict_update(self.mapping, index_elements, set_, where))

    def execution_options(self, **options: Unpack[InsertOption]) -> Self:
        """Say how the statement is to be carried out.

        Arguments:
            ordered: stop at the first row that fails, the default; or try them all. `IntegrityError.errors` has each
                that failed, in either case.
            comment: shown by the server's profiler and logs.
            max_time_ms: after how many milliseconds the command is given up, its way to the server and back included.
            write_concern: how many members must confirm it: `pymongo.WriteConcern("majority")`; not in a transaction,
                whose `begin(write_concern=...)` says it.

        Returns:
            A new statement; the last three go along with its command.

        Raises:
            ArgumentError: there is no such option or value.
            ArgumentTypeError: its value has the wrong type.
        """
        usual = replace(USUAL_WRITE, ordered=self.ordered)
        given, sent = changed_write(usual, self.sent_along, options, ("ordered",), SENT_WITH_INSERTS)
        return replaced(self, ordered=given.ordered, sent_along=sent)

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        documents = [document.document for document in (self.given or ())[:100]]
        return shell.insert_many(self.mapping.collection, documents, self.sent_along)

    def __repr__(self) -> str:
        return f"insert({self.mapping.name}).values(<{len(self.given or ())} rows>)"


class SynchronizeOption(WriteOption, total=False):
    """The keyword arguments of `execution_options` of `delete()`."""

    synchronize_session: Synchronize
    hint: str | Sequence[tuple[str, int]] | None
    collation: Collation | Mapping[str, object] | None


class UpdateOption(SynchronizeOption, total=False):
    """The keyword arguments of `execution_options` of `update()`."""

    upsert: bool
    ordered: bool


@dataclass(frozen=True, eq=False, repr=False)
class Synchronized(Filtered):
    """A statement that writes to documents the session may hold instances of; see `Update`, `Delete`.

    Events are not told of it: there are no instances to be told of.
    """

    options: WriteOptions = field(default=USUAL_WRITE, kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class Update(Synchronized, Generic[M]):
    """Changes every document that fits, beside the unit of work.  Made by `update`."""

    changes: Changes
    rows: tuple[KeyedRow, ...] | None = None
    criteria: Mapping[str, object] = field(default_factory=lambda: cast("dict[str, object]", {}))

    def values(self, changes: AnyValues | Iterable[AnyValues] | None = None, /, **values: object) -> Self:
        """Say what to set.  Called again, it sets more.

        Arguments:
            changes: what to set, by field name, by path (`"address.city"`, `"items.$[].quantity"`) or by column; or a
                list of dicts with the primary key in each, for one document each.
            **values: what to set, by field name.

        What is given is a value, which a dict is, too; or what one of the functions of `mongotic.ops` gives; or a
        column, or an expression of columns, which the server computes: a field that cannot be None stays as it is where
        null is computed.  A path into an embedded document concerns documents that have it; none is made up.

        Returns:
            A new statement.  Values and operators go into its `update` command as they are (`$set`, `$inc`, ...); with
            a computed value in it, the command has a pipeline.  A list of dicts is one command per 50,000.

        Raises:
            ArgumentError: a field is unknown, the primary key, the version or part of the shard key; a value or an
                operator does not fit its field; two paths contradict each other; or there is nothing to set.
            ArgumentTypeError: *changes* is neither a dict nor a list of dicts.
        """
        where = f"update({self.command.mapping.name}).values()"
        if changes is None or isinstance(changes, Mapping):
            every: dict[Any, object] = {**cast("Mapping[Any, object]", changes or {}), **values}
            if not every:
                raise ArgumentError(f"{where} has nothing to set")
            if self.rows is not None:
                raise ArgumentError(f"{where}: what is the same for all rows is said first, before the list")
            return replaced(self, changes=self.changes.added(every, where))
        if isinstance(changes, (str, bytes)) or not isinstance(cast("object", changes), Iterable):
            raise ArgumentTypeError(f"{where} takes a dict, or a list of dicts, got {shown(changes)}")
        common = self.changes.added(values, where) if values else self.changes
        rows = [keyed_row(row, common, self.criteria, where) for row in changes]
        return replaced(self, changes=common, rows=(*(self.rows or ()), *rows))

    def array_filters(self, **criteria: Criterion) -> Self:
        """Say which elements of lists `$[name]` in a path stands for.

        Arguments:
            **criteria: conditions on the column of the list, on columns inside of it, or on columns of the embedded
                model, by that name: `update(Order).values({"items.$[few].quantity": 0})
                .array_filters(few=col(Order.items).quantity < 3)`, or `few=col(Item.quantity) < 3`.

        Returns:
            A new statement, with the conditions in the `arrayFilters` of its `update` command.

        Raises:
            ArgumentError: a name does not begin with a small letter, or has something else than letters and digits.
        """
        for name in criteria:
            if not (name[:1].islower() and name.isascii() and name.isalnum()):
                raise ArgumentError(f"array_filters(): {name!r}: MongoDB takes names of letters and digits, as in few1")
        if self.rows is not None:
            raise ArgumentError("array_filters() is said first, before the list of values()")
        return replaced(self, criteria={**self.criteria, **criteria})

    def upsert(self) -> Self:
        """Store a new document if none fits: `upsert` in its `update` command.

        It has what `where` says its fields equal, what is set, what the operators make of nothing, and the default of
        every other field, so that it is a whole document.  `Result.upserted_id` is its key.

        Returns:
            A new statement.  Executed, it raises `ArgumentError` if the new document would lack a field that has no
            default, or if it leads into a field; nothing is sent then.
        """
        return self.execution_options(upsert=True)

    def returning(self, model: type[M], *, before: bool = False) -> Returning[M]:
        """Change one document only, and give its instance: a `findAndModify` command in the place of an `update`.

        Arguments:
            model: the model of the statement.
            before: give an instance as the document was before, held by no session.

        Returns:
            A statement for `scalars`, `scalar` and `execute`; without an `order_by`, any one document that fits is
            changed.

        Raises:
            ArgumentTypeError: it is another model.
            ArgumentError: the statement has a list of values.
        """
        if self.rows is not None:
            raise ArgumentError(
                f"update({self.command.mapping.name}).returning() changes one document, not one per row"
            )
        return Returning(_same_model(self, model), self.options, self.assignment, before=before)

    def assignment(self) -> Assignment:
        """Return what is changed.

        Raises:
            ArgumentError: names of elements and `array_filters` do not go together, or there is nothing to set.
        """
        if not self.changes:
            raise ArgumentError(f"update({self.command.mapping.name}) has nothing to set; say what with values()")
        return Assignment(self.changes, self.changes.array_filters(self.criteria))

    def sent(self) -> ModifyMany:
        """Return the command, for all documents that fit; raises as `assignment` and `upsert` say."""
        what = self.assignment()
        condition, update = what.resolved(self.command.filter, upsert=self.options.upsert)
        read = self.command
        return ModifyMany(
            read.mapping, condition, update, what.array_filters, self.options.upsert, options=read.options
        )

    def execution_options(self, **options: Unpack[UpdateOption]) -> Self:
        """Say how the statement is to be carried out.

        Arguments:
            synchronize_session: what becomes of instances the session holds. `"expire"`, the default: all of the model
                count as expired, values untouched. `"fetch"`: exactly those whose documents fit are read again, or
                detached. `False`: nothing.
            upsert: store a new document if none fits; see `upsert`.
            ordered: stop at the first row that fails, the default; or try them all.
            hint: the index to use: its name, or its keys.
            collation: the rules of a language for comparing text: `pymongo.collation.Collation("de", strength=2)`.
            comment: shown by the server's profiler and logs.
            max_time_ms: after how many milliseconds the command is given up, its way to the server and back included;
                what is changed by then stays changed, unless a transaction is undone with it.
            write_concern: how many members must confirm it: `pymongo.WriteConcern("majority")`; not in a transaction,
                whose `begin(write_concern=...)` says it.

        Returns:
            A new statement; `"fetch"` costs a `find` command before it, and another one after an update.  The last five
            go along with its command.

        Raises:
            ArgumentError: there is no such option or value.
            ArgumentTypeError: its value has the wrong type.
        """
        chosen, sent = changed_write(self.options, self.command.options, options, _UPDATE_OPTIONS)
        return replaced(self, options=chosen, command=replace(self.command, options=sent))

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        read = self.command
        if self.rows is not None:
            operations: list[Operation] = [row.operation(read.filter, upsert=False) for row in self.rows]
            return shell.write(Batch(read.mapping, operations, options=read.options))
        what = Assignment(self.changes, self.changes.array_filters(self.criteria))
        condition, update = what.resolved(read.filter, upsert=False)
        shown_update = update or {"$set": {}}
        upsert = self.options.upsert
        return shell.modify_many(
            ModifyMany(read.mapping, condition, shown_update, what.array_filters, upsert, options=read.options)
        )

    def __repr__(self) -> str:
        return f"update({self.command.mapping.name}).where({shown(self.command.filter)}).values({self.changes!r})"


_UPDATE_OPTIONS = ("synchronize_session", "upsert", "ordered")


@dataclass(frozen=True, eq=False, repr=False)
class Delete(Synchronized, Generic[M]):
    """Removes every document that fits, beside the unit of work.  Made by `delete`."""

    def returning(self, model: type[M]) -> Returning[M]:
        """Remove one document only, and give its instance: a `findAndModify` command in the place of a `delete`.

        Returns:
            A statement for `scalars`, `scalar` and `execute`; without an `order_by`, any one document that fits is
            removed. The instance is new to every session: added to one, it is stored again.

        Raises:
            ArgumentTypeError: it is another model.
        """
        return Returning(_same_model(self, model), self.options)

    def execution_options(self, **options: Unpack[SynchronizeOption]) -> Self:
        """Say how the statement is to be carried out; see `Update.execution_options`."""
        chosen, sent = changed_write(self.options, self.command.options, options, ("synchronize_session",))
        return replaced(self, options=chosen, command=replace(self.command, options=sent))

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        return shell.delete_many(self.command.mapping.collection, self.command.filter, self.command.options)

    def __repr__(self) -> str:
        return f"delete({self.command.mapping.name}).where({shown(self.command.filter)})"


@dataclass(frozen=True, eq=False, repr=False)
class Returning(Generic[M]):
    """Changes or removes one document and gives its instance.  Made by `Update.returning` and `Delete.returning`."""

    command: Read
    options: WriteOptions
    assignment: Callable[[], Assignment] | None = None
    before: bool = field(default=False, kw_only=True)

    def order_by(self, *clauses: object) -> Self:
        """Say which document is meant if several fit: the first one in this order.

        Arguments:
            *clauses: as in `Select.order_by`.

        Returns:
            A new statement, with the keys in the `sort` of its `findAndModify` command.

        Raises:
            ArgumentTypeError: as `Select.order_by` says.
            UnsupportedError: an order is by what a document refers to.
        """
        found = [pair for clause in clauses for pair in compiler.ordering(self.command.mapping, clause)]
        command = replaced(self.command, sort=(*self.command.sort, *found))
        if command.sorts_across:
            raise unsupported.order_of_a_change()
        return replaced(self, command=command)

    def resolved(self) -> FindAndModify:
        """Return what is sent.

        Raises:
            ArgumentError: as `Update.assignment` and `Update.upsert` say.
        """
        read = self.command
        if self.assignment is None:
            return FindAndModify(read.mapping, read.filter, read.sort, options=read.options)
        what = self.assignment()
        condition, update = what.resolved(read.filter, upsert=self.options.upsert)
        return FindAndModify(
            read.mapping,
            condition,
            read.sort,
            update,
            what.array_filters,
            self.options.upsert,
            self.before,
            read.options,
        )

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        return shell.find_and_modify(replaced(self, options=replace(self.options, upsert=False)).resolved())

    def __repr__(self) -> str:
        verb = "delete" if self.assignment is None else "update"
        name = self.command.mapping.name
        return f"{verb}({name}).where({shown(self.command.filter)}).returning({name})"


def _same_model(statement: Synchronized, model: object) -> Read:
    mapping = statement.command.mapping
    if model is not mapping.model:
        raise ArgumentTypeError(f"returning() takes {mapping.name}, the model of the statement, got {shown(model)}")
    return statement.command


def insert(model: type[M]) -> Insert[M]:
    """Store new documents of *model* at once: one `insert` command.

    The unit of work does not see them; use `Session.add` for instances to keep working with.

    Raises:
        ArgumentTypeError: it is no model class.
    """
    return Insert(mapping_of(model))


def update(model: type[M]) -> Update[M]:
    """Change documents of *model* at once: one `update` command.  Without `where`, every document is changed.

    Raises:
        ArgumentTypeError: it is no model class.
    """
    mapping = mapping_of(model)
    return Update(Read(mapping), Changes(mapping))


def delete(model: type[M]) -> Delete[M]:
    """Remove documents of *model* at once: one `delete` command.  Without `where`, every document is removed.

    Raises:
        ArgumentTypeError: it is no model class.
    """
    return Delete(Read(mapping_of(model)))
