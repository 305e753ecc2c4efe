"""The benchmarks run and check their own results; times are never tested, because they depend on the machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
WORKLOADS = [f"W{number}" for number in range(1, 16)]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
FURTHER = [f"F{number}" for number in range(1, 8)]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A copy of the page that a run writes into."""
    shutil.copy(ROOT / "docs" / "performance.md", tmp_path)
    return tmp_path


def _rows(docs: Path, section: str) -> Any:  # as JSON has them
    return json.loads((docs / "performance.json").read_text())[section]["rows"]


def test_a_short_run_shows_every_workload_without_a_verdict(server_uri: str, docs: Path) -> None:
    run = _run("benchmarks", "--uri", server_uri, "--documents", "100", "--rounds", "1", "--write-docs", str(docs))
    assert run.returncode == 0, run.stderr
    assert "Shortened: at most 100 documents per workload." in run.stdout
    assert run.stdout.split() == _section(docs, "workloads").split()
    rows = _rows(docs, "workloads")
    assert list(dict.fromkeys(row["workload"] for row in rows)) == WORKLOADS + FURTHER
    assert {row["met"] for row in rows} == {None}
    assert all(row["mongotic"][0] > 0 for row in rows if row["workload"] not in {"W12", "F4"})
    assert [row["workload"] for row in rows if row["bar"] is not None and row["unit"] == "MB"] == ["W12"] * 4 + [
        "F4"
    ] * 4
    assert "](performance.svg)\n<!-- end workloads -->\n" in (docs / "performance.md").read_text("utf-8")
    chart = ElementTree.parse(docs / "performance.svg")
    drawn = {text for each in chart.iter("{http://www.w3.org/2000/svg}text") if (text := each.text)}
    assert {
        f"{row['workload']} {row['title']}, {row['documents']}, {row['against']}" for row in rows if row["unit"] == "×"
    } <= drawn


def test_a_short_run_shows_how_everything_grows(server_uri: str, docs: Path) -> None:
    run = _run(
        "benchmarks", "--scaling", "--uri", server_uri, "--documents", "40", "--rounds", "1", "--write-docs", str(docs)
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == _section(docs, "scaling").split()
    rows = _rows(docs, "scaling")
    assert rows["sizes"] == [2, 4, 40]
    assert [len(runs) for runs in rows["used"].values()] == [3] * 6
    assert all(used["seconds"] > 0 for runs in rows["used"].values() for size in runs for used in size)


def test_a_short_run_shows_a_service(server_uri: str, docs: Path) -> None:
    run = _run(
        "benchmarks", "--service", "--uri", server_uri, "--documents", "250", "--rounds", "2", "--write-docs", str(docs)
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == _section(docs, "service").split()
    rows = _rows(docs, "service")
    assert {driver: list(found) for driver, found in rows.items()} == {
        "PyMongo Async": ["raw", "mongotic"],
        "Motor": ["raw", "ODMantic", "mongotic"],
    }
    for runs in (runs for found in rows.values() for runs in found.values()):
        assert len(runs) == 2
        assert all(0 < run["p50"] <= run["p95"] <= run["p99"] for run in runs)


@pytest.mark.skipif(not PEERS.exists(), reason="`make bench-peers` makes the environment of the other libraries")
def test_a_short_run_stands_beside_other_libraries(server_uri: str, docs: Path) -> None:
    few = ("--uri", server_uri, "--documents", "100", "--rounds", "1", "--write-docs", str(docs))
    run = _run("benchmarks", "--peers", str(PEERS), "--workload", "W3,W7,W13", *few)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == _section(docs, "peers").split()
    rows = _rows(docs, "peers")
    both = [(row["workload"], row["documents"], row["against"]) for row in rows if row["this project"][0] > 0]
    sides = ("MongoClient", "AsyncMongoClient")
    assert both == [(code, kind, side) for code in ("W3", "W7") for kind in ("order", "flat") for side in sides]
    for peer, at in {"beanie": sides[1:], "mongoengine": sides[:1], "mongotic": sides}.items():
        measured = [(row["workload"], row["documents"], row["against"]) for row in rows if row.get(peer, [0])[0] > 0]
        assert measured == [line for line in both if line[2] in at]


def _section(docs: Path, name: str) -> str:
    """What stands in a section of the page."""
    page = (docs / "performance.md").read_text("utf-8")
    return page.partition(f"<!-- begin {name} -->\n```text\n")[2].partition("```\n")[0]


def test_a_workload_that_does_not_exist_is_refused() -> None:
    run = _run("benchmarks", "--workload", "W99")
    assert run.returncode == 2
    assert run.stderr.startswith("benchmarks: no workload W99; there are W1, ")


def test_the_profile_names_what_was_profiled() -> None:
    run = _run("benchmarks/profiling.py", "W3", "--documents", "200")
    assert run.returncode == 0, run.stderr
    assert "200 order documents, mongotic, sync" in run.stdout
    assert "garbage collections" in run.stdout


def test_the_further_figures_are_printed() -> None:
    run = _run("benchmarks/costs.py", "--documents", "200")
    assert run.returncode == 0, run.stderr
    assert "session.dirty, 200 clean order objects" in run.stdout
    assert "commit with nothing to write" in run.stdout
    assert "flush of 200 new flat objects" in run.stdout
