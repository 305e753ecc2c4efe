"""EmbeddedMongo on real servers: what it gives while it runs, what it says when it cannot, what it leaves behind.

The last must be nothing: no process, no file, whatever ended it (`Traces`).
"""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import OperationFailure

from mongotic.testing import EmbeddedMongo, EmbeddedMongoError, binary, member

Client = MongoClient[dict[str, object]]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Processes end and files go a moment after the cause."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@dataclass
class Traces:
    """What a running server has outside of this process."""

    pids: list[int]
    directory: Path

    @classmethod
    def of(cls, server: EmbeddedMongo) -> "Traces":
        return cls([each.pid for each in server.members], server.directory)

    def present(self) -> bool:
        return self.directory.is_dir() and all(alive(pid) for pid in self.pids)

    def gone(self) -> bool:
        return not self.directory.exists() and not any(alive(pid) for pid in self.pids)


def left_in(root: Path) -> list[Path]:
    """What was not removed."""
    return list(root.iterdir())


@pytest.fixture
def temporary_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data directories are made here during the test, in this process and in its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def script(text: str, *arguments: str) -> "subprocess.Popen[str]":
    """Run a program that prints its traces as JSON on the first line; `text` goes on with `server` started."""
    head = """
import json, os, signal, sys, time
from mongotic.testing import EmbeddedMongo
def show(server):
    print(json.dumps([[each.pid for each in server.members], str(server.directory)]), flush=True)
"""
    return subprocess.Popen([sys.executable, "-c", head + text, *arguments], stdout=subprocess.PIPE, text=True)


def shown(process: "subprocess.Popen[str]") -> Traces:
    assert process.stdout is not None
    pids, directory = json.loads(process.stdout.readline())
    return Traces(pids, Path(directory))


# --- running ---------------------------------------------------------------------------------------------------------


def test_it_takes_writes_in_the_block_and_leaves_nothing_after_it() -> None:
    with EmbeddedMongo() as server, Client(server.uri) as client:
        client["shop"]["orders"].insert_one({"_id": 1})
        assert client["shop"]["orders"].find_one() == {"_id": 1}
        traces = Traces.of(server)
        assert traces.present()
    assert traces.gone()


def test_the_uri_names_a_replica_set_on_the_loopback_interface() -> None:
    with EmbeddedMongo() as server:
        (only,) = server.members
        assert server.uri == f"mongodb://127.0.0.1:{only.port}/?replicaSet=mongotic"
        with Client(server.uri) as client:
            options = client.admin.command("getCmdLineOpts")["parsed"]
            assert client.admin.command("serverStatus")["pid"] == only.pid
        assert options["net"]["bindIp"] == "127.0.0.1"
        assert options["net"]["unixDomainSocket"] == {"enabled": False}


def test_the_data_directory_is_private() -> None:
    with EmbeddedMongo() as server:
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700


def test_transactions_commit_and_abort() -> None:
    with EmbeddedMongo() as server, Client(server.uri) as client:
        orders = client["shop"]["orders"]
        with client.start_session() as session:
            with session.start_transaction():
                orders.insert_one({"_id": "kept"}, session=session)
            session.start_transaction()
            orders.insert_one({"_id": "dropped"}, session=session)
            session.abort_transaction()
        assert orders.distinct("_id") == ["kept"]


def test_a_transaction_of_a_hundred_thousand_documents_fits() -> None:
    with EmbeddedMongo() as server, Client(server.uri) as client, client.start_session() as session:
        with session.start_transaction():
            client["shop"]["orders"].insert_many(
                [{"_id": number, "text": "x" * 400} for number in range(100_000)], session=session
            )
        assert client["shop"]["orders"].estimated_document_count() == 100_000


@pytest.mark.parametrize("enabled", [True, False])
def test_fail_points_work_if_and_only_if_test_commands_are_on(enabled: bool) -> None:
    with EmbeddedMongo(test_commands=enabled) as server, Client(server.uri) as client:
        fail_point = {"failCommands": ["insert"], "errorCode": 11601}
        if not enabled:
            with pytest.raises(OperationFailure, match="configureFailPoint"):
                client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail_point)
            return
        client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail_point)
        with pytest.raises(OperationFailure) as raised:
            client["shop"]["orders"].insert_one({})
        assert raised.value.code == 11601


