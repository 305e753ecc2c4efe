"""A short form of `transfers`: the primary is killed once, under workers of every kind."""

from __future__ import annotations

from mongotic.testing import EmbeddedMongo
from tests.soak.transfers import KINDS, soak


def test_workers_lose_nothing_when_the_primary_is_killed() -> None:
    with EmbeddedMongo(members=3) as server:
        assert soak(server, KINDS, faults=1) > 0
