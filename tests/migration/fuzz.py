"""Puts every file of the standard library and of ODMantic through the codemods: `python -m tests.migration.fuzz`.

As they are, files of the standard library must come out unchanged.  Then names that `find`, `count`, `save` and the
like are called on are declared to be engines: what is written must compile, keep every comment, and be left as it is by
a second run.  `test_fuzz` does the same with a sample.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import sys
import sysconfig
import time
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import odmantic

from mongotic_migration.rewrite.report import FileReport
from mongotic_migration.rewrite.running import CODEMODS, Options, rewritten

STANDARD = Path(sysconfig.get_path("stdlib"))
ODMANTIC = Path(odmantic.__file__).parent
RECEIVER = re.compile(
    r"([A-Za-z_][\w.]*)\.(?:find|find_one|count|save|save_all|delete|remove|session|transaction|execute|merge)\("
)


def files() -> list[Path]:
    """Return the files there are to try."""
    standard = (path for path in STANDARD.rglob("*.py") if "site-packages" not in path.parts)
    return sorted(standard) + sorted(ODMANTIC.rglob("*.py"))


def tried(path: Path, chance: random.Random) -> Iterator[str]:
    """Put one file through every codemod, and return what was wrong."""
    content = path.read_bytes()
    for codemod in CODEMODS:
        for style in ("call", "session") if codemod == "odmantic" else ("call",):
            yield from wrong(path, content, codemod, Options(style))
    names = sorted(set(RECEIVER.findall(content.decode("utf-8", "replace"))))
    if names:
        engines = tuple(chance.sample(names, min(3, len(names))))
        for style in ("call", "session"):
            yield from wrong(path, content, "odmantic", Options(style, engines))
        yield from wrong(path, content, "motor", Options("call", engines))


def wrong(path: Path, content: bytes, codemod: str, options: Options) -> Iterator[str]:
    """Return what is wrong with what a codemod makes of a file."""
    where = f"{path} [{codemod} {options.style} {' '.join(options.engines)}]"
    try:
        reports, contents = rewritten(codemod, [(path, path.stem, content)], options)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
        yield f"{where}: {type(error).__name__}: {error}"
        return
    report, after = reports[0], contents.get(path, content)
    if report.error is not None:
        if compiles(content):
            yield f"{where}: not parsed: {report.error}"
        return
    if after == content:
        return
    if not options.engines and STANDARD in path.parents:
        yield f"{where}: changed"
    if not compiles(after):
        yield f"{where}: what was written does not compile"
        return
    if lost := comments(content) - comments(after):
        yield f"{where}: lost {next(iter(lost))}"
    yield from unstable(where, path, after, codemod, options, report)


def unstable(where: str, path: Path, after: bytes, codemod: str, options: Options, report: FileReport) -> Iterator[str]:
    """Return what a second run changes."""
    again, contents = rewritten(codemod, [(path, path.stem, after)], options)
    if path in contents:
        yield f"{where}: a second run changes lines {[note.line for note in again[0].changed]}"
    if not report.changed:
        yield f"{where}: changed, and not reported"


def compiles(content: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(content, "fuzz", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):
            return False
    return True


def comments(content: bytes) -> Counter[str]:
    """Return the comments of a file, each with how often it is there."""
    tokens = tokenize.tokenize(io.BytesIO(content).readline)
    return Counter(token.string.strip() for token in tokens if token.type == tokenize.COMMENT)


def run(paths: Iterable[Path], seed: int, seconds: float = float("inf")) -> tuple[int, int, list[str]]:
    """Try files until the time is over; return how many were tried, how many bytes these have, and what was wrong."""
    chance = random.Random(seed)
    found: list[str] = []
    count = size = 0
    end = time.monotonic() + seconds
    for path in paths:
        for each in tried(path, chance):
            print(each, flush=True)
            found.append(each)
        count, size = count + 1, size + path.stat().st_size
        if time.monotonic() > end:
            break
    return count, size, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--shuffle", action="store_true", help="take the files in random order")
    given = parser.parse_args()
    every = files()
    if given.shuffle:
        random.Random(given.seed).shuffle(every)
    started = time.monotonic()
    count, size, found = run(every, given.seed, given.seconds)
    seconds = time.monotonic() - started
    print(f"{count} of {len(every)} files, {size / 1e6:.1f} MB, {len(found)} findings, {seconds:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
