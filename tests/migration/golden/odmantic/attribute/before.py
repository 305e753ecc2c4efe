from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Users:
    def __init__(self, engine: AIOEngine) -> None:
        self.engine = engine

    async def add(self, name: str) -> User:
        return await self.engine.save(User(name=name))

    async def summary(self) -> tuple[int, list[str]]:
        users = await self.engine.find(User, sort=User.name)
        return await self.engine.count(User), [user.name for user in users]


async def run(engine: AIOEngine) -> object:
    users = Users(engine)
    await users.add("ann")
    return await users.summary()
