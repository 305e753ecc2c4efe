"""pytest runs of users: files in a directory of their own, run by a pytest of its own, with the server of this run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import pytest

Run: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]

SETTINGS = """
[pytest]
filterwarnings =
    error
    ignore:.*asyncio_default_fixture_loop_scope
"""


@pytest.fixture
def run_pytest(tmp_path: Path, server_uri: str) -> Run:
    """Runs pytest on a module: `run_pytest(source, *arguments, conftest="", **environment)`."""

    def run(source: str, *arguments: str, conftest: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_it.py").write_text(dedent(source), encoding="utf-8")
        (tmp_path / "conftest.py").write_text(dedent(conftest), encoding="utf-8")
        (tmp_path / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env={**os.environ, "MONGOTIC_TEST_URI": server_uri, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run
