"""Updates by a list of rows, upserts, versions, shard keys, and what is known when one is cut off."""

from __future__ import annotations

from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from mongotic import ArgumentError, BulkUpdateError, col, ops, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import OperationalError
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Address(EmbeddedModel):
    city: str


class User(Model):
    number: int = Field(primary_field=True)
    name: str
    age: int = 0
    tags: list[str] = ["new"]
    scores: list[int] = []
    address: Address = Address(city="Rome")
    email: str = ""


untyped: Any = User


class Made(Model):
    name: str
    hits: int = 0
    note: str = Field(default="-", key_name="n")


class Counted(Model):
    number: int = Field(primary_field=True)
    version: int = 1
    text: str = ""

    __version_field__ = "version"


class Tenant(Model):
    number: int = Field(primary_field=True)
    tenant: str
    text: str = ""

    __shard_key__ = ("tenant",)


@pytest.fixture
def users(raw: Database[Document]) -> None:
    raw["user"].insert_many([
        {"_id": number, "name": "u", "age": 10, "scores": [1, 5], "address": {"city": "Rome"}, "email": str(number)}
        for number in range(5)
    ])  # fmt: skip


def ages(raw: Database[Document]) -> dict[int, int]:
    return {document["_id"]: document["age"] for document in raw["user"].find()}


# -- rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("users")
async def test_rows_are_one_command(session: AsyncSession, raw: Database[Document], commands: CommandLog) -> None:
    rows: list[Document] = [
        {"number": 1, "age": 11},
        {"number": 2, "age": ops.inc(5), "name": "two"},
        {"number": 3, "age": 10},
    ]
    result = await session.execute(update(User), rows)
    assert commands.names() == ["update user"]
    assert (result.rowcount, result.matched_count, result.modified_count) == (2, 3, 2)
    assert ages(raw) == {0: 10, 1: 11, 2: 15, 3: 10, 4: 10}


@pytest.mark.usefixtures("users")
async def test_rows_may_be_given_to_values_with_what_they_share(session: AsyncSession, raw: Database[Document]) -> None:
    mixed: dict[Any, object] = {col(User.number): 1, "name": "one"}
    statement = update(User).where(User.age == 10).values([{"_id": 0}, mixed], age=7)
    assert (await session.execute(statement)).rowcount == 2
    assert ages(raw) == {0: 7, 1: 7, 2: 10, 3: 10, 4: 10}
    assert (await session.execute(statement)).matched_count == 0  # they no longer fit


@pytest.mark.usefixtures("users")
async def test_rows_with_array_filters(session: AsyncSession, raw: Database[Document]) -> None:
    statement = update(User).array_filters(low=col(untyped.scores) < 3)
    await session.execute(statement, [{"number": 0, "scores.$[low]": 9}, {"number": 1, "age": 1}])
    stored = raw["user"].find_one({"_id": 0})
    assert stored is not None
    assert stored["scores"] == [9, 5]


@pytest.mark.usefixtures("users")
async def test_no_rows_send_nothing(session: AsyncSession, commands: CommandLog) -> None:
    assert (await session.execute(update(User), [])).rowcount == 0
    assert commands.sent == []


ROWS: dict[str, tuple[Any, str]] = {
    "no key": ([{"age": 1}], "does not say which document: 'number' is missing"),
    "no value": ([{"number": 1}], "has nothing to set"),
    "no dict": ([3], "takes dicts with the primary key"),
    "text": ("rows", "takes a dict, or a list of dicts"),
    "key of another kind": ([{"number": "x", "age": 1}], "'x' does not fit User.number"),
    "unknown field": ([{"number": 1, "agee": 1}], "no field 'agee'"),
    "value of another kind": ([{"number": 1, "age": "x"}], "'x' does not fit User.age"),
}


@pytest.mark.parametrize("name", ROWS)
async def test_bad_rows_are_refused_before_anything_is_sent(
    session: AsyncSession, commands: CommandLog, name: str
) -> None:
    rows, message = ROWS[name]
    with pytest.raises(ArgumentError, match=message):
        await session.execute(update(User), rows)
    assert commands.sent == []


async def test_a_key_is_data(session: AsyncSession, commands: CommandLog) -> None:
    with pytest.raises(ArgumentError, match="does not fit"):
        await session.execute(update(User), [{"number": {"$gt": 0}, "age": 1}])
    with pytest.raises(ArgumentError, match="takes rows for"):
        await session.execute(select(User), [{"number": 1}])  # type: ignore[call-overload]  # that is the point
    assert commands.sent == []


