"""What an installed wheel must be able to do; `clean_environment.py` runs it, with the installed extras as arguments.

It uses the installed distribution and nothing of the checkout, and stops at the first thing that does not hold.
"""

import importlib
import pkgutil
import re
import sys
from importlib import metadata

DISTRIBUTION = "mongotic-odmantic"
PACKAGES = ("mongotic", "mongotic_adapters", "mongotic_migration", "pytest_mongotic")
RUNTIME = {"odmantic", "motor", "pymongo", "pydantic", "typing-extensions"}
# What a module may need beyond that, and so may fail to import without: {its extra: (module, what it imports)}.
OPTIONAL = {
    "migrate": ("mongotic_migration", {"libcst", "rich", "typer"}),
    "fastapi": ("mongotic.fastapi", {"anyio", "fastapi", "starlette"}),
    "pytest": ("pytest_mongotic", {"pytest"}),
}


def check_requirements() -> None:
    """The wheel asks for the run-time dependencies and, without an extra, for nothing else."""
    requirements = metadata.requires(DISTRIBUTION) or []
    names = {re.split(r"[^\w.-]", line)[0] for line in requirements if "extra ==" not in line}
    assert names == RUNTIME, f"run-time requirements are {sorted(names)}, expected {sorted(RUNTIME)}"


def check_typed() -> None:
    """Type checkers use the annotations of a package only if it carries py.typed."""
    installed = {str(file) for file in metadata.files(DISTRIBUTION) or []}
    for package in PACKAGES:
        assert f"{package}/py.typed" in installed, f"{package} has no py.typed"


def check_imports(extras: set[str]) -> int:
    """Import every module, and return how many there are; only what an extra that is not here would bring may miss."""
    count = 0
    for package in PACKAGES:
        try:
            root = importlib.import_module(package)
        except ModuleNotFoundError as missing:
            if not may_miss(package, missing.name, extras):
                raise
            continue
        for found in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda _: None):
            if found.name.endswith(".__main__"):  # importing it would run the program
                continue
            count += 1
            try:
                importlib.import_module(found.name)
            except ModuleNotFoundError as missing:
                if not may_miss(found.name, missing.name, extras):
                    raise
    return count


def may_miss(module: str, missing: str | None, extras: set[str]) -> bool:
    """Whether *module* belongs to an extra that is not installed and would bring *missing*."""
    return any(
        extra not in extras and f"{module}.".startswith(f"{owner}.") and missing in brought
        for extra, (owner, brought) in OPTIONAL.items()
    )


def check_round_trip() -> None:
    """An object goes to a real server and comes back."""
    from odmantic import Field, Model, ObjectId, SyncEngine
    from pymongo import MongoClient

    from mongotic import select, sessionmaker
    from mongotic.testing import EmbeddedMongo

    class User(Model):
        id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
        name: str

    with EmbeddedMongo() as server, MongoClient[dict[str, object]](server.uri) as client:
        session_factory = sessionmaker(SyncEngine(client, "smoke"))
        with session_factory() as session:
            session.add(User(name="Ann"))
            session.commit()
        with session_factory() as session:
            assert session.scalars(select(User).where(User.name == "Ann")).one().name == "Ann"


def main() -> None:
    extras = set(sys.argv[1:])
    check_requirements()
    check_typed()
    count = check_imports(extras)
    check_round_trip()
    print(
        f"  {DISTRIBUTION} {metadata.version(DISTRIBUTION)} [{', '.join(sorted(extras))}]: {count} modules, round trip"
    )


if __name__ == "__main__":
    main()
