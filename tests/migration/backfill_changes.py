"""A small application of the tests: its model and its changes, none of which may be done twice."""

from __future__ import annotations

from typing import Any

from odmantic import Field, Model

from mongotic import ops, update


class Item(Model):
    key: Any = Field(primary_field=True)  # of every type there is
    count: int = 0
    name: str = ""

    model_config = {"collection": "item"}


def count_up(document: dict[str, Any]) -> None:
    document["count"] += 1


async def later(document: dict[str, Any]) -> None:
    """No function for a backfill."""


count_all = update(Item).values(count=ops.inc(1))
name_all = update(Item).values(name="item")

NUMBER = 42
