from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    ann = User(name="ann")
    await engine.save(ann)
    ann.age = 31
    await engine.save(ann)  # again
    bob = await engine.save(User(name="bob"))
    return ann.age, bob.name, await engine.count(User)
