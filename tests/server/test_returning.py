"""`update(...).returning(Model)` and `delete(...).returning(Model)`: one document, changed or removed, and given."""

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Field, Model
from pymongo.database import Database

from mongotic import ArgumentError, InvalidRequestError, Session, col, delete, ops, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentTypeError, DocumentError, NotFound, OperationalError
from tests.conftest import Backend, CommandLog, Document


class Job(Model):
    number: int = Field(primary_field=True)
    state: str = "waiting"
    tries: int = Field(default=0, key_name="t")


class Other(Model):
    name: str


@pytest.fixture
def jobs(raw: Database[Document]) -> None:
    raw["job"].insert_many([{"_id": number, "state": "waiting", "t": number} for number in range(3)])


@pytest.mark.usefixtures("jobs")
async def test_the_instance_is_as_the_update_left_it(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    statement = update(Job).filter_by(state="waiting").values(state="running", tries=ops.inc(1)).returning(Job)
    job = await session.scalars(statement.order_by(-col(Job.tries))).one()
    assert (job.number, job.state, job.tries) == (2, "running", 3)
    assert commands.names() == ["findAndModify job"]
    assert job in session
    assert session.dirty == []
    assert raw["job"].count_documents({"state": "running"}) == 1


@pytest.mark.usefixtures("jobs")
async def test_the_instance_as_it_was_before(session: AsyncSession) -> None:
    held = await session.get_one(Job, 1)
    statement = update(Job).where(Job.number == 1).values(state="done").returning(Job, before=True)
    before = await session.scalar(statement)
    assert before is not None
    assert (before.state, before in session) == ("waiting", False)
    assert (await session.get_one(Job, 1)) is held
    assert held.state == "done"


@pytest.mark.usefixtures("jobs")
async def test_a_held_instance_takes_the_new_values_and_keeps_its_changes(session: AsyncSession) -> None:
    held = await session.get_one(Job, 1)
    held.tries = 50
    job = await session.scalars(update(Job).where(Job.number == 1).values(state="done").returning(Job)).one()
    assert job is held
    assert (held.state, held.tries) == ("done", 50)
    assert session.dirty == [held]


@pytest.mark.usefixtures("jobs")
async def test_nothing_fits(session: AsyncSession) -> None:
    statement = update(Job).where(Job.number == 9).values(state="done").returning(Job)
    assert await session.scalars(statement).all() == []
    assert await session.scalars(statement).one_or_none() is None
    with pytest.raises(NotFound):
        await session.scalars(statement).one()


async def test_an_upsert_is_returned(session: AsyncSession) -> None:
    statement = update(Job).filter_by(number=7).values(tries=ops.inc(2)).upsert().returning(Job)
    job = await session.scalars(statement).one()
    assert (job.number, job.state, job.tries) == (7, "waiting", 2)


@pytest.mark.usefixtures("jobs")
async def test_a_result_sends_the_command_once(session: AsyncSession, commands: CommandLog) -> None:
    result = session.scalars(update(Job).where(Job.number == 1).values(tries=ops.inc(1)).returning(Job))
    assert [job.tries for job in await result.all()] == [2]
    assert (await result.one()).tries == 2
    assert await result.count() == 1
    assert await result.exists()
    assert [job.number async for job in result] == [1]
    assert commands.names() == ["findAndModify job"]


@pytest.mark.usefixtures("jobs")
async def test_execute_gives_rows(session: AsyncSession) -> None:
    rows = await session.execute(update(Job).where(Job.number == 1).values(state="done").returning(Job))
    row = await rows.one()
    assert row[0].state == "done"


@pytest.mark.usefixtures("jobs")
async def test_a_removed_document_is_given_as_new(session: AsyncSession, raw: Database[Document]) -> None:
    held = await session.get_one(Job, 0)
    job = await session.scalars(delete(Job).where(Job.tries < 2).returning(Job).order_by(Job.tries)).one()
    assert (job.number, job.state) == (0, "waiting")
    assert raw["job"].count_documents({}) == 2
    assert (held in session, job in session) == (False, False)
    session.add(job)
    assert session.new == [job]
    await session.commit()
    assert raw["job"].count_documents({}) == 3


@pytest.mark.usefixtures("jobs")
async def test_in_a_transaction_it_is_undone(session: AsyncSession, raw: Database[Document]) -> None:
    held = await session.get_one(Job, 1)
    async with session.begin() as transaction:
        await session.scalars(update(Job).where(Job.number == 1).values(state="done").returning(Job)).one()
        assert held.state == "done"
        await transaction.rollback()
    assert held.state == "waiting"
    assert raw["job"].count_documents({"state": "done"}) == 0


async def test_a_document_that_does_not_fit_is_named(session: AsyncSession, raw: Database[Document]) -> None:
    raw["job"].insert_one({"_id": 1, "state": 3})
    with pytest.raises(DocumentError, match="_id 1"):
        await session.scalars(update(Job).values(tries=1).returning(Job)).one()


@pytest.mark.usefixtures("jobs")
async def test_one_that_fails_leaves_held_instances_expired(session: AsyncSession, raw: Database[Document]) -> None:
    await session.get_one(Job, 1)
    raw["job"].update_one({"_id": 1}, {"$set": {"t": "text"}})
    with pytest.raises(OperationalError, match=r"Nothing was changed\."):
        await session.scalars(update(Job).where(Job.number == 1).values(tries=ops.inc(1)).returning(Job)).one()
    with pytest.raises(DocumentError):
        await session.get(Job, 1)


def test_what_returning_refuses() -> None:
    with pytest.raises(ArgumentTypeError, match="takes Job, the model of the statement"):
        update(Job).values(state="x").returning(Other)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ArgumentTypeError, match="got 'Job'"):
        delete(Job).returning("Job")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ArgumentError, match="one document, not one per row"):
        update(Job).values([{"number": 1, "state": "x"}]).returning(Job)
    with pytest.raises(ArgumentError, match="no field of Job"):
        update(Job).values(state="x").returning(Job).order_by(Other.name)


