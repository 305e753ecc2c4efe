"""Writes docs/states.md from the table the library itself goes by; `make docs-states` runs it, and a test compares.

Use: python docs/state_diagram.py
"""

from __future__ import annotations

from pathlib import Path

from mongotic_adapters.states import MOVES, REFUSALS, Move, State

PAGE = Path(__file__).with_name("states.md")

STATES = {
    State.TRANSIENT: ("transient", "new: in no session, and never stored by one"),
    State.PENDING: ("pending", "added: the next flush inserts it"),
    State.RETURNED: ("pending", "added again after it had left a session: the next flush updates its document"),
    State.PERSISTENT: ("persistent", "stored, and held by a session: the next flush writes what has changed"),
    State.MERGED: (
        "persistent",
        "merged: the next flush writes its whole state, onto its document or as a new one (`pending` until a document "
        "is known)",
    ),
    State.MARKED: ("persistent", "stored, and in `session.deleted`: the next flush removes its document"),
    State.DELETED: ("deleted", "removed by a flush that is not committed yet"),
    State.DETACHED: ("detached", "stored once, and in no session now"),
}
"""What `inspect(instance)` says of each, and what it means."""

MOVED_BY = {
    Move.ADD: "`add()`",
    Move.LOAD: "a query, `get()`, `refresh()`",
    Move.MERGE: "`merge()`",
    Move.DELETE: "`delete()`",
    Move.FLUSH: "`flush()`",
    Move.COMMIT: "`commit()`",
    Move.ROLLBACK: "`rollback()`",
    Move.RELEASE: "`expunge()`, `close()`",
    Move.LOSE: "`make_transient()`",
}
"""What a user does for each move; `commit()` flushes first."""

HEAD = """\
# States of an instance

<!-- Made by docs/state_diagram.py from the library's own table: `make docs-states` writes it anew. -->

An instance stands somewhere towards a session; `inspect(instance)` says where, for plain ODMantic models and for
`MongoBaseModel` alike. No state is told from a key: ODMantic gives an instance its key before it is stored.

```python
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import AIOEngine, Model
from mongotic import inspect
from mongotic.asyncio import AsyncSession


class Lamp(Model):
    watts: int = 40


async with AsyncSession(AIOEngine(AsyncIOMotorClient(MONGODB_URI), "shop")) as session:
    lamp = Lamp()
    assert inspect(lamp).transient
    session.add(lamp)
    assert inspect(lamp).pending
    await session.commit()
    assert inspect(lamp).persistent
    lamp.watts = 60
    assert inspect(lamp).modified_fields == ("watts",)
    assert inspect(lamp).history("watts") == (40, 60)
assert inspect(lamp).detached
```
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *diagram(), "", *meanings(), "", *moves(), ""])


def diagram() -> list[str]:
    """Return the diagram; moves that lead nowhere else are left out."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, move), follows in MOVES.items():
        if follows is not state:
            arrows.setdefault((state, follows), []).append(MOVED_BY[move].replace("`", ""))
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state.value}" as {state.name}' for state in State]
    lines += ["    [*] --> TRANSIENT"]
    for (state, follows), names in arrows.items():
        label = ", ".join(names).replace(", ", ",<br/>")  # Mermaid lets long labels cover others
        lines.append(f"    {state.name} --> {follows.name}: {label}")
    return [*lines, "```"]


def meanings() -> list[str]:
    """Return the table of what the states mean."""
    rows = [f"| {state.value} | `{shown}` | {meaning} |" for state, (shown, meaning) in STATES.items()]
    return ["| state | `inspect()` says | what it means |", "|---|---|---|", *rows]


def moves() -> list[str]:
    """Return the table of every move: what follows, why it is refused, or nothing where it does not happen."""
    shown = [move for move in Move if move in MOVED_BY]
    lines = [
        "## What follows what",
        "",
        "A refused move is an `InvalidRequestError`, and nothing has changed then. `commit()` flushes first, and "
        "`make_transient()` lets go of the instance first, wherever it stands.",
        "",
        f"| from | {' | '.join(MOVED_BY[move] for move in shown)} |",
        f"|---|{'---|' * len(shown)}",
    ]
    lines += [f"| **{state.value}** | {' | '.join(_cell(state, move) for move in shown)} |" for state in State]
    return lines


def _cell(state: State, move: Move) -> str:
    if (state, move) in MOVES:
        return MOVES[state, move].value
    if (state, move) in REFUSALS:
        return f"refused: {REFUSALS[state, move]}"
    return "–"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
