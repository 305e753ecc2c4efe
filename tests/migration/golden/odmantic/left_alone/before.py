import asyncio

from odmantic.session import AIOTransaction
from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    counts = await asyncio.gather(engine.count(User), engine.count(User, User.age > 20))
    cursor = engine.find(User, sort=User.name)
    names = [user.name for user in await cursor]
    names.append((await engine.save(User(name="dan"))).name)
    one = await engine.remove(User, User.age > 0, just_one=True)
    options = {"limit": 1}
    some = await engine.find(User, **options)
    await engine.get_collection(User).update_many({}, {"$set": {"age": 1}})
    made = User(name="eve")
    await engine.save(made)
    await engine.delete(made)
    async with engine.transaction() as transaction:
        await add(transaction)
        await transaction.commit()
    return counts, names, one, len(some), await engine.count(User, User.age == 1)


async def add(transaction: AIOTransaction) -> None:
    await transaction.save(User(name="fay"))
