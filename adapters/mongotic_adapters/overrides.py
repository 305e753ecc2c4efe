"""The methods that a team's engine class has in the place of ODMantic's: audit, time stamps, filters by tenant.

Asked by the ports, through `binding`, so that what a session does is never hidden from them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from odmantic import AIOEngine, Model, SyncEngine
from odmantic.exceptions import DocumentParsingError
from pydantic_core import PydanticUndefined

from . import odmantic_internals as odm
from .commands import USUAL, FindAndModify, Read, SendOptions
from .encoding import Document, encode_field, encode_instance, is_document
from .errors import DocumentError, InvalidRequestError
from .identity_map import identity_key
from .mapping import FieldMap, Mapping, Shape
from .records import Record
from .snapshot import Codec, encode_document

Writes: TypeAlias = Literal["auto", "bulk", "engine"]
"""Whether instances are written by bulk writes or by the engine's own methods; `"auto"`: by those it overrides."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """The calls of one engine that must not be passed by.

    Arguments:
        engine: the engine.
        names: its methods in question.

    What its methods return is returned as it is: awaitable, for an engine of asyncio.
    """

    engine: SyncEngine | AIOEngine
    names: frozenset[str]

    @property
    def reads(self) -> bool:
        """Whether documents are read by the engine."""
        return not self.names.isdisjoint({"find", "find_one"})

    @property
    def saves(self) -> bool:
        """Whether instances are stored by the engine."""
        return not self.names.isdisjoint({"save", "save_all"})

    @property
    def deletes(self) -> bool:
        """Whether instances are removed by the engine."""
        return "delete" in self.names

    def find(self, read: Read, session: object) -> object:
        """Ask the engine for instances."""
        engine, model = self._engine, read.mapping.document_model
        condition = odm.QueryExpression(cast("Any", read.filter))
        sort = odm.SortExpression(cast("Any", dict(read.sort))) if read.sort else None
        if "find_one" in self.names and read.fits_one_batch and not read.skip:
            return engine.find_one(model, condition, sort=sort, session=session)
        return engine.find(model, condition, sort=sort, skip=read.skip, limit=read.limit, session=session)

    def count(self, read: Read, session: object) -> object:
        """Ask the engine how many documents fit, whatever the limit; or for as many instances as are to be counted,
        where it is its `find` alone that knows."""
        engine, model = self._engine, read.mapping.document_model
        condition = odm.QueryExpression(cast("Any", read.filter))
        if "find" in self.names and "count" not in self.names:
            most = None if read.limit is None else read.skip + read.limit
            return engine.find(model, condition, limit=most, session=session)
        return engine.count(model, condition, session=session)

    def save(self, instance: Model, session: object) -> object:
        """Let the engine store an instance."""
        if "save" in self.names:
            return self._engine.save(instance, session=session)
        return self._engine.save_all([instance], session=session)

    def delete(self, instance: Model, session: object) -> object:
        """Let the engine remove the document of an instance."""
        return self._engine.delete(instance, session=session)

    def remove(self, mapping: Mapping, condition: Document, session: object) -> object:
        """Let the engine remove every document that fits."""
        return self._engine.remove(mapping.document_model, odm.QueryExpression(cast("Any", condition)), session=session)

    @property
    def _engine(self) -> Any:  # the two kinds of engine have the same methods, plain and awaited
        return self.engine


def overrides(engine: SyncEngine | AIOEngine, writes: Writes) -> Overrides | None:
    """Return what *engine* wants to be called for, None for nothing.

    Arguments:
        engine: any engine.
        writes: whether it is called for writes.
    """
    names = odm.overridden(engine)
    if writes == "engine":
        names |= {"save", "delete"}
    elif writes == "bulk":
        names -= {"save", "save_all", "delete", "remove"}
    return Overrides(engine, names) if names else None


def as_records(mapping: Mapping, found: object, codec: Codec) -> list[Record]:
    """Return the documents of what an engine's `find` or `find_one` gave: instances, as its hooks have left them."""
    if found is None:
        return []
    instances = [found] if isinstance(found, Model) else list(cast("Iterable[Model]", found))
    documents = [encode_instance(mapping, instance) for instance in instances]
    return [(document, encode_document(document, codec, mapping.name)) for document in documents]


def without_defaults(mapping: Mapping, records: list[Record], stored: Sequence[Record], codec: Codec) -> list[Record]:
    """Return *records* without the embedded documents that only stand for defaults, as the stored documents lack them.

    Arguments:
        mapping: the model.
        records: what `as_records` gave.
        stored: the documents themselves, with those of their keys that `standing_for_defaults` gave.
        codec: the codec options of the collection.
    """
    by_key = {identity_key(mapping, document["_id"]): document for document, _ in stored}
    found: list[Record] = []
    for document, data in records:
        there = by_key.get(identity_key(mapping, document["_id"]))
        kept = document if there is None else _without(mapping, document, there)
        found.append((document, data) if kept == document else (kept, encode_document(kept, codec, mapping.name)))
    return found


