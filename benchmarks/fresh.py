"""Runs a function in a Python process of its own, where nothing else was imported or allocated before.

Used by what measures memory and imports, and by `against_peers`, whose functions run in another environment.  As a
program it is that process: `python fresh.py MODULE FUNCTION` reads the arguments as JSON and writes the result as JSON.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast


class ProcessFailed(Exception):  # noqa: N818  # says what it is in the output
    """The function failed; its traceback stands on standard error."""


def call(
    module: str,
    function: str,
    *,
    python: str | Path = sys.executable,
    byte_code: str | None = None,
    **arguments: object,
) -> object:
    """Return what a function returns in a new process.

    Arguments:
        module: the file in this folder that has it, without `.py`.
        function: its name.
        python: the interpreter, and with it the environment.
        byte_code: a folder in which the process keeps the byte code of what it imports, whatever its environment says.
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
        env=None if byte_code is None else _keeping(byte_code),
    )
    if done.returncode != 0:
        raise ProcessFailed(f"{module}.{function} ended with status {done.returncode}")
    return cast("object", json.loads(done.stdout))


def _keeping(byte_code: str) -> dict[str, str]:
    """Return this process's environment, with byte code kept in a folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": byte_code}


def main() -> None:
    module, function = sys.argv[1:]
    arguments = cast("dict[str, object]", json.load(sys.stdin))
    act = cast("Callable[..., object]", getattr(importlib.import_module(module), function))
    json.dump(act(**arguments), sys.stdout)


if __name__ == "__main__":
    main()
