"""Functions of users that take and give mongotic's types."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, TypeVar

from odmantic import Model
from typing_extensions import assert_type

from mongotic import IntegrityError, NotFound, ScalarResult, Select, Session, desc, select, sessionmaker
from mongotic.asyncio import AsyncSession, async_sessionmaker

from .models import User

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def adults(statement: Select[tuple[User]]) -> Select[tuple[User]]:
    return statement.where(User.age >= 18)


def page(statement: Select[T], number: int, size: int = 20) -> Select[T]:
    return statement.offset(number * size).limit(size)


def everything(session: Session, model: type[M]) -> list[M]:
    return session.scalars(select(model)).all()


def load(session: Session, model: type[M], key: object) -> M:
    found = session.get(model, key)
    if found is None:
        raise NotFound(f"nothing stored as {key}")
    return found


def ages(result: ScalarResult[User]) -> list[int]:
    return [user.age for user in result]


class Repository(Generic[M]):
    def __init__(self, session: AsyncSession, model: type[M]) -> None:
        self.session = session
        self.model = model

    async def first(self) -> M | None:
        return await self.session.scalars(select(self.model)).first()

    async def stream(self) -> AsyncIterator[M]:
        async for item in self.session.scalars(select(self.model)):
            yield item


@contextmanager
def committed(make: sessionmaker) -> Generator[Session, None, None]:
    with make() as session:
        yield session
        session.commit()


@asynccontextmanager
async def committed_async(make: Callable[[], AsyncSession]) -> AsyncGenerator[AsyncSession, None]:
    async with make() as session:
        yield session
        await session.commit()


async def use(session: Session, awaited: AsyncSession, make: sessionmaker, make_async: async_sessionmaker) -> None:
    assert_type(everything(session, User), list[User])
    assert_type(load(session, User, "1"), User)
    assert_type(page(adults(select(User)).order_by(desc(User.age)), 2), Select[tuple[User]])
    assert_type(page(select(User.name, User.age), 0), Select[tuple[str, int]])
    assert_type(await Repository(awaited, User).first(), User | None)
    async for user in Repository(awaited, User).stream():
        assert_type(user, User)
    with committed(make) as inner:
        assert_type(ages(inner.scalars(select(User))), list[int])
    async with committed_async(make_async) as waiting:
        try:
            await waiting.commit()
        except IntegrityError as error:
            print(error)
