"""The instances another instance refers to.

Asked by `adoption`, `bookkeeping`, `journal`, `loading` and `unit_of_work`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from odmantic import Model

from .encoding import encode_key, stored_key
from .instance_state import InstanceState
from .mapping import class_mapping
from .unloaded import References, Target, Unloaded, put, unloaded


def references_of(instance: Model) -> dict[str, Target]:
    """Return what the reference fields of *instance* hold now, by field name; later changes do not reach it."""
    return {field.name: target_of(instance, field.name) for field in class_mapping(type(instance)).references}


def target_of(instance: Model, name: str) -> Target:
    """Return what a reference field of *instance* holds; a list is a copy."""
    value: object = instance.__dict__.get(name)
    what = unloaded(instance).get(name)
    models = [item for item in cast("list[object]", value) if isinstance(item, Model)] if _is_list(value) else None
    if what is not None:
        if what.found is None or models is None or _same(models, what.found):
            return what
        return Unloaded(stored_key(what, value), found=tuple(models), lost=what.lost)
    if models is not None:
        return models
    return value if isinstance(value, Model) else None


def links(instance: Model) -> Iterator[tuple[str, Model]]:
    """Yield the instances that *instance* refers to, each with the name of the field."""
    for field in class_mapping(type(instance)).references:
        value: object = instance.__dict__.get(field.name)
        if isinstance(value, Model):
            yield field.name, value
        elif _is_list(value):
            yield from ((field.name, item) for item in cast("list[object]", value) if isinstance(item, Model))


def referenced(instance: Model) -> list[Model]:
    """Return the instances that *instance* refers to."""
    return [target for _, target in links(instance)]


def replace_link(instance: Model, name: str, target: Model, other: Model) -> None:
    """Let *instance* refer to *other* wherever a field refers to *target*, another instance of the same document."""
    value: object = instance.__dict__[name]
    if isinstance(value, list):
        items = cast("list[object]", value)
        items[:] = [other if item is target else item for item in items]
    else:
        instance.__dict__[name] = other


def reconciled(earlier: References, read: References) -> References:
    """Return what a document refers to as it was read again, with what is loaded already in the place of what was not
    loaded this time."""
    if not any(isinstance(target, Unloaded) for target in read.values()):
        return read
    return {
        name: earlier[name] if isinstance(target, Unloaded) and _is_loaded(earlier.get(name), target) else target
        for name, target in read.items()
    }


def refer_to(state: InstanceState, instance: Model, read: References) -> None:
    """Let *instance* refer to the targets just read, where it holds nothing but the same keys, or other instances of
    the same documents: those are no longer in this session, or never were."""
    for name, target in read.items():
        own = target_of(instance, name)
        if own is None or target is None or own is target:
            continue
        if isinstance(own, Unloaded):
            if _is_loaded(target, own):
                put(instance, name, target)
                state.references = {**state.references, name: target}
        elif not isinstance(target, Unloaded) and _differ(own, target):
            for one, other in zip(_listed(own), _listed(target), strict=True):
                replace_link(instance, name, one, other)
            earlier = state.references.get(name)
            if earlier is not None and not isinstance(earlier, Unloaded) and _keys(earlier) == _keys(target):
                state.references = {**state.references, name: target}


def _differ(own: Model | list[Model], target: Model | list[Model]) -> bool:
    """Tell whether two fields hold different instances of the same documents."""
    ones, others = _listed(own), _listed(target)
    return not _same(ones, tuple(others)) and _keys(ones) == _keys(others)


def _listed(target: Model | list[Model]) -> list[Model]:
    return target if isinstance(target, list) else [target]


def _is_loaded(target: Target, what: Unloaded) -> bool:
    """Tell whether *target* is what the keys of *what* stand for."""
    if target is None or isinstance(target, Unloaded):
        return isinstance(target, Unloaded) and what.found is None and target.found is not None
    return _keys(target) == what.key


def _keys(target: Model | list[Model]) -> object:
    return [encode_key(item) for item in target] if isinstance(target, list) else encode_key(target)


def _same(some: list[Model], others: tuple[Model, ...]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def _is_list(value: object) -> bool:
    return isinstance(value, list)
