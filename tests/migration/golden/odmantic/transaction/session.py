from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def move(session: AsyncSession, source: str, target: str, years: int) -> bool:
    async with session.begin():
        giver = await session.scalars(select(User).where(User.name == source)).first()
        taker = await session.scalars(select(User).where(User.name == target)).first()
        if giver is None or taker is None or giver.age < years:
            await session.rollback()
            return False
        giver.age -= years
        taker.age += years
        await session.flush()
        await session.flush()
        # both or none
    return True


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
        moved = await move(session, "ann", "bob", 10), await move(session, "ann", "bob", 100)
        return moved, [user.age for user in await session.scalars(select(User).order_by(User.name)).all()]
