"""How a transaction ends, for the books and for the database; and commits that make one for themselves."""

from __future__ import annotations

import random
import time
from typing import Literal, TypeAlias

from ..bookkeeping import Bookkeeping
from ..errors import InvalidRequestError, MongoticError, OperationalError
from ..port import Port
from ..transactions import TransactionOptions
from ..unit_of_work import Plan, plan
from . import engine_writing
from .announcing import announce
from .flushing import report_plan, warn, write_plan

Atomic: TypeAlias = Literal["auto"] | bool

MAX_TIME_EXPIRED = 50
"""The server's code for a command that took longer than its time limit."""

ATTEMPTS = 8
"""How often a commit's own transaction is tried when other clients' writes are in its way."""


async def commit(
    port: Port,
    books: Bookkeeping,
    *,
    atomic: Atomic,
    options: TransactionOptions,
    expire: bool = False,
    retry_until: float = 0.0,
) -> None:
    """Write every unwritten change and make it final.

    In a transaction that is open, that is committed: one `commitTransaction` command.  In one of the caller's, the
    changes are written and the caller commits them.  Otherwise they are written in a transaction made for them, if they
    need more than one command and the deployment has transactions.

    Arguments:
        port: where to write.
        books: the session's.
        atomic: whether such a transaction is made: where there can be one, always, or never.
        options: of that transaction.
        expire: let every instance count as expired afterwards.
        retry_until: the time until which a commit of unknown outcome is asked for again.

    Raises:
        InvalidRequestError: *atomic* is True and the deployment has no transactions; nothing was sent.
        FlushError: see `flushing.flush`.
        OperationalError: the commit itself failed.
    """
    for name in ("after_commit", "before_commit"):
        books.events.expect_tellable(name)
    await books.events.tell("before_commit")
    await announce(books)
    todo = plan(books)
    own = not port.in_transaction and await _needs_own(port, todo, atomic)
    if own:
        todo, messages, interruption = await _write_atomically(port, books, todo, options)
    else:
        messages = await write_plan(port, books, todo)
        interruption = await _commit(port, retry_until)
    if not port.joins_transaction:  # its owner may still abort that
        books.commit(expire=expire)
    try:
        if own:  # now it is final, whatever they raise
            await report_plan(books, todo)
        await books.events.tell("after_commit")
    finally:
        warn(messages)
        if interruption is not None:
            raise interruption


async def _commit(port: Port, retry_until: float) -> BaseException | None:
    while True:
        try:
            return await port.commit()
        except OperationalError as error:
            # The time limit the user gave for a commit is over; asking again would make it another one.
            too_long = getattr(error.driver_error, "code", None) == MAX_TIME_EXPIRED
            if not error.outcome_unknown or too_long or time.monotonic() >= retry_until:
                raise


async def _needs_own(port: Port, todo: Plan, atomic: Atomic) -> bool:
    """Tell whether what is to be written needs a transaction of its own."""
    if atomic is False or (_commands(port, todo) < 2 and not (atomic is True and _operations(todo) > 1)):
        return False
    if atomic == "auto" and not all(port.is_acknowledged(step.mapping) for step in todo.steps):
        return False  # nobody wants to know what becomes of these writes
    if await port.has_transactions():
        return True
    if atomic is True:
        raise InvalidRequestError(
            "commit(): this session was made with atomic=True, and this server has no transactions: it is neither a "
            'member of a replica set nor a mongos. Start it as a replica set, or use atomic="auto". Nothing was sent.'
        )
    return False


def _commands(port: Port, todo: Plan) -> int:
    """Return how many commands a plan becomes: an engine looks and writes, one instance after the other."""
    return sum(
        2 * len(step.changes) if engine_writing.is_engines(port.overrides(step.mapping), step) else 1
        for step in todo.steps
    )


def _operations(todo: Plan) -> int:
    return sum(len(step.changes) for step in todo.steps)


async def _write_atomically(
    port: Port, books: Bookkeeping, todo: Plan, options: TransactionOptions
) -> tuple[Plan, list[str], BaseException | None]:
    """Write a plan in a transaction of its own; after an error everything is as it was before, on the objects too.

    Other clients' writes to the same documents make the server refuse such a transaction, where a single write would
    have waited; it is tried again then.
    """
    for attempt in range(1, ATTEMPTS + 1):
        port.begin(options)
        books.begin()
        try:
            messages = await write_plan(port, books, todo, tell=False)
            return todo, messages, await port.commit()
        except BaseException as error:
            books.undo(values=False)
            port.abandon()
            await port.settle()
            if attempt == ATTEMPTS or not isinstance(error, MongoticError) or not error.is_transient:
                raise
            await port.pause(random.uniform(0, 0.005 * 2**attempt))  # no secret
            todo = plan(books)
    raise AssertionError("the last attempt returns or raises")


def undo(port: Port, books: Bookkeeping) -> None:
    """Undo in memory what is not committed, and let go of the transaction; `Port.settle` aborts it.

    Raises:
        InvalidRequestError: changes were flushed into the caller's transaction, and it has ended.
    """
    if port.joins_transaction:
        if books.has_flushed:
            port.abandon_joined()
        books.undo(values=True)
        books.begin()
    elif port.in_transaction:
        books.undo(values=True)
        port.abandon()
    else:
        books.rollback()


async def after_rollback(port: Port, books: Bookkeeping) -> None:
    """Abort what was let go, and tell listeners that what was not committed is undone."""
    await port.settle()
    await books.events.tell("after_rollback")
