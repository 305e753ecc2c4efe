"""Every rule of the codemods: what it writes, and that both versions do the same on a real server."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest
from bson import ObjectId
from odmantic import AIOEngine, SyncEngine
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database

from mongotic import Session
from mongotic.asyncio import AsyncSession
from tests.conftest import Document
from tests.migration.golden_cases import Case, cases

ODMANTIC = [case for case in cases() if case.codemod == "odmantic"]
MOTOR = [case for case in cases() if case.codemod == "motor" and case.name != "left_alone"]
EXPECTING = [
    case for case in cases() if case.codemod in {"mongotic-0.4", "sqlalchemy-habits"} and case.name != "left_alone"
]


def loaded(text: str, name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)
    return module


def stored(database: Database[Document]) -> dict[str, list[str]]:
    """Every document of a database, without the keys that each run makes anew."""
    found: dict[str, list[str]] = {}
    for name in sorted(database.list_collection_names()):
        documents = [
            {key: value for key, value in sorted(each.items()) if not isinstance(value, ObjectId)}
            for each in database[name].find()
        ]
        found[name] = sorted(repr(document) for document in documents)
    return found


@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_codemod_writes_what_the_golden_file_has(case: Case) -> None:
    report = case.rewritten(case.before)
    assert report.after == case.after
    assert [f"{note.line}: {note.text}" for note in sorted(report.left)] == case.left


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_second_run_changes_nothing(case: Case) -> None:
    assert case.rewritten(case.after).after == case.after


@pytest.mark.parametrize("case", ODMANTIC, ids=str)
async def test_both_versions_do_the_same(
    case: Case,
    motor_engine: AIOEngine,
    sync_engine: SyncEngine,
    raw: Database[Document],
) -> None:
    results: list[object] = []
    contents: list[dict[str, list[str]]] = []
    for version, text in (("before", case.before), ("after", case.after)):
        module = loaded(text, f"golden_{version}")
        if inspect.iscoroutinefunction(module.run):
            results.append(await module.run(motor_engine))
        else:
            results.append(module.run(sync_engine))
        contents.append(stored(raw))
        for name in raw.list_collection_names():
            raw[name].delete_many({})
    assert results[0] == results[1]
    assert contents[0] == contents[1]
    assert contents[0]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")  # of Motor, on its way out
@pytest.mark.parametrize("case", MOTOR, ids=str)
async def test_both_drivers_do_the_same(case: Case, server_uri: str, raw: Database[Document]) -> None:
    before = await loaded(case.before, "golden_before").run(server_uri, raw.name)
    contents = stored(raw)
    for name in raw.list_collection_names():
        raw.drop_collection(name)
    after = await loaded(case.after, "golden_after").run(server_uri, raw.name)
    assert before == after
    assert stored(raw) == contents


@pytest.mark.parametrize("case", EXPECTING, ids=str)
async def test_the_result_gives_what_is_expected(
    case: Case,
    sync_client: MongoClient[Document],
    pymongo_client: AsyncMongoClient[Document],
    raw: Database[Document],
) -> None:
    module: Any = loaded(case.after.replace("golden_database", raw.name), "golden_after")
    if inspect.iscoroutinefunction(module.run):
        async with AsyncSession(pymongo_client, database=raw.name) as session:
            assert await module.run(session) == module.EXPECTED
    else:
        with Session(sync_client, database=raw.name) as session:
            assert module.run(session) == module.EXPECTED
