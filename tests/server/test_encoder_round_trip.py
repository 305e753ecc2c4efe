"""On a real server: values of every type are stored, found by a filter, read back equal, and changed by statements."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import pathlib
from collections import deque
from fractions import Fraction
from typing import Any, Literal

import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from hypothesis import HealthCheck, given, settings
from odmantic import EmbeddedModel, Field, Model, SyncEngine
from pydantic import AnyUrl, HttpUrl, PostgresDsn, SecretStr
from pymongo.database import Database

from mongotic import ArgumentError, MongoBaseModel, Session, col, insert, select, update
from mongotic.asyncio import AsyncSession
from tests.conftest import CommandLog, Document
from tests.pure.plain_models import VALUES as PLAIN
from tests.pure.random_models import Made, instances
from tests.pure.test_plain_models import define


class Grade(enum.Enum):
    GOOD = 1
    BAD = "bad"


class Street(EmbeddedModel):
    name: str = Field(key_name="n")


class Cat(EmbeddedModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(default=9, key_name="l")


class Dog(EmbeddedModel):
    kind: Literal["dog"] = "dog"
    breed: str = Field(key_name="b")


class Plain(Model):
    grade: Grade = Grade.GOOD
    price: decimal.Decimal | None = None
    day: datetime.date | None = None
    clock: datetime.time | None = None
    span: datetime.timedelta | None = None
    url: AnyUrl | None = None
    site: HttpUrl | None = None
    base: PostgresDsn | None = None
    address: ipaddress.IPv4Address | None = None
    path: pathlib.PurePosixPath | None = None
    part: Fraction | None = None
    words: set[str] = set()
    queue: deque[int] | None = None
    street: Street | None = None
    pet: Cat | Dog | None = None
    by_name: dict[str, Street] = {}
    pets: list[Cat | Dog] = []


class Own(MongoBaseModel):
    __tablename__ = "own"
    grade: Grade = Grade.GOOD
    price: decimal.Decimal | None = None
    day: datetime.date | None = None
    clock: datetime.time | None = None
    span: datetime.timedelta | None = None
    url: AnyUrl | None = None
    site: HttpUrl | None = None
    base: PostgresDsn | None = None
    address: ipaddress.IPv4Address | None = None
    path: pathlib.PurePosixPath | None = None
    part: Fraction | None = None
    words: set[str] = set()
    queue: deque[int] | None = None
    street: Street | None = None
    pet: Cat | Dog | None = None
    by_name: dict[str, Street] = {}
    pets: list[Cat | Dog] = []


VALUES: dict[str, tuple[Any, Any]] = {
    "grade": (Grade.BAD, Grade.GOOD),
    "price": (decimal.Decimal("1.50"), decimal.Decimal(2)),
    "day": (datetime.date(2026, 1, 2), datetime.date(2026, 1, 3)),
    "clock": (datetime.time(1, 2, 3, 4), datetime.time(2)),
    "span": (datetime.timedelta(days=1, microseconds=1), datetime.timedelta(days=2)),
    "url": (AnyUrl("mongodb://a/b"), AnyUrl("mongodb://a/c")),
    "site": (HttpUrl("http://a.b/c"), HttpUrl("http://a.b/d")),
    "base": (PostgresDsn("postgres://a@b/c"), PostgresDsn("postgres://a@b/d")),
    "address": (ipaddress.IPv4Address("1.2.3.4"), ipaddress.IPv4Address("1.2.3.5")),
    "path": (pathlib.PurePosixPath("/a/b"), pathlib.PurePosixPath("/a/c")),
    "part": (Fraction(1, 3), Fraction(2, 3)),
    "words": ({"one", "two", "three"}, {"one", "two"}),
    "queue": (deque([1, 2]), deque([2, 1])),
    "street": (Street(name="a"), Street(name="b")),
    "pet": (Dog(breed="pug"), Cat(lives=3)),
    "pets": ([Dog(breed="pug"), Cat()], [Dog(breed="lab")]),
    "by_name": ({"home": Street(name="a")}, {"home": Street(name="b")}),
}


@pytest.mark.parametrize("model", [Plain, Own], ids=lambda model: model.__name__)
@pytest.mark.parametrize("name", VALUES)
async def test_a_value_is_stored_found_read_back_and_changed(
    session: AsyncSession, model: Any, name: str, commands: CommandLog
) -> None:
    value, other = VALUES[name]
    instance = model(**{name: value})
    session.add(instance)
    await session.commit()
    for found in (
        select(model).where(getattr(model, name) == value),
        select(model).where(col(getattr(model, name)) == value),
        select(model).where(col(getattr(model, name)).in_([value, None])),
        select(model).filter_by(**{name: value}),
    ):
        assert await session.scalars(found).count() == 1
    assert await session.scalars(select(model).where(col(getattr(model, name)) == other)).count() == 0
    session.expunge(instance)
    read: Any = await session.get(model, instance.id)
    assert read == instance
    assert type(getattr(read, name)) is type(value)
    assert session.dirty == []

    commands.sent.clear()
    setattr(read, name, getattr(instance, name))
    await session.commit()
    assert commands.sent == []  # the same value is no change
    setattr(read, name, other)
    assert session.dirty == [read]
    await session.commit()
    await session.execute(update(model).values(**{name: value}))
    await session.refresh(read)
    assert getattr(read, name) == value


async def test_times_and_spans_stay_in_order(session: AsyncSession) -> None:
    spans = [datetime.timedelta(microseconds=-1), datetime.timedelta(0), datetime.timedelta(days=3)]
    clocks = [datetime.time(1), datetime.time(1, 0, 0, 5), datetime.time(23)]
    session.add_all([Plain(span=span, clock=clock) for span, clock in zip(spans, clocks, strict=True)])
    await session.commit()
    assert await session.scalars(select(Plain.span).order_by(-col(Plain.span))).all() == spans[::-1]
    assert await session.scalars(select(Plain.clock).where(col(Plain.clock) > clocks[0])).all() == clocks[1:]


class Vault(Model):
    secret: SecretStr


async def test_a_secret_is_not_stored_by_accident(session: AsyncSession, commands: CommandLog) -> None:
    session.add(Vault(secret=SecretStr("s3cret")))
    with pytest.raises(ArgumentError, match="not stored in clear text") as caught:
        await session.commit()
    assert "s3cret" not in str(caught.value)
    assert commands.sent == []


PLAIN_VALUES = {name: made for name, made in PLAIN.items() if "stand-ins" not in name}  # those have UUIDs


@pytest.mark.parametrize("base", [Model, MongoBaseModel], ids=lambda base: base.__name__)
@pytest.mark.parametrize("name", PLAIN_VALUES)
async def test_a_plain_model_is_stored_found_read_back_and_changed(
    session: AsyncSession, base: Any, name: str, commands: CommandLog
) -> None:
    kind, value = PLAIN_VALUES[name]
    model = define(base, kind)
    instance = model(value=value)
    held = instance.value
    session.add(instance)
    await session.commit()
    for found in (
        select(model).where(col(model.value) == held),
        select(model).where(col(model.value).in_([held])),
        select(model).filter_by(value=held),
    ):
        assert await session.scalars(found).count() == 1
    session.expunge(instance)
    read: Any = await session.get(model, instance.id)
    assert read == instance
    assert session.dirty == []
    assert await session.scalars(select(col(model.value))).all() == [held]

    commands.sent.clear()
    read.value = value
    await session.commit()
    assert commands.sent == []  # the same value is no change
    await session.execute(update(model).values(value=value))
    await session.execute(insert(model).values({"value": value}))
    session.expire(read)
    assert [one.value for one in await session.scalars(select(model)).all()] == [held, held]
    assert session.dirty == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=instances())
def test_random_instances_are_read_back_equal(made: Made, sync_engine: SyncEngine, raw: Database[Document]) -> None:
    codec: CodecOptions[Document] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
    with Session(StandardUuids(sync_engine.client, raw.name)) as session:
        for target in made.references.values():
            session.merge(target)  # an example before may have stored one with this key
        session.add(made.instance)
        session.commit()
        stored = raw.get_collection("random", codec).find_one({"_id": made.instance.id})
        assert stored is not None
        session.expunge(made.instance)
        read = session.get(type(made.instance), made.instance.id)
        assert read == made.instance
        assert session.dirty == []


class StandardUuids(SyncEngine):
    """An engine whose collections store UUIDs, which PyMongo refuses without a setting."""

    def get_collection(self, model: type[Model]) -> Any:
        options: CodecOptions[Document] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
        return SyncEngine.get_collection(self, model).with_options(options)
