from odmantic.query import desc
from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine, skip: int = 1, limit: int | None = None) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
        # grown up
        page = await session.scalars(
            select(User).where(User.age >= 20).order_by(desc(User.age)).offset(skip).limit(2)
        ).all()
        every = await session.scalars(select(User).order_by(User.age, User.name.desc()).limit(limit)).all()
        first = await session.scalars(select(User).order_by(User.name)).first()
    return [user.name for user in page], [user.name for user in every], first and first.name
