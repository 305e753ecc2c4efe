"""`mongotic-migrate rewrite` on the command line: what it prints, writes and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mongotic_migration.cli import app

BEFORE = """\
from odmantic import AIOEngine, Model


class User(Model):
    name: str


async def names(engine: AIOEngine) -> list[str]:
    return [user.name for user in await engine.find(User)]  # all
"""
LEFT = BEFORE + "\n\ndef cursor(engine: AIOEngine) -> object:\n    return engine.find(User)\n"


def invoked(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["rewrite", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.py"
    path.write_text(BEFORE)
    return path


def test_a_dry_run_shows_the_change_and_writes_nothing(file: Path) -> None:
    done = invoked("odmantic", file)
    assert done.exit_code == 0
    assert "-    return [user.name for user in await engine.find(User)]  # all" in done.output
    assert "+        return [user.name for user in await session.scalars(select(User)).all()]  # all" in done.output
    assert "This was a dry run" in done.output
    assert file.read_text() == BEFORE


def test_write_puts_the_change_into_the_file_once(file: Path) -> None:
    file.chmod(0o640)
    assert invoked("odmantic", file, "--write").exit_code == 0
    written = file.read_text()
    assert "session.scalars(select(User)).all()]  # all" in written
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["users.py"]
    assert "0 written" in invoked("odmantic", file, "--write").output
    assert file.read_text() == written


def test_what_is_left_alone_is_named_and_check_fails(file: Path) -> None:
    file.write_text(LEFT)
    assert invoked("odmantic", file).exit_code == 0
    done = invoked("odmantic", file, "--check")
    assert done.exit_code == 1
    assert f"{file}:13: left alone: its cursor is kept or passed on" in done.output.replace("\n", "")
    file.write_text(BEFORE)
    assert invoked("odmantic", file, "--check").exit_code == 0


def test_json_has_the_whole_report(file: Path) -> None:
    file.write_text(LEFT)
    report = json.loads(invoked("odmantic", file, "--json").output)
    assert report["rules"] == {"find": 1}
    assert report["changed"] == [{"file": str(file), "line": 9, "rule": "find", "code": "await engine.find(User)"}]
    assert [(each["file"], each["line"]) for each in report["left_alone"]] == [(str(file), 13)]
    assert (report["files"], report["changed_files"], report["written"]) == (1, 1, False)


def test_a_file_that_cannot_be_parsed_is_reported_and_never_written(file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (:\n")
    done = invoked("odmantic", tmp_path, "--write", "--check")
    assert done.exit_code == 1
    assert "not read" in done.output
    assert broken.read_text() == "def (:\n"
    assert "select(User)" in file.read_text()


def test_line_ends_and_encodings_are_kept(file: Path) -> None:
    text = "# -*- coding: latin-1 -*-\n" + BEFORE.replace("# all", "# alle Größen")
    file.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    assert invoked("odmantic", file, "--write").exit_code == 0
    written = file.read_bytes()
    assert b"# alle Gr\xf6\xdfen\r\n" in written
    assert b"select(User)" in written
    assert written.count(b"\n") == written.count(b"\r\n")


def test_an_engine_is_what_the_user_says(file: Path) -> None:
    file.write_text("async def total(User):\n    return await shop.db.count(User)\n")
    assert "0 to be written" in invoked("odmantic", file).output
    done = invoked("odmantic", file, "--engine", "shop.db", "--write")
    assert done.exit_code == 0
    assert "async with AsyncSession(shop.db) as session:" in file.read_text()
    assert "return await session.scalars(select(User)).count()" in file.read_text()


def test_hidden_folders_and_environments_are_passed_over(tmp_path: Path) -> None:
    for folder in (".venv", "venv", "__pycache__", "shop"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "users.py").write_text(BEFORE)
    report = json.loads(invoked("odmantic", tmp_path, "--json").output)
    assert [each["file"] for each in report["changed"]] == [str(tmp_path / "shop" / "users.py")]


def test_engines_are_found_across_files(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "db.py").write_text("from odmantic import SyncEngine\n\nengine = SyncEngine()\n")
    (tmp_path / "shop" / "a.py").write_text("from .db import engine\n\n\ndef f(M):\n    return engine.count(M)\n")
    (tmp_path / "shop" / "b.py").write_text("from shop import db\n\n\ndef f(M):\n    return db.engine.count(M)\n")
    assert invoked("odmantic", tmp_path, "--write", "--check").exit_code == 0
    assert "with Session(engine) as session:" in (tmp_path / "shop" / "a.py").read_text()
    assert "with Session(db.engine) as session:" in (tmp_path / "shop" / "b.py").read_text()


@pytest.mark.parametrize("codemod", ["odmantic", "motor", "mongotic-0.4", "sqlalchemy-habits"])
def test_every_codemod_has_a_command(codemod: str, file: Path) -> None:
    assert invoked(codemod, file).exit_code == 0
    assert invoked(codemod, file.parent / "none.py").exit_code == 2


def test_comments_above_an_import_that_goes_stay(file: Path) -> None:
    file.write_text(
        "import os\n\n# the engine\nfrom odmantic import AIOEngine  # of ODMantic\n\nmade = AIOEngine(os)\n"
    )
    assert invoked("motor", file, "--write").exit_code == 0
    assert file.read_text() == (
        "import os\nfrom mongotic.asyncio import AIOEngine\n\n# the engine\n# of ODMantic\n\nmade = AIOEngine(os)\n"
    )
