from sqlalchemy import Column, select


async def run(session):
    async with session.begin_nested():
        return session.query(Column)
