"""What both programs, `__main__` and `profiling`, begin with: the workloads they were asked for, and a server."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from harness import Workload

from mongotic.testing import EmbeddedMongo


def workloads() -> list[Workload]:
    """Return every workload, in order of their numbers: the `WORKLOAD` of each file `wNN_*.py`."""
    files = sorted(Path(__file__).parent.glob("w[0-9][0-9]_*.py"))
    return [cast("Workload", importlib.import_module(file.stem).WORKLOAD) for file in files]


def chosen(every: Sequence[Workload], codes: str | None) -> list[Workload]:
    """Return the workloads a list such as `W1,W3` names; all for None.

    Raises:
        ValueError: it names one that does not exist.
    """
    if codes is None:
        return list(every)
    wanted = {code.strip().upper() for code in codes.split(",")}
    unknown = wanted - {workload.code for workload in every}
    if unknown:
        known = ", ".join(workload.code for workload in every)
        raise ValueError(f"no workload {', '.join(sorted(unknown))}; there are {known}")
    return [workload for workload in every if workload.code in wanted]


@contextmanager
def server(uri: str | None) -> Iterator[str]:
    """Give the connection string of the server to use: the one given, or one started for this run."""
    if uri is not None:
        yield uri
        return
    with EmbeddedMongo() as embedded:
        yield embedded.uri


def positive(text: str) -> int:
    """Return a whole number of at least 1, for `argparse`."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
