"""Changes of many documents: every document exactly once, whatever its key."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import pytest
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from odmantic import Reference
from pymongo import MongoClient
from pymongo.database import Database

from mongotic import MongoBaseModel, col, ops, select, update
from mongotic.testing import EmbeddedMongo
from mongotic_migration.backfill import (
    AnotherChangeError,
    Backfill,
    BackfillError,
    ChangeFailedError,
    LockedError,
    LockLostError,
    NotRepeatableError,
    Progress,
)
from mongotic_migration.backfill.checkpoint import COLLECTION
from mongotic_migration.backfill.id_ranges import EXACT, Position, next_range
from tests.conftest import Document
from tests.migration.backfill_changes import Item, count_all, count_up, later, name_all

KEYS_OF_EVERY_TYPE = [
    MinKey(), None, float("nan"), float("-inf"), -5, -0.5, 0, 1.5, Int64(2**40), Decimal128("7.25"), float("inf"),
    "", "a", "b", "é", "10", {}, {"a": 1}, {"a": 1, "b": "x"}, {"b": None}, Binary(b"\x01"), Binary(b"\x02\x03", 5),
    Binary.from_uuid(uuid.UUID(int=7)), ObjectId("0" * 24), ObjectId("f" * 24), ObjectId(), False, True,
    datetime(1969, 12, 31), datetime(2024, 2, 29, 12), DatetimeMS(-(2**50)), DatetimeMS(2**52), Timestamp(0, 1),
    Timestamp(1700000000, 3), Code("return 1"), Code("return x", {"x": 1}), MaxKey(),
]  # fmt: skip


def stored(raw: Database[Document], keys: list[Any]) -> None:
    raw["item"].with_options(codec_options=EXACT).insert_many([{"_id": key, "count": 0} for key in keys])


def counts(raw: Database[Document]) -> list[int]:
    return [one["count"] for one in raw["item"].with_options(codec_options=EXACT).find({}, {"count": 1})]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_ranges_meet_each_key_of_every_type_once(raw: Database[Document], size: int) -> None:
    stored(raw, KEYS_OF_EVERY_TYPE)
    exact = raw["item"].with_options(codec_options=EXACT)
    met, position = list[Any](), Position()
    while (some := next_range(raw["item"], {}, position, size)) is not None:
        found = [one["_id"] for one in exact.find(some.condition({})).sort("_id", 1)]
        assert 0 < len(found) <= size
        met += found
        position = Position.read(some.up_to(some.last).stored())
    assert len(met) == len(KEYS_OF_EVERY_TYPE)
    assert [repr(key) for key in met if not isinstance(key, Code)] == [
        repr(one["_id"]) for one in exact.find().sort("_id", 1) if not isinstance(one["_id"], Code)
    ]


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("kind", ["function", "statement"])
def test_every_document_is_changed_exactly_once(raw: Database[Document], size: int, kind: str) -> None:
    stored(raw, KEYS_OF_EVERY_TYPE)
    backfill = Backfill("count", count_up, Item) if kind == "function" else Backfill("count", count_all)
    progress = backfill.run(raw, batch=size)
    assert counts(raw) == [1] * len(KEYS_OF_EVERY_TYPE)
    assert (progress.done, progress.changed, progress.finished) == (len(KEYS_OF_EVERY_TYPE),) * 2 + (True,)


def test_a_finished_backfill_is_not_done_again(raw: Database[Document]) -> None:
    stored(raw, [1, 2, 3])
    Backfill("count", count_all).run(raw)
    again = Backfill("count", count_all).run(raw)
    assert again.finished
    assert counts(raw) == [1, 1, 1]


def test_a_stopped_backfill_goes_on_where_it_was(raw: Database[Document]) -> None:
    stored(raw, [*range(10), *"abcdefghij"])
    stop = threading.Event()

    def after_a_while(progress: Progress) -> None:
        if progress.done >= 12:
            stop.set()

    first = Backfill("count", count_up, Item).run(raw, batch=3, stop=stop, report=after_a_while)
    assert not first.finished
    assert sorted(counts(raw)) == [0] * (20 - first.done) + [1] * first.done
    known = Backfill("count", count_up, Item).progress(raw)
    assert known is not None
    assert (known.done, known.total) == (first.done, 20)
    assert Backfill("count", count_up, Item).run(raw, batch=3).done == 20
    assert counts(raw) == [1] * 20


def test_a_condition_says_which_documents(raw: Database[Document]) -> None:
    stored(raw, list(range(10)))
    few = select(Item).where(col(Item.key) >= 7)
    assert Backfill("few", count_up, few).run(raw, batch=2).done == 3
    assert Backfill("more", update(Item).where(col(Item.key) < 2).values(count=ops.inc(5))).run(raw, batch=1).done == 2
    assert counts(raw) == [5, 5, 0, 0, 0, 0, 0, 1, 1, 1]


def test_a_condition_that_no_longer_fits_what_was_changed_skips_nothing(raw: Database[Document]) -> None:
    stored(raw, list(range(10)))
    Backfill("first", update(Item).where(Item.count == 0).values(count=ops.inc(1))).run(raw, batch=3)
    assert counts(raw) == [1] * 10


def test_a_computed_statement(raw: Database[Document]) -> None:
    stored(raw, list(range(10)))
    Backfill("computed", update(Item).values(count=col(Item.count) + 3)).run(raw, batch=3)
    assert counts(raw) == [3] * 10


def test_a_function_writes_nothing_but_what_it_changes(raw: Database[Document]) -> None:
    raw["item"].insert_one({"_id": 1, "count": 0, "kept": {"a": 1, "b": 2}, "gone": 1, "a.b": 1, "list": [1]})

    def change(document: Document) -> Document:
        given = dict(document)
        del given["gone"]
        given["kept"]["a"] = 5
        return given

    Backfill("change", change, Item).run(raw)
    assert raw["item"].find_one() == {"_id": 1, "count": 0, "kept": {"a": 5, "b": 2}, "a.b": 1, "list": [1]}


def test_a_function_may_change_keys_that_no_path_can_name(raw: Database[Document]) -> None:
    raw["item"].insert_one({"_id": 1, "a.b": 1})

    def change(document: Document) -> None:
        document["a.b"] = 2

    Backfill("change", change, Item).run(raw)
    assert raw["item"].find_one() == {"_id": 1, "a.b": 2}


def test_documents_that_need_no_change_are_not_written(raw: Database[Document]) -> None:
    stored(raw, [1, 2])
    progress = Backfill("nothing", lambda document: document, Item).run(raw)
    assert (progress.done, progress.changed) == (2, 0)


def test_keys_as_uuids_of_the_application(raw: Database[Document]) -> None:
    standard = CodecOptions[Document](uuid_representation=4)
    database = raw.client.get_database(raw.name, codec_options=standard)
    keys = [uuid.uuid4() for _ in range(5)]
    database["item"].insert_many([{"_id": key, "count": 0} for key in keys])
    seen = list[object]()

    def change(document: Document) -> None:
        seen.append(document["_id"])
        document["count"] += 1

    Backfill("uuids", change, Item).run(database, batch=2)
    assert sorted(cast("list[uuid.UUID]", seen)) == sorted(keys)
    assert counts(raw) == [1] * 5


def test_a_batch_of_large_documents_is_cut(raw: Database[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mongotic_migration.backfill.changes.MOST_BYTES", 100)
    stored(raw, [*range(5), *(uuid.UUID(int=n).bytes for n in range(5))])
    told = list[int]()
    Backfill("count", count_up, Item).run(raw, batch=100, report=lambda progress: told.append(progress.done))
    assert counts(raw) == [1] * 10
    assert max(after - before for before, after in zip([0, *told], told, strict=False)) < 5


def test_a_write_of_another_client_is_not_lost(raw: Database[Document]) -> None:
    stored(raw, [1])
    calls = list[int]()

    def change(document: Document) -> None:
        if not calls:
            raw["item"].update_one({"_id": 1}, {"$inc": {"count": 10}})  # between the read and the write
        calls.append(document["count"])
        document["count"] += 1

    Backfill("count", change, Item).run(raw)
    assert calls == [0, 10]
    assert counts(raw) == [11]


def test_writes_of_other_clients_meanwhile_are_kept(raw: Database[Document]) -> None:
    stored(raw, list(range(30)))
    ended = threading.Event()
    written = list[int]()

    def write() -> None:
        while not ended.is_set():
            key = len(written) % 30
            raw["item"].update_one({"_id": key}, {"$inc": {"count": 1000}})
            written.append(key)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn, change in enumerate((count_all, count_up)):
            model = None if change is count_all else Item
            Backfill(f"turn {turn}", cast("Any", change), model).run(raw, batch=4)
    finally:
        ended.set()
        writer.join()
    assert len(written) > 0
    assert counts(raw) == [2 + 1000 * written.count(key) for key in range(30)]


@pytest.mark.parametrize("kind", ["function", "statement"])
def test_what_the_client_prefers_is_no_matter(raw: Database[Document], server_uri: str, kind: str) -> None:
    stored(raw, list(range(10)))
    options = "&readPreference=secondaryPreferred&w=0"
    backfill = Backfill("count", count_up, Item) if kind == "function" else Backfill("count", count_all)
    with MongoClient[Document](server_uri + options) as client:
        assert len(backfill.preview(client[raw.name], 3)) == 3
        assert backfill.run(client[raw.name], batch=3).changed == 10
    assert counts(raw) == [1] * 10


# -- the dry run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["function", "statement"])
def test_a_preview_changes_nothing(raw: Database[Document], kind: str) -> None:
    stored(raw, [1, 2, 3, "a"])
    backfill = Backfill("count", count_up, Item) if kind == "function" else Backfill("count", count_all)
    found = backfill.preview(raw, 2)
    assert [(one.key, one.before["count"], (one.after or {})["count"], one.is_changed) for one in found] == [
        (1, 0, 1, True),
        (2, 0, 1, True),
    ]
    assert counts(raw) == [0] * 4
    assert raw[COLLECTION].count_documents({}) == 0
    backfill.run(raw)
    assert backfill.preview(raw) == []


# -- the lock -----------------------------------------------------------------------------------------------------


def test_a_second_run_is_refused_while_the_first_is_under_way(raw: Database[Document]) -> None:
    stored(raw, list(range(6)))
    refused = list[LockedError]()

    def meanwhile(progress: Progress) -> None:
        if progress.finished:
            return
        with pytest.raises(LockedError, match="under way in process") as found:
            Backfill("count", count_all).run(raw)
        refused.append(found.value)

    Backfill("count", count_all).run(raw, batch=3, report=meanwhile)
    assert refused
    assert refused[0].until is not None
    assert counts(raw) == [1] * 6


def test_a_second_run_may_wait_for_the_first(raw: Database[Document]) -> None:
    stored(raw, list(range(40)))
    ended = list[Progress]()

    def second() -> None:
        ended.append(Backfill("count", count_all).run(raw, wait=60))

    waiting = threading.Thread(target=second)

    def start(_: Progress) -> None:
        if not waiting.ident:
            waiting.start()

    Backfill("count", count_all).run(raw, batch=3, report=start)
    waiting.join()
    assert ended[0].finished
    assert counts(raw) == [1] * 40


def test_of_many_runs_at_once_each_document_is_changed_by_one(raw: Database[Document]) -> None:
    stored(raw, list(range(200)))
    ended = list[Progress]()

    def run() -> None:
        ended.append(Backfill("count", count_up, Item).run(raw, batch=10, wait=60))

    runs = [threading.Thread(target=run) for _ in range(8)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert [(one.done, one.finished) for one in ended] == [(200, True)] * 8
    assert counts(raw) == [1] * 200


def test_a_run_that_was_thought_dead_writes_nothing_more(raw: Database[Document]) -> None:
    stored(raw, list(range(9)))
    taken = list[Progress]()

    def lose_the_lock(_: Progress) -> None:
        if not taken:
            raw[COLLECTION].update_one({"_id": {"lock": "count"}}, {"$set": {"expires": datetime(2000, 1, 1)}})
            taken.append(Backfill("count", count_up, Item).run(raw))

    with pytest.raises(LockLostError):
        Backfill("count", count_up, Item).run(raw, batch=3, report=lose_the_lock)
    assert taken[0].finished
    assert counts(raw) == [1] * 9


def test_the_lock_is_kept_as_long_as_a_batch_takes(raw: Database[Document]) -> None:
    stored(raw, [1])
    waited = threading.Event()

    def slow(document: Document) -> None:
        waited.wait(1.5)
        with pytest.raises(LockedError):
            Backfill("slow", slow, Item).run(raw, lock_seconds=0.6)
        document["count"] += 1

    Backfill("slow", slow, Item).run(raw, lock_seconds=0.6)
    assert counts(raw) == [1]


def test_the_lock_is_given_back_after_an_error(raw: Database[Document]) -> None:
    stored(raw, [1])

    def wrong(document: Document) -> None:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ChangeFailedError, match=r"_id 1 cannot be changed: .*wrong raised ValueError: no"):
            Backfill("wrong", wrong, Item).run(raw)


# -- the pace -----------------------------------------------------------------------------------------------------


def test_a_rate_makes_batches_small(raw: Database[Document]) -> None:
    stored(raw, list(range(60)))
    told = list[Progress]()
    Backfill("count", count_all).run(raw, rate=40, report=told.append)
    assert [one.done for one in told] == [40, 60, 60]
    assert told[-1].rate <= 40 * 1.05
    assert told[0].remaining is not None
    assert counts(raw) == [1] * 60


# -- bad input ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_of_another_change_is_refused(raw: Database[Document]) -> None:
    stored(raw, [1])
    Backfill("mine", count_all).run(raw)
    for other in (Backfill("mine", name_all), Backfill("mine", count_up, Item)):
        with pytest.raises(AnotherChangeError, match="Give this one another name"):
            other.run(raw)
        with pytest.raises(AnotherChangeError):
            other.progress(raw)
    assert counts(raw) == [1]


class Owner(MongoBaseModel):
    __tablename__ = "owner"

    name: str


class Pet(MongoBaseModel):
    __tablename__ = "pet"

    owner: Owner = Reference()
    count: int = 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Backfill("", count_all), "needs a name"),
        (lambda: Backfill("x", count_up), "whose documents"),
        (lambda: Backfill("x", count_all, Item), "leave the model out"),
        (lambda: Backfill("x", later, Item), "async function"),  # type: ignore[arg-type]  # the mistake under test
        (lambda: Backfill("x", 42, Item), "takes a function"),  # type: ignore[arg-type]  # the mistake under test
        (lambda: Backfill("x", count_up, select(Item).limit(3)), "takes its documents by their keys"),
        (lambda: Backfill("x", update(Item)), "nothing to set"),
        (lambda: Backfill("x", update(Pet).where(col(Pet.owner).name == "a").values(count=1)), "of another model"),
        (lambda: Backfill("x", update(Item).filter_by(name="a").values(count=1).upsert()), "leave upsert"),
        (lambda: Backfill("x", update(Item).values([{"key": 1, "count": 1}])), "list of rows"),
    ],
)
def test_what_is_no_backfill_is_refused(make: Any, message: str) -> None:
    with pytest.raises(BackfillError, match=message):
        make()


@pytest.mark.parametrize("options", [{"batch": 0}, {"rate": -1}, {"lock_seconds": 0}])
def test_options_out_of_range_are_refused(raw: Database[Document], options: dict[str, Any]) -> None:
    with pytest.raises(BackfillError, match="a number above 0"):
        Backfill("x", count_all).run(raw, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: {**document, "_id": 2}, "changed its _id"),
        (lambda document: {"count": 1}, "changed its _id"),
        (lambda document: 5, "returned 5"),
        (lambda document: {**document, "count": object()}, "cannot be stored"),
    ],
)
def test_what_a_function_must_not_make_of_a_document(raw: Database[Document], change: Any, message: str) -> None:
    stored(raw, [1])
    with pytest.raises(ChangeFailedError, match=message):
        Backfill("x", change, Item).run(raw)
    assert counts(raw) == [0]


# -- without transactions -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def standalone() -> Iterator[MongoClient[Document]]:
    with EmbeddedMongo(replica_set=False) as server, MongoClient[Document](server.uri) as client:
        yield client


def test_a_server_without_transactions_gets_what_may_be_repeated(standalone: MongoClient[Document]) -> None:
    database = standalone["one"]
    stored(database, KEYS_OF_EVERY_TYPE)
    assert Backfill("names", name_all).run(database, batch=4).finished
    named = database["item"].with_options(codec_options=EXACT).count_documents({"name": "item"})
    assert named == len(KEYS_OF_EVERY_TYPE)


@pytest.mark.parametrize("computed", [False, True])
def test_a_server_without_transactions_gets_nothing_else(standalone: MongoClient[Document], computed: bool) -> None:
    database = standalone["two"]
    change = update(Item).values(count=col(Item.count) + 1) if computed else count_all
    for backfill in (Backfill("a", change), Backfill("b", count_up, Item)):
        with pytest.raises(NotRepeatableError, match="no transactions"):
            backfill.run(database)
        with pytest.raises(NotRepeatableError, match="needs a server with transactions"):
            backfill.preview(database)


def test_dates_beyond_pythons_are_kept(raw: Database[Document]) -> None:
    exact = CodecOptions[Document](datetime_conversion=DatetimeConversion.DATETIME_MS)
    raw["item"].insert_one({"_id": 1, "count": 0, "far": DatetimeMS(2**52)})
    Backfill("count", count_up, Item).run(raw)
    assert raw["item"].with_options(codec_options=exact).find_one() == {"_id": 1, "count": 1, "far": DatetimeMS(2**52)}
