"""The owner's end of the supervisor process (`supervisor.py`). Called by EmbeddedMongo and by `member`."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mongotic.testing.errors import EmbeddedMongoError, exit_words

if TYPE_CHECKING:  # at run time the supervisor is a file to execute, not a module
    from mongotic.testing.supervisor import Greeting, Reply, Request

SCRIPT = Path(__file__).with_name("supervisor.py")
STOP_SECONDS = 10.0


class Supervisor:
    """A running supervisor process. It belongs to the process that made it, not to forks of that process."""

    def __init__(self) -> None:
        """Start the process, which makes the directory.

        Raises:
            EmbeddedMongoError: the process cannot be started, or cannot make the directory.
        """
        if not sys.executable:
            raise EmbeddedMongoError("EmbeddedMongo needs a Python interpreter to run, but sys.executable is empty")
        self._directory: Path | None = None
        self._owner = os.getpid()
        self._ids = itertools.count(1)
        self._turn = threading.Lock()
        # -I -S: neither the environment nor site-packages can change or slow down this script. A session of its own:
        # Ctrl-C in the terminal reaches the owner only, which then stops the servers in order. No PR_SET_PDEATHSIG on
        # this process: it would fire when the thread ends that called start, and that may be a worker thread.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SCRIPT), str(Path(tempfile.gettempdir()).absolute())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise EmbeddedMongoError(f"The supervisor of the embedded server cannot be run: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        try:
            greeting: Greeting = json.loads(self._read())
            if greeting["directory"] is None:
                raise EmbeddedMongoError(f"No data directory for the embedded server: {greeting['error']}")
            self._directory = Path(greeting["directory"])
        except BaseException:
            self.stop()
            raise

    @property
    def directory(self) -> Path:
        """The directory, readable by this user only, that the supervisor removes when it ends."""
        assert self._directory is not None  # __init__ raised otherwise
        return self._directory

    def spawn(self, argv: Sequence[str], *, cwd: Path, log: Path) -> int:
        """Run a program, its output appended to `log`, and return its pid.

        Raises:
            OSError: the system refuses to run it (another architecture, missing loader, no permission).
            EmbeddedMongoError: the supervisor is gone.
        """
        pid = self._ask("spawn", argv=argv, cwd=str(cwd), log=str(log))
        assert pid is not None  # _ask raised otherwise
        return pid

    def status(self, pid: int) -> int | None:
        """Return the exit status of a spawned process, None while it runs, minus the signal if one ended it."""
        return self._ask("status", pid=pid)

    def kill(self, pid: int) -> None:
        """Send SIGKILL to a spawned process and wait until it is gone; nothing happens if it already is."""
        self._ask("kill", pid=pid)

    def stop(self) -> None:
        """Kill all spawned processes, remove the directory, end the supervisor. Does nothing in a forked process."""
        if os.getpid() != self._owner:
            return
        # Said in words too, because a forked process that holds a copy of this pipe keeps it from ending.
        with suppress(OSError, ValueError):
            self._requests.write(b'{"do": "stop"}\n')
        self._requests.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._replies.close()
        if self._directory is not None:  # still there only if the supervisor was killed
            shutil.rmtree(self._directory, ignore_errors=True)

    def _ask(self, do: str, *, pid: int = 0, argv: Sequence[str] = (), cwd: str = "", log: str = "") -> int | None:
        if os.getpid() != self._owner:
            raise EmbeddedMongoError(f"This embedded server belongs to process {self._owner}, this is {os.getpid()}")
        with self._turn:
            number = next(self._ids)
            request: Request = {"id": number, "do": do, "pid": pid, "argv": [*argv], "cwd": cwd, "log": log}
            with suppress(OSError, ValueError):  # the missing reply tells more
                self._requests.write(json.dumps(request).encode() + b"\n")
            reply: Reply = json.loads(self._read())
            while reply["id"] != number:  # the reply to a request that Ctrl-C interrupted
                reply = json.loads(self._read())
        if reply["error"] is not None:
            raise OSError(reply["error"])
        return reply["value"]

    def _read(self) -> bytes:
        try:
            line = self._replies.readline()
        except ValueError:  # closed by stop in another thread
            line = b""
        if not line:
            raise EmbeddedMongoError(f"The supervisor of the embedded server {exit_words(self._process.wait())}")
        return line
