"""Columns: the fields of a model as statements see them, and the conditions made of them.

A `Column` stands for the class attribute of a field, `User.age`, with all operators; the facade's `col()` and
`MongoBaseModel` make them. It is ODMantic's `FieldProxy` too, and a condition is ODMantic's `QueryExpression`, so
that both can be given to ODMantic's engine as well as to a statement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    overload,
)

import bson
from odmantic import Model, ObjectId
from pydantic import BaseModel

from . import odmantic_internals as odm
from . import unsupported
from .across import CROSSING
from .computed import Selectable, compared, is_computed
from .conditions import Expression, combined
from .encoding import Document, encode_operand
from .errors import ArgumentError, ArgumentTypeError
from .field_conditions import FieldConditions, may_be_taken_for_a_condition
from .mapping import FieldMap, Shape, class_mapping, mapping_of
from .mapping import Mapping as Mapped
from .shown import shown
from .statement_part import StatementPart
from .suggestions import did_you_mean

T = TypeVar("T")
E = TypeVar("E")
Text = TypeVar("Text", bound=Collection[str] | None)
"""A text, or a list of texts, one of which is to fit."""
Whole = TypeVar("Whole", bound=Collection[object] | None)
"""What can contain something."""

if TYPE_CHECKING:

    class _Proxy:
        """Nothing: what ODMantic's proxy shows of itself would make every attribute Any."""
else:
    _Proxy = odm.FieldProxy


