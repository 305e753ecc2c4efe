"""Indexes as they are declared, and as collections have them."""

from __future__ import annotations

import pytest
from odmantic import Model, SyncEngine
from pymongo import IndexModel, MongoClient
from pymongo.collation import Collation
from pymongo.database import Database

from mongotic import MongoBaseModel
from mongotic_migration import indexes
from mongotic_migration.indexes import Finding
from tests.conftest import Document
from tests.migration.check_models import SHOP


def declared(*models: IndexModel) -> type[Model]:
    """Return a model of the collection `things` with these indexes."""

    class Thing(MongoBaseModel):
        __tablename__ = "things"
        __indexes__ = list(models)

        name: str

    return Thing


def findings(raw: Database[Document], *models: type[Model]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        one.name: (one.finding.value, one.reasons) for plan in indexes.plan(raw, models) for one in plan.differences
    }


def names(raw: Database[Document], collection: str = "things") -> set[str]:
    return set(raw[collection].index_information()) - {"_id_"}


EVERY_KIND = [
    IndexModel([("a", 1)]),
    IndexModel([("a", 1), ("b", -1)], unique=True, name="pair"),
    IndexModel([("c", 1)], sparse=True),
    IndexModel([("d", 1)], expireAfterSeconds=3600),
    IndexModel([("e", 1)], unique=True, partialFilterExpression={"e": {"$exists": True}}),
    IndexModel([("f", 1)], collation=Collation("en", strength=2)),
    IndexModel([("g", "hashed")]),
    IndexModel([("h", "2dsphere")]),
    IndexModel([("i", "text"), ("j", "text")], weights={"i": 5}),
    IndexModel([("k.$**", 1)]),
    IndexModel([("l", "2d")]),
    IndexModel([("m", 1)], hidden=True),
]


def test_an_index_of_every_kind_is_found_as_it_was_declared(raw: Database[Document]) -> None:
    raw["things"].create_indexes(EVERY_KIND)
    plan = indexes.plan(raw, [declared(*EVERY_KIND)])[0]
    assert plan.differences == ()
    assert len(plan.present) == len(EVERY_KIND)


def test_what_odmantic_creates_is_found(raw: Database[Document], sync_client: MongoClient[Document]) -> None:
    assert {finding for finding, _ in findings(raw, *SHOP).values()} == {"missing"}
    SyncEngine(sync_client, raw.name).configure_database(SHOP)
    assert findings(raw, *SHOP) == {}


@pytest.mark.parametrize(
    ("existing", "wanted", "reasons"),
    [
        (IndexModel("a"), IndexModel("a", unique=True), ("unique: False, declared True",)),
        (IndexModel("a", unique=True), IndexModel("a"), ("unique: True, declared False",)),
        (IndexModel("a", name="old"), IndexModel("a", name="new"), ("name: 'old', declared 'new'",)),
        (IndexModel("a", name="x"), IndexModel("b", name="x"), ("keys: a 1, declared b 1",)),
        (
            IndexModel("a", expireAfterSeconds=5),
            IndexModel("a", expireAfterSeconds=9),
            ("expireAfterSeconds: 5, declared 9",),
        ),
        (
            IndexModel([("a", "text")]),
            IndexModel([("a", "text")], default_language="german"),
            ("default_language: 'english', declared 'german'",),
        ),
    ],
)
def test_a_difference_is_named_and_replaced_only_if_asked_for(
    raw: Database[Document], existing: IndexModel, wanted: IndexModel, reasons: tuple[str, ...]
) -> None:
    raw["things"].create_indexes([existing])
    model = declared(wanted)
    assert findings(raw, model) == {wanted.document["name"]: ("different", reasons)}
    plans = indexes.plan(raw, [model])
    assert [change.verb for change in indexes.apply(raw, plans)] == ["left"]
    assert names(raw) == {existing.document["name"]}
    assert [change.verb for change in indexes.apply(raw, plans, drop=True)] == ["replaced"]
    assert findings(raw, model) == {}


def test_order_of_keys_and_direction_matter(raw: Database[Document]) -> None:
    raw["things"].create_index([("a", 1), ("b", 1)])
    assert findings(raw, declared(IndexModel([("b", 1), ("a", 1)]))) == {
        "b_1_a_1": ("missing", ()),
        "a_1_b_1": ("extra", ()),
    }


def test_missing_ones_are_created_and_extra_ones_stay(raw: Database[Document]) -> None:
    raw["things"].create_index("extra")
    plans = indexes.plan(raw, [declared(IndexModel("a"), IndexModel("b"))])
    begun = list[str]()
    changes = indexes.apply(raw, plans, before=lambda plan, one: begun.append(one.name))
    assert [(change.difference.name, change.verb) for change in changes] == [
        ("a_1", "created"),
        ("b_1", "created"),
        ("extra_1", "left"),
    ]
    assert begun == ["a_1", "b_1"]
    assert names(raw) == {"a_1", "b_1", "extra_1"}


def test_extra_ones_are_dropped_if_asked_for(raw: Database[Document]) -> None:
    raw["things"].create_index("extra")
    indexes.apply(raw, indexes.plan(raw, [declared()]), drop=True)
    assert names(raw) == set()


def test_an_index_that_cannot_be_built_stops_no_other(raw: Database[Document]) -> None:
    raw["things"].insert_many([{"name": "a"}, {"name": "a"}])
    plans = indexes.plan(raw, [declared(IndexModel("name", unique=True), IndexModel("b"))])
    failed, built = indexes.apply(raw, plans)
    assert (failed.verb, built.verb) == ("left", "created")
    assert "E11000" in failed.error


def test_what_was_to_be_replaced_is_there_again_if_the_new_one_cannot_be_built(raw: Database[Document]) -> None:
    raw["things"].insert_many([{"name": "a"}, {"name": "a"}])
    raw["things"].create_index("name", sparse=True, collation=Collation("en", strength=2))
    before = raw["things"].index_information()
    plans = indexes.plan(raw, [declared(IndexModel("name", unique=True))])
    change = indexes.apply(raw, plans, drop=True)[0]
    assert change.verb == "left"
    assert "E11000" in change.error
    assert raw["things"].index_information() == before


def test_models_that_share_a_collection_share_its_indexes(raw: Database[Document]) -> None:
    raw["things"].create_indexes([IndexModel("a"), IndexModel("b")])
    plan = indexes.plan(raw, [declared(IndexModel("a")), declared(IndexModel("b"), IndexModel("a"))])
    assert len(plan) == 1
    assert plan[0].differences == ()


def test_a_model_may_name_its_own_database(raw: Database[Document]) -> None:
    class Elsewhere(MongoBaseModel):
        __databasename__ = raw.name
        __tablename__ = "things"
        __indexes__ = [IndexModel("a")]

        name: str

    plan = indexes.plan(raw.client["test_nowhere"], [Elsewhere])[0]
    assert plan.database == raw.name
    assert plan.having(Finding.MISSING)
    indexes.apply(raw.client["test_nowhere"], [plan])
    assert names(raw) == {"a_1"}


def test_two_indexes_on_the_same_keys(raw: Database[Document]) -> None:
    both = [IndexModel("a"), IndexModel("a", name="folded", collation=Collation("en", strength=2))]
    raw["things"].create_indexes(both)
    assert findings(raw, declared(*both)) == {}
    assert findings(raw, declared(both[1])) == {"a_1": ("extra", ())}
