"""Keys of documents in paths: `DocumentId` for FastAPI, `ObjectIdConvertor` for Starlette's `{key:objectid}`.

Used by services.
"""

from __future__ import annotations

from typing import Annotated

import bson
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from starlette.convertors import Convertor


def _key(value: object) -> bson.ObjectId:
    if not isinstance(value, bson.ObjectId) and not (isinstance(value, str) and bson.ObjectId.is_valid(value)):
        raise ValueError("a key has 24 hexadecimal digits")
    return bson.ObjectId(value)


# Not ODMantic's own type, which says of a wrong key what is wrong with it as bytes, as text and as an object.
DocumentId = Annotated[
    bson.ObjectId,
    PlainValidator(_key),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F]{24}$", "examples": ["65f1a6d1c2a4b8f0e1d2c3b4"]}),
]
"""The key of a document as a parameter of a path or a query: 24 hexadecimal digits, an `ObjectId` to the handler.
Anything else is answered by 422."""


class ObjectIdConvertor(Convertor[bson.ObjectId]):
    """Lets a path of Starlette have an ObjectId: once `register_url_convertor("objectid", ObjectIdConvertor())`, then
    `Route("/books/{key:objectid}", read)`.  Anything else in its place is another path, and answered by 404."""

    regex = "[0-9a-fA-F]{24}"

    def convert(self, value: str) -> bson.ObjectId:
        """Return the key of a path."""
        return bson.ObjectId(value)

    def to_string(self, value: bson.ObjectId) -> str:
        """Return a key as a path has it."""
        return str(value)