class Column(_Proxy, Selectable[T], FieldConditions[T]):
    """A field of a model, in a statement: `col(User.age)`, or `User.age` itself on a `MongoBaseModel`.

    Comparison is MongoDB's: `!=` and `not_in` also match documents in which the field is null or missing.
    The fields of an embedded model are its attributes (`col(User.address).city`), also through a list
    (`col(Order.items).sku`); where a field has the name of a method, the field is meant, and `Column.size(column, 2)`
    is the method.

    Attributes are for mongotic alone:
        mapping_: the model.
        key_: the dotted path in the document.
        annotation_: the annotated type.
        field_: what is known of the field; None in a plain Pydantic model.
        lists_: the paths of the lists of embedded documents it lies in, outermost first.
    """

    __slots__ = ("_children", "annotation_", "field_", "key_", "lists_", "mapping_")

    def __init__(
        self, mapping: Mapped, key: str, annotation: object, field: FieldMap | None, lists: tuple[str, ...] = ()
    ) -> None:
        self.mapping_ = mapping
        self.lists_ = lists
        self.key_ = key
        self.annotation_ = annotation
        self.field_ = field
        if not TYPE_CHECKING and field is not None:
            object.__setattr__(self, "parent", None)
            object.__setattr__(self, "field", field.source)

    if not TYPE_CHECKING:  # a checker would take every misspelt operator for a field

        def __getattribute__(self, name: str) -> Any:  # a column of a type that only the embedded model knows
            if not name.startswith("_") and not name.endswith("_"):
                child = child_of(self, name)
                if child is not None:
                    return child
            return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Column[Any]:  # reached when there is no such field and no such method
        if name.startswith("__") or name in Column.__slots__:
            raise AttributeError(name)  # asked by copy and pickle, of a column that is not set up yet
        raise AttributeError(f"{_named(self)} has no field {name!r}{did_you_mean(name, _inner_names(self))}")

    def __copy__(self) -> Column[T]:
        return self

    def __deepcopy__(self, memo: object) -> Column[T]:
        return self

    @overload
    def __getitem__(self: Column[list[E]], index: int) -> Column[E]: ...
    @overload
    def __getitem__(self: Column[list[E] | None], index: int) -> Column[E]: ...
    @overload
    def __getitem__(self: Column[tuple[E, ...]], index: int) -> Column[E]: ...
    @overload
    def __getitem__(self: Column[tuple[E, ...] | None], index: int) -> Column[E]: ...
    def __getitem__(self, index: int) -> object:
        """Return one element of a list as a column: `col(User.tags)[0]`, `col(Order.items)[-1].qty` of the last item.

        Selected, grouped by or compared with columns it is computed (`$arrayElemAt`), and None where the list is
        shorter.  Compared with a value it is the path `tags.0`, as it is in `values()` of an update; no path leads to
        a negative position.

        Raises:
            ArgumentTypeError: the position is no whole number.
            ArgumentError: there is no list, or it lies in another one, of which no element was chosen.
        """
        from .elements import element  # it is made of columns

        return element(self, index)

    # -- comparison ----------------------------------------------------------------------------------------------

    def __eq__(self, other: T | Selectable[T] | None) -> Expression:  # type: ignore[override]  # a condition, not a bool
        return _compared(self, "$eq", other)

    def __ne__(self, other: T | Selectable[T] | None) -> Expression:  # type: ignore[override]  # a condition, not a bool
        return _compared(self, "$ne", other)

    def __gt__(self, other: T | Selectable[T]) -> Expression:
        return _compared(self, "$gt", other)

    def __ge__(self, other: T | Selectable[T]) -> Expression:
        return _compared(self, "$gte", other)

    def __lt__(self, other: T | Selectable[T]) -> Expression:
        return _compared(self, "$lt", other)

    def __le__(self, other: T | Selectable[T]) -> Expression:
        return _compared(self, "$lte", other)

    __hash__ = object.__hash__

    # ODMantic's ObjectId declares a field; its values are plain ones.
    @overload
    def in_(self: Column[ObjectId] | Column[ObjectId | None], values: Iterable[bson.ObjectId | None]) -> Expression: ...
    @overload
    def in_(self, values: Iterable[T | None]) -> Expression: ...
    def in_(self, values: Iterable[object]) -> Expression:
        """Fit documents in which the field has one of *values*: `$in`."""
        return _among(self, _several(self, "in_", values))

    @overload
    def not_in(
        self: Column[ObjectId] | Column[ObjectId | None], values: Iterable[bson.ObjectId | None]
    ) -> Expression: ...
    @overload
    def not_in(self, values: Iterable[T | None]) -> Expression: ...
    def not_in(self, values: Iterable[object]) -> Expression:
        """Fit documents in which the field has none of *values*, or is missing: `$nin`."""
        return _among(self, _several(self, "not_in", values), negated=True)

    def is_(self, value: T | None) -> Expression:
        """The same as `==`; `is_(None)` fits documents in which the field is null or missing."""
        return _compared(self, "$eq", value)

    def is_not(self, value: T | None) -> Expression:
        """The same as `!=`; `is_not(None)` fits documents in which the field is there and not null."""
        return _compared(self, "$ne", value)

    @overload
    def between(self: Column[list[E]], low: E, high: E) -> Expression: ...
    @overload
    def between(self, low: T, high: T) -> Expression: ...
    def between(self, low: object, high: object) -> Expression:
        """Fit documents in which the field is from *low* to *high*, both included: `$gte` and `$lte`.

        Of a list, and through a list of embedded documents, one element must lie between them: `$elemMatch`; a list
        as a whole is compared with lists.
        """
        return _for_one_value(self, {"$gte": operand_of(self, low), "$lte": operand_of(self, high)})

    # -- text ----------------------------------------------------------------------------------------------------

    def like(self: Column[Text], pattern: str, escape: str | None = None) -> Expression:
        """Fit texts like *pattern*, in which `%` stands for any text and `_` for any one character: `$regex`.

        After the character *escape*, any character stands for itself: `like("50|%", escape="|")`.
        """
        return _matched(self, _like(self, "like", pattern, escape), "s")

    def ilike(self: Column[Text], pattern: str, escape: str | None = None) -> Expression:
        """The same as `like`, upper and lower case alike; no index helps it."""
        return _matched(self, _like(self, "ilike", pattern, escape), "is")

    def contains(self: Column[Whole], part: object) -> Expression:
        """Fit texts that contain *part* literally (`$regex`), or lists that have it as an element (`$eq`)."""
        if _is_list(self.annotation_):
            is_reference = self.field_ is not None and self.field_.shape is Shape.REFERENCE
            return _condition(
                self, "$eq", operand_of(self, part) if is_reference else encode_operand(part, self.field_)
            )
        return _matched(self, re.escape(_text(self, "contains", part)), "s")

    def startswith(self: Column[Text], part: str) -> Expression:
        """Fit texts that begin with *part* literally: `$regex`; an index on the field helps it."""
        return _matched(self, "^" + re.escape(_text(self, "startswith", part)), "s")

    def endswith(self: Column[Text], part: str) -> Expression:
        """Fit texts that end with *part* literally: `$regex`."""
        return _matched(self, re.escape(_text(self, "endswith", part)) + r"\z", "s")

    # -- order ---------------------------------------------------------------------------------------------------

    def asc(self) -> odm.SortExpression:
        """Sort by the field, smallest first."""
        return odm.SortExpression({self.key_: 1})

    def desc(self) -> odm.SortExpression:
        """Sort by the field, largest first."""
        return odm.SortExpression({self.key_: -1})

    def __neg__(self) -> odm.SortExpression:
        return self.desc()

    # -- for ODMantic --------------------------------------------------------------------------------------------

    def _get_key_name(self) -> str:
        """What ODMantic asks its proxies for: `+User.age` is the key."""
        return self.key_

    # ODMantic's names for the operators; its functions and engines call them.
    eq, ne, gt, gte, lt, lte = __eq__, __ne__, __gt__, __ge__, __lt__, __le__

    def match(self: Column[Text], pattern: str | re.Pattern[str]) -> Expression:
        """Fit texts in which the regular expression *pattern* is found; ODMantic's name for it."""
        try:
            return Expression(self.mapping_, {self.key_: re.compile(pattern)})
        except (re.error, TypeError) as error:
            raise ArgumentError(
                f"{_named(self)}.match(): {shown(pattern)} is no regular expression: {error}"
            ) from error

    def __bool__(self) -> NoReturn:
        raise ArgumentTypeError(
            f"{_named(self)} is a field and neither true nor false: write {_named(self)} == True, say"
        )

    def __iter__(self) -> Iterator[NoReturn]:
        raise ArgumentTypeError(f"{_named(self)} is a field; there is nothing to iterate over")

    def __repr__(self) -> str:
        return f"<Column {_named(self)}>"


