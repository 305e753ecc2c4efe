"""References whose targets were not loaded: what an instance holds instead, so that no stored key is ever lost.

The keys travel with the instance, among its private values: a copy, a pickled one and one that changed sessions write
the same keys as the one that was loaded.  Asked by `encoding`, `hydration`, `changes` and `references`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias, cast

from odmantic import Model

from . import odmantic_internals as odm
from .errors import InvalidRequestError

_SLOT = "__mongotic_unloaded__"


class Unloaded:
    """What a reference field holds whose targets were not loaded.

    Arguments:
        key: what the document holds: a key, or a list of keys.
        raises: reading the field raises `InvalidRequestError`; otherwise it is None.
        found: the targets of a list that were found, where others are missing; None for a field that was not loaded.
        lost: the keys of the others, which stay in the document until another list is assigned.
    """

    __slots__ = ("found", "key", "lost", "raises")

    # No dataclass: pyright takes an attribute declared as Model for unknown, because of the metaclass.
    def __init__(
        self,
        key: object,
        *,
        raises: bool = False,
        found: tuple[Model, ...] | None = None,
        lost: tuple[object, ...] = (),
    ) -> None:
        self.key = key
        self.raises = raises
        self.found = found
        self.lost = lost

    def __copy__(self) -> Unloaded:
        return self

    def __deepcopy__(self, memo: object) -> Unloaded:
        return self  # nobody changes it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unloaded) and (self.key, self.raises) == (other.key, other.raises)

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickled, (self.key, self.raises, self.found, self.lost)

    def __repr__(self) -> str:
        return f"<not loaded: {self.key!r}>"


def _unpickled(key: object, raises: bool, found: tuple[Model, ...] | None, lost: tuple[object, ...]) -> Unloaded:
    return Unloaded(key, raises=raises, found=found, lost=lost)


Target: TypeAlias = Model | list[Model] | Unloaded | None
"""What a reference field holds."""

References: TypeAlias = Mapping[str, Target]
"""What a document refers to, by field name."""

NO_REFERENCES: References = MappingProxyType({})

NOTHING: Mapping[str, Unloaded] = MappingProxyType({})


def unloaded(instance: Model) -> Mapping[str, Unloaded]:
    """Return the reference fields of *instance* that were neither loaded nor set since."""
    private = cast("dict[str, object] | None", instance.__pydantic_private__)
    if not private or _SLOT not in private:
        return NOTHING
    held = cast("Mapping[str, Unloaded]", private[_SLOT])
    # Pydantic notes every assignment there; a loaded field is in it, too.
    assigned = instance.model_fields_set
    return {name: what for name, what in held.items() if name not in assigned}


class _Guard(odm.FieldProxy):
    """ODMantic's class attribute of a field, which an instance without a value falls back to."""

    __slots__ = ()

    def __get__(self, instance: Model | None, owner: type[Model]) -> _Guard:
        if instance is not None:
            refuse(instance, odm.name_of(owner, self))
        return self


def guard(model: type[Model], name: str) -> None:
    """See that reading a field without a value raises: on a plain ODMantic model it would give the class attribute."""
    proxy = vars(model).get(name)
    if isinstance(proxy, odm.FieldProxy) and not isinstance(proxy, _Guard):
        type.__setattr__(model, name, _Guard(None, odm.odm_fields(model)[name]))


def refuse(instance: Model, name: str) -> None:
    """Refuse to read a field that was not loaded and is to raise then.

    Raises:
        InvalidRequestError: it is such a field.
    """
    what = unloaded(instance).get(name)
    if what is not None and what.raises:
        model = cast("type", type(instance)).__name__
        raise InvalidRequestError(
            f"{model}.{name} was not loaded, because the query said raiseload({model}.{name}); load it with "
            f'session.refresh(instance, ["{name}"]), or ask for its key: inspect(instance).foreign_key("{name}")'
        )


def put(instance: Model, name: str, target: Target) -> None:
    """Let a reference field of *instance* hold *target*, past the validators."""
    private = cast("dict[str, object] | None", instance.__pydantic_private__) or {}
    held = dict(cast("Mapping[str, Unloaded]", private.get(_SLOT, NOTHING)))
    if isinstance(target, Unloaded):
        held[name] = target
        instance.model_fields_set.discard(name)
        if target.raises:
            instance.__dict__.pop(name, None)
            guard(type(instance), name)
        else:
            instance.__dict__[name] = None if target.found is None else list(target.found)
    else:
        if held.pop(name, None) is not None:
            instance.model_fields_set.add(name)
        instance.__dict__[name] = list(target) if isinstance(target, list) else target
    if held or _SLOT in private:
        rest: dict[str, object] = {key: value for key, value in private.items() if key != _SLOT}
        if held:
            rest[_SLOT] = held  # never changed in place: copies of the instance share it
        object.__setattr__(instance, "__pydantic_private__", rest or None)
