"""Conditions that only a stored field can have: on lists, types, bits and places.

`columns.Column` derives from it.  What is computed has none of them: MongoDB's filters know them, its expressions do
not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar, cast

from bson import regex
from odmantic.query import QueryExpression

from .computed import checked_pattern
from .conditions import Expression
from .encoding import Document, encode_operand, is_document
from .errors import ArgumentError, ArgumentTypeError, UnsupportedError
from .mapping import FieldMap
from .mapping import Mapping as Mapped
from .shown import shown

T = TypeVar("T")

Point: TypeAlias = Sequence[float] | Mapping[str, object]
"""Longitude and latitude in degrees, or a point of GeoJSON."""

TYPES = (
    *("double", "string", "object", "array", "binData", "undefined", "objectId", "bool", "date", "null", "regex"),
    *("dbPointer", "javascript", "symbol", "javascriptWithScope", "int", "timestamp", "long", "decimal", "minKey"),
    *("maxKey", "number"),
)
EARTH_RADIUS = 6_378_100.0
"""Metres, as MongoDB has it."""
_FAR = 1e12


class FieldConditions(Generic[T]):
    """The conditions of a column; see `columns.Column`."""

    __slots__ = ()

    # In the slots of Column.
    key_: str
    mapping_: Mapped
    field_: FieldMap | None

    # -- lists ---------------------------------------------------------------------------------------------------

    def any(self, *criteria: object) -> Expression:
        """Fit lists that have an element equal to a value, or one that fits conditions; see `elem_match`.

        ```python
        col(User.tags).any("vip")
        col(Order.items).any(col(Item.sku) == "a", col(Item.qty) > 2)  # one item of both
        ```
        """
        if any(isinstance(criterion, QueryExpression) for criterion in criteria):
            return self.elem_match(*cast("tuple[QueryExpression, ...]", criteria))
        values = list(criteria)
        if len(values) != 1:
            raise ArgumentTypeError(f"{self._named()}.any() takes one value, or conditions, got {shown(values)}")
        return self._found({"$elemMatch": {"$eq": encode_operand(values[0], self.field_)}})

    def all(self, values: Iterable[object]) -> Expression:
        """Fit lists that have every one of *values*, in any order: `$all`; no list has all of no values."""
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(cast("object", values), Iterable):
            raise ArgumentTypeError(
                f"{self._named()}.all() takes a list of values, got {shown(cast('object', values))}"
            )
        operands = [encode_operand(value, self.field_) for value in values]
        if not any(may_be_taken_for_a_condition(operand) for operand in operands):
            return self._found({"$all": operands})
        return Expression(self.mapping_, {"$and": [{self.key_: {"$eq": operand}} for operand in operands]})

    def elem_match(self, *criteria: Mapping[str, object] | bool) -> Expression:
        """Fit lists that have one element that fits every criterion: `$elemMatch`.

        Arguments:
            *criteria: conditions on the fields of the embedded model, `col(Item.qty) > 2`; for lists of plain values
                on the list's own column, which stands for the element, `col(User.scores) > 2`; or filters of MongoDB,
                `{"$gt": 2, "$lt": 5}`.

        Raises:
            ArgumentTypeError: a criterion is no condition.
            ArgumentError: it is one on another model.
            UnsupportedError: it compares computed values, which MongoDB does not do within an element.
        """
        if not criteria:
            raise ArgumentTypeError(f"{self._named()}.elem_match() takes at least one condition")
        parts = [self._of_an_element(criterion) for criterion in cast("tuple[object, ...]", criteria)]
        if any("" in part for part in parts):
            return self._found({"$elemMatch": self._of_plain_elements(parts)})
        keys = [key for part in parts for key in part]
        merged = {key: value for part in parts for key, value in part.items()} if len(keys) == len(set(keys)) else None
        return self._found({"$elemMatch": {"$and": parts} if merged is None else merged})

    def size(self, number: int) -> Expression:
        """Fit lists of that many elements: `$size`.  For more or fewer: `func.length(column) > 2`."""
        if isinstance(number, bool) or not isinstance(cast("object", number), int) or number < 0:
            raise ArgumentError(f"{self._named()}.size() takes a number of elements from 0, got {shown(number)}")
        return self._found({"$size": number})

    # -- any value -----------------------------------------------------------------------------------------------

    def exists(self, there: bool = True) -> Expression:
        """Fit documents that have the key, with null too: `$exists`; `exists(False)` those that lack it."""
        if not isinstance(cast("object", there), bool):
            raise ArgumentTypeError(f"{self._named()}.exists() takes True or False, got {shown(there)}")
        return self._found({"$exists": there})

    def type_(self, *names: str) -> Expression:
        """Fit values of one of MongoDB's types: `type_("string", "null")`, `$type`."""
        unknown = [name for name in cast("tuple[object, ...]", names) if not isinstance(name, str) or name not in TYPES]
        if unknown or not names:
            got = shown(unknown[0]) if unknown else "nothing"
            raise ArgumentError(
                f"{self._named()}.type_() takes MongoDB's names of types ({', '.join(TYPES)}), got {got}"
            )
        return self._found({"$type": list(names)})

    def regexp_match(self, pattern: str | re.Pattern[str], flags: str = "") -> Expression:
        """Fit texts in which a regular expression is found: `$regex`.

        Arguments:
            pattern: the expression, as PCRE has it.
            flags: `i` for upper and lower case alike, `s` for a dot that matches the end of a line, `m`, `x`.
        """
        found, options = checked_pattern(pattern, flags)
        return self._found({"$regex": found, "$options": options} if options else {"$regex": found})

    # -- numbers -------------------------------------------------------------------------------------------------

    def mod(self, divisor: int, remainder: int = 0) -> Expression:
        """Fit numbers that a division leaves *remainder* of: `$mod`."""
        for number in (divisor, remainder):
            self._expect_whole("mod", number)
        if divisor == 0:
            raise ArgumentError(f"{self._named()}.mod(): nothing can be divided by 0")
        return self._found({"$mod": [divisor, remainder]})

    def bits_all_set(self, bits: int | Sequence[int]) -> Expression:
        """Fit numbers in which all *bits* are 1: a mask, or a list of positions from 0; `$bitsAllSet`."""
        return self._bits("bits_all_set", "$bitsAllSet", bits)

    def bits_any_set(self, bits: int | Sequence[int]) -> Expression:
        """Fit numbers in which one of *bits* is 1: `$bitsAnySet`; see `bits_all_set`."""
        return self._bits("bits_any_set", "$bitsAnySet", bits)

    def bits_all_clear(self, bits: int | Sequence[int]) -> Expression:
        """Fit numbers in which all *bits* are 0: `$bitsAllClear`; see `bits_all_set`."""
        return self._bits("bits_all_clear", "$bitsAllClear", bits)

    def bits_any_clear(self, bits: int | Sequence[int]) -> Expression:
        """Fit numbers in which one of *bits* is 0: `$bitsAnyClear`; see `bits_all_set`."""
        return self._bits("bits_any_clear", "$bitsAnyClear", bits)

    # -- places --------------------------------------------------------------------------------------------------

    def near(self, point: Point, *, max_distance: float | None = None, min_distance: float | None = None) -> Expression:
        """Fit places near a point, the nearest first: `$nearSphere`; it needs a 2dsphere index.

        The server sorts by distance; an `order_by()` takes that away.  It cannot stand in an `or_` or a `not_`.

        Arguments:
            point: longitude and latitude in degrees, in this order; or a point of GeoJSON.
            max_distance: metres.
            min_distance: metres.
        """
        asked: Document = {"$geometry": self._point("near", point)}
        asked |= {} if max_distance is None else {"$maxDistance": self._distance("near", max_distance)}
        asked |= {} if min_distance is None else {"$minDistance": self._distance("near", min_distance)}
        return self._found({"$nearSphere": asked})

    def within(self, area: Mapping[str, object] | Sequence[Sequence[float]]) -> Expression:
        """Fit places that lie in an area as a whole: `$geoWithin`.

        Arguments:
            area: a Polygon or MultiPolygon of GeoJSON; or the corners of one, longitude and latitude each.
        """
        return self._found({"$geoWithin": {"$geometry": self._area("within", area)}})

    def within_circle(self, center: Sequence[float], radius: float) -> Expression:
        """Fit places that lie in a circle: `$geoWithin` with `$centerSphere`.

        Arguments:
            center: longitude and latitude.
            radius: metres.
        """
        point = self._coordinates("within_circle", center)
        angle = self._distance("within_circle", radius) / EARTH_RADIUS
        return self._found({"$geoWithin": {"$centerSphere": [point, angle]}})

    def intersects(self, area: Mapping[str, object] | Sequence[Sequence[float]]) -> Expression:
        """Fit shapes that have a point in common with an area: `$geoIntersects`; see `within`."""
        return self._found({"$geoIntersects": {"$geometry": self._area("intersects", area)}})

    # -- checks --------------------------------------------------------------------------------------------------

    def _found(self, operators: Document) -> Expression:
        return Expression(self.mapping_, {self.key_: operators})

    def _named(self) -> str:
        return f"{self.mapping_.name}.{self.key_}"

    def _of_an_element(self, criterion: object) -> Document:
        """Return a criterion of `elem_match`, checked by the embedded model."""
        if isinstance(criterion, bool) or not is_document(criterion):
            raise ArgumentTypeError(
                f"{self._named()}.elem_match() takes conditions such as col(Item.qty) > 2, or filter dicts, got "
                f"{shown(criterion)}"
            )
        if "" in criterion:
            raise ArgumentError(
                f"{self._named()}.elem_match(): a field of its elements has a name, got {shown(criterion)}"
            )
        target = None if self.field_ is None else self.field_.target
        if isinstance(criterion, QueryExpression) and target is None:
            return self._of_own_column(criterion)
        for key, operand in criterion.items():
            if key in ("$and", "$or", "$nor"):
                for part in cast("list[object]", operand):
                    self._of_an_element(part)
            elif key == "$expr":
                raise UnsupportedError(
                    f"{self._named()}.elem_match(): MongoDB compares no computed values within an element of a list; "
                    "use session.aggregate() with $filter"
                )
            elif _is_unknown(key, criterion, target):
                raise ArgumentError(f"{self._named()}.elem_match(): {key!r} is no field of its elements")
        return criterion

    def _of_own_column(self, criterion: Document) -> Document:
        """Return a condition on the list's own column as one on an element, under an empty key, or on keys in it."""
        found: Document = {}
        for key, operand in criterion.items():
            if key == "$and":
                for part in cast("list[Document]", operand):
                    found = self._joined(found, self._of_own_column(part))
            elif key == self.key_:
                found = self._joined(found, {"": operand if is_document(operand) else {"$in": [operand]}})
            elif key.startswith(f"{self.key_}."):
                found = self._joined(found, {key[len(self.key_) + 1 :]: operand})
            elif key.partition(".")[0] not in self.mapping_.by_key and key not in ("$or", "$nor", "$expr"):
                found = self._joined(found, {key: operand})
            else:
                raise ArgumentError(
                    f"{self._named()}.elem_match(): {key!r} cannot be asked of an element; write conditions on "
                    f"{self._named()} itself, which stands for the element"
                )
        return found

    def _joined(self, one: Document, other: Document) -> Document:
        if one.keys().isdisjoint(other):
            return one | other
        key = next(key for key in other if key in one)
        asked, more = cast("Document", one[key]), cast("Document", other[key])
        if not is_document(asked) or not is_document(more) or not asked.keys().isdisjoint(more):
            raise ArgumentError(f"{self._named()}.elem_match(): one element cannot be asked {shown(more)} twice")
        return {**one, key: {**asked, **more}}

    def _of_plain_elements(self, parts: list[Document]) -> Document:
        """Return conditions on elements that are plain values as one of operators alone."""
        found: Document = {}
        for part in parts:
            operators = cast("Document", part[""]) if list(part) == [""] else part
            if "" in part and len(part) > 1:
                raise ArgumentError(
                    f"{self._named()}.elem_match(): an element and what is in it cannot be asked at once"
                )
            found = self._joined(found, operators)
        return found

    def _expect_whole(self, method: str, number: object) -> None:
        if isinstance(number, bool) or not isinstance(number, int) or not -(2**63) <= number < 2**63:
            raise ArgumentTypeError(f"{self._named()}.{method}() takes whole numbers of 64 bits, got {shown(number)}")

    def _bits(self, method: str, operator: str, bits: object) -> Expression:
        if isinstance(bits, Sequence) and not isinstance(bits, (str, bytes)):
            for bit in list(cast("Sequence[int]", bits)):
                self._expect_whole(method, bit)
                if bit < 0:
                    raise ArgumentError(f"{self._named()}.{method}(): positions of bits begin with 0, got {bit}")
            return self._found({operator: list(cast("Sequence[object]", bits))})
        self._expect_whole(method, bits)
        if cast("int", bits) < 0:
            raise ArgumentError(f"{self._named()}.{method}(): a mask has no sign, got {bits}")
        return self._found({operator: bits})

    def _point(self, method: str, point: object) -> object:
        if is_document(point):
            return encode_operand(point)
        return {"type": "Point", "coordinates": self._coordinates(method, point)}

    def _area(self, method: str, area: object) -> object:
        given = area
        if is_document(area):
            return encode_operand(area)
        if isinstance(area, str) or not isinstance(area, Sequence) or len(cast("Sequence[object]", area)) < 3:
            raise ArgumentTypeError(
                f"{self._named()}.{method}() takes a shape of GeoJSON, or at least three corners, got {shown(given)}"
            )
        corners = [self._coordinates(method, corner) for corner in cast("Sequence[object]", area)]
        closed = corners if corners[0] == corners[-1] else [*corners, corners[0]]
        return {"type": "Polygon", "coordinates": [closed]}

    def _coordinates(self, method: str, point: object) -> list[float]:
        given = point
        pair = list(cast("Sequence[object]", point)) if isinstance(point, (list, tuple)) else []
        if len(pair) != 2 or not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in pair):
            raise ArgumentTypeError(
                f"{self._named()}.{method}() takes longitude and latitude in degrees, (12.5, 41.9) say, got "
                f"{shown(given)}"
            )
        longitude, latitude = cast("list[float]", pair)
        if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            raise ArgumentError(
                f"{self._named()}.{method}(): {shown([longitude, latitude])} is no place; the longitude comes first, "
                "from -180 to 180, "
                "and then the latitude, from -90 to 90"
            )
        return [longitude, latitude]

    def _distance(self, method: str, metres: object) -> float:
        if isinstance(metres, bool) or not isinstance(metres, (int, float)) or not 0 <= metres <= _FAR:
            raise ArgumentError(f"{self._named()}.{method}() takes a distance in metres from 0, got {shown(metres)}")
        return float(metres)


def _is_unknown(key: str, criterion: object, target: Mapped | None) -> bool:
    """Tell whether an expression, not a dict of the user's, asks for what is no field of an embedded model."""
    return isinstance(criterion, QueryExpression) and target is not None and key.partition(".")[0] not in target.by_key


def may_be_taken_for_a_condition(operand: object) -> bool:
    """Tell whether the server would take a value in `$in` or `$all` for a condition.

    That is a pattern, or a dict of operators.
    """
    if isinstance(operand, (re.Pattern, regex.Regex)):
        return True
    return is_document(operand) and any(str(key).startswith("$") for key in operand)