class KeyText(Column[T]):
    """`_id` of a `MongoBaseModel`: the primary field, which a row has as text, as an instance has it."""

    __slots__ = ()


# -- making them --------------------------------------------------------------------------------------------------


def column_of(attribute: object, *, of_element: bool = False) -> Column[Any]:
    """Return the column a class attribute such as `User.address.city` stands for.

    Arguments:
        attribute: the attribute, or a column.
        of_element: a field of an embedded model alone will do, which stands for one of any element of a list.

    Raises:
        ArgumentTypeError: it is no field of a model class.
    """
    if isinstance(attribute, Column):
        found = cast("Column[Any]", attribute)  # type: ignore[redundant-cast]  # not to pyright
        if not found.mapping_.collection and not of_element:
            raise odm.ownerless(found.key_)
        return found
    if not isinstance(attribute, odm.FieldProxy):
        raise ArgumentTypeError(f"expected a field of a model class, User.name say, got {shown(attribute)}")
    path = odm.proxy_path(attribute)
    mapping = class_mapping(odm.element_owner(path[0])) if of_element else mapping_of(odm.owner_of(path[0]))
    column = top_level(mapping, next(field for field in mapping.fields.values() if field.source is path[0]))
    for step in path[1:]:
        owner = cast("FieldMap", column.field_).target
        names = [field.name for field in cast("Mapped", owner).fields.values() if field.source is step]
        column = cast("Column[Any]", child_of(column, names[0]))
    return column


