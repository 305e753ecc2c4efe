"""Instances that need no look inside to be known as unchanged."""

from __future__ import annotations

import decimal
import enum
from datetime import date, datetime
from typing import Annotated, Any, Literal, Optional, Union, cast

import bson
import pytest
from bson.codec_options import CodecOptions
from odmantic import EmbeddedModel, Field, Model, ObjectId, Reference
from pydantic import BaseModel, field_validator
from pydantic import Field as PydanticField

from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.unchanging import is_unchanging
from mongotic_adapters.unit_of_work import plan

KEY = bson.ObjectId("65f000000000000000000001")


class Colour(enum.Enum):
    RED = "red"


class Spot(EmbeddedModel):
    x: int


class Plain(BaseModel):
    x: int


class Scalars(Model):
    name: str
    count: Annotated[int, PydanticField(ge=0)] = 0
    colour: Colour = Colour.RED
    way: Literal["in", "out"] = "in"
    price: decimal.Decimal = decimal.Decimal(1)
    seen: Optional[datetime] = None  # noqa: UP045  # both ways of writing it
    day: date | None = None
    what: Union[str, int, ObjectId] = ""  # noqa: UP007  # both ways of writing it

    @field_validator("name")
    @classmethod
    def _stripped(cls, value: str) -> str:
        return value.strip()


class Listing(Model):
    names: list[str]


class Embedding(Model):
    spot: Spot


class MaybeListing(Model):
    names: list[str] | None = None


class Anything(Model):
    value: Any = None


class Holding(Model):
    plain: Plain


class Open(Model):
    name: str

    model_config = {"extra": "allow"}


class Referring(Model):
    target: Scalars = Reference()


class Paired(Model):
    pair: tuple[int, list[int]] = Field(default=(0, []))


def test_scalars_change_by_assignment_alone() -> None:
    assert is_unchanging(Scalars)


@pytest.mark.parametrize("model", [Listing, Embedding, MaybeListing, Anything, Holding, Open, Referring, Paired])
def test_what_can_change_inside_is_looked_into(model: type[Model]) -> None:
    assert not is_unchanging(model)


@pytest.fixture
def books() -> Bookkeeping:
    return Bookkeeping(lambda _: cast("CodecOptions[dict[str, object]]", CodecOptions()))


@pytest.fixture
def read(books: Bookkeeping) -> Scalars:
    document = bson.encode(
        {"_id": KEY, "name": "Ann", "count": 1, "colour": "red", "way": "in", "price": bson.Decimal128("1")}
    )
    return cast("Scalars", books.load(mapping_of(Scalars), (bson.decode(document), document), {}))


def test_what_was_just_read_is_not_dirty(books: Bookkeeping, read: Scalars) -> None:
    assert books.held(mapping_of(Scalars))
    assert books.dirty == books.to_update == []


def test_an_assigned_value_is_dirty_until_it_is_what_it_was(books: Bookkeeping, read: Scalars) -> None:
    read.count = 2
    assert books.dirty == books.to_update == [read]
    read.count = 1
    assert books.dirty == books.to_update == []


def test_after_a_write_the_values_decide(books: Bookkeeping, read: Scalars) -> None:
    """A write that is settled takes ODMantic's marks away, those of fields assigned meanwhile too."""
    read.count = 2
    [step] = plan(books).steps
    read.count = 3  # while the write is on its way
    [change] = step.changes
    assert change.after is not None
    books.written(change.instance, change.after, change.references)
    assert books.dirty == books.to_update == [read]


def test_what_is_put_past_the_attributes_is_written(books: Bookkeeping, read: Scalars) -> None:
    read.__dict__["count"] = 2
    assert books.to_update == [read]
    assert books.has_work()
    [step] = plan(books).steps
    assert [change.instance for change in step.changes] == [read]
