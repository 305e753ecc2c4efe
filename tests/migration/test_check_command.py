"""`mongotic-migrate check`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from odmantic import SyncEngine
from pymongo import MongoClient
from pymongo.database import Database
from typer.testing import CliRunner, Result

from mongotic_migration.cli import app
from tests.conftest import Document
from tests.migration.check_models import SHOP

ROOT = Path(__file__).parents[2]
MODELS = "tests.migration.check_models"


PROGRAM = Path(sys.executable).parent / "mongotic-migrate"


def migrate(*arguments: str) -> Result:
    """Return what a command has written, and its exit status."""
    return CliRunner().invoke(app, arguments)


def checked(server_uri: str, raw: Database[Document], *arguments: str) -> Result:
    return migrate("check", "--models", MODELS, "--uri", server_uri, "--database", raw.name, *arguments)


def test_a_database_in_order(raw: Database[Document], server_uri: str, sync_client: MongoClient[Document]) -> None:
    SyncEngine(sync_client, raw.name).configure_database(SHOP)
    done = checked(server_uri, raw)
    assert done.exit_code == 0, done.stderr
    assert "3 indexes, as they are declared" in done.stdout


def test_findings_are_named(raw: Database[Document], server_uri: str) -> None:
    key, gone = ObjectId(), ObjectId()
    raw["books"].insert_one({"_id": key, "title": "a", "pages": "many", "publisher": gone, "colour": "red"})
    done = checked(server_uri, raw)
    assert done.exit_code == 1
    assert f"_id {key!r}: pages: Input should be a valid integer" in done.stdout
    assert f"publisher -> Publisher {gone!r}: 1 documents" in done.stdout
    assert "colour is no field of the model" in done.stdout


def test_json_is_all_there_is_on_the_output(raw: Database[Document], server_uri: str) -> None:
    key = ObjectId()
    raw["books"].insert_one({"_id": key, "title": "a", "pages": "many", "publisher": None})
    done = checked(server_uri, raw, "--json", "--sample", "5")
    assert done.exit_code == 1
    reports: list[dict[str, Any]] = json.loads(done.stdout)
    books = next(report for report in reports if report["model"] == "Book")
    assert books["examined"] == books["unparsed_count"] == 1
    assert books["unparsed"][0]["_id"] == {"$oid": str(key)}
    assert {one["name"] for one in books["indexes"]["differences"]} == {"title_1", "shelf", "price_1"}


def test_remarks_count_if_asked_for(
    raw: Database[Document], server_uri: str, sync_client: MongoClient[Document]
) -> None:
    SyncEngine(sync_client, raw.name).configure_database(SHOP)
    raw["authors"].insert_one({"name": "Ann", "colour": "red"})
    assert checked(server_uri, raw).exit_code == 0
    assert checked(server_uri, raw, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "no.such", "--uri", "mongodb://127.0.0.1:1/shop"], "'no.such' cannot be imported"),
        (["--models", "json", "--uri", "mongodb://127.0.0.1:1/shop"], "'json' has no models"),
        (["--models", MODELS, "--uri", "http://127.0.0.1"], "the connection string is wrong"),
        (["--models", MODELS, "--uri", "mongodb://127.0.0.1:1"], "no database is named"),
        (["--models", MODELS, "--uri", "mongodb://127.0.0.1:1", "--database", "a.b c"], "cannot be the name"),
        (
            ["--models", MODELS, "--uri", "mongodb://127.0.0.1:1/shop?serverSelectionTimeoutMS=200"],
            "no server answers",
        ),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(arguments: list[str], message: str) -> None:
    done = migrate("check", *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_the_program_is_installed() -> None:
    done = subprocess.run([str(PROGRAM), "check", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--models" in done.stdout
