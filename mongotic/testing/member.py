"""One mongod of an embedded server: its port, its command line, and the wait until it answers.

Called by EmbeddedMongo. A member is ready here when it answers; making it part of a set is `replica_set`'s matter.
"""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from mongotic.testing.deadline import Deadline
from mongotic.testing.errors import EmbeddedMongoError, does_not_run, exit_words, log_tail
from mongotic.testing.processes import Supervisor

HOST = "127.0.0.1"
SET_NAME = "mongotic"
PORT_ATTEMPTS = 5
EXIT_PORT_TAKEN = 48  # mongod's EXIT_NET_ERROR
# Neither is allocated in advance. A transaction must fit into the part of the cache that may be dirty: with MongoDB's
# minimum of 0.25 GB, one that inserts 100,000 small documents fails; with 1 GB it passes.
CACHE_GIGABYTES = "1"
OPLOG_MEGABYTES = "128"


@dataclass(frozen=True)
class Member:
    """One server of the set: where it listens, its process id, and where its data and its log are."""

    host: str
    port: int
    pid: int
    directory: Path
    log: Path

    @property
    def address(self) -> str:
        """`host:port`, as MongoDB writes it."""
        return f"{self.host}:{self.port}"


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of 127.0.0.1 that nobody listens on at this moment."""
    with ExitStack() as stack:  # all are held until the last is chosen, or the same could come twice
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


class Launcher:
    """Starts members; holds what all members of one server have in common."""

    def __init__(
        self, supervisor: Supervisor, binary: Path, *, set_name: str | None, test_commands: bool, deadline: Deadline
    ) -> None:
        self._supervisor = supervisor
        self._binary = binary
        self._set_name = set_name
        self._test_commands = test_commands
        self._deadline = deadline

    def launch(self, directories: list[Path]) -> list[Member]:
        """Start one member per directory, side by side, and return them when all answer.

        Raises:
            EmbeddedMongoError: one does not run, or not in time.
        """
        spawned = [self._spawn(*each) for each in zip(directories, free_ports(len(directories)), strict=True)]
        return [self._ready(each, PORT_ATTEMPTS) for each in spawned]

    def relaunch(self, member: Member) -> Member:
        """Start a member that has ended again, with its data and on its port.

        Raises:
            EmbeddedMongoError: it does not run, not in time, or its port was taken meanwhile.
        """
        return self._ready(self._spawn(member.directory, member.port), attempts=1)

    def _spawn(self, directory: Path, port: int) -> Member:
        directory.mkdir(exist_ok=True)
        log = directory.with_suffix(".log")
        try:
            pid = self._supervisor.spawn(self._argv(directory, port), cwd=directory, log=log)
        except OSError as error:
            raise does_not_run(self._binary, f"cannot be run: {error}", log) from error
        return Member(HOST, port, pid, directory, log)

    def _argv(self, directory: Path, port: int) -> list[str]:
        argv = [str(self._binary), "--bind_ip", HOST, "--port", str(port), "--nounixsocket"]
        argv += ["--dbpath", str(directory)]
        if self._set_name is not None:
            argv += ["--replSet", self._set_name, "--oplogSize", OPLOG_MEGABYTES]
        argv += ["--wiredTigerCacheSizeGB", CACHE_GIGABYTES, "--setParameter", "diagnosticDataCollectionEnabled=false"]
        if self._test_commands:
            argv += ["--setParameter", "enableTestCommands=1"]
        return argv

    def _ready(self, member: Member, attempts: int) -> Member:
        while not answers(member):
            status = self._supervisor.status(member.pid)
            if status == EXIT_PORT_TAKEN and attempts > 1:
                return self._ready(self._spawn(member.directory, free_ports(1)[0]), attempts - 1)
            if status is not None:
                raise does_not_run(self._binary, exit_words(status), member.log)
            try:
                self._deadline.pause(f"{self._binary} does not listen on {member.address}")
            except EmbeddedMongoError as error:
                raise EmbeddedMongoError(f"{error}\n{log_tail(member.log)}") from None
        return member


def answers(member: Member) -> bool:
    """Ask whether this very member answers on its port (MongoDB's `getCmdLineOpts`), not somebody who took the port."""
    try:
        # A plain connection first: a MongoClient that finds nobody looks again only after half a second.
        socket.create_connection((member.host, member.port), timeout=1).close()
        with direct_client(member) as client:
            options = client.admin.command("getCmdLineOpts")
    except (OSError, PyMongoError):
        return False
    # Somebody else's server may have been started without naming its directory.
    return bool(options["parsed"].get("storage", {}).get("dbPath") == str(member.directory))


def direct_client(member: Member) -> MongoClient[dict[str, object]]:
    """Return a client that talks to this member only, whatever its state; the caller closes it."""
    return MongoClient(member.host, member.port, directConnection=True, serverSelectionTimeoutMS=2000)
