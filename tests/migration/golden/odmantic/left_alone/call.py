import asyncio

from odmantic.session import AIOTransaction
from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
    counts = await asyncio.gather(engine.count(User), engine.count(User, User.age > 20))
    cursor = engine.find(User, sort=User.name)
    names = [user.name for user in await cursor]
    names.append((await engine.save(User(name="dan"))).name)
    one = await engine.remove(User, User.age > 0, just_one=True)
    options = {"limit": 1}
    some = await engine.find(User, **options)
    await engine.get_collection(User).update_many({}, {"$set": {"age": 1}})
    made = User(name="eve")
    async with AsyncSession(engine) as session:
        session.add(made)
        await session.commit()
    await engine.delete(made)
    async with engine.transaction() as transaction:
        await add(transaction)
        await transaction.commit()
    async with AsyncSession(engine) as session:
        return counts, names, one, len(some), await session.scalars(select(User).where(User.age == 1)).count()


async def add(transaction: AIOTransaction) -> None:
    await transaction.save(User(name="fay"))
