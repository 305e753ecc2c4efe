from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def move(engine: AIOEngine, source: str, target: str, years: int) -> bool:
    async with engine.transaction() as transaction:
        giver = await transaction.find_one(User, User.name == source)
        taker = await transaction.find_one(User, User.name == target)
        if giver is None or taker is None or giver.age < years:
            await transaction.abort()
            return False
        giver.age -= years
        taker.age += years
        await transaction.save(giver)
        await transaction.save(taker)
        await transaction.commit()  # both or none
    return True


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    moved = await move(engine, "ann", "bob", 10), await move(engine, "ann", "bob", 100)
    return moved, [user.age for user in await engine.find(User, sort=User.name)]
