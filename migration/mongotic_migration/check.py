"""Whether stored documents are what the models say: read only.

Called by `check_command` and users.  A document is given to the same parser that sessions use, so that what passes here
is what a session will read.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from bson import (
    Binary,
    Code,
    CodecOptions,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from odmantic import Model
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from mongotic import Session, UnsupportedError
from mongotic.exceptions import DocumentError
from mongotic_adapters import snapshot
from mongotic_adapters.hydration import hydrate
from mongotic_adapters.identity_map import IdentityKey, identity_key
from mongotic_adapters.mapping import FieldMap, Mapping, Shape, class_mapping, mapping_of
from mongotic_adapters.odmantic_internals import embedded_classes
from mongotic_adapters.port import database_name
from mongotic_adapters.unloaded import Target, Unloaded

from . import indexes
from .connection import Document
from .indexes import Finding, IndexPlan

EXAMPLES = 5
"""How many documents are named for one finding."""

KEYS_AT_ONCE = 1000

KEYS_REMEMBERED = 1_000_000
"""How many keys of targets are remembered; more of them are asked for again."""

_LENIENT = CodecOptions[Document](
    dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)
"""Decodes what the application's own client could not, to know at least which document it is."""

_TYPES: dict[type, str] = {
    str: "string", bool: "bool", int: "int", Int64: "long", float: "double", dict: "object", list: "array",
    bytes: "binData", Binary: "binData", uuid.UUID: "binData", ObjectId: "objectId", datetime: "date",
    DatetimeMS: "date", type(None): "null", re.Pattern: "regex", Regex: "regex", Code: "javascript",
    Decimal128: "decimal", Timestamp: "timestamp", MinKey: "minKey", MaxKey: "maxKey", DBRef: "dbRef",
}  # fmt: skip

_WHOLE_NUMBERS = {"int", "long"}


