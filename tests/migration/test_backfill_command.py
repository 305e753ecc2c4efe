"""`mongotic-migrate backfill`, as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest
from pymongo.database import Database

from mongotic_migration.backfill.checkpoint import COLLECTION
from tests.conftest import Document
from tests.migration.test_check_command import PROGRAM, ROOT, migrate

CHANGES = "tests.migration.backfill_changes"
FUNCTION = [f"{CHANGES}:count_up", "--documents", f"{CHANGES}:Item"]
STATEMENT = [f"{CHANGES}:count_all"]


def stored(raw: Database[Document], count: int) -> None:
    raw["item"].insert_many([{"_id": n, "count": 0} for n in range(count)])


@pytest.mark.parametrize("what", [FUNCTION, STATEMENT], ids=["function", "statement"])
def test_plan_apply_and_status(raw: Database[Document], server_uri: str, what: list[str]) -> None:
    stored(raw, 30)
    where = ["--uri", server_uri, "--database", raw.name]
    assert "has not begun" in migrate("backfill", "status", *what, *where).stdout
    planned = migrate("backfill", "plan", *what, *where, "--show", "2")
    assert planned.exit_code == 0
    assert "2 of 2 documents would be changed" in planned.stdout
    as_json = json.loads(migrate("backfill", "plan", *what, *where, "--show", "1", "--json").stdout)
    assert as_json["documents"] == [
        {"_id": 0, "changed": True, "before": {"_id": 0, "count": 0}, "after": {"_id": 0, "count": 1}}
    ]
    assert raw["item"].distinct("count") == [0]

    done = migrate("backfill", "apply", *what, *where, "--batch", "7")
    assert done.exit_code == 0, done.stderr
    assert "is finished: 30 of about 30 documents done, 30 changed" in done.stdout
    assert "30/30" in done.stderr
    assert raw["item"].distinct("count") == [1]
    status = json.loads(migrate("backfill", "status", *what, *where, "--json").stdout)
    assert (status["finished"], status["done"], status["changed"]) == (True, 30, 30)


def test_json_has_no_number_that_is_none(raw: Database[Document], server_uri: str) -> None:
    raw["item"].insert_one({"_id": float("nan"), "count": 0})
    done = migrate("backfill", "plan", *STATEMENT, "--uri", server_uri, "--database", raw.name, "--json")
    assert json.loads(done.stdout)["documents"][0]["_id"] == {"$numberDouble": "NaN"}


def test_ctrl_c_ends_it_after_a_batch(raw: Database[Document], server_uri: str) -> None:
    stored(raw, 100)
    where = ["--uri", server_uri, "--database", raw.name]
    running = subprocess.Popen(
        [str(PROGRAM), "backfill", "apply", *STATEMENT, *where, "--rate", "5"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not raw["item"].count_documents({"count": 1}) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30)
    assert running.returncode == 130, errors
    assert "is not finished; start it again to go on" in output
    assert raw[COLLECTION].count_documents({"_id": {"lock": STATEMENT[0]}}) == 0
    assert 0 < raw["item"].count_documents({"count": 1}) < 100
    assert migrate("backfill", "apply", *STATEMENT, *where).exit_code == 0
    assert raw["item"].distinct("count") == [1]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (["no.such:thing"], "'no.such' cannot be imported"),
        (["thing"], "write module:name"),
        ([f"{CHANGES}:nothing"], "has no 'nothing'"),
        ([f"{CHANGES}:NUMBER"], "neither a function nor an update() statement"),
        ([f"{CHANGES}:count_up"], "whose documents"),
        ([f"{CHANGES}:count_up", "--documents", f"{CHANGES}:NUMBER"], "neither a model nor a select()"),
        ([f"{CHANGES}:later", "--documents", f"{CHANGES}:Item"], "async function"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(server_uri: str, what: list[str], message: str) -> None:
    done = migrate("backfill", "apply", *what, "--uri", server_uri, "--database", "test_none")
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert isinstance(done.exception, SystemExit)


def test_a_checkpoint_of_another_change_is_told(raw: Database[Document], server_uri: str) -> None:
    stored(raw, 3)
    where = ["--uri", server_uri, "--database", raw.name, "--name", "mine"]
    migrate("backfill", "apply", *STATEMENT, *where)
    done = migrate("backfill", "apply", f"{CHANGES}:name_all", *where)
    assert done.exit_code == 2
    assert "Give this one another name" in done.stderr
