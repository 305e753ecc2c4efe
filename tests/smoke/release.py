"""What must hold of a release besides the tests; `make release-check` runs it.

Built twice from what is committed, in different folders and at different times, sdist and wheel are the same byte for
byte; their metadata says everything that a package index shows; the changelog has a section for them.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[2]
EPOCH_2001 = 1_000_000_000
SHOWN = ("Summary", "Author", "License-Expression", "Requires-Python", "Keywords", "Description-Content-Type")


def built(folder: Path, modified: float) -> Path:
    """Unpack what is committed into *folder*, with files modified at that time, build it, and return where."""
    committed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    source = folder / "source"
    with tarfile.open(fileobj=io.BytesIO(committed)) as archive:
        archive.extractall(source, filter="data")
    for path in source.rglob("*"):
        os.utime(path, (modified, modified))
    command = [sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(source)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "dist"


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def metadata(wheel: Path) -> Message:
    """What a wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode("utf-8"))


def findings(dist: Path, again: Path) -> list[str]:
    """What is wrong; empty for nothing."""
    found = [] if digests(dist) == digests(again) else ["two builds of one commit differ"]
    (wheel,) = dist.glob("*.whl")
    said = metadata(wheel)
    found += [f"the metadata has no {name}" for name in SHOWN if not said[name]]
    version = project_version()
    if said["Version"] != version:
        found.append(f"the wheel is version {said['Version']}, pyproject.toml says {version}")
    found += elsewhere(version)
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(dist.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode:
        found.append(checked.stdout)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    section = newest[1] if newest else "nothing"
    if section not in ("Unreleased", version):
        found.append(f"CHANGELOG.md begins with {section}; it is to begin with Unreleased or {version}")
    print(f"  {said['Name']} {version}: the changelog begins with {section}")
    return found


def project_version() -> str:
    """The version that pyproject.toml says."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert found, "pyproject.toml says no version"
    return found[1]


def elsewhere(version: str) -> list[str]:
    """The modules that say the version too; it is said once, in pyproject.toml."""
    said = re.compile(rf"^__version__\s*=|['\"]{re.escape(version)}['\"]", re.MULTILINE)
    sources = [path for folder in ("mongotic", "adapters", "migration") for path in (ROOT / folder).rglob("*.py")]
    return [f"{path} says the version too" for path in sources if said.search(path.read_text("utf-8"))]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mongotic-release-") as folder:
        one, other = Path(folder, "one"), Path(folder, "another-folder")
        found = findings(built(one, EPOCH_2001), built(other, EPOCH_2001 + 86_400))
        for name, digest in digests(one / "dist").items():
            print(f"  {digest}  {name}")
    for each in found:
        print(f"release: {each}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
