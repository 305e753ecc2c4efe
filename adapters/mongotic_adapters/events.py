"""Who is told of what: the listeners of sessions, of their makers and classes, and of model classes.

`mongotic.event` fills the register and knows which targets there are; the books and the flows tell listeners through
the `Dispatch` of their session.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable, Iterable
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


class Register:
    """Every listener, by what it listens to.  Targets are not kept alive."""

    def __init__(self) -> None:
        self.version = 0
        self._listeners: weakref.WeakKeyDictionary[object, dict[str, list[Listener]]] = weakref.WeakKeyDictionary()

    def add(self, target: object, name: str, listener: Listener) -> None:
        """Tell *listener* of every *name* of *target* from now on."""
        self._listeners.setdefault(target, {}).setdefault(name, []).append(listener)
        self.version += 1

    def remove(self, target: object, name: str, listener: Listener) -> bool:
        """Tell *listener* no more; say whether it was there."""
        found = self._listeners.get(target, {}).get(name, [])
        if listener not in found:
            return False
        found.remove(listener)
        self.version += 1
        return True

    def listeners(self, target: object, name: str) -> list[Listener]:
        """Return who listens to *name* of *target*, in order of registration."""
        return self._listeners.get(target, {}).get(name, [])

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody listens to anything."""
        return not any(found for names in self._listeners.values() for found in names.values())


register = Register()


class Dispatch:
    """Tells the listeners of one session.

    Arguments:
        session: gives the session, None once it is gone.
        targets: what its listeners may have been registered for besides: its classes.
        awaits: coroutine functions are awaited.
    """

    def __init__(
        self, session: Callable[[], object] = lambda: None, targets: Iterable[object] = (), *, awaits: bool = False
    ) -> None:
        self._session = session
        self._targets = tuple(targets)
        self._awaits = awaits
        self._known: dict[tuple[str, type[Model] | None], tuple[Listener, ...]] = {}
        self._version = -1

    def add_target(self, target: object) -> None:
        """Tell those who listen to *target*, too, before those of the session itself."""
        self._targets = (*self._targets, target)
        self._known = {}

    def listeners(self, name: str, model: type[Model] | None = None) -> tuple[Listener, ...]:
        """Return who is to be told: listeners of the class first, then of the maker, the session, and the model."""
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
    def hears_of_instances(self) -> bool:
        """Tell whether anybody at all may listen to what happens to instances."""
        return not register.is_empty

    def tell_now(self, name: str, instance: Model | None = None) -> None:
        """Tell listeners of something that happens in memory."""
        model = None if instance is None else type(instance)
        for listener in self.listeners(name, model):
            answer = listener(*self._arguments(instance))
            if inspect.isawaitable(answer):
                raise self._cannot_wait(name, listener, answer)

    async def tell(self, name: str, instance: Model | None = None) -> None:
        """Tell listeners, and wait for those that are coroutine functions.

        Raises:
            InvalidRequestError: one is a coroutine function and the session is a blocking one.
        """
        model = None if instance is None else type(instance)
        for listener in self.listeners(name, model):
            answer = listener(*self._arguments(instance))
            if not inspect.isawaitable(answer):
                continue
            if not self._awaits:
                raise self._cannot_wait(name, listener, answer)
            await cast("Awaitable[object]", answer)

    def _arguments(self, instance: Model | None) -> tuple[object, ...]:
        return (self._session(),) if instance is None else (self._session(), instance)

    def _cannot_wait(self, name: str, listener: Listener, answer: object) -> InvalidRequestError:
        if inspect.iscoroutine(answer):
            answer.close()
        return InvalidRequestError(
            f"the listener {listener!r} for {name!r} is a coroutine function, which this cannot wait for: register a "
            "plain function"
        )
