"""`insert()` where a key exists already: rules for it, every row tried, and what the error tells."""

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Field, Model
from pymongo.database import Database

from mongotic import ArgumentError, IntegrityError, InvalidRequestError, col, insert, ops
from mongotic.asyncio import AsyncSession
from tests.conftest import CommandLog, Document


class Badge(Model):
    code: str = Field(primary_field=True)
    email: str = Field(unique=True, key_name="mail")
    hits: int = 1
    tags: list[str] = []


class Page(Model):
    path: str
    hits: int = 1


class Counted(Model):
    number: int = Field(primary_field=True)
    version: int = 1
    text: str = ""

    __version_field__ = "version"


ROWS: list[Document] = [{"code": code, "email": code.upper()} for code in "abcde"]


@pytest.fixture
def badges(raw: Database[Document]) -> None:
    raw["badge"].create_index("mail", unique=True)
    raw["badge"].insert_many([
        {"_id": "b", "mail": "old", "hits": 5, "tags": []}, {"_id": "x", "mail": "D", "hits": 5, "tags": []}
    ])  # fmt: skip


def stored(raw: Database[Document]) -> dict[str, str]:
    return {document["_id"]: document["mail"] for document in raw["badge"].find()}


@pytest.mark.usefixtures("badges")
async def test_rows_in_the_way_are_passed_over(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    result = await session.execute(insert(Badge).on_conflict_do_nothing(), ROWS)
    assert commands.names() == ["insert badge"]
    assert (result.rowcount, result.inserted_ids) == (3, ["a", "c", "e"])
    assert stored(raw) == {"a": "A", "b": "old", "c": "C", "e": "E", "x": "D"}
    assert (await session.execute(insert(Badge).values(ROWS[0]).on_conflict_do_nothing())).inserted_ids == []


@pytest.mark.usefixtures("badges")
async def test_with_the_index_named_it_works_in_a_transaction_too(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    statement = insert(Badge).values(ROWS[:3]).on_conflict_do_nothing(index_elements=["code"])
    async with session.begin():
        result = await session.execute(statement)
    assert commands.names()[0] == "update badge"
    assert (result.rowcount, result.inserted_ids, result.matched_count) == (2, ["a", "c"], 1)
    assert stored(raw) == {"a": "A", "b": "old", "c": "C", "x": "D"}
    stored_one = raw["badge"].find_one({"_id": "a"})
    assert stored_one == {"_id": "a", "mail": "A", "hits": 1, "tags": []}
    async with session.begin() as transaction:
        with pytest.raises(InvalidRequestError, match="index_elements"):
            await session.execute(insert(Badge).on_conflict_do_nothing(), ROWS)
        await transaction.rollback()


@pytest.mark.usefixtures("badges")
async def test_what_is_in_the_way_is_updated_from_the_row(session: AsyncSession, raw: Database[Document]) -> None:
    result = await session.execute(insert(Badge).on_conflict_do_update(set_=["email"]), ROWS[:3])
    assert (result.rowcount, result.inserted_ids, result.matched_count, result.modified_count) == (3, ["a", "c"], 1, 1)
    assert stored(raw) == {"a": "A", "b": "B", "c": "C", "x": "D"}
    found = raw["badge"].find_one({"_id": "b"})
    assert found is not None
    assert found["hits"] == 5
    await session.execute(insert(Badge).on_conflict_do_update(), ROWS[:3])
    found = raw["badge"].find_one({"_id": "b"})
    assert found is not None
    assert found["hits"] == 1


async def test_counting_by_a_unique_field(session: AsyncSession, raw: Database[Document]) -> None:
    statement = insert(Page).on_conflict_do_update(set_={"hits": ops.inc(1)}, index_elements=[col(Page.path)])
    for _ in range(3):
        result = await session.execute(statement, [{"path": "/"}, {"path": "/a"}])
        assert result.rowcount == 2
    assert {document["path"]: document["hits"] for document in raw["page"].find()} == {"/": 3, "/a": 3}


async def test_the_version_counts(session: AsyncSession, raw: Database[Document]) -> None:
    for text in "abc":
        await session.execute(insert(Counted).values(number=1, text=text).on_conflict_do_update())
    # By two: of a missing version, one would make the very default that stands for it.
    assert list(raw["counted"].find()) == [{"_id": 1, "version": 6, "text": "c"}]


@pytest.mark.usefixtures("badges")
async def test_another_unique_key_is_an_error_all_the_same(session: AsyncSession, raw: Database[Document]) -> None:
    with pytest.raises(IntegrityError, match="Badge 'd' was not written") as caught:
        await session.execute(insert(Badge).on_conflict_do_update(set_=["hits"]), ROWS)
    error = caught.value
    assert [(row.position, row.key, row.code) for row in error.errors] == [(3, "d", 11000)]
    assert [badge.model_dump()["code"] for badge in error.written] == ["a", "c"]
    assert sorted(stored(raw)) == ["a", "b", "c", "x"]


@pytest.mark.usefixtures("badges")
async def test_every_row_is_tried_and_every_failure_told(session: AsyncSession, raw: Database[Document]) -> None:
    with pytest.raises(IntegrityError, match="2 rows failed; `errors` has each") as caught:
        await session.execute(insert(Badge).values(ROWS).execution_options(ordered=False))
    error = caught.value
    assert [(row.position, row.key) for row in error.errors] == [(1, "b"), (3, "d")]
    assert all("E11000" in row.message for row in error.errors)
    assert [badge.model_dump()["code"] for badge in error.written] == ["a", "c", "e"]
    assert [badge.model_dump()["code"] for badge in error.pending] == ["b", "d"]
    assert sorted(stored(raw)) == ["a", "b", "c", "e", "x"]


@pytest.mark.usefixtures("badges")
async def test_an_ordered_insert_tells_of_the_row_too(session: AsyncSession) -> None:
    with pytest.raises(IntegrityError) as caught:
        await session.execute(insert(Badge), ROWS)
    assert [(row.position, row.key, row.code) for row in caught.value.errors] == [(1, "b", 11000)]


@pytest.mark.usefixtures("badges")
async def test_a_rule_that_mongodb_cannot_keep_is_refused(session: AsyncSession, commands: CommandLog) -> None:
    statement = insert(Badge).on_conflict_do_update(set_={"hits": ops.inc(2)})
    with pytest.raises(ArgumentError, match="'hits' of a new document would not be 1, as the row says"):
        await session.execute(statement, ROWS)
    assert commands.sent == []


untyped: Any = insert

BAD: dict[str, tuple[Any, str]] = {
    "unknown element": (lambda: insert(Badge).on_conflict_do_nothing(index_elements=["nothing"]), "no field 'nothing'"),
    "text for elements": (
        lambda: insert(Badge).on_conflict_do_nothing(index_elements="code"), "takes a list of fields"),
    "unknown name": (lambda: insert(Badge).on_conflict_do_update(set_=["nothing"]), "no field 'nothing'"),
    "the key itself": (lambda: insert(Badge).on_conflict_do_update(set_=["code"]), "cannot be changed"),
    "the key in a dict": (lambda: insert(Badge).on_conflict_do_update(set_={"code": "x"}), "is the primary key"),
    "the index": (
        lambda: insert(Badge).on_conflict_do_update(set_=["email"], index_elements=["email"]), "cannot be changed"),
    "a bad value": (lambda: insert(Badge).on_conflict_do_update(set_={"hits": "x"}), "does not fit Badge.hits"),
    "a number": (lambda: insert(Badge).on_conflict_do_update(set_=3), "set_ takes a dict, or names"),  # type: ignore[arg-type]
    "no such option": (lambda: untyped(Badge).execution_options(upsert=True), "knows no 'upsert'"),
    "no bool": (lambda: insert(Badge).execution_options(ordered=1), "takes True or False"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_rules_are_refused_in_their_own_line(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(ArgumentError, match=message):
        make()
