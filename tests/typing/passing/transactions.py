"""Transactions, with both kinds of session."""

from __future__ import annotations

import asyncio

from odmantic.session import AIOSession, AIOTransaction, SyncSession, SyncTransaction
from pymongo import WriteConcern
from pymongo.read_concern import ReadConcern
from typing_extensions import assert_type

import mongotic.asyncio
from mongotic import Session, run_transaction, scoped_session, select, sessionmaker
from mongotic.asyncio import AsyncSession, async_scoped_session, async_sessionmaker

from .models import User


def blocks(make: sessionmaker, session: Session) -> None:
    with session.begin() as transaction:
        transaction.rollback()
        assert_type(transaction.is_active, bool)
    with session.begin(read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")):
        pass
    with make.begin(max_commit_time_ms=500) as made:
        assert_type(made, Session)
    session.begin()
    assert_type(session.in_transaction(), bool)
    assert_type(session.odmantic, SyncSession | SyncTransaction)


async def awaited_blocks(make: async_sessionmaker, session: AsyncSession) -> None:
    async with session.begin() as transaction:
        await transaction.commit()
    async with make.begin() as made:
        assert_type(made, AsyncSession)
    transaction = await session.begin()
    await transaction.rollback()
    assert_type(session.odmantic, AIOSession | AIOTransaction)


def attempts(make: sessionmaker) -> None:
    def count(session: Session) -> int:
        return session.scalars(select(User)).count()

    assert_type(run_transaction(make, count), int)
    assert_type(run_transaction(make, count, max_attempts=3, timeout=2.5), int)

    @run_transaction(make)
    def rename(session: Session, key: str, *, name: str) -> User | None:
        user = session.get(User, key)
        if user is not None:
            user.name = name
        return user

    assert_type(rename("65f0", name="Ann"), User | None)


async def awaited_attempts(make: async_sessionmaker) -> None:
    async def count(session: AsyncSession) -> int:
        return await session.scalars(select(User)).count()

    assert_type(await mongotic.asyncio.run_transaction(make, count), int)

    @mongotic.asyncio.run_transaction(make, max_attempts=2)
    async def rename(session: AsyncSession, key: str) -> bool:
        return await session.get(User, key) is not None

    assert_type(await rename("65f0"), bool)


async def scopes(make: sessionmaker, other: async_sessionmaker) -> None:
    current = scoped_session(make)
    assert_type(current(), Session)
    assert_type(current.scalars(select(User)).all(), list[User])
    current.remove()
    awaited = async_scoped_session(other, asyncio.current_task)
    assert_type(awaited(), AsyncSession)
    assert_type(await awaited.scalars(select(User)).all(), list[User])
    await awaited.remove()
