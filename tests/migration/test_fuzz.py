"""A sample of the standard library, and of ODMantic's own files, goes through the codemods unharmed; see `fuzz`.

The sample is another one in each run, and its seed is in the message of a failure.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.migration.fuzz import ODMANTIC, STANDARD, files, run


@pytest.mark.parametrize("folder", [STANDARD, ODMANTIC], ids=["standard library", "odmantic"])
def test_a_sample_of_files_is_rewritten_without_harm(folder: Path) -> None:
    seed = random.randrange(1 << 32)
    sample = [path for path in files() if folder in path.parents and 500 < path.stat().st_size < 15_000]
    random.Random(seed).shuffle(sample)
    count, _, found = run(sample, seed, seconds=8)
    assert not found, (seed, found)
    assert count >= 1
