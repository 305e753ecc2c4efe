"""The operators of `mongotic.ops`, as data, and what MongoDB is sent for each of them.

Made by the facade's functions; compiled by `update_changes`, for the field they are given to.  Values are always sent
in a place where MongoDB takes them for data (`$each`, `$pullAll`), so that a dict is never taken for operators.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias, cast

from bson import Decimal128

from . import odmantic_internals as odm
from .compiler import condition
from .conditions import Expression
from .encoding import Document, is_document
from .errors import ArgumentError, ArgumentTypeError
from .shown import shown
from .statement_part import StatementPart
from .update_target import Target, target_of


class _Sign(enum.Enum):
    MISSING = "nothing"
    UNKNOWN = "unknown"


MISSING: Final = _Sign.MISSING
"""No value at all: a key that is not there."""
UNKNOWN: Final = _Sign.UNKNOWN
"""A value that only the server knows."""


class Operator(StatementPart):
    """What is to be done with a field, other than setting it; made by the functions of `mongotic.ops`.

    Arguments:
        name: MongoDB's name of it: `$inc`.
        value: its argument, as the user gave it.
        **options: what else was given.
    """

    __slots__ = ("name", "options", "value")

    # No dataclass: the encoder would store one, in a field of any type.
    def __init__(self, name: str, value: object = MISSING, **options: object) -> None:
        self.name = name
        self.value = value
        self.options = {key: option for key, option in options.items() if option is not None}

    def refusal(self) -> ArgumentError:
        """Return the error for one that was given where a value belongs."""
        return ArgumentError(
            f"ops.{self!r} cannot be a value; it belongs into update().values(), for a field of its own"
        )

    def __repr__(self) -> str:
        given = [] if self.value is MISSING else [shown(self.value)]
        given += [f"{key}={shown(option)}" for key, option in self.options.items()]
        return f"{self.name[1:]}({', '.join(given)})"


@dataclass(frozen=True, slots=True)
class Compiled:
    """An operator, for one field.

    Attributes:
        name: MongoDB's name of it.
        operand: what is sent under the field's path.
        start: what the field has in a document that is upserted; `MISSING` or `UNKNOWN`, too.
        other_path: another path that it writes to.
    """

    name: str
    operand: object
    start: object
    other_path: str | None = None


def compiled(operator: Operator, target: Target, where: str) -> Compiled:
    """Return what is sent for *operator*.

    Arguments:
        operator: what the user wrote.
        target: the field it was given to.
        where: how an error message begins.

    Raises:
        ArgumentError: it does not go with the field's type, or its value does not fit.
    """
    return _COMPILERS[operator.name](operator, target, f"{where}: {operator} for {target.shown}")


def _inc(operator: Operator, target: Target, where: str) -> Compiled:
    amount = target.encode(_number(operator.value, target, where))
    return Compiled("$inc", amount, amount)


def _mul(operator: Operator, target: Target, where: str) -> Compiled:
    factor = target.encode(_number(operator.value, target, where))
    nothing = Decimal128("0") if isinstance(factor, Decimal128) else type(cast("int", factor))(0)
    return Compiled("$mul", factor, nothing)


def _extreme(operator: Operator, target: Target, where: str) -> Compiled:
    value = target.value(operator.value, where)
    return Compiled(operator.name, value, value)


def _set_on_insert(operator: Operator, target: Target, where: str) -> Compiled:
    value = target.value(operator.value, where)
    return Compiled("$setOnInsert", value, value)


def _unset(_operator: Operator, target: Target, where: str) -> Compiled:
    _expect_dispensable(target, where)
    return Compiled("$unset", "", MISSING)


def _rename(operator: Operator, target: Target, where: str) -> Compiled:
    _expect_dispensable(target, where)
    other = target_of(target.mapping, operator.value, where)
    if other.path == target.path:
        raise ArgumentError(f"{where}: that is its name already")
    if "$" in other.path + target.path:
        raise ArgumentError(f"{where}: MongoDB renames no elements of lists")
    kinds = set(map(str, target.types))
    if not other.is_anything and not kinds <= set(map(str, other.types)):
        raise ArgumentError(f"{where}: {other.shown} has another type, so what is stored would not fit it")
    return Compiled("$rename", other.path, MISSING, other.path)


def _current_date(_operator: Operator, target: Target, where: str) -> Compiled:
    if not target.is_anything and not any(_is_a(kind, datetime) for kind in target.types):
        raise ArgumentError(f"{where}: the field holds no datetimes")
    return Compiled("$currentDate", True, UNKNOWN)


def _bit(operator: Operator, target: Target, where: str) -> Compiled:
    if not operator.options:
        raise ArgumentError(f"{where}: say with what: and_=..., or_=... or xor=...")
    operand: Document = {}
    for name, value in operator.options.items():
        if not _is_whole(value) or not (target.is_anything or any(_is_number(kind, int) for kind in target.types)):
            raise ArgumentError(f"{where}: bits are those of whole numbers, in a field that holds such")
        operand[name.rstrip("_")] = value
    return Compiled("$bit", operand, UNKNOWN)


# -- lists --------------------------------------------------------------------------------------------------------


def _push(operator: Operator, target: Target, where: str) -> Compiled:
    if target.is_set:
        raise ArgumentError(f"{where}: a set has no element twice; write add_to_set(...)")
    each = _elements(operator, target, where)
    operand: Document = {"$each": each}
    for name in ("position", "slice"):
        if name in operator.options:
            if not _is_whole(operator.options[name]):
                raise ArgumentTypeError(f"{where}: {name} takes a whole number")
            operand[f"${name}"] = operator.options[name]
    if "sort" in operator.options:
        operand["$sort"] = _sort(operator.options["sort"], target, where)
    return Compiled("$push", operand, each if len(operand) == 1 else UNKNOWN)


def _add_to_set(operator: Operator, target: Target, where: str) -> Compiled:
    each = _elements(operator, target, where)
    return Compiled("$addToSet", {"$each": each}, each if len(each) == 1 else UNKNOWN)


def _pop(operator: Operator, target: Target, where: str) -> Compiled:
    _expect_list(target, where)
    first = operator.options.get("first", False)
    if not isinstance(first, bool):
        raise ArgumentTypeError(f"{where}: first takes True or False")
    return Compiled("$pop", -1 if first else 1, MISSING)


def _pull(operator: Operator, target: Target, where: str) -> Compiled:
    if isinstance(operator.value, odm.QueryExpression):
        _expect_list(target, where)
        return Compiled("$pull", element_condition(target, operator.value, "", where), MISSING)
    return Compiled("$pullAll", _elements(operator, target, where), MISSING)


def element_condition(target: Target, criterion: object, name: str, where: str) -> object:
    """Return a condition on a model's documents as one on the elements of one of its lists.

    Arguments:
        target: the list.
        criterion: conditions on the column of the list, on columns inside of it, or on columns of the embedded model
            itself, `col(Item.qty) < 3`.
        name: what the element is called in the result, for an array filter; empty to leave it out.
        where: how an error message begins.

    Raises:
        ArgumentError: the condition concerns something else.
    """
    owned = _of_the_list(target, criterion, where) if isinstance(criterion, odm.QueryExpression) else criterion
    found = _relative(condition(target.mapping, owned), target.list_path, name, where)
    if name or "" not in found:
        return found
    # Of plain elements themselves, without a name: nothing but operators is left.
    if len(found) == 1:
        # A pattern that stands alone is a condition to filters, but a value to $pull.
        return found[""] if is_document(found[""]) else {"$in": [found[""]]}
    raise ArgumentError(f"{where}: the elements and what is in them cannot be asked for at once")


def _of_the_list(target: Target, criterion: odm.QueryExpression, where: str) -> odm.QueryExpression:
    """Return a condition on the embedded model's own columns as one on columns inside of its list.

    Raises:
        ArgumentError: it is one on another embedded model's.
    """
    owner = criterion.mapping if isinstance(criterion, Expression) else None
    embedded = owner is not None and not owner.collection
    if owner is not None and embedded and owner.model is not target.element.inner:
        raise ArgumentError(f"{where}: the elements of {target.shown} are no {owner.name}")
    found: Document = {}
    for key, operand in cast("Document", criterion).items():
        if key in ("$and", "$or", "$nor"):
            parts = cast("list[object]", operand)
            found[key] = [
                _of_the_list(target, part, where) if isinstance(part, odm.QueryExpression) else part for part in parts
            ]
        else:
            found[f"{target.list_path}.{key}" if embedded else key] = operand
    return Expression(target.mapping if embedded else owner, found)


def _relative(compiled_: Document, path: str, name: str, where: str) -> Document:
    found: Document = {}
    for key, operand in compiled_.items():
        if key in ("$and", "$or", "$nor"):
            parts = [_relative(part, path, name, where) for part in cast("list[Document]", operand)]
            if not name and any("" in part for part in parts):
                parts = [{"": _merged(key, parts, where)}]
                found.update(parts[0])
            else:
                found[key] = parts
        elif key == path:
            found[name] = operand
        elif key.startswith(f"{path}."):
            inner = key[len(path) + 1 :]
            found[f"{name}.{inner}" if name else inner] = operand
        else:
            raise ArgumentError(f"{where}: the condition concerns {key!r}, which does not lie in {path!r}")
    return found


def _merged(operator: str, parts: list[Document], where: str) -> Document:
    """Return several conditions on one plain element as one."""
    merged: Document = {}
    for part in parts:
        inner = part.get("")
        if operator != "$and" or not is_document(inner) or not merged.keys().isdisjoint(inner):
            raise ArgumentError(f"{where}: such a condition cannot be asked of plain elements; pull in several steps")
        merged.update(inner)
    return merged


def _elements(operator: Operator, target: Target, where: str) -> list[object]:
    _expect_list(target, where)
    each = operator.options.get("each", MISSING)
    if (operator.value is MISSING) == (each is MISSING):
        raise ArgumentError(f"{where}: give one value, or each=[...]")
    if each is MISSING:
        each = [operator.value]
    if not isinstance(each, (list, tuple, set, frozenset)):
        raise ArgumentTypeError(f"{where}: each takes a list")
    return [target.element.value(value, where) for value in cast("list[object]", each)]


def _sort(sort: object, target: Target, where: str) -> object:
    if _is_whole(sort) and sort in (1, -1):
        return sort
    clauses = cast("list[object]", sort) if isinstance(sort, (list, tuple)) else [sort]
    keys: Document = {}
    for clause in clauses:
        if not isinstance(clause, odm.SortExpression):
            raise ArgumentTypeError(f"{where}: sort takes 1, -1, or orders such as -col(Order.items).quantity")
        keys.update(_relative(cast("Document", dict(clause)), target.list_path, "", where))
    return keys[""] if list(keys) == [""] else keys


# -- what goes with what ------------------------------------------------------------------------------------------


def _expect_list(target: Target, where: str) -> None:
    try:
        _ = target.element
    except ArgumentError as error:
        raise ArgumentError(f"{where}: {error}") from None


def _expect_dispensable(target: Target, where: str) -> None:
    if target.required:
        raise ArgumentError(f"{where}: documents without it would no longer fit the model, because it has no default")


def _number(value: object, target: Target, where: str) -> object:
    """Return *value* as a number of the field's type; constraints of the field hold for the sum, not for it."""
    kinds = target.types
    whole, real, exact = (any(_is_number(kind, base) for kind in kinds) for base in (int, float, Decimal))
    if not (whole or real or exact or target.is_anything):
        raise ArgumentError(f"{where}: the field holds no numbers")
    if _is_whole(value) and (whole or target.is_anything):
        return value
    if exact and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    if real and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ArgumentError(f"{where}: the number is too large") from None
    if target.is_anything and isinstance(value, (float, Decimal)):
        return value
    raise ArgumentError(f"{where}: {shown(value)} is no number of the field's type")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, (bool, enum.Enum))


def _is_number(kind: object, base: type) -> bool:
    return _is_a(kind, base) and not _is_a(kind, bool) and not _is_a(kind, enum.Enum)


def _is_a(kind: object, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


_Compiler: TypeAlias = Callable[[Operator, Target, str], Compiled]

_COMPILERS: dict[str, _Compiler] = {
    "$inc": _inc,
    "$mul": _mul,
    "$min": _extreme,
    "$max": _extreme,
    "$unset": _unset,
    "$rename": _rename,
    "$currentDate": _current_date,
    "$setOnInsert": _set_on_insert,
    "$bit": _bit,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pop": _pop,
    "$pull": _pull,
}

Direction: TypeAlias = Literal[1, -1]
