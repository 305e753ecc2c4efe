"""A flow is run without an event loop: its result, its errors, its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator, Iterator

import pytest

from mongotic_adapters.flows.driving import iterate, run


class Suspension:
    """What awaiting a real event loop looks like from outside."""

    def __await__(self) -> Generator[None, None, str]:
        yield
        return "resumed"


@pytest.fixture(autouse=True)
def nothing_is_left_over() -> Iterator[None]:
    """Coroutines that were never awaited warn when collected, and warnings are errors in this project."""
    yield
    gc.collect()


async def answer(value: int) -> int:
    return value


async def nested(value: int) -> int:
    return await answer(value) + 1


async def failing() -> int:
    raise LookupError("no")


async def suspending(log: list[str]) -> str:
    try:
        return await Suspension()
    finally:
        log.append("closed")


class Stream:
    """A stream of numbers that remembers what was done to it."""

    def __init__(self, numbers: int, error: Exception | None = None) -> None:
        self.log: list[str] = []
        self._numbers = numbers
        self._error = error

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self._numbers):
                self.log.append(f"made {number}")
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.log.append("closed")


def test_run_returns_the_result() -> None:
    assert run(answer(1)) == 1


def test_run_goes_through_nested_flows() -> None:
    assert run(nested(1)) == 2


def test_run_returns_none_of_a_flow_without_result() -> None:
    async def nothing() -> None: ...

    assert run(nothing()) is None


def test_run_raises_what_the_flow_raises() -> None:
    with pytest.raises(LookupError, match=r"^no$"):
        run(failing())


def test_run_raises_interrupts_as_they_are() -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(interrupted())


def test_run_refuses_a_flow_that_suspends_and_closes_it() -> None:
    log: list[str] = []
    with pytest.raises(RuntimeError, match="must not suspend"):
        run(suspending(log))
    assert log == ["closed"]


def test_run_works_inside_a_running_loop() -> None:
    async def main() -> int:
        return run(nested(1))

    assert asyncio.run(main()) == 2


def test_iterate_gives_every_item_and_closes_the_stream() -> None:
    stream = Stream(2)
    assert list(iterate(stream())) == [0, 1]
    assert stream.log == ["made 0", "made 1", "closed"]


def test_iterate_of_nothing_gives_nothing() -> None:
    assert list(iterate(Stream(0)())) == []


def test_iterate_is_lazy() -> None:
    stream = Stream(3)
    items = iterate(stream())
    assert stream.log == []
    assert next(items) == 0
    assert stream.log == ["made 0"]
    assert list(items) == [1, 2]


def test_iterate_closes_the_stream_when_left_early() -> None:
    stream = Stream(3)
    for _ in iterate(stream()):
        break
    gc.collect()
    assert stream.log == ["made 0", "closed"]


def test_iterate_closes_the_stream_when_its_reader_fails() -> None:
    stream = Stream(3)

    def reader() -> None:
        for _ in iterate(stream()):
            raise LookupError

    with pytest.raises(LookupError):
        reader()
    gc.collect()
    assert stream.log == ["made 0", "closed"]


def test_iterate_raises_what_the_stream_raises_after_the_items_before_it() -> None:
    stream = Stream(1, LookupError("no"))
    items = iterate(stream())
    assert next(items) == 0
    with pytest.raises(LookupError, match=r"^no$"):
        next(items)
    assert stream.log == ["made 0", "closed"]
    assert list(items) == []


def test_iterate_refuses_a_stream_that_suspends() -> None:
    log: list[str] = []

    async def stream() -> AsyncGenerator[str, None]:
        yield "first"
        yield await suspending(log)

    items = iterate(stream())
    assert next(items) == "first"
    with pytest.raises(RuntimeError) as caught:
        next(items)
    # Until 3.12, Python takes the stream for running still, complains of that on top, and leaves it unclosed.
    assert "must not suspend" in str(caught.value.__context__ or caught.value)


def test_iterate_that_is_never_asked_leaves_nothing_open() -> None:
    stream = Stream(1)
    items = iterate(stream())
    del items
    gc.collect()
    assert stream.log == []
