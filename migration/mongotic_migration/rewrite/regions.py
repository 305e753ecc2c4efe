"""Where a session is open, and which calls go through it.  Made by `planning`, carried out by `odmantic`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import libcst as cst

from .sites import Block, Site
from .sources import Source


@dataclass(eq=False)
class Region:
    """A part of a file in which one session is open.

    Attributes:
        session: what the session is called there.
        engine: the engine as written; empty where the session comes from outside.
        is_async: it is awaited.
        in_transaction: what is written is flushed, and committed by the end of the block.
        sites: the calls that go through it.
    """

    session: str
    engine: str
    is_async: bool
    in_transaction: bool = False
    sites: list[Site] = field(default_factory=list[Site])


@dataclass(eq=False)
class HelperCall:
    """A call of a function that took an engine and takes a session now; stands in a `Site` as its method `call`.

    Attributes:
        argument: which argument is the engine.
        keyword: its new name, where it is passed by name.
        writes: the function writes.
    """

    argument: cst.Arg
    keyword: str
    writes: bool


@dataclass
class Plan:
    """What becomes of one file.

    Attributes:
        region_of: the region of each call that is rewritten.
        wrapped: statements to be put into a block that opens a session, by their `id`.
        ranges: first and last statement to be put into one, together.
        blocks: what becomes of ODMantic's blocks, by the `id` of the statement.
        helpers: what is passed to functions that take a session, by the call.
    """

    region_of: dict[Site, Region] = field(default_factory=dict[Site, Region])
    wrapped: dict[int, Region] = field(default_factory=dict[int, Region])
    ranges: list[tuple[cst.CSTNode, cst.CSTNode, Region]] = field(
        default_factory=list[tuple[cst.CSTNode, cst.CSTNode, Region]]
    )
    blocks: dict[int, tuple[Block, Region, bool]] = field(default_factory=dict[int, tuple[Block, Region, bool]])
    helpers: dict[Site, HelperCall] = field(default_factory=dict[Site, HelperCall])
    refused: list[tuple[cst.CSTNode, str]] = field(default_factory=list[tuple[cst.CSTNode, str]])


def all_names(node: cst.CSTNode) -> Iterator[str]:
    """Return every name in a part of a file."""
    if isinstance(node, cst.Name):
        yield node.value
    for child in node.children:
        yield from all_names(child)


def free_name(
    source: Source, function: cst.FunctionDef | None, wanted: Sequence[str], freed: frozenset[str] = frozenset()
) -> str:
    """Return the first name that means nothing yet in a function; those *freed* mean nothing any more."""
    used = set(all_names(function if function is not None else source.module)) - freed
    candidates = [*wanted, *(f"{wanted[0]}_{number}" for number in range(2, 1000))]
    return next(name for name in candidates if name not in used)