def test_three_members_survive_the_loss_of_the_primary() -> None:
    with EmbeddedMongo(members=3) as server:
        traces = Traces.of(server)
        states: list[str] = []
        for each in server.members:
            with Client(each.host, each.port, directConnection=True) as client:
                hello = client.admin.command("hello")
            states.append("primary" if hello["isWritablePrimary"] else "secondary" if hello["secondary"] else "other")
        assert sorted(states) == ["primary", "secondary", "secondary"]

        with Client(server.uri, w="majority") as client:
            client["shop"]["orders"].insert_one({"_id": 1})
            lost = states.index("primary")
            server.kill(lost)
            assert not alive(traces.pids[lost])
            client["shop"]["orders"].insert_one({"_id": 2})  # a retryable write waits for the new primary
            server.restart(lost)
            assert server.members[lost].pid != traces.pids[lost]
            assert client["shop"]["orders"].distinct("_id") == [1, 2]
        traces.pids += [server.members[lost].pid]
    assert traces.gone()


def test_a_restarted_single_member_keeps_its_data_and_takes_writes() -> None:
    with EmbeddedMongo() as server, Client(server.uri) as client:
        client["shop"]["orders"].insert_one({"_id": 1})
        server.restart(0)
        client["shop"]["orders"].insert_one({"_id": 2})
        assert client["shop"]["orders"].distinct("_id") == [1, 2]


async def test_the_async_block_starts_and_stops_it() -> None:
    async with EmbeddedMongo() as server:
        traces = Traces.of(server)
        async with AsyncMongoClient[dict[str, object]](server.uri) as client:
            await client["shop"]["orders"].insert_one({"_id": 1})
    assert traces.gone()


# --- starting and stopping -------------------------------------------------------------------------------------------


def test_starting_twice_is_an_error_and_keeps_the_first() -> None:
    with EmbeddedMongo() as server:
        traces = Traces.of(server)
        with pytest.raises(EmbeddedMongoError, match="was started already"):
            server.start()
        assert traces.present()


def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    server = EmbeddedMongo()
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_it_can_be_started_again_and_is_empty_then() -> None:
    server = EmbeddedMongo()
    for _ in range(2):
        with server, Client(server.uri) as client:
            assert client["shop"]["orders"].count_documents({}) == 0
            client["shop"]["orders"].insert_one({})


def test_attributes_of_a_server_that_does_not_run_are_an_error() -> None:
    with pytest.raises(EmbeddedMongoError, match="is not running"):
        _ = EmbeddedMongo().uri


