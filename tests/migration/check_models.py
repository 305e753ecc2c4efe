"""The models of a small shop, for the tests of `check` and `indexes`."""

from __future__ import annotations

from typing import Any

from odmantic import EmbeddedModel, Field, Index, Model, Reference
from odmantic.query import desc
from pymongo import IndexModel

from mongotic import MongoBaseModel


class Address(EmbeddedModel):
    city: str
    street: str = Field(default="", key_name="str")


class Line(EmbeddedModel):
    article: str
    amount: int = 1


class Publisher(Model):
    name: str = Field(unique=True)
    address: Address

    model_config = {"collection": "publishers"}


class Author(MongoBaseModel):
    __tablename__ = "authors"

    name: str


class Book(Model):
    title: str = Field(index=True)
    pages: int = 0
    price: float = 0.0
    tags: list[str] = []
    publisher: Publisher = Reference()
    note: Any = None

    model_config = {
        "collection": "books",
        "indexes": lambda: [Index(Book.title, desc(Book.pages), name="shelf"), Index(Book.price, unique=False)],
    }


class Order(MongoBaseModel):
    __tablename__ = "orders"
    __indexes__ = [IndexModel([("buyer.city", 1)], sparse=True), IndexModel([("lines.article", "text")])]

    number: int
    buyer: Address
    lines: list[Line] = Field(default_factory=list)
    writer: Author | None = Reference()
    others: list[Author] = Reference()


SHOP: list[type[Model]] = [Publisher, Author, Book, Order]
