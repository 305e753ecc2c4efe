from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    ann = User(name="ann")
    async with AsyncSession(engine) as session:
        session.add(ann)
        await session.commit()
        ann.age = 31
        session.add(ann)
        await session.commit()  # again
        bob = User(name="bob")
        session.add(bob)
        await session.commit()
        return ann.age, bob.name, await session.scalars(select(User)).count()
