"""The files of the guide on testing, as its reader has them: pytest runs them, and all pass."""

from __future__ import annotations

import re
from pathlib import Path

from tests.testing_kit.conftest import Run

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"
FILE = re.compile(r'^```python title="(\S+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_the_files_of_the_guide_pass(run_pytest: Run, tmp_path: Path) -> None:
    files = dict(FILE.findall(GUIDE.read_text("utf-8")))
    conftest = files.pop("conftest.py")
    for name, source in files.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    done = run_pytest("", "-o", "pythonpath=.", conftest=conftest)
    assert "4 passed" in done.stdout, done.stdout
