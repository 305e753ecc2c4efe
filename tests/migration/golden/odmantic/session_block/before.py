from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    async with engine.session() as session:
        user = await session.find_one(User, User.name == "ann")
        if user is None:
            return None
        user.age = 31
        await session.save(user)
        await engine.save(User(name="dan"), session=session)
    return await engine.count(User, User.age == 31), await engine.count(User)
