"""Statements: `select`, `insert`, `update`, `delete`.

Users build them and give them to a session.  They are immutable: every method returns a new statement, so that one
can be kept, shared by threads and used again.  Each clause is compiled when it is written, so that a mistake is
reported in its own line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

from odmantic import Model
from typing_extensions import Self

from mongotic_adapters import compiler
from mongotic_adapters.commands import Read
from mongotic_adapters.encoding import Document
from mongotic_adapters.flows.executing import NewDocument
from mongotic_adapters.mapping import Mapping as Mapped
from mongotic_adapters.mapping import mapping_of

from .exceptions import ArgumentError, ArgumentTypeError
from .expressions import Criterion

M = TypeVar("M", bound=Model)
T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class _Filtered:
    """What every statement with a condition shares."""

    command: Read

    def _with(self, read: Read) -> Self:
        return replace(self, command=read)

    def where(self, *criteria: Criterion) -> Self:
        """Restrict the statement to documents that fit every criterion.

        Called again, it restricts further.  Comparison is MongoDB's: `!=` and `not_in` also match documents in which
        the field is null or missing.

        Arguments:
            *criteria: conditions such as `User.age > 18`, or filter dicts as MongoDB takes them.

        Returns:
            A new statement; its `find`, `update` or `delete` command has the conditions in its filter.

        Raises:
            ArgumentTypeError: a criterion is a real bool or no condition at all.
            ArgumentError: a condition names a field of another model.
        """
        read = self.command
        for criterion in criteria:
            found = compiler.condition(read.mapping, criterion)
            read = replace(read, filter=compiler.conjunction(read.filter, found))
        return self._with(read)

    def filter_by(self, **values: object) -> Self:
        """Restrict the statement to documents whose fields equal *values*.

        Arguments:
            **values: field names with values; a dict is a value here, never an operator.

        Returns:
            A new statement; each field is compared by `$eq`.

        Raises:
            ArgumentError: a field is unknown.
        """
        read = self.command
        for name, value in values.items():
            found = compiler.equality(read.mapping, name, value)
            read = replace(read, filter=compiler.conjunction(read.filter, found))
        return self._with(read)


@dataclass(frozen=True, eq=False, repr=False)
class Select(_Filtered, Generic[T]):
    """A query.  Made by `select`; the type parameter is the row it gives, `tuple[User]` for `select(User)`.

    Attributes:
        command: what will be asked of the database.
    """

    def order_by(self, *clauses: object) -> Self:
        """Sort the result.

        Arguments:
            *clauses: fields such as `User.age`, `asc(field)` or `desc(field)`, most significant first; called again,
            less significant
                ones are added.  A single None takes the order away.

        Returns:
            A new statement, with the keys in the `sort` of its `find` command.

        Raises:
            ArgumentTypeError: a clause is neither.
            ArgumentError: a field belongs to another model.
        """
        if len(clauses) == 1 and clauses[0] is None:  # by identity: a field answers == with a condition
            return self._with(replace(self.command, sort=()))
        found = [pair for clause in clauses for pair in compiler.ordering(self.command.mapping, clause)]
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

    def __repr__(self) -> str:
        read = self.command
        clauses = [f"select({read.mapping.name})"]
        clauses += [f"where({read.filter!r})"] if read.filter else []
        clauses += [f"order_by({dict(read.sort)!r})"] if read.sort else []
        clauses += [f"limit({read.limit})"] if read.limit is not None else []
        clauses += [f"offset({read.skip})"] if read.skip else []
        return ".".join(clauses)


@dataclass(frozen=True, eq=False, repr=False)
class Insert(Generic[M]):
    """Stores new documents beside the unit of work.  Made by `insert`."""

    mapping: Mapped
    documents: tuple[NewDocument, ...] = ()

    def values(
        self, rows: Mapping[str, object] | M | Iterable[Mapping[str, object] | M] = (), /, **values: object
    ) -> Insert[M]:
        """Say what to store.  Called again, it adds more.

        Arguments:
            rows: a dict by field name, an instance, or an iterable of both.
            **values: one document by field name.

        Returns:
            A new statement; executed, it becomes one `insert` command.  A dict without primary key gets a new one in
            each execution.

        Raises:
            pydantic.ValidationError: a dict does not make an instance.
            ArgumentError: a dict names an unknown field.
            ArgumentTypeError: a row is neither a dict nor an instance of the model.
        """
        given: list[object] = [rows] if isinstance(rows, (Mapping, Model)) else list(rows)
        if values:
            given.append(values)
        return replace(self, documents=(*self.documents, *(self._document(row) for row in given)))

    def _document(self, row: object) -> NewDocument:
        mapping = self.mapping
        where = f"insert({mapping.name}).values()"
        if isinstance(row, mapping.document_model):
            return NewDocument(row)
        if not isinstance(row, Mapping):
            raise ArgumentTypeError(f"{where} takes dicts and {mapping.name} instances, got {row!r}")
        fields = cast("Mapping[str, object]", row)
        compiler.expect_fields(mapping, fields, where)
        return NewDocument(mapping.document_model(**fields), fresh_key=mapping.primary not in fields)

    def __repr__(self) -> str:
        return f"insert({self.mapping.name}).values(<{len(self.documents)} rows>)"


@dataclass(frozen=True, eq=False, repr=False)
class Update(_Filtered, Generic[M]):
    """Changes every document that fits, beside the unit of work.  Made by `update`."""

    assigned: Document

    def values(self, changes: Mapping[str, object] | None = None, /, **values: object) -> Self:
        """Say what to set.  Called again, it sets more.

        Arguments:
            changes: new values by field name.
            **values: the same, as keywords.

        Returns:
            A new statement, with the values in the `$set` of its `update` command.

        Raises:
            ArgumentError: a field is unknown or the primary key, a value does not fit its field, or there is nothing
            to set.
        """
        every = {**(changes or {}), **values}
        if not every:
            raise ArgumentError(f"update({self.command.mapping.name}).values() has nothing to set")
        return replace(self, assigned={**self.assigned, **compiler.assignments(self.command.mapping, every)})

    def __repr__(self) -> str:
        return f"update({self.command.mapping.name}).where({self.command.filter!r}).values({self.assigned!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Delete(_Filtered, Generic[M]):
    """Removes every document that fits, beside the unit of work.  Made by `delete`."""

    def __repr__(self) -> str:
        return f"delete({self.command.mapping.name}).where({self.command.filter!r})"


def select(model: type[M]) -> Select[tuple[M]]:
    """Query the documents of *model*.

    Arguments:
        model: a class derived from `odmantic.Model`.

    Returns:
        A statement for `Session.scalars` and `Session.scalar`: one `find` command.

    Raises:
        ArgumentTypeError: it is no model class.
    """
    return Select(Read(mapping_of(model)))


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


def _amount(method: str, documents: object) -> int:
    if isinstance(documents, bool) or not isinstance(documents, int):
        raise ArgumentTypeError(f"{method}() takes a number of documents, got {documents!r}")
    if documents < 0:
        raise ArgumentError(f"{method}() takes a number of documents from 0, got {documents!r}")
    return documents
