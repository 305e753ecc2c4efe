from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    await engine.remove(User, User.age == 20)
    gone = await engine.remove(User, User.age > 100)
    if await engine.remove(User, User.name == "ann") == 1:
        gone += 1
    return gone, await engine.count(User)
