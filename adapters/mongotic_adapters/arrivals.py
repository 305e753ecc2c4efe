"""New instances of classes that refer to nothing, met for the first time: the bulk of many a unit of work.

`bookkeeping` asks here first when instances are added, and the flows when they were inserted.  There is nothing to look
for beyond the instance itself, so that each takes a fraction of what `add` and `written` take to look for it.  Whatever
is out of the ordinary is left to those two, before anything was touched; what comes out is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from odmantic import Model

from . import odmantic_internals as odm
from .document_validator import finisher
from .identity_map import PLAIN_KEYS
from .instance_state import first_met, recall
from .mapping import class_mapping
from .settling import Settling
from .states import MOVES, Move, State

_ADDED = MOVES[State.TRANSIENT, Move.ADD]
_INSERTED = MOVES[State.PENDING, Move.FLUSH]


class Kind(NamedTuple):
    """What is settled for all instances of a class that refers to nothing.

    Attributes:
        model: the class.
        primary: the name of its primary field.
        names: of all of its fields.
        finish: see `document_validator.finisher`.
    """

    model: type[odm.BaseODMModel]
    primary: str
    names: frozenset[str]
    finish: Callable[[Model], None]


@lru_cache(maxsize=4096)
def kind_of(model: type) -> Kind | None:
    """Return what is settled for the instances of a class; None for one that refers to others, or counts versions."""
    if not odm.is_model_class(model):
        return None
    mapping = class_mapping(model)
    if mapping.references or mapping.version is not None:
        return None
    return Kind(model, mapping.primary, frozenset(mapping.fields), finisher(mapping))


class Arrivals(Settling):
    """The books of what is new."""

    def _arrived(self, model: Model) -> bool:
        """Add an instance that nothing is known of, and tell whether it was one; it may be anything."""
        kind = kind_of(type(model))
        if kind is None:
            return False
        key: object = model.__dict__.get(kind.primary)
        unsaved = odm.assigned_fields(model)
        if type(key) not in PLAIN_KEYS or unsaved is None or not unsaved.issuperset(kind.names):
            return False
        place = (kind.model, key)
        if self._identities.find(place) is not None or place in self._new_keys:
            return False
        if type(model) not in self._takers:
            self.taker(type(model))  # refuses a class that no database can be told for
        state = first_met(model)
        if state is None:
            return False
        if self.journal is not None:
            self.journal.record_new(state, model, keyed=kind.primary in model.__pydantic_fields_set__)
        kind.finish(model)
        state.state = _ADDED
        state.owner_ref = self._self_ref
        state.key = place
        self._new_keys[place] = state.oid
        self._pending[state.oid] = model
        return True

    def inserted(self, instance: Model, after: bytes) -> bool:
        """Note that the document of a new instance was stored, unless there is more to note; tell whether it is done.

        Arguments:
            instance: whose document it is.
            after: its snapshot.
        """
        state = recall(id(instance))
        kind = kind_of(type(instance))
        if kind is None or state is None or state.state is not State.PENDING or state.owner_ref is not self._self_ref:
            return False
        key = state.key
        if key is None or key[1] is not instance.__dict__.get(kind.primary):
            return False
        if not self._identities.add(key, state, instance):
            return False
        if self.journal is not None:
            self.journal.record(state, instance)
        del self._pending[state.oid]
        del self._new_keys[key]
        self.has_flushed = True
        state.state = _INSERTED
        state.snapshot = after
        odm.nothing_assigned(instance)
        instance.__pydantic_fields_set__.add(kind.primary)
        if self._cache_size is not None:
            self._trim()
        return True
