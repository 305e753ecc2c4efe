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
    async with AsyncSession(engine) as session:
        user = await session.scalars(select(User).where(User.name == "bob")).first()
    if user is not None:
        async with AsyncSession(engine) as session:
            session.delete(user)
            await session.commit()
    async with AsyncSession(engine) as session:
        return await session.scalars(select(User)).count()
