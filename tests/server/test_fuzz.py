"""Hostile values through every door of a session: an error of mongotic's that says so, or plain data in the database.

Each door is tried with each value.  What may come out is an error of mongotic's, a `ValidationError`, or nothing:
never an error from inside, an AttributeError say, and never an operator where there was a value.
"""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import HealthCheck, given, settings
from odmantic import EmbeddedModel, Field, Model, Reference, SyncEngine
from pydantic import SecretStr, ValidationError
from pymongo.database import Database

import mongotic
from mongotic import (
    MongoBaseModel,
    Session,
    and_,
    asc,
    case,
    col,
    delete,
    desc,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import MongoticError
from tests.conftest import Document
from tests.pure.random_models import JSON

untyped: Any = mongotic  # for calls that are wrong on purpose


class Home(EmbeddedModel):
    city: str = Field(default="Oslo", key_name="c")


class Team(Model):
    name: str = Field(default="A", primary_field=True)


class Person(Model):
    name: str = "Ann"
    age: int = 30
    born: datetime.datetime = datetime.datetime(2000, 1, 1)
    tags: list[str] = []
    words: set[str] = set()
    home: Home = Home()
    homes: list[Home] = []
    maybe: Home | None = None
    notes: dict[str, Any] = {}
    anything: Any = None
    team: Team = Reference(key_name="team_id")


class Old(MongoBaseModel):
    __tablename__ = "old"
    name: str = "Ann"
    age: int = 30
    tags: list[str] = []
    home: Home = Home()
    anything: Any = None


class Open(Model):
    model_config = {"extra": "allow"}
    name: str = "Ann"


class Stranger(Model):
    name: str = "Ann"


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"deeper": [value]}
    return value


def cyclic() -> object:
    value: list[object] = []
    value.append({"again": value})
    return value


class Unprintable:
    def __repr__(self) -> str:
        raise KeyError("no")


class Uncomparable:
    def __eq__(self, other: object) -> bool:
        raise KeyError("no")

    __hash__ = None  # type: ignore[assignment]  # unhashable on purpose


class OddText(str):
    __slots__ = ()


