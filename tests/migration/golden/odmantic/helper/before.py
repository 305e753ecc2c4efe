from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def by_name(engine: AIOEngine, name: str) -> User:
    user = await engine.find_one(User, User.name == name)
    if user is None:
        raise KeyError(name)
    return user


async def older(engine: AIOEngine, name: str) -> int:
    user = await by_name(engine, name)
    user.age += 1
    await engine.save(user)
    return user.age


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    ages = [await older(engine, "ann"), await older(engine=engine, name="bob")]
    return ages, (await by_name(engine, "cid")).age
