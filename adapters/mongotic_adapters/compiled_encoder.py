"""The encoder of one model class, written out as Python source once per class and compiled.

Made by `encoding`, for every class whose fields are stored as they are.  A loop over the fields asks for each value
again what the class has settled for all of them: its name, its key, whether it is embedded and in which class.  Written
out, an encoder asks nothing but the types of the values, because nothing keeps a user from putting others in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

from .mapping import FieldMap, Shape

Encode: TypeAlias = Callable[[object], object]


class FieldEncoder(NamedTuple):
    """How the values of one field are encoded.

    Attributes:
        field: the field.
        encode: takes any value of it.
        kind: the class of its embedded instances, None for other fields.
        encode_kind: takes an instance of exactly that class.
    """

    field: FieldMap
    encode: Encode
    kind: type | None = None
    encode_kind: Encode | None = None


def compiled(
    name: str, fields: list[FieldEncoder], plain: Encode, as_is: frozenset[type], *, key_first: bool
) -> Callable[[object], dict[str, object]]:
    """Return a function that makes the document of an instance.

    Arguments:
        name: the class's, for tracebacks.
        fields: its fields, in the order of the document.
        plain: the encoder for which values of the types *as_is* need not be handed over.
        as_is: those types.
        key_first: the document begins with `_id`, wherever that is declared.

    The function raises `KeyError` for an instance that lacks a field.
    """
    known: dict[str, object] = {"as_is": as_is}
    lines: list[str] = []
    for number, part in enumerate(fields):
        lines.append(f"    v{number} = values[{part.field.name!r}]")
        lines += [f"    {line}" for line in _encoding(number, part, part.encode is plain)]
        known |= {f"encode{number}": part.encode, f"kind{number}": part.kind, f"one{number}": part.encode_kind}
    keys = {part.field.key: f"v{number}" for number, part in enumerate(fields)}
    if key_first:
        keys = {"_id": keys["_id"]} | keys
    items = ", ".join(f"{key!r}: {value}" for key, value in keys.items())
    source = "\n".join(["def encode(instance):", "    values = instance.__dict__", *lines, f"    return {{{items}}}"])
    exec(compile(source, f"<encoder of {name}>", "exec"), known)  # made of nothing but reprs of names and keys
    return cast("Callable[[object], dict[str, object]]", known["encode"])


def _encoding(number: int, part: FieldEncoder, is_plain: bool) -> list[str]:
    """Return the lines that encode the value of one field in its place."""
    value, encode, kind, one = (f"{word}{number}" for word in ("v", "encode", "kind", "one"))
    if is_plain:
        return [f"if type({value}) not in as_is:", f"    {value} = {encode}({value})"]
    if part.kind is None:
        return [f"{value} = {encode}({value})"]
    if part.field.shape is Shape.EMBEDDED:
        return [f"{value} = {one}({value}) if type({value}) is {kind} else {encode}({value})"]
    each = f"[{one}(item) if type(item) is {kind} else {encode}(item) for item in {value}]"
    return [f"{value} = {each} if type({value}) is list else {encode}({value})"]
