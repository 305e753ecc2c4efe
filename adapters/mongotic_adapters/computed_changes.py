"""What an update sets to a computed value: an expression that the field can be read from afterwards.

Called by `update_changes`.  The server knows no types: it would store a text in a field of numbers, and null wherever
an operand is missing, and the model could not read the document again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import get_origin

from bson import ObjectId
from pydantic import BaseModel

from .compiler import condition, expression
from .computed import Kind, kind_of
from .errors import ArgumentError
from .scopes import DocumentScope
from .update_target import Target

_NUMBERS = (int, float, Decimal)
_NEITHER = (bool, datetime, ObjectId, list, dict, set, frozenset, tuple, BaseModel)
"""Types whose values are neither texts nor numbers in a document."""


def computed_change(target: Target, value: object, where: str) -> object:
    """Return the expression for a computed value that a field is set to.

    Where null is no value of the field, it stays as it is in a document in which null is computed.

    Raises:
        ArgumentError: the value is of a kind that does not fit the field, or cannot be computed of a document.
    """
    found = expression(target.mapping, value)
    kind = kind_of(value, DocumentScope(target.mapping, condition))
    if _misfits(kind, target):
        advice = "; round it: // divides whole numbers, func.floor() and func.round() make whole ones"
        raise ArgumentError(
            f"{where}: what is computed is a {kind.value}, which does not fit {target.shown}"
            f"{advice if kind is Kind.FRACTION else ''}"
        )
    if target.takes_null:
        return found
    return {"$ifNull": [found, f"${target.path}"]}


def _misfits(kind: Kind, target: Target) -> bool:
    if kind is Kind.OTHER or target.is_anything:
        return False
    refused: tuple[type, ...] = _NEITHER
    if kind is Kind.TEXT:
        refused += _NUMBERS
    else:
        refused += (str, int) if kind is Kind.FRACTION else (str,)
    return all(_is_only(get_origin(part) or part, refused) for part in target.types)


def _is_only(part: object, refused: tuple[type, ...]) -> bool:
    """Tell whether a type is one of those *refused*."""
    return isinstance(part, type) and issubclass(part, refused)