@pytest.mark.parametrize("members", [0, 8])
def test_a_number_of_members_that_mongodb_refuses_is_an_error(members: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 7"):
        EmbeddedMongo(members=members)


def offer_first(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next search for a free port return this one, the later ones really free ones."""
    free_ports, offers = member.free_ports, [[port]]

    def offer(count: int) -> list[int]:
        return offers.pop() if offers else free_ports(count)

    monkeypatch.setattr(member, "free_ports", offer)


def test_a_port_taken_at_the_last_moment_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        thief_port = int(thief.getsockname()[1])
        offer_first(thief_port, monkeypatch)
        with EmbeddedMongo() as server, Client(server.uri) as client:
            assert server.members[0].port != thief_port
            client.admin.command("ping")


def test_a_port_taken_by_another_mongodb_is_not_mistaken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedMongo() as thief:
        thief_port = thief.members[0].port
        offer_first(thief_port, monkeypatch)
        with EmbeddedMongo() as server:
            assert server.members[0].port != thief_port


# --- whatever ends the owner -----------------------------------------------------------------------------------------


def test_an_exception_in_the_block_stops_it() -> None:
    traces: list[Traces] = []

    def fail_in_the_block() -> None:
        with EmbeddedMongo() as server:
            traces.append(Traces.of(server))
            raise LookupError

    with pytest.raises(LookupError):
        fail_in_the_block()
    assert traces[0].gone()


def test_the_end_of_a_program_that_never_stops_it_does() -> None:
    with script("server = EmbeddedMongo(); server.start(); show(server)") as process:
        traces = shown(process)
        assert process.wait() == 0
    assert traces.gone()


def test_a_killed_owner_leaves_nothing() -> None:
    with script("server = EmbeddedMongo(); server.start(); show(server); time.sleep(60)") as process:
        traces = shown(process)
        assert traces.present()
        process.kill()
        process.wait()
    assert eventually(traces.gone)


def test_a_killed_owner_leaves_nothing_though_its_fork_lives() -> None:
    text = """
server = EmbeddedMongo(); server.start(); show(server)
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""
    with script(text) as process:
        traces = shown(process)
        assert process.stdout is not None
        fork = int(process.stdout.readline())
        process.kill()
        process.wait()
        try:
            assert eventually(traces.gone)
            assert alive(fork)
        finally:
            os.kill(fork, signal.SIGKILL)


def test_a_killed_supervisor_takes_the_server_along_and_stop_removes_the_data() -> None:
    if sys.platform != "linux":
        pytest.skip("needs PR_SET_PDEATHSIG")
    with EmbeddedMongo() as server:
        traces = Traces.of(server)
        fields = Path(f"/proc/{traces.pids[0]}/stat").read_text().rpartition(")")[2].split()
        os.kill(int(fields[1]), signal.SIGKILL)  # the parent of the mongod
        assert eventually(lambda: not alive(traces.pids[0]))
    assert traces.gone()


def test_a_fork_that_leaves_the_block_does_not_stop_the_server() -> None:
    text = """
with EmbeddedMongo() as server:
    show(server)
    child = os.fork()
    if child == 0:
        sys.exit(7)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, os.path.isdir(server.directory), flush=True)
    os.kill(server.members[0].pid, 0)
    server.restart(0)
"""
    with script(text) as process:
        traces = shown(process)
        assert process.stdout is not None
        assert process.stdout.read() == "7 True\n"
        assert process.wait() == 0
    assert traces.gone()


def test_ctrl_c_during_the_start_leaves_nothing(temporary_root: Path) -> None:
    text = """
try:
    EmbeddedMongo(members=3).start()
except KeyboardInterrupt:
    print(os.listdir(sys.argv[1]))
"""
    with script(text, str(temporary_root)) as process:
        assert eventually(lambda: any(temporary_root.glob("mongotic-*/member*.log")))
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.read() == "[]\n"


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2])
async def test_a_cancelled_start_leaves_nothing(seconds: float, temporary_root: Path) -> None:
    server = EmbeddedMongo(members=3)
    task = asyncio.create_task(server.__aenter__())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_in(temporary_root) == []
    with pytest.raises(EmbeddedMongoError, match="is not running"):
        _ = server.uri


