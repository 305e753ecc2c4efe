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
    try:
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(delete(User).where(User.age > 20))
            session.add(User(name="dan"))
            await session.flush()
            raise ValueError("no")
    except ValueError:
        pass
    async with AsyncSession(engine) as session:
        async with session.begin():
            session.add_all([User(name="eve"), User(name="fay")])
            await session.flush()
    async with AsyncSession(engine) as session:
        return sorted(user.name for user in await session.scalars(select(User)).all())
