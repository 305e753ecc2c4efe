"""Transactions: how they begin and end, for the books and for the database."""

from __future__ import annotations

from ..bookkeeping import Bookkeeping


async def after_rollback(books: Bookkeeping) -> None:
    """Tell listeners that what was not flushed is undone."""
    await books.events.tell("after_rollback")
