from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def store(engine: AIOEngine, users: list[User]) -> list[User]:
    async with AsyncSession(engine) as session:
        instances = list(users)
        for instance in instances:
            session.merge(instance)
        await session.commit()
        return instances


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann"), User(name="bob")])
        await session.commit()
    async with AsyncSession(engine) as session:
        users = await session.scalars(select(User).order_by(User.name)).all()
    for user in users:
        user.age = 7
    async with AsyncSession(engine) as session:
        session.add_all(users)
        await session.commit()
    stored = await store(engine, [User(name="cid")])
    async with AsyncSession(engine) as session:
        return len(stored), sorted(user.age for user in await session.scalars(select(User)).all())
