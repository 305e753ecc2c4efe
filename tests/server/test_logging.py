"""What is logged of the commands a session sends."""

from __future__ import annotations

import logging

import pytest
from odmantic import Field, Model
from pymongo.database import Database

from mongotic import ArgumentError, IntegrityError, delete, select, update
from mongotic.asyncio import AsyncSession
from tests.conftest import Backend, Document


class User(Model):
    number: int = Field(primary_field=True)
    name: str = ""


async def work(session: AsyncSession) -> None:
    session.add_all([User(number=1, name="secret"), User(number=2, name="secret")])
    await session.commit()
    session.add(User(number=3, name="secret"))
    await session.commit()
    await session.scalars(select(User).where(User.name == "secret")).all()
    [name async for name in session.scalars(select(User.name))]
    await session.scalars(select(User.name).distinct()).all()
    await session.scalars(select(User).where(User.name == "secret")).count()
    await session.execute(update(User).where(User.number == 1).values(name="secret 2"))
    async with session.begin():
        await session.execute(delete(User).where(User.name == "secret"))


async def test_commands_are_logged_without_values(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mongotic.engine"):
        async with backend.maker()() as session:
            await work(session)
    lines = [record.getMessage() for record in caplog.records]
    assert lines.pop(4).startswith("db.user.aggregate([{$group: {_id: ")
    assert [line.partition("  [")[0] for line in lines] == [
        "db.user.insertMany([{_id: ?, name: ?}, {_id: ?, name: ?}])",
        "db.user.insertOne({_id: ?, name: ?})",
        "db.user.find({name: {$eq: ?}})",
        "db.user.find({}, {name: 1, _id: 0})",
        "db.user.countDocuments({name: {$eq: ?}})",
        "db.user.updateMany({_id: {$eq: ?}}, {$set: {name: ?}})",
        "db.user.deleteMany({name: {$eq: ?}})",
        "commitTransaction",
    ]
    assert "2 documents" in lines[0]
    assert "3 documents" in lines[2]
    assert all(" ms" in line for line in lines)
    assert "secret" not in "".join(lines)


async def test_values_are_shown_on_request(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    async with backend.maker(echo="values")() as session:
        await session.scalars(select(User).where(User.name == "secret")).all()
    assert any('db.user.find({name: {$eq: "secret"}})' in record.getMessage() for record in caplog.records)


async def test_failures_are_logged(backend: Backend, raw: Database[Document], caplog: pytest.LogCaptureFixture) -> None:
    raw["user"].insert_one({"_id": 1})
    with caplog.at_level(logging.INFO, "mongotic.engine"):
        async with backend.maker(echo=True)() as session:
            session.add(User(number=1))
            with pytest.raises(IntegrityError):
                await session.commit()
    assert caplog.records[-1].levelname == "WARNING"


async def test_nothing_is_logged_unasked(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("mongotic.engine").setLevel(logging.WARNING)
    async with backend.maker()() as session:
        await work(session)
    assert caplog.records == []


def test_echo_takes_three_values(backend: Backend) -> None:
    with pytest.raises(ArgumentError, match="echo"):
        backend.maker(echo="yes")
