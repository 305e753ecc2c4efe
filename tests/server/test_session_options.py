"""What sessions and makers take: `cache_size`, `expire_on_commit`, `info`, `writes`; and what empties or expires."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from odmantic import Field, Model, Reference
from pymongo.database import Database

from mongotic import Session, inspect, object_session, select
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError
from tests.conftest import Backend, CommandLog, Document, SessionMaker, undressed


class Item(Model):
    number: int = Field(primary_field=True)
    price: int = 0
    tags: list[str] = []


class Box(Model):
    number: int = Field(primary_field=True)
    item: Item = Reference()


@pytest.fixture
def items(raw: Database[Document]) -> None:
    raw["item"].insert_many([{"_id": number, "price": 0, "tags": []} for number in range(300)])


def held(session: AsyncSession) -> int:
    """How many instances of `Item` the session keeps alive."""
    gc.collect()
    return sum(1 for known in gc.get_objects() if type(known) is Item and known in session)


# -- wrong options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cache_size": -1}, r"cache_size=...\) takes a number from 0, got -1"),
        ({"cache_size": True}, r"cache_size=...\) takes a number of instances or None, got True"),
        ({"cache_size": 1.0}, "takes a number of instances or None, got 1.0"),
        ({"cache_size": "10"}, "takes a number of instances or None, got '10'"),
        ({"expire_on_commit": 1}, r"expire_on_commit=...\) takes True or False, got 1"),
        ({"expire_on_commit": None}, "takes True or False, got None"),
        ({"writes": "all"}, r'writes=...\) takes "auto", "bulk" or "engine", got \'all\''),
        ({"writes": None}, "got None"),
        ({"writes": ["bulk"]}, r"got \['bulk'\]"),
        ({"info": [1]}, r"info=...\) takes a mapping, got \[1\]"),
        ({"info": "tenant"}, "takes a mapping, got 'tenant'"),
        ({"info": {1: "a"}}, "takes a mapping with strings for keys, got 1"),
        ({"database": 3}, "database= takes the name of a database, got 3"),
        ({"database": ""}, "database= is empty"),
        ({"autocommit": True}, "takes no 'autocommit'; it takes .*cache_size"),
        ({"expire_on_comit": True}, "takes no 'expire_on_comit'"),
    ],
)
def test_wrong_options_are_refused_at_once(backend: Backend, options: dict[str, Any], reason: str) -> None:
    kind: Any = Session if backend.name == "sync" else AsyncSession
    with pytest.raises(ArgumentError, match=reason):
        backend.maker(**options)
    with pytest.raises(ArgumentError, match=reason):
        backend.session(kind, **options)


# -- info ---------------------------------------------------------------------------------------------------------


async def test_info_is_each_sessions_own(backend: Backend) -> None:
    given = {"tenant": "a"}
    maker = backend.maker(info=given)
    async with maker() as one, maker() as other:
        one.info["user"] = 1
        assert (one.info, other.info, given) == ({"tenant": "a", "user": 1}, {"tenant": "a"}, {"tenant": "a"})
    async with backend.maker()() as plain:
        assert plain.info == {}


# -- expire_on_commit ---------------------------------------------------------------------------------------------


async def test_expire_on_commit_lets_the_next_look_read_again(
    backend: Backend, raw: Database[Document], items: None, commands: CommandLog
) -> None:
    async with backend.maker(expire_on_commit=True)() as session:
        one, untouched = await session.get_one(Item, 1), await session.get_one(Item, 2)
        one.price = 5
        new = Item(number=1000)
        session.add(new)
        await session.flush()
        assert not inspect(one).expired
        await session.commit()
        assert [inspect(item).expired for item in (one, untouched, new)] == [True, True, True]
        assert (one.price, session.dirty) == (5, [])
        raw["item"].update_many({}, {"$set": {"price": 9}})
        commands.sent.clear()
        assert await session.get(Item, 1) is one
        assert (one.price, commands.names()) == (9, ["find item"])
        assert await session.get(Item, 1) is one
        assert commands.names() == ["find item"]
        new.price = 10  # set after it expired: it counts
        await session.commit()
    assert raw["item"].find_one({"_id": 1000}, {"price": 1}) == {"_id": 1000, "price": 10}


async def test_without_it_nothing_is_read_again(session: AsyncSession, items: None, commands: CommandLog) -> None:
    one = await session.get_one(Item, 1)
    one.price = 5
    await session.commit()
    commands.sent.clear()
    assert await session.get(Item, 1) is one
    assert commands.sent == []


# -- expire_all, expunge_all --------------------------------------------------------------------------------------


async def test_expire_all_drops_what_was_not_written(
    session: AsyncSession, raw: Database[Document], items: None
) -> None:
    changed, untouched, marked = [await session.get_one(Item, number) for number in (1, 2, 3)]
    new = Item(number=1000)
    session.add(new)
    changed.price = 5
    session.delete(marked)
    session.expire_all()
    assert [inspect(item).expired for item in (changed, untouched, marked, new)] == [True, True, True, False]
    assert (changed.price, session.dirty, session.new, session.deleted) == (5, [], [new], [marked])
    await session.commit()
    assert raw["item"].find_one({"_id": 1}, {"price": 1}) == {"_id": 1, "price": 0}
    await session.scalars(select(Item).where(Item.number == 1)).one()
    assert (changed.price, inspect(changed).expired) == (0, False)


async def test_expunge_all_empties_the_session(session: AsyncSession, raw: Database[Document], items: None) -> None:
    changed, marked, merged = [await session.get_one(Item, number) for number in (1, 2, 3)]
    new = Item(number=1000)
    session.add(new)
    changed.price = 5
    session.delete(marked)
    session.merge(merged)
    session.expunge_all()
    assert list(session) == session.new == session.dirty == session.deleted == []
    assert all(object_session(item) is None for item in (changed, marked, merged, new))
    await session.commit()
    assert raw["item"].count_documents({}) == 300
    assert raw["item"].count_documents({"price": 5}) == 0
    again = await session.get_one(Item, 1)
    assert again is not changed
    session.expunge_all()
    session.add(changed)
    await session.commit()
    assert raw["item"].count_documents({"price": 5}) == 1


async def test_a_closed_session_refuses_them(session: AsyncSession) -> None:
    await session.close()
    for act in (session.expire_all, session.expunge_all):
        with pytest.raises(Exception, match="the session is closed"):
            act()


# -- merge of what was set ----------------------------------------------------------------------------------------


async def test_merge_of_what_was_set_writes_that_alone(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["item"].insert_one({"_id": 1, "price": 3, "tags": ["theirs"], "other": 1})
    item = session.merge(Item(number=1, price=4), exclude_unset=True)
    commands.sent.clear()
    await session.commit()
    assert raw["item"].find_one() == {"_id": 1, "price": 4, "tags": ["theirs"], "other": 1}
    assert commands.names() == ["update item", "find item"]
    assert (item.tags, session.dirty) == (["theirs"], [])
    new = session.merge(Item(number=2, price=4), exclude_unset=True)
    await session.commit()
    assert raw["item"].find_one({"_id": 2}) == {"_id": 2, "price": 4, "tags": []}
    new.tags.append("x")
    await session.commit()
    assert raw["item"].find_one({"_id": 2}) == {"_id": 2, "price": 4, "tags": ["x"]}


async def test_merge_of_what_was_set_keeps_what_is_held(session: AsyncSession, raw: Database[Document]) -> None:
    raw["item"].insert_one({"_id": 1, "price": 3, "tags": ["a"]})
    kept = await session.get_one(Item, 1)
    kept.tags.append("mine")
    assert session.merge(Item(number=1, price=4), exclude_unset=True) is kept
    assert (kept.price, kept.tags) == (4, ["a", "mine"])
    raw["item"].update_one({"_id": 1}, {"$set": {"other": 1}})
    await session.commit()
    assert raw["item"].find_one() == {"_id": 1, "price": 4, "tags": ["a", "mine"], "other": 1}


# -- cache_size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 10])
async def test_getting_many_keeps_no_more_than_the_cache(backend: Backend, items: None, size: int) -> None:
    async with backend.maker(cache_size=size)() as session:
        for number in range(300):
            await session.get_one(Item, number)
        assert held(session) <= size + 1


async def test_without_a_size_everything_is_kept(session: AsyncSession, items: None) -> None:
    for number in range(50):
        await session.get_one(Item, number)
    assert held(session) == 50


async def test_one_query_after_the_other_keeps_no_more_than_the_cache(backend: Backend, items: None) -> None:
    async with backend.maker(cache_size=10)() as session:
        for start in range(0, 300, 30):
            assert len(await session.scalars(select(Item).offset(start).limit(30)).all()) == 30
        assert held(session) <= 60


async def test_those_not_asked_for_longest_go_first(backend: Backend, items: None) -> None:
    async with backend.maker(cache_size=5)() as session:
        favourite = weakref.ref(await session.get_one(Item, 0))
        for number in range(1, 100):
            await session.get_one(Item, number)
            await session.get_one(Item, 0)
        assert favourite() is not None
        for number in range(100, 120):
            await session.get_one(Item, number)
        gc.collect()
        assert favourite() is None


async def test_what_was_changed_never_goes(backend: Backend, raw: Database[Document], items: None) -> None:
    async with backend.maker(cache_size=2)() as session:
        for number in range(50):
            item = await session.get_one(Item, number)
            if number % 2:
                item.tags.append("mine")
            del item
        await session.commit()
    assert raw["item"].count_documents({"tags": "mine"}) == 25


async def test_what_was_changed_does_not_keep_the_others(backend: Backend, items: None) -> None:
    async with backend.maker(cache_size=10)() as session:
        for number in range(20):
            (await session.get_one(Item, number)).price = 1
        for number in range(20, 300):
            await session.get_one(Item, number)
        assert held(session) <= 20 + 11
        assert len(session.dirty) == 20


async def test_what_somebody_else_holds_stays_the_one_instance(
    backend: Backend, raw: Database[Document], items: None
) -> None:
    async with backend.maker(cache_size=2)() as session:
        mine = await session.get_one(Item, 0)
        for number in range(1, 100):
            await session.get_one(Item, number)
        assert await session.get_one(Item, 0) is mine
        mine.price = 7
        for number in range(100, 200):
            await session.get_one(Item, number)
        del mine
        gc.collect()
        await session.commit()
    assert raw["item"].find_one({"_id": 0}, {"price": 1}) == {"_id": 0, "price": 7}


async def test_new_deleted_and_merged_ones_stay(backend: Backend, raw: Database[Document], items: None) -> None:
    async with backend.maker(cache_size=1)() as session:
        session.add(Item(number=1000))
        session.delete(await session.get_one(Item, 0))
        session.merge(Item(number=1, price=8))
        for number in range(2, 50):
            await session.get_one(Item, number)
        gc.collect()
        await session.commit()
    assert (raw["item"].count_documents({}), raw["item"].count_documents({"price": 8})) == (300, 1)


async def test_what_is_referred_to_stays_one_instance(backend: Backend, raw: Database[Document], items: None) -> None:
    raw["box"].insert_many([{"_id": number, "item": number % 3} for number in range(60)])
    async with backend.maker(cache_size=4)() as session:
        keep: list[Box] = []
        for number in range(60):
            box = await session.get_one(Box, number)
            if number % 20 == 0:
                keep.append(box)
        assert keep[0].item is not keep[1].item
        again = await session.scalars(select(Box).where(Box.number == 0)).one()
        assert again is keep[0]
        assert again.item is await session.get_one(Item, 0)


async def test_storing_many_keeps_no_more_than_the_cache(backend: Backend) -> None:
    async with backend.maker(cache_size=10)() as session:
        for start in range(0, 500, 50):
            session.add_all([Item(number=number) for number in range(start, start + 50)])
            await session.commit()
        assert held(session) <= 60


async def test_iterating_with_a_cache(backend: Backend, items: None) -> None:
    async with backend.maker(cache_size=5)() as session:
        most, item = 0, None
        async for item in session.scalars(select(Item)):
            if item.number % 100 == 0:
                most = max(most, held(session))
                item.price = 1
        del item
        assert most <= 305  # one batch
        assert len(session.dirty) == 3
        assert held(session) <= 10


async def test_the_session_says_what_it_holds(session_maker: SessionMaker) -> None:
    async with session_maker() as session:
        assert repr(undressed(session)).endswith("Session: 0 new, 0 dirty, 0 deleted>")
