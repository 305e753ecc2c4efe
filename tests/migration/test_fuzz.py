"""A sample of the standard library, and ODMantic's own files, go through the codemods unharmed; see `fuzz`."""

from __future__ import annotations

import random

from tests.migration.fuzz import ODMANTIC, STANDARD, files, run


def test_files_of_the_standard_library_come_out_as_they_were() -> None:
    seed = random.randrange(1 << 32)
    sample = [path for path in files() if STANDARD in path.parents and path.stat().st_size < 60_000]
    random.Random(seed).shuffle(sample)
    count, _, found = run(sample, seed, seconds=10)
    assert not found, (seed, found)
    assert count > 5


def test_odmantics_own_files_are_rewritten_without_harm() -> None:
    paths = sorted(path for path in files() if ODMANTIC in path.parents)
    count, _, found = run(paths, seed=1, seconds=30)
    assert not found, found
    assert count == len(paths)
