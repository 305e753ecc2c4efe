"""Every command line of the migration guides is one that `mongotic-migrate` takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from mongotic_migration.cli import app

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "migration").glob("*.md"))
COMMAND = re.compile(r"^mongotic-migrate (.+?)(?:\s+[>#].*)?$", re.MULTILINE)
LINES = [(guide.name, line) for guide in GUIDES for line in COMMAND.findall(guide.read_text("utf-8"))]
LINK = re.compile(r"\]\(#([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.parametrize(("guide", "line"), LINES)
def test_a_command_line_of_a_guide_is_taken(
    guide: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app" / "users").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONGODB_URI", "mongodb://localhost:27017/shop")
    command = typer.main.get_command(app)
    arguments = shlex.split(line)
    while isinstance(command, TyperGroup):
        name = arguments.pop(0)
        found = command.commands.get(name)
        assert found is not None, f"{guide}: {line}: there is no command {name!r}"
        command = found
    # Parses the arguments, and does not run the command; what is wrong with them is raised.
    command.make_context(line, arguments)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_links_inside_a_guide_lead_to_its_headings(guide: Path) -> None:
    text = guide.read_text("utf-8")
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in HEADING.findall(text)}
    assert set(LINK.findall(text)) <= anchors


def test_the_page_for_sqlalchemy_users_has_what_it_promises() -> None:
    text = (ROOT / "docs" / "migration" / "sqlalchemy.md").read_text("utf-8")
    assert [int(number) for number in re.findall(r"^\*\*(\d+)\. ", text, re.MULTILINE)] == list(range(1, 26))
    parts = re.split(r"^\*\*\d+\. ", text, flags=re.MULTILINE)[1:]
    assert all("```python" in part and ("assert" in part or "raise AssertionError" in part) for part in parts)
