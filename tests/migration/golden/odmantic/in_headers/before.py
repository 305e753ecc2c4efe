from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    found = []
    if await engine.count(User) > 5:
        found.append("many")
    elif (user := await engine.find_one(User, User.name == "ann")) is not None:
        found.append(user.name)
    while await engine.count(User) > 1:
        await engine.remove(User, User.age > 20)
    assert await engine.count(User) == 1, "one is left"
    return found
