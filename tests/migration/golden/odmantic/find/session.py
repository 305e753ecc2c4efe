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
        adults = await session.scalars(select(User).where(User.age > 20)).all()
        young = [user.name for user in await session.scalars(select(User).where({"age": {"$lt": 30}}, User.name != "ann")).all()]
    return [user.name for user in adults], young
