"""What a transaction may have to give back to the objects: how each instance stood before it was touched.

Kept by `holdings` while a transaction is open; a rollback puts every entry back, a commit drops them all.
"""

from __future__ import annotations

from odmantic import Model

from . import odmantic_internals as odm
from .instance_state import InstanceState, new_state
from .mapping import class_mapping
from .references import references_of
from .states import State

UNDONE = {State.PENDING: State.TRANSIENT, State.RETURNED: State.DETACHED}
"""What an instance is again that was added in the transaction."""


class Entry:
    """How one instance stood.

    Arguments:
        state: what is remembered of it now.
        instance: the instance; held, so that a rollback finds it.
        values: its document as it was then, for one with unwritten changes; None if its snapshot has all of it.
        merged: the keys a staged merge writes in any case; None for all.
    """

    __slots__ = (
        "absent",
        "as_read",
        "assigned",
        "expired",
        "held",
        "instance",
        "key",
        "keyed",
        "merged",
        "references",
        "snapshot",
        "state",
        "targets",
        "values",
        "version",
    )

    def __init__(self, state: InstanceState, instance: Model, values: bytes | None, merged: set[str] | None) -> None:
        mapping = class_mapping(type(instance))
        self.instance = instance
        self.state = state.state
        self.held = state.owner_ref is not None
        self.key = state.key
        self.snapshot = state.snapshot
        self.as_read = state.as_read
        self.absent = state.absent
        self.references = state.references
        self.expired = state.expired
        self.values = values
        self.merged = merged
        self.targets = references_of(instance)
        self.assigned = set(odm.assigned_fields(instance) or ())
        self.keyed = mapping.primary in instance.model_fields_set
        self.version: object = None if mapping.version is None else instance.__dict__.get(mapping.version.name)

    @property
    def is_stored(self) -> bool:
        """Tell whether a document of the instance was believed to exist."""
        return self.snapshot is not None or self.as_read is not None

    def put_back(self, state: InstanceState) -> None:
        """Let *state* and ODMantic's marks be as they were; which session holds the instance is not settled here."""
        mapping = class_mapping(type(self.instance))
        state.state = self.state
        state.key = self.key
        state.snapshot, state.as_read = self.snapshot, self.as_read
        state.absent, state.references, state.expired = self.absent, self.references, self.expired
        odm.mark_assigned(self.instance, set(self.assigned))
        if not self.keyed:
            self.instance.model_fields_set.discard(mapping.primary)
        if mapping.version is not None:
            self.instance.__dict__[mapping.version.name] = self.version


def _entry_of_new(instance: Model, keyed: bool) -> Entry:
    """Return how an instance stood that nothing was known of."""
    entry = Entry(new_state(instance), instance, None, None)
    entry.assigned = set(class_mapping(type(instance)).fields)
    entry.keyed = keyed
    return entry


class Journal:
    """The entries of one transaction, in the order the instances were first touched."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry | tuple[Model, bool]] = {}

    def record(
        self, state: InstanceState, instance: Model, values: bytes | None = None, merged: set[str] | None = None
    ) -> None:
        """Note how an instance stands, unless that was noted before; the arguments are those of `Entry`."""
        if state.oid not in self._entries:
            self._entries[state.oid] = Entry(state, instance, values, merged)

    def record_new(self, state: InstanceState, instance: Model, *, keyed: bool) -> None:
        """Note that nothing was known of an instance of a class that refers to nothing and counts no versions, all of
        whose fields were unsaved in ODMantic's eyes.

        Arguments:
            state: what is remembered of it now.
            instance: the instance.
            keyed: its key was set explicitly.
        """
        self._entries[state.oid] = (instance, keyed)

    def entries(self) -> list[Entry]:
        """Return what was noted."""
        return [_entry_of_new(*entry) if isinstance(entry, tuple) else entry for entry in self._entries.values()]
