from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    names = []
    async for user in engine.find(User, sort=User.name):
        names.append(user.name)
    ages = [user.age async for user in engine.find(User, sort=User.age)]
    return names, ages
