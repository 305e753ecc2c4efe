"""Statements that write at once: `insert`, `update`, `delete`.

Users build them and give them to a session.  They are immutable: every method returns a new statement, so that one
can be kept, shared by threads and used again.  Each clause is compiled when it is written, so that a mistake is
reported in its own line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar, cast

from odmantic import Model
from typing_extensions import Self, TypedDict, Unpack

from mongotic_adapters import compiler, shell
from mongotic_adapters.columns import Column
from mongotic_adapters.commands import Read
from mongotic_adapters.encoding import Document
from mongotic_adapters.flows.executing import NewDocument
from mongotic_adapters.mapping import Mapping as Mapped
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.options import USUAL_WRITE, Synchronize, WriteOptions, changed_write
from mongotic_adapters.shown import shown

from .clauses import Filtered
from .exceptions import ArgumentError, ArgumentTypeError

M = TypeVar("M", bound=Model)
T = TypeVar("T")

AnyValues: TypeAlias = Mapping[str, object] | Mapping[Column[Any], object]
"""Values by field name, or by column."""

_NOTHING: tuple[()] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Insert(Generic[M]):
    """Stores new documents beside the unit of work.  Made by `insert`."""

    mapping: Mapped
    given: tuple[NewDocument, ...] | None = None

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
        return replace(self, given=(*(self.given or ()), *(self._document(row) for row in given)))

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

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        documents = [document.document for document in (self.given or ())[:100]]
        return shell.call(self.mapping.collection, "insertMany", documents)

    def __repr__(self) -> str:
        return f"insert({self.mapping.name}).values(<{len(self.given or ())} rows>)"


class WriteOption(TypedDict, total=False):
    """The keyword arguments of `execution_options` of `update()` and `delete()`."""

    synchronize_session: Synchronize


@dataclass(frozen=True, eq=False, repr=False)
class Synchronized(Filtered):
    """A statement that writes to documents the session may hold instances of; see `Update`, `Delete`."""

    options: WriteOptions = field(default=USUAL_WRITE, kw_only=True)

    def execution_options(self, **options: Unpack[WriteOption]) -> Self:
        """Say how the statement is to be carried out.

        Arguments:
            synchronize_session: what becomes of instances the session holds. `"expire"`, the default: all of the model
                count as expired, values untouched. `"fetch"`: exactly those whose documents fit are read again, or
                detached. `False`: nothing.

        Returns:
            A new statement; `"fetch"` costs a `find` command before it, and another one after an update.

        Raises:
            ArgumentError: there is no such option or value.
        """
        return replace(self, options=changed_write(self.options, options))


@dataclass(frozen=True, eq=False, repr=False)
class Update(Synchronized, Generic[M]):
    """Changes every document that fits, beside the unit of work.  Made by `update`."""

    assigned: Document

    def values(self, changes: AnyValues | None = None, /, **values: object) -> Self:
        """Say what to set.  Called again, it sets more.

        Arguments:
            changes: new values by field name, or by column.
            **values: the same, as keywords.

        Returns:
            A new statement, with the values in the `$set` of its `update` command.

        Raises:
            ArgumentError: a field is unknown or the primary key, a value does not fit its field, or there is nothing
            to set.
            ArgumentTypeError: *changes* is no dict, or has keys that are neither.
        """
        where = f"update({self.command.mapping.name}).values()"
        if changes is not None and not isinstance(cast("object", changes), Mapping):
            raise ArgumentTypeError(f"{where} takes a dict of new values, or keywords, got {shown(changes)}")
        every: dict[Any, object] = {**cast("Mapping[Any, object]", changes or {}), **values}
        if not every:
            raise ArgumentError(f"{where} has nothing to set")
        return replace(self, assigned={**self.assigned, **compiler.assignments(self.command.mapping, every)})

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        return shell.call(self.command.mapping.collection, "updateMany", self.command.filter, {"$set": self.assigned})

    def __repr__(self) -> str:
        return f"update({self.command.mapping.name}).where({shown(self.command.filter)}).values({shown(self.assigned)})"


@dataclass(frozen=True, eq=False, repr=False)
class Delete(Synchronized, Generic[M]):
    """Removes every document that fits, beside the unit of work.  Made by `delete`."""

    def __str__(self) -> str:
        """The command as MongoDB's shell writes it."""
        return shell.call(self.command.mapping.collection, "deleteMany", self.command.filter)

    def __repr__(self) -> str:
        return f"delete({self.command.mapping.name}).where({shown(self.command.filter)})"


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
    return Update(Read(mapping_of(model)), {})


def delete(model: type[M]) -> Delete[M]:
    """Remove documents of *model* at once: one `delete` command.  Without `where`, every document is removed.

    Raises:
        ArgumentTypeError: it is no model class.
    """
    return Delete(Read(mapping_of(model)))
