from odmantic import AIOEngine, Model
from mongotic import select
from mongotic.asyncio import AsyncSession


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Users:
    def __init__(self, engine: AIOEngine) -> None:
        self.engine = engine

    async def add(self, name: str) -> User:
        async with AsyncSession(self.engine) as session:
            user = User(name=name)
            session.add(user)
            await session.commit()
            return user

    async def summary(self) -> tuple[int, list[str]]:
        async with AsyncSession(self.engine) as session:
            users = await session.scalars(select(User).order_by(User.name)).all()
            return await session.scalars(select(User)).count(), [user.name for user in users]


async def run(engine: AIOEngine) -> object:
    users = Users(engine)
    await users.add("ann")
    return await users.summary()
