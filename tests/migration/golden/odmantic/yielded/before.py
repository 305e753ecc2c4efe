from collections.abc import AsyncIterator

from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0


async def adults(engine: AIOEngine) -> AsyncIterator[User]:
    async for user in engine.find(User, User.age >= 18, sort=User.name):
        yield user


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=10)])
    names = []
    async for user in adults(engine):
        user.age += 1
        await engine.save(user)
        names.append(user.name)
    return names
