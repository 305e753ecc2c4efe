"""The encoder of one model class, written out as Python source once per class and compiled.

Made by `encoding`, for every class whose fields are stored as they are.  A loop over the fields asks for each value
again what the class has settled for all of them: its name, its key, whether it is embedded and in which class.  Written
out, an encoder asks nothing but the types of the values, because nothing keeps a user from putting others in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias, cast

from .mapping import FieldMap, Shape

Encode: TypeAlias = Callable[[object], object]

_DEEPEST = 3
"""So many levels of embedded documents are written out in one function; further ones have functions of their own."""


class Embedded(NamedTuple):
    """The embedded instances of a field.

    Attributes:
        model: their class.
        encode: takes an instance of exactly that class.
        fields: the class's, if they are stored as they are.
    """

    model: type
    encode: Encode
    fields: Sequence[FieldEncoder] | None


class FieldEncoder(NamedTuple):
    """How the values of one field are encoded.

    Attributes:
        field: the field.
        encode: takes any value of it.
        usual: the type most of its values have.
        embedded: what it holds, if those are embedded instances.
    """

    field: FieldMap
    encode: Encode
    usual: type | None = None
    embedded: Embedded | None = None


def compiled(
    name: str, fields: Sequence[FieldEncoder], plain: Encode, as_is: frozenset[type]
) -> Callable[[object], dict[str, object]]:
    """Return a function that makes the document of an instance.

    Arguments:
        name: the class's, for tracebacks.
        fields: its fields, in the order of the document.
        plain: the encoder for which values of the types *as_is* need not be handed over.
        as_is: those types.

    The function raises `KeyError` for an instance that lacks a field.
    """
    source = _Source(plain, as_is)
    source.add(0, "def encode(instance):")
    document = source.document("instance", fields, indent=1, depth=0)
    source.add(1, f"return {document}")
    # It is made of nothing but the names and keys of fields, as Python itself writes them.
    exec(compile("\n".join(source.lines), f"<encoder of {name}>", "exec"), source.known)
    return cast("Callable[[object], dict[str, object]]", source.known["encode"])


class _Source:
    """The source of one encoder, as far as it is written.

    Attributes:
        lines: the source.
        known: what its names stand for.
    """

    def __init__(self, plain: Encode, as_is: frozenset[type]) -> None:
        self.lines: list[str] = []
        self.known: dict[str, object] = {"as_is": as_is}
        self._plain = plain
        self._last = 0

    def add(self, indent: int, *lines: str) -> None:
        """Add lines."""
        self.lines += [f"{'    ' * indent}{line}" for line in lines]

    def document(self, instance: str, fields: Sequence[FieldEncoder], *, indent: int, depth: int) -> str:
        """Write what encodes the fields of *instance*, and return the expression for its document."""
        held = self._name("held")
        self.add(indent, f"{held} = {instance}.__dict__")
        items: list[str] = []
        for part in fields:
            value = self._name("value")
            self.add(indent, f"{value} = {held}[{part.field.name!r}]")
            self._encoded(value, part, indent, depth)
            items.append(f"{part.field.key!r}: {value}")
        return f"{{{', '.join(items)}}}"

    def _encoded(self, value: str, part: FieldEncoder, indent: int, depth: int) -> None:
        """Write what puts the encoded form of a value in its place."""
        encode = self._known("encode", part.encode)
        if part.embedded is not None and part.field.shape is Shape.EMBEDDED:
            self._one(value, part.embedded, encode, indent, depth)
        elif part.embedded is not None:
            encoded, item = self._name("encoded"), self._name("item")
            self.add(indent, f"if type({value}) is list:", f"    {encoded} = []", f"    for {item} in {value}:")
            self._one(item, part.embedded, encode, indent + 2, depth)
            self.add(indent, f"        {encoded}.append({item})", f"    {value} = {encoded}")
            self.add(indent, "else:", f"    {value} = {encode}({value})")
        elif part.encode is self._plain:
            unusual = f"type({value}) not in as_is"
            if part.usual is not None:  # a quicker question
                unusual = f"type({value}) is not {self._known('usual', part.usual)} and {unusual}"
            self.add(indent, f"if {unusual}:", f"    {value} = {encode}({value})")
        else:
            self.add(indent, f"{value} = {encode}({value})")

    def _one(self, value: str, embedded: Embedded, encode: str, indent: int, depth: int) -> None:
        self.add(indent, f"if type({value}) is {self._known('model', embedded.model)}:")
        if embedded.fields is None or depth == _DEEPEST:
            self.add(indent, f"    {value} = {self._known('encode', embedded.encode)}({value})")
        else:
            document = self.document(value, embedded.fields, indent=indent + 1, depth=depth + 1)
            self.add(indent, f"    {value} = {document}")
        self.add(indent, "else:", f"    {value} = {encode}({value})")

    def _known(self, word: str, what: object) -> str:
        name = self._name(word)
        self.known[name] = what
        return name

    def _name(self, word: str) -> str:
        self._last += 1
        return f"{word}{self._last}"
