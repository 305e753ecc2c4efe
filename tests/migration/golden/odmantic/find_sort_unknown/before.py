from typing import Any

from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def listed(engine: AIOEngine, sort: Any) -> list[str]:
    return [user.name for user in await engine.find(User, sort=sort)]


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    return await listed(engine, User.age), await listed(engine, (User.age, User.name)), len(await listed(engine, None))
