"""The books of one session: which instances it holds, in which state, and what is to be written.

Called by the session for everything that needs no I/O, and by the flows, which tell it what was read and written.
Every move is looked up in `states`; nothing here knows a database.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator

from odmantic import Model

from . import changes, snapshot
from . import odmantic_internals as odm
from .document_validator import finisher
from .encoding import encode_field
from .errors import ArgumentError, InvalidRequestError, UnmappedInstanceError
from .hydration import hydrate
from .identity_map import IdentityKey, IdentityMap, identity_key, identity_of
from .instance_state import InstanceState, References, describe, remember, state_of
from .mapping import Mapping, class_mapping
from .records import Record
from .snapshot import Codec, Difference
from .states import Move, State


class Bookkeeping:
    """The instances of one session.

    Arguments:
        codec: gives the codec options of a model's collection.

    Attributes:
        has_flushed: something was written since the last commit.
        session: gives the session these are the books of, None once it is gone.
    """

    def __init__(self, codec: Callable[[Mapping], Codec]) -> None:
        self.codec = codec
        self.session: Callable[[], object] = lambda: None
        self._identities = IdentityMap()
        self._pending: dict[int, Model] = {}
        self._new_keys: dict[IdentityKey, int] = {}
        self._marked: dict[int, Model] = {}
        self._merged: dict[int, Model] = {}
        self._deleted: dict[int, Model] = {}
        self.has_flushed = False
        self._self_ref: weakref.ref[Bookkeeping] = weakref.ref(self)

    # -- what a user sees ----------------------------------------------------------------------------------------

    @property
    def new(self) -> list[Model]:
        """The instances the next flush stores for the first time, or again after they had left a session."""
        return list(self._pending.values())

    @property
    def dirty(self) -> list[Model]:
        """The stored instances whose values differ from what the database is believed to hold."""
        return [
            instance
            for state, instance in self.stored()
            if state.state is State.PERSISTENT and self.is_modified(instance)
        ]

    @property
    def merged(self) -> list[Model]:
        """The instances whose whole state the next flush writes."""
        return list(self._merged.values())

    @property
    def deleted(self) -> list[Model]:
        """The instances whose documents the next flush removes."""
        return list(self._marked.values())

    def __contains__(self, instance: object) -> bool:
        if not isinstance(instance, Model):
            return False
        state = state_of(instance)
        return state is not None and state.owner is self and state.state is not State.DELETED

    def __iter__(self) -> Iterator[Model]:
        yield from (instance for oid, instance in self._pending.items() if not self._is_returned(oid))
        yield from (instance for state in self._identities.states() if (instance := state()) is not None)

    def _is_returned(self, oid: int) -> bool:
        state = state_of(self._pending[oid])
        return state is not None and state.state is State.RETURNED

    # -- what a user does ----------------------------------------------------------------------------------------

    def add(self, instance: object) -> None:
        """Put *instance*, and every transient instance it refers to, under the care of the session.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it, or this one holds another instance of the same document.
        """
        model = _expect_model(instance, "add")
        before = len(self._pending)
        try:
            self._add_with_references(model)
        except InvalidRequestError:
            for added in list(self._pending.values())[before:]:
                self._release(remember(added))
            raise

    def _add_with_references(self, model: Model) -> None:
        self._make_one(model)
        stored = self._known(model).state is not State.TRANSIENT
        assigned = odm.assigned_fields(model) or set()
        for name, target in references_of(model).items():
            # ODMantic stores what an instance refers to along with it.
            self._add_referenced(target, stored=stored and name not in assigned)
        self._add_one(model)

    def _make_one(self, instance: Model) -> None:
        """Let *instance* refer to the instances this session holds, where it refers to others of the same documents."""
        for name, target in references_of(instance).items():
            state = self._identities.find(identity_of(target))
            held = None if state is None or state.state is State.MARKED else state()
            if held is not None and held is not target:
                instance.__dict__[name] = held

    def _add_referenced(self, target: Model, *, stored: bool = False) -> None:
        """Take care of what a reference points to, if nobody else does; to be referred to, its key is enough."""
        state = state_of(target)
        if state is not None and (state.owner is not None or state.is_lost):
            return
        if self._known(target, stored=stored, referenced=True).state is State.TRANSIENT or not self._holds(
            identity_of(target)
        ):
            self._add_with_references(target)

    def _add_one(self, instance: Model) -> None:
        state = self._known(instance)
        name = describe(instance)
        self._expect_free(state, name)
        key = identity_of(instance)
        if state.owner is not self:
            self._expect_vacant(key, name)
        elif state.state is State.MARKED and (key in self._new_keys or self._identities.find(key) is not state):
            raise InvalidRequestError(f"{name}: this session was given another instance to take its place")
        was = state.state
        state.move(Move.ADD)
        state.owner_ref = self._self_ref
        if was is State.MARKED:
            del self._marked[state.oid]
        elif state.state is State.RETURNED:
            self._identities.put(key, state, instance)
            self._pending[state.oid] = instance
        elif state.state is State.PENDING:
            # A default that was copied lacks the slot ODMantic writes to, and could never be changed.
            finisher(class_mapping(type(instance)))(instance)
            self._pending[state.oid] = instance
            state.key = key
            self._new_keys[key] = state.oid

    def delete(self, instance: object) -> None:
        """Mark *instance*, so that the next flush removes its document.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: it was never stored, or another session holds it.
        """
        model = _expect_model(instance, "delete")
        state = self._known(model)
        name = describe(model)
        self._expect_free(state, name)
        if state.owner is not self and state.state is State.DETACHED:
            self._expect_vacant(identity_of(model), name)
        state.move(Move.DELETE)
        if state.owner is not self:
            state.owner_ref = self._self_ref
            self._identities.put(identity_of(model), state, model)
        self._identities.hold(state, model)
        self._no_longer_pending(state)
        self._marked[state.oid] = model

    def merge(self, instance: object) -> Model:
        """Stage the whole state of *instance* to be written, as a new document if there is none with its key.

        Returns:
            The instance the session holds for that document, with the values of *instance*; that itself if it holds
            none.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it, or it is deleted or marked for deletion.
        """
        model = _expect_model(instance, "merge")
        mapping = class_mapping(type(model))
        state = self._known(model)
        self._expect_free(state, describe(model))
        if state.state in (State.TRANSIENT, State.PENDING) and mapping.primary not in model.model_fields_set:
            self.add(model)  # a key that was made up belongs to no document
            return model
        self._make_one(model)
        for target in referenced(model):
            self._add_referenced(target)
        key = identity_of(model)
        present = self._identities.find(key)
        held = None if present is None else present()
        if held is not None and held is not model:
            present = remember(held)
            present.move(Move.MERGE)
            changes.take_over(mapping, held, model, lambda key: key != "_id")
            self._no_longer_pending(present)
            self._merged[present.oid] = held
            return held
        if state.owner is not self and key in self._new_keys:
            self._expect_vacant(key, describe(model))
        self._no_longer_pending(state)
        state.move(Move.MERGE)
        state.owner_ref = self._self_ref
        self._identities.put(key, state, model)
        self._merged[state.oid] = model
        return model

    def expire(self, instance: object, names: Iterable[str] | None = None) -> None:
        """Note that the database may hold something newer: values stay, and none of them is written any more.

        Arguments:
            instance: a stored instance of this session.
            names: the fields meant; None for all.

        Raises:
            InvalidRequestError: the session does not hold it, or it is not stored.
            ArgumentError: a name is no field.
        """
        model = _expect_model(instance, "expire")
        state = state_of(model)
        if state is None or state.owner is not self or state.state not in (State.PERSISTENT, State.MARKED):
            raise InvalidRequestError(
                f"cannot expire {describe(model)}: this session holds no stored instance of that kind"
            )
        mapping = class_mapping(type(model))
        codec = self.codec(mapping)
        earlier = snapshot.decode(changes.believed(state, mapping, codec), codec)
        now = changes.encodable(mapping, model, codec)
        # What cannot be stored is believed as before: it shows in `dirty` until a refresh overwrites it.
        now |= {key: value for key, value in earlier.items() if key in mapping.by_key and key not in now}
        keys = {*earlier, *now} if names is None else {mapping.field(name, "expire()").key for name in names}
        state.snapshot = snapshot.encode_document(changes.replaced(earlier, now, keys), codec, describe(model))
        state.as_read = None
        state.expired = True

    def expunge(self, instance: object) -> None:
        """Let go of *instance*; its values stay as they are, its unwritten changes are not written by this session.

        A stranger is ignored.
        """
        if not isinstance(instance, Model):
            return
        state = state_of(instance)
        if state is not None and state.owner is self:
            self._release(state)

    def rollback(self) -> None:
        """Undo what was not flushed, on the objects too.

        Changed instances show the values last read or written, new ones are transient with their values, marked ones
        are unmarked.
        """
        for instance in list(self._pending.values()):
            state = remember(instance)
            restorable = state.state is State.RETURNED
            state.move(Move.ROLLBACK)
            self._drop(state)
            if restorable:
                self._restore(state, instance)
        for instance in list(self._merged.values()):
            state = remember(instance)
            state.move(Move.ROLLBACK)
            if not state.is_stored:
                self._release(state)
        self._merged.clear()
        for instance in self._marked.values():
            remember(instance).move(Move.ROLLBACK)
        self._marked.clear()
        for state, instance in self.stored():
            self._restore(state, instance)
        self._settle_deleted(Move.ROLLBACK)

    def commit(self) -> None:
        """Note that what was flushed is final."""
        self._settle_deleted(Move.COMMIT)
        self.has_flushed = False

    def release_all(self) -> None:
        """Let go of every instance: the session ends."""
        for instance in (*self._pending.values(), *self._deleted.values()):
            self._release(remember(instance))
        for state in self._identities.states():
            held = state()
            if held is not None:
                self._release(state)
        self._identities.clear()

    # -- what the flows tell -------------------------------------------------------------------------------------

    def find(self, mapping: Mapping, key: object) -> Model | None:
        """Return the held instance of a document, or None."""
        state = self._identities.find(identity_key(mapping, key))
        return None if state is None else state()

    def is_expired(self, instance: Model) -> bool:
        """Tell whether the database may hold something newer than *instance*."""
        state = state_of(instance)
        return state is not None and state.expired

    def load(self, mapping: Mapping, record: Record, references: References, *, in_passing: bool = False) -> Model:
        """Return the one instance of a document that was just read.

        An instance held already takes the values read in every field that has no unwritten change.

        Arguments:
            mapping: the model.
            record: the document.
            references: the instances it refers to, by field name.
            in_passing: it may be let go as soon as nobody else holds it, unless it is changed by then.

        Raises:
            DocumentError: the document does not fit the model.
        """
        key = identity_key(mapping, record[0]["_id"])
        state = self._identities.find(key)
        held = None if state is None else state()
        if state is not None and held is not None:
            if record[1] != state.as_read:
                changes.renew(state, held, record, references, self.codec(mapping))
            state.expired = False
            state.in_passing = state.in_passing and in_passing
            self._identities.hold(state, held)
            return held
        fresh = hydrate(mapping, record[0], references)
        state = remember(fresh)
        state.move(Move.LOAD)
        state.owner_ref = self._self_ref
        state.as_read = record[1]
        state.in_passing = in_passing
        if not mapping.repeatable:
            changes.remember_read(state, mapping, fresh, record[0], self.codec(mapping))
        if references:
            state.references = dict(references)
        self._identities.put(key, state, fresh)
        return fresh

    def expect_reloadable(self, instance: object) -> Model:
        """Return *instance* if its document can be read again into it.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it.
            ArgumentError: it was never stored.
        """
        model = _expect_model(instance, "refresh")
        state = self._known(model)
        self._expect_free(state, describe(model))
        if not state.is_stored:
            raise ArgumentError(f"cannot refresh {describe(model)}: it was never stored")
        if state.owner is not self:
            self._expect_vacant(identity_of(model), describe(model))
        return model

    def reload(
        self, instance: Model, record: Record, references: References, names: Iterable[str] | None = None
    ) -> None:
        """Overwrite *instance* with its document as it was just read.

        Arguments:
            instance: what `expect_reloadable` gave.
            record: its document.
            references: the instances it refers to, by field name.
            names: the fields to overwrite; None for all. The others keep their unwritten changes.
        """
        mapping = class_mapping(type(instance))
        state = self._known(instance)
        fresh = hydrate(mapping, record[0], references)
        if state.owner is not self:
            state.move(Move.LOAD)
            state.owner_ref = self._self_ref
        codec = self.codec(mapping)
        if names is None:
            changes.take_over(mapping, instance, fresh, {*mapping.by_key, *record[0]}.__contains__)
            changes.remember_read(state, mapping, fresh, record[0], codec)
            state.as_read = record[1]
            state.references = references_of(instance)
        else:
            keys = {mapping.field(name, "refresh()").key for name in names}
            earlier = snapshot.decode(changes.believed(state, mapping, codec), codec)
            changes.take_over(mapping, instance, fresh, keys.__contains__)
            read = snapshot.decode(snapshot.take(mapping, fresh, codec), codec)
            kept = changes.replaced(earlier, read, keys)
            state.snapshot, state.as_read = snapshot.encode_document(kept, codec, describe(instance)), None
            state.references = {**state.references, **{name: references[name] for name in names if name in references}}
        state.expired = False
        self._identities.put(identity_of(instance), state, instance)
        odm.mark_assigned(instance, set())

    def lost(self, instance: Model) -> None:
        """Note that the document of *instance* is gone from the database."""
        state = state_of(instance)
        if state is not None and state.owner is self:
            self._release(state)
            self._gone(state, instance)

    def written(
        self, instance: Model, after: bytes, references: References, assigned: Iterable[str] | None = None
    ) -> None:
        """Note that the document of *instance* was stored.

        Arguments:
            instance: whose document it is.
            after: its snapshot.
            references: what it referred to when it was written.
            assigned: the paths that were written; None for the whole document.
        """
        state = remember(instance)
        state.move(Move.FLUSH)
        self.has_flushed = True
        self._no_longer_pending(state)
        self._merged.pop(state.oid, None)
        still = () if assigned is None else state.absent.difference(assigned)
        state.absent = frozenset(still)
        state.snapshot, state.as_read = after, None
        state.references = references
        self._identities.put(identity_of(instance), state, instance)
        odm.mark_assigned(instance, set())
        # A key that was made up is now the key of a document; pickled and copied instances know it by this.
        instance.model_fields_set.add(class_mapping(type(instance)).primary)

    def removed(self, instance: Model) -> None:
        """Note that the document of *instance* was removed."""
        state = remember(instance)
        state.move(Move.FLUSH)
        self.has_flushed = True
        self._marked.pop(state.oid, None)
        self._identities.remove(state)
        self._gone(state, instance)
        self._deleted[state.oid] = instance

    def unchanged(self, instance: Model) -> None:
        """Note that an instance added again needs no write."""
        state = remember(instance)
        state.move(Move.FLUSH)
        self._no_longer_pending(state)

    def expire_model(self, mapping: Mapping) -> None:
        """Note that a statement may have changed any document of a model."""
        for state in self._identities.states():
            if state.key is not None and state.key[0] is mapping.model:
                state.expired = True

    def let_go(self, state: InstanceState) -> None:
        """Let go of an instance met in passing, unless it has something to write or is in use; and of what it refers
        to."""
        instance = state()
        if instance is None or state.owner is not self or not state.in_passing or state.state is not State.PERSISTENT:
            return
        if changes.is_modified(state, instance, self.codec(class_mapping(type(instance)))):
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

    def forget(self, state: InstanceState) -> None:
        """Note that an instance was garbage collected."""
        self._identities.remove(state)

    # -- what the unit of work asks ------------------------------------------------------------------------------

    def cascade(self) -> None:
        """Add the transient instances that held instances refer to by now."""
        stored = [instance for _, instance in self.stored()]
        for instance in (*stored, *self.new, *self.merged):
            self._make_one(instance)
            for target in referenced(instance):
                self._add_referenced(target)

    def stored(self) -> Iterator[tuple[InstanceState, Model]]:
        """Yield the stored instances that are not marked for deletion."""
        for state in self._identities.states():
            instance = state()
            if instance is not None and state.state in (State.PERSISTENT, State.RETURNED):
                yield state, instance

    def is_modified(self, instance: Model) -> bool:
        """Tell whether *instance* has values the database is not believed to hold."""
        state = state_of(instance)
        if state is None or not state.is_stored:
            return False
        return changes.is_modified(state, instance, self.codec(class_mapping(type(instance))))

    def unwritten(self, state: InstanceState, instance: Model) -> tuple[Difference, bytes]:
        """Return what a stored instance has that the database is not believed to hold, and its snapshot once that is
        written.

        Raises:
            ArgumentError: a value cannot be stored.
        """
        return changes.unwritten(state, instance, self.codec(class_mapping(type(instance))))

    # -- inside --------------------------------------------------------------------------------------------------

    def _known(self, instance: Model, *, stored: bool = False, referenced: bool = False) -> InstanceState:
        """Return the state of *instance*, seeing that ODMantic may have stored or loaded it before mongotic met it.

        Arguments:
            instance: any instance.
            stored: it is known to be stored, whatever ODMantic's marks say: it was loaded as part of another.
            referenced: it is met as part of another; no change made to its containers before is assumed.
        """
        state = remember(instance)
        mapping = class_mapping(type(instance))
        if state.is_lost:
            state.move(Move.LOSE)
        if state.state is not State.TRANSIENT:
            return state
        unsaved = odm.assigned_fields(instance)
        if unsaved is None:
            odm.mark_assigned(instance, set(mapping.fields))
        elif stored or mapping.primary not in unsaved:
            unsaved = set[str]() if stored else unsaved
            state.move(Move.LOAD)
            state.move(Move.RELEASE)
            unsure = unsaved if referenced else unsaved | odm.mutable_fields(type(instance))
            state.snapshot = self._assumed(mapping, instance, unsure)
            state.references = references_of(instance)
        return state

    def _assumed(self, mapping: Mapping, instance: Model, unsure: set[str]) -> bytes:
        """Return what the database may be assumed to hold for an instance that ODMantic stored or loaded.

        What ODMantic's own `save` would write now is left out, so that it is written: the assigned fields, and every
        container, in which ODMantic does not notice a change.
        """
        sure = {
            field.key: encode_field(field, getattr(instance, name))
            for name, field in mapping.fields.items()
            if name not in unsure
        }
        return snapshot.encode_document(sure, self.codec(mapping), describe(instance))

    def _expect_free(self, state: InstanceState, name: str) -> None:
        owner = state.owner
        if owner is not None and owner is not self:
            raise InvalidRequestError(
                f"{name} is held by another session; expunge it there, or close that session, first"
            )

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
        state.move(Move.RELEASE)
        self._drop(state)

    def _drop(self, state: InstanceState) -> None:
        state.owner_ref = None
        self._no_longer_pending(state)
        self._marked.pop(state.oid, None)
        self._merged.pop(state.oid, None)
        self._deleted.pop(state.oid, None)
        self._identities.remove(state)

    def _no_longer_pending(self, state: InstanceState) -> None:
        self._pending.pop(state.oid, None)
        if state.key is not None and self._new_keys.get(state.key) == state.oid:
            del self._new_keys[state.key]

    def _settle_deleted(self, what: Move) -> None:
        for instance in list(self._deleted.values()):
            state = remember(instance)
            state.move(what)
            self._drop(state)


def referenced(instance: Model) -> Iterable[Model]:
    """Return the instances that *instance* refers to."""
    return references_of(instance).values()


def references_of(instance: Model) -> dict[str, Model]:
    """Return the instances that *instance* refers to, by field name."""
    fields = class_mapping(type(instance)).references
    values = ((field.name, instance.__dict__.get(field.name)) for field in fields)
    return {name: value for name, value in values if isinstance(value, Model)}


def _expect_model(instance: object, method: str) -> Model:
    if not isinstance(instance, Model):
        raise UnmappedInstanceError(f"{method}() takes an instance of an odmantic.Model, got {instance!r}")
    return instance
