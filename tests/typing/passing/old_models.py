"""Models declared the way of mongotic 0.5."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Optional

from odmantic import EmbeddedModel, ObjectId, Reference
from odmantic import Field as ODMField
from pydantic import BaseModel, Field, field_validator
from pymongo import ASCENDING, IndexModel
from typing_extensions import assert_type

from mongotic import MongoBaseModel, Select, Session, and_, col, create_engine, delete, desc, insert, select, update
from mongotic.asyncio import AsyncSession
from mongotic.model import MongoBaseModel as SameBase
from mongotic.orm import sessionmaker
from mongotic.query import select as same_select
from mongotic_adapters.columns import Column


class Address(EmbeddedModel):
    city: str


class Size(BaseModel):
    width: int


class Stamped(MongoBaseModel):
    __indexes__ = []

    created: Optional[datetime] = None  # noqa: UP045  # as 0.5 code has it

    @field_validator("created")
    @classmethod
    def _as_it_is(cls, created: datetime | None) -> datetime | None:
        return created


class User(Stamped):
    __databasename__ = "shop"
    __tablename__ = "users"
    __indexes__ = [IndexModel([("email", ASCENDING)], unique=True), IndexModel([("name", ASCENDING)])]

    name: str = Field(..., max_length=50)
    email: str = Field(default="")
    age: int = Field(default=0, ge=0)
    bio: Optional[str] = None  # noqa: UP045
    tags: list[str] = Field(default_factory=list)
    scores: dict[str, int] = Field(default_factory=dict)
    address: Optional[Address] = None  # noqa: UP045
    homes: list[Address] = Field(default_factory=list[Address])
    size: Size = Size(width=1)

    def label(self) -> str:
        return f"{self.name}, {self.age}"


class Admin(User):
    __tablename__ = "admins"
    __indexes__ = [IndexModel([("level", ASCENDING)])]

    level: int = 1


class Team(SameBase):
    __tablename__ = "teams"
    __indexes__: ClassVar[list[Any]] = [IndexModel([("name", ASCENDING)], name="by_name")]

    name: str
    lead: User = Reference()


class Ticket(MongoBaseModel):
    """`id` is a field like any other in 0.5; the key is `_id`."""

    __tablename__ = "tickets"

    id: int = Field(..., ge=1)
    holder: str = ""


class Badge(MongoBaseModel):
    __tablename__ = "badges"

    id: Optional[str] = None  # noqa: UP045


class Keyed(MongoBaseModel):
    __tablename__ = "keyed"

    code: str = ODMField(primary_field=True)


user = User(name="Ann", email="ann@example.com", tags=["a"], address=Address(city="Rome"), size=Size(width=2))
user.tags.append("b")
user.age += 1
assert_type(user.bio, Optional[str])  # noqa: UP045
assert_type(user.created, Optional[datetime])  # noqa: UP045
assert_type(user.label(), str)
key: ObjectId = user.id
assert_type(User(id=ObjectId(), name="Bob").name, str)
assert_type(Admin(name="Cid", level=2).level, int)
Team(name="A", lead=user)
assert_type(Ticket(id=3).id, int)
assert_type(Badge(id="x").id, Optional[str])  # noqa: UP045
assert_type(Keyed(code="x").code, str)
assert [index.document["name"] for index in User.__indexes__] == ["email_1", "name_1"]
assert_type(User.__tablename__, str)
assert_type(User.__databasename__, str)

assert_type(same_select(User), Select[tuple[User]])
assert_type(select(User.name, User.age), Select[tuple[str, int]])
assert_type(col(User.age), Column[int])
assert_type(col(Ticket.id), Column[int])
select(User).where(User.age > 18, User.name == "Ann", col(User.name).like("A%"), User.bio == None)
select(User).where(and_(col(User.age).in_([1, 2]), col(User.homes).city == "Rome"))
select(User).order_by(desc(User.age), -col(User.age)).filter_by(email="a")


def blocking(uri: str) -> None:
    make = sessionmaker(create_engine(uri))
    with make() as session:
        session.add(user)
        session.commit()
        assert_type(session.scalars(select(User).where(User.age > 18)).all(), list[User])
        assert_type(session.scalars(select(Admin)).first(), Admin | None)
        assert_type(session.get(Ticket, "507f1f77bcf86cd799439011"), Ticket | None)
        for name, age in session.execute(select(User.name, User.age)):
            assert_type((name, age), tuple[str, int])
        session.execute(insert(User).values({"name": "Ann"}))
        session.execute(update(User).where(User.age > 18).values(age=3))
        session.execute(delete(Team).where(Team.name == "A"))


def passed_around(session: Session, model: type[MongoBaseModel], instance: MongoBaseModel) -> MongoBaseModel | None:
    session.add(instance)
    return session.get(model, instance.id)


async def awaiting(session: AsyncSession) -> None:
    session.add(Admin(name="Ann"))
    await session.commit()
    assert_type(await session.scalars(select(User)).one(), User)
    async for ticket in session.scalars(select(Ticket)):
        assert_type(ticket.id, int)
