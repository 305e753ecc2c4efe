"""Which instances one session holds, and as what: the shared ground of the parts of `Bookkeeping`.

`loading`, `settling` and `bookkeeping` build on it; nobody else uses it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

from odmantic import Model

from . import changes, snapshot
from . import odmantic_internals as odm
from .adoption import known
from .errors import InvalidRequestError
from .events import Dispatch
from .identity_map import IdentityKey, IdentityMap
from .instance_state import InstanceState, describe, state_of
from .journal import Journal
from .mapping import Mapping, class_mapping
from .references import referenced
from .snapshot import Codec
from .states import State

_STORED = frozenset({State.PERSISTENT, State.RETURNED})


class Merge:
    """A merge that the next flush writes.

    Attributes:
        instance: whose state is written.
        keys: the keys of the document that are written in any case; None for all.
    """

    __slots__ = ("instance", "keys")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(self, instance: Model, keys: set[str] | None) -> None:
        self.instance = instance
        self.keys = keys


class Holdings:
    """The instances of one session.

    Arguments:
        codec: gives the codec options of a model's collection.
        cache_size: how many stored instances are held that nobody else holds and nobody changed; None for all.

    Attributes:
        events: whom to tell of what happens.
        has_flushed: something was written since the last commit.
        journal: how everything stood when the open transaction began, None outside of one.
        session: gives the session these are the books of, None once it is gone.
    """

    def __init__(self, codec: Callable[[Mapping], Codec], cache_size: int | None = None) -> None:
        self.codec = codec
        self.events = Dispatch()
        self.session: Callable[[], object] = lambda: None
        self.journal: Journal | None = None
        self.has_flushed = False
        self._cache_size = cache_size
        self._takers: dict[type[Model], Callable[[Model], bytes]] = {}
        self._identities = IdentityMap()
        self._pending: dict[int, Model] = {}
        self._new_keys: dict[IdentityKey, int] = {}
        self._marked: dict[int, Model] = {}
        self._merged: dict[int, Merge] = {}
        self._deleted: dict[int, Model] = {}
        self._displaced: dict[IdentityKey, Model] = {}
        self._arriving: dict[int, Model] | None = None
        self._self_ref: weakref.ref[Holdings] = weakref.ref(self)

    def stored(self) -> Iterator[tuple[InstanceState, Model]]:
        """Yield the stored instances that are neither merged nor marked for deletion."""
        return ((state, instance) for state, instance in self._held() if state.state in _STORED)

    def _held(self) -> Iterator[tuple[InstanceState, Model]]:
        """Yield what is in the identity map."""
        for state in self._identities.states():
            instance = state()
            if instance is not None:
                yield state, instance

    def taker(self, model: type[Model]) -> Callable[[Model], bytes]:
        """Return the function that takes snapshots of the instances of a class; see `snapshot.taker`."""
        found = self._takers.get(model)
        if found is None:
            mapping = class_mapping(model)
            found = self._takers[model] = snapshot.taker(mapping, self.codec(mapping))
        return found

    def is_modified(self, instance: Model) -> bool:
        """Tell whether *instance* has values the database is not believed to hold."""
        state = state_of(instance)
        if state is None or not state.is_stored:
            return False
        return changes.is_modified(state, instance, self.codec(class_mapping(type(instance))))

    def forget(self, state: InstanceState) -> None:
        """Note that an instance was garbage collected."""
        self._identities.remove(state)

    def let_loose(self, state: InstanceState) -> None:
        """Let go of an instance, whatever its state; its unwritten changes are not written by this session."""
        self._release(state)

    def let_go(self, state: InstanceState) -> None:
        """Let go of an instance met in passing, unless it has something to write or is in use; and of what it refers
        to."""
        if state.in_passing:
            self._let_go(state)

    def _let_go(self, state: InstanceState) -> None:
        instance = state()
        if instance is None or state.owner is not self or state.state is not State.PERSISTENT:
            return
        if changes.is_modified(state, instance, self.codec(class_mapping(type(instance)))):
            self._identities.keep(state, instance)
            return
        targets = [found for target in referenced(instance) if (found := state_of(target)) is not None]
        self._identities.release(state)
        del instance
        survivor = state()
        if survivor is not None:  # somebody else holds it, and may change it still
            self._identities.hold(state, survivor)
            return
        for target in targets:
            self.let_go(target)

    def _trim(self) -> None:
        """Let go of the instances that were not asked for longest, as far as more are held than the session keeps."""
        if self._cache_size is not None:
            # Two for each that comes: those in use stay, and the number still goes down.
            for state in self._identities.oldest(self._cache_size, 2):
                self._let_go(state)

    # -- for the parts -------------------------------------------------------------------------------------------

    def _known(self, instance: Model, *, stored: bool = False, referenced: bool = False) -> InstanceState:
        """Return the state of *instance*; see `adoption.known`."""
        codec = self.codec(class_mapping(type(instance)))
        return known(instance, codec, stored=stored, referenced=referenced)

    def _record(self, state: InstanceState, instance: Model) -> None:
        """Note how an instance stands before it is touched, for a rollback of the open transaction."""
        if self.journal is not None:
            # One that is held and not in the journal was clean when the transaction began.
            values = self._values(instance) if state.owner_ref is None and state.is_stored else None
            self.journal.record(state, instance, values)

    def _values(self, instance: Model) -> bytes:
        """Return the document of *instance* as it is now, without what cannot be stored."""
        mapping = class_mapping(type(instance))
        codec = self.codec(mapping)
        return snapshot.encode_document(changes.encodable(mapping, instance, codec), codec, describe(instance))

    def _expect_free(self, state: InstanceState, name: str) -> None:
        owner = state.owner
        if owner is not None and owner is not self:
            raise InvalidRequestError(
                f"{name} is held by another session; expunge it there, or close that session, first"
            )

    @property
    def has_new(self) -> bool:
        """Whether any new instance waits for its insert."""
        return bool(self._new_keys)

    def awaits(self, key: IdentityKey) -> bool:
        """Tell whether a new instance with that key waits for its insert."""
        return key in self._new_keys

    def _holds(self, key: IdentityKey) -> bool:
        present = self._identities.find(key)
        return present is not None and present.state is not State.MARKED

    def _expect_vacant(self, key: IdentityKey, name: str) -> None:
        if self._holds(key):
            raise InvalidRequestError(
                f"{name}: this session holds another instance of the same document; change that one"
            )
        if key in self._new_keys:
            raise InvalidRequestError(f"{name}: this session was given another new instance with the same key")

    def _restore(self, state: InstanceState, instance: Model) -> None:
        changes.restore(state, instance, self.codec(class_mapping(type(instance))))

    def _gone(self, state: InstanceState, instance: Model) -> None:
        """Note that no document of *instance* exists: adding it again stores it anew, in ODMantic's eyes too."""
        state.snapshot = state.as_read = None
        odm.mark_assigned(instance, set(class_mapping(type(instance)).fields))

    def _release(self, state: InstanceState) -> None:
        state.release()
        self._drop(state)

    def _drop(self, state: InstanceState) -> None:
        state.owner_ref = None
        self._no_longer_pending(state)
        self._marked.pop(state.oid, None)
        self._merged.pop(state.oid, None)
        self._deleted.pop(state.oid, None)
        self._identities.remove(state)
        displaced = None if state.key is None else self._displaced.pop(state.key, None)
        other = None if displaced is None else state_of(displaced)
        if state.key is not None and displaced is not None and other is not None and other is not state:
            self._identities.put(state.key, other, displaced)

    def _displace(self, key: IdentityKey) -> None:
        """Let the place of an instance that is to be deleted be taken by another one of the same document."""
        state = self._identities.find(key)
        instance = None if state is None else state()
        if state is not None and state.state is State.MARKED and instance is not None:
            self._displaced[key] = instance

    def _no_longer_pending(self, state: InstanceState) -> None:
        self._pending.pop(state.oid, None)
        if state.key is not None and self._new_keys.get(state.key) == state.oid:
            del self._new_keys[state.key]
