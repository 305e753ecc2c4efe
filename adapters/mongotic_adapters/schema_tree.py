"""The one walk through pydantic-core schemas, which are trees of dicts, lists and tuples.

Asked by `odmantic_internals`, for what lies in the schema of a class, and by `document_validator`, for another schema
made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

Schema: TypeAlias = dict[str, object]

# Where a schema holds values of the user's, or settings, and no schemas.
_OPAQUE = frozenset({"cls", "config", "default", "expected", "members", "metadata"})


def _is_opaque(node: Schema, key: str) -> bool:
    """Tell whether what lies under *key* is no schema.

    A dict without a type is none itself: it holds the fields of a model by their names, which may be any.
    """
    return key in _OPAQUE and isinstance(node.get("type"), str)


def parts(node: object) -> Iterator[Schema]:
    """Give every dict in a schema, the schema itself first."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield (schema := cast("Schema", part))
            waiting.extend(value for key, value in schema.items() if not _is_opaque(schema, key))
        elif isinstance(part, (list, tuple)):
            waiting.extend(cast("list[object]", part))


def rebuilt(node: object, change: Callable[[Schema], Schema | None]) -> object:
    """Return a copy of a schema in which *change* has had its way.

    Arguments:
        node: the schema.
        change: gives what to put in the place of a part, or None for a copy of it.
    """
    if isinstance(node, list):
        return [rebuilt(item, change) for item in cast("list[object]", node)]
    if isinstance(node, tuple):
        return tuple(rebuilt(item, change) for item in cast("tuple[object, ...]", node))
    if not isinstance(node, dict):
        return node
    schema = cast("Schema", node)
    changed = change(schema)
    if changed is not None:
        return changed
    return {key: value if _is_opaque(schema, key) else rebuilt(value, change) for key, value in schema.items()}


def without_wrapping(schema: Schema) -> Schema:
    """Return the part of the schema of a model that lists its fields."""
    definitions: list[Schema] = []
    while schema["type"] != "model-fields":
        definitions += cast("list[Schema]", schema.get("definitions", []))
        if schema["type"] == "definition-ref":
            reference = schema["schema_ref"]
            schema = next(definition for definition in definitions if definition.get("ref") == reference)
        else:
            schema = cast("Schema", schema["schema"])
    return schema
