"""What is known of each file of a run, found out once.  Made by `odmantic`, asked by `functions` and `planning`."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

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

    def of(self, source: Source) -> Findings:
        """Return what is known of a file."""
        if id(source) not in self._found:
            sites, blocks, refused = sites_of(self.project, source)
            provenances = Provenances(self.project, source, sites, lambda other: self.of(other).provenances)
            self._found[id(source)] = Findings(sites, blocks, refused, provenances)
        return self._found[id(source)]
