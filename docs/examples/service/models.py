"""What the bookshop keeps.  Plain ODMantic models, and one declared the way of mongotic 0.5; `shop` stores them, `app`
takes and gives them."""

from __future__ import annotations

from datetime import datetime, timezone

from odmantic import Field, Model, ObjectId, Reference
from pydantic import BaseModel
from pydantic import Field as PydanticField

from mongotic import MongoBaseModel


class Publisher(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    name: str = Field(unique=True, min_length=1)


class Book(Model):
    __version_field__ = "version"  # who changes a book that somebody else has changed meanwhile is told so

    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    isbn: str = Field(unique=True, min_length=1)
    title: str
    price: float = Field(gt=0)
    stock: int = Field(default=0, ge=0)
    tags: list[str] = []
    version: int = 1
    publisher: Publisher = Reference()


class Sale(MongoBaseModel):
    __tablename__ = "sales"

    isbn: str
    copies: int
    total: float
    at: datetime = PydanticField(default_factory=lambda: datetime.now(timezone.utc).replace(microsecond=0))


class NewBook(BaseModel):
    """A book as callers send it."""

    isbn: str = PydanticField(min_length=1)
    title: str
    price: float = PydanticField(gt=0)
    stock: int = PydanticField(default=0, ge=0)
    tags: list[str] = []
    publisher: ObjectId


class BookChange(BaseModel):
    """What callers may change of a book, and the version they have seen."""

    version: int
    title: str | None = None
    price: float | None = PydanticField(default=None, gt=0)
    tags: list[str] | None = None
