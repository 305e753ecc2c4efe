"""What ODMantic promises of its asyncio engine, asked of ODMantic's own on Motor and of `AIOEngine` on PyMongo Async.

A test that takes `engine` runs with both and expects the same of both.  At the end stand the defects of ODMantic that
`AIOEngine` mends, each shown on ODMantic's engine first.
"""

# ODMantic leaves queries half open, and pyright sees an attribute declared as a model as unknown:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast

import odmantic.engine
import odmantic.session
import pymongo
import pytest
from bson import ObjectId
from motor.motor_asyncio import AsyncIOMotorClient
from odmantic import EmbeddedModel, Field, Index, Model, Reference, SyncEngine
from odmantic.exceptions import DocumentNotFoundError, DocumentParsingError, DuplicateKeyError
from odmantic.query import and_, asc, desc, in_, match, nor_, not_in, or_
from pymongo import ASCENDING, AsyncMongoClient, IndexModel, MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError as DriverDuplicateKeyError
from pymongo.errors import InvalidOperation, OperationFailure

from mongotic_adapters.errors import ArgumentTypeError
from mongotic_adapters.pymongo_async import AIOEngine, AIOSession, AIOTransaction
from tests.conftest import CommandLog, Document

Scope: TypeAlias = AIOSession | AIOTransaction
Work: TypeAlias = Callable[[AIOTransaction], Awaitable[None]]


class Reader(Model):
    name: str
    age: int = 0
    tags: list[str] = []


class Ticket(Model):
    number: int
    seat: str = ""


class Publisher(Model):
    name: str
    founded: int = 0


class Book(Model):
    title: str
    pages: int = 0
    publisher: Publisher = Reference()


class Loan(Model):
    days: int
    book: Book = Reference()


class Address(EmbeddedModel):
    street: str
    city: str


class Home(Model):
    address: Address
    former: list[Address] = []


class Account(Model):
    email: str = Field(unique=True)
    visits: int = Field(default=0, index=True)


class Country(Model):
    code: str = Field(primary_field=True)
    name: str = Field(default="", key_name="n")

    model_config = {"collection": "countries"}


class Corner(EmbeddedModel):
    x: int
    y: int


class Tile(Model):
    corner: Corner = Field(primary_field=True)


class Visit(Model):
    place: str
    day: int

    model_config = {"indexes": lambda: [Index(Visit.place, desc(Visit.day), name="by_place")]}


class Note(Model):
    text: str

    model_config = {"indexes": lambda: [IndexModel([("text", ASCENDING)], name="by_text", unique=True)]}


# -- the engines --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
async def pymongo_client(server_uri: str, command_log: CommandLog) -> AsyncIterator[AsyncMongoClient[Document]]:
    async with AsyncMongoClient[Document](server_uri, event_listeners=[command_log]) as client:
        yield client


@pytest.fixture
def ours(pymongo_client: AsyncMongoClient[Document], raw: Database[Document]) -> AIOEngine:
    return AIOEngine(pymongo_client, raw.name)


# Typed as ours: the same methods, but ODMantic leaves the types of its own half open.
@pytest.fixture
def theirs(motor_engine: odmantic.AIOEngine) -> AIOEngine:
    return cast("AIOEngine", motor_engine)


@pytest.fixture(params=["motor", "pymongo"])
def engine(request: pytest.FixtureRequest, ours: AIOEngine, theirs: AIOEngine) -> AIOEngine:
    return ours if request.param == "pymongo" else theirs


@pytest.fixture
def other_engine(
    engine: AIOEngine, ours: AIOEngine, motor_client: AsyncIOMotorClient[Document], raw: Database[Document]
) -> AIOEngine:
    """An engine of the same kind, with the same database, whose `get_collection` and `save` are overridden."""

    def copies(self: AIOEngine, model: type[Model]) -> object:
        return self.database["copy_of_" + model.__collection__]

    async def noted_save(self: Any, instance: Model, *, session: Any = None) -> Model:
        self.saved.append(instance)
        return cast("Model", await kind.save(self, instance, session=session))

    kind: Any = AIOEngine if engine is ours else odmantic.AIOEngine
    made: Any = type("Copies", (kind,), {"get_collection": copies, "save": noted_save, "saved": []})
    return cast("AIOEngine", made(engine.client, raw.name))


async def driver_session(engine: odmantic.AIOEngine) -> Any:  # Motor's or PyMongo's
    started: Any = engine.client.start_session()
    return started if isinstance(engine, AIOEngine) else await started


@pytest.fixture
async def readers(raw: Database[Document]) -> list[str]:
    """Four readers, by name."""
    ages = {"Ann": 30, "Bob": 20, "Cyd": 40, "Dan": 20}
    raw["reader"].insert_many(
        [{"_id": ObjectId(), "name": name, "age": age, "tags": [name.lower()]} for name, age in ages.items()]
    )
    return list(ages)


def names(instances: list[Reader]) -> list[str]:
    return [instance.name for instance in instances]


def stored(raw: Database[Document], collection: str = "reader") -> list[Document]:
    return list(raw[collection].find({}, {"_id": 0}))


async def save_one(scope: Scope) -> None:
    await scope.save(Ticket(number=1))


async def save_and_raise(scope: Scope) -> None:
    await scope.save(Ticket(number=1))
    raise ZeroDivisionError


async def save_and_be_cancelled(scope: Scope) -> None:
    await scope.save(Ticket(number=1))
    raise asyncio.CancelledError


async def save_and_be_lost(transaction: AIOTransaction) -> None:
    """Make the server forget *transaction*, so that its commit fails."""
    await transaction.save(Ticket(number=1))
    session = transaction.get_driver_session()
    await transaction.engine.client.admin.command("killSessions", [session.session_id])


async def save_and_fail_to_commit(transaction: AIOTransaction) -> None:
    await save_and_be_lost(transaction)
    await transaction.commit()


# -- construction -------------------------------------------------------------------------------------------------


def test_is_an_odmantic_engine(engine: AIOEngine) -> None:
    assert isinstance(engine, odmantic.AIOEngine)
    assert isinstance(engine, odmantic.engine.BaseEngine)


def test_shows_its_client_and_database(engine: AIOEngine, raw: Database[Document]) -> None:
    assert engine.database_name == raw.name
    assert engine.database.name == raw.name
    assert engine.database.client is engine.client


def test_collection_of_a_model(engine: AIOEngine) -> None:
    assert engine.get_collection(Reader).name == "reader"
    assert engine.get_collection(Country).name == "countries"


