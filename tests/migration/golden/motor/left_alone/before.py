from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorGridFSBucket


def closed(client: AsyncIOMotorClient) -> None:
    client.close()


def files(client: AsyncIOMotorClient, name: str) -> AsyncIOMotorGridFSBucket:
    return AsyncIOMotorGridFSBucket(client[name])


async def totals(collection, pipeline):
    return [each async for each in collection.aggregate(pipeline)]
