"""What is not awaited yet says so.

Used by `AsyncSession` and its results: code written for a blocking session, or an `await` that was forgotten, gets an
error that says what to write, and neither a wrong answer nor a message about coroutines.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

from typing_extensions import ParamSpec

from ..exceptions import ArgumentTypeError

T = TypeVar("T")
P = ParamSpec("P")

_CONTAINERS = ("__iter__", "__len__", "__getitem__", "__contains__")
_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
_NUMBERS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_ARITHMETIC = tuple(f"__{side}{name}__" for name in _NUMBERS for side in ("", "r"))
_REST = ("__aiter__", "__call__", "__enter__", "__float__", "__index__", "__int__", "__neg__", "__setattr__")


class UnawaitedError(ArgumentTypeError, AttributeError):
    """Something was used that is still to be awaited.  An AttributeError too: what asks with `hasattr` gets no."""


class Unawaited:
    """Refuses to be used as what it will be once it is awaited.

    Type checkers are not shown most of the methods that do so: they refuse by themselves.
    """

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        self._refuse()

    def _advice(self) -> str:
        """Return what is meant and what to write, for the message."""
        raise NotImplementedError

    def _refuse(self) -> NoReturn:
        raise UnawaitedError(self._advice())


class UnawaitedValue(Unawaited):
    """Refuses, besides, what a single value is used for."""

    __slots__ = ()
    __hash__ = object.__hash__

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise UnawaitedError(f"{name!r}: {self._advice()}")


def _refusing(name: str) -> Callable[..., object]:
    def refuse(self: Any, *_: object) -> object:
        return self._refuse()

    refuse.__name__ = name
    return refuse


for _kind, _names in ((Unawaited, _CONTAINERS), (UnawaitedValue, (*_COMPARISONS, *_ARITHMETIC, *_REST))):
    for _name in _names:
        setattr(_kind, _name, _refusing(_name))


class Pending(UnawaitedValue, Coroutine[Any, Any, T], Generic[T]):
    """A coroutine with an error message: what the methods of `AsyncSession` and of its results return.

    Python's own coroutine lies inside, and warns as ever when nobody awaits it.

    Arguments:
        coroutine: what awaits it gets what this gives.
        written: the right way to write the call.
    """

    __slots__ = ("_coroutine", "_written")
    _coroutine: CoroutineType[Any, Any, T]
    _written: str

    def __init__(self, coroutine: CoroutineType[Any, Any, T], written: str) -> None:
        object.__setattr__(self, "_coroutine", coroutine)
        object.__setattr__(self, "_written", written)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        """Go on; see `collections.abc.Coroutine`, of which this is one to the event loop."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Go on no more."""
        self._coroutine.close()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("cr_") or name in ("__name__", "__qualname__"):
                return getattr(self._coroutine, name)  # for those who describe tasks
            return super().__getattr__(name)

        def __bool__(self) -> bool:
            # From Python 3.13 on, a task that describes itself asks so whether it has a coroutine.
            if sys._getframe(1).f_globals.get("__name__") != "asyncio.base_tasks":
                self._refuse()
            return True

    def _refuse(self) -> NoReturn:
        if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CREATED:
            self._coroutine.close()  # the error says it all; no warning after it
        super()._refuse()

    def _advice(self) -> str:
        name = self._coroutine.__name__
        return f"{name}() of an AsyncSession is awaited: write `await {self._written}`, or `(await ...).name`"

    def __repr__(self) -> str:
        return f"<{self._coroutine.__qualname__}(), not awaited>"


def awaited(
    written: str,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Let a method that is awaited return a `Pending`.

    Arguments:
        written: how it is called, for messages.
    """

    def decorate(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(function)
        def call(*arguments: P.args, **options: P.kwargs) -> Coroutine[Any, Any, T]:
            coroutine = cast("CoroutineType[Any, Any, T]", function(*arguments, **options))
            return Pending(coroutine, written)

        # A mock made after the class, say, asks which methods are awaited.
        if sys.version_info >= (3, 12):
            return inspect.markcoroutinefunction(call)
        cast("Any", call)._is_coroutine = cast("Any", asyncio.coroutines)._is_coroutine
        return call

    return decorate


class Answer(UnawaitedValue, Generic[T]):
    """What a method returns whose answer is known: `await` gives it, or raises what there is to raise.

    Arguments:
        method: the method's name, for messages.
        answer: gives the answer.
    """

    __slots__ = ("_answer", "_method")
    _answer: Callable[[], T]
    _method: str

    def __init__(self, method: str, answer: Callable[[], T]) -> None:
        object.__setattr__(self, "_method", method)
        object.__setattr__(self, "_answer", answer)

    def __await__(self) -> Generator[None, None, T]:
        return self._answer()
        yield

    def _advice(self) -> str:
        return (
            f"{self._method}() of an AsyncSession's result is awaited: write `await result.{self._method}()`; "
            "async_sessionmaker(..., sync_results=True) gives results that are not awaited"
        )

    def __repr__(self) -> str:
        return f"<{self._method}(), not awaited>"


class AnswerList(list[T]):
    """A list that may be awaited, and need not be: `rows = await result.all()`, `for row in result.all()`."""

    def __await__(self) -> Generator[None, None, list[T]]:
        return self
        yield


class EnteredByAsyncWith:
    """Says what to write where an `async` was forgotten."""

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            name = type(self).__name__
            raise ArgumentTypeError(f"{name} is for asyncio: write `async with ... as session` instead of `with`")

        def __exit__(self, *_: object) -> None:
            """Never reached; Python asks for it before it enters."""