@pytest.fixture
def unique_emails(raw: Database[Document]) -> None:
    raw["user"].create_index("email", unique=True)


@pytest.mark.usefixtures("users", "unique_emails")
@pytest.mark.parametrize("k", range(5))
async def test_row_k_of_5_meets_an_existing_key(session: AsyncSession, raw: Database[Document], k: int) -> None:
    rows: list[Document] = [{"number": number, "age": 20} for number in range(5)]
    rows[k]["email"] = str((k + 1) % 5)
    with pytest.raises(BulkUpdateError, match=f"row {k} ") as caught:
        await session.execute(update(User), rows)
    error = caught.value
    assert isinstance(error, DuplicateKeyError)
    assert (error.written, error.pending) == (list(range(k)), list(range(k, 5)))
    assert [(one.position, one.key, one.code) for one in error.errors] == [(k, k, 11000)]
    assert (error.matched_count, error.modified_count) == (k, k)
    assert [number for number, age in ages(raw).items() if age == 20] == error.written


@pytest.mark.usefixtures("users", "unique_emails")
async def test_every_row_is_tried_when_they_are_not_ordered(session: AsyncSession, raw: Database[Document]) -> None:
    rows = [{"number": number, "age": 20, "email": "3" if number in (0, 2) else str(number)} for number in range(5)]
    with pytest.raises(BulkUpdateError, match="3 of 5 rows") as caught:
        await session.execute(update(User).execution_options(ordered=False), rows)
    assert caught.value.written == [1, 3, 4]
    assert [one.position for one in caught.value.errors] == [0, 2]
    assert ages(raw) == {0: 10, 1: 20, 2: 10, 3: 20, 4: 20}


@pytest.mark.usefixtures("users", "unique_emails")
async def test_rows_in_a_transaction_are_undone_as_a_whole(session: AsyncSession, raw: Database[Document]) -> None:
    with pytest.raises(BulkUpdateError, match=r"0 of 2 rows.* The transaction is undone\.") as caught:
        async with session.begin():
            await session.execute(update(User), [{"number": 0, "age": 20}, {"number": 1, "email": "2"}])
    assert (caught.value.written, caught.value.pending, caught.value.modified_count) == ([], [0, 1], 0)
    assert ages(raw)[0] == 10


@pytest.mark.usefixtures("users")
async def test_held_instances_follow_rows(session: AsyncSession) -> None:
    first, second = await session.scalars(select(User).where(User.number < 2).order_by(User.number)).all()
    await session.execute(update(User).execution_options(synchronize_session="fetch"), [{"number": 1, "age": 3}])
    assert (first.age, second.age) == (10, 3)
    await session.execute(update(User), [{"number": 0, "age": 4}])
    assert (await session.get_one(User, 0)).age == 4


# -- upserts ------------------------------------------------------------------------------------------------------


async def test_an_upsert_stores_a_whole_document(session: AsyncSession, raw: Database[Document]) -> None:
    statement = update(Made).filter_by(name="a").values(hits=ops.inc(1)).upsert()
    first = await session.execute(statement)
    second = await session.execute(statement)
    stored = raw["made"].find_one({})
    assert stored is not None
    assert stored == {"_id": stored["_id"], "name": "a", "hits": 2, "n": "-"}
    assert (first.rowcount, first.matched_count, first.upserted_id) == (0, 0, str(stored["_id"]))
    assert first.inserted_primary_keys == [stored["_id"]]
    assert (second.rowcount, second.matched_count, second.upserted_id) == (1, 1, None)


async def test_each_upsert_makes_up_a_key_of_its_own(session: AsyncSession, raw: Database[Document]) -> None:
    statement = update(Made).where(Made.name == "b", {"hits": 3}).values(note="x").execution_options(upsert=True)
    await session.execute(statement)
    raw["made"].update_many({}, {"$set": {"hits": 0}})
    await session.execute(statement)
    assert raw["made"].count_documents({}) == 2


async def test_upserts_by_rows(session: AsyncSession, raw: Database[Document]) -> None:
    rows: list[Document] = [{"number": 1, "name": "a"}, {"number": 2, "name": "b", "tags": ops.push("x")}]
    result = await session.execute(update(User).upsert(), rows)
    assert (result.inserted_ids, result.rowcount) == ([1, 2], 0)
    assert [user.tags for user in await session.scalars(select(User).order_by(User.number)).all()] == [["new"], ["x"]]


