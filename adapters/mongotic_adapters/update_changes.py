"""What an update statement changes: fields set to values, given to operators, or computed from the document.

Made by the facade's `update().values()`, clause by clause; `upserts` and the flows make commands of it.  Values alone
become an update document; as soon as one is computed, the whole becomes an update pipeline, in which every plain value
stands under `$literal`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias, cast

from . import odmantic_internals as odm
from . import single_document
from .computed import Computed
from .computed_changes import computed_change
from .encoding import Document
from .errors import ArgumentError
from .mapping import Mapping
from .shown import shown
from .update_operators import Compiled, Operator, compiled, element_condition
from .update_target import ANY_TYPE, Target, target_of

UpdateDocument: TypeAlias = "Document | list[Document]"
"""What MongoDB takes as an update: operators with paths, or a pipeline."""


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """One path of a document and what becomes of it.

    Attributes:
        target: the place.
        compiled: MongoDB's operator with its operand.
        is_expression: the operand is computed from the document.
    """

    target: Target
    compiled: Compiled
    is_expression: bool = False

    @property
    def paths(self) -> list[str]:
        """The paths it writes to."""
        other = self.compiled.other_path
        return [self.target.path] if other is None else [self.target.path, other]


class Changes:
    """All that one statement changes.  Immutable.

    Arguments:
        mapping: the model.
        by_path: each change by its path.
    """

    __slots__ = ("by_path", "mapping")

    def __init__(self, mapping: Mapping, by_path: AnyMapping[str, Change] | None = None) -> None:
        self.mapping = mapping
        self.by_path: dict[str, Change] = dict(by_path or {})

    def __bool__(self) -> bool:
        return bool(self.by_path)

    def added(self, values: AnyMapping[Any, object], where: str) -> Changes:
        """Return these changes and more; a path that is there already is changed as said last.

        Arguments:
            values: values, operators or expressions, by the name of a field, by a path or by a column.
            where: how an error message begins.

        Raises:
            ArgumentError: a field is unknown, the primary key, the version, or part of the shard key; a value does not
                fit; or two paths contradict each other.
        """
        every = dict(self.by_path)
        given: set[str] = set()
        for key, value in values.items():
            change = self._change(target_of(self.mapping, key, where), value, where)
            if change.target.path in given:
                raise ArgumentError(f"{where}: {change.target.name!r} is there twice")
            given.add(change.target.path)
            every[change.target.path] = change
        _expect_apart(every.values(), where)
        return Changes(self.mapping, every)

    def _change(self, target: Target, value: object, where: str) -> Change:
        mapping, field = self.mapping, target.top_level
        if mapping.version is field:
            raise ArgumentError(f"{where}: {field.name!r} is the version field, which counts by itself")
        if field in mapping.shard_key:
            raise ArgumentError(f"{where}: {field.name!r} is part of the shard key, which a document keeps")
        if isinstance(value, Operator):
            return Change(target, compiled(value, target, where))
        if isinstance(value, (odm.FieldProxy, Computed)):
            return Change(
                target,
                Compiled("$set", computed_change(target, cast("object", value), where), None),
                is_expression=True,
            )
        if isinstance(value, odm.QueryExpression):
            raise ArgumentError(f"{where}: {target.name!r} is given a condition, which is no value; see case()")
        stored = target.value(value, where)
        return Change(target, Compiled("$set", stored, stored))

    @property
    def within(self) -> Document:
        """What a document must be like: an embedded document that is changed inside is there, and so is a list.

        Otherwise MongoDB would make one up, of the changed field alone, which the model could not read.
        """
        asked = dict(pair for change in self.by_path.values() for pair in change.target.within)
        return {
            path: {"$exists": True} if kind == ANY_TYPE else {"$type": kind} for path, kind in sorted(asked.items())
        }

    @property
    def is_pipeline(self) -> bool:
        """Whether a value is computed from the document."""
        return any(change.is_expression for change in self.by_path.values())

    def as_update(self) -> UpdateDocument:
        """Return what MongoDB is sent; the version of a model that has one is counted up.

        Raises:
            ArgumentError: operators are mixed with computed values.
        """
        return self._pipeline() if self.is_pipeline or self._counts_from_default else self.operators()

    @property
    def _counts_from_default(self) -> bool:
        """Whether a missing version stands for another number than 0, and a pipeline can count from there."""
        version = self.mapping.version
        if version is None or version.default() == 0 or not isinstance(version.default(), int):
            return False
        changes = self.by_path.values()
        return all(not change.target.is_in_list and change.compiled.name == "$set" for change in changes)

    def operators(self) -> Document:
        """Return the update document of values and operators; the version is counted up, by `single_document.step`."""
        update: dict[str, Document] = {}
        for path, change in self.by_path.items():
            update.setdefault(change.compiled.name, {})[path] = change.compiled.operand
        version = self.mapping.version
        if version is not None:
            update.setdefault("$inc", {})[version.key] = single_document.step(version)
        return cast("Document", update)

    def _pipeline(self) -> list[Document]:
        assigned: Document = {}
        removed: list[str] = []
        for path, change in self.by_path.items():
            name = change.compiled.name
            if change.target.is_in_list or name not in ("$set", "$unset"):
                raise ArgumentError(
                    f"update({self.mapping.name}): {change.target.name!r} is given an operator or leads into a list, "
                    "which MongoDB does not mix with computed values; compute it, too, or send two statements"
                )
            if name == "$unset":
                removed.append(path)
            else:
                operand = change.compiled.operand
                assigned[path] = operand if change.is_expression else {"$literal": operand}
        version = self.mapping.version
        if version is not None:
            default = version.default()
            start = default if isinstance(default, int) else 0
            assigned[version.key] = {"$add": [{"$ifNull": [f"${version.key}", start]}, 1]}
        stages: list[Document] = [{"$set": assigned}]
        if removed:
            stages.append({"$unset": removed})
        return stages

    def array_filters(self, criteria: AnyMapping[str, object]) -> list[Document] | None:
        """Return conditions on elements as MongoDB takes them; None for none.

        Arguments:
            criteria: what `$[name]` in a path stands for, by name.

        Raises:
            ArgumentError: a name in a path has no condition, or the other way round, or a condition concerns something
                else.
        """
        where = f"update({self.mapping.name}).array_filters()"
        lists = self._lists()
        for name in lists.keys() - criteria.keys():
            raise ArgumentError(f"{where} does not say which elements $[{name}] stands for; write {name}=condition")
        filters: list[Document] = []
        for name, criterion in criteria.items():
            if name not in lists:
                raise ArgumentError(f"{where}: no path of values() has $[{name}] in it")
            filters.append(cast("Document", element_condition(lists[name], criterion, name, where)))
        return filters or None

    @property
    def names(self) -> frozenset[str]:
        """What elements of lists are called in the paths: `low` in `scores.$[low]`."""
        return frozenset(self._lists())

    def _lists(self) -> dict[str, Target]:
        return {name: place for change in self.by_path.values() for name, place in _lists(self.mapping, change.target)}

    def __repr__(self) -> str:
        return shown(
            {
                path: change.compiled.operand
                if change.compiled.name == "$set" and not change.is_expression
                else {change.compiled.name: change.compiled.operand}
                for path, change in self.by_path.items()
            }
        )


def _lists(mapping: Mapping, target: Target) -> Iterable[tuple[str, Target]]:
    """Yield each name for elements in a path, with the list it stands in."""
    parts = target.name.split(".")
    for position, part in enumerate(parts):
        if part.startswith("$[") and part != "$[]":
            yield part[2:-1], target_of(mapping, ".".join(parts[:position]), "array_filters()")


def _expect_apart(changes: Iterable[Change], where: str) -> None:
    """Check that no path lies inside of another one, and that none is written twice."""
    paths = sorted(tuple(path.split(".")) for change in changes for path in change.paths)
    for one, other in pairwise(paths):
        if other[: len(one)] == one:
            raise ArgumentError(
                f"{where}: {'.'.join(one)!r} and {'.'.join(other)!r} contradict each other, because one is a part of "
                "the other; give the value as a whole, or its parts"
            )
