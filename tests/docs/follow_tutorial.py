"""Follow docs/tutorial.md literally: write its files, type its commands, compare what they print with what it says.

`make smoke` calls it with the built wheel, and pytest does not.  Everything happens in an empty temporary directory.
Two things are put in the place of what the page says: the wheel for the name of the distribution, because it is not
on an index yet when it is tried, and a free port for 8000.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r'^```(python|console)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
DISTRIBUTION = "mongotic-odmantic"
PORT = 8000
STAYS = "first terminal"
"""The title of a block whose command goes on running."""

PATIENCE = 120.0
"""Seconds for one command; and for the service until it answers."""


@dataclass(frozen=True)
class Block:
    """One block of the page: a file to write, or commands to type."""

    language: str
    title: str
    text: str
    line: int


def blocks() -> Iterator[Block]:
    """Yield the blocks of the page, in order."""
    text = PAGE.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield Block(found[1], found[2] or "", found[3], text.count("\n", 0, found.start()) + 1)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what it is to print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed.strip()


class Reader:
    """Somebody who follows the page.

    Arguments:
        folder: an empty directory.
        wheel: what is installed.
    """

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._folder = folder
        self._wheel = wheel
        self._service: subprocess.Popen[bytes] | None = None
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        # Modules are compiled when they are imported, and not all of them at installation: that is sooner done.
        self._environment = {**kept, "PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def follow(self, block: Block) -> int:
        """Do what one block says, and return how many commands were typed.

        Raises:
            AssertionError: a command failed or printed something else than the page says.
        """
        if block.language == "python":
            (self._folder / block.title).write_text(self._adapted(block.text), encoding="utf-8")
            return 0
        count = 0
        for command, printed in commands(block.text):
            if block.title == STAYS:
                self._start(command)
            else:
                found = self._type(command)
                wanted = self._adapted(printed)
                assert found == wanted, f"tutorial.md:{block.line}: `{command}` printed\n{found}\nand not\n{wanted}"
            count += 1
        return count

    def leave(self) -> None:
        """Stop what still runs, as Ctrl-C does."""
        if self._service is not None:
            os.killpg(self._service.pid, signal.SIGINT)
            self._service.wait(PATIENCE)

    def _adapted(self, text: str) -> str:
        return text.replace(DISTRIBUTION, str(self._wheel)).replace(str(PORT), str(self._port))

    def _line(self, command: str) -> list[str]:
        activate = "[ ! -e .venv/bin/activate ] || . .venv/bin/activate"  # each command has a shell of its own
        return ["sh", "-c", f"{activate}\n{self._adapted(command)}"]

    def _type(self, command: str) -> str:
        done = subprocess.run(
            self._line(command),
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=None,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"`{command}` ended with status {done.returncode}"
        return done.stdout.strip()

    def _start(self, command: str) -> None:
        self._service = subprocess.Popen(
            self._line(f"exec {command}"), cwd=self._folder, env=self._environment, start_new_session=True
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._service.poll() is None, f"`{command}` ended"
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"`{command}` did not answer within {PATIENCE} seconds")


def main() -> None:
    wheel = Path(sys.argv[1]).resolve()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mongotic-tutorial-") as folder:
        reader = Reader(Path(folder), wheel)
        try:
            typed = sum(reader.follow(block) for block in blocks())
        finally:
            reader.leave()
    assert typed, "the tutorial has no commands"
    print(f"tutorial: {typed} commands print what the page says, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
