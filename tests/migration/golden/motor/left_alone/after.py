from motor.motor_asyncio import AsyncIOMotorGridFSBucket
from pymongo import AsyncMongoClient


def closed(client: AsyncMongoClient) -> None:
    client.close()


def files(client: AsyncMongoClient, name: str) -> AsyncIOMotorGridFSBucket:
    return AsyncIOMotorGridFSBucket(client[name])


async def totals(collection, pipeline):
    return [each async for each in collection.aggregate(pipeline)]
