"""`python -m mongotic.testing [--members N]`: one embedded server in the foreground, for demos and shell scripts.

Prints the connection string and nothing else on standard output; Ctrl-C or SIGTERM stops it, with exit status 0.
"""

import argparse
import signal
import sys
import threading
from types import FrameType

from mongotic.testing.embedded import MOST_MEMBERS, EmbeddedMongo
from mongotic.testing.errors import EmbeddedMongoError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def leave(_signal: int, _frame: FrameType | None) -> None:
    """Leave the `with` block, wherever it is, and let no second signal disturb the clean-up."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(0)


def main() -> None:
    """Run the command; leaves by SystemExit with status 0, 1 if the server cannot be started, 2 for bad usage."""
    parser = argparse.ArgumentParser(prog="python -m mongotic.testing", description="Run a MongoDB until interrupted.")
    parser.add_argument(
        "--members",
        type=int,
        default=1,
        choices=range(1, MOST_MEMBERS + 1),
        metavar="N",
        help=f"servers in the replica set, 1 to {MOST_MEMBERS} (default: 1)",
    )
    parser.add_argument("--test-commands", action="store_true", help="allow fail points (enableTestCommands=1)")
    options = parser.parse_args()
    for each in SIGNALS:
        signal.signal(each, leave)
    try:
        with EmbeddedMongo(members=options.members, test_commands=options.test_commands) as server:
            print(server.uri, flush=True)  # noqa: T201 - a command talks to its caller this way
            threading.Event().wait()
    except EmbeddedMongoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
