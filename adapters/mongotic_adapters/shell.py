"""Commands as MongoDB's shell writes them: what `str(statement)` shows, and what is logged.

Called by the facade's statements and by `logged_port`.  Nothing here is ever parsed or sent.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

import bson
from bson import code, datetime_ms, dbref, decimal128, int64, max_key, min_key, raw_bson, regex, timestamp

from .across import TargetKeys
from .commands import (
    USUAL,
    Batch,
    Delete,
    FindAndModify,
    Insert,
    Modify,
    ModifyMany,
    Operation,
    Read,
    Replace,
    SendOptions,
    Update,
    Upsert,
)
from .encoding import Document

Shown: TypeAlias = Callable[[object], str]
"""Shows one value that is no container."""

REDACTED = "?"
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_INT32 = range(-(2**31), 2**31)
_FLAGS = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"), (re.VERBOSE, "x"))
_LONGEST = 20_000
"""Characters; a command is cut there."""


def value(item: object) -> str:
    """Return a value as the shell writes it."""
    return _container(item, _value)


def redacted(item: object) -> str:
    """Return a value with a question mark for everything in it that is data: keys and operators alone."""
    return _container(item, lambda _: REDACTED)


def find(read: Read, show: Callable[[object], str] = value) -> str:
    """Return a `find` command."""
    arguments = [show(read.filter)] if read.filter or read.projection else []
    arguments += [value(read.projection)] if read.projection else []
    parts = [f"db.{_collection(read.mapping.collection)}.find({', '.join(arguments)})"]
    parts += [f"sort({value(dict(read.sort))})"] if read.sort else []
    parts += [f"skip({read.skip})"] if read.skip else []
    parts += [f"limit({read.limit})"] if read.limit is not None else []
    parts += [f"{method}({given})" for method, given in _sent(read.options, show).items()]
    return _cut(".".join(parts))


def aggregate(
    collection: str,
    pipeline: Sequence[Document],
    show: Callable[[object], str] = value,
    options: SendOptions = USUAL,
) -> str:
    """Return an `aggregate` command."""
    sent = ", ".join(f"{name}: {given}" for name, given in _sent(options, show).items())
    return _cut(f"db.{_collection(collection)}.aggregate({show(list(pipeline))}{f', {{{sent}}}' if sent else ''})")


def _sent(options: SendOptions, show: Callable[[object], str]) -> dict[str, str]:
    """Return what goes along with a command, by the names that the shell's methods and options have."""
    if options is USUAL:
        return {}
    hint = options.hint
    given = {
        "hint": hint if hint is None or isinstance(hint, str) else dict(cast("Sequence[tuple[str, int]]", hint)),
        "collation": getattr(options.collation, "document", options.collation),
        "maxTimeMS": options.max_time_ms,
        "allowDiskUse": options.allow_disk_use,
        "readConcern": getattr(options.read_concern, "level", None),
        "readPref": getattr(options.read_preference, "document", {}).get("mode"),
        "writeConcern": getattr(options.write_concern, "document", None),
    }
    found = {name: value(item) for name, item in given.items() if item is not None}
    return found if options.comment is None else {**found, "comment": show(options.comment)}


def _arguments(options: SendOptions, show: Shown, **own: object) -> list[str]:
    """Return the last argument of a method that writes: its options, if it has any."""
    given = {**{name: show(item) for name, item in own.items() if item is not None}, **_sent(options, show)}
    return ["{" + ", ".join(f"{name}: {text}" for name, text in given.items()) + "}"] if given else []


def call(collection: str, method: str, *arguments: object, show: Callable[[object], str] = value) -> str:
    """Return the call of a method of a collection."""
    return _call(collection, method, [show(argument) for argument in arguments])


def _call(collection: str, method: str, arguments: Sequence[str]) -> str:
    return _cut(f"db.{_collection(collection)}.{method}({', '.join(arguments)})")


def insert_many(collection: str, documents: object, options: SendOptions = USUAL, show: Shown = value) -> str:
    """Return an insert of documents."""
    return _call(collection, "insertMany", [show(documents), *_arguments(options, show)])


def delete_many(collection: str, condition: Document, options: SendOptions = USUAL, show: Shown = value) -> str:
    """Return a removal of every document that fits."""
    return _call(collection, "deleteMany", [show(condition), *_arguments(options, show)])


def write(batch: Batch, show: Callable[[object], str] = value) -> str:
    """Return a batch of writes: a single operation by its own method, several by `bulkWrite`."""
    operations = batch.operations
    collection = batch.mapping.collection
    if len(operations) == 1:
        method, arguments, own = _operation(operations[0])
        sent = batch.options if isinstance(operations[0], Modify) else _of_the_call(batch.options)
        return _call(collection, method, [*map(show, arguments), *_arguments(sent, show, **own)])
    if all(isinstance(operation, Insert) for operation in operations):
        documents = [_document(operation.document) for operation in operations[:100] if isinstance(operation, Insert)]
        return insert_many(collection, documents, batch.options, show)
    calls = [_row(operation, batch.options, show) for operation in operations[:100]]
    options = _arguments(_of_the_call(batch.options), show)
    return _call(collection, "bulkWrite", [f"[{', '.join(calls)}]", *options])


def _of_the_call(options: SendOptions) -> SendOptions:
    """Return what goes along with a bulk as a whole, and not with each of its rows."""
    return options if options is USUAL else replace(options, hint=None, collation=None)


def _row(operation: Operation, options: SendOptions, show: Shown) -> str:
    """Return one row of `bulkWrite`."""
    method, arguments, own = _operation(operation)
    parts = {name: show(part) for name, part in zip(_NAMES[method], arguments, strict=True)}
    parts |= {name: show(part) for name, part in own.items() if part is not None}
    if isinstance(operation, Modify):
        parts |= _sent(SendOptions(hint=options.hint, collation=options.collation), show)
    return f"{{{method}: {{{', '.join(f'{name}: {part}' for name, part in parts.items())}}}}}"