def standing_for_defaults(mapping: Mapping, records: list[Record]) -> Read | None:
    """Return what tells which embedded documents of *records* are stored, None if none of them looks like a default."""
    doubtful = [document for document, _ in records if _without(mapping, document, {}, deep=True) != document]
    if not doubtful:
        return None
    embedded: Document = {field.key: 1 for field in mapping.fields.values() if field.shape is Shape.EMBEDDED}
    keys = [document["_id"] for document in doubtful]
    return Read(mapping, {"_id": {"$in": keys}}, projection=embedded, direct=True)


def _without(mapping: Mapping, document: Document, stored: Document, *, deep: bool = False) -> Document:
    """Return *document* without the embedded documents that equal their defaults and that *stored* lacks.

    Arguments:
        mapping: of the model, or of the embedded one.
        document: what an instance would be stored as.
        stored: what is stored.
        deep: look into those that *stored* lacks, too.
    """
    kept = dict(document)
    for field in mapping.fields.values():
        value = document.get(field.key)
        if field.shape is not Shape.EMBEDDED or field.target is None or not is_document(value):
            continue
        inner = stored.get(field.key)
        if field.key not in stored and _is_default(field, value):
            del kept[field.key]
        elif deep or is_document(inner):
            kept[field.key] = _without(field.target, value, inner if is_document(inner) else {}, deep=deep)
    return kept


def _is_default(field: FieldMap, value: Document) -> bool:
    default = PydanticUndefined if field.required else field.default()
    return isinstance(default, odm.BaseODMModel) and encode_field(field, default) == value


@contextmanager
def parsing(read: Read) -> Generator[None]:
    """Raise as an error of mongotic what ODMantic raises inside the block of a document that does not fit.

    Raises:
        DocumentError: the document does not fit the model.
    """
    try:
        yield
    except DocumentError:
        raise
    except DocumentParsingError as error:
        asked = read.filter.get("_id")  # ODMantic does not say which document it was
        raise DocumentError(None if is_document(asked) else asked, read.mapping.document_model, error.inner) from error


async def whole_documents(batches: AsyncGenerator[Sequence[Record], None]) -> AsyncGenerator[list[Document], None]:
    """Yield the documents of records."""
    try:
        async for records in batches:
            yield [document for document, _ in records]
    finally:
        await batches.aclose()


def counted(read: Read, found: object) -> int:
    """Return how many documents a query gives, from what `Overrides.count` gave."""
    total = found if isinstance(found, int) else len(list(cast("Iterable[Model]", found)))
    left = max(total - read.skip, 0)
    return left if read.limit is None else min(left, read.limit)


def expect_not_passed_by(custom: Overrides | None, command: FindAndModify) -> None:
    """Check that nobody's own `find` or `remove` is passed by.

    Raises:
        InvalidRequestError: the engine has one, and a document is to be found, or removed, and given in one step.
    """
    if custom is None:
        return
    if custom.reads or (command.update is None and "remove" in custom.names):
        method = "find" if custom.reads else "remove"
        raise InvalidRequestError(
            f"{type(custom.engine).__name__} has a {method}() of its own, and returning() of {command.mapping.name} "
            "would go past it: leave returning() out, or bind a session to its client, with database=, to do that "
            "deliberately"
        )


def expect_no_options(options: SendOptions, mapping: Mapping) -> None:
    """Check that nothing is to go along with a removal that an engine's own `remove` does.

    Raises:
        InvalidRequestError: something is, and ODMantic's method has no arguments for it.
    """
    if options != USUAL:
        raise InvalidRequestError(
            f"delete({mapping.name}): the engine has a remove() of its own, which takes no hint, collation, comment, "
            "time or write concern: leave execution_options() out, or bind a session to its client, with database=, "
            "to go past it deliberately"
        )


def expect_no_find(custom: Overrides | None, mapping: Mapping) -> None:
    """Check that nobody's own `find` is passed by.

    Raises:
        InvalidRequestError: the engine has one, and what is asked for cannot be asked of it.
    """
    if custom is not None and custom.reads:
        raise InvalidRequestError(
            f"{type(custom.engine).__name__} has a find() of its own, and distinct rows, aggregates and changes of "
            f"{mapping.name} would go past it. Bind a session to its client, with database=, to do that deliberately"
        )
