"""The awaiting twin of `mongotic.retrying`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, TypeVar, overload

from typing_extensions import ParamSpec, Unpack

from mongotic_adapters.retrying import Attempts
from mongotic_adapters.transactions import TransactionOptions

from ..retrying import TIMEOUT
from .session import AsyncSession, async_sessionmaker

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R", bound=bool)


@overload
def run_transaction(
    maker: async_sessionmaker[R],
    fn: Callable[[AsyncSession[R]], Awaitable[T]],
    *,
    max_attempts: int | None = None,
    timeout: float = TIMEOUT,
    **options: Unpack[TransactionOptions],
) -> Coroutine[Any, Any, T]: ...
@overload
def run_transaction(
    maker: async_sessionmaker[R],
    fn: None = None,
    *,
    max_attempts: int | None = None,
    timeout: float = TIMEOUT,
    **options: Unpack[TransactionOptions],
) -> Callable[[Callable[Concatenate[AsyncSession[R], P], Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]: ...
def run_transaction(
    maker: async_sessionmaker[R],
    fn: Callable[[AsyncSession[R]], Awaitable[T]] | None = None,
    *,
    max_attempts: int | None = None,
    timeout: float = TIMEOUT,  # of all attempts, not of one wait
    **options: Unpack[TransactionOptions],
) -> (
    Coroutine[Any, Any, T]
    | Callable[[Callable[Concatenate[AsyncSession[R], P], Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]
):
    """Run a coroutine function in a transaction, again if need be; see `mongotic.run_transaction`."""
    if fn is not None:
        return _run(maker, fn, Attempts(max_attempts, timeout), options)
    Attempts(max_attempts, timeout)  # a wrong argument is reported where it is written

    def decorate(
        decorated: Callable[Concatenate[AsyncSession[R], P], Awaitable[T]],
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(decorated)
        async def call(*arguments: P.args, **keywords: P.kwargs) -> T:
            async def bound(session: AsyncSession[R]) -> T:
                return await decorated(session, *arguments, **keywords)

            return await _run(maker, bound, Attempts(max_attempts, timeout), options)

        return call

    return decorate


async def _run(
    maker: async_sessionmaker[R],
    fn: Callable[[AsyncSession[R]], Awaitable[T]],
    attempts: Attempts,
    options: TransactionOptions,
) -> T:
    while True:
        try:
            async with maker() as session:
                session.retry_commit_until(attempts.deadline)
                async with session.begin(**options):
                    return await fn(session)
        except Exception as error:
            pause = attempts.pause(error)
            if pause is None:
                raise
        await asyncio.sleep(pause)
