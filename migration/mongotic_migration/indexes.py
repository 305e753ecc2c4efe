"""The indexes that models declare, beside those that their collections have.

Called by `check`, `indexes_command` and users.  Planning only reads; applying creates what is missing, and drops
nothing unless it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from odmantic import Model
from odmantic.index import ODMBaseIndex
from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from mongotic_adapters.mapping import Mapping, mapping_of
from mongotic_adapters.port import database_name

from .connection import Document

_NO_OPTIONS = frozenset({"key", "name", "v", "ns", "background", "textIndexVersion", "2dsphereIndexVersion"})
"""What stands beside the options of an index, or says how it is built and not what it is."""

_DEFAULTS: Document = {
    "unique": False,
    "sparse": False,
    "hidden": False,
    "default_language": "english",
    "language_override": "language",
}


class Finding(str, Enum):
    """How an index of a collection and the declarations differ."""

    MISSING = "missing"
    DIFFERENT = "different"
    EXTRA = "extra"


@dataclass(frozen=True)
class IndexDifference:
    """One index that is not as it is declared.

    Attributes:
        finding: how it differs.
        name: its name; the declared one, if there is one.
        declared: as it is declared; None for an extra one.
        existing: as the collection has it; None for a missing one.
        reasons: what is different.
    """

    finding: Finding
    name: str
    declared: IndexModel | None = None
    existing: Document | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class IndexPlan:
    """The indexes of one collection.

    Attributes:
        database: the name of its database.
        collection: its name.
        models: the names of the models whose documents it has.
        present: the names of the indexes that are as they are declared.
        differences: the others, those to be created first.
    """

    database: str
    collection: str
    models: tuple[str, ...]
    present: tuple[str, ...]
    differences: tuple[IndexDifference, ...]

    def having(self, *findings: Finding) -> list[IndexDifference]:
        """Return the differences of some kinds."""
        return [difference for difference in self.differences if difference.finding in findings]


@dataclass(frozen=True)
class IndexChange:
    """What was done about a difference.

    Attributes:
        plan: the collection's plan.
        difference: the difference.
        verb: "created", "dropped", "replaced" or "left".
        error: why it failed; empty otherwise.
    """

    plan: IndexPlan
    difference: IndexDifference
    verb: str
    error: str = ""


def _silent(plan: IndexPlan, difference: IndexDifference) -> None:
    """Tell nobody."""


def plan(database: Database[Document], models: Iterable[type[Model]]) -> list[IndexPlan]:
    """Return how the indexes of the models' collections differ from the declarations: `listIndexes` commands.

    Arguments:
        database: the database, for models that name none.
        models: the models; those that share a collection share its indexes.

    Raises:
        pymongo.errors.PyMongoError: the server failed.
    """
    places: dict[tuple[str, str], list[Mapping]] = {}
    for model in models:
        mapping = mapping_of(model)
        place = database_name(mapping, database.name, lambda: None), mapping.collection
        places.setdefault(place, []).append(mapping)
    return [_planned(database.client[name][collection], mappings) for (name, collection), mappings in places.items()]


def apply(
    database: Database[Document],
    plans: Sequence[IndexPlan],
    *,
    drop: bool = False,
    before: Callable[[IndexPlan, IndexDifference], object] = _silent,
) -> list[IndexChange]:
    """Create what is missing; with *drop*, replace what is different and drop what is extra.

    An index that is replaced is created again as it was if the declared one cannot be built. One that fails does not
    keep the others from being built.

    Arguments:
        database: any database of the client.
        plans: what `plan` has found.
        drop: also drop indexes.
        before: is called before each change.

    Returns:
        What was done about each difference: `createIndexes` and `dropIndexes` commands.
    """
    done: list[IndexChange] = []
    for one in plans:
        collection = database.client[one.database][one.collection]
        for difference in one.differences:
            if difference.finding is not Finding.MISSING and not drop:
                done.append(IndexChange(one, difference, "left"))
                continue
            before(one, difference)
            verb, change = _CHANGES[difference.finding]
            try:
                change(collection, difference)
            except PyMongoError as error:
                done.append(IndexChange(one, difference, "left", str(error)))
            else:
                done.append(IndexChange(one, difference, verb))
    return done


def _create(collection: Collection[Document], difference: IndexDifference) -> None:
    assert difference.declared is not None  # or it would not be missing
    collection.create_indexes([difference.declared])


def _drop(collection: Collection[Document], difference: IndexDifference) -> None:
    collection.drop_index(_existing(difference)["name"])


def _replace(collection: Collection[Document], difference: IndexDifference) -> None:
    existing = _existing(difference)
    collection.drop_index(existing["name"])
    try:
        _create(collection, difference)
    except PyMongoError:
        former = {key: value for key, value in existing.items() if key not in ("v", "ns")}
        collection.database.command("createIndexes", collection.name, indexes=[former])
        raise


def _existing(difference: IndexDifference) -> Document:
    assert difference.existing is not None  # or there would be nothing to drop
    return difference.existing


_CHANGES: dict[Finding, tuple[str, Callable[[Collection[Document], IndexDifference], None]]] = {
    Finding.MISSING: ("created", _create),
    Finding.DIFFERENT: ("replaced", _replace),
    Finding.EXTRA: ("dropped", _drop),
}


def _planned(collection: Collection[Document], mappings: list[Mapping]) -> IndexPlan:
    declared = _declared(mappings)
    waiting = {one["name"]: dict(one) for one in collection.list_indexes() if one["name"] != "_id_"}
    present: list[str] = []
    differences: list[IndexDifference] = []
    # Those that are the same are found first, so that none of them is taken for a changed form of another.
    for rule in (_is_same, _has_same_name, _has_same_keys):
        for model in list(declared):
            one = next((found for found in waiting.values() if rule(model, found)), None)
            if one is None:
                continue
            declared.remove(model)
            del waiting[one["name"]]
            reasons = _reasons(model, one)
            if reasons:
                differences.append(IndexDifference(Finding.DIFFERENT, model.document["name"], model, one, reasons))
            else:
                present.append(model.document["name"])
    missing = [IndexDifference(Finding.MISSING, model.document["name"], model) for model in declared]
    extra = [IndexDifference(Finding.EXTRA, name, None, one) for name, one in waiting.items()]
    return IndexPlan(
        collection.database.name,
        collection.name,
        tuple(mapping.name for mapping in mappings),
        tuple(present),
        (*missing, *differences, *extra),
    )


def _declared(mappings: Iterable[Mapping]) -> list[IndexModel]:
    """Return the indexes that models declare, each once."""
    found: list[IndexModel] = []
    for mapping in mappings:
        for index in cast("Any", mapping.document_model).__indexes__():
            model: IndexModel = index.get_pymongo_index() if isinstance(index, ODMBaseIndex) else index
            if not any(_is_same(model, other.document) for other in found):
                found.append(model)
    return found


def _is_same(model: IndexModel, existing: Document) -> bool:
    return not _reasons(model, existing)


def _has_same_name(model: IndexModel, existing: Document) -> bool:
    return bool(model.document["name"] == existing["name"])


def _has_same_keys(model: IndexModel, existing: Document) -> bool:
    return _keys(model.document) == _keys(existing)


def _reasons(model: IndexModel, existing: Document) -> tuple[str, ...]:
    """Return what is different, one text for each; none for the same index."""
    wanted = dict(model.document)
    found: list[str] = []
    if wanted["name"] != existing["name"]:
        found.append(f"name: {existing['name']!r}, declared {wanted['name']!r}")
    if _keys(wanted) != _keys(existing):
        found.append(f"keys: {_shown(existing['key'])}, declared {_shown(wanted['key'])}")
    names = {*_options(wanted), *_options(existing)}
    for name in sorted(names):
        there, declared = _option(existing, name), _option(wanted, name)
        if not _is_met(name, declared, there):
            found.append(f"{name}: {there!r}, declared {declared!r}")
    return tuple(found)


def _options(index: Document) -> set[str]:
    return {name for name in index if name not in _NO_OPTIONS and name != "weights"}


def _option(index: Document, name: str) -> object:
    value: object = index.get(name, _DEFAULTS.get(name))
    return cast("Any", value).document if hasattr(value, "document") else value


def _is_met(name: str, declared: object, there: object) -> bool:
    if name == "collation" and isinstance(declared, dict) and isinstance(there, dict):
        # The server adds what the locale has by default.
        stored = cast("Document", there)
        return all(stored.get(key) == value for key, value in cast("Document", declared).items())
    return declared == there


def _keys(index: Document) -> list[tuple[str, object]]:
    """Return the keys as they are compared: those of a text index with their weights, in no order."""
    keys = dict(cast("dict[str, object]", index["key"]))
    weights: dict[str, object] = dict(index.get("weights") or {})
    text = {key: weights.get(key, 1) for key, kind in keys.items() if kind == "text" and key != "_fts"}
    if not text and "_fts" not in keys:
        return list(keys.items())
    weighted = sorted(({**text, **weights}).items())
    others = [(key, kind) for key, kind in keys.items() if kind != "text" and key != "_ftsx"]
    return [*others, *(("text", pair) for pair in weighted)]


def _shown(keys: Any) -> str:  # a mapping, of whatever kind the driver gives
    return ", ".join(f"{key} {kind}" for key, kind in dict(keys).items())
