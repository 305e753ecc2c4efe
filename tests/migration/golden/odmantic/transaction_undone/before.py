from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    try:
        async with engine.transaction() as transaction:
            await transaction.remove(User, User.age > 20)
            await transaction.save(User(name="dan"))
            raise ValueError("no")
    except ValueError:
        pass
    async with engine.session() as session:
        async with session.transaction() as inner:
            await inner.save_all([User(name="eve"), User(name="fay")])
    return sorted(user.name for user in await engine.find(User))
