from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def birthday(engine: AIOEngine, name: str) -> int:
    async with AsyncSession(engine) as session:
        user = await session.scalars(select(User).where(User.name == name)).first()
    if user is None:
        return 0
    user.age += 1
    user.tags.append("older")
    async with AsyncSession(engine) as session:
        session.add(user)
        await session.commit()
    return user.age


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
    return await birthday(engine, "ann"), await birthday(engine, "dan")