VALUES: dict[str, Callable[[], object]] = {
    "operator": lambda: {"$gt": ""},
    "nested operator": lambda: {"a": {"$ne": None}},
    "where operator": lambda: {"$where": "sleep(1000)"},
    "expr operator": lambda: {"$expr": {"$eq": [1, 1]}},
    "operators among keys": lambda: {"$gt": "", "a": 1},
    "list of operators": lambda: [{"$gt": ""}],
    "dollar text": lambda: "$name",
    "dollar dollar text": lambda: "$$ROOT",
    "pattern": lambda: ".*(+[",
    "percent": lambda: "%_\\",
    "dotted key": lambda: {"a.b": 1},
    "dollar key": lambda: {"$a": 1},
    "NUL key": lambda: {"a\0b": 1},
    "empty key": lambda: {"": 1},
    "int key": lambda: {1: 2},
    "tuple key": lambda: {(1, 2): 3},
    "None key": lambda: {None: 1},
    "NUL text": lambda: "a\0b",
    "empty text": lambda: "",
    "surrogate": lambda: "\ud800",
    "surrogate key": lambda: {"\udfff": 1},
    "text that is no str": lambda: OddText("x"),
    "invalid UTF-8": lambda: b"\xff\xfe",
    "12 bytes": lambda: b"0" * 12,
    "24 digits": lambda: "0" * 24,
    "ObjectId": ObjectId,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus zero": lambda: -0.0,
    "64 bits": lambda: 2**63 - 1,
    "65 bits": lambda: 2**64,
    "negative 65 bits": lambda: -(2**64),
    "5000 digits": lambda: 10**5000,
    "Decimal NaN": lambda: decimal.Decimal("NaN"),
    "Decimal sNaN": lambda: decimal.Decimal("sNaN"),
    "Decimal of 40 digits": lambda: decimal.Decimal("1." + "1" * 40),
    "Decimal beyond": lambda: decimal.Decimal("1e9999"),
    "bool": lambda: True,
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    "NotImplemented": lambda: NotImplemented,
    "naive": lambda: datetime.datetime(2026, 1, 1),
    "aware": lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    "aware elsewhere": lambda: datetime.datetime(
        2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5, seconds=1))),
    "microseconds": lambda: datetime.datetime(2026, 1, 1, 0, 0, 0, 123_456),
    "first moment": lambda: datetime.datetime.min,
    "last moment": lambda: datetime.datetime.max,
    "last moment aware": lambda: datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-5))),
    "date": lambda: datetime.date(1, 1, 1),
    "time": lambda: datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(seconds=1))),
    "span": lambda: datetime.timedelta.max,
    "deep": lambda: deep(60),
    "too deep": lambda: deep(5000),
    "cyclic": cyclic,
    "long text": lambda: "x" * (17 * 1024 * 1024),
    "function": lambda: lambda: 1,
    "class": lambda: int,
    "model class": lambda: Person,
    "field": lambda: Person.name,
    "condition": lambda: Person.name == "a",
    "column": lambda: col(Person.name),
    "other column": lambda: col(Stranger.name),
    "other field": lambda: Stranger.name,
    "other condition": lambda: col(Stranger.name) == "a",
    "order": lambda: desc(Person.name),
    "instance": Person.model_construct,
    "stranger": lambda: Stranger(),
    "team": lambda: Team(),
    "embedded": Home,
    "half an instance": Home.model_construct,
    "object": object,
    "unprintable": Unprintable,
    "uncomparable": Uncomparable,
    "exception": lambda: KeyError("x"),
    "generator": lambda: (item for item in [1]),
    "range": lambda: range(3),
    "set": lambda: {1, "a", None},
    "set of texts": lambda: {"b", "a"},
    "tuple": lambda: (1, {"$gt": 1}),
    "bytearray": lambda: bytearray(b"a"),
    "memoryview": lambda: memoryview(b"a"),
    "complex": lambda: 1j,
    "UUID": lambda: uuid.UUID(int=1),
    "secret": lambda: SecretStr("s3cret"),
    "compiled pattern": lambda: re.compile("a("[:1], re.IGNORECASE),
    "bytes pattern": lambda: re.compile(b"a"),
    "regex": lambda: Regex("(", "i"),
    "code": lambda: Code("sleep(1)", {"a": 1}),
    "DBRef": lambda: DBRef("c", 1),
    "MinKey": MinKey,
    "MaxKey": MaxKey,
    "timestamp": lambda: Timestamp(1, 1),
    "Int64": lambda: Int64(1),
    "Decimal128": lambda: Decimal128("1.0"),
    "binary": lambda: Binary(b"a", 128),
    "statement": lambda: select(Person),
    "text with a lone surrogate in a list": lambda: ["ok", {"deep": "\ud800"}],
}  # fmt: skip


class RefusedByPython(Exception):  # noqa: N818  # nobody sees it
    """A line of the user's own cannot be run, before mongotic hears of it: an unhashable key, say."""


def made(model: type[Model], **values: object) -> Any:
    """Return an instance, if ODMantic makes one of such values."""
    try:
        return model(**values)
    except Exception as error:
        raise RefusedByPython from error


def of_odmantic(operator: Callable[[Any], object], value: object) -> Any:
    """Return a condition of ODMantic's, if it makes one of such a value."""
    try:
        return operator(value)
    except Exception as error:
        raise RefusedByPython from error


def keyed(key: Any, value: object) -> Document:
    """Return a dict, if Python makes one with such a key."""
    try:
        return {key: value}
    except Exception as error:
        raise RefusedByPython from error


def text(value: object) -> str:
    """Return a keyword; Python itself refuses others."""
    if type(value) is not str:
        raise RefusedByPython
    return value


Door: TypeAlias = Callable[[AsyncSession, Any], Awaitable[object]]


async def add(session: AsyncSession, instance: Any) -> None:
    session.add(instance)
    await session.commit()


async def change(session: AsyncSession, field: str, value: object) -> None:
    person = Person(team=Team())
    session.add(person)
    await session.commit()
    try:
        setattr(person, field, value)
    except Exception as error:
        raise RefusedByPython from error
    assert person in session
    await session.commit()


async def change_in_place(session: AsyncSession, value: object) -> None:
    person = Person(team=Team())
    session.add(person)
    await session.commit()
    person.notes["k"] = value
    assert session.dirty is not None
    await session.commit()


async def overwrite(session: AsyncSession, value: object) -> None:
    """Past all validation."""
    person = Person(team=Team())
    person.__dict__["age"] = value
    person.home.__dict__["city"] = value
    session.add(person)
    await session.commit()


