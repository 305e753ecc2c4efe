from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def store(session: AsyncSession, users: list[User]) -> list[User]:
    instances = list(users)
    for instance in instances:
        session.merge(instance)
    await session.commit()
    return instances


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann"), User(name="bob")])
        await session.commit()
        users = await session.scalars(select(User).order_by(User.name)).all()
        for user in users:
            user.age = 7
        await session.commit()
        stored = await store(session, [User(name="cid")])
        return len(stored), sorted(user.age for user in await session.scalars(select(User)).all())
