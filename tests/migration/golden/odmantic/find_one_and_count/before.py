from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    user = await engine.find_one(User, User.name == "bob")
    nobody = await engine.find_one(User, User.name == "dan")
    total = await engine.count(User)
    return user is not None and user.age, nobody, total, await engine.count(User, User.age > 20)
