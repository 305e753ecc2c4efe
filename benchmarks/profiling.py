"""Shows where mongotic's time goes in one workload:  `python benchmarks/profiling.py W3 --kind flat --side async`.

The workload runs twice more than the warm-up: as it is, with what the garbage collector took; and under cProfile, which
slows Python functions down more than the C code of drivers and Pydantic, so that its shares are only a guide.
"""

import argparse
import cProfile
import gc
import pstats
import sys
import time

from harness import Clients, Clock, Party, Race, connected, run_once
from selection import chosen, positive, server, workloads

_FUNCTIONS = 25
_SIDES = {"sync": Party.MONGOTIC_SYNC, "async": Party.MONGOTIC_ASYNC}


class CollectorClock(Clock):
    """Also measures how long the garbage collector ran.

    Attributes:
        collecting: seconds.
        collections: how often it ran.
    """

    def __init__(self) -> None:
        super().__init__()
        self.collecting = 0.0
        self.collections = 0
        self._since = 0.0

    def begin(self) -> None:
        gc.callbacks.append(self._collected)
        super().begin()

    def end(self) -> None:
        super().end()
        gc.callbacks.remove(self._collected)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._since = time.perf_counter()
        else:
            self.collecting += time.perf_counter() - self._since
            self.collections += 1


class ProfilingClock(Clock):
    """Profiles the block it times.

    Attributes:
        profile: of the block.
    """

    def __init__(self) -> None:
        super().__init__()
        self.profile = cProfile.Profile()

    def begin(self) -> None:
        super().begin()
        self.profile.enable()

    def end(self) -> None:
        self.profile.disable()
        super().end()


def profile(clients: Clients, race: Race, kind_name: str, party: Party, count: int) -> None:
    """Run one contender of a race and print where its time went.

    Raises:
        ValueError: the race has no such kind of documents, or no such contender.
    """
    kind = next((kind for kind, _ in race.bars if kind.name == kind_name), None)
    contender = next((each for each in race.contenders if each.party is party), None)
    if kind is None or contender is None:
        raise ValueError(f"{race.code} is not run with {kind_name} documents by {party.value}")
    run_once(contender, race.ground(clients, kind, min(50, count)), Clock())
    ground = race.ground(clients, kind, count)
    plain = CollectorClock()
    run_once(contender, ground, plain)
    profiled = ProfilingClock()
    run_once(contender, ground, profiled)
    print(f"{race.code} {race.title}: {count:,} {kind.name} documents, {party.value}")
    print(
        f"{1e6 * plain.seconds / count:.1f} µs per document, of which {1e6 * plain.collecting / count:.1f} in "
        f"{plain.collections} garbage collections; {1e6 * profiled.seconds / count:.1f} under cProfile"
    )
    pstats.Stats(profiled.profile).strip_dirs().sort_stats("tottime").print_stats(_FUNCTIONS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="profiling.py", description="where mongotic's time goes in one workload")
    parser.add_argument("workload", help="W3, say")
    parser.add_argument("--kind", default="order", help="of documents: order (default) or flat")
    parser.add_argument("--side", choices=_SIDES, help="default: sync where the workload has it")
    parser.add_argument("--documents", type=positive, metavar="N", help="default: as many as the workload has")
    parser.add_argument("--uri", help="use this server, in a database of its own, instead of starting one")
    given = parser.parse_args()
    try:
        [workload] = chosen(workloads(), given.workload)
        if not isinstance(workload, Race):
            raise ValueError(f"{workload.code} is measured in its own way and cannot be profiled here")
        parties = {contender.party for contender in workload.contenders}
        side = given.side or ("sync" if Party.MONGOTIC_SYNC in parties else "async")
        with server(given.uri) as uri, connected(uri) as clients:
            profile(clients, workload, given.kind, _SIDES[side], given.documents or workload.documents)
    except ValueError as error:
        print(f"profiling.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
