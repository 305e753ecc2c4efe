"""Listeners: plain functions that are told of what sessions do.

```python
from mongotic import event

@event.listens_for(User, "before_update")
def stamp(session, user):
    user.changed_at = datetime.now(timezone.utc)
```

Session events are told with the session: `before_flush`, `after_flush`, `before_commit`, `after_commit`,
`after_rollback`.  Instance events are told with the session and the instance: `before_insert`, `after_insert`,
`before_update`, `after_update`, `before_delete`, `after_delete`, `load`.

A `before_…` listener is told before anything is encoded: what it changes, and what it adds to the session, is written
by the same flush.  What it raises stops the flush, with nothing sent yet.  An `after_…` listener is told when the
server has confirmed, and the flush has come to its end; when the flush fails, of what it had written until then.  A
merged instance counts as updated.  Statements (`insert`, `update`, `delete`) tell nobody.

A listener may use the session that tells it, except to flush, commit, roll back, close or empty it; a `load` listener
may not send anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, overload

from odmantic import Model

from mongotic_adapters.events import INSTANCE_EVENTS, SESSION_EVENTS, is_coroutine_function, register

from .asyncio.session import AsyncSession, async_sessionmaker
from .exceptions import ArgumentError, ArgumentTypeError
from .session import Session, sessionmaker

SessionEvent: TypeAlias = Literal["before_flush", "after_flush", "before_commit", "after_commit", "after_rollback"]
InstanceEvent: TypeAlias = Literal[
    "before_insert", "after_insert", "before_update", "after_update", "before_delete", "after_delete", "load"
]

SessionTarget: TypeAlias = (
    "type[Session] | sessionmaker | Session | type[AsyncSession[Any]] | async_sessionmaker[Any] | AsyncSession[Any]"
)
"""A session class, a maker, or one session."""

Target: TypeAlias = "SessionTarget | type[Model]"
"""For instance events also a model class: it and its subclasses are meant."""

SessionListener = TypeVar("SessionListener", bound=Callable[[Any], object])  # each names the kind of session it knows
InstanceListener = TypeVar("InstanceListener", bound=Callable[[Any, Any], object])


@overload
def listen(target: SessionTarget, name: SessionEvent, fn: Callable[[Any], object]) -> None: ...
@overload
def listen(target: Target, name: InstanceEvent, fn: Callable[[Any, Any], object]) -> None: ...
def listen(target: Target, name: SessionEvent | InstanceEvent, fn: Callable[..., object]) -> None:
    """Tell *fn* whenever *name* happens to *target*.

    Arguments:
        target: a session class, a maker, one session, or, for instance events, a model class and its subclasses.
        name: one of the events above.
        fn: called with the session, and with the instance for an instance event; a coroutine function is awaited, and
            fits what only awaiting sessions do.

    Raises:
        ArgumentError: there is no such event, or not for that target.
        ArgumentTypeError: *target* or *fn* is something else, or a coroutine function nobody could wait for.
    """
    _expect(target, name)
    if not callable(fn):
        raise ArgumentTypeError(f"event.listen({name!r}) takes a function, got {fn!r}")
    if is_coroutine_function(fn):
        _expect_awaiting(target, name)
    register.add(target, name, fn)


@overload
def listens_for(target: SessionTarget, name: SessionEvent) -> Callable[[SessionListener], SessionListener]: ...
@overload
def listens_for(target: Target, name: InstanceEvent) -> Callable[[InstanceListener], InstanceListener]: ...
def listens_for(target: Any, name: Any) -> Callable[[Any], Any]:  # the two overloads, to be handed on
    """Register the decorated function; see `listen`."""

    def decorate(fn: Any) -> Any:
        listen(target, name, fn)
        return fn

    return decorate


def remove(target: Target, name: SessionEvent | InstanceEvent, fn: Callable[..., object]) -> None:
    """Tell *fn* no more.

    Raises:
        ArgumentError: it was not registered for that.
    """
    _expect(target, name)
    if not register.remove(target, name, fn):
        raise ArgumentError(f"event.remove(): {fn!r} does not listen to {name!r} of {target!r}")


def _expect(target: object, name: object) -> None:
    if not isinstance(name, str) or name not in SESSION_EVENTS | INSTANCE_EVENTS:
        known = ", ".join(sorted(SESSION_EVENTS | INSTANCE_EVENTS))
        raise ArgumentError(f"there is no event {name!r}; there are {known}")
    if _is_model(target):
        if name in SESSION_EVENTS:
            raise ArgumentError(f"{name!r} happens to sessions, not to {target!r}: listen to a session or its maker")
    elif not _is_of_sessions(target, Session, sessionmaker) and not _is_of_sessions(
        target, AsyncSession, async_sessionmaker
    ):
        raise ArgumentTypeError(
            f"events are listened to on session classes, their makers, sessions and model classes, got {target!r}"
        )


def _expect_awaiting(target: object, name: str) -> None:
    if name == "load":
        raise ArgumentTypeError("a listener for 'load' must be a plain function: documents are read in memory")
    if _is_of_sessions(target, Session, sessionmaker):
        raise ArgumentTypeError(
            f"a listener for {name!r} of a blocking session must be a plain function: nothing could await it"
        )


def _is_of_sessions(target: object, session: type, maker: type) -> bool:
    return isinstance(target, (session, maker)) or (isinstance(target, type) and issubclass(target, session))


def _is_model(target: object) -> bool:
    return isinstance(target, type) and issubclass(target, Model)
