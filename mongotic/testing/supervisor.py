"""The process between the program that uses an EmbeddedMongo (the owner) and its mongods.

A script, run by `processes.Supervisor` and imported by type checkers only. It exists because the owner can be killed
without a chance to clean up. Rules:

- standard library only and one thread: it starts in milliseconds, and forking is safe in it;
- it makes the data directory itself, so there is no moment at which nobody would remove it;
- it ends when told to, when its standard input ends, when the owner is no longer its parent, or on a signal;
  however it ends, it first kills the mongods and then removes the directory;
- if it is itself killed, Linux kills the mongods (PR_SET_PDEATHSIG).

Each request is a line of JSON on standard input and, except for "stop", gets one line of JSON on standard output.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from types import FrameType
from typing import TypedDict

POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1


class Request(TypedDict):
    """What the owner asks: to "spawn" `argv` in `cwd` with its output in `log`, or the "status" or "kill" of `pid`."""

    id: int
    do: str
    argv: list[str]
    cwd: str
    log: str
    pid: int


class Reply(TypedDict):
    """What the owner gets: for "spawn" the new pid, else the exit status, None while it runs; or an error text."""

    id: int
    value: int | None
    error: str | None


class Greeting(TypedDict):
    """The first line of output: the data directory, or why there is none."""

    directory: str | None
    error: str | None


class Supervision:
    """The directory, the processes, and the reasons to leave."""

    def __init__(self) -> None:
        self.owner = os.getppid()
        self.pid = os.getpid()
        self.leaving = False
        self.children: dict[int, subprocess.Popen[bytes]] = {}
        self.libc: ctypes.CDLL | None = ctypes.CDLL(None) if sys.platform == "linux" else None

    def leave(self, _signal: int, _frame: FrameType | None) -> None:
        self.leaving = True  # no exception from a signal handler: it could strike between two steps of cleaning up

    def serve(self) -> None:
        # Unbuffered: a request that waited in a buffer would not wake select.
        with open(0, "rb", buffering=0, closefd=False) as requests:
            # A forked copy of the owner holds our input open, so its end alone does not prove that the owner lives.
            while not self.leaving and os.getppid() == self.owner:
                readable, _, _ = select.select([requests], [], [], POLL_SECONDS)
                for child in self.children.values():
                    child.poll()  # reaps, so that a killed server does not linger as a zombie
                if not readable:
                    continue
                line = requests.readline()
                if not line:
                    return
                request: Request = json.loads(line)
                if request["do"] == "stop":
                    return
                send(self.answer(request))

    def answer(self, request: Request) -> Reply:
        try:
            value = self.spawn(request) if request["do"] == "spawn" else self.status(request)
        except OSError as error:
            return {"id": request["id"], "value": None, "error": str(error)}
        return {"id": request["id"], "value": value, "error": None}

    def status(self, request: Request) -> int | None:
        child = self.children[request["pid"]]
        if request["do"] == "kill":
            child.kill()
            child.wait()
        return child.poll()

    def spawn(self, request: Request) -> int:
        with open(request["log"], "ab") as log:  # noqa: PTH123 - pathlib is slow to import
            child = subprocess.Popen(
                request["argv"],
                cwd=request["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self.die_with_supervisor,
            )
        self.children[child.pid] = child
        return child.pid

    def die_with_supervisor(self) -> None:
        """Runs in the new process before it becomes mongod; elsewhere than on Linux there is no such request."""
        if self.libc is not None:
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self.pid:  # the supervisor died before the request was made
                os._exit(1)

    def end(self) -> None:
        for child in self.children.values():
            child.kill()
        for child in self.children.values():
            child.wait()


def send(reply: Reply | Greeting) -> None:
    os.write(1, json.dumps(reply).encode() + b"\n")


def main() -> None:
    supervision = Supervision()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, supervision.leave)
    try:
        directory = tempfile.mkdtemp(prefix="mongotic-", dir=sys.argv[1])  # mode 0700
    except OSError as error:
        send({"directory": None, "error": str(error)})
        return
    try:
        send({"directory": directory, "error": None})
        supervision.serve()
    except BrokenPipeError:
        pass  # the owner went away while we answered
    finally:
        supervision.end()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
