from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def by_name(engine: AIOEngine, name: str) -> User:
    async with AsyncSession(engine) as session:
        user = await session.scalars(select(User).where(User.name == name)).first()
    if user is None:
        raise KeyError(name)
    return user


async def older(engine: AIOEngine, name: str) -> int:
    user = await by_name(engine, name)
    user.age += 1
    async with AsyncSession(engine) as session:
        session.add(user)
        await session.commit()
    return user.age


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
    ages = [await older(engine, "ann"), await older(engine=engine, name="bob")]
    return ages, (await by_name(engine, "cid")).age
