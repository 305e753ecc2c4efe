"""From what a user writes in a statement to what MongoDB is asked.

Called by the facade's statements, clause by clause, so that a mistake is reported in the line that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any, cast

from pydantic import AliasChoices

from . import odmantic_internals as odm
from .across import CROSSING, across
from .columns import Column, Expression, column_of, operand_of, top_level
from .computed import is_computed, rendered
from .encoding import Document, encode_field, encode_operand, is_document
from .errors import ArgumentError, ArgumentTypeError
from .mapping import FieldMap, Mapping
from .scopes import DocumentScope
from .shown import shown
from .statement_part import StatementPart
from .validation import validated

_LOGICAL = frozenset({"$and", "$or", "$nor"})


def condition(mapping: Mapping, criterion: object) -> Document:
    """Return one argument of `where()` as a filter.

    Raises:
        ArgumentTypeError: it is a bool, or nothing that can be a condition.
        ArgumentError: it names a field the model does not have, compares two fields, or is nested too deeply.
    """
    try:
        return _condition(mapping, criterion)
    except RecursionError:
        raise ArgumentError(
            "where(): the condition is nested too deeply; MongoDB takes about 100 levels of ands in ors, nots and "
            "dicts. Write it with fewer. Nothing was sent."
        ) from None


def _condition(mapping: Mapping, criterion: object) -> Document:
    if isinstance(criterion, bool):
        raise ArgumentTypeError(
            f"where() got {shown(criterion)}, which is no condition: was an attribute of an instance compared "
            f"instead of one of the class {mapping.name}?"
        )
    if isinstance(criterion, Expression) and criterion.mapping is not None and criterion.mapping is not mapping:
        raise ArgumentError(_foreign(mapping, f"{criterion.mapping.name}.{next(iter(criterion))}", "where()"))
    if isinstance(criterion, odm.QueryExpression):
        return _filter(mapping, criterion, known_only=True)
    if is_document(criterion):
        return _filter(mapping, criterion, known_only=False)
    if isinstance(criterion, StatementPart) and not is_computed(criterion):
        raise criterion.refusal()
    raise ArgumentTypeError(
        f"where() takes conditions such as {mapping.name}.{mapping.primary} == value, and dicts, got {shown(criterion)}"
    )


def expression(mapping: Mapping, value: object) -> object:
    """Return a computed value, a column or a constant as an aggregation expression over documents of the model.

    A constant is data: it stands under `$literal`.

    Raises:
        ArgumentError: a field belongs to another model, a constant cannot be encoded, or the value is one of many
            documents.
    """
    try:
        return rendered(value, DocumentScope(mapping, condition))
    except RecursionError:
        raise ArgumentError("a computed value is nested too deeply. Nothing was sent.") from None


def conjunction(first: Document, second: Document) -> Document:
    """Return the filter that asks for both."""
    if not first or not second:
        return first or second
    if first.keys().isdisjoint(second) and not any(key.startswith("$") for key in (*first, *second)):
        return {**first, **second}
    parts = cast("list[Document]", first["$and"]) if list(first) == ["$and"] else [first]
    return {"$and": [*parts, second]}


def equality(mapping: Mapping, name: str, value: object) -> Document:
    """Return one keyword of `filter_by()` as a filter; the value is data, never an operator."""
    where = "filter_by()"
    if name == "_id" and name not in mapping.fields:
        raise ArgumentError(
            f"{where}: the key of {mapping.name} is called {mapping.primary!r}; write filter_by({mapping.primary}=...)"
        )
    field = mapping.field(name, where)
    return {field.key: {"$eq": operand_of(top_level(mapping, field), value)}}


def ordering(mapping: Mapping, clause: object) -> list[tuple[str, int]]:
    """Return one argument of `order_by()` as sort keys.

    Raises:
        ArgumentTypeError: it is neither a field of the class nor `asc()` or `desc()` of one.
        ArgumentError: the field belongs to another model.
    """
    if isinstance(clause, odm.FieldProxy):
        return [(_path(mapping, clause, "order_by()"), 1)]
    if isinstance(clause, odm.SortExpression):
        for key in clause:
            _expect_key(mapping, key.partition(CROSSING)[0], "order_by()")
        return [(key, int(direction)) for key, direction in clause.items()]
    raise ArgumentTypeError(
        f"order_by() takes fields such as {mapping.name}.{mapping.primary}, asc(field) or desc(field), "
        f"got {shown(clause)}"
    )


def primary_key(mapping: Mapping, key: object) -> object:
    """Return the `_id` that *key* stands for.

    Raises:
        ArgumentError: it cannot be a key of the model.
    """
    field = _primary(mapping)
    return encode_field(field, validated(mapping, field, key, f"get({mapping.name}, ...)"))


def arguments(mapping: Mapping, values: AnyMapping[Any, object]) -> tuple[dict[str, object], bool]:
    """Return one document of `insert().values()` as what the class is called with.

    Arguments:
        mapping: the model.
        values: by field name, by what Pydantic calls the field (`alias`), or by column; the key by `_id`, too.

    Returns:
        The keyword arguments, and whether the key is among them.

    Raises:
        ArgumentTypeError: a key is none of these.
        ArgumentError: a field is unknown, or named twice.
    """
    where = f"insert({mapping.name}).values()"
    fields = {alias: name for name in mapping.fields for alias in _aliases(mapping, name)}
    given: dict[str, object] = {}
    found: set[str] = set()
    for key, value in values.items():
        name = _field_name(mapping, key, where)
        alias = name
        if name in fields:  # as the class takes it
            name = fields[name]
        elif name == "_id" or name in mapping.fields or not mapping.keeps_extra:
            name = mapping.primary if name == "_id" else mapping.field(name, where).name
            alias = next(iter(_aliases(mapping, name)), name)
        if name in found:
            raise ArgumentError(f"{where}: {name!r} is there twice, in {shown(dict(values))}")
        found.add(name)
        given[alias] = value
    return given, mapping.primary in found


def _aliases(mapping: Mapping, name: str) -> list[str]:
    """Return what the class calls a field when it is made; nothing if that is its name."""
    alias = mapping.model.model_fields[name].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [choice for choice in choices if isinstance(choice, str)]


def _field_name(mapping: Mapping, key: object, where: str) -> str:
    """Return the name in a key of a dict of values: a name, or a column."""
    if isinstance(key, str):
        return key
    if not isinstance(key, odm.FieldProxy):
        raise ArgumentTypeError(f"{where} takes names of fields, or columns, as keys, got {shown(key)}")
    path = _path(mapping, key, where)
    if path not in mapping.by_key:
        outer = mapping.by_key[path.partition(".")[0]].name
        raise ArgumentError(f"{where}: {path!r} lies inside of {mapping.name}.{outer}; give that as a whole")
    return mapping.by_key[path].name


def _filter(mapping: Mapping, given: AnyMapping[str, object], *, known_only: bool) -> Document:
    """Return a filter with its operands encoded.

    Arguments:
        mapping: the model.
        given: a filter dict or an expression of ODMantic, which is one too.
        known_only: refuse keys that are no fields: in an expression they come from another model.
    """
    compiled: Document = {}
    for key, operand in given.items():
        if not isinstance(cast("object", key), str):
            raise ArgumentTypeError(f"where(): {shown(key)} cannot be a key of a filter")
        if key in _LOGICAL:
            compiled[key] = [_condition(mapping, part) for part in _flattened(key, _parts(key, operand))]
            continue
        if known_only and CROSSING in key:
            compiled = conjunction(compiled, _across(mapping, key, operand))
            continue
        if known_only and not key.startswith("$"):
            _expect_key(mapping, key, "where()")
        compiled[key] = _operand(mapping, key, operand)
    return compiled


def _across(mapping: Mapping, key: str, operand: object) -> Document:
    """Return a condition on the targets of a reference as one on the reference."""
    root, _, rest = key.partition(CROSSING)
    _expect_key(mapping, root, "where()")
    target = cast("Mapping", mapping.by_key[root].target)
    return across(mapping, root, _filter(target, {rest: operand}, known_only=True))


def _parts(operator: str, operand: object) -> list[object]:
    if not isinstance(operand, (list, tuple)) or not operand:
        got = cast("object", operand)  # type: ignore[redundant-cast]  # not to pyright
        raise ArgumentTypeError(f"where(): {operator} takes a list of conditions, got {shown(got)}")
    return list(cast("list[object]", operand))


def _flattened(operator: str, parts: list[object]) -> list[object]:
    """Return the parts of a condition, with those of the ands in an and, and of the ors in an or, in their place.

    A chain `a & b & c` is an and in an and, and one of thousands deeper than Python or MongoDB goes. What a user nested
    in a dict stays as it is.
    """
    if operator == "$nor":  # none of none is another thing
        return parts
    flat: list[object] = []
    waiting = parts[::-1]
    while waiting:
        part = waiting.pop()
        if isinstance(part, odm.QueryExpression) and part.keys() == {operator}:
            waiting.extend(reversed(_parts(operator, part[operator])))
        else:
            flat.append(part)
    return flat


def _column(mapping: Mapping, key: str) -> str:
    field = mapping.by_key.get(key.partition(".")[0])
    return f"col({mapping.name}.{key if field is None else field.name})"


def _operand(mapping: Mapping, key: str, operand: object) -> object:
    """Return an operand encoded; a dict holds operators, each with an operand of its own."""
    if key == "$expr" and is_computed(operand):
        return expression(mapping, operand)
    if is_document(operand) and not key.startswith("$"):
        return {name: _operand(mapping, key, value) for name, value in operand.items()}
    if isinstance(operand, odm.FieldProxy):
        raise ArgumentError(
            f"where(): {key!r} is compared with the field {+operand!r}; ODMantic's operators compare with values only. "
            f"Write {_column(mapping, key)} in the place of the first: columns are compared with each other, too"
        )
    return encode_operand(operand, mapping.by_key.get(key))


def _primary(mapping: Mapping) -> FieldMap:
    return mapping.fields[mapping.primary]


def _path(mapping: Mapping, proxy: odm.FieldProxy, where: str) -> str:
    if not isinstance(proxy, Column):
        outermost, *inner = odm.proxy_path(proxy)
        own = mapping.by_key.get(outermost.key_name)
        if own is not None and own.source is outermost and not inner:  # as most are: no column is needed
            return own.key
    column = column_of(proxy)
    if column.mapping_ is not mapping:
        raise ArgumentError(_foreign(mapping, column.key_, where))
    return column.key_


def _expect_key(mapping: Mapping, key: str, where: str) -> None:
    if key.partition(".")[0] not in mapping.by_key:
        raise ArgumentError(_foreign(mapping, key, where))


def _foreign(mapping: Mapping, key: str, where: str) -> str:
    fields = ", ".join(_shown(field) for field in mapping.fields.values())
    return f"{where}: {key!r} is no field of {mapping.name}, which has {fields}; a statement concerns one model only"


def _shown(field: FieldMap) -> str:
    return field.name if field.key in (field.name, "_id") else f"{field.name} (stored as {field.key!r})"
