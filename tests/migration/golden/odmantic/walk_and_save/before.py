from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    # everybody has a birthday
    async for user in engine.find(User):
        user.age += 1
        await engine.save(user)
    for user in await engine.find(User, User.age > 40):
        user.tags.append("old")
        await engine.save(user)
    return sorted(user.age for user in await engine.find(User))
