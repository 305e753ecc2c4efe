"""What is shown in a shell and in a notebook, and what is said of names that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model, Reference, SyncEngine

from mongotic import MongoBaseModel, Session, col, insert, raiseload, select, update
from mongotic.asyncio import AsyncSession
from tests.conftest import AwaitedResult


class Address(EmbeddedModel):
    city: str


class User(Model):
    number: int = Field(primary_field=True)
    name: str = ""
    address: Address | None = None


class Plant(MongoBaseModel):
    __tablename__ = "plants"

    height: int = 0


class Leaf(Model):
    plant: Plant = Reference()


async def html(result: Any) -> str:
    """The table a notebook shows."""
    own = result.inner if isinstance(result, AwaitedResult) else result
    return str(own._repr_html_())


async def test_rows_are_a_table(session: AsyncSession) -> None:
    session.add_all([User(number=1, name="<b>"), User(number=2)])
    await session.commit()
    rows = await session.execute(select(User.number, User.name).order_by(User.number))
    assert await html(rows) == (
        "<table><thead><tr><th>number</th><th>name</th></tr></thead><tbody>"
        "<tr><td>1</td><td>&lt;b&gt;</td></tr><tr><td>2</td><td></td></tr></tbody></table><p>2 in all</p>"
    )
    assert await html(rows.mappings()) == await html(rows)


async def test_instances_are_a_table_of_their_fields(session: AsyncSession) -> None:
    session.add(User(number=1, name="Ann", address=Address(city="Rome")))
    await session.commit()
    rows = await session.execute(select(User))
    assert "<th>number</th><th>name</th><th>address</th>" in await html(rows)
    assert "<td>1</td><td>Ann</td><td>Address(city=&#x27;Rome&#x27;)</td>" in await html(rows)


async def test_of_a_long_result_the_beginning_is_shown(session: AsyncSession) -> None:
    await session.execute(insert(User).values([{"number": number} for number in range(25)]))
    shown = await html(await session.execute(select(User.number).order_by(User.number)))
    assert shown.count("<tr>") == 21
    assert shown.endswith("<p>the first 20; there are more</p>")


def test_a_lazy_result_is_asked_and_can_be_asked_again(sync_engine: SyncEngine) -> None:
    with Session(sync_engine) as session:
        session.add(User(number=1, name="x" * 500))
        session.commit()
        result = session.scalars(select(User))
        assert "<p>1 in all</p>" in result._repr_html_()
        assert "x" * 300 not in result._repr_html_()
        assert result.one().number == 1
        values = session.scalars(select(User.number))
        assert "<th>value</th>" in values._repr_html_()
    assert result._repr_html_() == "<code>&lt;ScalarResult: User fits {}&gt;</code>"


def test_a_table_asks_for_no_reference_that_was_not_to_be_read(sync_engine: SyncEngine) -> None:
    with Session(sync_engine) as session:
        session.add(Leaf(plant=Plant(height=3)))
        session.commit()
        session.expunge_all()
        leaves = session.scalars(select(Leaf).options(raiseload(Leaf.plant)))
        assert leaves._repr_html_().startswith("<table><thead><tr><th>plant</th><th>id</th>")
        assert "<p>1 in all</p>" in leaves._repr_html_()


def attribute(of: object, name: str) -> object:
    """An attribute by its name: to type checkers, there are no fields but those that are declared."""
    return getattr(of, name)


READ: Any = {"max_time": 1}  # no type checker would let it pass
WRITE: Any = {"synchronise_session": False}
QUESTIONS: list[tuple[Callable[[], object], str]] = [
    (lambda: select(User).filter_by(nam="x"), "name"),
    (lambda: update(User).values(nam="x"), "name"),
    (lambda: update(User).values({"address.cty": "x"}), "city"),
    (lambda: insert(User).values(numbr=1), "number"),
    (lambda: attribute(col(User.address), "cty"), "city"),
    (lambda: attribute(Plant, "heigth"), "height"),
    (lambda: select(User).execution_options(**READ), "max_time_ms"),
    (lambda: update(User).execution_options(**WRITE), "synchronize_session"),
]


@pytest.mark.parametrize(("ask", "meant"), QUESTIONS)
def test_what_was_meant_is_said(ask: Callable[[], object], meant: str) -> None:
    with pytest.raises(Exception, match=f"; did you mean '{meant}'\\?$"):
        ask()


def test_options_of_sessions_and_transactions_too(sync_engine: SyncEngine) -> None:
    options: Any = {"databse": "x"}
    with pytest.raises(TypeError, match=r"did you mean 'database'\?"):
        Session(sync_engine, **options)
    options = {"max_commit_time": 1}
    with Session(sync_engine) as session, pytest.raises(TypeError, match=r"did you mean 'max_commit_time_ms'\?"):
        session.begin(**options)


def test_nothing_is_made_up_for_what_is_like_nothing() -> None:
    with pytest.raises(ValueError, match=r"it has number, name, address$"):
        select(User).filter_by(zzzzz=1)
    assert not hasattr(Plant, "zzzzz")
    assert not hasattr(Plant, "__zzzzz__")
