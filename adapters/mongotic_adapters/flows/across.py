"""Conditions across references, before a statement is sent: the keys of the targets that fit are asked for."""

from __future__ import annotations

from dataclasses import replace

from ..across import TargetKeys, waiting, with_keys
from ..commands import Read
from ..encoding import Document
from ..errors import ArgumentError
from ..port import Port

MOST_KEYS = 500_000
"""How many keys one condition may have; of ObjectIds, these take 11 of the 16 MiB of a command."""


async def resolved(port: Port, read: Read) -> Read:
    """Return *read* with the keys of the targets in its condition: one `find` command, of `_id` alone, for each.

    Raises:
        ArgumentError: there are too many targets for one command.
    """
    condition = await _resolved(port, read.filter)
    return read if condition is read.filter else replace(read, filter=condition)


async def _resolved(port: Port, condition: Document) -> Document:
    found = {id(keys): await _keys(port, keys) for keys in waiting(condition)}
    return with_keys(condition, found) if found else condition


async def _keys(port: Port, wanted: TargetKeys) -> list[object]:
    condition = await _resolved(port, wanted.condition)
    read = Read(wanted.mapping, condition, projection={"_id": 1}, limit=MOST_KEYS + 1)
    keys: list[object] = []
    async for documents in port.documents(read, 0):
        keys += [document["_id"] for document in documents]
    if len(keys) > MOST_KEYS:
        raise ArgumentError(
            f"where(): more than {MOST_KEYS:,} documents of {wanted.mapping.name} fit {wanted.condition!r}; their keys "
            "do not fit into one command. Nothing was written. Ask for less, or write the pipeline yourself, with "
            "$lookup"
        )
    return keys
