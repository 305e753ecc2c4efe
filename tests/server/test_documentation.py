"""Every Python block of the README and the guides runs, top to bottom, on a real server."""

from __future__ import annotations

import ast
import gc
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from opentelemetry import trace
from pymongo import MongoClient

from tests.conftest import Document

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if BLOCK.search(page.read_text("utf-8"))]


def blocks(page: Path) -> Iterator[CodeType]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(1))
        # Blank lines in front give an error the line number it has in the page.
        source = "\n" * line + found[1]
        yield compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@pytest.fixture
def shop(raw_client: MongoClient[Document]) -> Iterator[None]:
    """The database the examples use, empty."""
    raw_client.drop_database("shop")
    yield
    raw_client.drop_database("shop")


@pytest.fixture
def tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples set up tracing for a program of their own: OpenTelemetry takes a provider once and for all."""
    providers = [trace.get_tracer_provider()]
    monkeypatch.setattr(trace, "set_tracer_provider", providers.append)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: providers[-1])


# The examples leave their clients open, as a program does that runs until it ends.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.usefixtures("shop", "tracing")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
async def test_every_block_of_the_page_runs(page: Path, server_uri: str) -> None:
    namespace: dict[str, Any] = {"MONGODB_URI": server_uri, "__name__": "__docs__"}
    count = 0
    for code in blocks(page):
        result = eval(code, namespace)
        if inspect.isawaitable(result):
            await result
        count += 1
    assert count > 0
    namespace.clear()
    gc.collect()
