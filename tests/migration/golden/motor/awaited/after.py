import odmantic
import mongotic.asyncio
from pymongo import AsyncMongoClient


class User(odmantic.Model):
    name: str


async def run(uri: str, database: str) -> object:
    client = AsyncMongoClient(uri)
    engine = mongotic.asyncio.AIOEngine(client, database)
    users = client[database].user
    await users.insert_many([{"name": "ann"}, {"name": "bob"}])
    groups = await (await users.aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}])).to_list(None)
    names = [found["name"] async for found in await users.aggregate([{"$sort": {"name": 1}}])]
    indexes = [index["name"] async for index in await engine.get_collection(User).list_indexes()]
    async with client.start_session() as session:
        async with await session.start_transaction():
            await users.insert_one({"name": "cid"}, session=session)
    found = await users.find({}, {"_id": 0}).sort("name", 1).to_list(length=None)
    await client.close()
    return groups, names, indexes, found
