"""The golden files: code as it was and as each codemod has to leave it.  Read by the tests and by `rewrite_page`.

`golden/<codemod>/<case>/before.py`, and `after.py` beside it; for the codemod `odmantic` one file per style, `call.py`
and `session.py`.  `left.txt` (`call.left.txt`, `session.left.txt`) has what is left alone: line and reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mongotic_migration.rewrite.report import FileReport
from mongotic_migration.rewrite.running import CODEMODS, Options, rewritten

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """One file before and after.

    Attributes:
        codemod: which one.
        name: what it shows.
        style: `call` or `session` for `odmantic`, `after` for the others.
    """

    codemod: str
    name: str
    style: str

    @property
    def folder(self) -> Path:
        return GOLDEN / self.codemod / self.name

    @property
    def before(self) -> str:
        return (self.folder / "before.py").read_text("utf-8")

    @property
    def after(self) -> str:
        return (self.folder / f"{self.style}.py").read_text("utf-8")

    @property
    def left(self) -> list[str]:
        """What is left alone, as `line: reason`."""
        name = "left.txt" if self.style == "after" else f"{self.style}.left.txt"
        path = self.folder / name
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def rewritten(self, text: str) -> FileReport:
        """Return what the codemod makes of a text."""
        options = Options("call" if self.style == "after" else self.style)
        reports, _ = rewritten(self.codemod, [(Path("golden.py"), "golden", text.encode())], options)
        return reports[0]

    def __str__(self) -> str:
        return f"{self.codemod}-{self.name}-{self.style}"


def cases() -> list[Case]:
    """Return every case there is."""
    found: list[Case] = []
    for codemod in CODEMODS:
        styles = ("call", "session") if codemod == "odmantic" else ("after",)
        folders = sorted(path.parent.name for path in (GOLDEN / codemod).glob("*/before.py"))
        found += [Case(codemod, name, style) for name in folders for style in styles]
    return found
