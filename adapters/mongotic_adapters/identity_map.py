"""The identity map: one document, one instance per session.

Used by `bookkeeping` alone.  Instances that may hold unwritten changes are held strongly, because no hook tells a
session of an in-place change; `release_clean` is how an iteration over a large result lets go of those nobody touched.
"""

from __future__ import annotations

from typing import TypeAlias

import bson
from odmantic import Model

from .encoding import encode_value
from .instance_state import InstanceState
from .mapping import Mapping

IdentityKey: TypeAlias = tuple[type[Model], object]
"""Model class and primary key."""


def identity_key(mapping: Mapping, key: object) -> IdentityKey:
    """Return the place of a document in the map.

    Arguments:
        mapping: the mapping of its model.
        key: its primary key, as the instance or as the document holds it.
    """
    encoded = encode_value(key)
    try:
        hash(encoded)
    except TypeError:  # an embedded model as key
        return (mapping.document_model, bson.encode({"": encoded}))
    return (mapping.document_model, encoded)


class IdentityMap:
    """The stored instances of one session."""

    def __init__(self) -> None:
        self._states: dict[IdentityKey, InstanceState] = {}
        self._held: dict[int, Model] = {}

    def __len__(self) -> int:
        return len(self._states)

    def states(self) -> list[InstanceState]:
        """Return the state of every instance in the map, in order of arrival."""
        return list(self._states.values())

    def find(self, key: IdentityKey) -> InstanceState | None:
        """Return the state of the live instance under *key*, or None."""
        state = self._states.get(key)
        return state if state is not None and state() is not None else None

    def put(self, key: IdentityKey, state: InstanceState, instance: Model) -> None:
        """Hold *instance* under *key*."""
        state.key = key
        self._states[key] = state
        self._held[state.oid] = instance

    def hold(self, state: InstanceState, instance: Model) -> None:
        """Hold an instance of the map strongly again."""
        self._held[state.oid] = instance

    def release(self, state: InstanceState) -> None:
        """Keep the instance in the map only as long as somebody else holds it."""
        self._held.pop(state.oid, None)

    def remove(self, state: InstanceState) -> None:
        """Take an instance out of the map; one that is not in it is ignored."""
        if state.key is not None and self._states.get(state.key) is state:
            del self._states[state.key]
        self._held.pop(state.oid, None)

    def clear(self) -> None:
        """Let go of every instance."""
        self._states.clear()
        self._held.clear()
