"""What a run found, as it is printed, kept as JSON and put into the documentation.

Made by `table`, `scaling`, `service` and `against_peers`; shown by `__main__` and `page`.  Everything in it was
measured in the run or asked of what is installed.
"""

import io
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from rich.console import Console
from rich.table import Table

_PACKAGES = ("mongotic-odmantic", "odmantic", "pydantic", "pydantic-core", "pymongo", "motor")
_WIDTH = 180


@dataclass(frozen=True)
class Report:
    """The result of one of the runs that `__main__` offers.

    Attributes:
        name: of its section in the documentation.
        about: versions of what was measured, by name.
        tables: what was measured.
        notes: what is needed to read the tables.
        data: the figures of every round, for JSON.
    """

    name: str
    about: dict[str, str]
    tables: Sequence[Table]
    notes: Sequence[str]
    data: object

    def show(self) -> None:
        """Print it, as wide as the terminal or, into a file, as wide as the documentation has it."""
        console = Console(highlight=False)
        self._print(console if console.is_terminal else Console(highlight=False, width=_WIDTH))

    def text(self) -> str:
        """Return it as `show` prints it into a file."""
        console = Console(file=io.StringIO(), highlight=False, width=_WIDTH, color_system=None)
        with console.capture() as printed:
            self._print(console)
        return "\n".join(line.rstrip() for line in printed.get().splitlines()) + "\n"

    def _print(self, console: Console) -> None:
        console.print(", ".join(f"{name} {version}" for name, version in self.about.items()))
        for table in self.tables:
            console.print(table)
        for note in self.notes:
            console.print(note, markup=False)


def versions(server: str) -> dict[str, str]:
    """Return what was measured on what.

    Arguments:
        server: the version of the MongoDB server.
    """
    return {
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "MongoDB": server,
        **{name: metadata.version(name) for name in _PACKAGES},
    }


def rounded(value: float) -> str:
    """Return a number with three digits or so."""
    size = abs(value)
    return f"{value:.2f}" if size < 10 else f"{value:.1f}" if size < 100 else f"{value:,.0f}"


def verdict(met: bool | None) -> str:
    """Return how a figure stands to its bar, in colour; None where that is not to be told."""
    if met is None:
        return "–"
    return "[green]met[/]" if met else "[red]not met[/]"
