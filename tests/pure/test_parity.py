"""The two sides of the library have the same names with the same parameters, and every public thing says what it is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import mongotic
import mongotic.asyncio
import mongotic.exceptions
from mongotic import ScalarResult, SelectResult, Session, sessionmaker
from mongotic.asyncio import AsyncScalarResult, AsyncSelectResult, AsyncSession, async_sessionmaker
from mongotic.asyncio.unawaited import EnteredByAsyncWith, Unawaited

PAIRS: list[tuple[type[Any], type[Any]]] = [
    (Session, AsyncSession),
    (ScalarResult, AsyncScalarResult),
    (SelectResult, AsyncSelectResult),
    (sessionmaker, async_sessionmaker),
]
DIFFERENT = {
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
    "__iter__": "__aiter__",
}
AWAITING_ONLY = {
    "sync_results",  # a blocking session gives no other results
}


def mongotics_own(kind: type[Any]) -> list[type[Any]]:
    """The classes of mongotic that *kind* is made of; what only refuses to be used wrongly is no part."""
    refusing = (Unawaited, EnteredByAsyncWith)
    return [base for base in kind.__mro__ if base.__module__.startswith("mongotic") and base not in refusing]


def public(kind: type[Any]) -> dict[str, Any]:
    """The public members of a class that mongotic defines, in its bases too."""
    return {
        name: value
        for base in reversed(mongotics_own(kind))
        for name, value in vars(base).items()
        if not name.startswith("_") or name in ("__init__", "__call__", "__contains__", "__len__")
    }


def special(kind: type[Any]) -> set[str]:
    found = {name for base in mongotics_own(kind) for name in vars(base)}
    return found & (set(DIFFERENT) | set(DIFFERENT.values()))


def parameters(member: Any) -> list[tuple[str, Any, Any]]:
    return [
        (found.name, found.kind, found.default)
        for found in inspect.signature(member).parameters.values()
        if found.name not in AWAITING_ONLY
    ]


def shared() -> Iterator[Any]:
    for blocking, awaiting in PAIRS:
        for name in sorted(public(blocking).keys() & public(awaiting).keys()):
            yield pytest.param(blocking, awaiting, name, id=f"{blocking.__name__}.{name}")


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_both_sides_have_the_same_names(blocking: type[Any], awaiting: type[Any]) -> None:
    assert public(awaiting).keys() == public(blocking).keys()


@pytest.mark.parametrize(("blocking", "awaiting", "name"), list(shared()))
def test_both_sides_take_the_same_parameters(blocking: type[Any], awaiting: type[Any], name: str) -> None:
    one, other = public(blocking)[name], public(awaiting)[name]
    if isinstance(one, property):
        assert isinstance(other, property)
    else:
        if name == "__init__" and issubclass(blocking, (ScalarResult, SelectResult)):
            return  # made by sessions alone
        assert parameters(other) == parameters(one)


def test_what_is_iterated_and_entered_differs_by_its_a_alone() -> None:
    assert special(ScalarResult) == {"__iter__"}
    assert special(AsyncScalarResult) == {"__aiter__"}
    assert special(SelectResult) == {"__iter__"}
    assert special(AsyncSelectResult) == {"__aiter__"}
    assert special(Session) == {"__enter__", "__exit__", "__iter__"}
    assert special(AsyncSession) == {"__aenter__", "__aexit__", "__iter__"}


def test_the_package_for_asyncio_has_the_twin_of_every_class_that_does_input_and_output() -> None:
    assert {awaiting.__name__ for _, awaiting in PAIRS} <= set(mongotic.asyncio.__all__)
    assert {blocking.__name__ for blocking, _ in PAIRS} <= set(mongotic.__all__)


@pytest.mark.parametrize("package", [mongotic, mongotic.asyncio, mongotic.exceptions], ids=lambda found: found.__name__)
def test_all_is_sorted_and_complete(package: Any) -> None:
    assert list(package.__all__) == sorted(package.__all__)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


# -- docstrings ---------------------------------------------------------------------------------------------------


def documented() -> Iterator[Any]:
    """Every public class and function, and every public method of the classes."""
    for package in (mongotic, mongotic.asyncio, mongotic.exceptions):
        yield pytest.param(package, id=package.__name__)
        for name in package.__all__:
            found = getattr(package, name)
            if not callable(found):
                continue
            yield pytest.param(found, id=f"{package.__name__}.{name}")
            for member_name, member in members(found):
                yield pytest.param(member, id=f"{package.__name__}.{name}.{member_name}")


def members(found: Any) -> list[tuple[str, Any]]:
    if not inspect.isclass(found):
        return []
    own = public(found).items()
    return [
        (name, value)
        for name, value in own
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    ]


@pytest.mark.parametrize("thing", list(documented()))
def test_a_public_thing_has_a_docstring(thing: Any) -> None:
    text = thing.__doc__
    assert text
    assert text.strip()


@pytest.mark.parametrize("thing", list(documented()))
def test_a_docstring_begins_with_a_sentence(thing: Any) -> None:
    text = inspect.cleandoc(thing.__doc__)
    opening = text.partition("\n\n")[0]
    assert opening.startswith(("mongotic", "`")) or opening[0].isupper()
    assert opening.rstrip().endswith((".", ":"))


def twins() -> Iterator[Any]:
    for blocking, awaiting in PAIRS:
        for name, member in public(awaiting).items():
            if inspect.isfunction(member) and not name.startswith("_") and name in vars(awaiting) and name != "run":
                yield pytest.param(f"{blocking.__name__}.{name}", member, id=f"{awaiting.__name__}.{name}")


@pytest.mark.parametrize(("pointer", "member"), list(twins()))
def test_an_awaiting_twin_points_to_the_blocking_one_in_one_line(pointer: str, member: Any) -> None:
    text = inspect.cleandoc(member.__doc__)
    assert "\n" not in text
    assert f"see `{pointer}`" in text.replace("See", "see")


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_an_awaiting_class_points_to_the_blocking_one(blocking: type[Any], awaiting: type[Any]) -> None:
    assert f".{blocking.__name__}`" in inspect.cleandoc(awaiting.__doc__ or "").partition("\n\n")[0]


def test_a_method_that_asks_the_server_is_awaited_on_the_awaiting_side_alone() -> None:
    awaited = {
        name
        for _, awaiting in PAIRS
        for name, member in public(awaiting).items()
        if inspect.iscoroutinefunction(inspect.unwrap(member) if callable(member) else member)
    }
    assert {
        "all",
        "first",
        "one",
        "one_or_none",
        "count",
        "exists",
        "get",
        "scalar",
        "execute",
        "flush",
        "commit",
    } <= awaited
    assert [
        name
        for blocking, _ in PAIRS
        for name, member in public(blocking).items()
        if inspect.iscoroutinefunction(member)
    ] == []
