"""`__shard_key__`: every command about one document says on which shard it is.

There is no sharded cluster here: what is sent is compared with what one asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model, Reference
from pymongo.database import Database

from mongotic import MongoBaseModel, StaleDataError, delete, insert, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError
from tests.conftest import CommandLog, Document


class Place(EmbeddedModel):
    city: str = ""


class Owner(Model):
    name: str = Field(primary_field=True)


class Item(Model):
    __shard_key__ = ("tenant", "region")

    number: int = Field(primary_field=True)
    tenant: str = Field(default="t1", key_name="t")
    region: str = "eu"
    price: int = 0
    place: Place = Place()

    model_config = {"collection": "item"}


class BasedItem(MongoBaseModel):
    __tablename__ = "item"
    __shard_key__ = ("tenant", "region")

    number: int = Field(primary_field=True)
    tenant: str = Field(default="t1", key_name="t")
    region: str = "eu"
    price: int = 0
    place: Place = Place()


class ByReference(Model):
    __shard_key__ = ["owner", "number"]  # a list will do, and so will the primary key

    number: int = Field(primary_field=True)
    price: int = 0
    owner: Owner = Reference()


class Versioned(Model):
    __shard_key__ = ("tenant",)
    __version_field__ = "version"

    number: int = Field(primary_field=True)
    tenant: str = "t1"
    price: int = 0
    version: int = 0


MODELS: Any = [Item, BasedItem]


@pytest.fixture(params=MODELS)
def item(request: pytest.FixtureRequest) -> Any:
    return request.param


def filters(commands: CommandLog) -> list[Document]:
    """The filters of every write of one document."""
    found: list[Document] = []
    for command in commands.sent:
        found += [update["q"] for update in command.get("updates", ()) if not update.get("multi")]
        found += [removal["q"] for removal in command.get("deletes", ()) if removal["limit"] == 1]
    return found


@pytest.fixture
def two(raw: Database[Document]) -> None:
    raw["item"].insert_many(
        [
            {"_id": number, "t": "t2", "region": "us", "price": 1, "place": {"city": "Rome"}, "other": "kept"}
            for number in (1, 2)
        ]
    )


WHERE = {"t": "t2", "region": "us"}


async def test_updates_and_deletions_ask_for_the_shard_key(
    session: AsyncSession, item: Any, raw: Database[Document], two: None, commands: CommandLog
) -> None:
    one, other = await session.scalars(select(item).order_by(item.number)).all()
    one.price = 2
    one.place.city = "Oslo"
    session.delete(other)
    commands.sent.clear()
    await session.commit()
    assert filters(commands) == [{"_id": 1, **WHERE, "place": {"$type": "object"}}, {"_id": 2, **WHERE}]
    assert raw["item"].find_one() == {
        "_id": 1, **WHERE, "price": 2, "place": {"city": "Oslo"}, "other": "kept",
    }  # fmt: skip


async def test_many_updates_stay_one_command(session: AsyncSession, item: Any, two: None, commands: CommandLog) -> None:
    for one in await session.scalars(select(item)).all():
        one.price = 9
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update item"]
    assert filters(commands) == [{"_id": 1, **WHERE}, {"_id": 2, **WHERE}]


async def test_what_was_just_stored_is_asked_for_by_what_was_stored(
    session: AsyncSession, item: Any, commands: CommandLog
) -> None:
    one = item(number=1, tenant="mine")
    session.add(one)
    await session.commit()
    one.price = 3
    commands.sent.clear()
    await session.commit()
    assert filters(commands) == [{"_id": 1, "t": "mine", "region": "eu"}]


async def test_a_detached_instance_is_asked_for_by_what_was_read(
    session: AsyncSession, item: Any, two: None, commands: CommandLog
) -> None:
    one = await session.get_one(item, 1)
    session.expunge(one)
    one.price = 4
    session.add(one)
    commands.sent.clear()
    await session.commit()
    session.delete(one)
    await session.commit()
    assert filters(commands) == [{"_id": 1, **WHERE}, {"_id": 1, **WHERE}]


@pytest.mark.parametrize("exclude_unset", [False, True])
async def test_merges_ask_for_the_shard_key_and_do_not_set_it(
    session: AsyncSession, item: Any, raw: Database[Document], two: None, commands: CommandLog, exclude_unset: bool
) -> None:
    session.merge(item(number=1, tenant="t2", region="us", price=5), exclude_unset=exclude_unset)
    session.merge(item(number=3, tenant="t3", region="us", price=6), exclude_unset=exclude_unset)
    await session.commit()
    assert filters(commands) == [{"_id": 1, **WHERE}, {"_id": 3, "t": "t3", "region": "us"}]
    for command in commands.sent:
        for change in command.get("updates", ()):
            assert not {"t", "region", "_id"} & {key for part in change["u"].values() for key in part}
    documents = {document["_id"]: document for document in raw["item"].find()}
    assert (documents[1]["price"], documents[1]["other"], documents[1]["t"]) == (5, "kept", "t2")
    assert documents[1]["place"] == {"city": "Rome" if exclude_unset else ""}
    assert documents[3] == {"_id": 3, "t": "t3", "region": "us", "price": 6, "place": {"city": ""}}


class KeyAlone(Model):
    __shard_key__ = ("tenant",)
    number: int = Field(primary_field=True)
    tenant: str = ""


async def test_a_merge_of_nothing_but_a_key(session: AsyncSession, raw: Database[Document]) -> None:
    for _ in range(2):
        session.merge(KeyAlone(number=1, tenant="a"))
        await session.commit()
        session.expunge_all()
    assert list(raw["key_alone"].find()) == [{"_id": 1, "tenant": "a"}]


async def test_a_replacement_asks_for_the_shard_key(
    session: AsyncSession, item: Any, raw: Database[Document], two: None, commands: CommandLog
) -> None:
    session.delete(await session.get_one(item, 1))
    session.add(item(number=1, tenant="t2", region="us", price=8))
    commands.sent.clear()
    await session.commit()
    assert filters(commands) == [{"_id": 1, **WHERE}]
    assert raw["item"].find_one({"_id": 1}) == {"_id": 1, **WHERE, "price": 8, "place": {"city": ""}}


async def test_a_document_that_went_to_another_shard_is_stale(
    session: AsyncSession, item: Any, raw: Database[Document], two: None
) -> None:
    ones = await session.scalars(select(item).order_by(item.number)).all()
    raw["item"].update_one({"_id": 1}, {"$set": {"t": "elsewhere"}})
    for one in ones:
        one.price = 7
    with pytest.raises(StaleDataError) as caught:
        await session.commit()
    assert caught.value.instances == ones[:1]
    assert raw["item"].find_one({"_id": 1}, {"_id": 0, "price": 1}) == {"price": 1}
    assert raw["item"].find_one({"_id": 2}, {"_id": 0, "price": 1}) == {"price": 7}


# -- changing it --------------------------------------------------------------------------------------------------


async def test_changing_it_is_refused_before_anything_is_sent(
    session: AsyncSession, item: Any, two: None, commands: CommandLog
) -> None:
    one = await session.get_one(item, 1)
    one.tenant = "other"
    one.price = 2
    session.add(item(number=9))
    commands.sent.clear()
    with pytest.raises(ArgumentError, match=r"Item 1: 'tenant' is part of the shard key"):
        await session.commit()
    assert commands.sent == []
    one.tenant = "t2"
    await session.commit()
    assert filters(commands) == [{"_id": 1, **WHERE}]


@pytest.mark.parametrize("held", [True, False])
async def test_merging_it_elsewhere_is_refused(
    session: AsyncSession, item: Any, two: None, commands: CommandLog, held: bool
) -> None:
    one = await session.get_one(item, 1)
    if held:
        session.merge(item(number=1, tenant="other", region="us"))
    else:
        session.expunge(one)
        one.tenant = "other"
        session.merge(one)
    commands.sent.clear()
    with pytest.raises(ArgumentError, match="'tenant' is part of the shard key"):
        await session.commit()
    assert commands.sent == []


async def test_replacing_it_elsewhere_is_refused(
    session: AsyncSession, item: Any, raw: Database[Document], two: None, commands: CommandLog
) -> None:
    session.delete(await session.get_one(item, 1))
    new = item(number=1, tenant="other")
    session.add(new)
    commands.sent.clear()
    with pytest.raises(ArgumentError, match=r"'tenant' is part of the shard key.*Delete it, flush"):
        await session.commit()
    assert commands.sent == []
    session.expunge(new)
    await session.flush()
    session.add(new)
    await session.commit()
    assert raw["item"].find_one({"_id": 1}, {"t": 1}) == {"_id": 1, "t": "other"}


async def test_an_update_statement_does_not_change_it(session: AsyncSession, item: Any, two: None) -> None:
    with pytest.raises(ArgumentError, match="'region' is part of the shard key"):
        await session.execute(update(item).where(item.number == 1).values(region="eu"))
    await session.execute(insert(item).values(number=9, tenant="x"))
    assert (await session.execute(delete(item).where(item.tenant == "x"))).rowcount == 1


# -- kinds of keys ------------------------------------------------------------------------------------------------


async def test_a_reference_as_shard_key(session: AsyncSession, raw: Database[Document], commands: CommandLog) -> None:
    one = ByReference(number=1, owner=Owner(name="ann"))
    session.add(one)
    await session.commit()
    one.price = 1
    commands.sent.clear()
    await session.commit()
    assert filters(commands) == [{"_id": 1, "owner": "ann"}]
    one.owner = Owner(name="bob")
    with pytest.raises(ArgumentError, match="'owner' is part of the shard key"):
        await session.commit()


async def test_with_a_version(session: AsyncSession, raw: Database[Document], commands: CommandLog) -> None:
    one = Versioned(number=1)
    session.add(one)
    await session.commit()
    one.price = 1
    commands.sent.clear()
    await session.commit()
    session.delete(one)
    await session.commit()
    assert filters(commands) == [
        {"_id": 1, "tenant": "t1", "version": 1},
        {"_id": 1, "tenant": "t1", "version": 2},
    ]


# -- declarations -------------------------------------------------------------------------------------------------


def broken(shard_key: Any, version_field: Any = None) -> Callable[[], Any]:
    def declare() -> Any:
        body = {"__module__": __name__, "__shard_key__": shard_key, "__version_field__": version_field}
        annotations = {"tenant": str, "count": int}
        metaclass: Any = type(Model)
        return metaclass("Broken", (Model,), {**body, "__annotations__": annotations, "tenant": "", "count": 0})

    return declare


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (broken("tenant"), r"takes a tuple of field names, \('tenant',\)"),
        (broken(3), "takes a tuple of field names"),
        (broken(("nothing",)), "'nothing' is no field of the model; it has"),
        (broken((["tenant"],)), "is no field of the model"),
        (broken((3,)), "3 is no field of the model"),
        (broken(("count",), "count"), "neither the primary key nor a part of the shard key"),
    ],
)
async def test_wrong_declarations_are_refused_at_the_first_use(
    session: AsyncSession, declare: Callable[[], Any], reason: str
) -> None:
    model = declare()
    with pytest.raises(ArgumentError, match=reason):
        select(model)
    with pytest.raises(ArgumentError, match=reason):
        session.add(model())
