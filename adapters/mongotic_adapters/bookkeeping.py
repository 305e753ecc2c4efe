"""The books of one session: which instances it holds, in which state, and what is to be written.

Called by the session for everything that needs no I/O, and by the flows, which tell it what was read (`loading`) and
written (`settling`).  Every move is looked up in `states`; nothing here knows a database.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import cast

from odmantic import Model

from . import changes, snapshot
from . import odmantic_internals as odm
from .arrivals import Arrivals
from .collector import paused
from .document_validator import finisher
from .encoding import Document
from .errors import ArgumentError, InvalidRequestError
from .holdings import Merge
from .identity_map import IdentityKey, identity_of
from .instance_state import InstanceState, describe, remember, state_of
from .loading import Loading, expect_model
from .mapping import class_mapping
from .references import links, referenced, references_of, replace_link
from .snapshot import Difference
from .states import Move, State
from .unchanging import is_untouched


class Bookkeeping(Loading, Arrivals):
    """The instances of one session: what its user sees and does."""

    # -- what a user sees ----------------------------------------------------------------------------------------

    @property
    def new(self) -> list[Model]:
        """The instances the next flush stores for the first time, or again after they had left a session."""
        return list(self._pending.values())

    @property
    def dirty(self) -> list[Model]:
        """The stored instances whose values differ from what the database is believed to hold.

        It is asked for often, so that instances that cannot have changed unnoticed are not looked into; `to_update` is
        what a flush goes by.
        """
        with paused:
            return [
                instance
                for state, instance in self.stored()
                if state.state is State.PERSISTENT
                and not is_untouched(state, instance)
                and self._is_dirty(state, instance)
            ]

    @property
    def to_update(self) -> list[Model]:
        """The same, with a look into each: what was put past the attributes, into `__dict__`, is written too."""
        with paused:
            return [
                instance
                for state, instance in self.stored()
                if state.state is State.PERSISTENT and self._is_dirty(state, instance)
            ]

    def _is_dirty(self, state: InstanceState, instance: Model) -> bool:
        try:
            now = self.taker(type(instance))(instance)
        except ArgumentError:  # a value that cannot be stored was put in place; flush will say so
            return True
        return not changes.is_clean(state, now) and self.is_modified(instance)

    @property
    def merged(self) -> list[Merge]:
        """The merges the next flush writes."""
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
        yield from (instance for _, instance in self._held())

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
        if self._arrived(cast("Model", instance)):
            return
        model = expect_model(instance, "add")
        with self._undone_if_refused():
            self._add_with_references(model)

    def add_all(self, instances: Iterable[Model]) -> None:
        """Add several instances, one after the other; see `add`."""
        # Code of the user's, which a generator is, is none of what the collector is paused for.
        with paused if isinstance(instances, (list, tuple)) else nullcontext():
            for instance in instances:
                if not self._arrived(instance):
                    self.add(instance)

    @contextmanager
    def _undone_if_refused(self) -> Generator[None]:
        """Let go of what was added or merged inside the block along with something that is refused."""
        outer = self._arriving
        arriving: dict[int, Model] = {} if outer is None else outer
        self._arriving = arriving
        try:
            yield
        except InvalidRequestError:
            if outer is None:
                for instance in arriving.values():
                    self._release(remember(instance))
            raise
        finally:
            self._arriving = outer

    def _arrives(self, place: Container[int], state: InstanceState, instance: Model) -> None:
        """Note what is about to come to a place of the books, for `_undone_if_refused`."""
        if self._arriving is not None and state.oid not in place:
            self._arriving[state.oid] = instance

    def _add_with_references(self, model: Model) -> None:
        self._make_one(model)
        stored = self._known(model).state is not State.TRANSIENT
        assigned = odm.assigned_fields(model) or set()
        for name, target in links(model):
            # ODMantic stores what an instance refers to along with it.
            self._add_referenced(target, stored=stored and name not in assigned)
        self._add_one(model)

    def _make_one(self, instance: Model) -> None:
        """Let *instance* refer to the instances this session holds, where it refers to others of the same documents."""
        for name, target in list(links(instance)):
            state = self._identities.find(identity_of(target))
            held = None if state is None or state.state is State.MARKED else state()
            if held is not None and held is not target:
                replace_link(instance, name, target, held)

    def _add_referenced(self, target: Model, *, stored: bool = False) -> None:
        """Take care of what a reference points to, if nobody else does; to be referred to, its key is enough."""
        state = state_of(target)
        if state is not None and (state.owner is not None or state.is_lost):
            return
        self._known(target, stored=stored, referenced=True)
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
        self._record(state, instance)
        if state.is_lost:  # not before: what is refused must not become one that is stored along with others
            state.move(Move.LOSE)
        state.move(Move.ADD)
        state.owner_ref = self._self_ref
        if was is State.MARKED:
            del self._marked[state.oid]
        elif state.state is State.RETURNED:
            self._displace(key)
            self._identities.put(key, state, instance)
            self._arrives(self._pending, state, instance)
            self._pending[state.oid] = instance
        elif state.state is State.PENDING:
            # A default that was copied lacks the slot ODMantic writes to, and could never be changed.
            finisher(class_mapping(type(instance)))(instance)
            self._arrives(self._pending, state, instance)
            self._pending[state.oid] = instance
            state.key = key
            self._new_keys[key] = state.oid

    def delete(self, instance: object) -> None:
        """Mark *instance*, so that the next flush removes its document.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: it was never stored, or another session holds it.
        """
        model = expect_model(instance, "delete")
        state = self._known(model)
        name = describe(model)
        self._expect_free(state, name)
        if state.state is State.MARKED:
            return
        if state.is_lost:
            raise InvalidRequestError(f"cannot delete {name}: its document is gone already")
        if state.owner is not self and state.state is State.DETACHED:
            self._expect_vacant(identity_of(model), name)
        key = identity_of(model)
        present = self._identities.find(key)
        if key in self._displaced or (present is not None and present is not state):
            raise InvalidRequestError(
                f"{name}: another instance of the same document is marked for deletion already; expunge() this one"
            )
        self._record(state, model)
        state.move(Move.DELETE)
        if state.owner is not self:
            state.owner_ref = self._self_ref
            self._identities.put(key, state, model)
        self._identities.hold(state, model)
        self._no_longer_pending(state)
        self._marked[state.oid] = model

    def merge(self, instance: object, *, exclude_unset: bool = False) -> Model:
        """Stage the state of *instance* to be written, as a new document if there is none with its key.

        Arguments:
            instance: any instance that no other session holds.
            exclude_unset: only the fields that were set explicitly; the others count for a new document alone.

        Returns:
            The instance the session holds for that document, with the values of *instance*; that itself if it holds
            none.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it, or it is deleted or marked for deletion.
        """
        model = expect_model(instance, "merge")
        mapping = class_mapping(type(model))
        state = self._known(model)
        self._expect_free(state, describe(model))
        if state.state in (State.TRANSIENT, State.PENDING) and mapping.primary not in model.model_fields_set:
            self.add(model)  # a key that was made up belongs to no document
            return model
        key = identity_of(model)
        if key in self._displaced:
            raise InvalidRequestError(
                f"{describe(model)}: another instance of the same document is marked for deletion"
            )
        with self._undone_if_refused():
            return self._merge(model, key, exclude_unset=exclude_unset)

    def _merge(self, model: Model, key: IdentityKey, *, exclude_unset: bool) -> Model:
        mapping = class_mapping(type(model))
        state = remember(model)
        self._make_one(model)
        present = self._identities.find(key)
        held = None if present is None else present()
        if held is None and state.owner is not self and key in self._new_keys:
            self._expect_vacant(key, describe(model))
        for target in referenced(model):
            self._merge_referenced(target, exclude_unset=exclude_unset)
        wanted = self._set_keys(model) if exclude_unset else None
        if present is not None and held is not None and held is not model:
            self._record(present, held)
            keys = None if wanted is None else wanted | self._unwritten_keys(present, held)
            present.move(Move.MERGE)
            changes.copy_over(mapping, held, model, lambda key: key != "_id" and (wanted is None or key in wanted))
            self._stage_merge(present, held, keys)
            return held
        self._record(state, model)
        if wanted is not None and state.is_stored:
            wanted |= self._unwritten_keys(state, model)
        state.move(Move.MERGE)
        state.owner_ref = self._self_ref
        finisher(mapping)(model)
        self._identities.put(key, state, model)
        self._stage_merge(state, model, wanted)
        return model

    def _merge_referenced(self, target: Model, *, exclude_unset: bool) -> None:
        """Take care of what a merged instance refers to: where its key was given and nothing else is known of it, as of
        a copy or what was pickled, there may be a document, and it is merged, too."""
        key = identity_of(target)
        is_known = self._known(target, referenced=True).state is not State.TRANSIENT
        has_place = self._identities.find(key) is not None or key in self._new_keys
        if is_known or has_place or class_mapping(type(target)).primary not in target.model_fields_set:
            self._add_referenced(target)
        else:
            self._merge(target, key, exclude_unset=exclude_unset)

    def _stage_merge(self, state: InstanceState, instance: Model, keys: set[str] | None) -> None:
        self._no_longer_pending(state)
        earlier = self._merged.get(state.oid)
        if earlier is not None and keys is not None:
            keys = None if earlier.keys is None else keys | earlier.keys
        self._arrives(self._merged, state, instance)
        self._merged[state.oid] = Merge(instance, keys)

    def _set_keys(self, instance: Model) -> set[str]:
        """Return the keys of the fields of *instance* that were set explicitly."""
        mapping = class_mapping(type(instance))
        fields = (mapping.fields.get(name) for name in instance.model_fields_set)
        extra = (instance.__pydantic_extra__ or {}).keys()
        return {field.key for field in fields if field is not None} | extra

    def _unwritten_keys(self, state: InstanceState, instance: Model) -> set[str]:
        if not state.is_stored:
            return set()
        return changes.unwritten_keys(state, instance, self.codec(class_mapping(type(instance))))

    def expire(self, instance: object, names: Iterable[str] | None = None) -> None:
        """Note that the database may hold something newer: values stay, and none of them is written any more.

        Arguments:
            instance: a stored instance of this session.
            names: the fields meant; None for all.

        Raises:
            InvalidRequestError: the session does not hold it, or it is not stored.
            ArgumentError: a name is no field.
        """
        model = expect_model(instance, "expire")
        state = state_of(model)
        if state is None or state.owner is not self or state.state not in (State.PERSISTENT, State.MARKED):
            raise InvalidRequestError(
                f"cannot expire {describe(model)}: this session holds no stored instance of that kind"
            )
        self._record(state, model)
        mapping = class_mapping(type(model))
        codec = self.codec(mapping)
        earlier = snapshot.decode(changes.believed(state, mapping, codec), codec)
        now = changes.encodable(mapping, model, codec)
        # What cannot be stored is believed as before: it shows in `dirty` until a refresh overwrites it.
        now |= {key: value for key, value in earlier.items() if key in mapping.by_key and key not in now}
        keys = {*earlier, *now} if names is None else {mapping.field(name, "expire()").key for name in names}
        state.snapshot = snapshot.encode_document(changes.replaced(earlier, now, keys), codec, describe(model))
        state.references = {
            **state.references,
            **{name: what for name, what in references_of(model).items() if mapping.fields[name].key in keys},
        }
        state.as_read = None
        state.expired = True

    def expire_all(self) -> None:
        """Note that the database may hold something newer for every stored instance; see `expire`."""
        for state, instance in self._held():
            if state.state in (State.PERSISTENT, State.MARKED) and self.is_modified(instance):
                self.expire(instance)
            state.expired = state.state in (State.PERSISTENT, State.MARKED)

    def expunge(self, instance: object) -> None:
        """Let go of *instance*; its values stay as they are, its unwritten changes are not written by this session.

        A stranger is ignored.
        """
        if not isinstance(instance, Model):
            return
        state = state_of(instance)
        if state is not None and state.owner is self:
            self.let_loose(state)
            state.expunged_from = self._self_ref

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
        for merge in list(self._merged.values()):
            state = remember(merge.instance)
            if state.is_stored:
                state.move(Move.ROLLBACK)
            else:
                self._release(state)
        self._merged.clear()
        for instance in self._marked.values():
            remember(instance).move(Move.ROLLBACK)
        self._marked.clear()
        for state, instance in self.stored():
            self._restore(state, instance)
        self._identities.count_all()
        self._settle_deleted(Move.ROLLBACK)

    def release_all(self) -> None:
        """Let go of every instance, as `expunge` does."""
        outside = (*self._pending.values(), *self._deleted.values(), *self._displaced.values())
        for state in (*map(remember, outside), *self._identities.states()):
            if state.owner_ref is not None:  # one that was added again is among both
                state.release()
                state.owner_ref = None
        for held in (self._pending, self._new_keys, self._marked, self._merged, self._deleted, self._displaced):
            held.clear()
        self._identities.clear()

    # -- what the unit of work asks ------------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Tell whether a flush would write anything."""
        return bool(self._pending or self._merged or self._marked or self.to_update)

    @property
    def has_only_new(self) -> bool:
        """Whether all that is pending was never stored."""
        return len(self._new_keys) == len(self._pending)

    def cascade(self) -> None:
        """Add the transient instances that held instances refer to by now."""
        for instance in self.new:
            unsaved = odm.assigned_fields(instance)
            if unsaved is not None and class_mapping(type(instance)).primary not in unsaved:
                self._notice_saved(instance)
        stored = (instance for _, instance in self.stored())
        held = [*stored, *self._pending.values(), *(merge.instance for merge in self.merged)]
        referring = {kind for kind in set(map(type, held)) if class_mapping(kind).references}
        for instance in [each for each in held if type(each) in referring] if referring else ():
            self._make_one(instance)
            for target in referenced(instance):
                if not self._is_expunged(target):
                    self._add_referenced(target)

    def _is_expunged(self, instance: Model) -> bool:
        """Tell whether this session was told not to write the changes of a stored instance."""
        state = state_of(instance)
        return state is not None and state.is_stored and state.expunged_from is self._self_ref

    def _notice_saved(self, instance: Model) -> None:
        """See that an instance that ODMantic has saved since it was added is no insert any more."""
        state = remember(instance)
        if state.state is State.PENDING:
            self._release(state)
            self._add_one(instance)

    def unwritten(self, state: InstanceState, instance: Model) -> tuple[Difference, bytes]:
        """Return what a stored instance has that the database is not believed to hold, and its snapshot once that is
        written.

        Raises:
            ArgumentError: a value cannot be stored.
        """
        now = self.taker(type(instance))(instance)
        if changes.is_clean(state, now):
            return Difference(), now
        return changes.unwritten(state, instance, self.codec(class_mapping(type(instance))), now)

    def believed(self, instance: Model) -> Document:
        """Return what the database is believed to hold for a stored instance; fields it has assigned since ODMantic
        loaded it are as they are now."""
        mapping = class_mapping(type(instance))
        codec = self.codec(mapping)
        document = snapshot.decode(changes.believed(remember(instance), mapping, codec), codec)
        return {**changes.encodable(mapping, instance, codec), **document}