async def merge(session: AsyncSession, value: object) -> None:
    session.merge(made(Person, team=Team(), anything=value))
    await session.commit()


async def refresh(session: AsyncSession, value: object) -> None:
    person = Person(team=Team())
    session.add(person)
    await session.commit()
    person.anything = value
    await session.refresh(person)


async def extra(session: AsyncSession, value: object) -> None:
    await add(session, made(Open, name="a", more=value))


async def merged_any(session: AsyncSession, value: Any) -> None:
    session.merge(value)
    await session.commit()


async def expired_fields(session: AsyncSession, value: Any) -> None:
    person = Person(team=Team())
    session.add(person)
    await session.commit()
    session.expire(person, value)


async def refreshed_fields(session: AsyncSession, value: Any) -> None:
    person = Person(team=Team())
    session.add(person)
    await session.commit()
    await session.refresh(person, value)


async def at_once(action: object) -> None:
    """What acts when it is called."""


def found(statement: Callable[[Any], Any]) -> Door:
    async def ask(session: AsyncSession, value: Any) -> object:
        asked = statement(value)
        assert repr(asked)
        return await session.scalars(asked).all()

    return ask


def done(statement: Callable[[Any], Any]) -> Door:
    async def run(session: AsyncSession, value: Any) -> object:
        written = statement(value)
        assert repr(written)
        return await session.execute(written)

    return run


