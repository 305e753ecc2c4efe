"""What becomes of a row of `insert()` whose key exists already: `on_conflict_do_nothing`, `on_conflict_do_update`.

Made by the facade's statement, asked by `flows.inserting`.  A row with a conflict rule is sent as an upsert that looks
for the fields of the index: `$setOnInsert` has the new document, `$set` and the other operators what becomes of the one
that is there.  MongoDB applies those to a new document too, so they must agree with the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from . import odmantic_internals as odm
from . import snapshot
from .columns import column_of
from .commands import Upsert
from .encoding import Document
from .errors import ArgumentError, ArgumentTypeError
from .mapping import FieldMap, Mapping
from .shown import shown
from .update_changes import Changes
from .update_target import target_of


@dataclass(frozen=True, slots=True)
class OnConflict:
    """The rule for rows whose key exists already.

    Attributes:
        fields: the fields of the unique index; none for whichever index it is.
        changes: what becomes of the document that is there; None for nothing.
        taken_over: the fields it takes over from the row.
    """

    fields: tuple[FieldMap, ...] = ()
    changes: Changes | None = None
    taken_over: tuple[FieldMap, ...] = ()

    def operation(self, mapping: Mapping, document: Document) -> Upsert:
        """Return what is sent for one row.

        Raises:
            ArgumentError: the new document would have another value than the row.
        """
        asked = {field.key: {"$eq": document[field.key]} for field in (*self.fields, *mapping.shard_key)}
        update = self._update(mapping, document)
        touched = {path.partition(".")[0] for part in update.values() for path in cast("Document", part)}
        for key in document:
            if "." in key or key.startswith("$"):
                raise ArgumentError(
                    f"insert({mapping.name}): no command with a conflict rule can store the key {key!r}"
                )
        fresh = {key: value for key, value in document.items() if key not in touched and key not in asked}
        if fresh:
            update["$setOnInsert"] = fresh
        return Upsert(cast("Document", asked), update)

    def _update(self, mapping: Mapping, document: Document) -> Document:
        if self.changes is None:
            return {}
        where = f"insert({mapping.name}).on_conflict_do_update()"
        for path, change in self.changes.by_path.items():
            start = change.compiled.start
            if path not in document or not snapshot.same(document[path], start):
                raise ArgumentError(
                    f"{where}: {change.target.name!r} of a new document would not be {shown(document.get(path))}, as "
                    "the row says: MongoDB does the same to a new document. Give the row the value that set_ leads to, "
                    "or insert and update in two statements"
                )
        update = self.changes.operators()
        assigned = {**cast("Document", update.get("$set", {})), **self._row_values(document)}
        if assigned:
            update["$set"] = assigned
        return update

    def _row_values(self, document: Document) -> Document:
        return {field.key: document[field.key] for field in self.taken_over}


def on_conflict(mapping: Mapping, elements: Iterable[object], where: str) -> OnConflict:
    """Return the rule that leaves an existing document as it is.

    Arguments:
        mapping: the model.
        elements: the fields of the unique index, by name or as columns.
        where: how an error message begins.

    Raises:
        ArgumentError: one is no field of the model.
    """
    if isinstance(elements, (str, bytes)) or not isinstance(cast("object", elements), Iterable):
        raise ArgumentTypeError(f"{where}: index_elements takes a list of fields, got {shown(elements)}")
    return OnConflict(tuple(_field(mapping, element, where) for element in elements))


def on_conflict_update(mapping: Mapping, elements: Iterable[object], set_: object, where: str) -> OnConflict:
    """Return the rule that changes an existing document.

    Arguments:
        mapping: the model.
        elements: the fields of the unique index; none for the primary key.
        set_: new values and operators by field; or names of fields, whose values the row has; None for all of those.
        where: how an error message begins.

    Raises:
        ArgumentError: a field is unknown, or cannot be changed.
    """
    fields = on_conflict(mapping, elements, where).fields or (mapping.fields[mapping.primary],)
    changes = Changes(mapping)
    fixed = (*fields, *mapping.shard_key, mapping.fields[mapping.primary], mapping.version)
    if isinstance(set_, dict):
        changes = changes.added(cast("Document", set_), where)
        if any("." in path for path in changes.by_path) or changes.is_pipeline:
            raise ArgumentError(f"{where}: set_ takes plain values and operators for whole fields")
        return OnConflict(fields, changes)
    if set_ is None:
        names = [field for field in mapping.fields.values() if field not in fixed]
    elif isinstance(set_, (list, tuple, set, frozenset)):
        names = [_field(mapping, name, where) for name in cast("list[object]", set_)]
    else:
        raise ArgumentTypeError(f"{where}: set_ takes a dict, or names of fields, got {shown(set_)}")
    wrong = next((field for field in names if field in fixed), None)
    if wrong is not None:
        raise ArgumentError(f"{where}: {wrong.name!r} of an existing document cannot be changed")
    return OnConflict(fields, changes, tuple(names))


def _field(mapping: Mapping, element: object, where: str) -> FieldMap:
    primary = mapping.fields[mapping.primary]
    if isinstance(element, odm.FieldProxy):
        column = column_of(element)
        if column.mapping_ is mapping and column.key_ == "_id":
            return primary
    elif element in ("_id", mapping.primary):
        return primary
    target = target_of(mapping, element, where)
    if "." in target.path:
        raise ArgumentError(f"{where}: {target.name!r} is no field of its own")
    return target.top_level
