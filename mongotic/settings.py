"""How a session is to behave: what sessions and their makers take besides what they are bound to.

Read by `mongotic.session` and `mongotic.asyncio.session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from mongotic_adapters.binding import BindOptions
from mongotic_adapters.flows.transacting import Atomic
from mongotic_adapters.logged_port import Echo
from mongotic_adapters.overrides import Writes
from mongotic_adapters.suggestions import did_you_mean
from mongotic_adapters.transactions import TransactionOptions, expect_options

from .exceptions import ArgumentError, ArgumentTypeError


class SessionOptions(TransactionOptions, total=False):
    """The keyword arguments of sessions and of their makers; those of `TransactionOptions` hold for every transaction
    that is begun without its own."""

    database: str | None
    """The database's name, for a client whose connection string names none."""
    info: Mapping[str, object] | None
    """What the session's `info` begins with: anything you want to keep with it."""
    cache_size: int | None
    """How many instances are held that nobody else holds and nobody changed; None for all the session has met."""
    expire_on_commit: bool
    """After `commit` every instance counts as expired: the next query or `get` reads it again."""
    autobegin: bool
    """Everything runs in a transaction, and `commit` and `rollback` begin the next one."""
    atomic: Atomic
    """Whether `commit` outside a transaction makes one for what it writes: `"auto"` where that takes more than one
    command and the deployment has transactions; True for more than one document, always; False never."""
    autoflush: bool | None
    """Whether queries are preceded by a `flush`; None: inside transactions."""
    causal_consistency: bool
    """Whether every read sees what the session wrote before, wherever it is sent."""
    echo: Echo
    """Whether each command is logged with its time and the number of its documents, by the logger `mongotic.engine`:
    True without values, `"values"` with them. A logger that shows INFO is served in any case."""
    origin_comments: bool
    """Whether each command carries a `comment` that says which line of your program has sent it, for the server's
    profiler and logs: `shop.orders:42 in pay`."""
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
    autobegin: bool = False
    atomic: Atomic = "auto"
    autoflush: bool | None = None
    causal_consistency: bool = False
    echo: Echo = False
    origin_comments: bool = False
    writes: Writes = "auto"
    transaction: TransactionOptions = field(default_factory=lambda: TransactionOptions())

    @property
    def bind(self) -> BindOptions:
        """How what the session is bound to is used."""
        return BindOptions(self.database, self.writes, self.causal_consistency, self.origin_comments)


def settings(where: str, options: SessionOptions) -> Settings:
    """Return the settings that *options* give.

    Arguments:
        where: who was called, for messages.
        options: keyword arguments.

    Raises:
        ArgumentTypeError: there is no option of that name, or its value has the wrong type.
        ArgumentError: a value is out of range.
    """
    if not options:
        return Settings()
    given = cast("Mapping[str, object]", options)
    own = [name for name in SessionOptions.__annotations__ if name not in TransactionOptions.__annotations__]
    for name in given:
        if name not in SessionOptions.__annotations__:
            raise ArgumentTypeError(
                f"{where}() takes no {name!r}; it takes {', '.join(SessionOptions.__annotations__)}"
                f"{did_you_mean(name, SessionOptions.__annotations__)}"
            )
    transaction = cast("TransactionOptions", {name: value for name, value in given.items() if name not in own})
    expect_options(where, transaction)
    size = given.get("cache_size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int)):
        raise ArgumentTypeError(f"{where}(cache_size=...) takes a number of instances or None, got {size!r}")
    if isinstance(size, int) and size < 0:
        raise ArgumentError(f"{where}(cache_size=...) takes a number from 0, got {size!r}")
    for name in ("expire_on_commit", "autobegin", "causal_consistency", "origin_comments", "autoflush"):
        value = given.get(name, False)
        if not isinstance(value, bool) and not (name == "autoflush" and value is None):
            raise ArgumentTypeError(f"{where}({name}=...) takes True or False, got {value!r}")
    atomic = given.get("atomic", "auto")
    if atomic != "auto" and not isinstance(atomic, bool):
        raise ArgumentError(f'{where}(atomic=...) takes "auto", True or False, got {atomic!r}')
    echo = given.get("echo", False)
    if echo != "values" and not isinstance(echo, bool):
        raise ArgumentError(f'{where}(echo=...) takes True, False or "values", got {echo!r}')
    writes = given.get("writes", "auto")
    if writes not in get_args(Writes):
        raise ArgumentError(f'{where}(writes=...) takes "auto", "bulk" or "engine", got {writes!r}')
    info = given.get("info")
    if info is not None and not isinstance(info, Mapping):
        raise ArgumentTypeError(f"{where}(info=...) takes a mapping, got {info!r}")
    for key in cast("Mapping[object, object]", info or {}):
        if not isinstance(key, str):
            raise ArgumentTypeError(f"{where}(info=...) takes a mapping with strings for keys, got {key!r}")
    mine = {name: value for name, value in given.items() if name in own}
    return Settings(**cast("Any", mine), transaction=transaction)
