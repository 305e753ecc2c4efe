"""`mongotic-migrate indexes`, as a user runs it."""

from __future__ import annotations

import json

from pymongo.database import Database

from tests.conftest import Document
from tests.migration.test_check_command import MODELS, migrate


def test_plan_and_apply(raw: Database[Document], server_uri: str) -> None:
    where = ["--models", MODELS, "--uri", server_uri, "--database", raw.name]
    raw["books"].create_index("note")
    raw["books"].create_index("price", unique=True)
    planned = migrate("indexes", "plan", *where, "--json")
    assert planned.exit_code == 1
    books = next(one for one in json.loads(planned.stdout) if one["models"] == ["Book"])
    assert {one["name"]: one["finding"] for one in books["differences"]} == {
        "title_1": "missing",
        "shelf": "missing",
        "price_1": "different",
        "note_1": "extra",
    }
    shown = migrate("indexes", "plan", *where)
    assert "unique: True, declared False" in shown.stdout

    applied = migrate("indexes", "apply", *where)
    assert applied.exit_code == 1  # one of them still differs
    assert "shelf created" in applied.stdout
    assert "price_1 left as it is: different; --drop changes it" in applied.stdout
    assert set(raw["books"].index_information()) == {"_id_", "note_1", "price_1", "shelf", "title_1"}

    dropped = migrate("indexes", "apply", *where, "--drop", "--json")
    assert dropped.exit_code == 0
    assert {one["name"]: one["done"] for one in json.loads(dropped.stdout)} == {
        "price_1": "replaced",
        "note_1": "dropped",
    }
    again = migrate("indexes", "apply", *where)
    assert (again.exit_code, again.stdout) == (0, "Every index is as it is declared.\n")
    assert migrate("indexes", "plan", *where).exit_code == 0
