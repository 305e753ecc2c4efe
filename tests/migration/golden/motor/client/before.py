from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from odmantic import AIOEngine, Model


class User(Model):
    name: str


async def count(database: AsyncIOMotorDatabase) -> int:
    return await database["user"].count_documents({})


async def run(uri: str, database: str) -> object:
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
    engine = AIOEngine(client, database)
    await engine.save(User(name="ann"))
    names = [user.name async for user in engine.find(User)]
    counted = await count(client[database])
    client.close()
    return names, counted
