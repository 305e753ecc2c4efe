"""How a session is to behave: what sessions and their makers take besides what they are bound to.

Read by `mongotic.session` and `mongotic.asyncio.session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, cast, get_args

from typing_extensions import TypedDict

from .exceptions import ArgumentError, ArgumentTypeError

Writes: TypeAlias = Literal["auto", "bulk", "engine"]


class SessionOptions(TypedDict, total=False):
    """The keyword arguments of sessions and of their makers."""

    database: str | None
    """The database's name, for a client whose connection string names none."""
    info: Mapping[str, object] | None
    """What the session's `info` begins with: anything you want to keep with it."""
    cache_size: int | None
    """How many instances are held that nobody else holds and nobody changed; None for all the session has met."""
    expire_on_commit: bool
    """After `commit` every instance counts as expired: the next query or `get` reads it again."""
    writes: Writes
    """Whether instances are written by bulk writes, or one by one by the engine's own `save` and `delete`: `"auto"`
    does so where the engine's class overrides them."""


@dataclass(frozen=True)
class Settings:
    """The same, checked."""

    database: str | None = None
    info: Mapping[str, object] | None = None
    cache_size: int | None = None
    expire_on_commit: bool = False
    writes: Writes = "auto"


def settings(where: str, options: SessionOptions) -> Settings:
    """Return the settings that *options* give.

    Arguments:
        where: who was called, for messages.
        options: keyword arguments.

    Raises:
        ArgumentTypeError: there is no option of that name, or its value has the wrong type.
        ArgumentError: a value is out of range.
    """
    known = [field.name for field in fields(Settings)]
    for name in options:
        if name not in known:
            raise ArgumentTypeError(f"{where}() takes no {name!r}; it takes {', '.join(known)}")
    given = cast("Mapping[str, object]", options)
    size = given.get("cache_size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int)):
        raise ArgumentTypeError(f"{where}(cache_size=...) takes a number of instances or None, got {size!r}")
    if isinstance(size, int) and size < 0:
        raise ArgumentError(f"{where}(cache_size=...) takes a number from 0, got {size!r}")
    for name in ("expire_on_commit",):
        value = given.get(name, False)
        if not isinstance(value, bool):
            raise ArgumentTypeError(f"{where}({name}=...) takes True or False, got {value!r}")
    writes = given.get("writes", "auto")
    if writes not in get_args(Writes):
        raise ArgumentError(f'{where}(writes=...) takes "auto", "bulk" or "engine", got {writes!r}')
    info = given.get("info")
    if info is not None and not isinstance(info, Mapping):
        raise ArgumentTypeError(f"{where}(info=...) takes a mapping, got {info!r}")
    for key in cast("Mapping[object, object]", info or {}):
        if not isinstance(key, str):
            raise ArgumentTypeError(f"{where}(info=...) takes a mapping with strings for keys, got {key!r}")
    return Settings(**options)
