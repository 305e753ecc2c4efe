from typing import Any

from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def listed(engine: AIOEngine, sort: Any) -> list[str]:
    async with AsyncSession(engine) as session:
        return [user.name for user in await session.scalars(select(User).order_by(*(sort if isinstance(sort, tuple) else (sort,)))).all()]


async def run(engine: AIOEngine) -> object:
    async with AsyncSession(engine) as session:
        session.add_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
        await session.commit()
    return await listed(engine, User.age), await listed(engine, (User.age, User.name)), len(await listed(engine, None))