person: Any = Person
DOORS: dict[str, Door] = {
    "add": lambda session, value: add(session, value),
    "add as Any": lambda session, value: add(session, made(Person, team=Team(), anything=value)),
    "add in a dict": lambda session, value: add(session, made(Person, team=Team(), notes={"k": value})),
    "add as a key": lambda session, value: add(session, made(Person, team=Team(), notes=keyed(value, 1))),
    "add as extra": extra,
    "add as a name": lambda session, value: add(session, made(Person, team=Team(), name=value)),
    "add as an age": lambda session, value: add(session, made(Person, team=Team(), age=value)),
    "add as a moment": lambda session, value: add(session, made(Person, team=Team(), born=value)),
    "add as tags": lambda session, value: add(session, made(Person, team=Team(), tags=value)),
    "add as words": lambda session, value: add(session, made(Person, team=Team(), words=value)),
    "add as a home": lambda session, value: add(session, made(Person, team=Team(), home=value)),
    "add as homes": lambda session, value: add(session, made(Person, team=Team(), homes=[value])),
    "add as a maybe": lambda session, value: add(session, made(Person, team=Team(), maybe=value)),
    "add as a team": lambda session, value: add(session, made(Person, team=value)),
    "add as a key of a team": lambda session, value: add(session, made(Team, name=value)),
    "add as an id": lambda session, value: add(session, made(Stranger, id=value)),
    "add past validation": overwrite,
    "add of mongotic 0.5": lambda session, value: add(session, made(Old, anything=value)),
    "_id of mongotic 0.5": lambda session, value: add(session, with_id(value)),
    "add_all": lambda session, value: at_once(untyped_of(session).add_all(value)),
    "change": lambda session, value: change(session, "anything", value),
    "change of a team": lambda session, value: change(session, "team", value),
    "change of a home": lambda session, value: change(session, "home", value),
    "change in place": change_in_place,
    "merge": merge,
    "merge of it": merged_any,
    "delete": lambda session, value: at_once(untyped_of(session).delete(value)),
    "expunge": lambda session, value: at_once(untyped_of(session).expunge(value)),
    "expire": lambda session, value: at_once(untyped_of(session).expire(value)),
    "expire of fields": expired_fields,
    "refresh": refresh,
    "refresh of it": lambda session, value: untyped_of(session).refresh(value),
    "refresh of fields": refreshed_fields,
    "contained": lambda session, value: at_once(value in session),
    "get": lambda session, value: session.get(Person, value),
    "get of a text key": lambda session, value: session.get(Team, value),
    "get of mongotic 0.5": lambda session, value: session.get(Old, value),
    "get of it": lambda session, value: untyped_of(session).get(value, 1),
    "scalars": lambda session, value: untyped_of(session).scalars(value).all(),
    "execute": lambda session, value: untyped_of(session).execute(value),
    "select": found(untyped.select),
    "select of one more": done(lambda value: untyped.select(Person.name, value)),
    "where": found(lambda value: untyped.select(Person).where(value)),
    "where equal": found(lambda value: select(Person).where(person.anything == value)),
    "where name equal": found(lambda value: select(Person).where(person.name == value)),
    "where age above": found(lambda value: select(Person).where(person.age > value)),
    "where team": found(lambda value: select(Person).where(person.team == value)),
    "where id": found(lambda value: select(Person).where(person.id == value)),
    "where home": found(lambda value: select(Person).where(person.home == value)),
    "where city": found(lambda value: select(Person).where(person.home.city == value)),
    "where in of ODMantic": found(lambda value: select(Person).where(of_odmantic(person.name.in_, value))),
    "where match of ODMantic": found(lambda value: select(Person).where(of_odmantic(person.name.match, value))),
    "where column equal": found(lambda value: select(Person).where(col(person.anything) == value)),
    "where column not equal": found(lambda value: select(Person).where(col(person.name) != value)),
    "where column id": found(lambda value: select(Person).where(col(person.id) == value)),
    "where column team": found(lambda value: select(Person).where(col(person.team) == value)),
    "where column below": found(lambda value: select(Person).where(col(person.born) <= value)),
    "where column city": found(lambda value: select(Person).where(col(person.home.city) == value)),
    "in_": found(lambda value: select(Person).where(col(person.name).in_(value))),
    "in_ of one": found(lambda value: select(Person).where(col(person.anything).in_([value]))),
    "not_in": found(lambda value: select(Person).where(col(person.id).not_in([value]))),
    "is_": found(lambda value: select(Person).where(col(person.name).is_(value))),
    "between": found(lambda value: select(Person).where(col(person.age).between(value, value))),
    "like": found(lambda value: select(Person).where(col(person.name).like(value))),
    "ilike": found(lambda value: select(Person).where(col(person.name).ilike(value))),
    "contains": found(lambda value: select(Person).where(col(person.name).contains(value))),
    "contains of a list": found(lambda value: select(Person).where(col(person.tags).contains(value))),
    "startswith": found(lambda value: select(Person).where(col(person.name).startswith(value))),
    "endswith": found(lambda value: select(Person).where(col(person.name).endswith(value))),
    "match": found(lambda value: select(Person).where(col(person.name).match(value))),
    "of mongotic 0.5": found(lambda value: select(Old).where(untyped_of(Old).name == value)),
    "in_ of mongotic 0.5": found(lambda value: select(Old).where(untyped_of(Old).tags.in_(value))),
    "filter dict": found(lambda value: select(Person).where({"anything": value})),
    "filter key": found(lambda value: untyped.select(Person).where(keyed(value, 1))),
    "filter_by": found(lambda value: select(Person).filter_by(anything=value)),
    "filter_by id": found(lambda value: select(Person).filter_by(id=value)),
    "filter_by team": found(lambda value: select(Person).filter_by(team=value)),
    "filter_by name": found(lambda value: untyped.select(Person).filter_by(**{text(value): 1})),
    "and_": found(lambda value: select(Person).where(and_(value))),
    "or_": found(lambda value: select(Person).where(or_(person.name == "a", value))),
    "not_": found(lambda value: select(Person).where(not_(value))),
    "col": found(lambda value: select(Person).where(col(value) == 1)),
    "order_by": found(lambda value: select(Person).order_by(value)),
    "asc": found(lambda value: select(Person).order_by(asc(value))),
    "order_by of columns": found(lambda value: select(Person.name).order_by(value)),
    "group_by": found(lambda value: select(Person.name).group_by(value)),
    "having": found(lambda value: untyped.select(Person.name).group_by(Person.name).having(value)),
    "having of a count": found(lambda value: select(Person.name).group_by(Person.name).having(func.count() == value)),
    "plus": found(lambda value: select(untyped_of(col(person.name)) + value)),
    "from": found(lambda value: select(value - untyped_of(col(person.age)))),
    "times": found(lambda value: select(Person).where(untyped_of(col(person.age)) * value > 1)),
    "rounded": found(lambda value: select(untyped_of(func).round(person.age, value))),
    "computed equal": found(lambda value: select(Person).where(func.lower(person.name) == value)),
    "computed in_": found(lambda value: select(Person).where(untyped_of(func.lower(person.name)).in_(value))),
    "computed between": found(lambda value: select(Person).where(func.length(person.name).between(value, 3))),
    "computed pattern": found(lambda value: select(Person).where(func.lower(person.name).regexp_match(value))),
    "literal": found(lambda value: select(literal(value)).select_from(Person)),
    "case": found(lambda value: select(untyped.case((person.age > 1, value), else_=value)).select_from(Person)),
    "case of it": found(lambda value: select(untyped.case(value)).select_from(Person)),
    "case equal": found(lambda value: select(case((person.anything == value, 1), else_=0))),
    "case in_": found(lambda value: select(case((col(person.anything).in_([value]), 1), else_=0))),
    "label": found(lambda value: select(untyped_of(col(person.name)).label(value))),
    "sum": found(lambda value: select(untyped.func.sum(value)).select_from(Person)),
    "first": found(lambda value: select(untyped.func.first(value)).select_from(Person)),
    "count": found(lambda value: select(untyped.func.count(value)).select_from(Person)),
    "concat": found(lambda value: select(untyped.func.concat(person.name, value))),
    "substr": found(lambda value: select(untyped.func.substr(person.name, value, value))),
    "year": found(lambda value: select(untyped.func.year(value)).select_from(Person)),
    "zone": found(lambda value: select(untyped.func.year(person.born, timezone=value))),
    "date_trunc": found(lambda value: select(untyped.func.date_trunc(value, person.born, bin_size=value))),
    "select_from": found(lambda value: untyped.select(func.count()).select_from(value)),
    "any": found(lambda value: select(Person).where(col(person.tags).any(value))),
    "all": found(lambda value: select(Person).where(untyped_of(col(person.tags)).all(value))),
    "all of one": found(lambda value: select(Person).where(col(person.tags).all([value]))),
    "elem_match": found(lambda value: select(Person).where(untyped_of(col(person.homes)).elem_match(value))),
    "size": found(lambda value: select(Person).where(untyped_of(col(person.tags)).size(value))),
    "exists": found(lambda value: select(Person).where(untyped_of(col(person.tags)).exists(value))),
    "type_": found(lambda value: select(Person).where(untyped_of(col(person.tags)).type_(value))),
    "regexp_match": found(lambda value: select(Person).where(untyped_of(col(person.name)).regexp_match(value))),
    "flags": found(lambda value: select(Person).where(untyped_of(col(person.name)).regexp_match("a", value))),
    "mod": found(lambda value: select(Person).where(untyped_of(col(person.age)).mod(value, value))),
    "bits": found(lambda value: select(Person).where(untyped_of(col(person.age)).bits_all_set(value))),
    "near": found(lambda value: select(Person).where(untyped_of(col(person.anything)).near(value))),
    "near within": found(
        lambda value: select(Person).where(untyped_of(col(person.anything)).near((1, 2), max_distance=value))
    ),
    "within": found(lambda value: select(Person).where(untyped_of(col(person.anything)).within(value))),
    "within_circle": found(
        lambda value: select(Person).where(untyped_of(col(person.anything)).within_circle(value, 1))
    ),
    "text_search": found(lambda value: select(Person).where(untyped.text_search(value))),
    "language": found(lambda value: select(Person).where(untyped.text_search("a", language=value))),
    "limit": found(lambda value: untyped.select(Person).limit(value)),
    "offset": found(lambda value: untyped.select(Person).offset(value)),
    "yield_per": found(lambda value: untyped.select(Person).yield_per(value)),
    "insert": done(lambda value: untyped.insert(value)),
    "insert values": done(lambda value: untyped.insert(Person).values(value)),
    "insert values of a list": done(lambda value: untyped.insert(Stranger).values([{"name": "a"}, value])),
    "insert a value": done(lambda value: insert(Old).values({"anything": value})),
    "insert an id": done(lambda value: insert(Stranger).values({"id": value})),
    "insert a key": done(lambda value: untyped.insert(Open).values(keyed(value, 1))),
    "update": done(lambda value: untyped.update(value)),
    "update where": done(lambda value: update(Person).where(value).values(age=1)),
    "update values": done(lambda value: untyped.update(Person).values(value)),
    "update a value": done(lambda value: update(Person).values(anything=value)),
    "update a name": done(lambda value: update(Person).values(name=value)),
    "update an age": done(lambda value: update(Person).values(age=value)),
    "update a dict": done(lambda value: update(Person).values(notes={"k": value})),
    "update a home": done(lambda value: update(Person).values(home=value)),
    "update a maybe": done(lambda value: update(Person).values(maybe=value)),
    "update a team": done(lambda value: update(Person).values(team=value)),
    "update words": done(lambda value: update(Person).values(words=value)),
    "update a key": done(lambda value: untyped.update(Person).values(keyed(value, 1))),
    "delete statement": done(lambda value: untyped.delete(value)),
    "delete where": done(lambda value: delete(Stranger).where(value)),
    "distinct": found(lambda value: select(Person.anything).where(person.anything == value).distinct()),
}  # fmt: skip


