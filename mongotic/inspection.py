"""Where an instance stands towards its session: `inspect`, `object_session`, `make_transient`.

They work alike on plain ODMantic models and on `MongoBaseModel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from odmantic import Model

from mongotic_adapters import changes, copies
from mongotic_adapters.encoding import encode_named
from mongotic_adapters.instance_state import describe, state_of
from mongotic_adapters.loading import expect_model
from mongotic_adapters.mapping import Shape, class_mapping
from mongotic_adapters.states import State

from .exceptions import ArgumentError

if TYPE_CHECKING:
    from .asyncio.session import AsyncSession
    from .session import Session


class History(NamedTuple):
    """The value of one field: as the database is believed to hold it, and as the instance has it."""

    old: object
    new: object


class InstanceInspection:
    """Where one instance stands, asked anew each time.  Made by `inspect`."""

    def __init__(self, instance: Model) -> None:
        self._instance = instance

    @property
    def _state(self) -> State:
        state = state_of(self._instance)
        return State.TRANSIENT if state is None else state.state

    @property
    def _is_new(self) -> bool:
        """Whether it is merged, and no document of it was ever seen."""
        return self._state is State.MERGED and not self._is_stored

    @property
    def _is_stored(self) -> bool:
        state = state_of(self._instance)
        return state is not None and state.is_stored

    @property
    def transient(self) -> bool:
        """Whether it is in no session and was never stored by one."""
        return self._state is State.TRANSIENT

    @property
    def pending(self) -> bool:
        """Whether it was added, and waits to be stored by the next flush."""
        return self._state in (State.PENDING, State.RETURNED) or self._is_new

    @property
    def persistent(self) -> bool:
        """Whether it is stored and held by a session."""
        return self._state in (State.PERSISTENT, State.MERGED, State.MARKED) and not self._is_new

    @property
    def deleted(self) -> bool:
        """Whether a flush has removed its document, and that is not committed yet."""
        return self._state is State.DELETED

    @property
    def detached(self) -> bool:
        """Whether it was stored once, and is in no session now."""
        return self._state is State.DETACHED

    @property
    def session(self) -> Session | AsyncSession | None:
        """The session that holds it, or None."""
        return object_session(self._instance)

    @property
    def identity(self) -> object:
        """The primary key of its document; None until there is one."""
        return class_mapping(type(self._instance)).key_of(self._instance) if self._is_stored else None

    @property
    def expired(self) -> bool:
        """Whether the database may hold something newer; see `Session.expire`."""
        state = state_of(self._instance)
        return state is not None and state.expired

    @property
    def modified_fields(self) -> tuple[str, ...]:
        """The fields with values the database is not believed to hold; for an instance never stored, all of them."""
        mapping = class_mapping(type(self._instance))
        state = state_of(self._instance)
        if state is None or not state.is_stored:
            return tuple(mapping.fields)
        keys = changes.unwritten_keys(state, self._instance, changes.codec_of(state))
        return (
            *(field.name for field in mapping.fields.values() if field.key in keys),
            *sorted(keys - mapping.by_key.keys()),
        )

    def foreign_key(self, name: str) -> object:
        """Return what the document holds for a reference, loaded or not: the key, None, or a list of keys.

        Arguments:
            name: the field's name.

        Raises:
            ArgumentError: there is no such field, or it is no reference.
        """
        mapping = class_mapping(type(self._instance))
        if mapping.field(name, "foreign_key()").shape is not Shape.REFERENCE:
            raise ArgumentError(f"foreign_key(): {mapping.name}.{name} is no reference to another document")
        return encode_named(mapping, self._instance, name)

    def history(self, name: str) -> History:
        """Return the stored and the present value of a field.

        Arguments:
            name: the field's name.

        Returns:
            A named tuple `(old, new)`; *old* is None for an instance that was never stored.

        Raises:
            ArgumentError: there is no such field.
        """
        class_mapping(type(self._instance)).field(name, "history()")
        state = state_of(self._instance)
        new: object = getattr(self._instance, name)
        if state is None or not state.is_stored:
            return History(None, new)
        return History(changes.believed_value(state, self._instance, name, changes.codec_of(state)), new)

    def __repr__(self) -> str:
        words = [self._state.value] + (["expired"] if self.expired else [])
        return f"<{describe(self._instance)}: {', '.join(words)}>"


def inspect(instance: Model) -> InstanceInspection:
    """Return where an instance stands towards its session; nothing is sent.

    Arguments:
        instance: an instance of an ODMantic model or a `MongoBaseModel`.

    Raises:
        UnmappedInstanceError: it is no model instance.
    """
    return InstanceInspection(expect_model(instance, "inspect"))


def object_session(instance: Model) -> Session | AsyncSession | None:
    """Return the session that holds *instance*, or None; nothing is sent.

    Raises:
        UnmappedInstanceError: it is no model instance.
    """
    state = state_of(expect_model(instance, "object_session"))
    owner = None if state is None else state.owner
    return None if owner is None else cast("Session | AsyncSession | None", owner.session())


def make_transient(instance: Model) -> None:
    """Make *instance* a new one: out of its session, and as if it had never been stored.  Its document stays.

    Added to a session it is inserted, under the key it has; give it another one with `Session.clone` instead.

    Raises:
        UnmappedInstanceError: it is no model instance.
    """
    copies.make_transient(expect_model(instance, "make_transient"))
