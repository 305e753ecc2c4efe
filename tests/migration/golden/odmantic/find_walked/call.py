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
    names = []
    async with AsyncSession(engine) as session:
        async for user in session.scalars(select(User).order_by(User.name)):
            names.append(user.name)
    async with AsyncSession(engine) as session:
        ages = [user.age async for user in session.scalars(select(User).order_by(User.age))]
    return names, ages
