"""Python files as they lie on the disk: found, parsed, and written whole or not at all.  Called by `running`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider, Scope, ScopeProvider

SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})

N = TypeVar("N", bound=cst.CSTNode)


class Unparsable(Exception):  # noqa: N818  # a state of the file, not a fault of the program
    """A file is not Python as this tool can read it; the message says why."""


@dataclass
class Source:
    """One parsed file.

    Attributes:
        path: where it lies.
        name: its dotted name, as far as the folders given allow to tell.
        module: the tree.
        parents, positions, scopes: libcst's metadata of it.
        is_package: it is an `__init__.py`.
    """

    path: Path
    name: str
    module: cst.Module
    parents: Mapping[cst.CSTNode, cst.CSTNode]
    positions: Mapping[cst.CSTNode, CodeRange]
    scopes: Mapping[cst.CSTNode, Scope | None]
    is_package: bool

    def line(self, node: cst.CSTNode) -> int:
        """The line a node begins on."""
        return self.positions[node].start.line

    def code(self, node: cst.CSTNode, width: int = 100) -> str:
        """A node in one line, for messages."""
        text = " ".join(self.module.code_for_node(node).split())
        return text if len(text) <= width else text[: width - 1] + "…"

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self.parents.get(node)

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, from the inside out."""
        found = self.parents.get(node)
        while found is not None:
            yield found
            found = self.parents.get(found)

    def nearest(self, node: cst.CSTNode, *kinds: type[N]) -> N | None:
        """The innermost node of a kind around a node."""
        return next((each for each in self.above(node) if isinstance(each, kinds)), None)


def python_files(paths: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Return the Python files below *paths*, each once, with the folder its dotted name is counted from.

    Hidden folders, environments and build output are passed over, unless named.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*.py")):
                inside = file.relative_to(path).parts[:-1]
                if not any(part in SKIPPED or part.startswith(".") for part in inside):
                    found.setdefault(file, path)
        else:
            found.setdefault(path, path.parent)
    return list(found.items())


def dotted_name(file: Path, root: Path) -> str:
    """Return a file's dotted name, with the names of the packages its root folder lies in."""
    parts = list(file.relative_to(root).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    folder = root.resolve()
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def parsed(text: bytes | str, path: Path, name: str = "module") -> Source:
    """Return a file as a tree.

    Raises:
        Unparsable: it cannot be decoded or parsed, or is nested too deeply.
    """
    try:
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        found = wrapper.resolve_many([ParentNodeProvider, PositionProvider, ScopeProvider])
    except cst.ParserSyntaxError as error:
        raise Unparsable(f"line {error.raw_line}: {error.message}") from error
    except (UnicodeDecodeError, SyntaxError, LookupError) as error:  # LookupError: an encoding nobody knows
        raise Unparsable(str(error)) from error
    except RecursionError as error:
        raise Unparsable("expressions are nested too deeply") from error
    parents = cast("Mapping[cst.CSTNode, cst.CSTNode]", found[ParentNodeProvider])
    positions = cast("Mapping[cst.CSTNode, CodeRange]", found[PositionProvider])
    scopes = cast("Mapping[cst.CSTNode, Scope | None]", found[ScopeProvider])
    return Source(path, name, wrapper.module, parents, positions, scopes, path.name == "__init__.py")


def write(path: Path, content: bytes) -> None:
    """Put *content* in the place of a file: the whole of it or nothing."""
    target = path.resolve()  # a link stays one
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as new:
        try:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
            Path(new.name).chmod(target.stat().st_mode & 0o7777)
            Path(new.name).replace(target)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(new.name).unlink()
            raise
