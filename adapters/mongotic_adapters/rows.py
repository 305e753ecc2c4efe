"""`Row`: the values one document gave for the columns that were selected.

Made by `projection` and by the flows that give whole entities as rows; `mongotic.result` shows it to users.  A row is
a tuple, and its names lie in its class, which all rows of the same columns share: a row costs no more than a tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any, ClassVar, SupportsIndex, TypeAlias, cast, overload

from typing_extensions import TypeVarTuple, Unpack

from .suggestions import did_you_mean

Ts = TypeVarTuple("Ts")


class Row(tuple[Unpack[Ts]]):
    """The values of one row: by attribute (`row.name`), by index (`row[0]`), by key (`row["name"]`), or unpacked.

    The value of an embedded field has the name of that field (`row.city`), and is found by its path too
    (`row["address.city"]`); where two columns would have the same name, the embedded one is called `address_city`.
    The key as text, `User._id` of a `MongoBaseModel`, is `row._id`.
    A row cannot be changed, and is equal to every tuple of the same values.
    """

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]] = ()
    """The names of the columns."""
    _paths: ClassVar[tuple[str, ...]] = ()
    _positions: ClassVar[Mapping[str, int]] = MappingProxyType({})

    @overload  # more than a tuple takes: keys
    def __getitem__(self, key: SupportsIndex | str, /) -> Any: ...  # the value of a column known at run time only
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Any, ...]: ...
    def __getitem__(self, key: SupportsIndex | str | slice, /) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not isinstance(key, str):
            return _plain_item(self, key)
        try:
            return _plain_item(self, self._positions[key])
        except KeyError:
            raise KeyError(f"{key!r} is no column of the row, which has {', '.join(self._fields)}") from None

    def __getattr__(self, name: str) -> Any:  # reached for what is no column; a column's type is known to its class
        raise AttributeError(
            f"{name!r} is no column of the row, which has {', '.join(self._fields)}{did_you_mean(name, self._fields)}"
        )

    def _asdict(self) -> dict[str, Any]:
        """Return the values by name, in a dict of their own."""
        return dict(zip(self._fields, _plain(self), strict=True))

    @property
    def _mapping(self) -> Mapping[str, Any]:
        """The values by name, read-only."""
        return MappingProxyType(self._asdict())

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        # Its class is made at run time, where no import finds it.
        return restored, (self._fields, self._paths, _plain(self))

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"


AnyRow: TypeAlias = "Row[Unpack[tuple[Any, ...]]]"
"""A row of whatever columns."""

Row.__module__ = "mongotic.result"  # where users import it from

# Type checkers do not take a row of unknown length for a tuple.
_plain = cast("Callable[[object], tuple[Any, ...]]", tuple)
_plain_item = cast("Callable[[object, SupportsIndex | slice], Any]", tuple.__getitem__)  # pyright: ignore[reportUnknownMemberType]


@lru_cache(maxsize=4096)
def row_class(names: tuple[str, ...], paths: tuple[str, ...]) -> type[AnyRow]:
    """Return the class of rows with these columns; called with an iterable of values, it makes a row.

    Arguments:
        names: what each column is called; all different.
        paths: the path of each, which is its key too.
    """
    positions = {path: index for index, path in enumerate(paths)}
    positions |= {name: index for index, name in enumerate(names)}
    body: dict[str, object] = {
        "__slots__": (),
        "__module__": Row.__module__,
        "_fields": names,
        "_paths": paths,
        "_positions": MappingProxyType(positions),
    }
    # A column called `count` or `index` is meant before the method of tuples.
    body |= {name: property(itemgetter(index)) for index, name in enumerate(names)}
    return cast("type[AnyRow]", type("Row", (Row,), body))


def restored(names: tuple[str, ...], paths: tuple[str, ...], values: tuple[object, ...]) -> AnyRow:
    """Return a row as it was when it was pickled."""
    return row_class(names, paths)(values)
