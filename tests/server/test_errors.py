"""Errors as users meet them: named as they are imported, caught by the clauses they had, and fit for task queues."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import odmantic.exceptions
import pymongo.errors
import pytest
from odmantic import Field, Model
from pymongo.database import Database

import mongotic.exceptions
from mongotic import MongoticError, select
from mongotic.asyncio import AsyncSession
from tests.conftest import Document

Cause: TypeAlias = Callable[[AsyncSession], Awaitable[object]]


class Badge(Model):
    code: str = Field(primary_field=True)
    level: int = 0


async def duplicate(session: AsyncSession) -> None:
    session.add(Badge(code="1"))
    await session.commit()


async def stale(session: AsyncSession) -> None:
    badge = await session.get(Badge, "2")
    assert badge is not None
    badge.level = 1
    await session.execute(mongotic.delete(Badge).where(Badge.code == "2"))
    await session.commit()


async def unknown_operator(session: AsyncSession) -> None:
    await session.scalars(select(Badge).where({"level": {"$nonsense": 1}})).all()


async def misfit(session: AsyncSession) -> None:
    await session.get(Badge, "bad")


async def nothing(session: AsyncSession) -> None:
    await session.scalars(select(Badge).where(Badge.code == "?")).one()


CAUSES: list[tuple[Cause, str, tuple[type[Exception], ...]]] = [
    (duplicate, "IntegrityError", (odmantic.exceptions.DuplicateKeyError, pymongo.errors.DuplicateKeyError)),
    (stale, "StaleDataError", (mongotic.FlushError,)),
    (unknown_operator, "OperationalError", (pymongo.errors.OperationFailure,)),
    (misfit, "DocumentError", (odmantic.exceptions.DocumentParsingError, ValueError)),
    (nothing, "NotFound", (mongotic.NoResultFound,)),
]


@pytest.mark.parametrize(("cause", "name", "bases"), CAUSES, ids=[name for _, name, _ in CAUSES])
async def test_an_error(
    session: AsyncSession, raw: Database[Document], cause: Cause, name: str, bases: tuple[type[Exception], ...]
) -> None:
    raw["badge"].insert_many([{"_id": "1"}, {"_id": "2"}, {"_id": "bad", "level": "high"}])
    with pytest.raises(MongoticError) as caught:
        await cause(session)
    error = caught.value
    assert f"{type(error).__module__}.{type(error).__qualname__}" == f"mongotic.exceptions.{name}"
    assert isinstance(error, bases)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)


def test_every_error_has_a_home_and_a_docstring() -> None:
    for name in mongotic.exceptions.__all__:
        error = getattr(mongotic.exceptions, name)
        assert error.__module__ == "mongotic.exceptions"
        assert error.__doc__
