"""Conditions on the documents that others refer to: `col(Book.publisher).name == "North"`.

Made by `compiler` of the keys that `columns` gives such columns; the keys of the targets are asked for by
`flows.across`, by one query of their own per condition, before the statement is sent.  That was measured against a
`$lookup` in the statement itself, and is faster wherever there are fewer targets than documents; it can use an index on
the reference, and it serves `update` and `delete`, which take no pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from typing import cast

from .encoding import Document, is_document
from .mapping import Mapping, Shape

CROSSING = ".$"
"""What stands in a key where it leads from a reference into its target.  No field has such a name: what does not know
of it is refused by the server, and finds nothing by mistake."""


class TargetKeys:
    """The keys of the documents of a model that fit a condition; in a filter, in the place of a list of them."""

    __slots__ = ("condition", "mapping")

    def __init__(self, mapping: Mapping, condition: Document) -> None:
        self.mapping = mapping
        self.condition = condition

    def __repr__(self) -> str:
        return f"<keys of {self.mapping.name} that fit {self.condition!r}>"


def across(mapping: Mapping, root: str, condition: Document) -> Document:
    """Return a condition on the targets of a reference as one on the reference.

    Comparison is MongoDB's there too: what fits where a field is missing, fits where the whole target is.

    Arguments:
        mapping: the model that refers.
        root: the key of the reference.
        condition: one key with its operators, of the model referred to.
    """
    target = cast("Mapping", mapping.by_key[root].target)
    if fits_missing(condition):
        return {root: {"$nin": TargetKeys(target, {"$nor": [condition]})}}
    return {root: {"$in": TargetKeys(target, condition)}}


def fits_missing(condition: Document) -> bool:
    """Tell whether a condition on one key fits a document that lacks the key."""
    return all(_operand_fits(operand) for operand in condition.values())


def _operand_fits(operand: object) -> bool:
    if not is_document(operand) or not all(key.startswith("$") for key in operand):
        return operand is None
    return all(_fits(operator, value) for operator, value in operand.items() if operator != "$options")


def _fits(operator: str, value: object) -> bool:
    if operator in ("$eq", "$gte", "$lte"):
        return value is None
    if operator == "$ne":
        return value is not None
    if operator == "$in":
        return isinstance(value, list) and None in cast("list[object]", value)
    if operator == "$nin":
        return not (isinstance(value, list) and None in cast("list[object]", value))
    if operator == "$not":
        return not _operand_fits(value)
    return operator == "$exists" and not value


def waiting(condition: object) -> Iterator[TargetKeys]:
    """Yield what stands in a filter for keys that are still to be asked for."""
    if isinstance(condition, list):
        for part in cast("list[object]", condition):
            yield from waiting(part)
    elif is_document(condition):
        for value in condition.values():
            if isinstance(value, TargetKeys):
                yield value
            elif isinstance(value, (dict, list)):
                yield from waiting(cast("object", value))


def crosses(mapping: Mapping, key: str) -> bool:
    """Tell whether a key leads from a reference of the model into its target."""
    root, crossing, _ = key.partition(CROSSING)
    field = mapping.by_key.get(root) if crossing else None
    return field is not None and field.shape is Shape.REFERENCE


def with_keys(condition: AnyMapping[str, object], found: AnyMapping[int, list[object]]) -> Document:
    """Return a filter with the keys that were found in their places.

    Arguments:
        condition: the filter; it is not changed.
        found: the keys, by the `id()` of what stands for them.
    """
    return {key: _with_keys(value, found) for key, value in condition.items()}


def _with_keys(value: object, found: AnyMapping[int, list[object]]) -> object:
    if isinstance(value, TargetKeys):
        return found[id(value)]
    if is_document(value):
        return with_keys(value, found)
    if isinstance(value, list):
        return [_with_keys(item, found) for item in cast("list[object]", value)]
    return value
