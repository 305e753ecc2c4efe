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
    # everybody has a birthday
    async with AsyncSession(engine) as session:
        async for user in session.scalars(select(User)):
            user.age += 1
            session.add(user)
            await session.commit()
    async with AsyncSession(engine) as session:
        for user in await session.scalars(select(User).where(User.age > 40)).all():
            user.tags.append("old")
            session.add(user)
            await session.commit()
    async with AsyncSession(engine) as session:
        return sorted(user.age for user in await session.scalars(select(User)).all())
