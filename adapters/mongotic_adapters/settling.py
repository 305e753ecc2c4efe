"""What was written, and what became of it: the part of the books that flows tell of flushes and transactions."""

from __future__ import annotations

from collections.abc import Iterable

from odmantic import Model

from . import changes
from . import odmantic_internals as odm
from .holdings import Holdings, Merge
from .identity_map import identity_of
from .instance_state import InstanceState, remember, state_of
from .journal import UNDONE, Entry, Journal
from .mapping import class_mapping
from .states import Move, State
from .unloaded import References


class Settling(Holdings):
    """The books of what was written."""

    # -- flushes -------------------------------------------------------------------------------------------------

    def written(
        self,
        instance: Model,
        after: bytes,
        references: References,
        assigned: Iterable[str] | None = None,
        version: int | None = None,
    ) -> None:
        """Note that the document of *instance* was stored.

        Arguments:
            instance: whose document it is.
            after: its snapshot.
            references: what it referred to when it was written.
            assigned: the paths that were written; None for the whole document.
            version: what its version field holds now, for a model that has one.
        """
        state = remember(instance)
        self._record(state, instance)
        # The place of what is in the map is known; that of others may have changed since they had one.
        key = state.key if state.state is State.PERSISTENT else None
        state.move(Move.FLUSH)
        self.has_flushed = True
        self._no_longer_pending(state)
        self._merged.pop(state.oid, None)
        state.absent = frozenset() if assigned is None else state.absent.difference(assigned)
        state.snapshot, state.as_read = after, None
        state.references = references
        if key is None:
            key = identity_of(instance)
        other = self._identities.find(key)
        displaced = None if other is None or other is state else other()
        if displaced is not None:  # of a document that was there, and had gone before this one was stored
            self.lost(displaced)
        self._identities.put(key, state, instance)
        odm.mark_assigned(instance, set())
        mapping = class_mapping(type(instance))
        # A key that was made up is now the key of a document; pickled and copied instances know it by this.
        instance.model_fields_set.add(mapping.primary)
        if mapping.version is not None and version is not None:
            # Past ODMantic's __setattr__, which would count it among the unsaved fields.
            instance.__dict__[mapping.version.name] = version
        self._trim()

    def lost(self, instance: Model) -> None:
        """Note that the document of *instance* is gone from the database."""
        state = state_of(instance)
        if state is not None and state.owner is self:
            self._record(state, instance)
            self._release(state)
            self._gone(state, instance)

    def removed(self, instance: Model) -> None:
        """Note that the document of *instance* was removed."""
        state = remember(instance)
        self._record(state, instance)
        state.move(Move.FLUSH)
        self.has_flushed = True
        self._marked.pop(state.oid, None)
        self._displaced.pop(identity_of(instance), None)
        self._identities.remove(state)
        self._gone(state, instance)
        self._deleted[state.oid] = instance

    def unchanged(self, instance: Model) -> None:
        """Note that an instance added again needs no write."""
        state = remember(instance)
        state.move(Move.FLUSH)
        self._no_longer_pending(state)

    # -- transactions --------------------------------------------------------------------------------------------

    def begin(self, *, has_flushed: bool = False) -> None:
        """Note how every instance stands: a transaction begins.

        Arguments:
            has_flushed: something was written in it already.
        """
        journal = self.journal = Journal()
        self.has_flushed = has_flushed
        kept = (*self._pending.values(), *(merge.instance for merge in self._merged.values()))
        for instance in (*kept, *self._marked.values(), *self._deleted.values()):
            self._record_values(journal, remember(instance), instance)
        for state, instance in self._held():
            if state.state is State.PERSISTENT and self.is_modified(instance):
                self._record_values(journal, state, instance)

    def _record_values(self, journal: Journal, state: InstanceState, instance: Model) -> None:
        merge = self._merged.get(state.oid)
        values = self._values(instance) if state.is_stored else None
        journal.record(state, instance, values, None if merge is None else merge.keys)

    def commit(self, *, expire: bool = False) -> None:
        """Note that what was flushed is final.

        Arguments:
            expire: every instance counts as expired from now on.
        """
        self._settle_deleted(Move.COMMIT)
        for state, _ in self._held() if expire else ():
            state.expired = True
        self._identities.count_all()
        self.journal = None
        self.has_flushed = False

    def undo(self, *, values: bool) -> None:
        """Let every instance stand as it stood when the transaction began: the database does, too.

        Arguments:
            values: give stored ones back the values they had; otherwise all of them keep what they have now, so that
                the same changes can be tried again.
        """
        journal, self.journal = self.journal, None
        entries = [] if journal is None else journal.entries()
        noted = {id(entry.instance) for entry in entries}
        for entry in entries:
            self._put_back(entry)
        for entry in entries if values else ():
            if entry.is_stored and entry.held:
                state, codec = remember(entry.instance), self.codec(class_mapping(type(entry.instance)))
                changes.restore(state, entry.instance, codec, entry.values, entry.targets if entry.values else None)
        for state, instance in self._held() if values else ():
            if state.oid not in noted:
                self._restore(state, instance)
            # What was read in the transaction may be what the transaction had written.
            state.expired = True
        self._identities.count_all()
        self.has_flushed = False

    def _put_back(self, entry: Entry) -> None:
        instance = entry.instance
        state = remember(instance)
        owner = state.owner
        if owner is not None and owner is not self:
            return  # it is another session's by now
        let_go = owner is None and entry.held
        self._drop(state)
        entry.put_back(state)
        if let_go:
            state.state = UNDONE.get(state.state, State.DETACHED if state.is_stored else State.TRANSIENT)
        elif entry.held:
            self._place(state, entry)

    def _place(self, state: InstanceState, entry: Entry) -> None:
        instance = entry.instance
        state.owner_ref = self._self_ref
        key = identity_of(instance)
        if state.state is State.PENDING:
            state.key = key
            self._new_keys[key] = state.oid
        elif state.state is not State.DELETED:
            other = self._identities.find(key)
            if other is not None and other is not state:
                if state.state is State.MARKED and other.state is State.RETURNED:  # that one is put back first
                    self._displaced[key] = instance
                    self._marked[state.oid] = instance
                    return
                self._release(other)  # met in the transaction, while this one was gone
            self._identities.put(key, state, instance)
        if state.state in (State.PENDING, State.RETURNED):
            self._pending[state.oid] = instance
        elif state.state is State.MARKED:
            self._marked[state.oid] = instance
        elif state.state is State.DELETED:
            self._deleted[state.oid] = instance
        elif state.state is State.MERGED:
            self._merged[state.oid] = Merge(instance, entry.merged)

    def _settle_deleted(self, what: Move) -> None:
        for instance in list(self._deleted.values()):
            state = remember(instance)
            state.move(what)
            self._drop(state)
