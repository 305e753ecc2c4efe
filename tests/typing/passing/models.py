"""ODMantic models with a declared id, as the README has it for type checkers; the other files use them."""

from __future__ import annotations

from datetime import datetime
from typing import Optional

from odmantic import EmbeddedModel, Field, Index, Model, ObjectId, Reference
from typing_extensions import assert_type


class Address(EmbeddedModel):
    city: str
    street: str = Field(default="", key_name="way")


class User(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    name: str
    age: int = 0
    nick: Optional[str] = None  # noqa: UP045  # as many users have it
    email: str = Field(default="", unique=True)
    tags: list[str] = []
    address: Optional[Address] = None  # noqa: UP045
    homes: list[Address] = []
    created: datetime = Field(default_factory=datetime.now)

    model_config = {"collection": "users", "indexes": lambda: [Index(User.name, User.age)]}

    def label(self) -> str:
        return f"{self.name}, {self.age}"


class Book(Model):
    isbn: str = Field(primary_field=True)
    id: ObjectId = Field(default_factory=ObjectId)
    author: User = Reference()


user = User(name="Ann", age=30, tags=["vip"], address=Address(city="Rome"), homes=[Address(city="Oslo")])
assert_type(user.id, ObjectId)
assert_type(user.nick, Optional[str])  # noqa: UP045
assert_type(user.label(), str)
Book(isbn="1", author=user)
