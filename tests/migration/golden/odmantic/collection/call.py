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
    pipeline = [{"$group": {"_id": None, "years": {"$sum": "$age"}}}]
    async with AsyncSession(engine) as session:
        groups = await session.aggregate(User, pipeline).all()
    async with AsyncSession(engine) as session:
        grown = await session.scalars(select(User).where({"age": {"$gt": 20}})).count()
    return groups, grown
