"""What was stored or found is what it should be; the same checks for the raw driver and every peer.

Used by the acts of `raw` and of the peers' files, when the clock has stopped.
"""

from collections.abc import Iterable, Sequence

from documents import Document, WrongResult, check_documents

from peers.race import Stage

STEP = 7919
"""Keys are asked for in an order that jumps by this prime."""

TASKS = 50
PAGE = 100
COLUMNS = {"number": 1, "quantity": 1, "_id": 0}


def numbers(stage: Stage) -> list[int]:
    """Return the number of each document once, in an order that jumps."""
    return [number * STEP % stage.count for number in range(stage.count)]


def check_stored(stage: Stage, added: int = 0, *, keys: bool = True) -> None:
    """Check the collection; without *keys*, documents may have keys of their own, in the same order."""
    found: Iterable[Document] = stage.collection.find({}).sort("_id", 1)
    if not keys:
        found = [{**stored, "_id": stage.kind.document(number)["_id"]} for number, stored in enumerate(found)]
    check_documents(stage.kind, found, stage.count, added)


def check_found(stage: Stage, found: Iterable[Document]) -> None:
    """Check documents that were read."""
    check_documents(stage.kind, found, stage.count)


def check_total(stage: Stage, total: int) -> None:
    """Check a sum of all quantities."""
    expected = sum(int(str(document["quantity"])) for document in stage.kind.documents(stage.count))
    if total != expected:
        raise WrongResult(f"the quantities add up to {total}, expected {expected}")


def check_columns(stage: Stage, found: Sequence[tuple[object, object]]) -> None:
    """Check the two columns of each document."""
    expected = {(document["number"], document["quantity"]) for document in stage.kind.documents(stage.count)}
    if len(found) != stage.count or set(found) != expected:
        raise WrongResult("the columns do not hold what is stored")


def check_changed(stage: Stage) -> None:
    """Check that the third of the documents that is paid has the new total."""
    changed = stage.collection.count_documents({"total": 1.5})
    if changed != sum(number % 3 == 0 for number in range(stage.count)):
        raise WrongResult(f"{changed} documents were changed")
