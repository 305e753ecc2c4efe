from odmantic import Model
from mongotic import col, func, or_, select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0


EXPECTED = (["ann", "anna"], ["bob"], 3)


async def run(session: AsyncSession):
    session.add_all([User(name="ann", age=30), User(name="anna", age=8), User(name="bob", age=20)])
    await session.commit()
    like = select(User).where(col(User.name).like("ann%")).order_by(User.name)
    between = select(User).where(col(User.age).between(18, 28), or_(User.name == "bob", User.name == "ann"))
    total = select(func.count(User.id))
    names = [user.name for user in await session.scalars(like)]
    return names, [user.name for user in await session.scalars(between)], await session.scalar(total)
