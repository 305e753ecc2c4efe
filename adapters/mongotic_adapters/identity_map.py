"""The identity map: one document, one instance per session.

Used by `bookkeeping` alone.  Instances that may hold unwritten changes are held strongly, because no hook tells a
session of an in-place change; `Bookkeeping.let_go` is how an iteration over a large result lets go of those nobody
touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from odmantic import Model
from odmantic import bson as odm_bson

from . import odmantic_internals as odm
from .encoding import Document, encode_key, encode_operand
from .instance_state import InstanceState, state_of
from .mapping import Mapping, class_mapping

IdentityKey: TypeAlias = tuple[type[odm.BaseODMModel], object]
"""Model class and primary key."""


# Types whose values are the same whether an instance holds them or a document.
PLAIN_KEYS = frozenset({str, int, bson.ObjectId, odm_bson.ObjectId})
_CODEC = CodecOptions[Document](uuid_representation=UuidRepresentation.STANDARD)


def identity_key(mapping: Mapping, key: object) -> IdentityKey:
    """Return the place of a document in the map.

    Arguments:
        mapping: the mapping of its model.
        key: its `_id`, as the document holds it.
    """
    if type(key) in PLAIN_KEYS:
        return (mapping.model, key)
    key = encode_operand(key)
    if isinstance(key, float) and key.is_integer():
        key = int(key)  # the server takes 1 and 1.0 for the same key, but not true
    if isinstance(key, int) and not isinstance(key, bool):
        return (mapping.model, int(key))
    # As bytes, everything else is what the database makes of it: documents, and instants without a zone.
    return (mapping.model, bson.encode({"": key}, codec_options=_CODEC))


def identity_of(instance: Model) -> IdentityKey:
    """Return the place in the map of the document of *instance*."""
    return identity_key(class_mapping(type(instance)), encode_key(instance))


class IdentityMap:
    """The stored instances of one session."""

    def __init__(self) -> None:
        self._states: dict[IdentityKey, InstanceState] = {}
        self._held: dict[int, Model] = {}
        self._kept: dict[int, Model] = {}

    def states(self) -> list[InstanceState]:
        """Return the state of every instance in the map, in order of arrival."""
        return list(self._states.values())

    def find(self, key: IdentityKey) -> InstanceState | None:
        """Return the state of the live instance under *key*, or None."""
        if not self._states:
            return None
        state = self._states.get(key)
        return state if state is not None and state() is not None else None

    def put(self, key: IdentityKey, state: InstanceState, instance: Model) -> None:
        """Hold *instance* under *key*."""
        state.key = key
        self._states[key] = state
        self._kept.pop(state.oid, None)
        self._held[state.oid] = instance

    def add(self, key: IdentityKey, state: InstanceState, instance: Model) -> bool:
        """Hold *instance* under *key* if nothing is there, and tell whether it is held now."""
        if self._states.setdefault(key, state) is not state:
            return False
        self._held[state.oid] = instance
        return True

    def put_all(self, states: dict[IdentityKey, InstanceState], instances: Sequence[Model]) -> None:
        """Hold instances, none of which was held, under the keys of their states."""
        self._states.update(states)
        self._held.update(zip(map(id, instances), instances, strict=True))

    def lacks(self, keys: Sequence[IdentityKey]) -> bool:
        """Tell whether nothing is under any of some keys."""
        return not self._states or self._states.keys().isdisjoint(keys)

    def hold(self, state: InstanceState, instance: Model) -> None:
        """Hold an instance of the map strongly again, as the one last asked for."""
        self._kept.pop(state.oid, None)
        self._held.pop(state.oid, None)
        self._held[state.oid] = instance

    def keep(self, state: InstanceState, instance: Model) -> None:
        """Hold an instance of the map strongly, and out of the line of those to let go of: it has changes."""
        self._held.pop(state.oid, None)
        self._kept[state.oid] = instance

    def count_all(self) -> None:
        """Let those that were kept for their changes stand in line again."""
        self._held.update(self._kept)
        self._kept.clear()

    def oldest(self, size: int, at_most: int) -> list[InstanceState]:
        """Return those to let go of first while more than *size* are held strongly: not asked for longest."""
        excess = min(len(self._held) - size, at_most)
        if excess <= 0:
            return []
        found = (state_of(instance) for instance in islice(self._held.values(), excess))
        return [state for state in found if state is not None]

    def release(self, state: InstanceState) -> None:
        """Keep the instance in the map only as long as somebody else holds it."""
        self._held.pop(state.oid, None)
        self._kept.pop(state.oid, None)

    def remove(self, state: InstanceState) -> None:
        """Take an instance out of the map; one that is not in it is ignored."""
        if state.key is not None and self._states.get(state.key) is state:
            del self._states[state.key]
        self._held.pop(state.oid, None)
        self._kept.pop(state.oid, None)

    def clear(self) -> None:
        """Let go of every instance."""
        self._states.clear()
        self._held.clear()
        self._kept.clear()
