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
        user = await session.scalars(select(User).where(User.name == "bob")).first()
        nobody = await session.scalars(select(User).where(User.name == "dan")).first()
        total = await session.scalars(select(User)).count()
        return user is not None and user.age, nobody, total, await session.scalars(select(User).where(User.age > 20)).count()
