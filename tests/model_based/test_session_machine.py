"""Short runs of the machine with both kinds of session; `make soak` runs it at length."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from odmantic import SyncEngine
from pymongo import AsyncMongoClient
from pymongo.database import Database

from mongotic.asyncio import AIOEngine
from tests.conftest import Document

from .machine import Place, SessionMachine

SHORT = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def run(place: Place, chosen: settings) -> None:
    class Machine(SessionMachine):
        pass

    Machine.place = place
    run_state_machine_as_test(Machine, settings=chosen)


def test_a_blocking_session_does_what_dictionaries_do(sync_engine: SyncEngine, raw: Database[Document]) -> None:
    run(Place(raw, sync_engine), SHORT)


def test_an_awaiting_session_does_what_dictionaries_do(server_uri: str, raw: Database[Document]) -> None:
    loop = asyncio.new_event_loop()
    client = AsyncMongoClient[Document](server_uri)
    try:
        run(Place(raw, AIOEngine(client, raw.name), loop), settings(SHORT, max_examples=50))
    finally:
        loop.run_until_complete(client.close())
        loop.close()