def top_level(mapping: Mapped, field: FieldMap) -> Column[Any]:
    """Return the column of a field of a model."""
    return Column(mapping, field.key, mapping.model.model_fields[field.name].annotation, field)


def _inner_names(column: Column[Any]) -> list[str]:
    """Return the names of the fields of the embedded model *column* holds; none if it holds another value."""
    field: FieldMap | None = object.__getattribute__(column, "field_")
    if field is not None and field.target is not None:
        return list(field.target.fields)
    plain = plain_model(object.__getattribute__(column, "annotation_"))
    return [] if plain is None else list(plain.model_fields)


def child_of(column: Column[Any], name: str) -> Column[Any] | None:
    """Return the column of a field of the embedded model *column* holds, or None."""
    field: FieldMap | None = object.__getattribute__(column, "field_")
    mapping: Mapped = object.__getattribute__(column, "mapping_")
    key: str = object.__getattribute__(column, "key_")
    if field is not None and field.target is not None:
        inner = field.target.fields.get(name)
        if inner is None:
            return None
        owner = field.target.model
        if field.shape is Shape.REFERENCE:
            # The key of the target is what the reference holds.
            inside = key if inner.key == "_id" else f"{key}{CROSSING}{inner.key}"
            return Column(mapping, inside, owner.model_fields[name].annotation, inner, _lists(column))
        return Column(mapping, f"{key}.{inner.key}", owner.model_fields[name].annotation, inner, _lists(column))
    # A plain Pydantic model, which ODMantic stores by the names of its fields.
    plain = plain_model(object.__getattribute__(column, "annotation_"))
    if plain is None or name not in plain.model_fields:
        return None
    return Column(mapping, f"{key}.{name}", plain.model_fields[name].annotation, None, _lists(column))


def _lists(column: Column[Any]) -> tuple[str, ...]:
    """Return the paths of the lists that the fields of the embedded model *column* holds lie in."""
    lists, key = column.lists_, column.key_
    return (*lists, key) if _is_list(column.annotation_) else lists


def plain_model(annotation: object) -> type[BaseModel] | None:
    """Return the Pydantic model in an annotation such as `list[Item] | None`."""
    # To Python 3.10, list[int] is a class too.
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := plain_model(part)) is not None), None)


# -- operands -----------------------------------------------------------------------------------------------------


def _compared(column: Column[Any], operator: str, other: object) -> Expression:
    if is_computed(other):
        return compared(operator, column, other)
    if isinstance(other, odm.FieldProxy):
        right = column_of(other)
        if right.mapping_ is not column.mapping_:
            raise ArgumentError(f"{_named(column)} cannot be compared with {_named(right)}, a field of another model")
        for key in (column.key_, right.key_):
            if CROSSING in key:
                remedy = "compare it with a value, or write the pipeline yourself, with $lookup"
                raise unsupported.of_another_document("where()", column.mapping_.name, key, remedy)
        return Expression(column.mapping_, {"$expr": {operator: [f"${column.key_}", f"${right.key_}"]}})
    return _condition(column, operator, operand_of(column, other))


def _condition(column: Column[Any], operator: str, operand: object) -> Expression:
    return Expression(column.mapping_, {column.key_: {operator: operand}})


def _among(column: Column[Any], operands: list[object], *, negated: bool = False) -> Expression:
    """Return the condition that the field has one of some values, or none of them.

    A value that `$in` would take for a condition is compared by itself: a value is data.
    """
    odd = [operand for operand in operands if may_be_taken_for_a_condition(operand)]
    if not odd:
        return _condition(column, "$nin" if negated else "$in", operands)
    usual = [operand for operand in operands if not may_be_taken_for_a_condition(operand)]
    parts = [_condition(column, "$in", usual), *(_condition(column, "$eq", operand) for operand in odd)]
    return combined("$nor" if negated else "$or", parts)


