"""Instances made of instances: copies of their own, and what it takes for one to be new again.

Called by the facade's models and sessions.
"""

from __future__ import annotations

import copy

from odmantic import Model
from pydantic_core import PydanticUndefined

from . import odmantic_internals as odm
from .document_validator import finisher
from .errors import ArgumentError
from .instance_state import describe, state_of
from .mapping import Shape, class_mapping
from .states import Move, State


def make_new(instance: Model) -> None:
    """Make a copy an instance of its own, with the slot ODMantic writes to, which copying leaves empty."""
    mapping = class_mapping(type(instance))
    finisher(mapping)(instance)
    odm.mark_assigned(instance, set(mapping.fields))


def clone(instance: Model) -> Model:
    """Return a new instance with copies of the values of *instance* and a key of its own; it refers to the same
    instances.

    Raises:
        ArgumentError: keys of the model are not made up.
    """
    mapping = class_mapping(type(instance))
    key = odm.default_key(mapping.document_model)
    if key is PydanticUndefined:
        raise ArgumentError(
            f"cannot clone {describe(instance)}: keys of {mapping.name} are not made up; write "
            f"{mapping.name}(**{{**instance.model_dump(), {mapping.primary!r}: ...}}) with another key"
        )
    twin = copy.copy(instance)
    shared = {field.name for field in mapping.fields.values() if field.shape is Shape.REFERENCE}
    for name, value in twin.__dict__.items():
        if name not in shared:
            twin.__dict__[name] = copy.deepcopy(value)
    if twin.__pydantic_extra__ is not None:
        object.__setattr__(twin, "__pydantic_extra__", copy.deepcopy(twin.__pydantic_extra__))
    twin.__dict__[mapping.primary] = key
    twin.model_fields_set.discard(mapping.primary)
    make_new(twin)
    return twin


def make_transient(instance: Model) -> None:
    """Forget that *instance* was ever stored or in a session: added to one, it is inserted."""
    state = state_of(instance)
    if state is not None:
        if state.owner is not None:
            state.owner.let_loose(state)
        state.snapshot = state.as_read = None
        state.expired = False
        if state.state is State.DETACHED:
            state.move(Move.LOSE)
    make_new(instance)
