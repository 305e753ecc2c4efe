"""What was read: the part of the books that flows tell of documents.

One document is one instance: `load` gives the one that is held, with the values just read where it has no unwritten
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from odmantic import Model

from . import changes, snapshot
from . import odmantic_internals as odm
from .errors import ArgumentError, InvalidRequestError, UnmappedInstanceError
from .holdings import Holdings
from .hydration import hydrate, hydrate_all
from .identity_map import PLAIN_KEYS, IdentityKey, identity_key, identity_of
from .instance_state import InstanceState, describe, remember, remember_all, state_of
from .mapping import Mapping, class_mapping
from .records import Record
from .references import reconciled, refer_to, references_of
from .shown import shown
from .states import MOVES, Move, State
from .unloaded import References

_LOADED = MOVES[State.TRANSIENT, Move.LOAD]


class Loading(Holdings):
    """The books of what was read."""

    def find(self, mapping: Mapping, key: object) -> Model | None:
        """Return the held instance of a document, or None."""
        state = self._identities.find(identity_key(mapping, key))
        held = None if state is None else state()
        if self._cache_size is not None and state is not None and held is not None:
            self._identities.hold(state, held)
        return held

    def is_expired(self, instance: Model) -> bool:
        """Tell whether the database may hold something newer than *instance*."""
        state = state_of(instance)
        return state is not None and state.expired

    def is_merged(self, instance: Model) -> bool:
        """Tell whether the next flush writes *instance*, whether or not there is a document."""
        state = state_of(instance)
        return state is not None and state.state is State.MERGED

    def load(
        self,
        mapping: Mapping,
        record: Record,
        references: References,
        *,
        in_passing: bool = False,
        overwrite: bool = False,
    ) -> Model:
        """Return the one instance of a document that was just read.

        An instance held already takes the values read in every field that has no unwritten change.

        Arguments:
            mapping: the model.
            record: the document.
            references: the instances it refers to, by field name.
            in_passing: it may be let go as soon as nobody else holds it, unless it is changed by then.
            overwrite: fields with unwritten changes take the values read, too.

        Raises:
            DocumentError: the document does not fit the model.
        """
        key = identity_key(mapping, record[0]["_id"])
        state = self._identities.find(key)
        held = None if state is None else state()
        if state is not None and held is not None:
            if references:
                references = reconciled(state.references, references)
            if overwrite:
                self._overwrite(state, held, hydrate(mapping, record[0], references), record)
            elif state.state is State.MERGED:
                pass  # its whole state will be written
            elif record[1] != state.as_read or len(references) < len(mapping.references):
                self._record(state, held)
                changes.renew(state, held, record, references, self.codec(mapping))
            if references:
                refer_to(state, held, references)
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
        self._trim()
        self.events.tell_now("load", fresh)
        return fresh

    def load_all(
        self,
        mapping: Mapping,
        records: Sequence[Record],
        references: Sequence[References],
        *,
        in_passing: bool = False,
        overwrite: bool = False,
    ) -> list[Model]:
        """Return the instances of several documents that were just read; see `load`."""
        fresh = self._load_new(mapping, records, references, in_passing=in_passing)
        if fresh is not None:
            return fresh
        return [
            self.load(mapping, record, found, in_passing=in_passing, overwrite=overwrite)
            for record, found in zip(records, references, strict=True)
        ]

    def _load_new(
        self, mapping: Mapping, records: Sequence[Record], references: Sequence[References], *, in_passing: bool
    ) -> list[Model] | None:
        """Load documents that are all met for the first time, of a class without code of the user's for reading: most
        of a large result.

        Returns:
            None where it takes more than that; nothing was done then.
        """
        if (
            not mapping.repeatable
            or self._cache_size is not None
            or self.events.listeners("load", mapping.document_model)
        ):
            return None
        model = mapping.model
        keys: list[IdentityKey] = [
            (model, key) if type(key := document["_id"]) in PLAIN_KEYS else identity_key(mapping, key)
            for document, _ in records
        ]
        if not self._identities.lacks(keys):
            return None
        documents = [document for document, _ in records]
        instances = hydrate_all(mapping, documents, references)
        if instances is None:
            return None
        states, owner = remember_all(instances), self._self_ref
        placed = dict(zip(keys, states, strict=True))
        if len(placed) < len(keys):  # a document came twice
            return None
        for state, key, (_, as_read) in zip(states, keys, records, strict=True):
            state.state = _LOADED
            state.owner_ref = owner
            state.key = key
            state.as_read = as_read
            state.in_passing = in_passing
        if mapping.references:
            for state, found in zip(states, references, strict=True):
                state.references = found
        self._identities.put_all(placed, instances)
        return instances

    def expect_reloadable(self, instance: object) -> Model:
        """Return *instance* if its document can be read again into it.

        Raises:
            UnmappedInstanceError: it is no model instance.
            InvalidRequestError: another session holds it, or this one holds another instance of its document.
            ArgumentError: it was never stored.
        """
        model = expect_model(instance, "refresh")
        state = self._known(model)
        self._expect_free(state, describe(model))
        if not state.is_stored:
            raise ArgumentError(f"cannot refresh {describe(model)}: it was never stored")
        if state.owner is not self:
            self._expect_vacant(identity_of(model), describe(model))
            if self._identities.find(identity_of(model)) is not None:
                raise InvalidRequestError(
                    f"{describe(model)}: another instance of the same document is marked for deletion"
                )
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

        Raises:
            DocumentError: the document does not fit the model; everything is as it was.
        """
        mapping = class_mapping(type(instance))
        state = self._known(instance)
        fresh = hydrate(mapping, record[0], references)
        self._record(state, instance)
        if state.owner is not self:
            state.move(Move.LOAD)
            state.owner_ref = self._self_ref
        if names is None:
            self._overwrite(state, instance, fresh, record)
        else:
            codec = self.codec(mapping)
            keys = {mapping.field(name, "refresh()").key for name in names}
            earlier = snapshot.decode(changes.believed(state, mapping, codec), codec)
            changes.take_over(mapping, instance, fresh, keys.__contains__)
            read = snapshot.decode(snapshot.take(mapping, fresh, codec), codec)
            kept = changes.replaced(earlier, read, keys)
            state.snapshot, state.as_read = snapshot.encode_document(kept, codec, describe(instance)), None
            state.absent = changes.mixed_absent(state.absent, changes.absent_paths(read, record[0]), keys)
            state.references = {**state.references, **{name: references[name] for name in names if name in references}}
        state.expired = False
        self._identities.put(identity_of(instance), state, instance)
        odm.mark_assigned(instance, set())

    def _overwrite(self, state: InstanceState, instance: Model, fresh: Model, record: Record) -> None:
        """Give *instance* every value of *fresh*, its document as it was just read; a staged merge of it is dropped."""
        self._record(state, instance)
        state.move(Move.LOAD)
        self._merged.pop(state.oid, None)
        mapping = class_mapping(type(instance))
        wanted = {*mapping.by_key, *record[0], *(instance.__pydantic_extra__ or {})}
        changes.take_over(mapping, instance, fresh, wanted.__contains__)
        changes.remember_read(state, mapping, fresh, record[0], self.codec(mapping))
        state.as_read = record[1]
        state.references = references_of(instance)
        odm.mark_assigned(instance, set())

    def expire_model(self, mapping: Mapping) -> None:
        """Note that a statement may have changed any document of a model."""
        for state in self._identities.states():
            if state.key is not None and state.key[0] is mapping.model:
                state.expired = True

    def held(self, mapping: Mapping) -> dict[IdentityKey, Model]:
        """Return the stored instances of a model that the session holds."""
        return {
            state.key: instance
            for state, instance in self._held()
            if state.key is not None and state.key[0] is mapping.model
        }

    def flag_expired(self, instances: Iterable[Model]) -> None:
        """Note that the database may hold something newer for some instances."""
        for instance in instances:
            remember(instance).expired = True


def expect_model(instance: object, method: str) -> Model:
    """Return *instance* if it is one of a model.

    Raises:
        UnmappedInstanceError: it is not.
    """
    if not isinstance(instance, Model):
        raise UnmappedInstanceError(f"{method}() takes an instance of an odmantic.Model, got {shown(instance)}")
    return instance
