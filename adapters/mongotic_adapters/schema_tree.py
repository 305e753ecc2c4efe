"""The one walk through pydantic-core schemas, which are trees of dicts, lists and tuples.

Asked by `odmantic_internals`, for what lies in the schema of a class, and by `document_validator`, `stored_schema` and
`reading_back`, for other schemas made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias, cast

Schema: TypeAlias = dict[str, object]

# Where a schema holds values of the user's, settings, or what is said of dumps, and nothing by which values are read.
_OPAQUE = frozenset({"cls", "config", "default", "expected", "members", "metadata", "serialization"})


def _is_opaque(node: Schema, key: str) -> bool:
    """Tell whether what lies under *key* is no schema.

    A dict without a type is none itself: it holds the fields of a model by their names, which may be any.
    """
    return key in _OPAQUE and isinstance(node.get("type"), str)


def parts(
    node: object, definitions: Iterable[Schema] = (), within: Callable[[Schema], bool] | None = None
) -> Iterator[Schema]:
    """Give every dict in a schema, the schema itself first.

    Arguments:
        node: the schema.
        definitions: what it may refer to; each is gone through where it is first referred to.
        within: tells of which parts the parts are wanted, too; of all by default.
    """
    named = {definition.get("ref"): definition for definition in definitions}
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield (schema := cast("Schema", part))
            if schema.get("type") == "definition-ref":
                waiting.append(named.pop(schema["schema_ref"], None))
            elif within is None or within(schema):
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
    return descended(schema, change) if changed is None else changed


def descended(schema: Schema, change: Callable[[Schema], Schema | None]) -> Schema:
    """Return a copy of a schema in the parts of which *change* has had its way."""
    return {key: value if _is_opaque(schema, key) else rebuilt(value, change) for key, value in schema.items()}


class FieldSchema(NamedTuple):
    """What a class's schema says of one field.

    Attributes:
        schema: the field's own.
        config: the configuration of the class.
        definitions: what both may refer to.
    """

    schema: Schema
    config: Schema
    definitions: list[Schema]

    def of_values(self) -> FieldSchema:
        """Return the same without what stands in for a missing key, which is not validated."""
        schema = self.schema
        while schema["type"] == "default":
            schema = cast("Schema", schema["schema"])
        return self._replace(schema=schema)

    def parts(self, within: Callable[[Schema], bool] | None = None) -> Iterator[Schema]:
        """Give every dict in the field's schema; see `parts`."""
        return parts(self.schema, self.definitions, within)


def without_wrapping(schema: Schema) -> Schema:
    """Return the part of the schema of a model that lists its fields."""
    return list(_wrappings(schema))[-1]


def field_schema(whole: Schema, name: str) -> FieldSchema:
    """Return what the schema of a class says of a field."""
    nodes = list(_wrappings(whole))
    config = next((node.get("config") for node in nodes if node["type"] == "model"), None)
    definitions = [part for node in nodes for part in cast("list[Schema]", node.get("definitions", []))]
    field = cast("dict[str, Schema]", nodes[-1]["fields"])[name]
    return FieldSchema(cast("Schema", field["schema"]), cast("Schema", config or {}), definitions)


def _wrappings(schema: Schema) -> Iterator[Schema]:
    """Give the schema of a model, what it wraps, and so on to the part that lists the fields."""
    definitions: list[Schema] = []
    yield schema
    while schema["type"] != "model-fields":
        definitions += cast("list[Schema]", schema.get("definitions", []))
        if schema["type"] == "definition-ref":
            reference = schema["schema_ref"]
            schema = next(definition for definition in definitions if definition.get("ref") == reference)
        else:
            schema = cast("Schema", schema["schema"])
        yield schema
