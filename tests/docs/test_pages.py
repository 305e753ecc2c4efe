"""What holds for every page of the site: nothing in it escapes the tests that run its blocks.

The blocks themselves run in tests/server/test_documentation.py.  `make docs` checks links and navigation.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r"^([ \t]*)(?:`{3,}|~{3,})[ {]*\.?(\w*)(.*)$", re.MULTILINE)
FOLLOWED = {DOCS / "tutorial.md", DOCS / "guides" / "testing.md"}
"""Pages whose titled blocks are files: follow_tutorial.py and tests/testing_kit/test_guide.py write and run them."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_no_python_block_escapes_the_tests(page: Path) -> None:
    for indent, language, attributes in FENCE.findall(page.read_text(encoding="utf-8")):
        if language in {"py", "python", "python3", "pycon"}:
            assert not indent, f"{page}: an indented block is not run"
            assert language == "python", f"{page}: a block of {language} is not run; write ```python"
            assert not attributes.strip() or page in FOLLOWED, f"{page}: a block with {attributes!r} is not run"
