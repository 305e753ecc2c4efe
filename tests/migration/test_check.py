"""What `check` says of documents, on a real server."""

from __future__ import annotations

from typing import Any

import pytest
from bson import DatetimeMS, Int64, ObjectId
from odmantic import Model, SyncEngine
from pymongo import MongoClient
from pymongo.database import Database

from mongotic_migration import indexes
from mongotic_migration.check import ModelReport, check
from tests.conftest import Document
from tests.migration.check_models import SHOP, Address, Book, Line, Order, Publisher


def report_of(raw: Database[Document], model: type[Model], **options: Any) -> ModelReport:
    return check(raw, [model], **options)[0]


def book(raw: Database[Document], **values: Any) -> Document:
    publisher = raw["publishers"].find_one() or {"_id": ObjectId(), "name": "North"}
    raw["publishers"].replace_one({"_id": publisher["_id"]}, publisher, upsert=True)
    whole = {"title": "Fjord", "pages": 1, "price": 1.5, "tags": ["a"], "publisher": publisher["_id"], "note": None}
    document = {"_id": ObjectId(), **whole, **values}
    raw["books"].insert_one(document)
    return document


def test_what_odmantic_stores_is_in_order(raw: Database[Document], sync_client: MongoClient[Document]) -> None:
    engine = SyncEngine(sync_client, raw.name)
    north = Publisher(name="North", address=Address(city="Oslo"))
    engine.save_all([Book(title=f"Book {n}", publisher=north) for n in range(5)])
    engine.save(Order(number=1, buyer=Address(city="Rome"), lines=[Line(article="lamp")]))
    engine.configure_database(SHOP)
    told = list[tuple[str, int, int]]()
    reports = check(raw, [Publisher, Book, Order], report=lambda *one: told.append(one))
    assert [(one.model, one.examined, one.has_errors, one.has_remarks) for one in reports] == [
        ("Publisher", 1, False, False),
        ("Book", 5, False, False),
        ("Order", 1, False, False),
    ]
    assert told == [("Publisher", 1, 1), ("Book", 5, 5), ("Order", 1, 1)]


def test_documents_that_do_not_fit_are_named_with_the_reason(raw: Database[Document]) -> None:
    book(raw)
    wrong = book(raw, pages="many")
    lacking = book(raw)
    raw["books"].update_one({"_id": lacking["_id"]}, {"$unset": {"title": 1}})
    orphan = book(raw, publisher=None)
    report = report_of(raw, Book)
    assert report.examined == 4
    assert report.unparsed_count == 3
    reasons = {one.key: one.reason for one in report.unparsed}
    assert list(reasons) == [wrong["_id"], lacking["_id"], orphan["_id"]]
    assert reasons[wrong["_id"]].startswith("pages: Input should be a valid integer")
    assert "title" in reasons[lacking["_id"]]
    assert "publisher" in reasons[orphan["_id"]]
    assert report.has_errors


def test_no_more_are_named_than_asked_for(raw: Database[Document]) -> None:
    for _ in range(5):
        book(raw, pages="many", publisher=ObjectId())
    report = report_of(raw, Book, most=2)
    assert (len(report.unparsed), report.unparsed_count) == (2, 5)
    assert (len(report.dangling), report.dangling_count) == (2, 5)


def test_a_document_that_cannot_be_decoded_hides_no_other(raw: Database[Document]) -> None:
    far = book(raw, note=DatetimeMS(2**55))
    wrong = book(raw, pages="many")
    report = report_of(raw, Book)
    assert [one.key for one in report.unparsed] == [far["_id"], wrong["_id"]]
    assert report.unparsed[0].reason.startswith("it cannot be decoded")


def test_keys_without_fields_and_fields_without_keys(raw: Database[Document]) -> None:
    one = book(raw, colour="red")
    two = book(raw, colour="blue")
    raw["books"].update_one({"_id": two["_id"]}, {"$unset": {"pages": 1}})
    report = report_of(raw, Book)
    assert {path: (found.count, found.examples) for path, found in report.unknown.items()} == {
        "colour": (2, [one["_id"], two["_id"]])
    }
    assert {path: (found.count, found.examples) for path, found in report.absent.items()} == {
        "pages": (1, [two["_id"]])
    }
    assert report.unparsed_count == 0


