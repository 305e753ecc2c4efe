from typing import Any

from odmantic import AIOEngine, Field, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Account(Model):
    key: str = Field(primary_field=True)
    amount: int


async def store(engine: AIOEngine, user: User) -> User:
    async with AsyncSession(engine) as session:
        session.merge(user)
        await session.commit()
        return user


async def replace(engine: AIOEngine, key: str, values: dict[str, Any]) -> Account:
    async with AsyncSession(engine) as session:
        account = Account(key=key, **values)
        session.merge(account)
        await session.commit()
        return account


async def run(engine: AIOEngine) -> object:
    await replace(engine, "a", {"amount": 1})
    account = await replace(engine, "a", {"amount": 2})
    user = await store(engine, User(name="ann"))
    user.age = 5
    await store(engine, user)
    async with AsyncSession(engine) as session:
        return account.amount, user.age, await session.scalars(select(Account)).count(), await session.scalars(select(User)).count()
