"""Writes docs/migration/rewrite.md anew: `python -m tests.migration.rewrite_page`.

The words are here; before and after come from the golden files, so that the page says what the codemods do.
`test_rewrite_page` fails when it is out of date.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from mongotic_migration.rewrite.running import CODEMODS, Options, rewritten
from tests.migration.golden_cases import Case, cases

PAGE = Path(__file__).parents[2] / "docs" / "migration" / "rewrite.md"

INTRODUCTION = """\
# Rewriting a code base

<!-- Written by `python -m tests.migration.rewrite_page` from the golden files; change those. -->

```
pip install 'mongotic-odmantic[migrate]'
mongotic-migrate rewrite odmantic src/                   # a dry run: diff, summary, what is left alone
mongotic-migrate rewrite odmantic src/ --style session   # functions take a session
mongotic-migrate rewrite odmantic src/ --write           # into the files
mongotic-migrate rewrite motor src/
mongotic-migrate rewrite mongotic-0.4 src/
mongotic-migrate rewrite sqlalchemy-habits src/
```

Give all folders of the application at once: an engine made in one file is known in the others, and a function's
callers are changed with it.

| option | what it does |
|---|---|
| `--write` | puts the changes into the files; without it nothing is touched |
| `--check` | exits with 1 when something is left alone, or a file cannot be parsed |
| `--json` | the report for machines: changes, rules, what is left alone, errors, diff |
| `--style call` | every call in a session of its own: the smallest change |
| `--style session` | one session for a function; FastAPI's dependencies and functions that took an engine take it |
| `--engine NAME` | NAME is an engine (`db`, `app.engine`), whatever the code says; may be given several times |

Comments and formatting are kept, a second run changes nothing, and a file that cannot be parsed is never written. Long
lines are left for your formatter. What cannot be proven to mean the same is left as it is, and named with file, line
and reason; ODMantic's calls go on working beside mongotic's.

An engine is found by its annotation (`engine: AIOEngine`, also in `Annotated` and in an alias), by what it is assigned
(`engine = AIOEngine(...)`, `self.engine = engine`), by the dependency that gives it (`Depends(get_engine)`), through
imports, and by `--engine`.

## What stays the same, and what does not

- **`save` of what was read** writes what differs from the document, as a session does; ODMantic wrote every list, dict
  and embedded document again. Of a document that was deleted meanwhile ODMantic stored a fragment; now it is
  `StaleDataError`.
- **`save` of what was made here**, under a key of its own, is `add`: an insert. **Any other `save`** stays an upsert:
  `merge`.
- **`save_all`** is one bulk write, and in one transaction where the deployment has them.
- **`delete`** is rewritten where it can be told that the instance was read. `session.delete()` does not raise
  `DocumentNotFoundError`, so a file that handles it keeps its call.
- **`limit=0`** was an error in ODMantic; it gives no documents now.
- **A transaction that is undone** undoes the objects too; ODMantic left them changed.
- **A shared session writes everything that has changed in what it holds.** So calls share one only where every change
  is saved before anything else is, no handler goes on after a failed write, and no document is read a second time to
  be compared. Where that cannot be seen, each call keeps a session of its own, and the function its engine.
"""
CALLS = [
    "users = await engine.find(User, User.age > 18)",
    "async for user in engine.find(User, {'age': 18}): print(user)",
    "page = await engine.find(User, sort=(User.name, User.age.desc()), skip=20, limit=10)",
    "user = await engine.find_one(User, User.email == email)",
    "number = await engine.count(User, User.age > 18)",
    "await engine.save(User(name='ann'))",
    "user = await engine.save(unknown)",
    "await engine.save_all([User(name='ann'), User(name='bob')])",
    "await engine.remove(User, User.age < 18)",
    "removed = await engine.remove(User, User.age < 18)",
    "rows = await engine.get_collection(User).aggregate(pipeline).to_list(None)",
    "number = await engine.get_collection(User).count_documents({'age': 18})",
]
HEADINGS = {
    "odmantic": "ODMantic's engine calls",
    "motor": "Motor",
    "mongotic-0.4": "mongotic 0.4",
    "sqlalchemy-habits": "SQLAlchemy's habits",
}
STYLES = {"call": "`--style call`", "session": "`--style session`", "after": ""}


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for codemod in CODEMODS:
        parts.append(f"\n## {HEADINGS[codemod]}: `{codemod}`\n")
        if codemod == "odmantic":
            parts.append(table())
        names = list(dict.fromkeys(case.name for case in cases() if case.codemod == codemod))
        for name in names:
            parts.append(f"\n### {name.replace('_', ' ')}\n")
            parts += [shown(case) for case in cases() if case.codemod == codemod and case.name == name]
    return "".join(parts)


def table() -> str:
    """Return the calls one by one, each as the codemod writes it inside of its session."""
    rows = "".join(f"| `{call}` | {inside_session(call)} |\n" for call in CALLS)
    return f"\n| ODMantic | in a session |\n|---|---|\n{rows}"


def inside_session(call: str) -> str:
    """Return what the codemod puts into the block that opens the session."""
    head = "from odmantic import AIOEngine, Model\n\nclass User(Model): ...\n\n"
    text = f"{head}async def f(engine: AIOEngine, email, unknown, pipeline):\n    {call}\n"
    reports, _ = rewritten("odmantic", [(Path("table.py"), "table", text.encode())], Options())
    body = reports[0].after.split(" as session:\n", 1)[1].splitlines()
    return "<br>".join(f"`{line[8:]}`" for line in body)


def shown(case: Case) -> str:
    """Return the part of the page for one case: what changes, and what is left alone."""
    text = f"\n{STYLES[case.style]}\n" if STYLES[case.style] else ""
    lines = list(difflib.unified_diff(case.before.splitlines(), case.after.splitlines(), n=1, lineterm=""))[2:]
    changed = "\n".join("" if line.startswith("@@") else line.rstrip() for line in lines).strip("\n")
    text += f"\n```diff\n{changed}\n```\n" if changed else "\nNothing is changed.\n"
    if case.left:
        source = case.before.splitlines()
        rows = [each.split(": ", 1) for each in case.left]
        text += "\n| left alone | why |\n|---|---|\n"
        text += "".join(f"| `{source[int(number) - 1].strip()}` | {reason} |\n" for number, reason in rows)
    return text


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
