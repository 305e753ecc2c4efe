"""From a filter to the expression that tells whether it holds, for `case` and for conditions that are counted.

MongoDB has two languages: filters find documents, expressions compute values, and their operators differ.  A filter's
`$gt` compares values of one type, and `$eq` finds null where the key is missing; both look into lists.  What is made
here keeps the meaning of the filter.  Called by `scopes`, with filters that are compiled already.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import cast

import bson
from bson import decimal128, int64, regex

from .across import TargetKeys
from .computed import checked_pattern, regex_match
from .encoding import Document, is_document
from .errors import UnsupportedError

Test = Callable[[object], object]
"""Makes the expression that tells whether the value of an expression passes."""

_TYPES: dict[type, str] = {
    str: "string", bool: "bool", bytes: "binData", bson.Binary: "binData", bson.ObjectId: "objectId",
    datetime: "date", dict: "object", list: "array",
}  # fmt: skip
_NUMBERS = (int, float, int64.Int64, decimal128.Decimal128)
_NOTHING = ["missing", "null", "undefined"]


def predicate(found: Document, base: str = "$") -> object:
    """Return the expression that is true for a document that fits a filter, and false for others.

    Arguments:
        found: the filter.
        base: how the path of a field begins: `$`, or a variable with a dot.

    Raises:
        UnsupportedError: the filter has an operator that finds documents and computes nothing: `$near`, say.
    """
    return _all([_part(key, operand, base) for key, operand in found.items()])


def _part(key: str, operand: object, base: str) -> object:
    if key in ("$and", "$or", "$nor"):
        parts = [predicate(part, base) for part in cast("list[Document]", operand)]
        joined = _all(parts) if key == "$and" else _any(parts)
        return {"$not": [joined]} if key == "$nor" else joined
    if key == "$expr":
        return operand
    if key.startswith("$"):
        raise _unsupported(key)
    operators = operand if _has_operators(operand) else {"$regex" if _is_pattern(operand) else "$eq": operand}
    return _all(_field(key, cast("Document", operators), base))


def _field(key: str, operators: Document, base: str) -> list[object]:
    """Return what the operators of one field ask, one expression for each."""
    asked: list[object] = []
    for operator, operand in operators.items():
        if operator == "$options":
            continue
        if operator == "$not":
            inner = operand if _has_operators(operand) else {"$regex": operand}
            asked.append({"$not": [_all(_field(key, cast("Document", inner), base))]})
        elif operator in ("$ne", "$nin"):
            test, elements = _test("$eq" if operator == "$ne" else "$in", operand, operators)
            asked.append({"$not": [_reached(base, key.split("."), test, elements)]})
        else:
            asked.append(_reached(base, key.split("."), *_test(operator, operand, operators)))
    return asked


def _test(operator: str, operand: object, operators: Document) -> tuple[Test, bool]:
    """Return the test of a value, and whether an element of a list may pass it in the list's place."""
    if isinstance(operand, TargetKeys):
        raise UnsupportedError(
            f"a condition inside of a value cannot look at documents of {operand.mapping.name}, which others refer to; "
            "it belongs in where()"
        )
    match operator:
        case "$eq":
            return _equal(operand), True
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _ordered(operator, operand), True
        case "$in":
            tests = [_one_of_several(value) for value in cast("list[object]", operand)]
            return lambda value: _any([test(value) for test in tests]), True
        case "$regex":
            pattern, options = _pattern(operand, operators)
            return lambda value: regex_match(value, pattern, options), True
        case "$mod":
            divisor, rest = cast("list[object]", operand)
            return lambda value: _all([{"$isNumber": value}, {"$eq": [{"$mod": [_whole(value), divisor]}, rest]}]), True
        case "$exists":
            return lambda value: {"$ne" if operand else "$eq": [{"$type": value}, "missing"]}, False
        case "$size":
            return lambda value: _all([{"$isArray": [value]}, {"$eq": [{"$size": _listed(value)}, operand]}]), False
        case "$all":
            tests = [_one_of_several(value) for value in cast("list[object]", operand)]
            return lambda value: _all([_in_place(value, test) for test in tests] or [False]), False
        case "$elemMatch":
            return lambda value: _has_element(value, cast("Document", operand)), False
        case _:
            raise _unsupported(operator)


