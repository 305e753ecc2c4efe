"""What is known of each file of a run, found out once.  Made by `odmantic`, asked by `functions` and `planning`."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from .bindings import dotted
from .kinds import Project
from .provenance import Provenances
from .sites import Block, Site, sites_of
from .sources import Source


@dataclass
class Findings:
    """The engine calls of one file.

    Attributes:
        sites: calls that may be rewritten.
        blocks: sessions and transactions they open.
        refused: calls that cannot, with the reason.
        provenances: where instances come from.
    """

    sites: list[Site]
    blocks: list[Block]
    refused: list[tuple[cst.CSTNode, str]]
    provenances: Provenances


class Analysis:
    """Finds the engine calls of files, each file once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._found: dict[int, Findings] = {}
        self._opening: frozenset[str] | None = None

    def of(self, source: Source) -> Findings:
        """Return what is known of a file."""
        if id(source) not in self._found:
            sites, blocks, refused = sites_of(self.project, source)
            provenances = Provenances(self.project, source, sites, lambda other: self.of(other).provenances)
            self._found[id(source)] = Findings(sites, blocks, refused, provenances)
        return self._found[id(source)]

    def opening(self) -> frozenset[str]:
        """Return the names of all functions and methods that use an engine, themselves or through others."""
        if self._opening is None:
            names: set[str] = set()
            calls: dict[str, set[str]] = {}
            for source in self.project.sources:
                found = self.of(source)
                functions = [site.function for site in found.sites] + [block.function for block in found.blocks]
                names |= {function.name.value for function in functions if function is not None}
                _collect_calls(source.module, "", calls)
            while more := {name for name, called in calls.items() if called & names} - names:
                names |= more
            self._opening = frozenset(names - {""})
        return self._opening


def _collect_calls(node: cst.CSTNode, function: str, calls: dict[str, set[str]]) -> None:
    """Collect the names that each function calls."""
    if isinstance(node, cst.FunctionDef):
        function = node.name.value
    if isinstance(node, cst.Call):
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else dotted(node.func)
        calls.setdefault(function, set()).add(name)
    for child in node.children:
        _collect_calls(child, function, calls)
