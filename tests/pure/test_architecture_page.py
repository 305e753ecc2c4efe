"""ARCHITECTURE.md names every file of the facade and of the engine room, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROOM = ROOT / "adapters" / "mongotic_adapters"
FACADE = ROOT / "mongotic"


def section(title: str) -> str:
    """Return what stands under a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def named(text: str) -> set[str]:
    """Return what stands between backticks."""
    return set(re.findall(r"`([^`]+)`", text))


def row_of(text: str, folder: str) -> set[str]:
    """Return what the row of a folder names."""
    return named(next(line for line in text.splitlines() if line.startswith(f"| `{folder}/` ")))


def files(folder: Path) -> set[str]:
    """Return the modules of a folder, without what makes it a package."""
    return {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}


@pytest.mark.parametrize(
    ("title", "folder"), [("The files of the engine room", ROOM), ("The files of the facade", FACADE)]
)
def test_every_file_has_its_place(title: str, folder: Path) -> None:
    text = section(title)
    listed = {name[:-3] for name in named(text) if re.fullmatch(r"\w+\.py", name)}
    assert listed == files(folder)
    packages = [inner.name for inner in folder.iterdir() if (inner / "__init__.py").exists()]
    assert packages
    for package in packages:
        assert files(folder / package) <= row_of(text, package), package
