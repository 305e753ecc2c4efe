from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    adults = await engine.find(User, User.age > 20)
    young = [user.name for user in await engine.find(User, {"age": {"$lt": 30}}, User.name != "ann")]
    return [user.name for user in adults], young
