"""Where the fields of an expression lie: in the documents of a model, or in groups of them.

Made by `compiler` for documents and by `calculation` for groups; `computed` renders in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin

from odmantic.query import QueryExpression

from . import unsupported
from .across import CROSSING
from .columns import Column, column_of
from .computed import Aggregate, Computed, Kind, is_computed, rendered
from .encoding import Document
from .errors import ArgumentError
from .mapping import Mapping
from .odmantic_internals import FieldProxy
from .predicates import predicate

Compile = Callable[[Mapping, object], Document]
"""Makes a filter of a condition; see `compiler.condition`."""


_KINDS: dict[object, Kind] = {str: Kind.TEXT, int: Kind.WHOLE}


class DocumentScope:
    """The documents of a model: a field is found under its key.

    Arguments:
        mapping: the model.
        compiled: makes a filter of a condition.
    """

    def __init__(self, mapping: Mapping, compiled: Compile) -> None:
        self.mapping = mapping
        self._compiled = compiled

    def column(self, field: FieldProxy) -> object:
        """Return the path of a field.

        Raises:
            ArgumentError: it is a field of another model.
            UnsupportedError: it is a field of what the documents refer to.
        """
        return self.path(self.own(field).key_)

    def path(self, key: str) -> object:
        """Return the path of a key; raises as `column` does."""
        if CROSSING in key:
            remedy = "look it up in a pipeline of your own, session.aggregate() with $lookup"
            raise unsupported.of_another_document("a computed value", self.mapping.name, key, remedy)
        return f"${key}"

    def own(self, field: FieldProxy) -> Column[Any]:
        """Return the column of a field of the model."""
        column = column_of(field)
        if column.mapping_ is not self.mapping:
            raise ArgumentError(
                f"{column.mapping_.name}.{column.key_} is no field of {self.mapping.name}; a statement concerns one "
                "model only"
            )
        return column

    def kind(self, field: FieldProxy) -> Kind:
        """Return what the annotation of a field says."""
        return _kind(column_of(field))

    def known(self, node: Computed[object]) -> object | None:  # noqa: ARG002  # a group knows some
        """Return None: nothing was computed before."""
        return None

    def aggregate(self, node: Aggregate[object]) -> object:
        """Refuse a function of many documents.

        Raises:
            ArgumentError: always.
        """
        raise ArgumentError(
            f"func.{node.name_}() looks at many documents, and has no value in a single one; it belongs in select(), "
            "having() or order_by(), and not inside of another one"
        )

    def condition(self, criterion: QueryExpression) -> object:
        """Return the expression that tells whether a condition holds for a document."""
        return predicate(self.filter(criterion))

    def filter(self, criterion: QueryExpression) -> Document:
        """Return a condition as a filter."""
        return self._compiled(self.mapping, criterion)


class GroupScope:
    """The groups of a statement: the keys of a group and what aggregate functions gave lie in it.

    Arguments:
        documents: the scope of the documents.
        keys: what is grouped by.

    Attributes:
        keys: the expressions that the documents are grouped by.
        accumulators: what `$group` has to keep, by name; grows with what is rendered.
    """

    def __init__(self, documents: DocumentScope, keys: Sequence[object]) -> None:
        self._documents = documents
        self.keys = [rendered(key, documents) for key in keys]
        self.accumulators: dict[str, Document] = {}

    def column(self, field: FieldProxy) -> object:
        """Return the path of a field that is a key of the group.

        Raises:
            ArgumentError: the documents of one group may differ in it.
        """
        return self.path(self._documents.own(field).key_)

    def path(self, key: str) -> object:
        """Return the path of a field that is a key of the group; see `column`."""
        if f"${key}" not in self.keys:
            name = f"{self._documents.mapping.name}.{key}"
            raise ArgumentError(
                f"{name} has a value in each document, and there is one row for many: put it into group_by(), or "
                f"into a function such as func.min({name})"
            )
        return f"$_id.{self.keys.index(f'${key}')}"

    def kind(self, field: FieldProxy) -> Kind:
        """Return what the annotation of a field says."""
        return self._documents.kind(field)

    def known(self, node: Computed[object]) -> object | None:
        """Return the path of a key of the group, if *node* is computed as one is."""
        try:
            expression = rendered(node, self._documents)
        except ArgumentError:  # it has an aggregate in it
            return None
        return f"$_id.{self.keys.index(expression)}" if expression in self.keys else None

    def aggregate(self, node: Aggregate[object]) -> object:
        """Return the expression for what the accumulators of a function gave."""
        operands = [rendered(operand, self._documents) for operand in node.operands]
        return node.result([f"${self._kept(accumulator)}" for accumulator in node.accumulators(operands)])

    def condition(self, criterion: QueryExpression) -> object:
        """Return the expression that tells whether a condition holds for a group."""
        return predicate(self.filter(criterion))

    def filter(self, criterion: object) -> Document:
        """Return a condition on groups as the filter of a `$match`.

        Raises:
            ArgumentError: it asks for what a group has not.
        """
        if not isinstance(criterion, QueryExpression):
            raise ArgumentError(f"having() takes conditions such as func.count() > 1, got {criterion!r}")
        compiled: Document = {}
        for key, operand in cast("Document", criterion).items():
            if key in ("$and", "$or", "$nor"):
                compiled[key] = [self.filter(part) for part in cast("list[object]", operand)]
            elif is_computed(operand):
                compiled[key] = rendered(operand, self)
            elif key.startswith("$"):
                raise ArgumentError(f"having(): {key} asks documents; such conditions belong in where()")
            else:
                path = cast("str", self.path(key)).removeprefix("$")
                compiled[path] = self._documents.filter(QueryExpression({key: operand}))[key]
        return compiled

    def _kept(self, accumulator: Document) -> str:
        for name, known in self.accumulators.items():
            if known == accumulator:
                return name
        name = f"a{len(self.accumulators)}"
        self.accumulators[name] = accumulator
        return name


def _kind(column: Column[Any]) -> Kind:
    """Return what the annotation of a column says: of `str`, `int`, or one of them and None."""
    annotation = column.annotation_
    origin = get_origin(annotation)
    parts = [annotation] if origin is None else list(get_args(annotation)) if origin in (Union, UnionType) else []
    kinds = {_KINDS.get(part, Kind.OTHER) for part in parts if part is not NoneType}
    return kinds.pop() if len(kinds) == 1 else Kind.OTHER
