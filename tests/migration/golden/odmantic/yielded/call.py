from collections.abc import AsyncIterator

from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0


async def adults(engine: AIOEngine) -> AsyncIterator[User]:
    async with AsyncSession(engine) as session:
        async for user in session.stream_scalars(select(User).where(User.age >= 18).order_by(User.name)):
            yield user


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=10)])
        await session.commit()
    names = []
    async for user in adults(engine):
        user.age += 1
        async with AsyncSession(engine) as session:
            session.merge(user)
            await session.commit()
        names.append(user.name)
    return names
