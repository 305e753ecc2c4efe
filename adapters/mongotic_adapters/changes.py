"""What one stored instance has that its document has not, and how values pass between the two.

Called by `bookkeeping`, which knows which instances a session holds; nothing here knows a session.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import cast

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from odmantic import Model

from . import odmantic_internals as odm
from . import snapshot
from .document_validator import finisher
from .encoding import Document, encode_named, is_document
from .errors import ArgumentError, DocumentError
from .hydration import hydrate
from .instance_state import InstanceState, describe
from .mapping import Mapping, class_mapping
from .records import Record
from .references import reconciled, references_of
from .snapshot import Codec, Difference
from .unloaded import References, Unloaded, put

# Without a representation, the driver would refuse every UUID.
_USUAL: Codec = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


def unwritten(
    state: InstanceState, instance: Model, codec: Codec, now: bytes | None = None
) -> tuple[Difference, bytes]:
    """Return what *instance* has that the database is not believed to hold, and its snapshot once that is written.

    Arguments:
        state: what is remembered of it.
        instance: the instance.
        codec: the codec options of its collection.
        now: the instance as it is now, if that is at hand.

    Raises:
        ArgumentError: a value cannot be stored.
    """
    mapping = class_mapping(type(instance))
    if now is None:
        now = snapshot.take(mapping, instance, codec)
    if is_clean(state, now):
        return Difference(), now
    found = snapshot.difference(believed(state, mapping, codec), now, codec)
    if found and state.absent:
        _assign_whole(found, state.absent, snapshot.decode(now, codec))
    return found, now


def is_clean(state: InstanceState, now: bytes) -> bool:
    """Tell whether an instance is, to the byte, what the database is believed to hold."""
    return now in (state.as_read, state.snapshot)


def is_modified(state: InstanceState, instance: Model, codec: Codec) -> bool:
    """Tell whether *instance* has values the database is not believed to hold."""
    try:
        return bool(unwritten(state, instance, codec)[0])
    except ArgumentError:  # a value that cannot be stored was put in place; flush will say so
        return True


def believed(state: InstanceState, mapping: Mapping, codec: Codec) -> bytes:
    """Return the snapshot of a stored instance, made now of what was read if it was not needed before.

    Made of an instance and not of the document itself: a default that stands in for a missing key is no difference.
    """
    if state.snapshot is None:
        as_read = snapshot.decode(cast("bytes", state.as_read), codec)
        fresh = hydrate(mapping, as_read, state.references)
        remember_read(state, mapping, fresh, as_read, codec, state.as_read)
    return cast("bytes", state.snapshot)


def remember_read(
    state: InstanceState,
    mapping: Mapping,
    instance: Model,
    as_read: Document,
    codec: Codec,
    encoded: bytes | None = None,
) -> None:
    """Take the snapshot of an instance that was just made of a document.

    Arguments:
        state: what is remembered of it.
        mapping: its model.
        instance: the instance.
        as_read: the document.
        codec: the codec options of its collection.
        encoded: the document as it came, if that is at hand.
    """
    state.snapshot = snapshot.take(mapping, instance, codec)
    if state.snapshot == encoded:  # it lacks nothing
        state.absent = frozenset()
    else:
        state.absent = absent_paths(snapshot.decode(state.snapshot, codec), as_read)


def renew(state: InstanceState, held: Model, record: Record, references: References, codec: Codec) -> None:
    """Give *held* the values of its document as it was read again, where it has no unwritten change.

    Raises:
        DocumentError: the document does not fit the model; *held* is as it was.
    """
    mapping = class_mapping(type(held))
    fresh = hydrate(mapping, record[0], references)
    mine = unwritten_keys(state, held, codec)
    if mine and mapping.version is not None:
        # The unwritten changes were made of what was read before: they must not pass for changes of what is read now.
        mine = mine | {mapping.version.key}
    earlier = snapshot.decode(believed(state, mapping, codec), codec)
    was_absent = state.absent
    remember_read(state, mapping, fresh, record[0], codec)
    read = snapshot.decode(cast("bytes", state.snapshot), codec)
    # Containers that did not change stay the same objects: the caller may hold them.
    theirs = _differing(earlier, read)
    take_over(mapping, held, fresh, lambda key: key in theirs and key not in mine)
    if mine:
        # A field with an unwritten change keeps its baseline too: only what the user changed in it will be written.
        kept = replaced(read, earlier, mine)
        state.snapshot = snapshot.encode_document(kept, codec, describe(held))
        state.absent = mixed_absent(state.absent, was_absent, mine)
    state.as_read = None if mine else record[1]
    unchanged = {name: what for name, what in state.references.items() if mapping.fields[name].key in mine}
    state.references = {**references, **unchanged}


def believed_value(state: InstanceState, instance: Model, name: str, codec: Codec) -> object:
    """Return the value of a field as the database is believed to hold it; None where that is not known."""
    mapping = class_mapping(type(instance))
    if name in state.references:
        target = state.references[name]
        return (None if target.found is None else list(target.found)) if isinstance(target, Unloaded) else target
    earlier = snapshot.decode(believed(state, mapping, codec), codec)
    if mapping.fields[name].key not in earlier:
        return None
    now = encodable(mapping, instance, codec)
    try:
        return cast("object", getattr(hydrate(mapping, {**now, **earlier}, references_of(instance)), name))
    except DocumentError:  # another field has a value that no document can have
        return earlier[mapping.fields[name].key]


def codec_of(state: InstanceState) -> Codec:
    """Return the codec options of the session that holds an instance; the usual ones for one that is in none."""
    owner, instance = state.owner, state()
    if owner is None or instance is None:
        return _USUAL
    return owner.codec(class_mapping(type(instance)))


def restore(
    state: InstanceState,
    instance: Model,
    codec: Codec,
    values: bytes | None = None,
    references: References | None = None,
) -> None:
    """Set the fields of *instance* back to what the database is believed to hold.

    Arguments:
        state: what is remembered of it.
        instance: the instance.
        codec: the codec options of its collection.
        values: the document to set them back to instead.
        references: what that refers to.
    """
    mapping = class_mapping(type(instance))
    earlier = snapshot.decode(believed(state, mapping, codec) if values is None else values, codec)
    now = encodable(mapping, instance, codec)
    changed = {key for key in earlier if key not in now or not snapshot.same(earlier[key], now[key])}
    changed |= {key for key in now if key not in earlier and key not in mapping.by_key}
    if not changed:
        return
    # The snapshot of an instance that ODMantic loaded lacks what mongotic has not seen: that stays as it is.
    unseen = {key: value for key, value in now.items() if key in mapping.by_key}
    try:
        source = hydrate(mapping, {**unseen, **earlier}, state.references if references is None else references)
    except DocumentError:  # what it lacks cannot be told from the instance either
        return
    take_over(mapping, instance, source, changed.__contains__)
    odm.mark_assigned(instance, set())


def copy_over(mapping: Mapping, instance: Model, source: Model, wanted: Callable[[str], bool]) -> None:
    """Give *instance* copies of the values of *source* under every *wanted* key: later changes of the one do not reach
    the other."""
    twin = copy.copy(source)
    shared = {field.name for field in mapping.references}
    for name, value in twin.__dict__.items():
        if name in mapping.fields and name not in shared and wanted(mapping.fields[name].key):
            twin.__dict__[name] = copy.deepcopy(value)
    if twin.__pydantic_extra__ is not None:
        object.__setattr__(twin, "__pydantic_extra__", copy.deepcopy(twin.__pydantic_extra__))
    take_over(mapping, instance, twin, wanted)
    finisher(mapping)(instance)


def take_over(mapping: Mapping, instance: Model, source: Model, wanted: Callable[[str], bool]) -> None:
    """Give *instance* the values of *source* under every *wanted* key, past the validators they went through
    already."""
    targets: References = reconciled(references_of(instance), references_of(source)) if mapping.references else {}
    for name, field in mapping.fields.items():
        if not wanted(field.key):
            continue
        if name in targets:
            put(instance, name, targets[name])
        else:
            instance.__dict__[name] = source.__dict__[name]
    own, other = instance.__pydantic_extra__, source.__pydantic_extra__
    if own is not None and other is not None:
        for key in filter(wanted, {**own, **other}):
            if key in other:
                own[key] = other[key]
            else:
                del own[key]


def replaced(document: Document, source: Document, keys: Iterable[str]) -> Document:
    """Return *document* with what *source* has, or has not, under *keys*."""
    wanted = set(keys)
    kept = {key: value for key, value in document.items() if key not in wanted}
    return kept | {key: value for key, value in source.items() if key in wanted}


def unwritten_keys(state: InstanceState, instance: Model, codec: Codec) -> set[str]:
    """Return the document's keys under which *instance* has unwritten changes, values that cannot be stored
    included."""
    try:
        return unwritten(state, instance, codec)[0].top_level_keys()
    except ArgumentError:
        mapping = class_mapping(type(instance))
        earlier = snapshot.decode(believed(state, mapping, codec), codec)
        now = encodable(mapping, instance, codec)
        return _differing(earlier, now)


def _differing(one: Document, other: Document) -> set[str]:
    """Return the outermost keys under which two documents differ."""
    return {
        key for key in {**one, **other} if key not in one or key not in other or not snapshot.same(one[key], other[key])
    }


def encodable(mapping: Mapping, instance: Model, codec: Codec) -> Document:
    """Return the document of *instance* without the fields that cannot be stored."""
    try:
        return snapshot.decode(snapshot.take(mapping, instance, codec), codec)
    except ArgumentError:
        parts = (_encodable_field(mapping, instance, name, codec) for name in mapping.fields)
        return {key: value for part in parts for key, value in part.items()}


def _encodable_field(mapping: Mapping, instance: Model, name: str, codec: Codec) -> Document:
    field = mapping.fields[name]
    try:
        part = {field.key: encode_named(mapping, instance, name)}
        return snapshot.decode(snapshot.encode_document(part, codec, mapping.name), codec)
    except (ArgumentError, RecursionError):
        return {}


def absent_paths(encoded: Document, stored: Document) -> frozenset[str]:
    """Return the paths of embedded documents in *encoded* that stand only for defaults: *stored* lacks them."""
    return frozenset(_absent(encoded, stored, ""))


def mixed_absent(paths: frozenset[str], others: frozenset[str], keys: Iterable[str]) -> frozenset[str]:
    """Return *paths*, with those of *others* instead where they are under *keys*."""
    wanted = set(keys)
    return frozenset(
        [path for path in paths if _root(path) not in wanted] + [path for path in others if _root(path) in wanted]
    )


def _absent(encoded: Document, stored: Document, prefix: str) -> Iterable[str]:
    """Yield the paths of embedded documents that stand only for defaults: the stored document lacks them."""
    for key, value in encoded.items():
        if is_document(value):
            inner = stored.get(key)
            if key not in stored:
                yield f"{prefix}{key}"
            elif is_document(inner):
                yield from _absent(value, inner, f"{prefix}{key}.")


def _assign_whole(found: Difference, absent: frozenset[str], now: Document) -> None:
    """Assign embedded documents whole that the stored document lacks: a path into one would store a fragment of it."""
    parents = {_absent_parent(path, absent) for path in (*found.assigned, *found.removed)}
    for parent in sorted(parents - {""}):
        inside = f"{parent}."
        found.assigned = {path: value for path, value in found.assigned.items() if not path.startswith(inside)}
        found.removed = [path for path in found.removed if not path.startswith(inside)]
        found.assigned[parent] = snapshot.at(now, parent)
        found.created.append(parent)


def _absent_parent(path: str, absent: frozenset[str]) -> str:
    """Return the outermost of the *absent* documents that *path* leads into; an empty string for none."""
    steps = path.split(".")
    parents = (".".join(steps[:depth]) for depth in range(1, len(steps)))
    return next((parent for parent in parents if parent in absent), "")


def _root(path: str) -> str:
    return path.partition(".")[0]
