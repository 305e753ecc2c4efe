from odmantic import AIOEngine, Model


class User(Model):
    name: str
    age: int = 0
    tags: list[str] = []


async def run(engine: AIOEngine) -> object:
    await engine.save_all([User(name="ann", age=30), User(name="bob", age=20), User(name="cid", age=40)])
    pipeline = [{"$group": {"_id": None, "years": {"$sum": "$age"}}}]
    groups = await engine.get_collection(User).aggregate(pipeline).to_list(None)
    grown = await engine.get_collection(User).count_documents({"age": {"$gt": 20}})
    return groups, grown
