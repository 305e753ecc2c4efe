"""References: how they are loaded, filtered by, and declared on a MongoBaseModel."""

# pyright takes an attribute declared as Model for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from odmantic import Model, Reference
from typing_extensions import assert_type

from mongotic import (
    LoadOption,
    MongoBaseModel,
    Select,
    Session,
    col,
    inspect,
    joinedload,
    noload,
    raiseload,
    select,
    selectinload,
    update,
)
from mongotic.asyncio import AsyncSession

from .models import Book, User


class Country(Model):
    name: str


class Publisher(MongoBaseModel):
    __tablename__ = "publishers"
    name: str
    country: Country | None = Reference()


class Story(MongoBaseModel):
    __tablename__ = "stories"
    title: str
    publisher: Publisher | None = Reference(key_name="publisher_id")
    writers: list[User] = Reference()


story = Story(title="a")
assert_type(story.writers, list[User])
story.writers.append(User(name="Ann"))
story.publisher = None
Story(title="b", publisher=Publisher(name="c"), writers=[])

assert_type(joinedload(Book.author), LoadOption)
assert_type(selectinload(Story.publisher).noload(Publisher.country), LoadOption)
assert_type(select(Book).options(raiseload(Book.author), noload(Book.author)), Select[tuple[Book]])
assert_type(select(Book).execution_options(missing="none"), Select[tuple[Book]])

select(Book).where(col(Book.author).name == "Ann", col(Book.author).age > 3).order_by(col(Book.author).name)
select(Story).where(col(Story.publisher).country.name == "Norway", col(Story.writers).contains(story.writers[0]))
update(Story).where(col(Story.publisher).name.in_(["a", "b"])).values(writers=[])


def blocking(session: Session) -> None:
    assert_type(session.get(Book, "1", options=[noload(Book.author)]), Book | None)
    assert_type(session.get_one(Book, "1", options=[joinedload(Book.author)]), Book)
    session.refresh(story, ["publisher"], options=[joinedload(Story.publisher)])
    assert_type(inspect(story).foreign_key("publisher"), object)


async def awaiting(session: AsyncSession) -> None:
    assert_type(await session.get(Book, "1", options=[noload(Book.author)]), Book | None)
    await session.refresh(story, options=[noload(Story.publisher)])
