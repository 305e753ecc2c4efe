"""Which classes hold nothing that could change inside: all of a change of an instance is that a field was assigned.

Used by `bookkeeping`, which need not look into such an instance when ODMantic has marked no field of it.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import types
import uuid
from functools import lru_cache
from typing import Annotated, Literal, Union, cast, get_args, get_origin

import bson
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from odmantic import Model
from odmantic import bson as odm_bson

from . import odmantic_internals as odm
from .instance_state import InstanceState
from .mapping import class_mapping

_UNCHANGING: frozenset[object] = frozenset(
    {
        str, int, float, bool, bytes, type(None), decimal.Decimal, uuid.UUID,
        datetime.date, datetime.time, datetime.timedelta,
        bson.ObjectId, Decimal128, Int64,
        odm_bson.ObjectId, odm_bson.Int64, odm_bson.Decimal128,
    }
)  # fmt: skip


def is_untouched(state: InstanceState, instance: Model) -> bool:
    """Tell whether it is certain, without a look at the values, that nothing was assigned since an instance was read.

    Only what was read and not yet written has marks to go by: they are cleared when a write is settled, and a field may
    have been assigned while that was on its way.
    """
    if state.as_read is None or not is_unchanging(type(instance)):
        return False
    assigned = odm.assigned_fields(instance)
    return assigned is not None and not assigned


@lru_cache(maxsize=4096)
def is_unchanging(model: type[Model]) -> bool:
    """Tell whether every field of a class is declared as values that cannot change inside."""
    mapping = class_mapping(model)
    if mapping.keeps_extra or mapping.own_serializers or mapping.references:
        return False
    return all(_is_unchanging(cast("object", model.model_fields[name].annotation)) for name in mapping.fields)


def _is_unchanging(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin is Literal:
        return True
    if origin is Annotated:
        return _is_unchanging(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return all(map(_is_unchanging, get_args(annotation)))
    # ODMantic has a class of its own in the place of datetime.
    return annotation in _UNCHANGING or (
        isinstance(annotation, type) and issubclass(annotation, (datetime.datetime, enum.Enum))
    )
