"""Random queries over random documents give what plain Python gives: conditions, projections, orders and groups.

MongoDB's rules for null and types are stated once, in `Rules`, as far as these queries meet them:

1.  A missing key and null are the same to `==`, `!=`, `in_`, and both come before everything else in an order.
2.  A comparison by `< <= > >=` in a filter finds values of the same type only: numbers are one type, bool is another.
3.  Filters look into lists: a condition holds for a list if it holds for an element of it, or for the list as a whole.
    `!=`, `not_in` and `not_` are the opposite of that.
4.  Where a value is computed (`$expr`), nothing of 2 and 3 holds: values of all types have one order, null first, then
    numbers, texts, dicts, lists, bools and dates, and a list is one value.
5.  Arithmetic with null gives null.  A sum of nothing is None, an average too; minimum and maximum pass over null.

`MONGOTIC_SOAK=n` runs n times as many examples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odmantic import EmbeddedModel, Model, SyncEngine
from pymongo import MongoClient

from mongotic import Session, and_, case, col, desc, distinct, func, not_, or_, select
from tests.conftest import Document

SOAK = int(os.environ.get("MONGOTIC_SOAK", "1"))
EXAMPLES = settings(
    max_examples=100 * SOAK,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=SOAK == 1,
)
MISSING: Any = object()


class Home(EmbeddedModel):
    city: str | None = None
    rooms: int | None = None


class Thing(Model):
    number: int | None = None
    other: int | None = None
    text: str | None = None
    mixed: Any = None
    tags: list[Any] | None = None
    home: Home | None = None
    homes: list[Home] | None = None


# -- documents ----------------------------------------------------------------------------------------------------

numbers = st.integers(-4, 4)
texts = st.sampled_from(["", "a", "b", "ab", "B", "$a", "a.c", "10"])
scalars = st.one_of(st.none(), numbers, texts, st.booleans(), st.sampled_from([0.5, 2.0]))
mixed = st.one_of(scalars, st.lists(scalars, max_size=2), st.fixed_dictionaries({"x": numbers}))
homes = st.fixed_dictionaries(
    {}, optional={"city": st.one_of(st.none(), texts), "rooms": st.one_of(st.none(), numbers)}
)
things = st.fixed_dictionaries(
    {},
    optional={
        "number": st.one_of(st.none(), numbers),
        "other": st.one_of(st.none(), numbers),
        "text": st.one_of(st.none(), texts),
        "mixed": mixed,
        "tags": st.lists(scalars, max_size=3),
        "home": st.one_of(st.none(), homes),
        "homes": st.lists(homes, max_size=2),
    },
)
documents = st.lists(things, max_size=6)


# -- MongoDB's rules, in Python -----------------------------------------------------------------------------------


class Rules:
    """What MongoDB does with values of all types."""

    @staticmethod
    def kind(value: Any) -> int:
        """The place of a type in the order of all values (rules 2 and 4)."""
        if value is MISSING:
            return 0
        if value is None:
            return 1
        if isinstance(value, bool):
            return 8
        return {int: 2, float: 2, str: 3, dict: 4, list: 5}[type(value)]

    @classmethod
    def key(cls, value: Any) -> Any:
        """A key that sorts values as MongoDB does."""
        if isinstance(value, dict):
            return (4, [(cls.kind(item), name, cls.key(item)) for name, item in value.items()])
        if isinstance(value, list):
            return (5, [cls.key(item) for item in value])
        return (cls.kind(value), 0 if value is None or value is MISSING else value)

    @classmethod
    def equal(cls, left: Any, right: Any) -> bool:
        return bool(cls.key(left) == cls.key(right))

    @classmethod
    def reached(cls, document: Any, path: list[str]) -> list[Any]:
        """The values a dotted path leads to, through lists of embedded documents too."""
        if not path:
            return [document]
        if isinstance(document, list):
            return [value for item in document if isinstance(item, dict) for value in cls.reached(item, path)]
        if not isinstance(document, dict) or path[0] not in document:
            return [MISSING]
        return cls.reached(document[path[0]], path[1:])

    @classmethod
    def holds(cls, document: Document, path: str, test: Callable[[Any], bool]) -> bool:
        """Whether a test holds for a value under a path, or for an element of it (rule 3)."""
        for value in cls.reached(document, path.split(".")):
            if test(value) or (isinstance(value, list) and any(test(item) for item in value)):
                return True
        return False

    @classmethod
    def same(cls, operand: Any) -> Callable[[Any], bool]:
        """The test of `==` (rule 1)."""
        if operand is None:
            return lambda value: value is None or value is MISSING
        return lambda value: cls.equal(value, operand)

    @classmethod
    def ordered(cls, operator: str, operand: Any) -> Callable[[Any], bool]:
        """The test of a comparison in a filter (rule 2)."""
        return lambda value: cls.kind(value) == cls.kind(operand) and cls.compare(operator, value, operand)

    @classmethod
    def compare(cls, operator: str, left: Any, right: Any) -> bool:
        """A comparison in the order of all values (rule 4)."""
        a, b = cls.key(left), cls.key(right)
        answers: dict[str, bool] = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}
        return answers[operator]


# -- conditions ---------------------------------------------------------------------------------------------------


@dataclass
class Predicate:
    """A condition, and what it means."""

    shown: str
    build: Callable[[], Any]
    fits: Callable[[Document], bool]

    def __repr__(self) -> str:
        return self.shown


COLUMNS: dict[str, Callable[[], Any]] = {
    "number": lambda: col(Thing.number),
    "text": lambda: col(Thing.text),
    "mixed": lambda: col(Thing.mixed),
    "tags": lambda: col(Thing.tags),
    "home.city": lambda: col(Thing.home).city,
    "homes.rooms": lambda: col(Thing.homes).rooms,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
operands = st.one_of(numbers, texts, st.booleans())


def compared(path: str, operator: str, operand: Any) -> Predicate:
    def fits(document: Document) -> bool:
        if operator in ("==", "!="):
            return Rules.holds(document, path, Rules.same(operand)) == (operator == "==")
        return Rules.holds(document, path, Rules.ordered(operator, operand))

    return Predicate(f"{path} {operator} {operand!r}", lambda: COMPARISONS[operator](COLUMNS[path](), operand), fits)


def among(path: str, values: list[Any], negated: bool) -> Predicate:
    def fits(document: Document) -> bool:
        return Rules.holds(document, path, lambda value: any(Rules.same(one)(value) for one in values)) != negated

    def build() -> Any:
        return COLUMNS[path]().not_in(values) if negated else COLUMNS[path]().in_(values)

    return Predicate(f"{path} {'not ' * negated}in {values!r}", build, fits)


def matched(path: str, pattern: str) -> Predicate:
    def test(value: Any) -> bool:
        return isinstance(value, str) and value.startswith(pattern)

    return Predicate(
        f"{path}.regexp_match('^{pattern}')",
        lambda: COLUMNS[path]().regexp_match("^" + re.escape(pattern)),
        lambda document: Rules.holds(document, path, test),
    )


def has_element(operand: Any) -> Predicate:
    return Predicate(
        f"tags.any({operand!r})",
        lambda: col(Thing.tags).any(operand),
        lambda document: any(Rules.equal(item, operand) for item in document.get("tags") or []),
    )


def of_size(number: int) -> Predicate:
    return Predicate(
        f"tags.size({number})",
        lambda: col(Thing.tags).size(number),
        lambda document: isinstance(document.get("tags"), list) and len(document["tags"]) == number,
    )


def there(path: str, wanted: bool) -> Predicate:
    return Predicate(
        f"{path}.exists({wanted})",
        lambda: COLUMNS[path]().exists(wanted),
        lambda document: (path in document) == wanted,
    )


def one_home(city: str, rooms: int) -> Predicate:
    def fits(document: Document) -> bool:
        return any(
            Rules.equal(home.get("city", MISSING), city) and Rules.ordered(">=", rooms)(home.get("rooms", MISSING))
            for home in document.get("homes") or []
        )

    return Predicate(
        f"homes.elem_match({city!r}, {rooms})",
        lambda: col(Thing.homes).elem_match(col(Home.city) == city, col(Home.rooms) >= rooms),
        fits,
    )


def computed(operator: str, factor: int, operand: int) -> Predicate:
    def fits(document: Document) -> bool:
        return Rules.compare(operator, product(document, factor), operand)

    return Predicate(
        f"number * {factor} + other {operator} {operand}",
        lambda: COMPARISONS[operator](col(Thing.number) * factor + col(Thing.other), operand),
        fits,
    )


def product(document: Document, factor: int) -> Any:
    number, other = document.get("number"), document.get("other")
    return None if number is None or other is None else number * factor + other


def columns(operator: str) -> Predicate:
    def fits(document: Document) -> bool:
        return Rules.compare(operator, document.get("number", MISSING), document.get("other", MISSING))

    return Predicate(
        f"number {operator} other", lambda: COMPARISONS[operator](col(Thing.number), col(Thing.other)), fits
    )


paths = st.sampled_from(list(COLUMNS))
single = st.one_of(
    st.builds(compared, paths, st.sampled_from(list(COMPARISONS)), operands),
    st.builds(compared, paths, st.sampled_from(["==", "!="]), st.none()),
    st.builds(among, paths, st.lists(st.one_of(st.none(), operands), max_size=3), st.booleans()),
    st.builds(matched, paths, st.sampled_from(["a", "", "$", "."])),
    st.builds(has_element, operands),
    st.builds(of_size, st.integers(0, 3)),
    st.builds(there, st.sampled_from(["number", "mixed", "tags"]), st.booleans()),
    st.builds(one_home, texts, numbers),
    st.builds(computed, st.sampled_from(list(COMPARISONS)), numbers, numbers),
    st.builds(columns, st.sampled_from(list(COMPARISONS))),
)


def joined(parts: list[Predicate], way: str) -> Predicate:
    if way == "and":
        return Predicate(
            f"and_{parts}",
            lambda: and_(*[part.build() for part in parts]),
            lambda d: all(part.fits(d) for part in parts),
        )
    return Predicate(
        f"or_{parts}", lambda: or_(*[part.build() for part in parts]), lambda d: any(part.fits(d) for part in parts)
    )


def negated(part: Predicate) -> Predicate:
    return Predicate(f"not_({part})", lambda: not_(part.build()), lambda document: not part.fits(document))


predicates = st.recursive(
    single,
    lambda inner: st.one_of(
        st.builds(joined, st.lists(inner, min_size=1, max_size=3), st.sampled_from(["and", "or"])),
        st.builds(negated, inner),
    ),
    max_leaves=4,
)


# -- the tests ----------------------------------------------------------------------------------------------------


@pytest.fixture
def session(raw_client: MongoClient[Document], raw: Any) -> Any:
    with Session(SyncEngine(raw_client, raw.name)) as opened:
        yield opened


def numbered(raw: Any, documents: list[Document]) -> None:
    raw["thing"].delete_many({})
    if documents:
        raw["thing"].insert_many([{**document, "n": number} for number, document in enumerate(documents)])


def found(raw: Any, statement: Any) -> list[int]:
    """The numbers of the documents that fit the filter of a statement; not all of them fit the model."""
    return [document["n"] for document in raw["thing"].find(statement.command.filter, {"n": 1}).sort("n")]


@EXAMPLES
@given(documents, predicates)
def test_a_condition_finds_what_python_finds(raw: Any, documents: list[Document], predicate: Predicate) -> None:
    numbered(raw, documents)
    expected = [number for number, document in enumerate(documents) if predicate.fits(document)]
    assert found(raw, select(Thing).where(predicate.build())) == expected


@EXAMPLES
@given(documents, predicates)
def test_a_condition_as_a_value_is_the_condition(
    session: Any, raw: Any, documents: list[Document], predicate: Predicate
) -> None:
    numbered(raw, documents)
    flag = case((predicate.build(), 1), else_=0)
    expected = [int(predicate.fits(document)) for document in documents]
    raw_rows = raw["thing"].aggregate([{"$sort": {"n": 1}}, *select(flag).select_from(Thing).pipeline()])
    assert [row["0"] for row in raw_rows] == expected
    total = session.scalars(select(func.sum(flag)).select_from(Thing)).one()
    assert total == (sum(expected) if documents else None)


clean = st.lists(
    st.fixed_dictionaries({}, optional={"number": numbers, "other": st.one_of(st.none(), numbers), "text": texts}),
    max_size=8,
)


@EXAMPLES
@given(clean, st.integers(-3, 3), st.booleans(), st.integers(0, 3), st.one_of(st.none(), st.integers(0, 4)))
def test_computed_rows_are_those_of_python(
    session: Any, raw: Any, documents: list[Document], factor: int, down: bool, skip: int, limit: int | None
) -> None:
    numbered(raw, documents)
    value = (col(Thing.number) * factor + col(Thing.other)).label("v")
    words = func.coalesce(col(Thing.text), "-") + "!"
    statement = select(value, words, Thing.number).order_by(desc(value) if down else value, Thing.id)
    rows = [
        (product(document, factor), document.get("text", "-") + "!", document.get("number")) for document in documents
    ]
    rows.sort(key=lambda row: Rules.key(row[0]), reverse=down)
    expected = rows[skip:] if limit is None else rows[skip : skip + limit]
    answer = session.execute(statement.offset(skip).limit(limit)).all()
    assert [row[0] for row in answer] == [row[0] for row in expected]
    assert sorted(map(repr, session.execute(statement).all())) == sorted(
        f"Row(v={v!r}, anon_1={words!r}, number={number!r})" for v, words, number in rows
    )
    assert {tuple(row) for row in session.execute(select(value, Thing.text).distinct()).all()} == {
        (product(document, factor), document.get("text")) for document in documents
    }


@EXAMPLES
@given(clean, st.booleans(), st.integers(0, 3))
def test_groups_are_those_of_python(
    session: Any, raw: Any, documents: list[Document], by_text: bool, least: int
) -> None:
    numbered(raw, documents)
    key: Any = Thing.text if by_text else col(Thing.number) % 2
    functions: list[Any] = [
        func.count(), func.count(Thing.other), func.count(distinct(Thing.other)), func.sum(Thing.other),
        func.avg(Thing.other), func.min(Thing.other), func.max(Thing.other), func.push(Thing.other),
    ]  # fmt: skip
    statement: Any = select(*[key, *functions])
    statement = statement.group_by(key).having(func.count() > least)
    groups: dict[Any, list[Any]] = {}
    for document in documents:
        number = document.get("number")
        remainder = None if number is None else (abs(number) % 2) * (1 if number >= 0 else -1)  # the dividend's sign
        groups.setdefault(document.get("text") if by_text else remainder, []).append(document.get("other"))
    expected = [(key, *summary(values)) for key, values in groups.items() if len(values) > least]
    answer = [(*row[:-1], sorted(row[-1], key=Rules.key)) for row in session.execute(statement).all()]
    assert sorted(answer, key=lambda row: Rules.key(row[0])) == sorted(expected, key=lambda row: Rules.key(row[0]))
    assert session.execute(statement).count() == len(expected)


@EXAMPLES
@given(clean)
def test_the_whole_is_that_of_python(session: Any, raw: Any, documents: list[Document]) -> None:
    numbered(raw, documents)
    functions: list[Any] = [
        func.count(), func.count(Thing.other), func.count(distinct(Thing.other)), func.sum(Thing.other),
        func.avg(Thing.other), func.min(Thing.other), func.max(Thing.other), func.push(Thing.other),
    ]  # fmt: skip
    statement: Any = select(*functions)
    [row] = session.execute(statement.select_from(Thing)).all()
    assert (*row[:-1], sorted(row[-1], key=Rules.key)) == summary([document.get("other") for document in documents])


def summary(values: list[Any]) -> tuple[Any, ...]:
    """What the functions give for the values of a group (rule 5)."""
    known = [value for value in values if value is not None]
    average = pytest.approx(sum(known) / len(known)) if known else None
    return (
        len(values), len(known), len(set(known)), sum(known) if known else None, average,
        min(known, default=None), max(known, default=None), sorted(values, key=Rules.key),
    )  # fmt: skip
