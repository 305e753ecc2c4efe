"""What is not awaited yet says so.

Used by the results of `AsyncSession`: code written for a blocking session, or an `await` that was forgotten, gets an
error that says what to write, and neither a wrong answer nor a warning about a coroutine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Generic, NoReturn, TypeVar

from ..exceptions import ArgumentTypeError

T = TypeVar("T")


class Unawaited:
    """Refuses to be used as what it will be once it is awaited."""

    def _advice(self) -> str:
        """Return what is meant and what to write, for the message."""
        raise NotImplementedError

    def _refuse(self) -> NoReturn:
        raise ArgumentTypeError(self._advice())

    def __iter__(self) -> NoReturn:
        self._refuse()

    def __len__(self) -> NoReturn:
        self._refuse()

    def __bool__(self) -> NoReturn:
        self._refuse()

    def __getitem__(self, key: object) -> NoReturn:
        self._refuse()

    def __contains__(self, item: object) -> NoReturn:
        self._refuse()


class Answer(Unawaited, Generic[T]):
    """What a method returns whose answer is known: `await` gives it, or raises what there is to raise.

    Arguments:
        method: the method's name, for messages.
        answer: gives the answer.
    """

    def __init__(self, method: str, answer: Callable[[], T]) -> None:
        self._method = method
        self._answer = answer

    def __await__(self) -> Generator[None, None, T]:
        return self._answer()
        yield

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name!r}: {self._advice()}")

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
