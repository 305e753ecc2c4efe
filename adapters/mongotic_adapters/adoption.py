"""What is known of an instance that mongotic meets for the first time: ODMantic may have stored or loaded it before.

Called by `holdings`.  ODMantic marks the primary field of an instance as assigned exactly until it has saved or loaded
it; that tells the two kinds apart.
"""

from __future__ import annotations

from odmantic import Model

from . import odmantic_internals as odm
from . import snapshot
from .encoding import encode_field
from .instance_state import InstanceState, describe, remember
from .mapping import Mapping, class_mapping
from .references import references_of
from .snapshot import Codec
from .states import Move, State


def known(instance: Model, codec: Codec, *, stored: bool = False, referenced: bool = False) -> InstanceState:
    """Return the state of *instance*, seeing that ODMantic may have stored or loaded it before mongotic met it.

    Arguments:
        instance: any instance.
        codec: the codec options of its collection.
        stored: it is known to be stored, whatever ODMantic's marks say: it was loaded as part of another.
        referenced: it is met as part of another; no change made to its containers before is assumed.
    """
    state = remember(instance)
    mapping = class_mapping(type(instance))
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
        state.snapshot = _assumed(mapping, instance, unsure, codec)
        state.references = references_of(instance)
    return state


def _assumed(mapping: Mapping, instance: Model, unsure: set[str], codec: Codec) -> bytes:
    """Return what the database may be assumed to hold for an instance that ODMantic stored or loaded.

    What ODMantic's own `save` would write now is left out, so that it is written: the assigned fields, and every
    container, in which ODMantic does not notice a change.
    """
    sure = {
        field.key: encode_field(field, getattr(instance, name))
        for name, field in mapping.fields.items()
        if name not in unsure
    }
    return snapshot.encode_document(sure, codec, describe(instance))