def _silent(model: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass
class Occurrences:
    """Where something was found.

    Attributes:
        count: in how many documents.
        examples: the keys of a few of them.
    """

    count: int = 0
    examples: list[object] = field(default_factory=lambda: cast("list[object]", []))

    def add(self, key: object) -> None:
        """Note one more document."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(key)


@dataclass(frozen=True)
class Unparsed:
    """A document that does not fit its model.

    Attributes:
        key: its `_id`.
        reason: what is wrong, field by field.
    """

    key: object
    reason: str


@dataclass(frozen=True)
class Dangling:
    """References to a document that does not exist.

    Attributes:
        field: the field that refers.
        target: the key of what it refers to.
        model: the name of the model it refers to.
        found: the documents that refer to it.
    """

    field: str
    target: object
    model: str
    found: Occurrences


@dataclass
class ModelReport:
    """What is known of one model's documents.

    Attributes:
        model: the model's name.
        database: the name of the database.
        collection: the name of the collection.
        stored: how many documents there are; an estimate.
        examined: how many of them were looked at.
        unparsed: those that do not fit the model; the first ones.
        unparsed_count: how many do not fit.
        unknown: keys the model has no field for, by path.
        absent: fields that documents lack, by path.
        types: how often a field has each BSON type, for fields that have more than one.
        dangling: references to documents that do not exist; the first ones.
        dangling_count: how many references lead nowhere.
        indexes: how the collection's indexes differ from the declarations.
    """

    model: str
    database: str
    collection: str
    stored: int
    indexes: IndexPlan
    examined: int = 0
    unparsed: list[Unparsed] = field(default_factory=lambda: cast("list[Unparsed]", []))
    unparsed_count: int = 0
    unknown: dict[str, Occurrences] = field(default_factory=lambda: cast("dict[str, Occurrences]", {}))
    absent: dict[str, Occurrences] = field(default_factory=lambda: cast("dict[str, Occurrences]", {}))
    types: dict[str, dict[str, int]] = field(default_factory=lambda: cast("dict[str, dict[str, int]]", {}))
    dangling: list[Dangling] = field(default_factory=lambda: cast("list[Dangling]", []))
    dangling_count: int = 0

    @property
    def has_errors(self) -> bool:
        """Whether something would fail: a document cannot be read, a reference leads nowhere, an index is not as it
        is declared."""
        return bool(self.unparsed_count or self.dangling or self.indexes.having(Finding.MISSING, Finding.DIFFERENT))

    @property
    def has_remarks(self) -> bool:
        """Whether there is something to think about, which mongotic reads all the same."""
        return bool(self.unknown or self.absent or self.types or self.indexes.having(Finding.EXTRA))


def check(
    database: Database[Document],
    models: Iterable[type[Model]],
    *,
    sample: int | None = None,
    most: int = 100,
    report: Callable[[str, int, int], object] = _silent,
) -> list[ModelReport]:
    """Return what is to be said of each model's documents: `find` or `aggregate` commands, and `listIndexes`.

    Arguments:
        database: the database, for models that name none.
        models: the models.
        sample: how many documents to look at, chosen at random by `$sample`; None for all.
        most: how many documents that do not fit, and how many missing targets, are named.
        report: is called now and then with a model's name, how many documents were examined, and of how many.

    Raises:
        pymongo.errors.PyMongoError: the server failed.
    """
    found = list(models)
    plans = {(plan.database, name): plan for plan in indexes.plan(database, found) for name in plan.models}
    return [_Check(database, mapping_of(model), plans, sample, most, report).report() for model in found]


class _Check:
    """The check of one model."""

    def __init__(
        self,
        database: Database[Document],
        mapping: Mapping,
        plans: dict[tuple[str, str], IndexPlan],
        sample: int | None,
        most: int,
        report: Callable[[str, int, int], object],
    ) -> None:
        self._client: MongoClient[Document] = database.client
        self._default = database.name
        self._mapping = mapping
        self._sample = sample
        self._most = most
        self._tell = report
        self._collection = self._of(mapping)
        name = self._collection.database.name
        self._report = ModelReport(
            mapping.name,
            name,
            mapping.collection,
            self._collection.estimated_document_count(),
            plans[name, mapping.name],
        )
        self._types: dict[str, Counter[str]] = {}
        self._dangling: dict[tuple[str, IdentityKey], Dangling] = {}
        self._known: dict[IdentityKey, bool] = {}

    def report(self) -> ModelReport:
        """Look at the documents, and return what there is to be said."""
        report = self._report
        total = report.stored if self._sample is None else min(self._sample, report.stored)
        waiting: list[Document] = []
        for raw in self._documents():
            report.examined += 1
            document = self._decoded(raw)
            if document is not None:
                self._examine(document)
                waiting.append(document)
            if len(waiting) == KEYS_AT_ONCE:
                self._follow(waiting)
                waiting.clear()
                self._tell(report.model, report.examined, max(total, report.examined))
        self._follow(waiting)
        self._tell(report.model, report.examined, report.examined)
        report.types = {path: dict(count) for path, count in sorted(self._types.items()) if _is_mixed(count)}
        report.unknown = dict(sorted(report.unknown.items()))
        report.dangling = list(self._dangling.values())
        return report

    def _of(self, mapping: Mapping) -> Collection[Document]:
        return self._client[database_name(mapping, self._default, lambda: None)][mapping.collection]

    def _documents(self) -> Iterator[RawBSONDocument]:
        """Yield the documents undecoded: one that cannot be decoded must not hide those after it."""
        # Checkers take what it gives for what the client was made for.
        raw = self._collection.database.get_collection(
            self._collection.name, codec_options=CodecOptions[RawBSONDocument](RawBSONDocument)
        )
        if self._sample is None:
            with raw.find() as cursor:
                yield from cast("Iterator[RawBSONDocument]", cursor)
        else:
            with raw.aggregate([{"$sample": {"size": self._sample}}]) as sampled:
                yield from cast("Iterator[RawBSONDocument]", sampled)

    def _decoded(self, raw: RawBSONDocument) -> Document | None:
        encoded = bytes(raw.raw)
        try:
            return snapshot.decode(encoded, CodecOptions(dict))
        except (BSONError, ValueError, OverflowError) as error:
            self._refuse(snapshot.decode(encoded, _LENIENT).get("_id"), f"it cannot be decoded: {error}")
            return None

    def _refuse(self, key: object, reason: str) -> None:
        self._report.unparsed_count += 1
        if len(self._report.unparsed) < self._most:
            self._report.unparsed.append(Unparsed(key, reason))

    def _examine(self, document: Document) -> None:
        key = document.get("_id")
        problem = self._problem(document)
        if problem is not None:
            self._refuse(key, problem)
        unknown: set[str] = set()
        absent: set[str] = set()
        self._compare([self._mapping], document, "", unknown, absent)
        for path in unknown:
            self._report.unknown.setdefault(path, Occurrences()).add(key)
        for path in absent:
            self._report.absent.setdefault(path, Occurrences()).add(key)

    # -- does it fit? --------------------------------------------------------------------------------------------

    def _problem(self, document: Document) -> str | None:
        """Return why a session could not read a document; what it refers to is another matter."""
        try:
            try:
                hydrate(self._mapping, document, _references(self._mapping, document))
            except UnsupportedError:  # the class reads whole documents in its own way
                with Session(self._client, database=self._default) as session:
                    session.get(self._mapping.document_model, document["_id"])
        except DocumentError as error:
            return _reason(error)
        return None

    # -- what does it hold? --------------------------------------------------------------------------------------

    def _compare(
        self, mappings: list[Mapping], document: Document, prefix: str, unknown: set[str], absent: set[str]
    ) -> None:
        """Note keys without fields, fields without keys, and the types of values.

        Arguments:
            mappings: the model; the models, where an embedded document may be of several.
            document: the document, or an embedded one.
            prefix: the path it lies at, with a dot.
            unknown: takes the paths without fields.
            absent: takes the fields without values.
        """
        fields = {key: one for mapping in mappings for key, one in mapping.by_key.items()}
        for key, value in document.items():
            path = f"{prefix}{key}"
            self._count(path, value)
            one = fields.get(key)
            if one is None:
                unknown.add(path)
            elif one.shape in (Shape.EMBEDDED, Shape.EMBEDDED_MANY):
                choices = [class_mapping(model) for model in embedded_classes(one.source)]
                for inner, where in _embedded(one, value, path):
                    self._compare(choices, inner, where, unknown, absent)
        for key in fields if len(mappings) == 1 else ():
            if key not in document:
                absent.add(f"{prefix}{key}")

    def _count(self, path: str, value: object) -> None:
        self._types.setdefault(path, Counter())[_TYPES.get(type(value), type(value).__name__)] += 1
        if isinstance(value, list):
            inner = self._types.setdefault(f"{path}[]", Counter())
            inner.update(_TYPES.get(type(item), type(item).__name__) for item in cast("list[object]", value))

    # -- does it lead anywhere? ----------------------------------------------------------------------------------

    def _follow(self, documents: list[Document]) -> None:
        """Look for what documents refer to: a `find` command for each field, for the keys that are new."""
        for one in self._mapping.references:
            target = cast("Mapping", one.target)
            pairs = [
                (document["_id"], key, identity_key(target, key))
                for document in documents
                for key in _keys(one, document)
            ]
            new = {identity: key for _, key, identity in pairs if identity not in self._known}
            self._known.update(dict.fromkeys(new, False))
            wanted = list(new.values())
            for start in range(0, len(wanted), KEYS_AT_ONCE):
                there = {"_id": {"$in": wanted[start : start + KEYS_AT_ONCE]}}
                for found in self._of(target).find(there, {"_id": 1}):
                    self._known[identity_key(target, found["_id"])] = True
            for source, key, identity in pairs:
                if not self._known[identity]:
                    self._note_dangling(
                        (one.name, identity), Dangling(one.name, key, target.name, Occurrences()), source
                    )
        if len(self._known) > KEYS_REMEMBERED:
            self._known.clear()

    def _note_dangling(self, place: tuple[str, IdentityKey], dangling: Dangling, source: object) -> None:
        self._report.dangling_count += 1
        if place in self._dangling or len(self._dangling) < self._most:
            self._dangling.setdefault(place, dangling).found.add(source)


def _references(mapping: Mapping, document: Document) -> dict[str, Target]:
    """Return what stands for the targets of a document's references, which are looked for elsewhere."""
    found: dict[str, Target] = {}
    for one in mapping.references:
        value = document.get(one.key)
        if one.container is list:
            # What is no list is left for the model's validator to refuse.
            found[one.name] = (
                Unloaded(cast("object", value)) if isinstance(value, list) else cast("Target", value or [])
            )
        elif value is not None:
            found[one.name] = Unloaded(value)
        elif not one.required:
            found[one.name] = None
    return found


def _keys(one: FieldMap, document: Document) -> list[object]:
    value = document.get(one.key)
    if one.container is list:
        return [key for key in cast("list[object]", value) if key is not None] if isinstance(value, list) else []
    return [] if value is None else [value]


def _embedded(one: FieldMap, value: object, path: str) -> Iterator[tuple[Document, str]]:
    """Yield the embedded documents of a field, each with the beginning of its keys' paths."""
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _embedded(one, item, f"{path}[]")
    elif isinstance(value, dict):
        if one.container is dict:
            for item in cast("Document", value).values():
                if isinstance(item, dict):
                    yield cast("Document", item), f"{path}.*."
        else:
            yield cast("Document", value), f"{path}."


def _is_mixed(count: Counter[str]) -> bool:
    kinds = {"whole number" if kind in _WHOLE_NUMBERS else kind for kind in count if kind != "null"}
    return len(kinds) > 1


def _reason(error: DocumentError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'document'}: {one['msg']}" for one in error.inner.errors(include_url=False)
    )
