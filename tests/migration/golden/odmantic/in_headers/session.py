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
        found = []
        if await session.scalars(select(User)).count() > 5:
            found.append("many")
        elif (user := await session.scalars(select(User).where(User.name == "ann")).first()) is not None:
            found.append(user.name)
        while await session.scalars(select(User)).count() > 1:
            await session.execute(delete(User).where(User.age > 20))
        assert await session.scalars(select(User)).count() == 1, "one is left"
    return found
