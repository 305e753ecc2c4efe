from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def shown(engine: AIOEngine, name: str) -> str:
    async with AsyncSession(engine) as session:
        user = await session.scalars(select(User).where(User.name == name)).first()
    if user is None:
        return ""
    user.name = user.name.upper()  # only to be shown
    async with AsyncSession(engine) as session:
        session.add(User(name="visit"))
        await session.commit()
    return user.name


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
    shown_name = await shown(engine, "ann")
    async with AsyncSession(engine) as session:
        return shown_name, sorted(user.name for user in await session.scalars(select(User)).all())
