"""Who is told of what: the listeners of sessions, of their makers and classes, and of model classes.

`mongotic.event` fills the register and knows which targets there are; the books and the flows tell listeners through
the `Dispatch` of their session.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, cast

from odmantic import Model

from .errors import InvalidRequestError

Listener: TypeAlias = Callable[..., object]

SESSION_EVENTS = frozenset({"before_flush", "after_flush", "before_commit", "after_commit", "after_rollback"})
"""Told with the session."""

INSTANCE_EVENTS = frozenset(
    {"before_insert", "after_insert", "before_update", "after_update", "before_delete", "after_delete", "load"}
)
"""Told with the session and the instance."""

BEFORE_WRITES = {"before_insert": "after_insert", "before_update": "after_update", "before_delete": "after_delete"}
"""What is told before an instance is written, and what is told afterwards."""

NOT_MEANWHILE = frozenset({"flush", "begin", "commit", "rollback", "close", "expunge_all"})
"""What a listener may not ask of the session that tells it: each would pull away what is just being worked on."""

IN_MEMORY = frozenset({"add", "add_all", "delete", "expunge", "expire", "expire_all", "merge", "scalars", "execute"})
"""What a listener for `load` may do: a query is being read, so that there can be no other one."""


class Register:
    """Every listener, by what it listens to.  Targets are not kept alive.

    Attributes:
        version: counts the changes.
        names: the events anybody has ever listened to.
    """

    def __init__(self) -> None:
        self.version = 0
        self.names: set[str] = set()
        self._of_classes: MutableMapping[object, dict[str, list[Listener]]] = weakref.WeakKeyDictionary()

    def add(self, target: object, name: str, listener: Listener) -> None:
        """Tell *listener* of every *name* of *target* from now on; once, however often it is added."""
        found = self._listeners(target).setdefault(name, [])
        if listener not in found:
            found.append(listener)
        self.names.add(name)
        self.version += 1

    def remove(self, target: object, name: str, listener: Listener) -> bool:
        """Tell *listener* no more; say whether it was there."""
        found = self._listeners(target).get(name, [])
        if listener not in found:
            return False
        found.remove(listener)
        self.version += 1
        return True

    def listeners(self, target: object, name: str) -> list[Listener]:
        """Return who listens to *name* of *target*, in order of registration."""
        return self._listeners(target).get(name, [])

    def _listeners(self, target: object) -> dict[str, list[Listener]]:
        if isinstance(target, type):
            return self._of_classes.setdefault(target, {})
        # With the session or the maker itself, so that a listener that refers to it does not keep it alive.
        return cast("dict[str, list[Listener]]", vars(target).setdefault("_listeners", {}))


register = Register()


class Dispatch:
    """Tells the listeners of one session.

    Arguments:
        session: gives the session, None once it is gone.
        targets: what its listeners may have been registered for besides: its classes.
        awaits: coroutine functions are awaited.

    Attributes:
        failure: the error that has ended the transaction while a listener used the session; it is raised again where
            the listener is told, though the listener may have caught it.
    """

    def __init__(
        self, session: Callable[[], object] = lambda: None, targets: Iterable[object] = (), *, awaits: bool = False
    ) -> None:
        self._session = session
        self._targets = tuple(targets)
        self._awaits = awaits
        self._known: dict[tuple[str, type[Model] | None], tuple[Listener, ...]] = {}
        self._version = -1
        self._telling: list[object] = []
        self.failure: BaseException | None = None

    def add_target(self, target: object) -> None:
        """Tell those who listen to *target*, too, before those of the session itself."""
        self._targets = (*self._targets, target)
        self._known = {}

    def listeners(self, name: str, model: type[Model] | None = None) -> tuple[Listener, ...]:
        """Return who is to be told: listeners of the class first, then of the maker, the session, and the model."""
        if name not in register.names:
            return ()
        if self._version != register.version:
            self._known = {}
            self._version = register.version
        found = self._known.get((name, model))
        if found is None:
            targets = [*self._targets, self._session()]
            if model is not None:
                targets += [kind for kind in reversed(type.mro(model)) if kind is not object]
            found = tuple(
                listener for target in targets if target is not None for listener in register.listeners(target, name)
            )
            self._known[name, model] = found
        return found

    @property
    def hears_of_writes(self) -> bool:
        """Tell whether anybody at all may listen to what a flush does."""
        return not register.names.isdisjoint(_OF_WRITES)

    def expect_tellable(self, name: str, model: type[Model] | None = None) -> None:
        """Check that those who listen can be told, while there is time to say so.

        Raises:
            InvalidRequestError: one is a coroutine function and the session is a blocking one.
        """
        for listener in () if self._awaits else self.listeners(name, model):
            if is_coroutine_function(listener):
                raise self._cannot_wait(name, listener)

    def tell_now(self, name: str, instance: Model | None = None) -> None:
        """Tell listeners of something that happens in memory."""
        if name not in register.names:
            return
        for listener in self.listeners(name, None if instance is None else type(instance)):
            with self._meanwhile(name):
                answer = listener(*self._arguments(instance))
            if inspect.isawaitable(answer):
                _close(answer)
                raise self._cannot_wait(name, listener)

    async def tell(self, name: str, instance: Model | None = None) -> None:
        """Tell listeners, and wait for those that are coroutine functions.

        Raises:
            InvalidRequestError: one is a coroutine function and the session is a blocking one.
        """
        for listener in self.listeners(name, None if instance is None else type(instance)):
            with self._meanwhile(name):
                answer = listener(*self._arguments(instance))
                if inspect.isawaitable(answer):
                    if not self._awaits:
                        _close(answer)
                        raise self._cannot_wait(name, listener)
                    await cast("Awaitable[object]", answer)

    @property
    def is_telling(self) -> bool:
        """Tell whether it is a listener of this session that runs now."""
        told = _told.get()
        return told is not None and told in self._telling

    def allows(self, operation: str) -> bool:
        """Tell whether it is a listener of this session that asks for *operation*, and it may.

        Raises:
            InvalidRequestError: it may not.
        """
        told = _told.get()
        if told is None or told not in self._telling:
            return False
        if told.name == "before_commit" and operation == "flush":
            return True
        if operation in NOT_MEANWHILE or (told.name == "load" and operation not in IN_MEMORY):
            raise InvalidRequestError(
                f"{operation}(): a listener for {told.name!r} cannot do that with the session that tells it; what it "
                "changes and adds is written by the flush it is told before, or by the next one"
            )
        return True

    @contextmanager
    def _meanwhile(self, name: str) -> Generator[None]:
        """Let what is called inside the block use the session, though an operation of it is under way."""
        told = _Told(name)
        self._telling.append(told)
        token = _told.set(told)
        try:
            yield
        finally:
            _told.reset(token)
            self._telling.remove(told)
            failure, self.failure = self.failure, None
            if failure is not None:
                raise failure

    def _arguments(self, instance: Model | None) -> tuple[object, ...]:
        return (self._session(),) if instance is None else (self._session(), instance)

    def _cannot_wait(self, name: str, listener: Listener) -> InvalidRequestError:
        return InvalidRequestError(
            f"the listener {listener!r} for {name!r} is a coroutine function, which this cannot wait for: register a "
            "plain function"
        )


class _Told:
    """One call of a listener."""

    def __init__(self, name: str) -> None:
        self.name = name


# A context variable: another task that uses the session while a coroutine function is awaited is none of its listeners.
_told: ContextVar[_Told | None] = ContextVar("_told", default=None)

_OF_WRITES = frozenset({"before_flush", "after_flush", *BEFORE_WRITES, *BEFORE_WRITES.values()})


def is_coroutine_function(listener: Listener) -> bool:
    """Tell whether what *listener* returns is to be awaited, as far as can be told without calling it."""
    called = getattr(listener, "__call__", None)  # noqa: B004  # whether an object's call is a coroutine function
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(called)


def _close(answer: object) -> None:
    if inspect.iscoroutine(answer):
        answer.close()
