from odmantic import Model
from mongotic.asyncio import AIOEngine
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase


class User(Model):
    name: str


async def count(database: AsyncDatabase) -> int:
    return await database["user"].count_documents({})


async def run(uri: str, database: str) -> object:
    client: AsyncMongoClient = AsyncMongoClient(uri)
    engine = AIOEngine(client, database)
    await engine.save(User(name="ann"))
    names = [user.name async for user in engine.find(User)]
    counted = await count(client[database])
    await client.close()
    return names, counted
