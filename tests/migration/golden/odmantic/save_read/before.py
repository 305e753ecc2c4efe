from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def birthday(engine: AIOEngine, name: str) -> int:
    user = await engine.find_one(User, User.name == name)
    if user is None:
        return 0
    user.age += 1
    user.tags.append("older")
    await engine.save(user)
    return user.age


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    return await birthday(engine, "ann"), await birthday(engine, "dan")