async def test_collection_is_the_drivers_own(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.get_collection(Ticket).insert_one({"number": 1})
    assert stored(raw, "ticket") == [{"number": 1}]


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a.b", 'a"b', "a$b"])
def test_database_name_with_a_forbidden_character(engine: AIOEngine, name: str) -> None:
    with pytest.raises(ValueError, match="database name cannot contain"):
        type(engine)(engine.client, name)


def test_database_is_test_unless_named(engine: AIOEngine) -> None:
    assert type(engine)(engine.client).database_name == "test"


async def test_odmantic_has_the_inner_names_that_ours_builds_on(motor_engine: odmantic.AIOEngine) -> None:
    cursor, transaction = motor_engine.find(Reader), motor_engine.transaction()
    used = {
        motor_engine: ["_prepare_find_pipeline", "_get_session"],
        cursor: ["_cursor", "_results", "_parse_document"],
        transaction: ["_session_provided", "_transaction_started", "_transaction_context"],
    }
    assert [name for owner, names in used.items() for name in names if not hasattr(owner, name)] == []


# -- find ---------------------------------------------------------------------------------------------------------


async def test_find_gives_instances(engine: AIOEngine, raw: Database[Document]) -> None:
    key = ObjectId()
    raw["reader"].insert_one({"_id": key, "name": "Ann", "age": 30, "tags": ["x"]})
    assert await engine.find(Reader) == [Reader(id=key, name="Ann", age=30, tags=["x"])]


async def test_find_nothing_gives_an_empty_list(engine: AIOEngine) -> None:
    assert await engine.find(Reader) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (lambda: Reader.name == "Ann", ["Ann"]),
        (lambda: Reader.name != "Ann", ["Bob", "Cyd", "Dan"]),
        (lambda: Reader.age > 20, ["Ann", "Cyd"]),
        (lambda: Reader.age <= 20, ["Bob", "Dan"]),
        (lambda: in_(Reader.name, ["Bob", "Cyd"]), ["Bob", "Cyd"]),
        (lambda: not_in(Reader.name, ["Bob", "Cyd"]), ["Ann", "Dan"]),
        (lambda: match(Reader.name, "^[AB]"), ["Ann", "Bob"]),
        (lambda: and_(Reader.age == 20, Reader.name == "Dan"), ["Dan"]),
        (lambda: or_(Reader.age == 40, Reader.name == "Dan"), ["Cyd", "Dan"]),
        (lambda: nor_(Reader.age == 40, Reader.name == "Dan"), ["Ann", "Bob"]),
        (lambda: {"tags": "cyd"}, ["Cyd"]),
        (dict, ["Ann", "Bob", "Cyd", "Dan"]),
    ],
    ids=["eq", "ne", "gt", "lte", "in", "not_in", "match", "and", "or", "nor", "raw filter", "empty filter"],
)
async def test_find_by_a_query(
    engine: AIOEngine, readers: list[str], query: Callable[[], Any], expected: list[str]
) -> None:
    assert names(await engine.find(Reader, query(), sort=Reader.name)) == expected


async def test_find_by_several_queries_means_all_of_them(engine: AIOEngine, readers: list[str]) -> None:
    assert names(await engine.find(Reader, Reader.age == 20, {"name": "Bob"})) == ["Bob"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (lambda: Reader.name, ["Ann", "Bob", "Cyd", "Dan"]),
        (lambda: asc(Reader.name), ["Ann", "Bob", "Cyd", "Dan"]),
        (lambda: desc(Reader.name), ["Dan", "Cyd", "Bob", "Ann"]),
        (lambda: (Reader.age, desc(Reader.name)), ["Dan", "Bob", "Ann", "Cyd"]),
    ],
    ids=["field", "asc", "desc", "tuple"],
)
async def test_find_sorted(
    engine: AIOEngine, readers: list[str], sort: Callable[[], object], expected: list[str]
) -> None:
    assert names(await engine.find(Reader, sort=sort())) == expected


@pytest.mark.parametrize(
    ("skip", "limit", "expected"),
    [(0, 2, ["Ann", "Bob"]), (3, None, ["Dan"]), (1, 2, ["Bob", "Cyd"]), (9, None, []), (0, 9, list("ABCD"))],
)
async def test_find_a_part(
    engine: AIOEngine, readers: list[str], skip: int, limit: int | None, expected: list[str]
) -> None:
    found = await engine.find(Reader, sort=Reader.name, skip=skip, limit=limit)
    assert [name[: len(expected[0])] for name in names(found)] == expected if expected else found == []


@pytest.mark.parametrize("limit", [0, -1])
def test_find_with_a_limit_below_one(engine: AIOEngine, limit: int) -> None:
    with pytest.raises(ValueError, match="limit has to be a strict positive value or None"):
        engine.find(Reader, limit=limit)


def test_find_with_a_negative_skip(engine: AIOEngine) -> None:
    with pytest.raises(ValueError, match="skip has to be a positive integer"):
        engine.find(Reader, skip=-1)


@pytest.mark.parametrize("model", [dict, "Reader", Address])
def test_find_of_something_that_is_no_model(engine: AIOEngine, model: Any) -> None:
    with pytest.raises(TypeError, match="Can only call find with a Model class"):
        engine.find(model)


@pytest.mark.parametrize("query", [True, False])
def test_find_by_a_bool(engine: AIOEngine, query: bool) -> None:
    with pytest.raises(TypeError, match="cannot build query using booleans"):
        engine.find(Reader, query)


