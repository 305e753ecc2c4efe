from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


def select(session: str) -> str:
    return session + "!"


async def run(engine: AIOEngine) -> object:
    session = select("x")
    await engine.save(User(name=session))
    return [user.name for user in await engine.find(User)]