def operand_of(column: Column[Any], value: object) -> object:
    """Return a value encoded; the string of an ObjectId is one where the field holds such."""
    if isinstance(value, str) and _is_object_id(column):
        if not bson.ObjectId.is_valid(value):
            raise ArgumentError(f"{_named(column)} holds ObjectIds, and {value!r} is none (24 hexadecimal digits)")
        return bson.ObjectId(value)
    return encode_operand(value, column.field_)


def _several(column: Column[Any], method: str, values: object) -> list[object]:
    if isinstance(values, (str, bytes, Mapping, BaseModel)) or not isinstance(values, Iterable):
        got = cast("object", values)  # type: ignore[redundant-cast]  # not to pyright
        if isinstance(got, StatementPart):
            raise got.refusal()
        raise ArgumentTypeError(f"{_named(column)}.{method}() takes a list of values, got {shown(got)}")
    return [operand_of(column, value) for value in cast("Iterable[object]", values)]


def _text(column: Column[Any], method: str, value: object) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{_named(column)}.{method}() takes text, got {shown(value)}")
    return value


def _matched(column: Column[Any], pattern: str, options: str) -> Expression:
    if "\0" in pattern:
        raise ArgumentError(f"{_named(column)}: a pattern cannot contain a NUL character")
    return Expression(column.mapping_, {column.key_: {"$regex": pattern, "$options": options}})


def _like(column: Column[Any], method: str, pattern: str, escape: str | None) -> str:
    if escape is not None and len(_text(column, method, escape)) != 1:
        raise ArgumentError(f"{_named(column)}.{method}(escape=...) takes one character, got {shown(escape)}")
    wild = {"%": ".*", "_": "."}
    parts: list[str] = []
    characters = iter(_text(column, method, pattern))
    for character in characters:
        if character == escape:
            literal = next(characters, None)
            if literal is None:
                raise ArgumentError(f"{_named(column)}.{method}(): {shown(pattern)} ends with its escape character")
            parts.append(re.escape(literal))
        else:
            parts.append(wild.get(character) or re.escape(character))
    # Without the end, a prefix pattern can use an index.
    return "^" + "".join(parts[:-1]) if parts and parts[-1] == ".*" else rf"^{''.join(parts)}\z"


def _is_object_id(column: Column[Any]) -> bool:
    field = column.field_
    annotation = column.annotation_
    if field is not None and field.shape is Shape.REFERENCE:
        target = cast("Mapped", field.target)
        annotation = target.model.model_fields[target.primary].annotation
    kinds = [kind for kind in (annotation, *get_args(annotation)) if get_origin(kind) is None]
    if str in kinds:  # where either may be stored, text is text
        return False
    return any(isinstance(kind, type) and issubclass(kind, bson.ObjectId) for kind in kinds)


def _is_list(annotation: object) -> bool:
    origin = get_origin(annotation) or annotation
    if origin in (Union, UnionType, Annotated):
        return any(map(_is_list, get_args(annotation)))
    return origin in (list, set, frozenset, tuple)


def _for_one_value(column: Column[Any], operators: Document) -> Expression:
    """Return the condition that one and the same value fits all *operators*, wherever lists are on the way to it.

    MongoDB would be content with a list in which one element fits one of them, and another one the other.
    """
    path = column.key_
    whole = any(isinstance(operand, list) for operand in operators.values())
    condition: Document = {"$elemMatch": operators} if _is_list(column.annotation_) and not whole else operators
    for outer in reversed(column.lists_):
        condition = {"$elemMatch": {path[len(outer) + 1 :]: condition}}
        path = outer
    return Expression(column.mapping_, {path: condition})


def _named(column: Column[Any]) -> str:
    return f"{column.mapping_.name}.{column.key_}"


__all__ = [
    "Column",
    "Expression",
    "KeyText",
    "Model",
    "class_mapping",
    "column_of",
    "combined",
    "operand_of",
    "plain_model",
    "top_level",
]
