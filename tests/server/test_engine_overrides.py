"""Engines of a team's own: what they override is called, and never passed by."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from odmantic import AIOEngine, EmbeddedModel, Field, Model, Reference, SyncEngine
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    InvalidRequestError,
    StaleDataError,
    delete,
    desc,
    inspect,
    select,
    update,
)
from mongotic.asyncio import AIOEngine as PyMongoEngine
from mongotic.exceptions import DocumentError, StaleDeleteWarning
from tests.conftest import Backend, CommandLog, Document


class Item(Model):
    name: str = Field(primary_field=True)
    price: int = 0
    tags: list[str] = []
    tenant: str = "a"
    stamp: int = 0


class Box(Model):
    name: str = Field(primary_field=True)
    item: Item = Reference()


class Open(Model):
    model_config = {"extra": "allow"}
    name: str = Field(primary_field=True)
    price: int = 0


class Versioned(Model):
    __version_field__ = "version"
    name: str = Field(primary_field=True)
    price: int = 0
    tags: list[str] = []
    version: int = 0


Calls = list[tuple[str, object]]


def hooked(backend: Backend, *names: str, before: Callable[[str, Any], None] | None = None, late: bool = False) -> Any:
    """An engine of the backend's kind that notes the calls of some of its methods.

    `save` counts up the `stamp` of what it saves, before it is saved, or, *late*, afterwards.
    """
    base: Any = {"sync": SyncEngine, "motor": AIOEngine, "pymongo": PyMongoEngine}[backend.name]

    def enter(self: Any, name: str, given: Any) -> None:
        self.calls.append((name, getattr(given, "name", None)))
        if before is not None:
            before(name, given)
        if name in ("save", "save_all") and not late:
            for instance in given if isinstance(given, list) else [given]:
                if hasattr(instance, "stamp"):
                    instance.stamp += 1

    def leave(name: str, given: Any) -> None:
        if late and name == "save":
            given.stamp += 1

    def plain(name: str) -> Any:
        def method(self: Any, given: Any, *rest: Any, **options: Any) -> Any:
            enter(self, name, given)
            done = getattr(base, name)(self, given, *rest, **options)
            leave(name, given)
            return done

        return method

    def awaited(name: str) -> Any:
        async def method(self: Any, given: Any, *rest: Any, **options: Any) -> Any:
            enter(self, name, given)
            await asyncio.sleep(0)
            done = await getattr(base, name)(self, given, *rest, **options)
            leave(name, given)
            return done

        return method

    make = plain if backend.name == "sync" else awaited
    kind = type("Hooked", (base,), {name: plain(name) if name == "find" else make(name) for name in names})
    engine = kind(backend.client, backend.database)
    engine.calls = []
    return engine


def tenants(backend: Backend, *names: str) -> Any:
    """An engine whose `find` shows the documents of tenant "a" alone."""
    base: Any = {"sync": SyncEngine, "motor": AIOEngine, "pymongo": PyMongoEngine}[backend.name]

    def find(self: Any, model: Any, *queries: Any, **options: Any) -> Any:
        self.calls.append("find")
        return base.find(self, model, *queries, {"tenant": "a"}, **options)

    def find_one(self: Any, model: Any, *queries: Any, **options: Any) -> Any:
        self.calls.append("find_one")
        return base.find_one(self, model, *queries, {"tenant": "a"}, **options)

    engine = type("Tenants", (base,), {"find": find, **({"find_one": find_one} if "find_one" in names else {})})(
        backend.client, backend.database
    )
    engine.calls = []
    return engine


def stored(raw: Database[Document], name: str = "item") -> dict[str, Document]:
    return {document.pop("_id"): document for document in raw[name].find().sort("_id")}


@pytest.fixture
def three(raw: Database[Document]) -> None:
    raw["item"].insert_many(
        [{"_id": name, "price": 1, "tags": ["x"], "tenant": "a", "stamp": 0, "other": 1} for name in "pqr"]
    )


# -- save ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["save", "save_all"])
async def test_what_save_sets_is_kept_and_is_no_change(
    backend: Backend, raw: Database[Document], three: None, commands: CommandLog, name: str
) -> None:
    engine = hooked(backend, name)
    async with backend.maker(engine)() as session:
        new = Item(name="n")
        session.add(new)
        changed, untouched = await session.get_one(Item, "p"), await session.get_one(Item, "q")
        changed.price = 5
        await session.commit()
        assert sorted(engine.calls, key=str) == sorted(
            [("save", "n"), ("save", "p")] if name == "save" else [("save_all", None), ("save_all", None)], key=str
        )
        assert (new.stamp, changed.stamp, untouched.stamp) == (1, 1, 0)
        assert session.dirty == []
        commands.sent.clear()
        await session.commit()
        assert commands.sent == []
        changed.price = 6
        await session.commit()
    assert {key: (document["price"], document["stamp"]) for key, document in stored(raw).items()} == {
        "n": (0, 1), "p": (6, 2), "q": (1, 0), "r": (1, 0),
    }  # fmt: skip
    assert stored(raw)["p"]["other"] == 1


async def test_what_save_sets_afterwards_is_a_change(backend: Backend, raw: Database[Document], three: None) -> None:
    engine = hooked(backend, "save", late=True)
    async with backend.maker(engine)() as session:
        item = await session.get_one(Item, "p")
        item.price = 5
        await session.commit()
        assert (item.stamp, session.dirty, stored(raw)["p"]["stamp"]) == (1, [item], 0)


async def test_save_is_called_once_for_each_instance_that_is_written(
    backend: Backend, raw: Database[Document], three: None
) -> None:
    engine = hooked(backend, "save", "delete")
    async with backend.maker(engine)() as session:
        session.add_all([Item(name=str(number)) for number in range(5)])
        session.delete(await session.get_one(Item, "p"))
        (await session.get_one(Item, "q")).tags.append("y")
        session.add(Box(name="b", item=await session.get_one(Item, "r")))
        await session.commit()
    assert sorted(engine.calls) == sorted(
        [*(("save", str(number)) for number in range(5)), ("save", "b"), ("save", "q"), ("delete", "p")]
    )
    assert stored(raw)["q"]["tags"] == ["x", "y"]
    assert stored(raw, "box") == {"b": {"item": "r"}}


async def test_without_overrides_writes_are_bulk_writes(
    backend: Backend, raw: Database[Document], commands: CommandLog
) -> None:
    for engine in (backend.engine, hooked(backend)):
        async with backend.maker(engine)() as session:
            session.add_all([Item(name=f"{id(engine)} {number}") for number in range(5)])
            commands.sent.clear()
            await session.commit()
            assert commands.names() == ["insert item"]


async def test_bulk_passes_by_and_engine_never(backend: Backend, raw: Database[Document], commands: CommandLog) -> None:
    engine = hooked(backend, "save", "save_all", "delete", "remove")
    async with backend.maker(engine, writes="bulk")() as session:
        session.add_all([Item(name="a"), Item(name="b")])
        await session.commit()
        session.delete(await session.get_one(Item, "a"))
        await session.commit()
        await session.execute(delete(Item))
    assert engine.calls == []
    commands.sent.clear()
    async with backend.maker(writes="engine")() as session:
        item = Item(name="a")
        session.add(item)
        await session.commit()
        item.price = 2
        await session.commit()
        assert stored(raw)["a"]["price"] == 2
        session.delete(item)
        await session.commit()
    assert stored(raw) == {}
    assert "insert item" not in commands.names()


async def test_an_engines_method_may_lie_on_the_instance(backend: Backend, raw: Database[Document]) -> None:
    engine: Any = hooked(backend)
    seen: list[object] = []
    inner = engine.save

    def save(instance: Any, **options: Any) -> Any:
        seen.append(instance)
        return inner(instance, **options)

    engine.save = save
    async with backend.maker(engine)() as session:
        item = Item(name="a")
        session.add(item)
        await session.commit()
    assert seen == [item]


# -- what must not happen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("atomic", [False, "auto"])
async def test_an_existing_key_is_not_overwritten(
    backend: Backend, raw: Database[Document], three: None, atomic: Any
) -> None:
    async with backend.maker(hooked(backend, "save"), atomic=atomic)() as session:
        first, thief, last = Item(name="a"), Item(name="p", price=9), Item(name="z")
        session.add_all([first, thief, last])
        with pytest.raises(IntegrityError, match="Item 'p' was not written") as caught:
            await session.commit()
        assert caught.value.instance is thief
        done = [first] if atomic is False else []
        assert (caught.value.written, caught.value.pending) == (done, session.new)
        assert list(stored(raw)) == (["a"] if atomic is False else []) + ["p", "q", "r"]
        assert stored(raw)["p"]["price"] == 1
        session.expunge(thief)
        await session.commit()
    assert list(stored(raw)) == ["a", "p", "q", "r", "z"]


@pytest.mark.parametrize("atomic", [False, "auto"])
async def test_what_was_deleted_meanwhile_does_not_come_back(
    backend: Backend, raw: Database[Document], three: None, atomic: Any
) -> None:
    async with backend.maker(hooked(backend, "save"), atomic=atomic)() as session:
        gone, there = await session.get_one(Item, "p"), await session.get_one(Item, "q")
        raw["item"].delete_one({"_id": "p"})
        gone.price, there.price = 5, 5
        with pytest.raises(StaleDataError, match="'p'") as caught:
            await session.commit()
        assert (caught.value.instances, caught.value.written, caught.value.pending) == ([gone], [], [gone, there])
        assert list(stored(raw)) == ["q", "r"]
        session.expunge(gone)
        await session.commit()
    assert stored(raw)["q"]["price"] == 5


async def test_another_unique_key_is_an_integrity_error(backend: Backend, raw: Database[Document], three: None) -> None:
    raw["item"].create_index("price", unique=True, partialFilterExpression={"price": {"$gt": 100}})
    async with backend.maker(hooked(backend, "save"), atomic=False)() as session:
        first, second = Item(name="a", price=101), Item(name="b", price=101)
        session.add_all([first, second])
        with pytest.raises(IntegrityError, match="price = 101") as caught:
            await session.flush()
        assert (caught.value.instance, caught.value.written) == (second, [first])
        second.price = 102
        await session.flush()
    assert [stored(raw)[name]["price"] for name in "ab"] == [101, 102]


async def test_deleting_what_is_gone_is_a_warning(backend: Backend, raw: Database[Document], three: None) -> None:
    engine = hooked(backend, "delete")
    async with backend.maker(engine)() as session:
        item = await session.get_one(Item, "p")
        session.delete(item)
        raw["item"].delete_one({"_id": "p"})
        with pytest.warns(StaleDeleteWarning, match="gone already"):
            await session.commit()
        assert (engine.calls, inspect(item).detached) == ([("delete", "p")], True)


@pytest.mark.parametrize("atomic", [False, "auto"])
async def test_a_hook_that_raises_leaves_the_books_right(
    backend: Backend, raw: Database[Document], three: None, atomic: Any
) -> None:
    banned = {"q"}

    def refuse(name: str, given: Any) -> None:
        if given.name in banned:
            raise PermissionError(f"{name} {given.name}")

    engine = hooked(backend, "save", "delete", before=refuse)
    async with backend.maker(engine, atomic=atomic)() as session:
        items = await session.scalars(select(Item).order_by(Item.name)).all()
        for item in items:
            item.price = 7
        with pytest.raises(PermissionError, match="save q"):
            await session.commit()
        assert session.dirty == (items[1:] if atomic is False else items)
        assert [document["price"] for document in stored(raw).values()] == [7 if atomic is False else 1, 1, 1]
        banned.clear()
        await session.commit()
        assert [document["price"] for document in stored(raw).values()] == [7, 7, 7]
        banned.add("q")
        for item in items:
            session.delete(item)
        with pytest.raises(PermissionError, match="delete q"):
            await session.commit()
        assert session.deleted == (items[1:] if atomic is False else items)
        banned.clear()
        await session.commit()
    assert stored(raw) == {}


async def test_a_hook_that_raises_undoes_an_open_transaction(
    backend: Backend, raw: Database[Document], three: None
) -> None:
    def refuse(name: str, given: Any) -> None:
        if given.name == "q":
            raise PermissionError(given.name)

    async with backend.maker(hooked(backend, "save", before=refuse))() as session:
        items = await session.scalars(select(Item).order_by(Item.name)).all()
        transaction = session.begin()
        for item in items:
            item.price = 7
        with pytest.raises(PermissionError):
            await session.flush()
        await transaction.rollback()
        assert [(item.price, item.stamp) for item in items] == [(1, 0), (1, 0), (1, 0)]
        assert session.dirty == []
    assert [document["price"] for document in stored(raw).values()] == [1, 1, 1]


async def test_in_an_open_transaction_hooks_write_in_it(backend: Backend, raw: Database[Document], three: None) -> None:
    engine = hooked(backend, "save", "delete")
    async with backend.maker(engine)() as session, session.begin() as transaction:
        session.add(Item(name="n"))
        (await session.get_one(Item, "p")).price = 5
        session.delete(await session.get_one(Item, "q"))
        await session.flush()
        assert list(stored(raw)) == ["p", "q", "r"]
        assert [name for name, _ in engine.calls] == ["save", "save", "delete"]
        await transaction.rollback()
    assert stored(raw)["p"]["price"] == 1


# -- kinds of changes ---------------------------------------------------------------------------------------------


async def test_references_are_saved_first_and_not_twice(backend: Backend, raw: Database[Document]) -> None:
    engine = hooked(backend, "save")
    async with backend.maker(engine)() as session:
        box = Box(name="b", item=Item(name="i", tags=["t"]))
        session.add(box)
        await session.commit()
        assert engine.calls == [("save", "i"), ("save", "b")]
        other = Item(name="j")
        box.item = other
        await session.commit()
        assert engine.calls[2:] == [("save", "j"), ("save", "b")]
        assert session.dirty == []
    assert stored(raw, "box") == {"b": {"item": "j"}}
    assert list(stored(raw)) == ["i", "j"]


async def test_keys_that_are_no_fields_are_written(backend: Backend, raw: Database[Document]) -> None:
    async with backend.maker(hooked(backend, "save"))() as session:
        one: Any = Open(name="a", colour="red", size=1)
        session.add(one)
        await session.commit()
        assert stored(raw, "open")["a"] == {"price": 0, "colour": "red", "size": 1}
        one.colour = "blue"
        del one.__pydantic_extra__["size"]
        await session.commit()
        assert stored(raw, "open")["a"] == {"price": 0, "colour": "blue"}
        one.price = 4
        raw["open"].update_one({"_id": "a"}, {"$set": {"theirs": 1}})
        await session.commit()
        assert session.dirty == []
    assert stored(raw, "open")["a"] == {"price": 4, "colour": "blue", "theirs": 1}


async def test_delete_and_add_of_one_key(backend: Backend, raw: Database[Document], three: None) -> None:
    for names in (("save",), ("delete",), ("save", "delete")):
        engine = hooked(backend, *names)
        async with backend.maker(engine)() as session:
            old = await session.get_one(Item, "p")
            session.delete(old)
            session.add(Item(name="p", price=old.price + 1))
            await session.commit()
            assert ("save" in names) == (("save", "p") in engine.calls)
            assert ("delete" in names) == (("delete", "p") in engine.calls)
    assert stored(raw)["p"]["price"] == 4
    assert "other" not in stored(raw)["p"]


async def test_merge_writes_the_whole_state(backend: Backend, raw: Database[Document], three: None) -> None:
    engine = hooked(backend, "save")
    async with backend.maker(engine)() as session:
        session.merge(Item(name="p", price=8))
        session.merge(Item(name="new", price=8))
        await session.commit()
        assert session.dirty == []
    assert engine.calls == [("save", "p"), ("save", "new")]
    assert stored(raw)["p"] == {"price": 8, "tags": [], "tenant": "a", "stamp": 1, "other": 1}
    assert stored(raw)["new"] == {"price": 8, "tags": [], "tenant": "a", "stamp": 1}


async def test_merge_of_what_was_set_leaves_the_rest(backend: Backend, raw: Database[Document], three: None) -> None:
    raw["item"].update_one({"_id": "p"}, {"$set": {"stamp": 4}})
    async with backend.maker(hooked(backend, "save"))() as session:
        item = session.merge(Item(name="p", price=8), exclude_unset=True)
        new = session.merge(Item(name="new", price=8), exclude_unset=True)
        await session.commit()
        assert (item.tags, item.stamp, new.tags, session.dirty) == (["x"], 5, [], [])
    assert stored(raw)["p"] == {"price": 8, "tags": ["x"], "tenant": "a", "stamp": 5, "other": 1}
    assert stored(raw)["new"] == {"price": 8, "tags": [], "tenant": "a", "stamp": 1}


# -- versions -----------------------------------------------------------------------------------------------------


async def test_versions_are_counted_and_compared(backend: Backend, raw: Database[Document]) -> None:
    async with backend.maker(hooked(backend, "save", "delete"), atomic=False)() as session:
        one = Versioned(name="a")
        session.add(one)
        await session.commit()
        one.price = 2
        await session.commit()
        assert (one.version, stored(raw, "versioned")["a"]) == (2, {"price": 2, "tags": [], "version": 2})
        raw["versioned"].update_one({"_id": "a"}, {"$set": {"price": 9}, "$inc": {"version": 1}})
        one.price = 3
        with pytest.raises(StaleDataError) as caught:
            await session.commit()
        assert (caught.value.instances, one.version) == ([one], 2)
        session.delete(one)
        with pytest.raises(StaleDataError):
            await session.commit()
        assert stored(raw, "versioned")["a"]["price"] == 9
        await session.refresh(one)
        await session.commit()
        assert stored(raw, "versioned") == {}
        session.merge(Versioned(name="m", price=1))
        await session.commit()
        session.expunge_all()
        merged = session.merge(Versioned(name="m", price=2), exclude_unset=True)
        await session.commit()
        assert (merged.version, stored(raw, "versioned")["m"]["version"]) == (2, 2)
        session.merge(Versioned(name="m", price=3, version=1))
        with pytest.raises(StaleDataError):
            await session.commit()
        session.expunge_all()
        old = await session.get_one(Versioned, "m")
        session.delete(old)
        session.add(Versioned(name="m"))
        await session.commit()
        assert stored(raw, "versioned")["m"] == {"price": 0, "tags": [], "version": 3}


async def test_a_hook_that_raises_gives_the_version_back(backend: Backend, raw: Database[Document]) -> None:
    def refuse(name: str, given: Any) -> None:
        raise PermissionError

    raw["versioned"].insert_one({"_id": "a", "price": 1, "tags": [], "version": 4})
    async with backend.maker(hooked(backend, "save", before=refuse), atomic=False)() as session:
        one = await session.get_one(Versioned, "a")
        one.price = 2
        with pytest.raises(PermissionError):
            await session.commit()
        assert (one.version, inspect(one).modified_fields) == (4, ("price",))


# -- find: a filter that shows a tenant's own documents -----------------------------------------------------------


@pytest.fixture
def two_tenants(raw: Database[Document]) -> None:
    raw["item"].insert_many(
        [
            {"_id": f"{tenant}{number}", "price": number, "tags": [], "tenant": tenant, "stamp": 0}
            for tenant in "ab"
            for number in range(5)
        ]
    )


@pytest.mark.parametrize("names", [(), ("find_one",)])
async def test_nothing_shows_what_find_hides(backend: Backend, two_tenants: None, names: tuple[str, ...]) -> None:
    engine = tenants(backend, *names)
    async with backend.maker(engine)() as session:
        everything = select(Item).order_by(Item.name)
        own = [f"a{number}" for number in range(5)]
        assert [item.name for item in await session.scalars(everything).all()] == own
        assert [item.name async for item in session.scalars(everything)] == own
        assert [item.name async for item in session.scalars(everything.yield_per(2))] == own
        assert [row[0].name for row in await (await session.execute(everything)).all()] == own
        assert await session.scalars(select(Item.name).order_by(Item.name)).all() == own
        assert [name async for name in session.scalars(select(Item.name).order_by(Item.name))] == own
        rows = await (await session.execute(select(Item.name, Item.price).where(Item.price > 3))).all()
        assert rows == [("a4", 4)]
        assert await session.scalars(everything).count() == 5
        assert await session.scalars(everything.where(Item.price > 2)).count() == 2
        assert await session.scalars(everything.offset(1).limit(3)).count() == 3
        assert await session.scalars(everything.offset(4).limit(3)).count() == 1
        assert await session.scalars(everything.offset(9)).count() == 0
        assert await session.scalars(select(Item).where(Item.tenant == "b")).count() == 0
        assert not await session.scalars(select(Item).where(Item.tenant == "b")).exists()
        assert await session.scalars(select(Item).where(Item.name == "a1")).exists()
        assert await session.scalars(everything.offset(1).limit(2)).all() == [
            await session.get(Item, name) for name in ("a1", "a2")
        ]
        first = await session.scalars(select(Item).order_by(desc(Item.price))).first()
        assert first is not None
        assert first.name == "a4"
        assert await session.get(Item, "b1") is None
        assert (await session.get_one(Item, "a1")).price == 1
        assert await session.scalars(select(Item).where(Item.name == "b1")).one_or_none() is None
        await session.refresh(await session.get_one(Item, "a1"))
    assert engine.calls


async def test_statements_reach_no_further_than_find(
    backend: Backend, raw: Database[Document], two_tenants: None
) -> None:
    async with backend.maker(tenants(backend))() as session:
        held = await session.get_one(Item, "a1")
        result = await session.execute(update(Item).where(Item.price < 3).values(price=9))
        assert (result.rowcount, result.matched_count) == (3, 3)
        assert raw["item"].count_documents({"tenant": "b", "price": 9}) == 0
        assert (await session.execute(update(Item).where(Item.tenant == "b").values(price=9))).rowcount == 0
        assert (await session.execute(delete(Item).where(Item.price == 9))).rowcount == 3
        assert (await session.clear_collection(Item)).rowcount == 2
        assert (await session.execute(delete(Item))).rowcount == 0
        assert inspect(held).expired
    assert sorted(stored(raw)) == [f"b{number}" for number in range(5)]


async def test_what_find_hides_is_not_overwritten(backend: Backend, raw: Database[Document], two_tenants: None) -> None:
    engine = tenants(backend)
    for writes in ("bulk", "engine"):
        async with backend.maker(engine, writes=writes)() as session:
            session.add(Item(name="b1", price=77))
            with pytest.raises(IntegrityError):
                await session.commit()
    assert stored(raw)["b1"]["price"] == 1


async def test_what_leaves_the_sight_of_find_by_its_change_is_no_stale_one(
    backend: Backend, raw: Database[Document], two_tenants: None
) -> None:
    async with backend.maker(tenants(backend))() as session:
        leaving, gone = await session.get_one(Item, "a1"), await session.get_one(Item, "a2")
        leaving.tenant, gone.price = "b", 5
        raw["item"].delete_one({"_id": "a2"})
        with pytest.raises(StaleDataError) as caught:
            await session.flush()
        assert (caught.value.instances, caught.value.written) == ([gone], [leaving])
    assert stored(raw)["a1"]["tenant"] == "b"


async def test_what_would_go_past_find_is_refused(backend: Backend, two_tenants: None) -> None:
    async with backend.maker(tenants(backend))() as session:
        with pytest.raises(InvalidRequestError, match=r"Tenants has a find\(\) of its own"):
            await session.scalars(select(Item.tenant).distinct()).all()
        with pytest.raises(InvalidRequestError, match=r"Tenants has a find\(\) of its own"):
            await session.scalars(select(Item.tenant).distinct()).count()
    async with backend.maker(backend.client, database=backend.database)() as session:
        assert sorted(await session.scalars(select(Item.tenant).distinct()).all()) == ["a", "b"]


async def test_references_are_found_by_find(backend: Backend, raw: Database[Document], two_tenants: None) -> None:
    raw["box"].insert_many([{"_id": "own", "item": "a1", "tenant": "a"}, {"_id": "theirs", "item": "b1"}])
    async with backend.maker(tenants(backend))() as session:
        boxes = await session.scalars(select(Box)).all()
        assert [(box.name, box.item.name) for box in boxes] == [("own", "a1")]
        assert boxes[0].item is await session.get(Item, "a1")


async def test_changes_of_what_find_gave_are_written(
    backend: Backend, raw: Database[Document], two_tenants: None, commands: CommandLog
) -> None:
    async with backend.maker(tenants(backend))() as session:
        for item in await session.scalars(select(Item)).all():
            item.price += 10
            item.tags.append("seen")
        commands.sent.clear()
        await session.commit()
        assert commands.names() == ["update item"]
    assert [document["price"] for document in stored(raw).values()] == [10, 11, 12, 13, 14, 0, 1, 2, 3, 4]


# -- count, remove ------------------------------------------------------------------------------------------------


async def test_count_and_remove_are_the_engines_own(backend: Backend, raw: Database[Document], three: None) -> None:
    engine = hooked(backend, "count", "remove", "find_one")
    async with backend.maker(engine)() as session:
        assert await session.scalars(select(Item)).count() == 3
        assert engine.calls.pop()[0] == "count"
        assert (await session.execute(delete(Item).where(Item.name == "p"))).rowcount == 1
        assert engine.calls.pop()[0] == "remove"
        await session.get_one(Item, "q")
        assert engine.calls.pop()[0] == "find_one"
        assert await session.get(Item, "none") is None
        assert (await session.clear_collection(Item)).rowcount == 2
    assert stored(raw) == {}


async def test_pipelines_and_changes_would_go_past_find(backend: Backend, two_tenants: None) -> None:
    async with backend.maker(tenants(backend))() as session:
        with pytest.raises(InvalidRequestError, match=r"Tenants has a find\(\) of its own"):
            await session.aggregate(Item, [{"$match": {}}]).all()
        with pytest.raises(InvalidRequestError, match=r"Tenants has a find\(\) of its own"):
            await anext(aiter(session.watch(Item)))


# -- what an engine's instances do not show ----------------------------------------------------------------------------


class Street(EmbeddedModel):
    name: str = ""
    number: int = 1


class Home(EmbeddedModel):
    city: str = ""
    street: Street = Street()


class Resident(Model):
    key: int = Field(primary_field=True)
    home: Home = Home()
    age: int = 0


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, {"city": "", "street": {"name": "x", "number": 1}}),
        ({"home": {"city": "a"}}, {"city": "a", "street": {"name": "x", "number": 1}}),
        ({"home": {"city": "", "street": {}}}, {"city": "", "street": {"name": "x"}}),
        (
            {"home": {"city": "", "street": {"name": "", "number": 1}}},
            {"city": "", "street": {"name": "x", "number": 1}},
        ),
    ],
)
async def test_a_default_for_an_embedded_document_is_known_for_one(
    backend: Backend, raw: Database[Document], document: Document, expected: Document
) -> None:
    raw["resident"].insert_one({"_id": 1, **document})
    async with backend.maker(hooked(backend, "find"))() as session:
        resident = await session.get_one(Resident, 1)
        assert resident.home.street.name == ""
        resident.home.street.name = "x"
        await session.commit()
    found = raw["resident"].find_one({}, {"home": 1, "_id": 0})
    assert found == {"home": expected}


@pytest.mark.parametrize("names", [("find",), ("find", "find_one")])
async def test_a_document_that_does_not_fit_is_told_as_without_it(
    backend: Backend, raw: Database[Document], names: tuple[str, ...]
) -> None:
    raw["resident"].insert_one({"_id": 1, "age": "x"})
    async with backend.maker(hooked(backend, *names))() as session:
        with pytest.raises(DocumentError, match="the document with _id 1 does not fit Resident"):
            await session.get(Resident, 1)
        with pytest.raises(DocumentError):
            await session.scalars(select(Resident)).all()
        with pytest.raises(DocumentError):
            await session.scalars(select(Resident)).count()
