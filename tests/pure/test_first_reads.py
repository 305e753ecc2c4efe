"""Documents that are read together for the first time: the same instances as one by one, and each for itself."""

# ODMantic and bson leave types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import bson
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from odmantic import EmbeddedModel, Model, ObjectId, Reference, SyncEngine
from pymongo import MongoClient

from mongotic_adapters import odmantic_internals as odm
from mongotic_adapters.bookkeeping import Bookkeeping
from mongotic_adapters.errors import DocumentError
from mongotic_adapters.events import register
from mongotic_adapters.flows import driving
from mongotic_adapters.flows.materialising import materialise
from mongotic_adapters.instance_state import remember, remember_all, state_of
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.records import DECODED_AT_ONCE, Record, Records, chunks
from mongotic_adapters.states import State
from mongotic_adapters.unloaded import NO_REFERENCES, References, Unloaded
from tests.pure.test_hydration import READABLE, stored

Document = dict[str, Any]
CODEC = cast("CodecOptions[dict[str, object]]", CodecOptions())


class Place(EmbeddedModel):
    town: str


class Bill(EmbeddedModel):
    total: int


class Stay(EmbeddedModel):
    town: str
    bill: Bill = Bill(total=0)


class Guest(Model):
    name: str
    tags: list[str] = []
    place: Place = Place(town="Oslo")
    former: list[Stay] = []


class House(Model):
    name: str


class Room(Model):
    number: int
    house: House = Reference()


@pytest.fixture
def books() -> Bookkeeping:
    return Bookkeeping(lambda _: CODEC)


def records(documents: list[Document]) -> list[Record]:
    return [(bson.decode(data), data) for data in map(bson.encode, documents)]


def read(books: Bookkeeping, model: type[Model], documents: list[Document]) -> list[Any]:
    return books.load_all(mapping_of(model), records(documents), [NO_REFERENCES] * len(documents))


def guests(count: int) -> list[Document]:
    return [{"_id": ObjectId(), "name": f"Guest {number}"} for number in range(count)]


def slots(value: object) -> list[object]:
    """What ODMantic has noted on an instance and on those in it, at any depth."""
    if isinstance(value, odm.BaseODMModel):
        own = getattr(value, "__fields_modified__", "empty")
        return [own, value.__pydantic_fields_set__, *map(slots, value.__dict__.values())]
    if isinstance(value, dict):
        return list(map(slots, cast("dict[object, object]", value).values()))
    return list(map(slots, cast("list[object]", value))) if isinstance(value, (list, tuple)) else []


@pytest.mark.parametrize("instance", READABLE.values(), ids=READABLE)
def test_together_they_are_what_they_are_one_by_one(books: Bookkeeping, instance: Model) -> None:
    mapping, document = mapping_of(type(instance)), stored(instance)
    alone = Bookkeeping(lambda _: CODEC).load(mapping, records([document])[0], NO_REFERENCES)
    [together] = read(books, type(instance), [document])
    assert together == alone
    assert slots(together) == slots(alone)
    mine, theirs = state_of(together), state_of(alone)
    assert mine is not None
    assert theirs is not None
    assert (mine.key, mine.as_read, mine.snapshot, mine.state) == (
        theirs.key,
        theirs.as_read,
        theirs.snapshot,
        State.PERSISTENT,
    )
    assert mine.owner is books
    assert books.dirty == []


def test_no_set_of_one_instance_is_another_ones(books: Bookkeeping) -> None:
    one, other = read(books, Guest, guests(2))
    one.name = "Ann"
    one.model_fields_set.discard("name")
    one.tags.append("regular")
    one.place.town = "Rome"
    assert odm.assigned_fields(one) == {"name"}
    assert odm.assigned_fields(other) == set()
    assert "name" in other.model_fields_set
    assert (other.tags, other.place.town) == ([], "Oslo")
    assert books.dirty == [one]


def test_a_default_counts_as_set_for_whoever_lacks_the_key(books: Bookkeeping) -> None:
    lacking, having = read(books, Guest, [*guests(1), {**guests(1)[0], "tags": ["a"], "place": {"town": "Rome"}}])
    assert lacking.model_fields_set == having.model_fields_set == {"id", "name", "tags", "place", "former"}


def test_an_embedded_instance_can_be_assigned_to(books: Bookkeeping) -> None:
    [guest] = read(books, Guest, [{**guests(1)[0], "former": [{"town": "Rome"}, {"town": "Bonn"}]}])
    guest.former[1].town = "Paris"
    guest.former[0].bill.total = 7
    assert [place.town for place in guest.former] == ["Rome", "Paris"]
    assert books.dirty == [guest]


def test_what_is_remembered_of_an_instance_stays_when_others_are_met() -> None:
    known, fresh = Guest(name="a"), Guest(name="b")
    state = remember(known)
    again, other = remember_all([known, fresh])
    assert again is state
    assert other is state_of(fresh)


def test_a_document_that_comes_twice_is_one_instance(books: Bookkeeping) -> None:
    [document] = guests(1)
    one, other = read(books, Guest, [document, document])
    assert one is other


def test_a_document_that_is_held_is_the_one_that_is_held(books: Bookkeeping) -> None:
    first, second = guests(2)
    [held] = read(books, Guest, [first])
    held.tags.append("mine")
    again, fresh = read(books, Guest, [{**first, "name": "theirs"}, second])
    assert again is held
    assert (held.name, held.tags) == ("theirs", ["mine"])
    assert fresh is not held