UPSERTS: dict[str, tuple[Any, str]] = {
    "a field without default": (lambda: update(User).filter_by(number=1).values(age=1), "would have no 'name'"),
    "a key without default": (lambda: update(User).filter_by(name="a").values(age=1), "would have no 'number'"),
    "no equality": (
        lambda: update(User).where(User.number > 1, User.name == "a").values(age=1), "would have no 'number'"),
    "a part of a field": (
        lambda: update(User).filter_by(number=1, name="a").values({"address.city": "x"}), "lies inside of a field"),
    "a condition on a part": (
        lambda: update(User).filter_by(number=1).where({"address.city": "x"}).values(name="a"), "lies inside"),
    "a computed value": (
        lambda: update(User).filter_by(number=1, name="a").values(email=col(User.name)), "computed"),
    "no shard key": (lambda: update(Tenant).filter_by(number=1).values(text="x"), "part of the shard key"),
}  # fmt: skip


@pytest.mark.parametrize("name", UPSERTS)
async def test_an_upsert_of_a_part_is_refused(session: AsyncSession, commands: CommandLog, name: str) -> None:
    make, message = UPSERTS[name]
    with pytest.raises(ArgumentError, match=message):
        await session.execute(make().upsert())
    assert commands.sent == []


# -- versions and shard keys --------------------------------------------------------------------------------------


async def test_the_version_counts(session: AsyncSession, raw: Database[Document]) -> None:
    raw["counted"].insert_one({"_id": 1, "version": 4, "text": "a"})
    await session.execute(update(Counted).values(text="b"))
    await session.execute(update(Counted), [{"number": 1, "text": "c"}])
    await session.execute(update(Counted).values(text=col(Counted.text)))
    await session.execute(update(Counted).values(text="d").returning(Counted))
    await session.execute(update(Counted).filter_by(number=2).values(text="e").upsert())
    assert {document["_id"]: document["version"] for document in raw["counted"].find()} == {1: 8, 2: 2}
    with pytest.raises(ArgumentError, match="counts by itself"):
        update(Counted).values(version=3)


async def test_a_shard_key_is_asked_for_and_never_changed(session: AsyncSession, commands: CommandLog) -> None:
    with pytest.raises(ArgumentError, match="part of the shard key"):
        update(Tenant).values(tenant="x")
    with pytest.raises(ArgumentError, match="'tenant' is missing"):
        update(Tenant).values([{"number": 1, "text": "x"}])
    await session.execute(update(Tenant), [{"number": 1, "tenant": "a", "text": "x"}])
    assert commands.sent[0]["updates"][0]["q"] == {"_id": 1, "tenant": "a"}


# -- faults -------------------------------------------------------------------------------------------------------


async def test_writes_that_are_not_acknowledged_count_nothing(backend: Backend, raw: Database[Document]) -> None:
    raw["user"].insert_one({"_id": 1, "name": "a"})

    class Careless(type(backend.engine)):  # type: ignore[misc]  # of either kind
        def get_collection(self, model: type[Model]) -> Any:
            return super().get_collection(model).with_options(write_concern=WriteConcern(w=0))

    async with backend.maker(Careless(backend.client, backend.database))() as session:
        for statement in (update(User).values(age=1), update(User).values([{"number": 1, "age": 2}])):
            result = await session.execute(statement)
            assert (result.rowcount, result.matched_count, result.modified_count) == (-1, -1, -1)


async def test_a_statement_that_fails_says_what_is_known(session: AsyncSession) -> None:
    with pytest.raises(OperationalError, match="stay changed; how many is not known"):
        await session.execute(update(User).where({"$nonsense": 1}).values(age=1))
    with pytest.raises(OperationalError, match=r"Nothing was changed\."):
        await session.scalars(update(User).where({"$nonsense": 1}).values(age=1).returning(User)).one()


async def test_an_update_in_a_transaction_says_that_it_is_undone(session_maker: SessionMaker) -> None:
    async with session_maker() as session, session.begin() as transaction:
        with pytest.raises(OperationalError, match="The transaction is undone"):
            await session.execute(update(User).where({"$nonsense": 1}).values(age=1))
        await transaction.rollback()
