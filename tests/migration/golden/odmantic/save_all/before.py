from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def store(engine: AIOEngine, users: list[User]) -> list[User]:
    return await engine.save_all(users)


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann"), User(name="bob")])
    users = await engine.find(User, sort=User.name)
    for user in users:
        user.age = 7
    await engine.save_all(users)
    stored = await store(engine, [User(name="cid")])
    return len(stored), sorted(user.age for user in await engine.find(User))
