"""What the tests of faults share: a server that fails on demand, and a look at what was left open."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import pytest
from pymongo import MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession
from pymongo.synchronous import client_session

from tests.conftest import Document

FailPoint: TypeAlias = Callable[..., AbstractContextManager[None]]

SESSIONS = (ClientSession, client_session.ClientSession, AsyncClientSession)
"""Motor's sessions stand for blocking ones."""


@pytest.fixture
def fail(raw_client: MongoClient[Document]) -> FailPoint:
    """Make the server fail commands, by its own fail points."""
    parameters: Document = raw_client.admin.command("getCmdLineOpts")["parsed"].get("setParameter", {})
    if parameters.get("enableTestCommands") not in (True, 1, "1"):
        pytest.skip("the server of MONGOTIC_TEST_URI was started without enableTestCommands=1")

    @contextmanager
    def failing(*names: str, times: int = 1, skip: int | None = None, **data: Any) -> Generator[None]:
        arguments = {"failCommands": list(names), **data}
        # After so many commands that are let through, every other one fails.
        mode = {"times": times} if skip is None else {"skip": skip}
        raw_client.admin.command("configureFailPoint", "failCommand", mode=mode, data=arguments)
        try:
            yield
        finally:
            raw_client.admin.command("configureFailPoint", "failCommand", mode="off")

    return failing


@pytest.fixture
def nothing_left_open(raw_client: MongoClient[Document]) -> Generator[None]:
    """See that the test leaves no transaction open on the server, and no session open in the driver."""
    yield
    assert open_transactions(raw_client) == 0, "transactions are open on the server"
    assert open_driver_sessions() == [], "sessions of the driver were not ended"


def open_transactions(client: MongoClient[Document]) -> int:
    """How many transactions are open on the server; one that is being aborted may take a moment."""
    deadline = time.monotonic() + 2
    while (
        count := client.admin.command("serverStatus")["transactions"]["currentOpen"]
    ) and time.monotonic() < deadline:
        time.sleep(0.02)
    return int(count)


def open_driver_sessions() -> list[object]:
    """The driver's sessions that somebody opened and nobody ended."""
    found = [thing for thing in gc.get_objects() if type(thing) in SESSIONS]
    return [each for each in found if not each.has_ended and not each._implicit]
