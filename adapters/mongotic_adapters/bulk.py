"""The operations of a statement, cut into batches that are one command each.

Called by the flows of statements.  Everything is encoded first, so that a value that cannot be stored is refused before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from .commands import USUAL, Batch, Insert, Modify, Operation, SendOptions, Upsert
from .mapping import Mapping
from .snapshot import Codec, encode_document
from .unit_of_work import MOST_BYTES, MOST_OPERATIONS


def batches(
    mapping: Mapping,
    operations: Sequence[Operation],
    codec: Codec,
    *,
    ordered: bool = True,
    options: SendOptions = USUAL,
) -> list[tuple[int, Batch]]:
    """Return the batches, each with the position of its first operation.

    Raises:
        ArgumentError: a value cannot be stored; nothing was sent.
    """
    cut: list[tuple[int, Batch]] = []
    batch: list[Operation] = []
    size = 0
    for position, operation in enumerate(operations):
        length = _length(mapping, operation, codec, position)
        if not cut or len(batch) == MOST_OPERATIONS or size + length > MOST_BYTES:
            batch = []
            cut.append((position, Batch(mapping, batch, ordered, options)))
            size = 0
        batch.append(operation)
        size += length
    return cut


def _length(mapping: Mapping, operation: Operation, codec: Codec, position: int) -> int:
    if isinstance(operation, Insert):
        return len(operation.document)
    if isinstance(operation, (Modify, Upsert)):
        parts: dict[str, object] = {"q": operation.filter, "u": operation.update}
        if isinstance(operation, Modify) and operation.array_filters:
            parts["arrayFilters"] = operation.array_filters
        return len(encode_document(parts, codec, f"row {position} for {mapping.name}"))
    return 0
