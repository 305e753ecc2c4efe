"""How the references of a query are loaded: `selectinload`, `joinedload`, `noload`, `raiseload`.

Users give them to `Select.options()`, `Session.get(options=...)` and `Session.refresh(options=...)`.

```python
select(Book).options(joinedload(Book.publisher).noload(Publisher.country), raiseload(Book.author))
```
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from mongotic_adapters.columns import Column, column_of
from mongotic_adapters.load_plan import USUAL_PLAN, LoadPlan, Way
from mongotic_adapters.mapping import Mapping, Shape
from mongotic_adapters.odmantic_internals import FieldProxy
from mongotic_adapters.shown import shown

from .exceptions import ArgumentError, ArgumentTypeError


class LoadOption:
    """How references on the way to one model are loaded.  Made by `selectinload` and its like; immutable.

    Its methods go on from the model that the last reference leads to.
    """

    def __init__(self, steps: tuple[tuple[Mapping, str, Way], ...]) -> None:
        self._steps = steps

    def selectinload(self, reference: object) -> LoadOption:
        """Load a reference of the model reached so far by a query of its own; see `selectinload`."""
        return self._extended(reference, Way.SELECTIN)

    def joinedload(self, reference: object) -> LoadOption:
        """Load a reference of the model reached so far by `$lookup`; see `joinedload`."""
        return self._extended(reference, Way.JOINED)

    def noload(self, reference: object) -> LoadOption:
        """Do not load a reference of the model reached so far; see `noload`."""
        return self._extended(reference, Way.NOTHING)

    def raiseload(self, reference: object) -> LoadOption:
        """Refuse to read a reference of the model reached so far; see `raiseload`."""
        return self._extended(reference, Way.RAISE)

    def _extended(self, reference: object, way: Way) -> LoadOption:
        mapping, name = _reference(way, reference)
        if self._steps:
            owner, last, before = self._steps[-1]
            reached = cast("Mapping", owner.fields[last].target)
            if not before.loads:
                raise ArgumentError(
                    f"{before.value}({owner.name}.{last}).{way.value}(): {owner.name}.{last} is not loaded, so nothing "
                    "in it is either"
                )
            if reached is not mapping:
                raise ArgumentError(
                    f"{way.value}(): {owner.name}.{last} leads to {reached.name}, and {mapping.name}.{name} is a field "
                    f"of {mapping.name}"
                )
        return LoadOption((*self._steps, (mapping, name, way)))

    def added_to(self, plan: LoadPlan, mapping: Mapping, where: str) -> LoadPlan:
        """Return *plan* with what this option says; for statements and sessions, not for users."""
        first = self._steps[0][0]
        if first is not mapping:
            raise ArgumentError(f"{where}: {self!r} is about {first.name}, and what is asked for is {mapping.name}")
        path: tuple[str, ...] = ()
        for _, name, way in self._steps:
            path = (*path, name)
            plan = plan.chosen(path, way)
        return plan

    def __repr__(self) -> str:
        return ".".join(f"{way.value}({mapping.name}.{name})" for mapping, name, way in self._steps)


def selectinload(reference: object) -> LoadOption:
    """Load a reference by one more `find` command with `$in`, for all documents together; what the session holds
    already is not read again.  That is the usual way for more than two documents.

    Arguments:
        reference: a reference of the model, `Book.publisher` say.

    Raises:
        ArgumentTypeError: it is no field.
        ArgumentError: it is no reference.
    """
    return LoadOption(())._extended(reference, Way.SELECTIN)  # pyright: ignore[reportPrivateUsage]


def joinedload(reference: object) -> LoadOption:
    """Load a reference along with the documents: one `aggregate` command with a `$lookup`.  That is the usual way for
    one or two documents.

    Where `$lookup` does not reach, in another database or past an engine with a `find()` of its own, the reference is
    loaded as by `selectinload`.

    Arguments:
        reference: as of `selectinload`.

    Raises:
        ArgumentTypeError: it is no field.
        ArgumentError: it is no reference.
    """
    return LoadOption(())._extended(reference, Way.JOINED)  # pyright: ignore[reportPrivateUsage]


def noload(reference: object) -> LoadOption:
    """Do not load a reference: the field is None, and its document keeps the key unless the field is set.

    `inspect(instance).foreign_key(name)` gives the key, `session.refresh(instance, [name])` loads what it refers to.

    Arguments:
        reference: as of `selectinload`.

    Raises:
        ArgumentTypeError: it is no field.
        ArgumentError: it is no reference.
    """
    return LoadOption(())._extended(reference, Way.NOTHING)  # pyright: ignore[reportPrivateUsage]


def raiseload(reference: object) -> LoadOption:
    """Do not load a reference, and let reading the field raise `InvalidRequestError`; see `noload`.

    Arguments:
        reference: as of `selectinload`.

    Raises:
        ArgumentTypeError: it is no field.
        ArgumentError: it is no reference.
    """
    return LoadOption(())._extended(reference, Way.RAISE)  # pyright: ignore[reportPrivateUsage]


def load_plan(mapping: Mapping, options: Iterable[LoadOption], where: str, plan: LoadPlan = USUAL_PLAN) -> LoadPlan:
    """Return *plan* with what several options say, later ones over earlier ones.

    Raises:
        ArgumentTypeError: one is no option.
        ArgumentError: one is about another model.
    """
    for option in options:
        if not isinstance(cast("object", option), LoadOption):
            raise ArgumentTypeError(
                f"{where} takes options such as noload({mapping.name}.{_example(mapping)}), got {shown(option)}"
            )
        plan = option.added_to(plan, mapping, where)
    return plan


def _example(mapping: Mapping) -> str:
    return mapping.references[0].name if mapping.references else "publisher"


def _reference(way: Way, reference: object) -> tuple[Mapping, str]:
    if not isinstance(reference, FieldProxy):
        raise ArgumentTypeError(f"{way.value}() takes a reference, Book.publisher say, got {shown(reference)}")
    column: Column[object] = column_of(reference)
    mapping, field = column.mapping_, column.field_
    if field is None or field.shape is not Shape.REFERENCE or mapping.fields.get(field.name) is not field:
        raise ArgumentError(f"{way.value}(): {mapping.name}.{column.key_} is no reference to another document")
    return mapping, field.name
