"""`__version_field__`: no writer overwrites what it has not seen."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from odmantic import Field, Model, Reference
from pymongo.database import Database

from mongotic import (
    IntegrityError,
    MongoBaseModel,
    StaleDataError,
    delete,
    insert,
    make_transient,
    ops,
    select,
    update,
)
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError
from tests.conftest import Backend, CommandLog, Document, SessionMaker


class Stock(Model):
    __version_field__ = "version"

    name: str = Field(primary_field=True)
    count: int = 0
    tags: list[str] = []
    version: int = Field(default=0, key_name="v")

    model_config = {"collection": "stock"}


class BasedStock(MongoBaseModel):
    __tablename__ = "stock"
    __version_field__ = "version"

    name: str = Field(primary_field=True)
    count: int = 0
    tags: list[str] = pydantic.Field(default_factory=list)
    version: int = Field(default=0, key_name="v")


class FromOne(Model):
    """Where a document has no version, it counts as version 1."""

    __version_field__ = "version"

    name: str = Field(primary_field=True)
    count: int = 0
    version: int = 1

    model_config = {"collection": "stock"}


class Required(Model):
    __version_field__ = "version"

    name: str = Field(primary_field=True)
    version: int

    model_config = {"collection": "stock"}


class Order(Model):
    number: int = Field(primary_field=True)
    stock: Stock = Reference()


MODELS: Any = [Stock, BasedStock]


@pytest.fixture(params=MODELS)
def stock(request: pytest.FixtureRequest) -> Any:
    return request.param


def stored(raw: Database[Document]) -> dict[str, Document]:
    return {document.pop("_id"): document for document in raw["stock"].find().sort("_id")}


def counts(raw: Database[Document]) -> dict[str, tuple[object, object]]:
    return {name: (document.get("count"), document.get("v")) for name, document in stored(raw).items()}


@pytest.fixture
def three(raw: Database[Document]) -> None:
    raw["stock"].insert_many([{"_id": name, "count": 5, "tags": [], "v": 3} for name in "abc"])


# -- counting -----------------------------------------------------------------------------------------------------


async def test_the_version_starts_at_one_and_counts_the_writes(
    session: AsyncSession, stock: Any, raw: Database[Document], commands: CommandLog
) -> None:
    item = stock(name="a", count=5)
    session.add(item)
    await session.commit()
    assert (item.version, counts(raw)) == (1, {"a": (5, 1)})
    item.count -= 1
    await session.commit()
    item.tags.append("x")
    commands.sent.clear()
    await session.commit()
    assert (item.version, counts(raw)) == (3, {"a": (4, 3)})
    (change,) = commands.sent[0]["updates"]
    assert (change["q"], change["u"]) == ({"_id": "a", "v": 2}, {"$set": {"tags": ["x"], "v": 3}})
    assert session.dirty == []
    commands.sent.clear()
    await session.commit()
    assert commands.sent == []


async def test_many_inserts_are_one_command(session: AsyncSession, stock: Any, commands: CommandLog) -> None:
    session.add_all([stock(name=str(number)) for number in range(20)])
    await session.commit()
    assert commands.names() == ["insert stock"]


async def test_a_version_given_to_a_new_instance_is_not_kept(
    session: AsyncSession, stock: Any, raw: Database[Document]
) -> None:
    item = stock(name="a", version=9)
    session.add(item)
    await session.commit()
    assert (item.version, counts(raw)) == (1, {"a": (0, 1)})


async def test_what_left_and_came_back_is_counted_on(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    item = await session.get_one(stock, "a")
    session.expunge(item)
    item.count = 6
    session.add(item)
    await session.commit()
    assert counts(raw)["a"] == (6, 4)


async def test_changing_the_version_is_refused_before_anything_is_sent(
    session: AsyncSession, stock: Any, raw: Any, three: None, commands: CommandLog
) -> None:
    item = await session.get_one(stock, "a")
    item.version = 7
    session.add(stock(name="new"))
    commands.sent.clear()
    with pytest.raises(ArgumentError, match="'version' is the version field, which the session counts"):
        await session.commit()
    assert commands.sent == []
    await session.refresh(item)
    await session.commit()
    assert (item.version, counts(raw)["a"]) == (3, (5, 3))


async def test_a_rollback_does_not_count(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    item = await session.get_one(stock, "a")
    item.count = 6
    await session.rollback()
    assert (item.count, item.version) == (5, 3)
    item.count = 7
    await session.commit()
    assert counts(raw)["a"] == (7, 4)


# -- another writer in between ------------------------------------------------------------------------------------


async def test_a_change_of_what_was_changed_meanwhile_is_refused(
    session: AsyncSession, stock: Any, session_maker: SessionMaker, raw: Any, three: None
) -> None:
    mine = await session.get_one(stock, "a")
    async with session_maker() as other:
        theirs = await other.get_one(stock, "a")
        theirs.count -= 1
        await other.commit()
    mine.count -= 1
    with pytest.raises(StaleDataError, match=f"{stock.__name__} 'a'") as caught:
        await session.commit()
    assert caught.value.instances == [mine]
    assert counts(raw)["a"] == (4, 4)
    assert (mine.version, session.dirty) == (3, [mine])
    await session.refresh(mine)
    mine.count -= 1
    await session.commit()
    assert counts(raw)["a"] == (3, 5)


@pytest.mark.parametrize("meddle", ["changed", "deleted", "same values"])
async def test_of_many_changes_exactly_the_stale_one_is_named(
    session: AsyncSession, stock: Any, raw: Any, three: None, meddle: str
) -> None:
    items = await session.scalars(select(stock).order_by(stock.name)).all()
    for item in items:
        item.count -= 1
    if meddle == "changed":
        raw["stock"].update_one({"_id": "b"}, {"$set": {"count": 0}, "$inc": {"v": 1}})
    elif meddle == "deleted":
        raw["stock"].delete_one({"_id": "b"})
    else:  # what two buyers of the last item do
        raw["stock"].update_one({"_id": "b"}, {"$set": {"count": 4, "v": 4}})
    with pytest.raises(StaleDataError) as caught:
        await session.flush()
    assert caught.value.instances == [items[1]]
    assert (caught.value.written, caught.value.pending) == ([items[0]], items[1:])
    assert session.dirty == items[1:]
    session.expunge(items[1])
    await session.commit()
    assert (counts(raw)["a"], counts(raw)["c"]) == ((4, 4), (4, 4))


@pytest.mark.parametrize("act", ["change", "delete"])
async def test_a_commit_with_something_stale_writes_nothing(
    session: AsyncSession, stock: Any, raw: Any, three: None, act: str
) -> None:
    items = await session.scalars(select(stock).order_by(stock.name)).all()
    for item in items:
        if act == "delete":
            session.delete(item)
        item.count -= 1
    raw["stock"].update_one({"_id": "b"}, {"$set": {"count": 4, "v": 4}})
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert (caught.value.instances, caught.value.written, caught.value.pending) == ([items[1]], [], items)
    assert counts(raw) == {"a": (5, 3), "b": (4, 4), "c": (5, 3)}
    assert [item.version for item in items] == [3, 3, 3]
    await session.refresh(items[1])
    items[1].count -= 1
    await session.commit()
    expected = {} if act == "delete" else {"a": (4, 4), "b": (3, 5), "c": (4, 4)}
    assert counts(raw) == expected


async def test_a_transaction_gives_the_versions_back(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    item = await session.get_one(stock, "a")
    async with session.begin() as transaction:
        item.count = 1
        await session.flush()
        item.count = 2
        await session.flush()
        assert item.version == 5
        await transaction.rollback()
    assert (item.count, item.version) == (5, 3)
    item.count = 4
    await session.commit()
    assert (item.version, counts(raw)["a"]) == (4, (4, 4))


async def test_a_deletion_of_what_was_changed_meanwhile_is_refused(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    items = await session.scalars(select(stock).order_by(stock.name)).all()
    for item in items:
        session.delete(item)
    raw["stock"].update_one({"_id": "b"}, {"$set": {"count": 0}, "$inc": {"v": 1}})
    with pytest.raises(StaleDataError, match="'b'") as caught:
        await session.flush()
    assert caught.value.instances == [items[1]]
    assert list(counts(raw)) == ["b", "c"]
    assert session.deleted == items[1:]
    await session.refresh(items[1])
    await session.commit()
    assert counts(raw) == {}


async def test_a_deletion_of_what_was_deleted_meanwhile_is_refused(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    items = await session.scalars(select(stock).order_by(stock.name)).all()
    for item in items:
        session.delete(item)
    raw["stock"].delete_one({"_id": "b"})
    with pytest.raises(StaleDataError, match="gone already") as caught:
        await session.flush()
    assert caught.value.instances == [items[1]]
    await session.commit()
    assert counts(raw) == {}


async def test_unwritten_changes_do_not_pass_for_changes_of_what_a_query_shows(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    item = await session.get_one(stock, "a")
    item.count -= 1
    raw["stock"].update_one({"_id": "a"}, {"$set": {"count": 4, "tags": ["sold"]}, "$inc": {"v": 1}})
    await session.scalars(select(stock)).all()
    assert (item.count, item.tags, item.version) == (4, ["sold"], 3)
    with pytest.raises(StaleDataError):
        await session.commit()
    await session.scalars(select(stock).execution_options(populate_existing=True)).all()
    assert (item.count, item.version) == (4, 4)
    item.count -= 1
    await session.commit()
    assert counts(raw)["a"] == (3, 5)


async def test_an_unchanged_instance_follows_what_a_query_shows(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    item = await session.get_one(stock, "a")
    raw["stock"].update_one({"_id": "a"}, {"$set": {"count": 4}, "$inc": {"v": 1}})
    await session.scalars(select(stock)).all()
    item.count -= 1
    await session.commit()
    assert counts(raw)["a"] == (3, 5)


async def test_a_field_read_again_does_not_stand_for_the_document(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    item = await session.get_one(stock, "a")
    raw["stock"].update_one({"_id": "a"}, {"$set": {"count": 4, "tags": ["x"]}, "$inc": {"v": 1}})
    await session.refresh(item, ["count"])
    item.count -= 1
    with pytest.raises(StaleDataError):
        await session.commit()


async def test_an_expired_instance_is_of_the_version_it_was_read_at(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    item = await session.get_one(stock, "a")
    raw["stock"].update_one({"_id": "a"}, {"$set": {"count": 4}, "$inc": {"v": 1}})
    session.expire(item)
    item.count = 9
    with pytest.raises(StaleDataError):
        await session.commit()


async def test_a_detached_instance_is_of_the_version_it_was_read_at(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    item = await session.get_one(stock, "a")
    session.expunge(item)
    raw["stock"].update_one({"_id": "a"}, {"$set": {"count": 4}, "$inc": {"v": 1}})
    item.count = 9
    session.add(item)
    with pytest.raises(StaleDataError):
        await session.commit()


async def test_an_instance_that_odmantic_loaded_has_its_version(
    session: AsyncSession, backend: Backend, raw: Any, three: None
) -> None:
    engine: Any = backend.engine
    found = engine.find_one(Stock, Stock.name == "a")
    item = found if backend.name == "sync" else await found
    item.count = 6
    session.add(item)
    await session.commit()
    assert counts(raw)["a"] == (6, 4)
    session.expunge(item)
    raw["stock"].update_one({"_id": "a"}, {"$inc": {"v": 1}})
    item.count = 7
    session.add(item)
    with pytest.raises(StaleDataError):
        await session.commit()


# -- documents without a version ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Stock, BasedStock, FromOne])
async def test_a_document_without_a_version_gets_one(session: AsyncSession, raw: Any, model: Any) -> None:
    raw["stock"].insert_one({"_id": "a", "count": 5, "tags": []})
    item = await session.get_one(model, "a")
    item.count = 6
    await session.commit()
    key, first = ("version", 2) if model is FromOne else ("v", 1)
    assert stored(raw)["a"] == {"count": 6, "tags": [], key: first}
    item.count = 7
    await session.commit()
    assert stored(raw)["a"] == {"count": 7, "tags": [], key: first + 1}


@pytest.mark.parametrize("model", [Stock, FromOne])
async def test_another_writer_of_a_document_without_a_version_is_noticed(
    session: AsyncSession, session_maker: SessionMaker, raw: Any, model: Any
) -> None:
    raw["stock"].insert_one({"_id": "a", "count": 5})
    item = await session.get_one(model, "a")
    async with session_maker() as other:
        theirs = await other.get_one(model, "a")
        theirs.count -= 1
        await other.commit()
    item.count -= 1
    with pytest.raises(StaleDataError):
        await session.commit()


@pytest.mark.parametrize("model", [Stock, FromOne])
async def test_a_statement_on_a_document_without_a_version_is_noticed(
    session: AsyncSession, session_maker: SessionMaker, raw: Any, model: Any
) -> None:
    raw["stock"].insert_one({"_id": "a", "count": 5})
    item = await session.get_one(model, "a")
    async with session_maker() as other:
        await other.execute(update(model).values(count=4))
    item.count -= 1
    with pytest.raises(StaleDataError):
        await session.commit()
    await session.refresh(item)
    item.count -= 1
    await session.commit()
    assert stored(raw)["a"]["count"] == 3


@pytest.mark.parametrize("model", [Stock, FromOne])
async def test_an_operator_on_a_document_without_a_version_is_noticed(
    session: AsyncSession, session_maker: SessionMaker, raw: Any, model: Any
) -> None:
    raw["stock"].insert_one({"_id": "a", "count": 5})
    item = await session.get_one(model, "a")
    async with session_maker() as other:
        await other.execute(update(model).values(count=ops.inc(-1)))
    item.count -= 1
    with pytest.raises(StaleDataError):
        await session.commit()
    assert stored(raw)["a"]["count"] == 4


@pytest.mark.parametrize("model", [Stock, FromOne])
async def test_a_merge_of_some_fields_onto_a_document_without_a_version_is_noticed(
    session: AsyncSession, session_maker: SessionMaker, raw: Any, model: Any
) -> None:
    raw["stock"].insert_one({"_id": "a", "count": 5})
    item = await session.get_one(model, "a")
    async with session_maker() as other:
        other.merge(model(name="a", count=4), exclude_unset=True)
        await other.commit()
    item.count -= 1
    with pytest.raises(StaleDataError):
        await session.commit()
    assert stored(raw)["a"]["count"] == 4


async def test_a_deletion_of_a_document_without_a_version(session: AsyncSession, stock: Any, raw: Any) -> None:
    raw["stock"].insert_one({"_id": "a", "count": 5, "tags": []})
    session.delete(await session.get_one(stock, "a"))
    await session.commit()
    assert counts(raw) == {}


# -- statements ---------------------------------------------------------------------------------------------------


async def test_an_update_statement_counts_the_versions_up(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    held = await session.get_one(stock, "a")
    result = await session.execute(update(stock).where(stock.name != "c").values(count=1))
    assert result.rowcount == 2
    assert counts(raw) == {"a": (1, 4), "b": (1, 4), "c": (5, 3)}
    held.count = 2
    with pytest.raises(StaleDataError):
        await session.commit()


async def test_an_update_statement_that_fetches_brings_the_version(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    held = await session.get_one(stock, "a")
    await session.execute(update(stock).values(count=1).execution_options(synchronize_session="fetch"))
    assert (held.count, held.version) == (1, 4)
    held.count = 2
    await session.commit()
    assert counts(raw)["a"] == (2, 5)


async def test_values_of_an_update_are_data(session: AsyncSession, raw: Any) -> None:
    class Text(Model):
        __version_field__ = "version"
        text: str = ""
        notes: dict[str, Any] = {}
        version: int = 1

    raw["text"].insert_one({"text": "a", "notes": {"old": 1}})
    await session.execute(update(Text).values(text="$notes", notes={"$add": "1", "deep": {"a": "$text"}}))
    document = raw["text"].find_one({}, {"_id": 0})
    assert document == {"text": "$notes", "notes": {"$add": "1", "deep": {"a": "$text"}}, "version": 2}


@pytest.mark.parametrize("model", [Stock, FromOne])
async def test_an_update_statement_sets_no_version(session: AsyncSession, model: Any) -> None:
    with pytest.raises(ArgumentError, match="'version' is the version field"):
        await session.execute(update(model).values(count=1, version=7))


async def test_insert_statements_begin_at_one_unless_told_otherwise(
    session: AsyncSession, stock: Any, raw: Any
) -> None:
    given = stock(name="instance")
    await session.execute(insert(stock).values([{"name": "a"}, {"name": "b", "version": 5}, given]))
    assert {name: version for name, (_, version) in counts(raw).items()} == {"a": 1, "b": 5, "instance": 1}


async def test_a_delete_statement_asks_for_no_version(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    assert (await session.execute(delete(stock).where(stock.name == "a"))).rowcount == 1


# -- merge, and delete with add -----------------------------------------------------------------------------------


async def test_merge_asks_for_the_version_of_what_is_merged(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    session.merge(stock(name="a", count=9, version=3))
    await session.commit()
    assert counts(raw)["a"] == (9, 4)
    stale = session.merge(stock(name="b", count=9, version=2))
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert caught.value.instances == [stale]
    assert counts(raw)["b"] == (5, 3)


async def test_merge_of_something_new_stores_it(session: AsyncSession, stock: Any, raw: Any) -> None:
    item = session.merge(stock(name="a", count=9))
    await session.commit()
    assert (item.version, counts(raw)["a"]) == (1, (9, 1))
    item.count = 8
    await session.commit()
    assert counts(raw)["a"] == (8, 2)


async def test_merge_onto_what_is_held_compares_with_the_document(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    held = await session.get_one(stock, "a")
    assert session.merge(stock(name="a", count=9, version=3)) is held
    await session.commit()
    assert (held.version, counts(raw)["a"]) == (4, (9, 4))
    session.merge(stock(name="a", count=1, version=3))
    with pytest.raises(StaleDataError):
        await session.commit()


async def test_merge_of_what_was_set_needs_no_version(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    item = session.merge(stock(name="a", count=9), exclude_unset=True)
    await session.commit()
    assert (item.version, counts(raw)["a"]) == (4, (9, 4))
    item.count = 10
    await session.commit()
    assert counts(raw)["a"] == (10, 5)
    new = session.merge(stock(name="n", count=9), exclude_unset=True)
    await session.commit()
    assert (new.version, stored(raw)["n"]) == (1, {"count": 9, "tags": [], "v": 1})
    session.merge(stock(name="b", count=9, version=2), exclude_unset=True)
    with pytest.raises(StaleDataError):
        await session.commit()


async def test_merge_of_what_was_set_onto_what_is_held_compares(
    session: AsyncSession, stock: Any, raw: Any, three: None
) -> None:
    held = await session.get_one(stock, "a")
    raw["stock"].update_one({"_id": "a"}, {"$set": {"tags": ["x"]}, "$inc": {"v": 1}})
    session.merge(stock(name="a", count=9), exclude_unset=True)
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert caught.value.instances == [held]


async def test_a_replacement_counts_on(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    old = await session.get_one(stock, "a")
    session.delete(old)
    new = stock(name="a", count=1)
    session.add(new)
    await session.commit()
    assert (new.version, counts(raw)["a"]) == (4, (1, 4))


@pytest.mark.parametrize("meddle", ["changed", "deleted"])
async def test_a_replacement_of_what_was_changed_meanwhile_is_refused(
    session: AsyncSession, stock: Any, raw: Any, three: None, meddle: str
) -> None:
    old = await session.get_one(stock, "a")
    session.delete(old)
    new = stock(name="a", count=1)
    session.add(new)
    if meddle == "changed":
        raw["stock"].update_one({"_id": "a"}, {"$inc": {"v": 1}})
        with pytest.raises(StaleDataError) as caught:
            await session.commit()
        assert caught.value.instances == [new]
        assert counts(raw)["a"] == (5, 4)
    else:
        raw["stock"].delete_one({"_id": "a"})
        await session.commit()
        assert counts(raw)["a"] == (1, 4)


async def test_a_unique_index_is_no_stale_version(session: AsyncSession, stock: Any, raw: Any, three: None) -> None:
    raw["stock"].create_index("count", unique=True, partialFilterExpression={"count": {"$gt": 100}})
    raw["stock"].insert_one({"_id": "z", "count": 101, "v": 1})
    merged = session.merge(stock(name="a", count=101, version=3))
    with pytest.raises(IntegrityError) as caught:
        await session.commit()
    assert caught.value.instance is merged


# -- copies, references -------------------------------------------------------------------------------------------


async def test_a_clone_and_a_transient_instance_begin_at_one(session: AsyncSession, raw: Any) -> None:
    class Sheet(Model):
        __version_field__ = "version"
        text: str = ""
        version: int = 0

    one = Sheet(text="a")
    session.add(one)
    await session.commit()
    one.text = "b"
    await session.commit()
    twin = session.clone(one)
    session.add(twin)
    await session.commit()
    assert (one.version, twin.version) == (2, 1)
    raw["sheet"].delete_one({"_id": one.id})
    make_transient(one)
    session.add(one)
    await session.commit()
    assert one.version == 1


async def test_what_refers_to_it_does_not_write_it(session: AsyncSession, raw: Any, three: None) -> None:
    session.add(Order(number=1, stock=await session.get_one(Stock, "a")))
    await session.commit()
    assert counts(raw)["a"] == (5, 3)


# -- declarations -------------------------------------------------------------------------------------------------


def broken(version_field: Any, **fields: Any) -> Callable[[], Any]:
    def declare() -> Any:
        annotations = {"version": int, **{name: kind for name, (kind, _) in fields.items()}}
        defaults = {"version": 0, **{name: default for name, (_, default) in fields.items()}}
        body = {"__module__": __name__, "__version_field__": version_field, "__annotations__": annotations}
        metaclass: Any = type(Model)
        return metaclass("Broken", (Model,), {**body, **defaults})

    return declare


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (broken("nothing"), "takes the name of a field"),
        (broken(""), "takes the name of a field"),
        (broken(3), "takes the name of a field"),
        (broken(["version"]), "takes the name of a field"),
        (broken("text", text=(str, "")), "declared as int"),
        (broken("flag", flag=(bool, False)), "declared as int"),
        (broken("maybe", maybe=(int | None, None)), "declared as int"),
        (broken("number", number=(int, Field(primary_field=True))), "neither the primary key"),
    ],
)
async def test_wrong_declarations_are_refused_at_the_first_use(
    session: AsyncSession, declare: Callable[[], Any], reason: str
) -> None:
    model = declare()
    with pytest.raises(ArgumentError, match=rf"Broken\.__version_field__ = .*{reason}"):
        select(model)
    with pytest.raises(ArgumentError, match=reason):
        session.add(model.model_construct())


async def test_a_required_version_needs_a_value_and_begins_at_one(session: AsyncSession, raw: Any) -> None:
    item = Required(name="a", version=0)
    session.add(item)
    await session.commit()
    assert stored(raw) == {"a": {"version": 1}}
