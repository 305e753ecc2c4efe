"""An asyncio session, and the habits of awaiting it accepts."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine
from pymongo import AsyncMongoClient
from typing_extensions import assert_type

from mongotic import Result, Row, ScalarResult, SelectResult, col, delete, insert, select, update
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.asyncio import (
    AsyncScalarResult,
    AsyncSelectResult,
    AsyncSession,
    AwaitedScalarResult,
    async_sessionmaker,
    create_async_engine,
    create_async_indexes,
)

from .models import Book, User

Document = dict[str, Any]


async def every_bind(
    engine: AIOEngine, motor: AsyncIOMotorClient[Document], client: AsyncMongoClient[Document], uri: str
) -> None:
    async_sessionmaker(engine)
    async_sessionmaker(engine, database="shop", info={"tenant": "a"}, sync_results=True)
    async_sessionmaker(motor, database="shop")
    async_sessionmaker(client, database="shop")
    async_sessionmaker(create_async_engine(uri, appname="shop"))
    async_sessionmaker(bind=AIOEngine(motor, "shop"))
    async_sessionmaker(PyMongoEngine(client, "shop"))
    AsyncSession(engine)
    AsyncSession(client, database="shop", info={"tenant": "a"}, sync_results=True)
    async with engine.session() as odmantic_session:
        AsyncSession(odmantic_session)
    async with engine.transaction() as transaction:
        async_sessionmaker(transaction)
    await create_async_indexes(engine, User, Book)
    await create_async_indexes(client, User, database="shop")


async def queries(make: async_sessionmaker) -> None:
    async with make() as session:
        assert_type(session, AsyncSession)

        assert_type(session.scalars(select(User)), AsyncScalarResult[User])
        assert_type(await session.scalars(select(User)).all(), list[User])
        assert_type(await session.scalars(select(User)).one(), User)
        assert_type(await session.scalars(select(User)).first(), User | None)
        assert_type(await session.scalars(select(User)).one_or_none(), User | None)
        assert_type(await session.scalars(select(User)).count(), int)
        assert_type(await session.scalars(select(User)).exists(), bool)
        async for user in session.scalars(select(User).where(User.age > 18)):
            assert_type(user, User)
        names = [user.name async for user in session.scalars(select(User))]
        assert_type(names, list[str])

        # As in SQLAlchemy: awaited first, asked then.
        users = await session.scalars(select(User))
        assert_type(users, AwaitedScalarResult[User])
        assert_type(users.all(), list[User])
        assert_type((await session.scalars(select(User))).one(), User)
        for user in await session.scalars(select(User)):
            assert_type(user, User)
        async for user in await session.scalars(select(User)):
            assert_type(user, User)
        _same: ScalarResult[User] = users

        assert_type(session.scalars(select(User.name)), AsyncScalarResult[str])
        assert_type(await session.scalars(select(col(User.age))).all(), list[int])
        async for age in session.scalars(select(User.age)):
            assert_type(age, int)

        assert_type(await session.scalar(select(User)), User | None)
        assert_type(await session.scalar(select(User.age)), int | None)
        assert_type(await session.get(User, "507f1f77bcf86cd799439011"), User | None)
        assert_type(await session.get_one(User, "507f1f77bcf86cd799439011", populate_existing=True), User)

        # Coroutines to asyncio.
        assert_type(await asyncio.create_task(session.get(User, "507f1f77bcf86cd799439011")), User | None)
        assert_type(await asyncio.wait_for(session.scalars(select(User)).all(), 1), list[User])


async def rows(session: AsyncSession) -> None:
    result = await session.execute(select(User.name, User.age))
    assert_type(result, AsyncSelectResult[str, int])
    assert_type(await result.all(), list[Row[str, int]])
    for name, age in result.all():  # fetched already: need not be awaited
        assert_type(name, str)
        assert_type(age, int)
    async for name, age in result:
        assert_type(name, str)
        assert_type(age, int)
    assert_type(await result.one(), Row[str, int])
    assert_type(await result.first(), Row[str, int] | None)
    assert_type(await result.one_or_none(), Row[str, int] | None)
    assert_type(await result.count(), int)
    assert_type(await result.exists(), bool)
    assert_type(await result.scalars().all(), list[str])
    assert_type(await (await session.execute(select(User))).scalars().one(), User)
    only, _ = await result.one()
    assert_type(only, str)


async def sync_results(engine: AIOEngine, passed: AsyncSession[Literal[True]]) -> None:
    make = async_sessionmaker(engine, sync_results=True)
    assert_type(make, async_sessionmaker[Literal[True]])
    async with make() as session:
        result = await session.execute(select(User.name, User.age))
        assert_type(result, SelectResult[str, int])
        for name, age in result:
            assert_type((name, age), tuple[str, int])
        assert_type((await session.execute(select(User))).scalars().one(), User)
        assert_type(await session.execute(insert(User).values(name="Ann")), Result)
        assert_type(await session.scalars(select(User)).all(), list[User])
    passed = AsyncSession(engine, sync_results=True)
    assert_type((await passed.execute(select(User.name))).all(), list[Row[str]])
    assert_type(async_sessionmaker(engine)(), AsyncSession)
    assert_type(AsyncSession(engine, sync_results=False), AsyncSession)


async def writes(session: AsyncSession, user: User, book: Book) -> None:
    session.add(user)
    session.add_all([user, book])
    session.delete(book)
    await session.delete(book)  # both habits
    session.rollback()
    await session.rollback()
    session.expunge(user)
    session.expire(user, ["age"])
    await session.refresh(user)
    await session.refresh(user, ["age"])
    assert_type(session.merge(user), User)
    await session.flush()
    await session.commit()
    await session.close()

    assert_type(await session.execute(insert(User).values(name="Ann")), Result)
    assert_type(await session.execute(update(User).where(User.age < 18).values(age=18)), Result)
    assert_type(await session.execute(delete(User).where(col(User.age) < 18)), Result)
    assert_type(await session.execute(update(User), [{"id": User(name="Ann").id, "age": 3}]), Result)
    claimed = update(User).values(age=3).returning(User)
    assert_type(await session.scalars(claimed).one(), User)
    assert_type(await session.scalars(delete(User).returning(User)).one_or_none(), User | None)
    assert_type(await session.scalar(claimed), User | None)
    assert_type(await (await session.execute(claimed)).one(), Row[User])
    result = await session.execute(insert(User).values([{"name": "Ann"}]))
    assert_type(await session.get(User, result.inserted_ids[0]), User | None)


async def options(session: AsyncSession, engine: AIOEngine, user: User) -> None:
    async_sessionmaker(engine, cache_size=1000, expire_on_commit=True, writes="engine", info={"tenant": "a"})
    assert_type(await session.get_one(User, "507f1f77bcf86cd799439011"), User)
    assert_type(await session.get(User, 1, populate_existing=True), User | None)
    fresh = select(User).execution_options(populate_existing=True)
    assert_type(await session.scalars(fresh).all(), list[User])
    assert_type(await session.clear_collection(User), Result)
    assert_type(session.merge(user, exclude_unset=True), User)
    assert_type(session.clone(user), User)
