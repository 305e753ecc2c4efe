"""What is remembered of one instance, and where to find it.

Models are unhashable and compare by value, so nothing here uses `==` or `hash` of an instance: states are found by
`id()`, and each is itself the weak reference that removes it when the instance goes.
Used by `bookkeeping` and `identity_map`; a state outlives the session, so that a detached instance added again is an
update.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from odmantic import Model

from .mapping import class_mapping
from .states import MOVES, Move, State, move
from .unloaded import NO_REFERENCES, References

if TYPE_CHECKING:
    from .holdings import Holdings
    from .identity_map import IdentityKey

_RELEASED = MOVES[State.PERSISTENT, Move.RELEASE]


class InstanceState(weakref.ref[Model]):
    """The state of one instance; calling it gives the instance, or None when it is gone.

    Attributes:
        oid: `id()` of the instance.
        state: where it stands.
        key: its place in the identity map, or the one it will have; None for an instance no session has met.
        snapshot: what the database is believed to hold, as the instance would be encoded; None while it is not known.
        as_read: the document as the server gave it last; None once it was written. The snapshot is made of it when it
            is asked for.
        absent: paths of embedded documents in the snapshot that stand for defaults; the stored document lacks them.
        references: what it referred to at the time of the snapshot, by field name.
        expired: the database may hold something else by now.
        expunged_from: the session that was told last not to write its changes.
        in_passing: met in an iteration and by nothing else, so that it may be let go.
    """

    __slots__ = (
        "absent",
        "as_read",
        "expired",
        "expunged_from",
        "in_passing",
        "key",
        "oid",
        "owner_ref",
        "references",
        "snapshot",
        "state",
    )
    absent: frozenset[str]
    as_read: bytes | None
    expired: bool
    expunged_from: weakref.ref[Holdings] | None
    in_passing: bool
    key: IdentityKey | None
    oid: int
    owner_ref: weakref.ref[Holdings] | None
    references: References
    snapshot: bytes | None
    state: State

    def __init__(self, instance: Model, _callback: Callable[[InstanceState], None] | None = None, /) -> None:
        # weakref.ref has no __init__ of its own to call.
        self.oid = id(instance)
        self.state = State.TRANSIENT
        self.owner_ref = None
        self.key = None
        self.snapshot = None
        self.as_read = None
        self.absent = frozenset()
        self.in_passing = False
        self.references = NO_REFERENCES
        self.expired = False
        self.expunged_from = None

    @property
    def is_stored(self) -> bool:
        """Tell whether a document of the instance is believed to exist."""
        return self.snapshot is not None or self.as_read is not None

    @property
    def is_lost(self) -> bool:
        """Tell whether the document was stored once and is known to be gone."""
        return self.state is State.DETACHED and not self.is_stored

    @property
    def owner(self) -> Holdings | None:
        """The books of the session that holds the instance."""
        return None if self.owner_ref is None else self.owner_ref()

    def move(self, what: Move) -> None:
        """Go to the state that follows; see `states.move`."""
        self.state = move(self.state, what, self._name)

    def release(self) -> None:
        """Leave the session; what it was to store, and has not, is as if it had never been given it."""
        if self.state is State.PERSISTENT:  # most are, and there is no more to it
            self.state = _RELEASED
            return
        was_new = self.state is State.MERGED and not self.is_stored
        self.move(Move.RELEASE)
        if was_new:
            self.move(Move.LOSE)

    def _name(self) -> str:
        instance = self()
        return "an instance that is gone" if instance is None else describe(instance)


def describe(instance: Model) -> str:
    """Return how an instance is named in messages: class and key, never its values."""
    mapping = class_mapping(type(instance))
    return f"{mapping.name} {mapping.key_of(instance)!r}"


_states: dict[int, InstanceState] = {}


def _forget(gone: weakref.ref[Model]) -> None:
    if isinstance(gone, InstanceState):
        if _states.get(gone.oid) is gone:  # the id may be another instance's by now
            del _states[gone.oid]
        owner = gone.owner
        if owner is not None:
            owner.forget(gone)


recall = _states.get
"""By the `id()` of an instance that is held: what is remembered of it, or None."""


def state_of(instance: Model) -> InstanceState | None:
    """Return what is remembered of *instance*, or None."""
    state = _states.get(id(instance))
    # An id is used again once its instance is gone; a state found under it may belong to the former one.
    if state is None or state() is not instance:
        return None
    if state.owner_ref is not None and state.owner_ref() is None:
        # The session was dropped without being closed.
        state.owner_ref = None
        state.release()
    return state


def new_state(instance: Model) -> InstanceState:
    """Return the state of an instance that nothing is remembered of; it is not remembered yet."""
    return InstanceState(instance, _forget)


def remember(instance: Model) -> InstanceState:
    """Return what is remembered of *instance*, beginning now if nothing was."""
    state = state_of(instance)
    if state is None:
        state = _states[id(instance)] = InstanceState(instance, _forget)
    return state


def first_met(instance: Model) -> InstanceState | None:
    """Begin to remember *instance*, and return what is remembered; None if something was, or may have been."""
    oid = id(instance)
    if oid in _states:
        return None
    state = _states[oid] = InstanceState(instance, _forget)
    return state


def remember_all(instances: Sequence[Model]) -> list[InstanceState]:
    """Return what is remembered of instances that were just made, and are different ones."""
    ids = list(map(id, instances))
    if not _states.keys().isdisjoint(ids):
        return list(map(remember, instances))
    states = [InstanceState(instance, _forget) for instance in instances]
    _states.update(zip(ids, states, strict=True))
    return states
