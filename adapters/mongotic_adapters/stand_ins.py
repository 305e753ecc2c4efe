"""What stands in a document for values that BSON has no type for.

Called by `encoding`, for documents, filters and values alike.  Each form is one from which Pydantic makes an equal
value again where the field has the type.  Where there is no such form, or where it would show a secret, the value is
refused before anything is sent, with what to do.

Numbers, times and spans of time stay in order: a filter may ask for greater or less.  Addresses and paths are text, and
are compared as text.
"""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import pathlib
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import cast

import pydantic_core
from bson.decimal128 import Decimal128
from pydantic import AnyUrl, PostgresDsn, SecretBytes, SecretStr

from .errors import ArgumentError

_EXACT_SECONDS = 2**32
"""Up to here a float tells one microsecond from the next."""


def stand_in(value: object) -> object:
    """Return what BSON holds instead of *value*; a value of another type is returned as it is.

    Raises:
        ArgumentError: nothing could stand for it.
    """
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    return value


def ordered(values: Iterable[object]) -> list[object]:
    """Return the elements of a set, encoded, in an order that depends on nothing but the elements.

    Python's own order differs from process to process, so that neither a filter nor the difference of two snapshots
    could rely on it.
    """
    items = list(values)
    kinds = {type(item) for item in items}
    if len(kinds) == 1 and kinds <= _SORTABLE:
        return sorted(items)  # type: ignore[type-var]  # pyright: ignore  # all of one type that has an order
    return sorted(items, key=lambda item: (type(item).__qualname__, repr(item)))


_SORTABLE: frozenset[type] = frozenset({str, int, float, bytes})


def _decimal(value: decimal.Decimal) -> Decimal128:
    try:
        return Decimal128(value)
    except decimal.DecimalException as error:
        raise ArgumentError(
            f"{value!r} cannot be stored: MongoDB's decimals have 34 digits and exponents from -6176 to 6111. Nothing "
            "was sent. Round it, or store it as text."
        ) from error


def _unchanged(value: datetime.datetime) -> datetime.datetime:
    return value  # a date to Python, but not to BSON


def _day(value: datetime.date) -> datetime.datetime:
    # BSON has no date without a time; Pydantic reads midnight back as the same date.
    return datetime.datetime(value.year, value.month, value.day)


def _time(value: datetime.time) -> str:
    offset = value.utcoffset()
    if value.tzinfo is not None and (offset is None or offset % datetime.timedelta(minutes=1)):
        raise ArgumentError(
            f"{value!r} cannot be stored: its zone has no fixed offset in minutes. Nothing was sent. Store the time "
            "without a zone, and the zone's name in a field of its own."
        )
    return value.isoformat()


def _seconds(value: datetime.timedelta) -> float:
    seconds = value.total_seconds()
    if value.microseconds and abs(seconds) >= _EXACT_SECONDS:
        raise ArgumentError(
            f"{value!r} cannot be stored: beyond 136 years a number of seconds has no microseconds. Nothing was sent. "
            "Round it to seconds."
        )
    return seconds


def _secret(value: object) -> object:
    raise ArgumentError(
        f"a {type(value).__name__} is not stored in clear text by accident. Nothing was sent. Say that it may be: "
        "Annotated[SecretStr, WithBsonSerializer(lambda secret: secret.get_secret_value())]; or encrypt it there."
    )


_ADDRESSES = (
    *(ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network),
    *(pydantic_core.Url, pydantic_core.MultiHostUrl, AnyUrl),
    # From 2.10 on, Pydantic's addresses of several hosts have a base of their own, which it does not show.
    *(base for base in cast("tuple[type, ...]", getattr(PostgresDsn, "__bases__", ())) if base is not object),
)

_FORMS: tuple[tuple[type | tuple[type, ...], Callable[..., object]], ...] = (
    (decimal.Decimal, _decimal),
    (datetime.datetime, _unchanged),
    (datetime.date, _day),
    (datetime.time, _time),
    (datetime.timedelta, _seconds),
    ((*_ADDRESSES, pathlib.PurePath, Fraction), str),
    ((SecretStr, SecretBytes), _secret),
)
