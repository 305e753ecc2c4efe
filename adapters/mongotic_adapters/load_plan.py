"""How the references of one query are loaded: by queries of their own, by `$lookup`, or not at all.

Made of what `Select.options()` and `execution_options(missing=...)` were given; followed by `flows.references`.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Literal, TypeAlias

Missing: TypeAlias = Literal["error", "none", "skip"]
"""What becomes of a document that refers to one that does not exist."""


class Way(Enum):
    """How one reference is loaded."""

    SELECTIN = "selectinload"
    JOINED = "joinedload"
    NOTHING = "noload"
    RAISE = "raiseload"

    @property
    def loads(self) -> bool:
        """Whether there are targets afterwards."""
        return self in (Way.SELECTIN, Way.JOINED)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How the references of the documents of one model are loaded.

    Attributes:
        ways: those that were chosen, by field name; the others are loaded in the cheapest way.
        inner: the plans for the documents they refer to, by field name.
        missing: what becomes of a document that refers to one that does not exist.
    """

    ways: AnyMapping[str, Way] = field(default_factory=lambda: MappingProxyType({}))
    inner: AnyMapping[str, LoadPlan] = field(default_factory=lambda: MappingProxyType({}))
    missing: Missing = "error"

    def within(self, name: str) -> LoadPlan:
        """Return the plan for the documents that a field refers to."""
        found = self.inner.get(name, USUAL_PLAN)
        return found if found.missing == self.missing else replace(found, missing=self.missing)

    def loads(self, name: str) -> bool:
        """Tell whether a reference is loaded."""
        return self.ways.get(name, Way.SELECTIN).loads

    def chosen(self, path: tuple[str, ...], way: Way) -> LoadPlan:
        """Return this plan with a way chosen for the reference at the end of *path*."""
        name, rest = path[0], path[1:]
        if not rest:
            return replace(self, ways={**self.ways, name: way})
        return replace(self, inner={**self.inner, name: self.inner.get(name, USUAL_PLAN).chosen(rest, way)})

    def joining(self) -> LoadPlan:
        """Return this plan with `$lookup` wherever nothing was chosen; for a single document that is cheapest."""
        return _Joining(self.ways, self.inner, self.missing)

    def joins(self, name: str) -> bool:
        """Tell whether a reference is loaded by `$lookup`."""
        return self.ways.get(name) is Way.JOINED


class _Joining(LoadPlan):
    """A plan that joins wherever nothing was chosen."""

    __slots__ = ()

    def within(self, name: str) -> LoadPlan:
        """Return the plan for the documents that a field refers to."""
        return LoadPlan.within(self, name).joining()

    def joins(self, name: str) -> bool:
        """Tell whether a reference is loaded by `$lookup`."""
        return self.ways.get(name, Way.JOINED) is Way.JOINED


USUAL_PLAN = LoadPlan()