def with_id(value: Any) -> Old:
    old = Old()
    old._id = value
    return old


def untyped_of(typed: Any) -> Any:
    return typed


@pytest.mark.filterwarnings("ignore::mongotic.exceptions.MongoticWarning")
@pytest.mark.parametrize("door", DOORS)
async def test_only_errors_of_mongotic_come_out(session: AsyncSession, door: str) -> None:
    escaped: list[str] = []
    for name, make in VALUES.items():
        value = make()
        try:
            try:
                await DOORS[door](session, value)
            finally:
                await session.rollback()
        except RefusedByPython:
            pass
        except (MongoticError, ValidationError) as error:
            str(error)
        except Exception as error:  # noqa: BLE001  # what this test is for
            escaped.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    if escaped:
        pytest.fail("\n".join(escaped), pytrace=False)


PLAIN = (
    "operator", "nested operator", "where operator", "expr operator", "list of operators", "dollar text",
    "dollar dollar text", "pattern", "percent", "dotted key", "dollar key", "empty key", "NUL text", "empty text",
    "text that is no str", "invalid UTF-8", "24 digits", "infinity", "minus zero", "64 bits", "None", "bool", "naive",
    "deep", "regex", "code", "Int64", "Decimal128", "timestamp", "MinKey", "MaxKey", "binary",
)  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
async def test_plain_data_is_stored_and_compared_as_data(
    session: AsyncSession, raw: Database[Document], name: str
) -> None:
    value = VALUES[name]()
    plain = bson.decode(bson.encode({"": value}))[""]
    session.add_all([Old(name="decoy", anything="decoy"), Old(name="it", anything=value)])
    await session.commit()
    assert bson.encode({"": stored(raw)}) == bson.encode({"": plain})
    for statement in (
        select(Old).where(untyped_of(Old).anything == value),
        select(Old).where(col(untyped_of(Old).anything).is_(value)),
        select(Old).filter_by(anything=value),
        select(Old).where({"anything": {"$eq": value}}),
    ):
        assert {old.name for old in await session.scalars(statement).all()} == {"it"}
    await session.execute(update(Old).where(col(Old.name) == "it").values(anything=1))
    await session.execute(update(Old).where(col(Old.name) == "it").values(anything=value))
    assert bson.encode({"": stored(raw)}) == bson.encode({"": plain})
    await session.execute(insert(Old).values(name="new", anything=value))
    assert bson.encode({"": stored(raw, "new")}) == bson.encode({"": plain})


