"""What can be asked of a port, as plain data.

Made by `compiler`, `unit_of_work` and the facade's statements; understood by the ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from .across import CROSSING
from .encoding import Document
from .mapping import Mapping


def _no_condition() -> Document:
    return cast("Document", {})


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a command is to be carried out; None leaves each to the client and the server.

    Attributes:
        hint: the index to use: its name, or its keys.
        collation: the rules of a language for comparing text.
        comment: shown by the server's profiler and logs.
        max_time_ms: after how many milliseconds it is given up.
        allow_disk_use: whether the server may sort and group on disk.
        read_concern: how settled the documents must be.
        read_preference: which members are read from.
        write_concern: how many members must confirm a write.
    """

    hint: object = None
    collation: object = None
    comment: object = None
    max_time_ms: int | None = None
    allow_disk_use: bool | None = None
    read_concern: object = None
    read_preference: object = None
    write_concern: object = None


USUAL = SendOptions()


@dataclass(frozen=True)  # no slots: see `replacing`
class Read:
    """A `find` command.

    Attributes:
        mapping: the model whose documents are read.
        filter: the condition; empty for every document.
        sort: keys with 1 or -1, most significant first.
        skip: documents to pass over.
        limit: documents to give at most; None for all.
        projection: the keys wanted; None for whole documents.
        direct: whatever the engine's own `find` or `count` would show: it is asked what is there, for nobody to see.
        options: how the command is to be carried out.
    """

    mapping: Mapping
    filter: Document = field(default_factory=_no_condition)
    sort: tuple[tuple[str, int], ...] = ()
    skip: int = 0
    limit: int | None = None
    projection: Document | None = None
    direct: bool = False
    options: SendOptions = USUAL

    @property
    def sorts_across(self) -> bool:
        """Tell whether other documents decide the order, those that the documents refer to."""
        return any(CROSSING in key for key, _ in self.sort)

    @property
    def fits_one_batch(self) -> bool:
        """Tell whether all that is wanted fits into the server's first answer, whatever its size: one document."""
        return self.limit == 1


_DISTANCE = "mongotic distance"


def matching(condition: Document) -> list[Document]:
    """Return the stages that begin a pipeline with the documents that fit a condition.

    `$match` does not take what `near()` asks; `$geoNear` does, and gives the nearest first as a `find` does.
    """
    rest: list[object] = []
    near: Document = {}
    for key, operand in _parts(condition):
        asked = _near(operand)
        if asked and not near:
            near = {"near": asked["$geometry"], "key": key, "spherical": True, "distanceField": _DISTANCE}
            near |= {name[1:]: asked[name] for name in ("$maxDistance", "$minDistance") if name in asked}
        else:
            rest.append({key: operand})
    if not near:
        return [{"$match": condition}] if condition else []
    query: Document = {"$and": rest} if rest else {}
    return [{"$geoNear": near | {"query": query}}, {"$unset": _DISTANCE}]


def is_near(condition: Document) -> bool:
    """Tell whether a condition is one on a distance, for which `count` takes a pipeline."""
    return any(_near(operand) for _, operand in _parts(condition))


def _near(operand: object) -> Document | None:
    """Return what `near()` asks of a field; None for other conditions."""
    if not isinstance(operand, dict) or list(cast("Document", operand)) != ["$nearSphere"]:
        return None
    asked = cast("Document", operand)["$nearSphere"]
    return cast("Document", asked) if isinstance(asked, dict) and "$geometry" in asked else None


def _parts(condition: Document) -> Iterator[tuple[str, object]]:
    """Yield what must hold, each by its key."""
    for key, operand in condition.items():
        if key == "$and":
            for part in cast("list[Document]", operand):
                yield from _parts(part)
        else:
            yield key, operand


def stages(read: Read) -> list[Document]:
    """Return a `find` command as the stages of an `aggregate` command."""
    found = matching(read.filter)
    if read.sort:
        found.append({"$sort": dict(read.sort)})
    if read.skip:
        found.append({"$skip": read.skip})
    if read.limit is not None:
        found.append({"$limit": read.limit})
    if read.projection is not None:
        found.append({"$project": read.projection})
    return found


@dataclass(slots=True)  # a frozen one takes thrice as long to make, and there is one for each new document
class Insert:
    """Store a new document; an existing key is an error."""

    document: bytes


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a new document in the place of a deleted one with the same key, as one step."""

    filter: Document
    document: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """Change one existing document; never creates one."""

    filter: Document
    update: Document


@dataclass(frozen=True, slots=True)
class Upsert:
    """Write the whole state of a merged instance: onto its document, or as a new one."""

    filter: Document
    update: Document


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove one document."""

    filter: Document


@dataclass(frozen=True, slots=True)
class Modify:
    """Change one document as a row of an update statement says.

    Attributes:
        filter: which one.
        update: operators, or a pipeline.
        array_filters: the elements of lists that a path concerns; None for none.
        upsert: store a new document if there is none.
    """

    filter: Document
    update: Document | list[Document]
    array_filters: list[Document] | None = None
    upsert: bool = False


Operation: TypeAlias = Insert | Replace | Update | Upsert | Modify | Delete


@dataclass(frozen=True, slots=True)
class ModifyMany:
    """Change every document that fits; the attributes are those of `Modify`, the model, and how it is carried out."""

    mapping: Mapping
    filter: Document
    update: Document | list[Document]
    array_filters: list[Document] | None = None
    upsert: bool = False
    options: SendOptions = USUAL


@dataclass(frozen=True, slots=True)
class FindAndModify:
    """Change or remove the first document that fits, and give it.

    Attributes:
        mapping: the model.
        filter: the condition.
        sort: which one is the first.
        update: operators, or a pipeline; None removes the document.
        array_filters: the elements of lists that a path concerns; None for none.
        upsert: store a new document if there is none.
        before: give the document as it was, not as it is now.
        options: how the command is to be carried out.
    """

    mapping: Mapping
    filter: Document
    sort: tuple[tuple[str, int], ...] = ()
    update: Document | list[Document] | None = None
    array_filters: list[Document] | None = None
    upsert: bool = False
    before: bool = False
    options: SendOptions = USUAL


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations on one collection, sent as one call of the driver.

    Attributes:
        mapping: the model.
        operations: what is to be done.
        ordered: the first that fails is the last one tried.
        options: how the command is to be carried out.
    """

    mapping: Mapping
    operations: list[Operation]
    ordered: bool = True
    options: SendOptions = USUAL


@dataclass(frozen=True, slots=True)
class WriteReport:
    """How many documents the server counted; None where it did not, as for writes that are not acknowledged (`w=0`)."""

    matched: int | None = None
    modified: int | None = None
    deleted: int | None = None
    upserted: dict[int, object] = field(default_factory=lambda: cast("dict[int, object]", {}))
    """The keys of the documents that were stored because none fitted, by the position of the operation."""
    acknowledged: bool = True
    interruption: BaseException | None = None
    """The task was cancelled while this was written; to be raised once the books are in order."""
