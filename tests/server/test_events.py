"""Listeners: who is told of what and when, what they may do, and what they cannot break."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from odmantic import Field, Model, Reference
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    InvalidRequestError,
    MongoBaseModel,
    OperationalError,
    Session,
    StaleDataError,
    delete,
    event,
    insert,
    inspect,
    object_session,
    select,
    update,
)
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.exceptions import ArgumentError, StaleDeleteWarning
from mongotic_adapters.events import INSTANCE_EVENTS, SESSION_EVENTS
from tests.conftest import Backend, CommandLog, Document, SessionMaker, undressed


class Item(Model):
    name: str = Field(primary_field=True)
    price: int = 0
    tags: list[str] = []


class Note(Model):
    number: int = Field(primary_field=True)
    text: str = ""


class Shelf(Model):
    name: str = Field(primary_field=True)
    item: Item = Reference()


class Page(MongoBaseModel):
    __tablename__ = "page"
    title: str = ""


class Cover(Page):
    """ODMantic's own models cannot be derived from; these can."""

    __tablename__ = "cover"


Told: TypeAlias = list[tuple[str, object]]
Listener: TypeAlias = Callable[[Any], object] | Callable[[Any, Any], object]
Listen: TypeAlias = Callable[[object, str, Listener], None]


def key(instance: object) -> object:
    return instance.number if isinstance(instance, Note) else getattr(instance, "name", None)


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listen for the length of a test."""
    done: list[tuple[Any, Any, Any]] = []

    def begin(target: object, name: Any, fn: Any) -> None:
        event.listen(undressed(target), name, fn)
        done.append((undressed(target), name, fn))

    yield begin
    for target, name, fn in done:
        event.remove(target, name, fn)


@pytest.fixture
def told(session: AsyncSession, listen: Listen) -> Told:
    """Everything the session tells, with the keys of instances."""
    found: Told = []

    def note(name: str) -> Callable[..., None]:
        def listener(own: object, instance: object = None) -> None:
            assert own is undressed(session)
            found.append((name, key(instance)))

        return listener

    for name in sorted(SESSION_EVENTS | INSTANCE_EVENTS):
        listen(session, name, note(name))
    return found


# -- when ---------------------------------------------------------------------------------------------------------


async def test_everything_that_happens_is_told_in_order(
    session: AsyncSession, told: Told, raw: Database[Document]
) -> None:
    raw["item"].insert_many([{"_id": "old"}, {"_id": "going"}])
    old, going = await session.get_one(Item, "old"), await session.get_one(Item, "going")
    assert told == [("load", "old"), ("load", "going")]
    told.clear()
    session.add(Item(name="new"))
    old.price = 1
    session.delete(going)
    session.merge(Note(number=1))
    assert told == []
    await session.commit()
    assert told == [
        ("before_commit", None),
        ("before_flush", None),
        ("before_insert", "new"),
        ("before_update", 1),
        ("before_update", "old"),
        ("before_delete", "going"),
        ("after_insert", "new"),
        ("after_update", 1),
        ("after_update", "old"),
        ("after_delete", "going"),
        ("after_flush", None),
        ("after_commit", None),
    ]


async def test_a_flush_with_nothing_to_write_is_not_told(session: AsyncSession, told: Told) -> None:
    await session.flush()
    assert told == []
    await session.commit()
    assert told == [("before_commit", None), ("after_commit", None)]


async def test_load_is_told_once_per_instance_with_its_values(
    session: AsyncSession, listen: Listen, raw: Database[Document]
) -> None:
    raw["item"].insert_one({"_id": "a", "price": 5})
    raw["shelf"].insert_one({"_id": "s", "item": "a"})
    seen: list[object] = []
    listen(session, "load", lambda _, instance: seen.append((key(instance), inspect(instance).persistent)))
    shelf = await session.get_one(Shelf, "s")
    assert seen == [("a", True), ("s", True)]
    await session.scalars(select(Item)).all()
    await session.refresh(shelf)
    assert len(seen) == 2


async def test_load_is_told_of_detached_instances_too(
    session: AsyncSession, told: Told, raw: Database[Document]
) -> None:
    raw["item"].insert_many([{"_id": "a"}, {"_id": "b"}])
    [item async for item in session.scalars(select(Item).yield_per(1).order_by(Item.name))]
    await session.scalars(select(Item).where(Item.name == "a").execution_options(detached=True)).all()
    assert told == [("load", "a"), ("load", "b"), ("load", "a")]


async def test_rollback_is_told_after_it(session: AsyncSession, listen: Listen) -> None:
    item = Item(name="a")
    seen: list[bool] = []
    listen(session, "after_rollback", lambda _: seen.append(item in session))
    session.add(item)
    await session.rollback()
    assert seen == [False]


async def test_an_update_that_takes_the_place_of_a_deletion_is_a_deletion_and_an_insert(
    session: AsyncSession, told: Told, raw: Database[Document]
) -> None:
    raw["item"].insert_one({"_id": "a", "price": 1})
    first = await session.get_one(Item, "a")
    session.expunge(first)
    second = await session.get_one(Item, "a")
    told.clear()
    session.delete(second)
    session.add(first)
    await session.flush()
    names = [name for name, _ in told]
    assert names == [
        "before_flush", "before_insert", "before_delete", "after_delete", "after_insert", "after_flush",
    ]  # fmt: skip


async def test_what_the_flush_finds_to_be_new_by_a_reference_is_told(session: AsyncSession, told: Told) -> None:
    shelf = Shelf(name="s", item=Item(name="a"))
    session.add(shelf)
    await session.flush()
    told.clear()
    shelf.item = Item(name="b")
    await session.flush()
    assert told == [
        ("before_flush", None),
        ("before_insert", "b"),
        ("before_update", "s"),
        ("after_insert", "b"),
        ("after_update", "s"),
        ("after_flush", None),
    ]


async def test_statements_tell_nobody(session: AsyncSession, told: Told) -> None:
    await session.execute(insert(Item).values(name="a"))
    await session.execute(update(Item).values(price=1))
    await session.execute(delete(Item))
    assert told == []


# -- whom ---------------------------------------------------------------------------------------------------------


async def test_listeners_of_class_maker_session_and_model_are_told_in_this_order(
    backend: Backend, listen: Listen
) -> None:
    seen: list[str] = []
    maker = backend.maker()
    session = maker()
    base: Any = Session if backend.name == "sync" else AsyncSession
    for name, target in (("model", Item), ("session", session), ("maker", maker), ("class", base)):
        listen(target, "before_insert", lambda _, __, name=name: seen.append(name))
    session.add(Item(name="a"))
    await session.flush()
    assert seen == ["class", "maker", "session", "model"]
    async with maker() as other:
        other.add(Item(name="b"))
        await other.flush()
    assert seen[4:] == ["class", "maker", "model"]
    async with backend.maker()() as stranger:
        stranger.add(Item(name="c"))
        await stranger.flush()
    assert seen[7:] == ["class", "model"]
    await session.close()


async def test_listeners_of_a_session_class_are_told_by_its_subclasses_alone(backend: Backend, listen: Listen) -> None:
    base: Any = Session if backend.name == "sync" else AsyncSession

    class Audited(base):  # type: ignore[misc]
        pass

    class Narrower(Audited):
        pass

    seen: list[str] = []
    listen(Audited, "after_commit", lambda own: seen.append(type(own).__name__))
    for kind in (Narrower, Audited, base):
        async with backend.session(kind) as session:
            await session.commit()
    assert seen == ["Narrower", "Audited"]


async def test_listeners_of_a_model_are_told_of_its_subclasses(session: AsyncSession, listen: Listen) -> None:
    seen: list[object] = []
    listen(Page, "after_insert", lambda _, instance: seen.append(type(instance)))
    listen(Cover, "after_insert", lambda _, instance: seen.append("cover"))
    session.add_all([Cover(title="c"), Page(title="p"), Note(number=1)])
    await session.commit()
    assert seen == [Cover, "cover", Page]


async def test_listeners_of_all_models_are_told_of_all(session: AsyncSession, listen: Listen) -> None:
    seen: list[object] = []
    listen(Model, "after_insert", lambda _, instance: seen.append(type(instance)))
    session.add_all([Item(name="i"), Note(number=1), Page(title="p")])
    await session.commit()
    assert seen == [Item, Note, Page]


async def test_a_listener_registered_twice_is_told_once(session: AsyncSession, listen: Listen) -> None:
    seen: list[object] = []

    def listener(own: object) -> None:
        seen.append(own)

    event.listen(undressed(session), "after_commit", listener)
    listen(session, "after_commit", listener)
    await session.commit()
    assert len(seen) == 1


async def test_remove_and_listens_for(session: AsyncSession) -> None:
    seen: list[object] = []

    @event.listens_for(undressed(session), "after_commit")
    def listener(own: object) -> None:
        seen.append(own)

    await session.commit()
    assert seen == [undressed(session)]
    event.remove(undressed(session), "after_commit", listener)
    await session.commit()
    assert len(seen) == 1
    with pytest.raises(ArgumentError, match="does not listen to 'after_commit'"):
        event.remove(undressed(session), "after_commit", listener)


async def test_a_listener_may_take_itself_away_while_it_is_told(session: AsyncSession) -> None:
    seen: list[str] = []

    def once(own: Any) -> None:
        seen.append("once")
        event.remove(own, "after_commit", once)

    def always(own: Any) -> None:
        seen.append("always")

    event.listen(undressed(session), "after_commit", once)
    event.listen(undressed(session), "after_commit", always)
    await session.commit()
    await session.commit()
    assert seen == ["once", "always", "always"]


async def test_a_listener_does_not_keep_its_session_alive(session_maker: SessionMaker) -> None:
    def listens_to_its_own(own: Any) -> weakref.ref[Any]:
        event.listen(own, "after_commit", lambda _: own.info)
        return weakref.ref(own)

    session = session_maker()
    gone = listens_to_its_own(undressed(session))
    await session.commit()
    await session.close()
    del session
    gc.collect()
    assert gone() is None


# -- what listeners do --------------------------------------------------------------------------------------------


async def test_what_a_listener_changes_is_written_by_the_same_flush(
    session: AsyncSession, listen: Listen, raw: Database[Document], commands: CommandLog
) -> None:
    def stamp(_: object, item: Item) -> None:
        item.price += 1
        item.tags.append("told")

    raw["item"].insert_one({"_id": "old", "price": 10, "tags": []})
    old = await session.get_one(Item, "old")
    listen(Item, "before_insert", stamp)
    listen(Item, "before_update", stamp)
    old.price = 20
    session.add(Item(name="new"))
    commands.sent.clear()
    await session.flush()
    assert commands.names() == ["insert item", "update item"]
    assert list(raw["item"].find().sort("_id")) == [
        {"_id": "new", "price": 1, "tags": ["told"]},
        {"_id": "old", "price": 21, "tags": ["told"]},
    ]
    assert session.dirty == []


async def test_a_listener_that_takes_the_change_back_leaves_nothing_to_write(
    session: AsyncSession, listen: Listen, raw: Database[Document], commands: CommandLog
) -> None:
    raw["item"].insert_one({"_id": "a", "price": 1, "tags": []})
    item = await session.get_one(Item, "a")
    listen(Item, "before_update", lambda _, item: setattr(item, "price", 1))
    item.price = 2
    commands.sent.clear()
    await session.flush()
    assert commands.sent == []


async def test_what_a_listener_changes_afterwards_is_written_by_the_next_flush(
    session: AsyncSession, listen: Listen, raw: Database[Document]
) -> None:
    listen(session, "after_insert", lambda _, item: setattr(item, "price", 9))
    item = Item(name="a")
    session.add(item)
    await session.flush()
    assert session.dirty == [item]
    assert raw["item"].find_one() == {"_id": "a", "price": 0, "tags": []}
    await session.flush()
    assert raw["item"].find_one() == {"_id": "a", "price": 9, "tags": []}


@pytest.mark.parametrize("name", ["before_flush", "before_insert"])
async def test_what_a_listener_adds_and_deletes_is_written_by_the_same_flush(
    session: AsyncSession, listen: Listen, raw: Database[Document], name: str
) -> None:
    raw["note"].insert_one({"_id": 1})
    old = await session.get_one(Note, 1)
    seen: list[object] = []

    def audit(own: Any, instance: object = None) -> None:
        if not isinstance(instance, Note):
            own.add(Note(number=2, text="audit"))
            own.delete(old)

    listen(session, name, audit)
    listen(session, "after_insert", lambda _, instance: seen.append(key(instance)))
    listen(session, "after_delete", lambda _, instance: seen.append(key(instance)))
    session.add(Item(name="a"))
    await session.flush()
    assert list(raw["note"].find()) == [{"_id": 2, "text": "audit"}]
    assert seen == ["a", 2, 1]
    assert session.new == session.deleted == []


async def test_listeners_are_told_of_what_listeners_add(session: AsyncSession, told: Told, listen: Listen) -> None:
    listen(Item, "before_insert", lambda own, item: own.add(Note(number=1)))
    session.add(Item(name="a"))
    await session.flush()
    assert [entry for entry in told if entry[0] == "before_insert"] == [("before_insert", "a"), ("before_insert", 1)]


async def test_an_instance_that_is_deleted_when_its_update_is_told_is_told_to_be_deleted(
    session: AsyncSession, told: Told, listen: Listen, raw: Database[Document]
) -> None:
    raw["item"].insert_one({"_id": "a"})
    item = await session.get_one(Item, "a")
    listen(Item, "before_update", lambda own, item: own.delete(item) and None)
    item.price = 1
    told.clear()
    await session.flush()
    assert [name for name, _ in told] == [
        "before_flush", "before_update", "before_delete", "after_delete", "after_flush",
    ]  # fmt: skip
    assert raw["item"].count_documents({}) == 0


async def test_a_listener_may_take_the_instance_out_of_the_session(
    session: AsyncSession, listen: Listen, raw: Database[Document]
) -> None:
    listen(Item, "before_insert", lambda own, item: own.expunge(item))
    item = Item(name="a")
    session.add(item)
    await session.commit()
    assert raw["item"].count_documents({}) == 0
    assert inspect(item).transient


@pytest.mark.parametrize("name", ["after_insert", "after_update", "after_delete"])
async def test_listeners_told_afterwards_may_turn_everything_round(
    session: AsyncSession, listen: Listen, raw: Database[Document], name: str
) -> None:
    raw["item"].insert_many([{"_id": "u", "price": 0}, {"_id": "d", "price": 0}])
    changed, removed = await session.get_one(Item, "u"), await session.get_one(Item, "d")
    new = Item(name="n")

    def turn(own: Any, instance: Item) -> None:
        own.expunge(new)
        if instance is not changed:
            own.delete(changed)

    listen(session, name, turn if name != "after_update" else lambda own, _: turn(own, new))
    session.add(new)
    changed.price = 1
    session.delete(removed)
    await session.flush()
    assert {item["_id"]: item["price"] for item in raw["item"].find()} == {"n": 0, "u": 1}
    assert inspect(new).detached
    assert session.deleted == [changed]
    await session.commit()
    assert [item["_id"] for item in raw["item"].find()] == ["n"]


async def test_listeners_that_never_come_to_an_end_are_stopped(
    session: AsyncSession, listen: Listen, raw: Database[Document]
) -> None:
    numbers = iter(range(1, 10**9))
    listen(Note, "before_insert", lambda own, note: own.add(Note(number=next(numbers))))
    session.add(Note(number=0))
    with pytest.raises(InvalidRequestError, match="listeners still give the session more to write, Note"):
        await session.flush()
    assert raw["note"].count_documents({}) == 0


@pytest.mark.parametrize("name", ["before_flush", "before_insert", "before_update", "before_delete", "before_commit"])
async def test_what_a_listener_raises_before_a_write_stops_it_with_nothing_sent(
    session: AsyncSession, listen: Listen, raw: Database[Document], commands: CommandLog, name: Any
) -> None:
    raw["item"].insert_many([{"_id": "u", "price": 0}, {"_id": "d", "price": 0}])
    changed, removed = await session.get_one(Item, "u"), await session.get_one(Item, "d")
    new = Item(name="n")

    def refuse(own: object, instance: object = None) -> None:
        raise PermissionError("not you")

    event.listen(undressed(session), name, refuse)
    session.add(new)
    changed.price = 1
    session.delete(removed)
    commands.sent.clear()
    with pytest.raises(PermissionError):
        await session.commit()
    assert commands.sent == []
    assert (session.new, session.dirty, session.deleted) == ([new], [changed], [removed])
    event.remove(undressed(session), name, refuse)
    await session.commit()
    assert {item["_id"]: item["price"] for item in raw["item"].find()} == {"n": 0, "u": 1}


@pytest.mark.parametrize("name", ["after_insert", "after_flush", "after_commit"])
async def test_what_a_listener_raises_after_a_write_leaves_it_written(
    session: AsyncSession, listen: Listen, raw: Database[Document], name: Any
) -> None:
    def fail(own: object, instance: object = None) -> None:
        raise PermissionError("too late")

    event.listen(undressed(session), name, fail)
    items = [Item(name="a"), Item(name="b")]
    session.add_all(items)
    with pytest.raises(PermissionError):
        await session.commit()
    assert raw["item"].count_documents({}) == 2
    assert session.new == []
    assert all(inspect(item).persistent for item in items)
    event.remove(undressed(session), name, fail)
    await session.commit()


async def test_a_listener_that_refuses_to_load_leaves_the_session_usable(
    session: AsyncSession, raw: Database[Document]
) -> None:
    raw["item"].insert_many([{"_id": "a"}, {"_id": "b"}])

    def fail(own: object, item: Item) -> None:
        if item.name == "b":
            raise PermissionError("not that one")

    event.listen(undressed(session), "load", fail)
    with pytest.raises(PermissionError):
        await session.scalars(select(Item).order_by(Item.name)).all()
    event.remove(undressed(session), "load", fail)
    assert len(await session.scalars(select(Item)).all()) == 2


async def test_a_flush_that_fails_tells_what_was_written_until_then(
    session: AsyncSession, told: Told, raw: Database[Document]
) -> None:
    raw["note"].insert_one({"_id": 1})
    session.add_all([Item(name="a"), Note(number=0), Note(number=1), Note(number=2)])
    with pytest.raises(IntegrityError):
        await session.flush()
    assert [entry for entry in told if entry[0].startswith("after")] == [("after_insert", "a"), ("after_insert", 0)]


async def test_what_a_listener_raises_does_not_hide_why_the_flush_failed(
    session: AsyncSession, listen: Listen, raw: Database[Document], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(own: object, instance: object) -> None:
        raise PermissionError("too late")

    raw["note"].insert_one({"_id": 1})
    listen(session, "after_insert", fail)
    session.add_all([Note(number=0), Note(number=1)])
    with pytest.raises(IntegrityError) as caught:
        await session.flush()
    assert caught.value.written == [Note(number=0)]
    assert "a listener failed" in caplog.text


async def test_a_stale_update_is_not_told_as_done(session: AsyncSession, told: Told, raw: Database[Document]) -> None:
    raw["item"].insert_many([{"_id": "a"}, {"_id": "b"}])
    for item in await session.scalars(select(Item).order_by(Item.name)).all():
        item.price = 1
    raw["item"].delete_one({"_id": "a"})
    with pytest.raises(StaleDataError):
        await session.flush()
    assert [entry for entry in told if entry[0].startswith("after")] == [("after_update", "b")]


async def test_listeners_of_a_commit_are_told_before_its_warning(
    session: AsyncSession, told: Told, raw: Database[Document]
) -> None:
    raw["item"].insert_one({"_id": "a"})
    session.delete(await session.get_one(Item, "a"))
    raw["item"].delete_one({"_id": "a"})
    with pytest.warns(StaleDeleteWarning):
        await session.commit()
    assert told[-2:] == [("after_flush", None), ("after_commit", None)]


# -- what listeners may ask of the session ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["before_flush", "before_insert", "after_insert", "after_flush"])
async def test_a_listener_may_read(backend: Backend, raw: Database[Document], name: str, listen: Listen) -> None:
    raw["note"].insert_one({"_id": 1, "text": "found"})
    seen: list[object] = []

    def read(own: Any, instance: object = None) -> None:
        seen.append(own.get_one(Note, 1).text)
        seen.append(own.scalars(select(Note.text)).one())

    async def read_awaited(own: Any, instance: object = None) -> None:
        seen.append((await own.get_one(Note, 1)).text)
        seen.append(await own.scalars(select(Note.text)).one())

    async with backend.maker()() as session:
        listen(session, name, read if backend.name == "sync" else read_awaited)
        session.add(Item(name="a"))
        await session.commit()
        assert seen == ["found", "found"]
        await session.flush()  # nothing is left under way


@pytest.mark.parametrize("operation", ["flush", "begin", "commit", "rollback", "close", "expunge_all"])
@pytest.mark.parametrize("name", ["before_flush", "before_insert", "after_insert", "after_commit", "load"])
async def test_a_listener_may_not_pull_the_session_away(
    backend: Backend, raw: Database[Document], name: str, operation: str, listen: Listen
) -> None:
    raw["note"].insert_one({"_id": 1})

    async def awaited(own: Any, instance: object = None) -> None:
        done = getattr(own, operation)()
        if done is not None:
            await done

    def plain(own: Any, instance: object = None) -> None:
        done = getattr(own, operation)()
        if asyncio.iscoroutine(done):
            done.close()

    if name == "load" and backend.name != "sync" and operation not in ("begin", "rollback", "expunge_all"):
        pytest.skip("a plain function can await nothing")
    async with backend.maker()() as session:
        listen(session, name, plain if backend.name == "sync" or name == "load" else awaited)
        session.add(Item(name="a"))
        act = session.get(Note, 1) if name == "load" else session.commit()
        with pytest.raises(InvalidRequestError, match=f"listener for '{name}' cannot do that"):
            await act
        assert [new.name for new in session.new if isinstance(new, Item)] == ([] if name.startswith("after") else ["a"])


async def test_a_listener_for_before_commit_may_flush(backend: Backend, raw: Database[Document]) -> None:
    seen: list[int] = []

    def plain(own: Any) -> None:
        own.flush()
        seen.append(raw["item"].count_documents({}))

    async def awaited(own: Any) -> None:
        await own.flush()
        seen.append(raw["item"].count_documents({}))

    async with backend.maker()() as session:
        event.listen(undressed(session), "before_commit", plain if backend.name == "sync" else awaited)
        session.add(Item(name="a"))
        await session.commit()
    assert seen == [1]


async def test_a_load_listener_may_send_nothing(
    session: AsyncSession, raw: Database[Document], listen: Listen, backend: Backend
) -> None:
    if backend.name != "sync":
        pytest.skip("a plain function can await nothing")
    raw["item"].insert_one({"_id": "a"})
    listen(session, "load", lambda own, instance: own.get(Note, 1))
    with pytest.raises(InvalidRequestError, match="get\\(\\): a listener for 'load' cannot do that"):
        await session.get(Item, "a")


async def test_a_load_listener_may_add_and_change(
    session: AsyncSession, raw: Database[Document], listen: Listen
) -> None:
    raw["item"].insert_one({"_id": "a"})

    def seen(own: Any, item: Item) -> None:
        own.add(Note(number=1, text=f"{item.name} was read"))
        item.price = 5

    listen(Item, "load", seen)
    item = await session.get_one(Item, "a")
    assert session.dirty == [item]
    await session.commit()
    assert raw["note"].find_one() == {"_id": 1, "text": "a was read"}
    assert raw["item"].find_one() == {"_id": "a", "price": 5}


async def test_the_session_of_an_instance_is_the_one_that_tells(session: AsyncSession, listen: Listen) -> None:
    seen: list[object] = []
    listen(Item, "before_insert", lambda own, item: seen.append(object_session(item) is own))
    session.add(Item(name="a"))
    await session.flush()
    assert seen == [True]


# -- transactions -------------------------------------------------------------------------------------------------


async def test_a_commit_of_its_own_transaction_tells_once_it_is_final(
    session: AsyncSession, listen: Listen, raw: Database[Document]
) -> None:
    seen: list[tuple[object, int]] = []
    for name in ("after_insert", "after_flush", "after_commit"):
        listen(
            session,
            name,
            lambda own, instance=None, name=name: seen.append((name, raw["item"].count_documents({}))),
        )
    session.add_all([Item(name="a"), Note(number=1)])
    await session.commit()
    assert seen == [("after_insert", 1), ("after_insert", 1), ("after_flush", 1), ("after_commit", 1)]


async def test_a_commit_that_fails_as_a_whole_tells_of_nothing_done(
    session: AsyncSession, told: Told, raw: Database[Document]
) -> None:
    raw["note"].insert_one({"_id": 1})
    session.add_all([Item(name="a"), Note(number=1)])
    with pytest.raises(IntegrityError):
        await session.commit()
    assert [name for name, _ in told if name.startswith("after")] == []


async def test_what_a_listener_raises_after_an_own_transaction_undoes_nothing(
    session: AsyncSession, raw: Database[Document]
) -> None:
    def fail(own: object, instance: object) -> None:
        raise PermissionError("too late")

    event.listen(undressed(session), "after_insert", fail)
    item, note = Item(name="a"), Note(number=1)
    session.add_all([item, note])
    with pytest.raises(PermissionError):
        await session.commit()
    event.remove(undressed(session), "after_insert", fail)
    assert (raw["item"].count_documents({}), raw["note"].count_documents({})) == (1, 1)
    item.price = 3
    await session.rollback()
    assert (inspect(item).persistent, inspect(note).persistent, item.price) == (True, True, 0)
    item.price = 4
    await session.commit()
    assert raw["item"].find_one({}, {"price": 1}) == {"_id": "a", "price": 4}


async def test_in_a_transaction_a_listener_may_veto_what_was_flushed(
    session: AsyncSession, raw: Database[Document]
) -> None:
    def fail(own: object, instance: object) -> None:
        raise PermissionError("no")

    event.listen(undressed(session), "after_insert", fail)
    item = Item(name="a")
    with pytest.raises(PermissionError):
        async with session.begin():
            session.add(item)
    assert raw["item"].count_documents({}) == 0
    assert inspect(item).transient


async def test_in_a_transaction_listeners_that_read_do_not_flush(
    backend: Backend, raw: Database[Document], listen: Listen
) -> None:
    raw["note"].insert_one({"_id": 1})
    seen: list[object] = []

    def plain(own: Any) -> None:
        seen.append(own.scalars(select(Note.number)).all())

    async def awaited(own: Any) -> None:
        seen.append(await own.scalars(select(Note.number)).all())

    async with backend.maker()() as session:
        listen(session, "before_flush", plain if backend.name == "sync" else awaited)
        async with session.begin():
            session.add(Note(number=2))
            await session.flush()
    assert seen == [[1]]


async def test_a_read_that_ends_the_transaction_ends_the_flush_whatever_the_listener_makes_of_it(
    backend: Backend, raw: Database[Document], listen: Listen
) -> None:
    wrong = select(Note).where({"$nonsense": 1})

    def plain(own: Any) -> None:
        with pytest.raises(OperationalError):
            own.scalars(wrong).all()

    async def awaited(own: Any) -> None:
        with pytest.raises(OperationalError):
            await own.scalars(wrong).all()

    async with backend.maker()() as session:
        listen(session, "before_flush", plain if backend.name == "sync" else awaited)
        note = Note(number=2)
        transaction = session.begin()
        session.add(note)
        with pytest.raises(OperationalError, match="nonsense"):
            await session.flush()
        await transaction.rollback()
        assert raw["note"].count_documents({}) == 0
        assert inspect(note).transient


async def test_the_end_of_a_transaction_is_told(session: AsyncSession, told: Told) -> None:
    async with session.begin():
        session.add(Item(name="a"))
    assert [name for name, _ in told][-1] == "after_commit"
    told.clear()
    transaction = session.begin()
    session.add(Item(name="b"))
    await session.flush()
    await transaction.rollback()
    assert [name for name, _ in told] == [
        "before_flush",
        "before_insert",
        "after_insert",
        "after_flush",
        "after_rollback",
    ]


# -- coroutine functions ------------------------------------------------------------------------------------------


async def coroutine_function(own: object, instance: object = None) -> None:
    await asyncio.sleep(0)


class CalledAwaited:
    async def __call__(self, own: object, instance: object = None) -> None: ...


@pytest.mark.parametrize("fn", [coroutine_function, CalledAwaited()])
async def test_a_coroutine_function_is_refused_for_a_blocking_session(backend: Backend, fn: Any) -> None:
    if backend.name != "sync":
        pytest.skip("blocking sessions alone")
    maker = backend.maker()
    for target in (Session, undressed(maker), undressed(maker())):
        with pytest.raises(ArgumentError, match="must be a plain function"):
            event.listen(target, "before_flush", fn)


async def test_a_coroutine_function_is_refused_for_load(session: AsyncSession) -> None:
    for target in (undressed(session), Item):
        with pytest.raises(ArgumentError, match="must be a plain function"):
            event.listen(target, "load", coroutine_function)


@pytest.mark.parametrize("name", sorted(INSTANCE_EVENTS - {"load"}))
async def test_coroutine_functions_of_a_model_are_awaited_or_refused_before_anything_is_sent(
    backend: Backend, raw: Database[Document], name: str, listen: Listen
) -> None:
    raw["item"].insert_many([{"_id": "u", "price": 0}, {"_id": "d", "price": 0}])
    seen: list[str] = []

    async def note(own: object, item: Item) -> None:
        await asyncio.sleep(0)
        seen.append(item.name)

    async with backend.maker()() as session:
        changed, removed = await session.get_one(Item, "u"), await session.get_one(Item, "d")
        listen(Item, name, note)
        session.add(Item(name="n"))
        changed.price = 1
        session.delete(removed)
        if backend.name == "sync":
            with pytest.raises(InvalidRequestError, match="is a coroutine function, which this cannot wait for"):
                await session.commit()
            assert sorted(item["_id"] for item in raw["item"].find()) == ["d", "u"]
        else:
            await session.commit()
            assert seen == [{"i": "n", "u": "u", "d": "d"}[name.partition("_")[2][0]]]


async def test_a_plain_function_that_returns_something_to_be_awaited_is_waited_for(
    motor_session: AsyncSession, listen: Listen
) -> None:
    seen: list[object] = []

    async def later(own: object) -> None:
        await asyncio.sleep(0)
        seen.append(own)

    listen(motor_session, "before_commit", lambda own: later(own))
    await motor_session.commit()
    assert seen == [motor_session]


@pytest.fixture
async def motor_session(motor_engine: Any) -> Any:
    async with async_sessionmaker(motor_engine)() as opened:
        yield opened


async def test_while_a_coroutine_function_is_awaited_other_tasks_are_refused(
    motor_session: AsyncSession, raw: Database[Document]
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def wait(own: object) -> None:
        reached.set()
        await go.wait()

    event.listen(motor_session, "before_flush", wait)
    motor_session.add(Item(name="a"))
    flushing = asyncio.create_task(motor_session.flush())
    await reached.wait()
    with pytest.raises(InvalidRequestError, match=r"flush\(\) of this session is still under way"):
        motor_session.add(Item(name="b"))
    go.set()
    await flushing
    assert [item["_id"] for item in raw["item"].find()] == ["a"]


async def test_a_listener_that_is_cancelled_leaves_the_session_usable(
    motor_session: AsyncSession, raw: Database[Document]
) -> None:
    reached = asyncio.Event()

    async def wait(own: object) -> None:
        reached.set()
        await asyncio.sleep(60)

    event.listen(motor_session, "before_flush", wait)
    motor_session.add(Item(name="a"))
    flushing = asyncio.create_task(motor_session.flush())
    await reached.wait()
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    event.remove(motor_session, "before_flush", wait)
    await motor_session.flush()
    assert raw["item"].count_documents({}) == 1


# -- a rollback nobody awaited ------------------------------------------------------------------------------------


async def told_before(session: AsyncSession, act: Callable[[], Any]) -> list[str]:
    order: list[str] = []

    async def note(own: object) -> None:
        await asyncio.sleep(0)
        order.append("told")

    event.listen(session, "after_rollback", note)
    session.rollback()
    session.rollback()
    assert order == []
    await act()
    order.append("done")
    event.remove(session, "after_rollback", note)
    return order


async def test_listeners_of_a_rollback_nobody_awaited_are_told_before_the_next_command(
    motor_session: AsyncSession, raw: Database[Document]
) -> None:
    raw["item"].insert_many([{"_id": "a"}, {"_id": "b"}])

    async def iterate() -> None:
        [item async for item in motor_session.scalars(select(Item))]

    for act in (
        motor_session.flush,
        motor_session.commit,
        motor_session.scalars(select(Item)).all,
        iterate,
        lambda: motor_session.get(Item, "a"),
        motor_session.close,
    ):
        assert await told_before(motor_session, act) == ["told", "told", "done"]


async def test_an_awaited_rollback_tells_once(motor_session: AsyncSession) -> None:
    seen: list[object] = []
    event.listen(motor_session, "after_rollback", seen.append)
    await motor_session.rollback()
    assert len(seen) == 1
    await motor_session.flush()
    assert len(seen) == 1


async def test_a_listener_that_raises_does_not_keep_a_session_open(motor_session: AsyncSession) -> None:
    def fail(own: object) -> None:
        raise PermissionError("no")

    event.listen(motor_session, "after_rollback", fail)
    item = Item(name="a")
    motor_session.rollback()
    motor_session.add(item)
    with pytest.raises(PermissionError):
        await motor_session.close()
    assert inspect(item).session is None
    assert "closed" in repr(motor_session)


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["before_flush", "after_rollback"])
def test_what_happens_to_sessions_is_not_listened_to_on_models(name: Any) -> None:
    with pytest.raises(ArgumentError, match="happens to sessions"):
        event.listen(Item, name, print)


@pytest.mark.parametrize("target", [None, 1, "Session", Item(name="a"), object, dict, Session.add, int])
def test_strange_targets_are_refused(target: Any) -> None:
    with pytest.raises(ArgumentError, match="events are listened to on"):
        event.listen(target, "before_insert", print)
    with pytest.raises(ArgumentError, match="events are listened to on"):
        event.remove(target, "before_insert", print)


@pytest.mark.parametrize("name", ["before_save", "", None, 3, [], "Before_insert"])
def test_unknown_events_are_refused(name: Any) -> None:
    with pytest.raises(ArgumentError, match="there is no event"):
        event.listen(Item, name, print)


@pytest.mark.parametrize("fn", [None, "print", 3])
def test_what_cannot_be_called_is_refused(fn: Any) -> None:
    with pytest.raises(ArgumentError, match="takes a function"):
        event.listen(Item, "before_insert", fn)
    with pytest.raises(ArgumentError, match="takes a function"):
        event.listens_for(Item, "before_insert")(fn)


async def test_sessions_whose_instances_nobody_listens_to_ask_nobody(
    session: AsyncSession, raw: Database[Document], commands: CommandLog
) -> None:
    raw["item"].insert_one({"_id": "a"})
    item = await session.get_one(Item, "a")
    item.price = 1
    commands.sent.clear()
    await session.flush()
    assert commands.names() == ["update item"]
