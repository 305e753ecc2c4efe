from sqlalchemy import Column
from mongotic import select


async def run(session):
    async with session.begin_nested():
        return session.query(Column)
