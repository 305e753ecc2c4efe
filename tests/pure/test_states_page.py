"""docs/states.md says what the library does: it is made from the library's own table."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from mongotic_adapters.states import Move, State

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT: dict[str, Any] = runpy.run_path(str(DOCS / "state_diagram.py"))


def test_the_page_is_what_the_table_gives() -> None:
    assert (DOCS / "states.md").read_text(encoding="utf-8") == SCRIPT["page"](), "run `make docs-states`"


def test_every_state_and_every_move_is_explained() -> None:
    assert set(SCRIPT["STATES"]) == set(State)
    assert set(SCRIPT["MOVED_BY"]) == set(Move)
