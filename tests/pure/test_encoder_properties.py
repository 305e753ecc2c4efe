"""For random models and random values: the document is the one ODMantic writes, and reading it gives the instance."""

from __future__ import annotations

from typing import Any, cast

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from hypothesis import event, given, settings

from mongotic_adapters.encoding import encode_instance, encode_operand
from mongotic_adapters.hydration import hydrate
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.snapshot import decode, difference, take
from tests.pure.random_models import Made, instances, to_degrees

# Without a setting, PyMongo refuses UUIDs.
CODEC = cast("CodecOptions[dict[str, object]]", CodecOptions(uuid_representation=UuidRepresentation.STANDARD))


def as_bson(document: Any) -> bytes:
    """What a document is in the database, whatever the order of its outermost keys."""
    return bson.encode(dict(sorted(document.items())), codec_options=CODEC)


def of_odmantic(made: Made) -> bytes | None:
    """The document ODMantic writes, or None where it or the driver fails."""
    try:
        return as_bson(made.instance.model_dump_doc())
    except Exception:  # noqa: BLE001  # it stumbles in many ways
        return None


@settings(max_examples=150)
@given(instances())
def test_a_document_is_the_one_odmantic_writes(made: Made) -> None:
    expected = of_odmantic(made) if made.ordinary else None
    event("ODMantic writes it" if expected else "mongotic alone writes it")
    found = as_bson(encode_instance(mapping_of(type(made.instance)), made.instance))
    assert expected is None or found == expected


@settings(max_examples=150)
@given(instances())
def test_reading_a_document_gives_an_equal_instance(made: Made) -> None:
    mapping = mapping_of(type(made.instance))
    snapshot = take(mapping, made.instance, CODEC)
    read = hydrate(mapping, decode(snapshot, CODEC), made.references)
    assert read == made.instance
    assert not difference(snapshot, take(mapping, read, CODEC), CODEC)


@settings(max_examples=150)
@given(instances())
def test_a_value_in_a_filter_is_what_documents_hold(made: Made) -> None:
    mapping = mapping_of(type(made.instance))
    document = encode_instance(mapping, made.instance)
    for name, field in mapping.fields.items():
        # What functions of the user's make of a value for the document is theirs to say in a filter, too.
        if field.serializer is not to_degrees and not mapping.own_serializers:
            value = getattr(made.instance, name)
            assert as_bson({"": encode_operand(value, field)}) == as_bson({"": document[field.key]})
