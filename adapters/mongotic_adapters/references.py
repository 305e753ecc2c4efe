"""The instances another instance refers to.

Asked by `adoption`, `bookkeeping` and `unit_of_work`.
"""

from __future__ import annotations

from collections.abc import Iterable

from odmantic import Model

from .mapping import class_mapping


def references_of(instance: Model) -> dict[str, Model]:
    """Return the instances that *instance* refers to, by field name."""
    fields = class_mapping(type(instance)).references
    values = ((field.name, instance.__dict__.get(field.name)) for field in fields)
    return {name: value for name, value in values if isinstance(value, Model)}


def referenced(instance: Model) -> Iterable[Model]:
    """Return the instances that *instance* refers to."""
    return references_of(instance).values()
