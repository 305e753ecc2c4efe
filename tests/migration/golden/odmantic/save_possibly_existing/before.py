from typing import Any

from odmantic import AIOEngine, Field, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Account(Model):
    key: str = Field(primary_field=True)
    amount: int


async def store(engine: AIOEngine, user: User) -> User:
    return await engine.save(user)


async def replace(engine: AIOEngine, key: str, values: dict[str, Any]) -> Account:
    return await engine.save(Account(key=key, **values))


async def run(engine: AIOEngine) -> object:
    await replace(engine, "a", {"amount": 1})
    account = await replace(engine, "a", {"amount": 2})
    user = await store(engine, User(name="ann"))
    user.age = 5
    await store(engine, user)
    return account.amount, user.age, await engine.count(Account), await engine.count(User)
