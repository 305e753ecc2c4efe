"""`docs/operators.md` is what the code does, and leaves no operator out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "operators.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("operators_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["operators_page"] = module  # where ODMantic looks for the annotations of its models
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_does(script: ModuleType) -> None:
    assert script.TABLE.read_text(encoding="utf-8") == script.page(), "run `python docs/operators.py`"


def test_no_operator_is_left_out(script: ModuleType) -> None:
    page: str = script.TABLE.read_text(encoding="utf-8")
    missing = [name for name in script.operators() if f"{name}(" not in page]
    assert not missing
