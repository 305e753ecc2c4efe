"""The models the machine works with, and the plain dictionaries they stand for.

Nothing of mongotic is used here: `encoded` and `as_read` are a second opinion on what an instance is in the database.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
from typing import Any, Optional, TypeAlias

from odmantic import EmbeddedModel, Field, Model, Reference

Document: TypeAlias = dict[str, Any]


class Inner(EmbeddedModel):
    depth: int = 0
    marks: list[int] = []


class Part(EmbeddedModel):
    name: str = "p"
    inner: Inner = Inner()


class Publisher(Model):
    id: int = Field(primary_field=True)
    name: str = ""
    tags: list[str] = []


class Book(Model):
    """Keeps every key of its document."""

    model_config = {"extra": "allow"}
    id: int = Field(primary_field=True)
    title: str = ""
    pages: Optional[int] = None  # noqa: UP045  # as users of ODMantic write it
    tags: list[str] = []
    notes: dict[str, int] = {"made": 0}
    free: dict[str, Any] = {}
    part: Part = Part()
    publisher: Publisher = Reference()


class Note(Model):
    """Has a version, and drops the keys it does not know when it is read."""

    __version_field__ = "version"
    id: int = Field(primary_field=True)
    text: str = ""
    items: list[int] = []
    part: Part = Part()
    version: int = 1


class Slip(Model):
    """Its keys are made up."""

    text: str = ""
    tags: list[str] = []


COLLECTIONS: dict[type[Model], str] = {Publisher: "publisher", Book: "book", Note: "note", Slip: "slip"}


def _inner(inner: Inner) -> Document:
    return {"depth": inner.depth, "marks": list(inner.marks)}


def _part(part: Part) -> Document:
    return {"name": part.name, "inner": _inner(part.inner)}


def encoded(instance: Model) -> Document:
    """What *instance* is in the database, as it stands now."""
    if isinstance(instance, Publisher):
        return {"_id": instance.id, "name": instance.name, "tags": list(instance.tags)}
    if isinstance(instance, Slip):
        return {"_id": instance.id, "text": instance.text, "tags": list(instance.tags)}
    if isinstance(instance, Note):
        return {
            "_id": instance.id,
            "text": instance.text,
            "items": list(instance.items),
            "part": _part(instance.part),
            "version": instance.version,
        }
    assert isinstance(instance, Book)
    return {
        "_id": instance.id,
        "title": instance.title,
        "pages": instance.pages,
        "tags": list(instance.tags),
        "notes": dict(instance.notes),
        "free": copy.deepcopy(instance.free),
        "part": _part(instance.part),
        "publisher": instance.publisher.id,
        **copy.deepcopy(instance.__pydantic_extra__ or {}),
    }


DEFAULTS: dict[type[Model], Document] = {
    Publisher: {"name": "", "tags": []},
    Book: {
        "title": "",
        "pages": None,
        "tags": [],
        "notes": {"made": 0},
        "free": {},
        "part": {"name": "p", "inner": {"depth": 0, "marks": []}},
    },
    Note: {"text": "", "items": [], "part": {"name": "p", "inner": {"depth": 0, "marks": []}}, "version": 1},
    Slip: {"text": "", "tags": []},
}
EMBEDDED: Document = {"part": {"name": {}, "inner": {"depth": {}, "marks": {}}}}
"""The keys that embedded models know."""


def as_read(model: type[Model], document: Document) -> tuple[Document, set[str]]:
    """What an instance holds that was made of *document*, and the embedded documents in it that are only defaults."""
    absent: set[str] = set()
    known = {**DEFAULTS[model], "publisher": None} if model is Book else DEFAULTS[model]
    read: Document = {"_id": document["_id"]}
    for key in known:
        if key in document:
            value = copy.deepcopy(document[key])
            read[key] = _filled(key, value, DEFAULTS[model][key], absent) if key in EMBEDDED else value
        else:
            read[key] = copy.deepcopy(DEFAULTS[model][key])
            if isinstance(read[key], dict):
                absent.add(key)
    if model is Book:
        read |= {key: copy.deepcopy(value) for key, value in document.items() if key not in read}
    return read, absent


def _filled(path: str, value: Document, default: Document, absent: set[str]) -> Document:
    found: Document = {}
    for key, standing in default.items():
        if key not in value:
            found[key] = copy.deepcopy(standing)
            if isinstance(standing, dict):
                absent.add(f"{path}.{key}")
        elif isinstance(standing, dict):
            found[key] = _filled(f"{path}.{key}", value[key], standing, absent)
        else:
            found[key] = value[key]
    return found