async def test_nothing_to_set_is_refused_before_it_is_sent(session: AsyncSession, commands: CommandLog) -> None:
    with pytest.raises(ArgumentError, match="nothing to set"):
        await session.scalars(update(Job).returning(Job)).one()
    assert commands.sent == []


@pytest.mark.parametrize("method", ["find", "remove"])
async def test_an_engines_own_methods_are_not_passed_by(backend: Backend, commands: CommandLog, method: str) -> None:
    def own(self: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(type(backend.engine), method)(self, *arguments, **options)

    engine = type("Audited", (type(backend.engine),), {method: own})(backend.client, backend.database)
    async with backend.maker(engine)() as session:
        with pytest.raises(InvalidRequestError, match=rf"Audited has a {method}\(\) of its own"):
            await session.scalars(delete(Job).returning(Job)).all()
    assert commands.sent == []


@pytest.mark.usefixtures("jobs")
def test_a_blocking_session_sends_it_at_once(sync_engine: Any, raw: Database[Document]) -> None:
    with Session(sync_engine) as session:
        result = session.scalars(delete(Job).where(Job.number == 1).returning(Job))
        assert raw["job"].count_documents({}) == 2
        assert result.one().number == 1
        assert session.scalars(select(Job)).count() == 2


def test_statements_show_the_command() -> None:
    claim = update(Job).filter_by(state="waiting").values(tries=ops.inc(1)).returning(Job).order_by(Job.number)
    assert str(claim) == (
        'db.job.findOneAndUpdate({state: {$eq: "waiting"}}, {$inc: {t: 1}}, {sort: {_id: 1}, returnDocument: "after"})'
    )
    assert repr(claim) == "update(Job).where({'state': {'$eq': 'waiting'}}).returning(Job)"
    assert str(delete(Job).returning(Job)) == "db.job.findOneAndDelete({})"
    assert str(update(Job).values([{"number": 1, "tries": 2}])) == "db.job.updateOne({_id: 1}, {$set: {t: 2}})"
