"""EmbeddedMongo: a real MongoDB replica set that lives as long as a `with` block. For tests, demos and benchmarks.

Rule: whatever ends the owner, an exception, Ctrl-C, the end of the program or SIGKILL, nothing keeps running and no
file stays. The supervisor process (`supervisor.py`) sees to the cases in which no code of the owner runs any more.
"""

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pymongo.errors import PyMongoError
from typing_extensions import Self

from mongotic.testing import replica_set
from mongotic.testing.binary import find_mongod
from mongotic.testing.deadline import Deadline
from mongotic.testing.errors import EmbeddedMongoError, log_tail
from mongotic.testing.member import SET_NAME, Launcher, Member
from mongotic.testing.processes import Supervisor

MOST_MEMBERS = 7  # MongoDB's limit of members that vote


class EmbeddedMongo:
    """A MongoDB replica set on 127.0.0.1, on free ports, with its data in a private temporary directory.

    ```python
    with EmbeddedMongo() as server:
        client = MongoClient(server.uri)
    ```

    Also `async with`, or `start()` and `stop()`. It stops when the block ends, with or without an exception, when
    the program ends, and when the process that started it is killed; its data is removed. Processes forked from that
    one may use the server but never stop it. After `stop()` it can be started again, as a new and empty server.

    The mongod is, in this order, the one `MONGOTIC_MONGOD` names, the one on `PATH`, or the one of the extra
    `mongotic-odmantic[embedded]`. Linux and macOS only; on macOS, killing the supervisor process by hand leaves the
    servers running.
    """

    def __init__(
        self, *, members: int = 1, replica_set: bool = True, test_commands: bool = False, timeout: float = 30.0
    ) -> None:
        """Describe the server; nothing is started yet.

        Args:
            members: servers in the replica set, 1 to 7. One is enough for transactions; three survive a `kill`.
            replica_set: False for a standalone server, which has no transactions.
            test_commands: start them with `enableTestCommands=1`, which allows fail points (`configureFailPoint`).
            timeout: seconds that `start` and `restart` may take.

        Raises:
            ValueError: `members` is not from 1 to 7, or more than one without a replica set.
        """
        if not 1 <= members <= MOST_MEMBERS:
            raise ValueError(f"members must be from 1 to {MOST_MEMBERS}, not {members}")
        if members > 1 and not replica_set:
            raise ValueError(f"{members} members make a replica set; a standalone server is one")
        self._count = members
        self._replica_set = replica_set
        self._test_commands = test_commands
        self._timeout = timeout
        self._lock = threading.RLock()  # reentrant: a signal handler may call stop while start runs
        self._owner = 0
        self._supervisor: Supervisor | None = None
        self._binary = Path()
        self._members: tuple[Member, ...] = ()

    @property
    def uri(self) -> str:
        """The connection string of the server. Raises EmbeddedMongoError when the server is not running."""
        options = f"?replicaSet={SET_NAME}" if self._replica_set else ""
        return f"mongodb://{','.join(each.address for each in self.members)}/{options}"

    @property
    def members(self) -> tuple[Member, ...]:
        """Host, port, process id, data directory and log of each server. Raises EmbeddedMongoError when not running."""
        self._running()
        return self._members

    @property
    def directory(self) -> Path:
        """The directory of all data and logs, removed by `stop`. Raises EmbeddedMongoError when not running."""
        return self.members[0].directory.parent

    def start(self) -> None:
        """Start the server; return when it takes writes: a primary is elected and all other members are secondary.

        Raises:
            EmbeddedMongoError: it runs already, there is no mongod, or it does not run, not in time, or not on this
                system. The message says which mongod, how it ended and the end of its log. Nothing is left running.
        """
        self._start(threading.Event())

    def stop(self) -> None:
        """Kill the servers and remove their data. Does nothing when not running, nor in a forked process."""
        if os.getpid() != self._owner:
            return  # before the lock: a fork may have copied it in the locked state
        with self._lock:
            supervisor, self._supervisor, self._members = self._supervisor, None, ()
            if supervisor is not None:
                supervisor.stop()
            atexit.unregister(self.stop)

    def kill(self, index: int) -> None:
        """Send SIGKILL to `members[index]` and wait until it is gone. Nothing happens if it already is.

        Raises:
            EmbeddedMongoError: not running, or called in a forked process.
        """
        self._running().kill(self._members[index].pid)

    def restart(self, index: int) -> None:
        """Start `members[index]` again with its data and port, after a `kill` if it still runs; its pid is a new one.

        Returns when it is primary or secondary again.

        Raises:
            EmbeddedMongoError: not running, called in a forked process, or the member does not start in time.
        """
        with self._lock:
            supervisor, deadline = self._running(), Deadline(self._timeout, threading.Event())
            supervisor.kill(self._members[index].pid)
            member = self._launcher(supervisor, deadline).relaunch(self._members[index])
            self._members = (*self._members[:index], member, *self._members[index + 1 :])
            try:
                replica_set.await_member(member, alone=self._count == 1, deadline=deadline)
            except PyMongoError as error:
                raise EmbeddedMongoError(f"{member.address} does not serve: {error}\n{log_tail(member.log)}") from error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        """Start in a thread. A cancelled start leaves nothing running."""
        abandoned = threading.Event()
        starting = asyncio.get_running_loop().run_in_executor(None, self._start, abandoned)
        try:
            await _to_the_end(starting, on_cancel=abandoned.set)
        except asyncio.CancelledError:
            if starting.exception() is None:  # it was ready just before it could notice
                await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop in a thread; also if cancelled meanwhile, the cancellation is raised afterwards."""
        await _to_the_end(asyncio.get_running_loop().run_in_executor(None, self.stop))

    def _start(self, abandoned: threading.Event) -> None:
        with self._lock:
            if self._supervisor is not None:
                raise EmbeddedMongoError("This embedded server was started already; stop() it first")
            if sys.platform == "win32":
                raise EmbeddedMongoError("EmbeddedMongo does not run on Windows: give the tests the URI of a server")
            deadline = Deadline(self._timeout, abandoned)
            self._binary = find_mongod()
            self._owner = os.getpid()
            atexit.register(self.stop)
            try:
                self._supervisor = Supervisor()
                self._start_members(self._supervisor, deadline)
            except BaseException:
                self.stop()
                raise

    def _start_members(self, supervisor: Supervisor, deadline: Deadline) -> None:
        directories = [supervisor.directory / f"member{index}" for index in range(self._count)]
        self._members = tuple(self._launcher(supervisor, deadline).launch(directories))
        if not self._replica_set:
            return
        try:
            replica_set.initiate(self._members, deadline)
        except PyMongoError as error:
            tails = [f"{each.address}: {log_tail(each.log)}" for each in self._members]
            raise EmbeddedMongoError("\n".join([f"The replica set cannot be made: {error}", *tails])) from error

    def _launcher(self, supervisor: Supervisor, deadline: Deadline) -> Launcher:
        set_name = SET_NAME if self._replica_set else None
        return Launcher(
            supervisor, self._binary, set_name=set_name, test_commands=self._test_commands, deadline=deadline
        )

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise EmbeddedMongoError("This embedded server is not running; start() it first")
        return self._supervisor


async def _to_the_end(future: asyncio.Future[None], on_cancel: Callable[[], None] | None = None) -> None:
    """Await a future of a thread, which cannot be interrupted; a cancellation is raised once the thread is done.

    A future and not a task, as `asyncio.to_thread` would need: the end of `asyncio.run` cancels all tasks.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            if on_cancel is not None:
                on_cancel()
    if cancelled is not None:
        raise cancelled
    future.result()