def test_embedded_documents_are_looked_into(raw: Database[Document]) -> None:
    raw["orders"].insert_one(
        {
            "_id": ObjectId(), "number": 1, "buyer": {"city": "Rome", "zip": "1"}, "writer": None, "others": [],
            "lines": [{"article": "a", "amount": 1, "gift": True}, {"article": "b"}],
        }
    )  # fmt: skip
    report = report_of(raw, Order)
    assert set(report.unknown) == {"buyer.zip", "lines[].gift"}
    assert set(report.absent) == {"buyer.str", "lines[].amount"}
    assert report.unparsed_count == 0


def test_fields_of_several_types(raw: Database[Document]) -> None:
    book(raw, note=1, pages=5)
    book(raw, note="a", pages=Int64(2**40))
    book(raw, note=None, price=3, tags=["a", 5])
    report = report_of(raw, Book)
    assert report.types == {
        "note": {"int": 1, "string": 1, "null": 1},
        "price": {"double": 2, "int": 1},
        "tags[]": {"string": 3, "int": 1},
    }


def test_references_that_lead_nowhere(raw: Database[Document]) -> None:
    gone, other = ObjectId(), ObjectId()
    fine = book(raw)
    sources = [book(raw, publisher=gone)["_id"] for _ in range(7)]
    author = raw["authors"].insert_one({"name": "Ann"}).inserted_id
    order = {"number": 1, "buyer": {"city": "Rome", "str": ""}, "lines": []}
    raw["orders"].insert_one({**order, "writer": other, "others": [author, gone, author]})
    raw["orders"].insert_one({**order, "writer": author, "others": []})
    books, orders = check(raw, [Book, Order])
    assert fine["_id"] not in sources
    assert [(one.field, one.target, one.model, one.found.count, one.found.examples) for one in books.dangling] == [
        ("publisher", gone, "Publisher", 7, sources[:5])
    ]
    assert [(one.field, one.target, one.found.count) for one in orders.dangling] == [
        ("writer", other, 1),
        ("others", gone, 1),
    ]
    assert books.unparsed_count == orders.unparsed_count == 0


def test_indexes_are_compared(raw: Database[Document]) -> None:
    raw["books"].create_index("note")
    report = report_of(raw, Book)
    assert [(one.name, one.finding) for one in report.indexes.differences] == [
        ("title_1", indexes.Finding.MISSING),
        ("shelf", indexes.Finding.MISSING),
        ("price_1", indexes.Finding.MISSING),
        ("note_1", indexes.Finding.EXTRA),
    ]


@pytest.mark.parametrize("size", [1, 10])
def test_a_sample(raw: Database[Document], size: int) -> None:
    for _ in range(10):
        book(raw)
    assert report_of(raw, Book, sample=size).examined == size


def test_nothing_is_written(raw: Database[Document], commands: Any, sync_client: MongoClient[Document]) -> None:
    book(raw, pages="many")
    before = sorted(raw.list_collection_names())
    check(sync_client[raw.name], [Book, Order, Publisher])
    assert {name.split()[0] for name in commands.names()} <= {"find", "aggregate", "count"}
    assert sorted(raw.list_collection_names()) == before


def test_many_batches(raw: Database[Document]) -> None:
    gone = ObjectId()
    raw["publishers"].insert_many([{"_id": n, "name": str(n)} for n in range(1500)])
    raw["books"].insert_many(
        [{"title": "a", "publisher": n if n < 1500 else gone, "note": float(n)} for n in range(2300)]
    )
    told = list[int]()
    report = report_of(raw, Book, report=lambda model, done, total: told.append(done))
    assert report.examined == 2300
    assert report.dangling_count == 800
    assert told == [1000, 2000, 2300]
