"""Every public name is in the reference, and every error in the catalogue of errors."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import mongotic
from mongotic import exceptions

DOCS = Path(__file__).parents[2] / "docs"
DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)
DESCRIBED = {name for page in DOCS.rglob("*.md") for name in DIRECTIVE.findall(page.read_text(encoding="utf-8"))}
OTHERWISE = {
    "mongotic.orm",  # names of others a second time, for programs written for mongotic 0.5
    "mongotic.query",
    "mongotic.result",  # its further names are for the sessions
}
"""Modules whose `__all__` is not what users import from them."""


def public_modules() -> list[str]:
    """The modules of the facade that say what is public in them."""
    root = Path(mongotic.__file__).parent
    names = [
        ".".join(("mongotic", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for path in root.rglob("*.py")
        if re.search(r"^__all__ =", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    return sorted(set(names) - OTHERWISE)


def is_described(module: str, name: str) -> bool:
    """Whether the name is in the reference: there, where it is defined, or where another module shows it."""
    wanted = getattr(importlib.import_module(module), name)
    if f"{module}.{name}" in DESCRIBED or module in DESCRIBED:
        return True
    for other in DESCRIBED:
        owner, _, shown = other.rpartition(".")
        try:
            found = importlib.import_module(owner)
        except ModuleNotFoundError:
            continue
        if shown == name and getattr(found, shown, None) is wanted:
            return True
    return False


@pytest.mark.parametrize("module", public_modules())
def test_every_public_name_is_in_the_reference(module: str) -> None:
    names: list[str] = importlib.import_module(module).__all__
    assert names
    missing = [name for name in names if not is_described(module, name)]
    assert not missing, f"{module}: add `::: {module}.<name>` to a page of docs/reference for {missing}"


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_everything_in_the_reference_exists_and_says_what_it_is(name: str) -> None:
    owner, _, last = name.rpartition(".")
    try:
        found = importlib.import_module(name)
    except ModuleNotFoundError:
        found = getattr(importlib.import_module(owner), last)
    assert found.__doc__


def test_every_error_is_in_the_catalogue() -> None:
    catalogue = (DOCS / "errors.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#{2,3} .*$", catalogue, re.MULTILINE)
    told = {name for heading in headings for name in re.findall(r"`(\w+)`", heading)}
    assert told == set(exceptions.__all__)


@pytest.mark.parametrize("name", sorted(set(exceptions.__all__)))
def test_the_catalogue_says_why_and_what_to_do(name: str) -> None:
    catalogue = (DOCS / "errors.md").read_text(encoding="utf-8")
    sections = re.split(r"^(?=#{2,3} )", catalogue, flags=re.MULTILINE)
    (section,) = [text for text in sections if f"`{name}`" in text.partition("\n")[0]]
    assert "**Why.** " in section
    assert "**What to do.** " in section
