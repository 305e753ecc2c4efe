from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def shown(engine: AIOEngine, name: str) -> str:
    user = await engine.find_one(User, User.name == name)
    if user is None:
        return ""
    user.name = user.name.upper()  # only to be shown
    await engine.save(User(name="visit"))
    return user.name


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    shown_name = await shown(engine, "ann")
    return shown_name, sorted(user.name for user in await engine.find(User))
