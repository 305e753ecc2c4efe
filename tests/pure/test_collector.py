"""The garbage collector is paused, nested, across threads and errors, and always as it was afterwards."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from mongotic_adapters.collector import pause_collector, paused


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    assert gc.isenabled()
    yield
    pause_collector(True)
    gc.enable()


def test_it_is_paused_inside_and_on_again_afterwards() -> None:
    with paused:
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_switches_it_on_again() -> None:
    with pytest.raises(ZeroDivisionError), paused:
        raise ZeroDivisionError
    assert gc.isenabled()


def test_the_outermost_of_nested_pauses_switches_it_on() -> None:
    with paused:
        with paused:
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_pauses_of_several_threads_overlap() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with paused:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    with paused:
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    with paused:
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_it_can_be_left_alone() -> None:
    pause_collector(False)
    with paused:
        assert gc.isenabled()
    pause_collector(True)
    with paused:
        pause_collector(False)  # in the middle of a pause
    assert gc.isenabled()


@pytest.mark.parametrize(("setting", "expected"), [("keep", "True"), ("", "False")])
def test_the_environment_decides(setting: str, expected: str) -> None:
    code = "import gc; from mongotic_adapters.collector import paused\nwith paused: print(gc.isenabled())"
    environment = {**os.environ, "MONGOTIC_GC": setting}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
