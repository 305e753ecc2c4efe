from odmantic import AIOEngine, Model
from mongotic import delete, select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
    async with AsyncSession(engine) as session:
        await session.execute(delete(User).where(User.age == 20))
    async with AsyncSession(engine) as session:
        gone = (await session.execute(delete(User).where(User.age > 100))).rowcount
    async with AsyncSession(engine) as session:
        if (await session.execute(delete(User).where(User.name == "ann"))).rowcount == 1:
            gone += 1
    async with AsyncSession(engine) as session:
        return gone, await session.scalars(select(User)).count()