async def test_a_cancelled_stop_finishes_first() -> None:
    server = EmbeddedMongo()
    await server.__aenter__()
    traces = Traces.of(server)
    task = asyncio.create_task(server.__aexit__(None, None, None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert traces.gone()


# --- no mongod, or one that does not run -----------------------------------------------------------------------------

WAYS = ["MONGOTIC_MONGOD", "PATH", "pip install 'mongotic-odmantic[embedded]'"]


def program(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def failure_of_start() -> str:
    with pytest.raises(EmbeddedMongoError) as raised:
        EmbeddedMongo(timeout=2).start()
    assert isinstance(raised.value, RuntimeError)
    return str(raised.value)


def test_a_variable_that_names_no_file_is_an_error_though_others_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MONGOTIC_MONGOD", str(tmp_path / "nonsense"))
    text = failure_of_start()
    assert f"MONGOTIC_MONGOD is set to {tmp_path}/nonsense, which is not a file" in text
    assert all(way in text for way in WAYS)


def test_a_variable_that_names_a_file_that_is_not_executable_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = program(tmp_path / "mongod", "#!/bin/sh\n", mode=0o644)
    monkeypatch.setenv("MONGOTIC_MONGOD", str(path))
    assert f"MONGOTIC_MONGOD is set to {path}, which is not executable" in failure_of_start()


def test_no_mongod_anywhere_names_the_three_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MONGOTIC_MONGOD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binary, "WHEEL_PACKAGE", "a_package_that_is_not_there")
    text = failure_of_start()
    assert text.startswith("No mongod found.")
    assert all(way in text for way in WAYS)


def test_path_comes_before_the_wheel_and_after_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    on_path = program(tmp_path / "bin" / "mongod", "#!/bin/sh\n")
    named = program(tmp_path / "named", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MONGOTIC_MONGOD", "")
    assert binary.find_mongod() == on_path
    monkeypatch.setenv("MONGOTIC_MONGOD", str(named))
    assert binary.find_mongod() == named


def test_the_wheel_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "heavy_application" / "db" / "bin").mkdir(parents=True)
    (tmp_path / "heavy_application" / "__init__.py").write_text("raise AssertionError('imported')")
    carried = program(tmp_path / "heavy_application" / "db" / "bin" / "mongod", "#!/bin/sh\n")
    monkeypatch.delenv("MONGOTIC_MONGOD", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(binary, "WHEEL_PACKAGE", "heavy_application")
    assert binary.find_mongod() == carried


def test_a_mongod_that_exits_at_once_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary_root: Path
) -> None:
    (tmp_path / "bin").mkdir()
    path = program(tmp_path / "bin" / "mongod", "#!/bin/sh\necho libcrypto.so.3: cannot open >&2\nexit 127\n")
    monkeypatch.setenv("MONGOTIC_MONGOD", str(path))
    text = failure_of_start()
    assert f"{path} exited with status 127" in text
    assert "libcrypto.so.3: cannot open" in text
    assert all(way in text for way in WAYS)
    assert list(temporary_root.glob("mongotic-*")) == []


def test_a_mongod_killed_by_a_signal_is_named_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = program(tmp_path / "mongod", "#!/bin/sh\nkill -ILL $$\n")
    monkeypatch.setenv("MONGOTIC_MONGOD", str(path))
    assert f"{path} was killed by signal 4 (SIGILL).\nIts log is empty." in failure_of_start()


def test_a_mongod_of_another_architecture_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary_root: Path
) -> None:
    (tmp_path / "bin").mkdir()
    path = program(tmp_path / "bin" / "mongod", "\x7fELF of some other machine")
    monkeypatch.setenv("MONGOTIC_MONGOD", str(path))
    text = failure_of_start()
    assert f"{path} cannot be run: " in text
    assert "Exec format error" in text
    assert list(temporary_root.glob("mongotic-*")) == []


def test_a_mongod_that_never_listens_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary_root: Path
) -> None:
    (tmp_path / "bin").mkdir()
    path = program(tmp_path / "bin" / "mongod", "#!/bin/sh\necho thinking\nexec sleep 60\n")
    monkeypatch.setenv("MONGOTIC_MONGOD", str(path))
    text = failure_of_start()
    assert text.startswith(f"The embedded server is not ready after 2 s: {path} does not listen on 127.0.0.1:")
    assert text.endswith("The end of its log:\n  thinking")
    assert list(temporary_root.glob("mongotic-*")) == []


# --- python -m mongotic.testing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_a_uri_and_stops_on_a_signal(number: signal.Signals, temporary_root: Path) -> None:
    command = [sys.executable, "-m", "mongotic.testing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        uri = process.stdout.readline().strip()
        with Client(uri) as client:
            client["shop"]["orders"].insert_one({})
        process.send_signal(number)
        assert process.communicate() == ("", "")
        assert process.returncode == 0
    assert left_in(temporary_root) == []


def test_the_command_says_why_it_cannot_start() -> None:
    command = [sys.executable, "-m", "mongotic.testing"]
    environment = {**os.environ, "MONGOTIC_MONGOD": "/nonsense"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("MONGOTIC_MONGOD is set to /nonsense, which is not a file")
