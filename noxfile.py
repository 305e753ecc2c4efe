"""The tests on other interpreters and other dependency versions; `make matrix` calls it.

`tests-3.X` runs on each supported Python found on PATH or among pyenv's; a missing one is reported as skipped.
`oldest` takes the floors written in pyproject.toml, `newest` the last releases its ranges allow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nox
from packaging.requirements import Requirement

PROJECT = nox.project.load_toml("pyproject.toml")
TEST_GROUP = nox.project.dependency_groups(PROJECT, "test")
MINOR = "Programming Language :: Python :: 3."
VERSIONS = [f"3.{line.removeprefix(MINOR)}" for line in PROJECT["project"]["classifiers"] if line.startswith(MINOR)]
# typing-extensions is left out: pytest-asyncio asks for a newer one than the library does.
FLOORS_TESTED = {"odmantic", "motor", "pymongo", "pydantic"}

nox.options.download_python = "never"


def interpreter(version: str) -> str | None:
    """Path of a working Python *version*, or None; a shim whose pyenv version is not selected does not work."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders = [Path(sys.base_prefix, "bin"), *map(Path, os.environ["PATH"].split(os.pathsep))]
    folders += sorted(pyenv.glob(f"versions/{version}.*/bin"))
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in (folder / f"python{version}" for folder in folders):
        if candidate.is_file():
            answer = subprocess.run([candidate, "-c", question], capture_output=True, text=True, check=False)
            if answer.stdout.strip() == version:
                return str(candidate)
    return None


def floors() -> list[str]:
    """The lowest versions pyproject.toml allows, as pins: `pymongo>=4.9,<5` gives `pymongo==4.9`."""
    requirements = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    return [
        f"{requirement.name}=={bound.version}"
        for requirement in requirements
        for bound in requirement.specifier
        if requirement.name in FLOORS_TESTED and bound.operator == ">="
    ]


def run_tests(session: nox.Session, *pins: str) -> None:
    """Install the checkout, with *pins*, and run pytest; what follows `--` on nox's command line goes to pytest."""
    session.install("--upgrade", "--upgrade-strategy=eager", "-e", ".[embedded,migrate,fastapi]", *TEST_GROUP, *pins)
    session.run("python", "-m", "pytest", *session.posargs)


def add_interpreter(version: str, path: str | None) -> None:
    """Register the session `tests-{version}`."""
    if path is None:

        @nox.session(name=f"tests-{version}", python=False)
        def missing(session: nox.Session) -> None:
            session.skip(f"no Python {version} on PATH or under pyenv")
    else:

        @nox.session(name=f"tests-{version}", python=path)
        def tests(session: nox.Session) -> None:
            run_tests(session)


paths = {version: interpreter(version) for version in VERSIONS}
for each in paths.items():
    add_interpreter(*each)

# The oldest releases have wheels for the oldest Python, the newest ones for the newest.
found = [path for path in paths.values() if path] or [sys.executable]


@nox.session(python=found[0])
def oldest(session: nox.Session) -> None:
    """The floors of pyproject.toml, on the oldest Python found."""
    run_tests(session, *floors())


@nox.session(python=found[-1])
def newest(session: nox.Session) -> None:
    """The newest releases pyproject.toml allows, on the newest Python found."""
    run_tests(session)
