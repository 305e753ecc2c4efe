from odmantic import AIOEngine, Model
import mongotic
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


def select(session: str) -> str:
    return session + "!"


async def run(engine: AIOEngine) -> object:
    session = select("x")
    async with AsyncSession(engine) as db_session:
        db_session.add(User(name=session))
        await db_session.commit()
    async with AsyncSession(engine) as db_session:
        return [user.name for user in await db_session.scalars(mongotic.select(User)).all()]