def modify_many(command: ModifyMany, show: Callable[[object], str] = value) -> str:
    """Return an update of every document that fits."""
    options = _arguments(command.options, show, **_update_options(command))
    return _call(command.mapping.collection, "updateMany", [show(command.filter), show(command.update), *options])


def find_and_modify(command: FindAndModify, show: Callable[[object], str] = value) -> str:
    """Return a change, or a removal, of one document that is given."""
    collection = command.mapping.collection
    own: Document = {"sort": dict(command.sort)} if command.sort else {}
    if command.update is None:
        options = _arguments(command.options, show, **own)
        return _call(collection, "findOneAndDelete", [show(command.filter), *options])
    own |= _update_options(command)
    if not command.before:
        own["returnDocument"] = "after"
    options = _arguments(command.options, show, **own)
    return _call(collection, "findOneAndUpdate", [show(command.filter), show(command.update), *options])


_NAMES = {
    "insertOne": ("document",),
    "updateOne": ("filter", "update"),
    "replaceOne": ("filter", "replacement"),
    "deleteOne": ("filter",),
}


def _operation(operation: Operation) -> tuple[str, list[object], Document]:
    """Return the method of an operation, its arguments, and its options."""
    if isinstance(operation, Insert):
        return "insertOne", [_document(operation.document)], {}
    if isinstance(operation, Update):
        return "updateOne", [operation.filter, operation.update], {}
    if isinstance(operation, Upsert):
        return "updateOne", [operation.filter, operation.update], {"upsert": True}
    if isinstance(operation, Modify):
        return "updateOne", [operation.filter, operation.update], _update_options(operation)
    if isinstance(operation, Replace):
        return "replaceOne", [operation.filter, _document(operation.document)], {"upsert": True}
    assert isinstance(operation, Delete)
    return "deleteOne", [operation.filter], {}


def _update_options(operation: Modify | ModifyMany | FindAndModify) -> Document:
    options: Document = {"upsert": True} if operation.upsert else {}
    if operation.array_filters:
        options["arrayFilters"] = operation.array_filters
    return options


def _document(encoded: bytes) -> object:
    return raw_bson.RawBSONDocument(encoded)


def _collection(name: str) -> str:
    return name if _PLAIN_KEY.match(name) else f"getCollection({json.dumps(name)})"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _container(item: object, show: Shown) -> str:
    if isinstance(item, Mapping):
        document = cast("Mapping[str, object]", item)
        if not document:
            return "{}"
        pairs = (f"{_key(key)}: {_container(inner, show)}" for key, inner in document.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(item, (list, tuple)):
        return "[" + ", ".join(_container(inner, show) for inner in cast("Sequence[object]", item)) + "]"
    return show(item)


def _key(key: object) -> str:
    text = str(key)
    return text if _PLAIN_KEY.match(text) else json.dumps(text, ensure_ascii=False)


def _value(item: object) -> str:
    if item is None or isinstance(item, bool):
        return {None: "null", True: "true", False: "false"}[item]
    if isinstance(item, str):
        return json.dumps(str(item), ensure_ascii=False)
    if isinstance(item, int):
        # The shell's own numbers are doubles, which lose digits of these.
        return str(int(item)) if item in _INT32 and not isinstance(item, int64.Int64) else f'NumberLong("{int(item)}")'
    if isinstance(item, float):
        return _number(item)
    if isinstance(item, TargetKeys):
        return f'db.{_collection(item.mapping.collection)}.distinct("_id", {value(item.condition)})'
    for kind, show in _SHOWN:
        if isinstance(item, kind):
            return show(item)
    return repr(item)


def _number(item: float) -> str:
    if math.isnan(item):
        return "NaN"
    if math.isinf(item):
        return "Infinity" if item > 0 else "-Infinity"
    return repr(item)


def _date(item: object) -> str:
    moment = cast("datetime.datetime", item)
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return f'ISODate("{moment.isoformat(timespec="milliseconds")}Z")'


def _pattern(item: object) -> str:
    found = cast("re.Pattern[str] | regex.Regex[str]", item)
    flags = "".join(letter for flag, letter in _FLAGS if found.flags & flag)
    text = str(found.pattern).replace("/", r"\/")
    return f"/{text}/{flags}"


def _binary(item: object) -> str:
    data = cast("bytes", item)
    kind = item.subtype if isinstance(item, bson.Binary) else 0
    return f'BinData({kind}, "{base64.b64encode(data).decode()}")'


_SHOWN: tuple[tuple[type, Shown], ...] = (
    (bson.ObjectId, lambda item: f'ObjectId("{item}")'),
    (datetime.datetime, _date),
    (datetime_ms.DatetimeMS, lambda item: f"new Date({int(cast('datetime_ms.DatetimeMS', item))})"),
    (decimal128.Decimal128, lambda item: f'NumberDecimal("{item}")'),
    (decimal.Decimal, lambda item: f'NumberDecimal("{item}")'),
    (uuid.UUID, lambda item: f'UUID("{item}")'),
    (code.Code, lambda item: f"Code({json.dumps(str(item))})"),
    (bytes, _binary),
    (re.Pattern, _pattern),
    (regex.Regex, _pattern),
    (timestamp.Timestamp, lambda item: "Timestamp({0.time}, {0.inc})".format(cast("timestamp.Timestamp", item))),
    (dbref.DBRef, lambda item: value(cast("dbref.DBRef", item).as_doc())),
    (min_key.MinKey, lambda _: "MinKey()"),
    (max_key.MaxKey, lambda _: "MaxKey()"),
)
