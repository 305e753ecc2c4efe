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


async def store(session: AsyncSession, user: User) -> User:
    session.merge(user)
    await session.commit()
    return user


async def replace(session: AsyncSession, key: str, values: dict[str, Any]) -> Account:
    account = Account(key=key, **values)
    session.merge(account)
    await session.commit()
    return account


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        await replace(session, "a", {"amount": 1})
        account = await replace(session, "a", {"amount": 2})
        user = await store(session, User(name="ann"))
        user.age = 5
        await store(session, user)
        return account.amount, user.age, await session.scalars(select(Account)).count(), await session.scalars(select(User)).count()
