"""The benchmarks run and check their own results; times are never tested, because they depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODES = sorted(f"W{int(file.name[1:3])}" for file in (ROOT / "benchmarks").glob("w[0-9][0-9]_*.py"))


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_short_run_shows_every_workload_without_a_verdict(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    run = _run("benchmarks", "--documents", "200", "--rounds", "1", "--json", str(figures))
    assert run.returncode == 0, run.stderr
    assert "Shortened: at most 200 documents per workload." in run.stdout
    for code in CODES:
        assert f"{code} " in run.stdout
    rows = json.loads(figures.read_text())["rows"]
    assert sorted({row["workload"] for row in rows}) == CODES
    assert {row["met"] for row in rows} == {None}
    assert all(len(row["mongotic"]) == 1 and row["mongotic"][0] > 0 for row in rows)


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
