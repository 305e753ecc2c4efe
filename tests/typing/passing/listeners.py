"""Listeners, and looking at instances."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from mongotic import Session, event, inspect, make_transient, object_session, sessionmaker
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.inspection import History, InstanceInspection

from .models import Book, User


@event.listens_for(User, "before_insert")
def stamp(session: Session, user: User) -> None:
    session.add(user)


@event.listens_for(AsyncSession, "before_commit")
async def look(session: AsyncSession) -> None:
    await session.get(User, "507f1f77bcf86cd799439011")


def count(session: Session | AsyncSession) -> int:
    return len(session.new)


def targets(
    make: sessionmaker, make_async: async_sessionmaker, session: Session, async_session: AsyncSession[Any]
) -> None:
    for target in (Session, AsyncSession, make, make_async, session, async_session):
        event.listen(target, "after_rollback", count)
        event.listen(target, "load", lambda session, instance: session.add(instance))
        event.remove(target, "after_rollback", count)
    event.listen(make, "after_flush", lambda session: session.info)
    event.listen(Book, "after_delete", lambda session, book: None)
    assert_type(stamp(session, User(name="Ann")), None)


def states(user: User) -> None:
    found = inspect(user)
    assert_type(found, InstanceInspection)
    assert_type(found.persistent, bool)
    assert_type(found.modified_fields, tuple[str, ...])
    assert_type(found.history("name"), History)
    assert_type(found.history("name").old, object)
    assert_type(found.session, Session | AsyncSession | None)
    assert_type(object_session(user), Session | AsyncSession | None)
    make_transient(user)