def stored(raw: Database[Document], name: str = "it") -> object:
    return (raw["old"].find_one({"name": name}) or {})["anything"]


LITERAL = ["a.b", "a%b", "a_b", "(", "[a", "\\", "^$", "a*", "a\nb", "é", "|", "{1}"]


@pytest.mark.parametrize("text", LITERAL)
async def test_patterns_of_text_are_literal(session: AsyncSession, text: str) -> None:
    session.add_all([Old(name=f"<{text}>"), Old(name="<axb>"), Old(name="")])
    await session.commit()
    name = col(Old.name)
    escaped = text.replace("%", "_")  # any one character
    for condition in (name.contains(text), name.startswith(f"<{text}"), name.endswith(f"{text}>")):
        assert await session.scalars(select(Old.name).where(condition)).all() == [f"<{text}>"]
    assert f"<{text}>" in await session.scalars(select(Old.name).where(name.like(f"<{escaped}>"))).all()


@given(value=JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_data_is_stored_and_compared_as_data(value: Any, sync_engine: SyncEngine, raw: Database[Document]) -> None:
    with Session(sync_engine) as session:
        old = Old(anything=value)
        session.add(old)
        session.commit()
        document = raw["old"].find_one({"_id": old.id}) or {}
        assert bson.encode({"": document["anything"]}) == bson.encode({"": value})
        mine = select(Old).where(untyped_of(Old).id == old.id)
        assert session.scalars(mine.where(untyped_of(Old).anything == value)).count() == 1
        assert session.scalars(mine.filter_by(anything=value)).count() == 1
