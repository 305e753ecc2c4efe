from mongotic import MongoBaseModel, select
from mongotic.asyncio import AsyncSession


class User(MongoBaseModel):
    __databasename__ = "golden_database"
    __tablename__ = "users"

    name: str
    age: int = 0


EXPECTED = (["ann", "bob"], "bob", 30, None, ["ann", "bob"], "ann")


async def run(session: AsyncSession):
    session.add_all([User(name="ann", age=30), User(name="bob")])
    await session.commit()
    everybody = await (await session.execute(select(User).order_by(User.name))).scalars().all()
    result = await session.execute(select(User).where(User.name == "bob"))
    bob = await result.scalars().one()
    age = await (await session.execute(select(User.age).where(User.name == "ann"))).scalars().one()
    nobody = await (await session.execute(select(User).where(User.name == "dan"))).scalars().one_or_none()
    rows = await session.execute(select(User.name).order_by(User.name))
    names = [row.name for row in rows.all()]
    first = await (await session.execute(select(User.name).order_by(User.name))).first()
    return [user.name for user in everybody], bob.name, age, nobody, names, first.name
