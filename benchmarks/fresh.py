"""Runs a function in a Python process of its own, where nothing else was imported or allocated before.

Used by what measures memory and imports, and by `against_peers`, whose functions run in another environment.  As a
program it is that process: `python fresh.py MODULE FUNCTION` reads the arguments as JSON and writes the result as JSON.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast


class ProcessFailed(Exception):  # noqa: N818  # says what it is in the output
    """The function failed; its traceback stands on standard error."""


def call(module: str, function: str, *, python: str | Path = sys.executable, **arguments: object) -> object:
    """Return what a function returns in a new process.

    Arguments:
        module: the file in this folder that has it, without `.py`.
        function: its name.
        python: the interpreter, and with it the environment.
        **arguments: for the function; JSON must be able to hold them, and the result.

    Raises:
        ProcessFailed: the function raised an error.
    """
    done = subprocess.run(
        [python, Path(__file__), module, function],
        input=json.dumps(arguments),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ProcessFailed(f"{module}.{function} ended with status {done.returncode}")
    return cast("object", json.loads(done.stdout))


def main() -> None:
    module, function = sys.argv[1:]
    arguments = cast("dict[str, object]", json.load(sys.stdin))
    act = cast("Callable[..., object]", getattr(importlib.import_module(module), function))
    json.dump(act(**arguments), sys.stdout)


if __name__ == "__main__":
    main()
