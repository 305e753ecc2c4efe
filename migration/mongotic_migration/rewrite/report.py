"""What a run of a codemod did: every change, and everything left alone with the reason.

Filled by the codemods, shown by `showing`.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, order=True)
class Note:
    """One place in a file.

    Attributes:
        line: where, counted from 1, in the file as it was.
        text: the name of the rule that changed it, or the reason why it was left alone.
        code: what stands there, in one line.
    """

    line: int
    text: str
    code: str = ""


@dataclass
class FileReport:
    """What became of one file.

    Attributes:
        path: the file.
        before: its text; empty where it could not be read.
        after: its text now; the same where nothing was changed.
        changed: the places that were rewritten.
        left: the places that were left alone.
        error: why the file could not be parsed, or None.
    """

    path: Path
    before: str = ""
    after: str = ""
    changed: list[Note] = field(default_factory=list[Note])
    left: list[Note] = field(default_factory=list[Note])
    error: str | None = None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after

    def change(self, line: int, rule: str, code: str = "") -> None:
        self.changed.append(Note(line, rule, code))

    def leave(self, line: int, reason: str, code: str = "") -> None:
        note = Note(line, reason, code)
        if note not in self.left:
            self.left.append(note)

    def diff(self) -> str:
        """Return the change as a unified diff."""
        before, after = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(before, after, f"a/{self.path}", f"b/{self.path}"))


@dataclass
class Report:
    """What became of all files of a run.

    Attributes:
        files: one report per file, in order of their paths.
        written: the changes are in the files; False for a dry run.
    """

    files: list[FileReport]
    written: bool = False

    @property
    def rules(self) -> Counter[str]:
        """How often each rule was used."""
        return Counter(note.text for file in self.files for note in file.changed)

    @property
    def is_complete(self) -> bool:
        """Nothing is left to be done by hand."""
        return not any(file.left or file.error for file in self.files)

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON has it."""
        return {
            "written": self.written,
            "files": len(self.files),
            "changed_files": sum(file.is_changed for file in self.files),
            "rules": dict(sorted(self.rules.items())),
            "changed": [_placed(file, note, "rule") for file in self.files for note in sorted(file.changed)],
            "left_alone": [_placed(file, note, "reason") for file in self.files for note in sorted(file.left)],
            "errors": [{"file": str(file.path), "reason": file.error} for file in self.files if file.error],
            "diff": "".join(file.diff() for file in self.files),
        }


def _placed(file: FileReport, note: Note, key: str) -> dict[str, object]:
    return {"file": str(file.path), "line": note.line, key: note.text, "code": note.code}