@pytest.mark.parametrize(
    ("sort", "message"), [("name", "sort has to be a Model field"), (("name",), "sort elements have to be")]
)
def test_find_sorted_by_something_that_is_no_field(engine: AIOEngine, sort: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        engine.find(Reader, sort=sort)


async def test_find_with_a_filter_the_server_refuses(engine: AIOEngine) -> None:
    with pytest.raises(OperationFailure, match=r"\$nonsense"):
        await engine.find(Reader, {"age": {"$nonsense": 1}})


async def test_find_of_a_document_that_does_not_fit(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["reader"].insert_one({"_id": ObjectId(), "age": "old"})
    with pytest.raises(DocumentParsingError):
        await engine.find(Reader)


async def test_find_fills_in_defaults_for_missing_keys(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["reader"].insert_one({"_id": ObjectId(), "name": "Ann"})
    [reader] = await engine.find(Reader)
    assert (reader.age, reader.tags) == (0, [])


async def test_a_found_instance_has_nothing_to_save(engine: AIOEngine, commands: CommandLog) -> None:
    await engine.save(Ticket(number=1))
    [ticket] = await engine.find(Ticket)
    commands.sent.clear()
    await engine.save(ticket)
    assert commands.names() == []


# -- the cursor ---------------------------------------------------------------------------------------------------


def test_find_returns_odmantics_cursor(engine: AIOEngine) -> None:
    cursor = engine.find(Reader)
    assert isinstance(cursor, odmantic.engine.AIOCursor)
    assert isinstance(cursor, odmantic.engine.BaseCursor)


async def test_find_sends_nothing_before_it_is_read(
    engine: AIOEngine, readers: list[str], commands: CommandLog
) -> None:
    cursor = engine.find(Reader)
    assert commands.names() == []
    await cursor
    assert commands.names() == ["aggregate reader"]


async def test_loop_over_a_cursor(engine: AIOEngine, readers: list[str]) -> None:
    found: list[Reader] = []
    async for reader in engine.find(Reader, sort=Reader.name):
        assert isinstance(reader, Reader)
        found.append(reader)
    assert names(found) == readers


async def test_loop_over_nothing(engine: AIOEngine) -> None:
    assert [reader async for reader in engine.find(Reader)] == []


@pytest.mark.parametrize("number", [100, 101, 102, 350])
async def test_all_batches_are_read(engine: AIOEngine, raw: Database[Document], number: int) -> None:
    raw["ticket"].insert_many([{"number": n} for n in range(number)])
    looped = [ticket.number async for ticket in engine.find(Ticket, sort=Ticket.number)]
    awaited = [ticket.number for ticket in await engine.find(Ticket, sort=Ticket.number)]
    assert looped == awaited == list(range(number))


async def test_awaited_again_gives_the_same_list(engine: AIOEngine, readers: list[str], commands: CommandLog) -> None:
    cursor = engine.find(Reader)
    assert await cursor is await cursor
    assert commands.names() == ["aggregate reader"]


async def test_loop_after_await_gives_the_same_instances(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader)
    awaited = await cursor
    looped = [reader async for reader in cursor]
    assert all(a is b for a, b in zip(awaited, looped, strict=True))


async def test_loop_again_gives_all_again(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader, sort=Reader.name)
    first = [reader.name async for reader in cursor]
    second = [reader.name async for reader in cursor]
    assert first == second == readers


async def test_loop_again_gives_the_instances_still_held(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader)
    first = [reader async for reader in cursor]
    second = [reader async for reader in cursor]
    assert all(a is b for a, b in zip(first, second, strict=True))


async def test_await_after_a_loop_gives_the_instances_still_held(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader)
    looped = [reader async for reader in cursor]
    assert all(a is b for a, b in zip(looped, await cursor, strict=True))


async def test_loop_again_gives_what_was_assigned_in_the_first(
    engine: AIOEngine, readers: list[str], raw: Database[Document]
) -> None:
    cursor = engine.find(Reader)
    async for reader in cursor:
        reader.age += 1
    await engine.save_all(await cursor)
    assert sorted(document["age"] for document in stored(raw)) == [21, 21, 31, 41]


async def test_loop_that_was_left_is_continued(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader, sort=Reader.name)
    async for reader in cursor:
        assert reader.name == "Ann"
        break
    assert [reader.name async for reader in cursor] == ["Bob", "Cyd", "Dan"]


async def test_await_after_a_loop_that_was_left_gives_the_rest(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader, sort=Reader.name)
    async for _ in cursor:
        break
    assert names(await cursor) == ["Bob", "Cyd", "Dan"]


async def test_loop_left_at_the_last_document_is_continued_with_none(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader, Reader.name == "Ann")
    async for _ in cursor:
        break
    assert [reader async for reader in cursor] == []


async def test_two_loops_over_one_cursor_share_the_documents(engine: AIOEngine, readers: list[str]) -> None:
    cursor = engine.find(Reader, sort=Reader.name)
    one, two = aiter(cursor), aiter(cursor)
    assert [(await anext(each)).name for each in (one, two, one, two)] == readers
    assert [await anext(each, None) for each in (one, two, one, two)] == [None] * 4


async def test_loop_goes_on_behind_a_document_that_does_not_fit(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["ticket"].insert_many([{"number": 1}, {"number": "x"}, {"number": 3}])
    cursor = engine.find(Ticket)
    found: list[int] = []
    try:
        async for ticket in cursor:
            found.append(ticket.number)  # noqa: PERF401  # what was found before the error is wanted
    except DocumentParsingError:
        found.append(2)
    assert found + [ticket.number async for ticket in cursor] == [1, 2, 3]


# -- find_one -----------------------------------------------------------------------------------------------------


async def test_find_one(engine: AIOEngine, readers: list[str]) -> None:
    reader = await engine.find_one(Reader, Reader.name == "Cyd")
    assert reader is not None
    assert (reader.name, reader.age, reader.tags) == ("Cyd", 40, ["cyd"])


async def test_find_one_of_none(engine: AIOEngine, readers: list[str]) -> None:
    assert await engine.find_one(Reader, Reader.name == "Zoe") is None


async def test_find_one_takes_the_first_in_order(engine: AIOEngine, readers: list[str]) -> None:
    reader = await engine.find_one(Reader, sort=desc(Reader.age))
    assert reader is not None
    assert reader.name == "Cyd"


async def test_find_one_of_something_that_is_no_model(engine: AIOEngine) -> None:
    with pytest.raises(TypeError, match="Can only call find_one with a Model class"):
        await engine.find_one(cast("Any", dict))


async def test_find_one_of_a_document_that_does_not_fit(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["reader"].insert_one({"age": 3})
    with pytest.raises(DocumentParsingError):
        await engine.find_one(Reader)


# -- count --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"), [((), 4), (({"age": 20},), 2), (({"age": 20}, {"name": "Bob"}), 1), (({"age": 1},), 0)]
)
async def test_count(engine: AIOEngine, readers: list[str], query: tuple[Document, ...], expected: int) -> None:
    assert await engine.count(Reader, *query) == expected


async def test_count_of_something_that_is_no_model(engine: AIOEngine) -> None:
    with pytest.raises(TypeError, match="Can only call count with a Model class"):
        await engine.count(cast("Any", dict))


async def test_count_by_a_bool(engine: AIOEngine) -> None:
    with pytest.raises(TypeError, match="cannot build query using booleans"):
        await engine.count(Reader, True)


# -- save ---------------------------------------------------------------------------------------------------------


async def test_save_writes_the_document_and_returns_the_instance(engine: AIOEngine, raw: Database[Document]) -> None:
    reader = Reader(name="Ann", age=3, tags=["a"])
    assert await engine.save(reader) is reader
    assert list(raw["reader"].find()) == [{"_id": reader.id, "name": "Ann", "age": 3, "tags": ["a"]}]


async def test_save_writes_assigned_fields_only(engine: AIOEngine, raw: Database[Document]) -> None:
    ticket = await engine.save(Ticket(number=1, seat="A"))
    raw["ticket"].update_one({}, {"$set": {"number": 7, "extra": True}})
    ticket.seat = "B"
    await engine.save(ticket)
    assert stored(raw, "ticket") == [{"number": 7, "seat": "B", "extra": True}]


async def test_save_always_writes_what_can_change_in_place(engine: AIOEngine, raw: Database[Document]) -> None:
    reader = await engine.save(Reader(name="Ann"))
    reader.tags.append("new")
    await engine.save(reader)
    assert stored(raw) == [{"name": "Ann", "age": 0, "tags": ["new"]}]


async def test_save_of_an_unchanged_instance_sends_nothing(engine: AIOEngine, commands: CommandLog) -> None:
    ticket = await engine.save(Ticket(number=1))
    await engine.save(ticket)
    assert commands.names() == ["update ticket"]


async def test_save_overwrites_a_document_of_the_same_key(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["countries"].insert_one({"_id": "fr", "n": "France", "extra": 1})
    await engine.save(Country(code="fr", name="Francia"))
    assert list(raw["countries"].find()) == [{"_id": "fr", "n": "Francia", "extra": 1}]


async def test_save_of_a_deleted_document_creates_what_was_assigned(engine: AIOEngine, raw: Database[Document]) -> None:
    ticket = await engine.save(Ticket(number=1, seat="A"))
    raw["ticket"].delete_many({})
    ticket.seat = "B"
    await engine.save(ticket)
    assert stored(raw, "ticket") == [{"seat": "B"}]


async def test_save_saves_references_first(engine: AIOEngine, raw: Database[Document], commands: CommandLog) -> None:
    loan = Loan(days=3, book=Book(title="Emma", publisher=Publisher(name="Murray")))
    await engine.save(loan)
    assert commands.names() == ["update publisher", "update book", "update loan"]
    assert stored(raw, "loan") == [{"days": 3, "book": loan.book.id}]
    assert stored(raw, "book") == [{"title": "Emma", "pages": 0, "publisher": loan.book.publisher.id}]


async def test_save_writes_changes_of_references(engine: AIOEngine, raw: Database[Document]) -> None:
    book = await engine.save(Book(title="Emma", publisher=Publisher(name="Murray")))
    book.publisher.founded = 1768
    await engine.save(book)
    assert stored(raw, "publisher") == [{"name": "Murray", "founded": 1768}]


@pytest.mark.parametrize("instance", ["text", {"name": "Ann"}, Reader, Address(street="s", city="c")])
async def test_save_of_something_that_is_no_instance(engine: AIOEngine, instance: Any) -> None:
    with pytest.raises(TypeError, match="with a Model class"):
        await engine.save(instance)


async def test_save_against_a_unique_index(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Account])
    await engine.save(Account(email="a@x"))
    second = Account(email="a@x")
    with pytest.raises(DuplicateKeyError) as caught:
        await engine.save(second)
    assert caught.value.instance is second
    assert isinstance(caught.value.driver_error, DriverDuplicateKeyError)
    assert raw["account"].count_documents({}) == 1


async def test_save_after_a_duplicate_key_was_mended(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Account])
    await engine.save(Account(email="a@x"))
    second = Account(email="a@x", visits=5)
    with pytest.raises(DuplicateKeyError):
        await engine.save(second)
    second.email = "b@x"
    await engine.save(second)
    assert raw["account"].find_one({"_id": second.id}) == {"_id": second.id, "email": "b@x", "visits": 5}


# -- save_all -----------------------------------------------------------------------------------------------------


async def test_save_all_returns_the_instances_in_order(engine: AIOEngine, raw: Database[Document]) -> None:
    tickets = [Ticket(number=number) for number in (3, 1, 2)]
    saved = await engine.save_all(tickets)
    assert all(a is b for a, b in zip(saved, tickets, strict=True))
    assert [document["number"] for document in stored(raw, "ticket")] == [3, 1, 2]


async def test_save_all_of_none(engine: AIOEngine, commands: CommandLog) -> None:
    assert await engine.save_all([]) == []
    assert commands.names() == []


async def test_save_all_of_several_models(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.save_all([Ticket(number=1), Publisher(name="Murray")])
    assert (raw["ticket"].count_documents({}), raw["publisher"].count_documents({})) == (1, 1)


async def test_save_all_uses_one_driver_session(engine: AIOEngine, commands: CommandLog) -> None:
    await engine.save_all([Ticket(number=1), Ticket(number=2)])
    first, second = (command["lsid"] for command in commands.sent)
    assert first == second


async def test_save_all_that_fails_keeps_what_was_before(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Account])
    with pytest.raises(DuplicateKeyError):
        await engine.save_all([Account(email=email) for email in ("a", "b", "a", "c")])
    assert [document["email"] for document in stored(raw, "account")] == ["a", "b"]


# -- delete and remove --------------------------------------------------------------------------------------------


async def test_delete(engine: AIOEngine, raw: Database[Document]) -> None:
    one, two = await engine.save_all([Ticket(number=1), Ticket(number=2)])
    await engine.delete(one)
    assert list(raw["ticket"].find()) == [{"_id": two.id, "number": 2, "seat": ""}]


async def test_delete_of_what_is_not_stored(engine: AIOEngine) -> None:
    ticket = Ticket(number=1)
    with pytest.raises(DocumentNotFoundError) as caught:
        await engine.delete(ticket)
    assert caught.value.instance is ticket


async def test_delete_leaves_references(engine: AIOEngine, raw: Database[Document]) -> None:
    book = await engine.save(Book(title="Emma", publisher=Publisher(name="Murray")))
    await engine.delete(book)
    assert (raw["book"].count_documents({}), raw["publisher"].count_documents({})) == (0, 1)


async def test_a_deleted_instance_can_be_saved_again_only_where_it_was_assigned(
    engine: AIOEngine, raw: Database[Document]
) -> None:
    ticket = await engine.save(Ticket(number=1))
    await engine.delete(ticket)
    await engine.save(ticket)
    assert stored(raw, "ticket") == []


@pytest.mark.parametrize(
    ("query", "just_one", "removed"), [({}, False, 4), ({"age": 20}, False, 2), ({"age": 20}, True, 1), ({}, True, 1)]
)
async def test_remove(
    engine: AIOEngine, readers: list[str], raw: Database[Document], query: Document, just_one: bool, removed: int
) -> None:
    assert await engine.remove(Reader, query, just_one=just_one) == removed
    assert raw["reader"].count_documents({}) == 4 - removed


async def test_remove_without_a_query_removes_all(engine: AIOEngine, readers: list[str]) -> None:
    assert await engine.remove(Reader) == 4


async def test_remove_of_none(engine: AIOEngine, readers: list[str]) -> None:
    assert await engine.remove(Reader, Reader.name == "Zoe") == 0


async def test_remove_by_several_queries(engine: AIOEngine, readers: list[str], raw: Database[Document]) -> None:
    assert await engine.remove(Reader, Reader.age == 20, Reader.name == "Bob") == 1
    assert raw["reader"].count_documents({"name": "Bob"}) == 0


async def test_remove_by_a_bool(engine: AIOEngine, readers: list[str], raw: Database[Document]) -> None:
    with pytest.raises(TypeError, match="cannot build query using booleans"):
        await engine.remove(Reader, True)
    assert raw["reader"].count_documents({}) == 4


# -- embedded models, references, keys ----------------------------------------------------------------------------


async def test_embedded_models(engine: AIOEngine, raw: Database[Document]) -> None:
    home = Home(address=Address(street="s", city="c"), former=[Address(street="t", city="d")])
    await engine.save(home)
    assert stored(raw, "home") == [{"address": {"street": "s", "city": "c"}, "former": [{"street": "t", "city": "d"}]}]
    assert await engine.find(Home) == [home]


async def test_query_by_a_field_of_an_embedded_model(engine: AIOEngine) -> None:
    homes = [Home(address=Address(street="s", city=city)) for city in ("Oslo", "Rome")]
    await engine.save_all(homes)
    assert await engine.find(Home, Home.address.city == "Rome") == [homes[1]]


async def test_query_by_an_embedded_model(engine: AIOEngine) -> None:
    homes = [Home(address=Address(street="s", city=city)) for city in ("Oslo", "Rome")]
    await engine.save_all(homes)
    assert await engine.find_one(Home, Home.address == homes[0].address) == homes[0]


async def test_save_writes_changes_inside_embedded_models(engine: AIOEngine, raw: Database[Document]) -> None:
    home = await engine.save(Home(address=Address(street="s", city="c")))
    home.address.city = "Rome"
    await engine.save(home)
    assert stored(raw, "home") == [{"address": {"street": "s", "city": "Rome"}, "former": []}]


async def test_references_are_loaded_with_what_refers_to_them(engine: AIOEngine, commands: CommandLog) -> None:
    loan = Loan(days=3, book=Book(title="Emma", publisher=Publisher(name="Murray")))
    await engine.save(loan)
    commands.sent.clear()
    assert await engine.find(Loan) == [loan]
    assert commands.names() == ["aggregate loan"]


async def test_query_by_a_reference(engine: AIOEngine) -> None:
    murray, egerton = Publisher(name="Murray"), Publisher(name="Egerton")
    await engine.save_all([Book(title="Emma", publisher=murray), Book(title="Sense", publisher=egerton)])
    found = await engine.find(Book, cast("Any", Book.publisher) == murray.id)
    assert [book.title for book in found] == ["Emma"]


async def test_a_reference_that_is_gone(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.save(Book(title="Emma", publisher=Publisher(name="Murray")))
    raw["publisher"].delete_many({})
    with pytest.raises(DocumentParsingError, match="publisher"):
        await engine.find_one(Book)


async def test_own_primary_key_and_key_names(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.save(Country(code="fr", name="France"))
    assert list(raw["countries"].find()) == [{"_id": "fr", "n": "France"}]
    assert await engine.find_one(Country, Country.code == "fr", Country.name == "France") == Country(
        code="fr", name="France"
    )


# -- configure_database -------------------------------------------------------------------------------------------


def indexes(raw: Database[Document], collection: str) -> dict[str, Document]:
    return cast("dict[str, Document]", raw[collection].index_information())


async def test_configure_creates_the_indexes_of_fields(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Account])
    found = {tuple(index["key"]): index.get("unique", False) for index in indexes(raw, "account").values()}
    assert found == {(("_id", 1),): False, (("email", 1),): True, (("visits", 1),): False}


async def test_configure_creates_the_indexes_of_a_model(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Visit])
    assert indexes(raw, "visit")["by_place"]["key"] == [("place", 1), ("day", -1)]


async def test_configure_creates_indexes_given_as_the_drivers(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Note])
    assert indexes(raw, "note")["by_text"]["unique"]


async def test_configure_several_models_twice(engine: AIOEngine, raw: Database[Document]) -> None:
    models: list[type[Model]] = [Visit, Note, Ticket]
    await engine.configure_database(models)
    await engine.configure_database(models)
    assert (len(indexes(raw, "visit")), len(indexes(raw, "note")), len(indexes(raw, "ticket"))) == (2, 2, 0)


async def test_configure_against_a_different_index(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["visit"].create_index([("day", 1)], name="by_place")
    with pytest.raises(OperationFailure, match="by_place"):
        await engine.configure_database([Visit])
    assert indexes(raw, "visit")["by_place"]["key"] == [("day", 1)]


async def test_configure_replaces_a_different_index_when_asked(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["visit"].create_index([("day", 1)], name="by_place")
    raw["note"].create_index([("text", 1)], name="by_text")
    await engine.configure_database([Visit, Note], update_existing_indexes=True)
    assert indexes(raw, "visit")["by_place"]["key"] == [("place", 1), ("day", -1)]
    assert indexes(raw, "note")["by_text"]["unique"]


async def test_configure_with_documents_that_violate_it(engine: AIOEngine, raw: Database[Document]) -> None:
    raw["note"].insert_many([{"text": "a"}, {"text": "a"}])
    with pytest.raises(OperationFailure):
        await engine.configure_database([Note], update_existing_indexes=True)


async def test_configure_in_a_session(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.session() as session:
        await engine.configure_database([Note], session=session)
    assert "by_text" in indexes(raw, "note")


# -- sessions -----------------------------------------------------------------------------------------------------


async def test_session_is_started_and_ended_by_its_block(engine: AIOEngine) -> None:
    session = engine.session()
    assert isinstance(session, odmantic.session.AIOSession)
    assert not session.is_started
    async with session as entered:
        assert entered is session
        assert session.is_started
        driver: Any = session.get_driver_session()
        assert not driver.has_ended
    assert not session.is_started
    assert driver.has_ended


async def test_session_is_ended_by_an_exception(engine: AIOEngine, raw: Database[Document]) -> None:
    session = engine.session()
    with pytest.raises(ZeroDivisionError):
        async with session:
            await save_and_raise(session)
    assert not session.is_started
    assert raw["ticket"].count_documents({}) == 1


async def test_session_started_and_ended_by_hand(engine: AIOEngine, raw: Database[Document]) -> None:
    session = engine.session()
    await session.start()
    await session.save(Ticket(number=1))
    await session.end()
    assert raw["ticket"].count_documents({}) == 1


async def test_session_can_be_started_again_after_its_end(engine: AIOEngine) -> None:
    session = engine.session()
    for _ in range(2):
        async with session:
            assert await session.count(Ticket) == 0


async def test_session_started_twice(engine: AIOEngine) -> None:
    async with engine.session() as session:
        with pytest.raises(RuntimeError, match="Session is already started"):
            await session.start()


async def test_session_ended_before_its_start(engine: AIOEngine) -> None:
    with pytest.raises(RuntimeError, match="Session is not started"):
        await engine.session().end()


async def test_session_used_before_its_start(engine: AIOEngine) -> None:
    session = engine.session()
    with pytest.raises(RuntimeError, match="session not started"):
        session.get_driver_session()
    with pytest.raises(RuntimeError, match="session not started"):
        session.find(Ticket)
    with pytest.raises(RuntimeError, match="session not started"):
        await engine.save(Ticket(number=1), session=session)


async def test_operations_of_a_session_use_one_driver_session(engine: AIOEngine, commands: CommandLog) -> None:
    async with engine.session() as session:
        ticket = await session.save(Ticket(number=1))
        await session.find(Ticket)
        await session.find_one(Ticket)
        await session.count(Ticket)
        await session.delete(ticket)
    identifiers = [command["lsid"] for command in commands.sent]
    assert len(identifiers) == 5
    assert identifiers.count(identifiers[0]) == 5


async def test_engine_methods_take_a_session(engine: AIOEngine, commands: CommandLog) -> None:
    async with engine.session() as session:
        ticket, _ = await engine.save_all([Ticket(number=1), Ticket(number=2)], session=session)
        await engine.save(Ticket(number=3), session=session)
        await engine.find(Ticket, session=session)
        await engine.find_one(Ticket, session=session)
        await engine.count(Ticket, session=session)
        await engine.delete(ticket, session=session)
        await engine.remove(Ticket, session=session)
    identifiers = [command["lsid"] for command in commands.sent]
    assert len(identifiers) == 8
    assert identifiers.count(identifiers[0]) == 8


async def test_engine_methods_take_the_drivers_session(engine: AIOEngine, commands: CommandLog) -> None:
    driver = await driver_session(engine)
    async with driver:
        await engine.save(Ticket(number=1), session=driver)
        assert [ticket.number for ticket in await engine.find(Ticket, session=driver)] == [1]
        assert await engine.remove(Ticket, session=driver) == 1
        assert [command["lsid"] for command in commands.sent] == [driver.session_id] * 3


async def test_session_of_another_client(engine: AIOEngine, server_uri: str) -> None:
    client: Any = type(engine.client)(server_uri)
    async with type(engine)(client, engine.database_name).session() as session:
        with pytest.raises(InvalidOperation, match="session"):
            await engine.count(Ticket, session=session)
    if (closed := client.close()) is not None:
        await closed


@pytest.mark.parametrize("session", ["text", object()], ids=["str", "object"])
async def test_session_that_is_none(engine: AIOEngine, session: Any) -> None:
    with pytest.raises(ValueError, match="session"):
        await engine.count(Ticket, session=session)


# -- what sessions and transactions can do ------------------------------------------------------------------------


@pytest.fixture(params=["session", "transaction"])
async def scope(request: pytest.FixtureRequest, engine: AIOEngine, readers: list[str]) -> AsyncIterator[Scope]:
    """A started session or transaction, with four readers in the database."""
    async with getattr(engine, request.param)() as opened:
        yield opened


async def test_scope_find(scope: Scope) -> None:
    cursor = scope.find(Reader, Reader.age == 20, sort=desc(Reader.name), skip=1, limit=5)
    assert isinstance(cursor, odmantic.engine.AIOCursor)
    assert names(await cursor) == ["Bob"]


async def test_scope_loop(scope: Scope) -> None:
    assert [reader.name async for reader in scope.find(Reader, sort=Reader.name)] == ["Ann", "Bob", "Cyd", "Dan"]


async def test_scope_find_one(scope: Scope) -> None:
    reader = await scope.find_one(Reader, sort=Reader.name)
    assert reader is not None
    assert reader.name == "Ann"


async def test_scope_count(scope: Scope) -> None:
    assert await scope.count(Reader, Reader.age == 20) == 2


async def test_scope_save(scope: Scope) -> None:
    reader = Reader(name="Eve")
    assert await scope.save(reader) is reader
    assert await scope.find_one(Reader, Reader.name == "Eve") == reader


async def test_scope_save_all(scope: Scope) -> None:
    await scope.save_all([Reader(name="Eve"), Reader(name="Fay")])
    assert await scope.count(Reader) == 6


async def test_scope_delete(scope: Scope) -> None:
    [reader] = await scope.find(Reader, Reader.name == "Ann")
    await scope.delete(reader)
    assert await scope.count(Reader) == 3
    with pytest.raises(DocumentNotFoundError):
        await scope.delete(reader)


async def test_scope_remove(scope: Scope) -> None:
    assert await scope.remove(Reader, Reader.age == 20, just_one=True) == 1
    assert await scope.remove(Reader) == 3


# -- transactions -------------------------------------------------------------------------------------------------


async def test_transaction_commits_at_the_end_of_its_block(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.transaction() as transaction:
        assert isinstance(transaction, odmantic.session.AIOTransaction)
        await transaction.save(Ticket(number=1))
        assert raw["ticket"].count_documents({}) == 0
    assert raw["ticket"].count_documents({}) == 1


async def test_transaction_aborts_when_an_exception_leaves_its_block(
    engine: AIOEngine, raw: Database[Document]
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with engine.transaction() as transaction:
            await save_and_raise(transaction)
    assert raw["ticket"].count_documents({}) == 0


async def test_transaction_committed_inside_its_block(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.transaction() as transaction:
        await transaction.save(Ticket(number=1))
        await transaction.commit()
        assert raw["ticket"].count_documents({}) == 1
    assert raw["ticket"].count_documents({}) == 1


async def test_transaction_aborted_inside_its_block(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.transaction() as transaction:
        await transaction.save(Ticket(number=1))
        await transaction.abort()
    assert raw["ticket"].count_documents({}) == 0


async def test_transaction_by_hand_committed(engine: AIOEngine, raw: Database[Document]) -> None:
    transaction = engine.transaction()
    await transaction.start()
    driver: Any = transaction.get_driver_session()
    assert driver.in_transaction
    await transaction.save(Ticket(number=1))
    await transaction.commit()
    assert driver.has_ended
    assert raw["ticket"].count_documents({}) == 1


async def test_transaction_by_hand_aborted(engine: AIOEngine, raw: Database[Document]) -> None:
    transaction = engine.transaction()
    await transaction.start()
    driver: Any = transaction.get_driver_session()
    await transaction.save(Ticket(number=1))
    await transaction.abort()
    assert driver.has_ended
    assert raw["ticket"].count_documents({}) == 0


async def test_transaction_can_be_started_again_after_its_commit(engine: AIOEngine, raw: Database[Document]) -> None:
    transaction = engine.transaction()
    for number in (1, 2):
        await transaction.start()
        await transaction.save(Ticket(number=number))
        await transaction.commit()
    assert raw["ticket"].count_documents({}) == 2


async def test_empty_transaction_sends_nothing(engine: AIOEngine, commands: CommandLog) -> None:
    async with engine.transaction() as transaction:
        await transaction.commit()
    assert commands.names() == []


@pytest.mark.parametrize("method", ["commit", "abort"])
async def test_transaction_finished_before_its_start(engine: AIOEngine, method: str) -> None:
    with pytest.raises(RuntimeError, match="Transaction not started"):
        await getattr(engine.transaction(), method)()


@pytest.mark.parametrize("again", ["commit", "abort"])
@pytest.mark.parametrize("method", ["commit", "abort"])
async def test_transaction_finished_twice(engine: AIOEngine, method: str, again: str) -> None:
    transaction = engine.transaction()
    await transaction.start()
    await getattr(transaction, method)()
    with pytest.raises(RuntimeError, match="Transaction not started"):
        await getattr(transaction, again)()


async def test_transaction_started_twice(engine: AIOEngine) -> None:
    async with engine.transaction() as transaction:
        with pytest.raises(RuntimeError, match="Transaction already started"):
            await transaction.start()
        await transaction.abort()


async def test_transaction_used_before_its_start(engine: AIOEngine) -> None:
    transaction = engine.transaction()
    with pytest.raises(RuntimeError, match="transaction not started"):
        transaction.get_driver_session()
    with pytest.raises(RuntimeError, match="transaction not started"):
        await transaction.count(Ticket)
    with pytest.raises(RuntimeError, match="transaction not started"):
        await engine.save(Ticket(number=1), session=transaction)


async def test_transaction_used_after_its_commit(engine: AIOEngine) -> None:
    async with engine.transaction() as transaction:
        await transaction.commit()
        with pytest.raises(RuntimeError, match="transaction not started"):
            await transaction.save(Ticket(number=1))


async def test_transaction_sees_its_own_writes_and_others_do_not(engine: AIOEngine, readers: list[str]) -> None:
    async with engine.transaction() as transaction:
        await transaction.save(Reader(name="Eve"))
        await transaction.remove(Reader, Reader.age == 20)
        assert (await transaction.count(Reader), await engine.count(Reader)) == (3, 4)
        assert names(await transaction.find(Reader, sort=Reader.name)) == ["Ann", "Cyd", "Eve"]
        assert names(await engine.find(Reader, sort=Reader.name)) == readers
    assert await engine.count(Reader) == 3


async def test_transaction_does_not_see_what_others_write_meanwhile(engine: AIOEngine, readers: list[str]) -> None:
    async with engine.transaction() as transaction:
        assert await transaction.count(Reader) == 4
        await engine.save(Reader(name="Eve"))
        assert await transaction.count(Reader) == 4


async def test_transaction_is_taken_as_a_session(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.transaction() as transaction:
        ticket = await engine.save(Ticket(number=1), session=transaction)
        await engine.save_all([Ticket(number=2)], session=transaction)
        assert await engine.count(Ticket, session=transaction) == 2
        assert len(await engine.find(Ticket, session=transaction)) == 2
        await engine.delete(ticket, session=transaction)
        await engine.remove(Ticket, session=transaction)
        await engine.save(Ticket(number=3), session=transaction)
        assert raw["ticket"].count_documents({}) == 0
    assert stored(raw, "ticket") == [{"number": 3, "seat": ""}]


async def test_transaction_of_the_driver(engine: AIOEngine, raw: Database[Document]) -> None:
    driver = await driver_session(engine)
    async with driver:
        started = driver.start_transaction()
        async with started if hasattr(started, "__aenter__") else await started:
            await engine.save(Ticket(number=1), session=driver)
            assert raw["ticket"].count_documents({}) == 0
    assert raw["ticket"].count_documents({}) == 1


async def test_transaction_of_a_session(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.session() as session:
        async with session.transaction() as transaction:
            assert isinstance(transaction, odmantic.session.AIOTransaction)
            assert transaction.get_driver_session() is session.get_driver_session()
            await transaction.save(Ticket(number=1))
        assert session.is_started
        assert await session.count(Ticket) == 1
    assert raw["ticket"].count_documents({}) == 1


async def test_transactions_of_a_session_one_after_the_other(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.session() as session:
        for number in range(3):
            with suppress(ZeroDivisionError):
                async with session.transaction() as transaction:
                    await transaction.save(Ticket(number=number))
                    assert number != 1 or 1 // 0
        await session.save(Ticket(number=9))
    assert [document["number"] for document in stored(raw, "ticket")] == [0, 2, 9]


@pytest.mark.parametrize("method", ["commit", "abort"])
async def test_transaction_of_a_session_by_hand(engine: AIOEngine, raw: Database[Document], method: str) -> None:
    async with engine.session() as session:
        transaction = session.transaction()
        await transaction.start()
        await transaction.save(Ticket(number=1))
        await getattr(transaction, method)()
        assert session.is_started
    assert raw["ticket"].count_documents({}) == (1 if method == "commit" else 0)


async def test_transaction_of_a_session_that_was_not_started(engine: AIOEngine) -> None:
    with pytest.raises(RuntimeError, match="provided session is not started"):
        engine.session().transaction()


async def test_second_transaction_in_a_session(engine: AIOEngine, raw: Database[Document]) -> None:
    async with engine.session() as session, session.transaction() as transaction:
        await transaction.save(Ticket(number=1))
        with pytest.raises(InvalidOperation, match="already in progress"):
            await session.transaction().start()
    assert raw["ticket"].count_documents({}) == 1


async def test_session_ended_during_its_transaction_discards_it(engine: AIOEngine, raw: Database[Document]) -> None:
    session = engine.session()
    await session.start()
    transaction = session.transaction()
    await transaction.start()
    await transaction.save(Ticket(number=1))
    await session.end()
    assert raw["ticket"].count_documents({}) == 0


async def test_write_conflict_of_two_transactions(engine: AIOEngine, raw: Database[Document]) -> None:
    ticket = await engine.save(Ticket(number=1))
    ticket.number = 2
    async with engine.transaction() as first:
        await first.save(ticket)
        ticket.number = 3
        with pytest.raises(OperationFailure) as caught:
            async with engine.transaction() as second:
                await second.save(ticket)
        assert caught.value.has_error_label("TransientTransactionError")
    assert [document["number"] for document in stored(raw, "ticket")] == [2]


async def test_duplicate_key_in_a_transaction_undoes_it(engine: AIOEngine, raw: Database[Document]) -> None:
    await engine.configure_database([Account])
    with pytest.raises(DuplicateKeyError):
        async with engine.transaction() as transaction:
            await transaction.save_all([Account(email="a"), Account(email="a")])
    assert raw["account"].count_documents({}) == 0


async def test_commit_that_fails_in_a_block(engine: AIOEngine, raw: Database[Document]) -> None:
    with pytest.raises(OperationFailure) as caught:
        async with engine.transaction() as transaction:
            await save_and_be_lost(transaction)
    assert caught.value.code == 251  # NoSuchTransaction
    assert raw["ticket"].count_documents({}) == 0


async def test_explicit_commit_that_fails_in_a_block(engine: AIOEngine, raw: Database[Document]) -> None:
    with pytest.raises(OperationFailure) as caught:
        async with engine.transaction() as transaction:
            await save_and_fail_to_commit(transaction)
    assert caught.value.code == 251
    assert raw["ticket"].count_documents({}) == 0


async def test_commit_that_failed_can_be_tried_again_but_not_aborted(engine: AIOEngine) -> None:
    transaction = engine.transaction()
    await transaction.start()
    await save_and_be_lost(transaction)
    for _ in range(2):
        with pytest.raises(OperationFailure):
            await transaction.commit()
    with pytest.raises(InvalidOperation, match="Cannot call abortTransaction after calling commitTransaction"):
        await transaction.abort()


async def test_transaction_is_aborted_by_cancellation(engine: AIOEngine, raw: Database[Document]) -> None:
    saved = asyncio.Event()

    async def work() -> None:
        async with engine.transaction() as transaction:
            await transaction.save(Ticket(number=1))
            saved.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await saved.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Nothing is left that a write would have to wait for.
    await engine.save(Ticket(number=2))
    assert stored(raw, "ticket") == [{"number": 2, "seat": ""}]


# -- subclasses ---------------------------------------------------------------------------------------------------


async def test_override_of_get_collection_is_asked(other_engine: AIOEngine, raw: Database[Document]) -> None:
    ticket = await other_engine.save(Ticket(number=1))
    assert stored(raw, "copy_of_ticket") == [{"number": 1, "seat": ""}]
    assert await other_engine.find(Ticket) == [ticket]
    assert await other_engine.remove(Ticket) == 1


async def test_override_of_get_collection_is_not_asked_by_count_and_delete(
    other_engine: AIOEngine, raw: Database[Document]
) -> None:
    ticket = await other_engine.save(Ticket(number=1))
    assert await other_engine.count(Ticket) == 0
    with pytest.raises(DocumentNotFoundError):
        await other_engine.delete(ticket)


async def test_override_of_save_is_called_by_sessions(other_engine: Any) -> None:
    async with other_engine.session() as session, session.transaction() as transaction:
        one, two = Ticket(number=1), Ticket(number=2)
        await session.save(one)
        await transaction.save(two)
    assert other_engine.saved == [one, two]


async def test_override_of_save_is_not_called_by_save_all(other_engine: Any, raw: Database[Document]) -> None:
    await other_engine.save_all([Ticket(number=1)])
    assert other_engine.saved == []
    assert raw["copy_of_ticket"].count_documents({}) == 1


async def test_override_of_find_is_called_by_find_one(engine: AIOEngine, readers: list[str]) -> None:
    kind: Any = type(engine)

    class Adults(kind):  # type: ignore[misc]  # either engine class
        def find(self, model: type[Model], *queries: Any, **options: Any) -> Any:
            return super().find(model, {"age": {"$gte": 30}}, *queries, **options)

    adults = cast("AIOEngine", Adults(engine.client, engine.database_name))
    assert await adults.find_one(Reader, Reader.name == "Bob") is None
    reader = await adults.find_one(Reader, Reader.name == "Ann")
    assert reader is not None


# -- the wrong client ---------------------------------------------------------------------------------------------


def test_motor_client_is_refused(motor_client: AsyncIOMotorClient[Document]) -> None:
    with pytest.raises(
        ArgumentTypeError, match=r"takes a pymongo AsyncMongoClient \(odmantic\.AIOEngine takes a Motor"
    ):
        AIOEngine(cast("Any", motor_client))


def test_blocking_client_is_refused(sync_client: MongoClient[Document]) -> None:
    with pytest.raises(TypeError, match=r"odmantic\.SyncEngine a pymongo MongoClient"):
        AIOEngine(cast("Any", sync_client))


@pytest.mark.parametrize("client", ["mongodb://localhost", 5, AsyncMongoClient], ids=["str", "int", "class"])
def test_what_is_no_client_is_refused(client: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="it takes a pymongo AsyncMongoClient"):
        AIOEngine(client)


async def test_motor_session_is_refused(ours: AIOEngine, theirs: AIOEngine) -> None:
    async with theirs.session() as session:
        with pytest.raises(ArgumentTypeError, match="AsyncIOMotorClientSession is no session of this engine"):
            await ours.find(Ticket, session=session)
        with pytest.raises(ArgumentTypeError, match="AsyncIOMotorClientSession is no session of this engine"):
            await ours.save(Ticket(number=1), session=session)


async def test_blocking_session_is_refused(ours: AIOEngine, sync_engine: SyncEngine) -> None:
    with sync_engine.session() as session, pytest.raises(ArgumentTypeError, match="SyncSession is no session"):
        await ours.count(Ticket, session=cast("Any", session))


async def test_sessions_by_hand_for_a_motor_engine_are_refused(motor_engine: odmantic.AIOEngine) -> None:
    with pytest.raises(ArgumentTypeError, match="a pymongo AsyncMongoClient is needed"):
        await AIOSession(motor_engine).start()
    with pytest.raises(ArgumentTypeError, match="a pymongo AsyncMongoClient is needed"):
        await AIOTransaction(motor_engine).start()


async def test_no_motor_client_is_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a Motor client was made")

    monkeypatch.setattr(odmantic.engine, "AsyncIOMotorClient", refuse)
    engine = AIOEngine()
    assert isinstance(engine.client, AsyncMongoClient)
    assert engine.database_name == "test"
    await engine.client.close()


# -- defects of ODMantic that are mended --------------------------------------------------------------------------


async def driver_session_after(engine: AIOEngine, work: Work) -> Any:
    """The driver session of a transaction whose block did *work*."""
    driver: Any = None
    with suppress(ZeroDivisionError, OperationFailure, asyncio.CancelledError):
        async with engine.transaction() as transaction:
            driver = transaction.get_driver_session()
            await work(transaction)
    return driver


LEAKING = pytest.mark.parametrize(
    "work", [save_one, save_and_raise, save_and_be_cancelled, save_and_be_lost, save_and_fail_to_commit]
)


@LEAKING
async def test_odmantic_leaves_the_session_of_a_transaction_open(theirs: AIOEngine, work: Work) -> None:
    driver = await driver_session_after(theirs, work)
    assert not driver.has_ended
    await driver.end_session()


@LEAKING
async def test_the_session_of_a_transaction_is_always_ended(ours: AIOEngine, work: Work) -> None:
    driver = await driver_session_after(ours, work)
    assert driver.has_ended


async def test_abort_after_a_failed_commit_ends_the_session(ours: AIOEngine) -> None:
    transaction = ours.transaction()
    await transaction.start()
    driver = transaction.get_driver_session()
    await save_and_be_lost(transaction)
    with pytest.raises(OperationFailure):
        await transaction.commit()
    with pytest.raises(InvalidOperation):
        await transaction.abort()
    assert driver.has_ended
    with pytest.raises(RuntimeError, match="Transaction not started"):
        await transaction.abort()


async def test_a_transaction_that_cannot_start_ends_its_session(server_uri: str) -> None:
    async with AsyncMongoClient[Document](server_uri, w=0) as client:
        transaction = AIOEngine(client).transaction()
        with pytest.raises(Exception, match="unacknowledged"):
            await transaction.start()
        assert not transaction.session.is_started


async def test_the_session_of_a_caller_is_left_open_by_its_transactions(ours: AIOEngine) -> None:
    async with ours.session() as session:
        with suppress(ZeroDivisionError):
            async with session.transaction() as transaction:
                await save_and_raise(transaction)
        assert not session.get_driver_session().has_ended


# PyMongo before 4.11 loses a cancellation that arrives while a command is on its way.
CANCELLABLE = pytest.mark.skipif(
    cast("tuple[int, int]", pymongo.version_tuple[:2]) < (4, 11), reason="this PyMongo cannot be cancelled"
)


@CANCELLABLE
async def test_cancellation_in_the_middle_of_a_command_ends_the_session(
    ours: AIOEngine, readers: list[str], raw: Database[Document]
) -> None:
    opened = asyncio.get_running_loop().create_future()
    slow: Document = {
        "$expr": {"$function": {"body": "function() { sleep(300); return true }", "args": [], "lang": "js"}}
    }

    async def work() -> None:
        async with ours.transaction() as transaction:
            await transaction.save(Reader(name="Eve"))
            opened.set_result(transaction.get_driver_session())
            await transaction.find(Reader, slow)

    task = asyncio.create_task(work())
    driver = await opened
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert driver.has_ended
    assert raw["reader"].count_documents({"name": "Eve"}) == 0


async def instances_kept(engine: AIOEngine, raw: Database[Document]) -> int:
    """How many of 300 instances are alive at the end of a loop over them."""
    raw["reader"].insert_many([{"name": str(number), "age": number, "tags": []} for number in range(300)])
    made: list[weakref.ref[Reader]] = []
    cursor = engine.find(Reader)
    async for reader in cursor:
        made.append(weakref.ref(reader))
        del reader
    gc.collect()
    assert len(made) == 300
    return sum(each() is not None for each in made)


async def test_odmantic_keeps_every_instance_of_a_loop(theirs: AIOEngine, raw: Database[Document]) -> None:
    assert await instances_kept(theirs, raw) == 300


async def test_no_instance_of_a_loop_is_kept(ours: AIOEngine, raw: Database[Document]) -> None:
    assert await instances_kept(ours, raw) == 0


async def test_loop_again_asks_the_database_again(
    ours: AIOEngine, readers: list[str], raw: Database[Document], commands: CommandLog
) -> None:
    cursor = ours.find(Reader, sort=Reader.name)
    assert [reader.name async for reader in cursor] == readers
    raw["reader"].delete_one({"name": "Ann"})
    raw["reader"].update_one({"name": "Bob"}, {"$set": {"age": 99}})
    assert [(reader.name, reader.age) async for reader in cursor] == [("Bob", 99), ("Cyd", 40), ("Dan", 20)]
    assert commands.names() == ["aggregate reader"] * 2


async def test_keys_that_are_documents_are_told_apart(ours: AIOEngine) -> None:
    await ours.save_all([Tile(corner=Corner(x=x, y=0)) for x in range(3)])
    cursor = ours.find(Tile)
    first = [tile async for tile in cursor]
    assert all(a is b for a, b in zip(first, [tile async for tile in cursor], strict=True))
    assert sorted(tile.corner.x for tile in first) == [0, 1, 2]


async def two_passes_over_a_failing_query(engine: AIOEngine) -> list[str]:
    seen: list[str] = []
    cursor = engine.find(Reader, {"age": {"$nonsense": 1}})
    for _ in range(2):
        try:
            seen.append(f"{len([reader async for reader in cursor])} documents")
        except OperationFailure:
            seen.append("an error")
    return seen


async def test_odmantic_ends_a_pass_after_a_failure_as_if_there_were_no_documents(theirs: AIOEngine) -> None:
    assert await two_passes_over_a_failing_query(theirs) == ["an error", "0 documents"]


async def test_a_pass_after_a_failure_starts_again(ours: AIOEngine) -> None:
    assert await two_passes_over_a_failing_query(ours) == ["an error", "an error"]


@CANCELLABLE
async def test_a_pass_after_a_cancelled_one_starts_again(ours: AIOEngine, readers: list[str]) -> None:
    cursor = ours.find(Reader, sort=Reader.name)
    task = asyncio.ensure_future(cursor)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(await cursor) == readers


async def test_await_after_a_document_that_does_not_fit_fails_again(ours: AIOEngine, raw: Database[Document]) -> None:
    raw["ticket"].insert_one({"number": "x"})
    cursor = ours.find(Ticket)
    for _ in range(2):
        with pytest.raises(DocumentParsingError):
            await cursor


async def test_tasks_that_share_a_cursor_share_the_documents(ours: AIOEngine, raw: Database[Document]) -> None:
    raw["ticket"].insert_many([{"number": number} for number in range(350)])
    cursor = ours.find(Ticket)

    async def worker() -> list[int]:
        found: list[int] = []
        async for ticket in cursor:
            found.append(ticket.number)
            await asyncio.sleep(0)
        return found

    parts = await asyncio.gather(worker(), worker(), worker())
    assert sorted(number for part in parts for number in part) == list(range(350))
    assert all(parts)
