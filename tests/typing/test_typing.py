"""What users' type checkers say about users' code: mypy and pyright, both strict, without plugins.

`passing` must be accepted as it is, and so must the README; `assert_type` in it says what types things have. In
`failing`, text files so that nobody checks them in place, the lines marked `# E` must be reported, and no others;
`# E: mypy` and `# E: pyright` mark what only one of the two sees. Everything is checked outside the checkout, as the
code of somebody who has installed the library.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import pytest

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
PASSING = sorted((HERE / "passing").glob("*.py"))
FAILING = sorted((HERE / "failing").glob("*.py.txt"))

TOOLS = ("mypy", "pyright")
MARK = re.compile(r"# E(?:: (?P<tool>mypy|pyright))?$")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

FOUND = (0, 1)
"""The exit codes of a checker that found nothing, or something."""

Reports: TypeAlias = dict[str, dict[int, list[str]]]
"""By name of the file, then by line: the messages."""


# -- the files ----------------------------------------------------------------------------------------------------


def readme_code() -> str:
    """The README's blocks as one module, each line where it is in the README: what is done goes into functions, since
    only there can it be awaited."""
    text = README.read_text(encoding="utf-8")
    # As the README says: type checkers want the id declared.
    head = "from odmantic import Field, ObjectId; MONGODB_URI = 'mongodb://localhost'"
    key = "id: ObjectId = Field(primary_field=True, default_factory=ObjectId)"
    lines = ["from __future__ import annotations; " + head, *[""] * text.count("\n")]
    for block in BLOCK.finditer(text):
        before = text.count("\n", 0, block.start(1))
        source = block[1].splitlines()
        for statement in ast.parse(block[1]).body:
            decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
            first = min([statement.lineno, *(decorator.lineno for decorator in decorators)]) - 1
            last = statement.end_lineno or statement.lineno
            # A line is free in front: an empty one, or the fence.
            inside = isinstance(statement, (ast.With, ast.AsyncWith))
            if inside:
                lines[before + first - 1] = f"async def from_line_{before + first}() -> None:"
            for number in range(first, last):
                lines[before + number] = "    " * inside + source[number]
        for number, line in enumerate(source):
            if line == "class User(Model):":
                lines[before + number] = f"{line}\n    {key}"
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the code of users, and with configurations that know nothing of this project's."""
    folder = tmp_path_factory.mktemp("typing")
    users = folder / "users"
    users.mkdir()
    for source in (*PASSING, *FAILING):
        shutil.copy(source, users / source.name.replace(".py.txt", "_wrong.py"))
    (users / "readme.py").write_text(readme_code(), encoding="utf-8")
    for name in ("mypy.ini", "pyrightconfig.json"):
        shutil.copy(HERE / name, folder)
    return folder


# -- the checkers -------------------------------------------------------------------------------------------------


def run(folder: Path, *arguments: str, expected: tuple[int, ...] = (0,)) -> str:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("MYPY", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**known, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in expected, f"{arguments[0]} failed: {done.stdout}{done.stderr}"
    return done.stdout


def mypy(folder: Path) -> Reports:
    reports: Reports = defaultdict(lambda: defaultdict(list))
    for line in run(folder, "mypy", "--config-file=mypy.ini", "--output=json", expected=FOUND).splitlines():
        found: dict[str, Any] = json.loads(line)
        if found["severity"] == "error":
            reports[Path(found["file"]).name][found["line"]].append(f"{found['message']}  [{found['code']}]")
    return reports


def pyright(folder: Path) -> Reports:
    reports: Reports = defaultdict(lambda: defaultdict(list))
    interpreter = f"--pythonpath={sys.executable}"
    output = run(folder, "pyright", "--project=pyrightconfig.json", interpreter, "--outputjson", expected=FOUND)
    answer: dict[str, Any] = json.loads(output)
    assert answer["summary"]["filesAnalyzed"] == len(PASSING) + len(FAILING) + 1
    for found in answer["generalDiagnostics"]:
        if found["severity"] != "information":
            line = found["range"]["start"]["line"] + 1
            reports[Path(found["file"]).name][line].append(f"{found['message']}  [{found.get('rule', 'syntax')}]")
    return reports


@pytest.fixture(scope="module", params=TOOLS)
def tool(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: `make check` installs it")
    return name


@pytest.fixture(scope="module")
def reports(tool: str, folder: Path) -> Reports:
    return {"mypy": mypy, "pyright": pyright}[tool](folder)


# -- the tests ----------------------------------------------------------------------------------------------------


def shown(messages: dict[int, list[str]]) -> str:
    return "\n".join(f"  line {line}: {'; '.join(messages[line])}" for line in sorted(messages))


def test_right_code_runs(folder: Path) -> None:
    """As far as it goes without a database: models, statements, conditions. What is beyond the types runs, too."""
    names = [source.stem for source in PASSING] + ["right_at_run_time_wrong"]
    program = "".join(f"import users.{name}\n" for name in names)
    (folder / "program.py").write_text(program, encoding="utf-8")
    run(folder, "program")


@pytest.mark.parametrize("source", [*PASSING, README], ids=lambda source: str(source.name))
def test_right_code_passes(source: Path, tool: str, reports: Reports) -> None:
    name = "readme.py" if source == README else source.name
    found = reports.get(name, {})
    assert not found, f"{tool} finds fault with {source.name}:\n{shown(found)}"


@pytest.mark.parametrize("source", FAILING, ids=lambda source: str(source.name))
def test_every_wrong_line_is_reported_and_no_other(source: Path, tool: str, reports: Reports) -> None:
    lines = source.read_text(encoding="utf-8").splitlines()
    marks = {number: mark for number, line in enumerate(lines, 1) if (mark := MARK.search(line))}
    expected = {number for number, mark in marks.items() if mark["tool"] in (None, tool)}
    found = reports.get(source.name.replace(".py.txt", "_wrong.py"), {})
    missed = "\n".join(f"  line {number}: {lines[number - 1]}" for number in sorted(expected - set(found)))
    unexpected = shown({number: found[number] for number in set(found) - expected})
    assert expected, f"{source.name} has no line marked for {tool}"
    assert not missed, f"{tool} accepts in {source.name}:\n{missed}"
    assert not unexpected, f"{tool} finds fault with unmarked lines of {source.name}:\n{unexpected}"
