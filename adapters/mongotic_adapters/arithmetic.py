"""`+ - * / // % **`, `abs` and `round` of columns and computed values: what type checkers know of them.

`computed.Selectable` derives from it and says what is made.  Whole numbers with floats give floats, decimals go with
whole numbers, and what may be null on one side may be null as the result.
"""

# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false
# Of values that may be null: the overload for those that cannot be is the narrower one, and comes first.

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, overload

if TYPE_CHECKING:
    from .computed import Computed, Selectable

    Int: TypeAlias = Selectable[int] | int
    Float: TypeAlias = Selectable[float] | float
    Dec: TypeAlias = Selectable[Decimal] | Selectable[int] | Decimal | int
    IntOrNone: TypeAlias = Selectable[int | None] | int | None
    FloatOrNone: TypeAlias = Selectable[float | None] | float | None
    DecOrNone: TypeAlias = Selectable[Decimal | None] | Selectable[int | None] | Decimal | int | None

T_co = TypeVar("T_co", covariant=True)


class Arithmetic(Generic[T_co]):
    """What can be calculated with.

    Arithmetic is the server's: null with anything gives null, and what is no number is an error of the server.
    """

    __slots__ = ()

    @abstractmethod
    def calculated_(self, operator: str, *operands: object) -> Computed[object]:
        """Return what an operator of Python makes of its operands."""

    if TYPE_CHECKING:

        @overload
        def __add__(self: Arithmetic[str], other: Selectable[str] | str) -> Computed[str]: ...
        @overload
        def __add__(
            self: Arithmetic[str | None], other: Selectable[str | None] | str | None
        ) -> Computed[str | None]: ...
        @overload
        def __add__(self: Arithmetic[int], other: Int) -> Computed[int]: ...
        @overload
        def __add__(self: Arithmetic[float], other: Float) -> Computed[float]: ...
        @overload
        def __add__(self: Arithmetic[int | None], other: IntOrNone) -> Computed[int | None]: ...
        @overload
        def __add__(self: Arithmetic[float | None], other: FloatOrNone) -> Computed[float | None]: ...
        @overload
        def __add__(self: Arithmetic[Decimal | int], other: Dec) -> Computed[Decimal]: ...
        @overload
        def __add__(self: Arithmetic[Decimal | int | None], other: DecOrNone) -> Computed[Decimal | None]: ...
        @overload
        def __add__(self: Arithmetic[datetime], other: timedelta) -> Computed[datetime]: ...
        @overload
        def __add__(self: Arithmetic[datetime | None], other: timedelta) -> Computed[datetime | None]: ...
        def __add__(self, other: object) -> Computed[object]: ...

        @overload
        def __radd__(self: Arithmetic[str], other: str) -> Computed[str]: ...
        @overload
        def __radd__(self: Arithmetic[str | None], other: str | None) -> Computed[str | None]: ...
        @overload
        def __radd__(self: Arithmetic[int], other: int) -> Computed[int]: ...
        @overload
        def __radd__(self: Arithmetic[float], other: float) -> Computed[float]: ...
        @overload
        def __radd__(self: Arithmetic[int | None], other: int | None) -> Computed[int | None]: ...
        @overload
        def __radd__(self: Arithmetic[float | None], other: float | None) -> Computed[float | None]: ...
        @overload
        def __radd__(self: Arithmetic[Decimal | int], other: Decimal | int) -> Computed[Decimal]: ...
        @overload
        def __radd__(
            self: Arithmetic[Decimal | int | None], other: Decimal | int | None
        ) -> Computed[Decimal | None]: ...
        def __radd__(self, other: object) -> Computed[object]: ...

        @overload
        def __sub__(self: Arithmetic[datetime], other: Selectable[datetime] | datetime) -> Computed[int]: ...
        @overload
        def __sub__(self: Arithmetic[datetime], other: timedelta) -> Computed[datetime]: ...
        @overload
        def __sub__(self: Arithmetic[datetime | None], other: timedelta) -> Computed[datetime | None]: ...
        @overload
        def __sub__(
            self: Arithmetic[datetime | None], other: Selectable[datetime | None] | datetime | None
        ) -> Computed[int | None]: ...
        @overload
        def __sub__(self: Arithmetic[int], other: Int) -> Computed[int]: ...
        @overload
        def __sub__(self: Arithmetic[float], other: Float) -> Computed[float]: ...
        @overload
        def __sub__(self: Arithmetic[int | None], other: IntOrNone) -> Computed[int | None]: ...
        @overload
        def __sub__(self: Arithmetic[float | None], other: FloatOrNone) -> Computed[float | None]: ...
        @overload
        def __sub__(self: Arithmetic[Decimal | int], other: Dec) -> Computed[Decimal]: ...
        @overload
        def __sub__(self: Arithmetic[Decimal | int | None], other: DecOrNone) -> Computed[Decimal | None]: ...
        def __sub__(self, other: object) -> Computed[object]: ...

        @overload
        def __rsub__(self: Arithmetic[datetime], other: datetime) -> Computed[int]: ...
        @overload
        def __rsub__(self: Arithmetic[int], other: int) -> Computed[int]: ...
        @overload
        def __rsub__(self: Arithmetic[float], other: float) -> Computed[float]: ...
        @overload
        def __rsub__(self: Arithmetic[int | None], other: int | None) -> Computed[int | None]: ...
        @overload
        def __rsub__(self: Arithmetic[float | None], other: float | None) -> Computed[float | None]: ...
        @overload
        def __rsub__(self: Arithmetic[Decimal | int], other: Decimal | int) -> Computed[Decimal]: ...
        @overload
        def __rsub__(
            self: Arithmetic[Decimal | int | None], other: Decimal | int | None
        ) -> Computed[Decimal | None]: ...
        def __rsub__(self, other: object) -> Computed[object]: ...

        @overload
        def __mul__(self: Arithmetic[int], other: Int) -> Computed[int]: ...
        @overload
        def __mul__(self: Arithmetic[float], other: Float) -> Computed[float]: ...
        @overload
        def __mul__(self: Arithmetic[int | None], other: IntOrNone) -> Computed[int | None]: ...
        @overload
        def __mul__(self: Arithmetic[float | None], other: FloatOrNone) -> Computed[float | None]: ...
        @overload
        def __mul__(self: Arithmetic[Decimal | int], other: Dec) -> Computed[Decimal]: ...
        @overload
        def __mul__(self: Arithmetic[Decimal | int | None], other: DecOrNone) -> Computed[Decimal | None]: ...
        def __mul__(self, other: object) -> Computed[object]: ...

        @overload
        def __rmul__(self: Arithmetic[int], other: int) -> Computed[int]: ...
        @overload
        def __rmul__(self: Arithmetic[float], other: float) -> Computed[float]: ...
        @overload
        def __rmul__(self: Arithmetic[int | None], other: int | None) -> Computed[int | None]: ...
        @overload
        def __rmul__(self: Arithmetic[float | None], other: float | None) -> Computed[float | None]: ...
        @overload
        def __rmul__(self: Arithmetic[Decimal | int], other: Decimal | int) -> Computed[Decimal]: ...
        @overload
        def __rmul__(
            self: Arithmetic[Decimal | int | None], other: Decimal | int | None
        ) -> Computed[Decimal | None]: ...
        def __rmul__(self, other: object) -> Computed[object]: ...

        __floordiv__ = __mod__ = __pow__ = __mul__
        __rfloordiv__ = __rmod__ = __rpow__ = __rmul__

        @overload
        def __truediv__(self: Arithmetic[float], other: Float) -> Computed[float]: ...
        @overload
        def __truediv__(self: Arithmetic[float | None], other: FloatOrNone) -> Computed[float | None]: ...
        @overload
        def __truediv__(self: Arithmetic[Decimal | int], other: Dec) -> Computed[Decimal]: ...
        @overload
        def __truediv__(self: Arithmetic[Decimal | int | None], other: DecOrNone) -> Computed[Decimal | None]: ...
        def __truediv__(self, other: object) -> Computed[object]: ...

        @overload
        def __rtruediv__(self: Arithmetic[float], other: float) -> Computed[float]: ...
        @overload
        def __rtruediv__(self: Arithmetic[float | None], other: float | None) -> Computed[float | None]: ...
        @overload
        def __rtruediv__(self: Arithmetic[Decimal | int], other: Decimal | int) -> Computed[Decimal]: ...
        @overload
        def __rtruediv__(
            self: Arithmetic[Decimal | int | None], other: Decimal | int | None
        ) -> Computed[Decimal | None]: ...
        def __rtruediv__(self, other: object) -> Computed[object]: ...

        def __abs__(self) -> Computed[T_co]: ...
        def __round__(self, digits: int = 0) -> Computed[T_co]: ...

    else:

        def __add__(self, other: object) -> Computed[object]:
            """Add: `$add`; two texts are put together: `$concat`."""
            return self.calculated_("+", self, other)

        def __radd__(self, other: object) -> Computed[object]:
            return self.calculated_("+", other, self)

        def __sub__(self, other: object) -> Computed[object]:
            """Subtract: `$subtract`; of two dates, it is the milliseconds between them."""
            return self.calculated_("-", self, other)

        def __rsub__(self, other: object) -> Computed[object]:
            return self.calculated_("-", other, self)

        def __mul__(self, other: object) -> Computed[object]:
            """Multiply: `$multiply`."""
            return self.calculated_("*", self, other)

        def __rmul__(self, other: object) -> Computed[object]:
            return self.calculated_("*", other, self)

        def __truediv__(self, other: object) -> Computed[object]:
            """Divide: `$divide`; by zero is an error of the server."""
            return self.calculated_("/", self, other)

        def __rtruediv__(self, other: object) -> Computed[object]:
            return self.calculated_("/", other, self)

        def __floordiv__(self, other: object) -> Computed[object]:
            """Divide, and round down: `$floor` of `$divide`."""
            return self.calculated_("//", self, other)

        def __rfloordiv__(self, other: object) -> Computed[object]:
            return self.calculated_("//", other, self)

        def __mod__(self, other: object) -> Computed[object]:
            """What a division leaves: `$mod`; its sign is that of the dividend, where Python's is the divisor's."""
            return self.calculated_("%", self, other)

        def __rmod__(self, other: object) -> Computed[object]:
            return self.calculated_("%", other, self)

        def __pow__(self, other: object) -> Computed[object]:
            """Raise to a power: `$pow`."""
            return self.calculated_("**", self, other)

        def __rpow__(self, other: object) -> Computed[object]:
            return self.calculated_("**", other, self)

        def __abs__(self) -> Computed[object]:
            """The value without its sign: `$abs`."""
            return self.calculated_("abs", self)

        def __round__(self, digits: int = 0) -> Computed[object]:
            """Round to that many digits after the point, a half to the even neighbour: `$round`."""
            return self.calculated_("round", self, digits)