def _equal(operand: object) -> Test:
    if operand is None:
        return lambda value: {"$in": [{"$type": value}, _NOTHING]}
    return lambda value: {"$eq": [value, {"$literal": operand}]}


def _ordered(operator: str, operand: object) -> Test:
    if operand is None:
        return _equal(None) if operator.endswith("e") else lambda _: False
    if isinstance(operand, _NUMBERS) and not isinstance(operand, bool):
        fits: Test = lambda value: {"$isNumber": value}  # noqa: E731  # one of two tests
    else:
        name = _TYPES.get(type(operand))
        if name is None:
            raise UnsupportedError(f"a condition inside of a value cannot compare with a {type(operand).__name__}")
        fits = lambda value: {"$eq": [{"$type": value}, name]}  # noqa: E731  # the other
    return lambda value: _all([fits(value), {operator: [value, {"$literal": operand}]}])


def _reached(base: str, keys: list[str], test: Test, elements: bool, depth: int = 0) -> object:
    """Return the expression that tells whether the value under a dotted key passes, or one of them.

    Lists on the way are looked into, as a filter does.
    """
    value = f"{base}{keys[0]}"
    if len(keys) == 1:
        return _in_place(value, test) if elements else test(value)
    name = f"in{depth}"
    if keys[1].isdigit():  # the position in a list
        chosen = _chosen(name, keys[2:], test, elements, depth)
        at: Document = {"$let": {"vars": {name: {"$arrayElemAt": [_listed(value), int(keys[1])]}}, "in": chosen}}
        return {"$cond": [{"$isArray": [value]}, at, _reached(f"{value}.", keys[1:], test, elements, depth + 1)]}
    inside = _reached(f"$${name}.", keys[1:], test, elements, depth + 1)
    each: Document = {"$anyElementTrue": [{"$map": {"input": _listed(value), "as": name, "in": inside}}]}
    return {"$cond": [{"$isArray": [value]}, each, _reached(f"{value}.", keys[1:], test, elements, depth + 1)]}


def _chosen(name: str, keys: list[str], test: Test, elements: bool, depth: int) -> object:
    """Return the expression for a chosen element, or for what lies under the rest of the key in it."""
    if keys:
        return _reached(f"$${name}.", keys, test, elements, depth + 1)
    return _in_place(f"$${name}", test) if elements else test(f"$${name}")


def _in_place(value: object, test: Test) -> object:
    """Return whether a value passes, or an element of it."""
    element: Document = {"$anyElementTrue": [{"$map": {"input": _listed(value), "as": "item", "in": test("$$item")}}]}
    return _any([test(value), element])


def _has_element(value: object, asked: Document) -> object:
    name = "element"
    if _has_operators(asked):
        tests = [_test(operator, operand, asked) for operator, operand in asked.items() if operator != "$options"]
        inside = _all([test(f"$${name}") for test, _ in tests])
    else:
        inside = predicate(asked, f"$${name}.")
    return {"$anyElementTrue": [{"$map": {"input": _listed(value), "as": name, "in": inside}}]}


def _listed(value: object) -> object:
    """Return a value that is a list, and an empty one in the place of others: the server looks at every branch."""
    empty: list[object] = []
    return {"$cond": [{"$isArray": [value]}, value, empty]}


def _whole(value: object) -> object:
    return {"$trunc": [{"$cond": [{"$isNumber": value}, value, 0]}]}


def _one_of_several(operand: object) -> Test:
    return _test("$regex" if _is_pattern(operand) else "$eq", operand, {})[0]


def _is_pattern(operand: object) -> bool:
    return isinstance(operand, (re.Pattern, regex.Regex))


def _pattern(operand: object, operators: Document) -> tuple[str, str]:
    if isinstance(operand, regex.Regex):
        operand = cast("regex.Regex[str]", operand).try_compile()
    return checked_pattern(operand, operators.get("$options", ""))


def _has_operators(operand: object) -> bool:
    return is_document(operand) and bool(operand) and all(str(key).startswith("$") for key in operand)


def _all(parts: list[object]) -> object:
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _any(parts: list[object]) -> object:
    return parts[0] if len(parts) == 1 else {"$or": parts}


def _unsupported(operator: str) -> UnsupportedError:
    return UnsupportedError(
        f"a condition with {operator} finds documents and has no value: use it in where(), and not in case()"
    )
