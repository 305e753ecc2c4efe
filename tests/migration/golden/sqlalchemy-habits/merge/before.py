from mongotic import MongoBaseModel, select
from mongotic.asyncio import AsyncSession


class User(MongoBaseModel):
    __databasename__ = "golden_database"
    __tablename__ = "users"

    name: str


EXPECTED = ["ann"]


async def run(session: AsyncSession):
    user = await session.merge(User(name="ann"))
    await session.commit()
    await session.merge(user)
    await session.commit()
    return await session.scalars(select(User.name)).all()
