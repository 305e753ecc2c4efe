"""`run_transaction`: a transaction that is tried again when others were in its way or the primary changed.

The awaiting twin is in `mongotic.asyncio.retrying`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Concatenate, TypeVar, overload

from typing_extensions import ParamSpec, Unpack

from mongotic_adapters.retrying import Attempts
from mongotic_adapters.transactions import TransactionOptions

from .session import Session, sessionmaker

T = TypeVar("T")
P = ParamSpec("P")

TIMEOUT = 120.0
"""Seconds, as the drivers' specification of transactions has it."""


@overload
def run_transaction(
    maker: sessionmaker,
    fn: Callable[[Session], T],
    *,
    max_attempts: int | None = None,
    timeout: float = TIMEOUT,
    **options: Unpack[TransactionOptions],
) -> T: ...
@overload
def run_transaction(
    maker: sessionmaker,
    fn: None = None,
    *,
    max_attempts: int | None = None,
    timeout: float = TIMEOUT,
    **options: Unpack[TransactionOptions],
) -> Callable[[Callable[Concatenate[Session, P], T]], Callable[P, T]]: ...
def run_transaction(
    maker: sessionmaker,
    fn: Callable[[Session], T] | None = None,
    *,
    max_attempts: int | None = None,
    timeout: float = TIMEOUT,
    **options: Unpack[TransactionOptions],
) -> T | Callable[[Callable[Concatenate[Session, P], T]], Callable[P, T]]:
    """Run a function in a transaction, again if need be, and return what it returns.

    Each attempt has a fresh session, so instances of an earlier one are of no use.  An attempt is repeated when the
    error says that the same transaction may well succeed (`is_transient`), and a commit of unknown outcome is asked for
    again, as the drivers' specification has it; no other error is.

    Arguments:
        maker: makes the sessions.
        fn: called with a session in a transaction, which is committed when it returns. Left out, the call decorates a
            function whose further arguments are the caller's.
        max_attempts: how many attempts there are at most; None for as many as the time allows.
        timeout: seconds after which no other attempt begins.
        **options: of the transaction; see `Session.begin`.

    Raises:
        OperationalError: the last attempt failed; `outcome_unknown` tells if it may have been committed all the same.
        ArgumentError: an argument is out of range.

    ```python
    run_transaction(Session, lambda session: transfer(session, 1, 2, 10))

    @run_transaction(Session)
    def transfer(session, source, target, amount): ...

    transfer(1, 2, 10)
    ```
    """
    if fn is not None:
        return _run(maker, fn, Attempts(max_attempts, timeout), options)
    Attempts(max_attempts, timeout)  # a wrong argument is reported where it is written

    def decorate(decorated: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
        @functools.wraps(decorated)
        def call(*arguments: P.args, **keywords: P.kwargs) -> T:
            def bound(session: Session) -> T:
                return decorated(session, *arguments, **keywords)

            return _run(maker, bound, Attempts(max_attempts, timeout), options)

        return call

    return decorate


def _run(maker: sessionmaker, fn: Callable[[Session], T], attempts: Attempts, options: TransactionOptions) -> T:
    while True:
        try:
            with maker() as session:
                session.retry_commit_until(attempts.deadline)
                with session.begin(**options):
                    return fn(session)
        except Exception as error:
            pause = attempts.pause(error)
            if pause is None:
                raise
        time.sleep(pause)
