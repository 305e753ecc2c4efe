"""The states of an instance and every move between them, as one table.

`bookkeeping` asks `move` before it touches anything; nothing else decides what may follow what.
Two rules hold everywhere:

1. A state is kept, never inferred from a key: ODMantic gives an instance its key before it is stored.
2. A move that is not in `MOVES` is refused with the sentence in `REFUSALS`; nothing was changed then.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from .errors import InvalidRequestError


class State(Enum):
    """Where an instance stands towards a session."""

    # By identity: Enum's own hash runs Python code, once per instance of every query.
    __hash__ = object.__hash__

    TRANSIENT = "transient"
    """In no session, and never stored by one."""
    PENDING = "pending"
    """Added; the next flush inserts it."""
    RETURNED = "pending, stored before"
    """Added after it had left a session; the next flush updates its document, and never inserts it."""
    PERSISTENT = "persistent"
    """Stored and held by a session."""
    MERGED = "persistent, merged"
    """Merged; the next flush writes its whole state, as a new document if there is none."""
    MARKED = "persistent, marked for deletion"
    """Stored and held; the next flush removes its document."""
    DELETED = "deleted"
    """Removed by a flush that is not yet committed."""
    DETACHED = "detached"
    """Stored once, and in no session now."""


class Move(Enum):
    """What can happen to an instance."""

    __hash__ = object.__hash__

    ADD = "add"
    LOAD = "load"
    MERGE = "merge"
    DELETE = "delete"
    FLUSH = "flush"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    RELEASE = "release"
    """expunge, or the end of the session"""
    LOSE = "lose"
    """its document is known to be gone"""


_S = State
MOVES: dict[tuple[State, Move], State] = {
    (_S.TRANSIENT, Move.ADD): _S.PENDING,
    (_S.TRANSIENT, Move.LOAD): _S.PERSISTENT,
    (_S.TRANSIENT, Move.MERGE): _S.MERGED,
    (_S.PENDING, Move.ADD): _S.PENDING,
    (_S.PENDING, Move.MERGE): _S.MERGED,
    (_S.PENDING, Move.FLUSH): _S.PERSISTENT,
    (_S.PENDING, Move.ROLLBACK): _S.TRANSIENT,
    (_S.PENDING, Move.RELEASE): _S.TRANSIENT,
    (_S.RETURNED, Move.ADD): _S.RETURNED,
    (_S.RETURNED, Move.LOAD): _S.RETURNED,
    (_S.RETURNED, Move.MERGE): _S.MERGED,
    (_S.RETURNED, Move.DELETE): _S.MARKED,
    (_S.RETURNED, Move.FLUSH): _S.PERSISTENT,
    (_S.RETURNED, Move.ROLLBACK): _S.DETACHED,
    (_S.RETURNED, Move.RELEASE): _S.DETACHED,
    (_S.PERSISTENT, Move.ADD): _S.PERSISTENT,
    (_S.PERSISTENT, Move.LOAD): _S.PERSISTENT,
    (_S.PERSISTENT, Move.MERGE): _S.MERGED,
    (_S.PERSISTENT, Move.DELETE): _S.MARKED,
    (_S.PERSISTENT, Move.FLUSH): _S.PERSISTENT,
    (_S.PERSISTENT, Move.RELEASE): _S.DETACHED,
    (_S.MERGED, Move.ADD): _S.MERGED,
    (_S.MERGED, Move.LOAD): _S.PERSISTENT,
    (_S.MERGED, Move.MERGE): _S.MERGED,
    (_S.MERGED, Move.FLUSH): _S.PERSISTENT,
    (_S.MERGED, Move.ROLLBACK): _S.PERSISTENT,
    (_S.MERGED, Move.RELEASE): _S.DETACHED,
    (_S.MARKED, Move.ADD): _S.PERSISTENT,
    (_S.MARKED, Move.LOAD): _S.MARKED,
    (_S.MARKED, Move.DELETE): _S.MARKED,
    (_S.MARKED, Move.FLUSH): _S.DELETED,
    (_S.MARKED, Move.ROLLBACK): _S.PERSISTENT,
    (_S.MARKED, Move.RELEASE): _S.DETACHED,
    (_S.DELETED, Move.COMMIT): _S.DETACHED,
    (_S.DELETED, Move.ROLLBACK): _S.DETACHED,
    (_S.DELETED, Move.RELEASE): _S.DETACHED,
    (_S.DETACHED, Move.ADD): _S.RETURNED,
    (_S.DETACHED, Move.LOAD): _S.PERSISTENT,
    (_S.DETACHED, Move.MERGE): _S.MERGED,
    (_S.DETACHED, Move.DELETE): _S.MARKED,
    (_S.DETACHED, Move.LOSE): _S.TRANSIENT,
}

REFUSALS: dict[tuple[State, Move], str] = {
    (_S.TRANSIENT, Move.DELETE): "it was never stored, so there is nothing to delete",
    (_S.PENDING, Move.DELETE): "it is not stored yet; take it out of the session with expunge()",
    (_S.DELETED, Move.ADD): "a flush has deleted it; commit first, then add it to store it anew",
    (_S.DELETED, Move.DELETE): "a flush has deleted it already",
    (_S.DELETED, Move.MERGE): "a flush has deleted it; commit first, then merge it to store it anew",
    (_S.MARKED, Move.MERGE): "it is marked for deletion; add() it first to take that back",
    (_S.MERGED, Move.DELETE): "its merge is not flushed yet; flush first, or expunge() it",
}


def move(state: State, what: Move, name: Callable[[], str]) -> State:
    """Return the state that follows *state* when *what* happens.

    Arguments:
        state: where the instance stands.
        what: what is to happen.
        name: gives how to name the instance in an error.

    Raises:
        InvalidRequestError: the move is not allowed from this state.
    """
    follows = MOVES.get((state, what))
    if follows is None:
        reason = REFUSALS.get((state, what), f"an instance that is {state.value} cannot")
        raise InvalidRequestError(f"cannot {what.value} {name()}: {reason}")
    return follows
