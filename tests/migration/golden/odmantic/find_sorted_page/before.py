from odmantic.query import desc
from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine, skip: int = 1, limit: int | None = None) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    page = await engine.find(
        User,
        User.age >= 20,  # grown up
        sort=desc(User.age),
        skip=skip,
        limit=2,
    )
    every = await engine.find(User, sort=(User.age, User.name.desc()), limit=limit)
    first = await engine.find_one(User, sort=User.name)
    return [user.name for user in page], [user.name for user in every], first and first.name