def test_listeners_are_told_of_each(books: Bookkeeping) -> None:
    told: list[Model] = []

    def listener(_session: object, instance: Model) -> None:
        told.append(instance)

    register.add(Guest, "load", listener)
    try:
        found = read(books, Guest, guests(2))
    finally:
        register.remove(Guest, "load", listener)
    assert [id(instance) for instance in told] == [id(instance) for instance in found]


def test_no_more_are_held_than_the_session_keeps() -> None:
    books = Bookkeeping(lambda _: CODEC, cache_size=1)
    read(books, Guest, guests(4))
    for document in guests(4):  # nobody holds the others any more
        read(books, Guest, [document])
    assert len(list(books)) == 1


def test_those_before_one_that_does_not_fit_are_loaded(books: Bookkeeping) -> None:
    first, second = guests(2)
    with pytest.raises(DocumentError, match="name"):
        read(books, Guest, [first, {**second, "name": 3}])
    assert [guest.name for guest in cast("list[Guest]", list(books))] == ["Guest 0"]


def test_they_have_the_instances_they_refer_to(books: Bookkeeping) -> None:
    [house] = read(books, House, [{"_id": ObjectId(), "name": "Mill"}])
    documents: list[Document] = [{"_id": ObjectId(), "number": number, "house": house.id} for number in range(3)]
    targets: list[References] = [{"house": house}, {"house": house}, {"house": Unloaded(house.id)}]
    rooms: list[Any] = books.load_all(mapping_of(Room), records(documents[:2]), targets[:2])
    assert [room.house is house for room in rooms] == [True, True]
    assert books.dirty == []
    # What was not loaded is given to nobody.
    [third] = cast("list[Any]", books.load_all(mapping_of(Room), records(documents[2:]), targets[2:]))
    assert third.house is None
    assert books.dirty == []


# -- decoding -----------------------------------------------------------------------------------------------------


def encoded(documents: list[Document]) -> Records:
    found = Records(CODEC, nullcontext)
    found.add(b"".join(map(bson.encode, documents)))
    return found


@pytest.mark.parametrize("count", [0, 1, DECODED_AT_ONCE, DECODED_AT_ONCE + 1, 3 * DECODED_AT_ONCE])
def test_documents_are_decoded_some_at_a_time(count: int) -> None:
    documents = guests(count)
    found = encoded(documents)
    assert len(found) == count
    assert [document for document, _ in found] == documents
    assert [bson.decode(data) for _, data in found] == documents
    assert all(len(chunk) <= DECODED_AT_ONCE for chunk in found.chunks())
    assert [record for chunk in chunks(list(found)) for record in chunk] == list(found)


def test_documents_can_be_picked() -> None:
    documents = guests(5)
    found = encoded(documents)
    assert found[3][0] == documents[3]
    assert [document for document, _ in found[1:3]] == documents[1:3]


def test_batches_and_single_documents_follow_each_other() -> None:
    first, second, third = guests(3)
    found = encoded([first, second])
    found.add(RawBSONDocument(bson.encode(third)))
    assert [document for document, _ in found] == [first, second, third]


def test_what_cannot_be_decoded_is_said_where_it_is_decoded() -> None:
    @contextmanager
    def explained() -> Generator[None]:
        try:
            yield
        except bson.InvalidBSON as error:
            raise LookupError("explained") from error

    found = Records(CODEC, explained)
    found.add(b"\x0c\x00\x00\x00\xffa\x00xxxx\x00")
    with pytest.raises(LookupError, match="explained"):
        list(found)


# -- the garbage collector ----------------------------------------------------------------------------------------


class Watching(Model):
    """Notes whether the collector runs while it is made."""

    name: str

    def model_post_init(self, context: object, /) -> None:
        seen.append(gc.isenabled())


seen: list[bool] = []


@pytest.mark.parametrize("name", ["fits", 3], ids=["all fit", "one does not"])
def test_the_collector_is_paused_for_a_batch_and_on_again_on_every_way_out(books: Bookkeeping, name: object) -> None:
    seen.clear()
    documents: list[Document] = [{"_id": ObjectId(), "name": "a"}, {"_id": ObjectId(), "name": name}]
    flow = materialise(cast("Any", None), books, mapping_of(Watching), encoded(documents))  # nothing is asked of a port
    with nullcontext() if name == "fits" else pytest.raises(DocumentError):
        assert len(driving.run(flow)) == 2
    assert seen
    assert not any(seen)
    assert gc.isenabled()


# -- collections --------------------------------------------------------------------------------------------------


class Elsewhere(SyncEngine):
    def get_collection(self, model: Any) -> Any:
        return self.database["elsewhere"]


def test_the_answer_of_odmantic_is_kept_and_that_of_a_subclass_is_asked_for() -> None:
    client: MongoClient[Document] = MongoClient(connect=False)
    try:
        engine, custom = SyncEngine(client, "one"), Elsewhere(client, "one")
        assert odm.collection(engine, Guest) is odm.collection(engine, Guest)
        assert odm.collection(engine, House).name == "house"
        assert odm.collection(custom, Guest).name == "elsewhere"
        assert odm.collection(custom, Guest) is not odm.collection(custom, Guest)
        engine.database = client["two"]
        assert odm.collection(engine, Guest).database.name == "two"

        def there(_model: object) -> object:
            return client["three"]["there"]

        vars(engine)["get_collection"] = there
        assert odm.collection(engine, Guest).name == "there"
    finally:
        client.close()
