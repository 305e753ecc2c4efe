"""A run of a codemod over files: read, rewrite, report, and write if asked to.  `rewrite_command` calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from . import habits, mongotic_04, motor, odmantic
from .kinds import Project
from .report import FileReport, Report
from .sources import Source, Unparsable, dotted_name, parsed, python_files, write


@dataclass(frozen=True)
class Options:
    """How files are rewritten.

    Attributes:
        style: for `odmantic`: `call`, every call in a session of its own, or `session`, one for each function.
        engines: names that are engines, whatever the code says.
    """

    style: str = "call"
    engines: tuple[str, ...] = ()


Codemod = Callable[[Project, Options, Mapping[int, FileReport]], Mapping[int, cst.Module]]

CODEMODS: Mapping[str, Codemod] = {
    "odmantic": lambda project, options, reports: odmantic.rewrite(project, options.style, reports),
    "motor": lambda project, _, reports: motor.rewrite(project, reports),
    "mongotic-0.4": lambda project, _, reports: mongotic_04.rewrite(project, reports),
    "sqlalchemy-habits": lambda project, _, reports: habits.rewrite(project, reports),
}


def run(codemod: str, paths: Iterable[Path], options: Options | None = None, *, write_files: bool = False) -> Report:
    """Rewrite files and folders.

    Arguments:
        codemod: one of `CODEMODS`.
        paths: files, and folders whose Python files are taken.
        write_files: put what was changed into the files; otherwise nothing is touched.

    Returns:
        What became of each file.  One that cannot be parsed is reported, and never written.

    Raises:
        OSError: a path cannot be read or written.
    """
    found = [(path, dotted_name(path, root), path.read_bytes()) for path, root in python_files(paths)]
    files, contents = rewritten(codemod, found, options or Options())
    if write_files:
        for report in files:
            if report.is_changed:
                write(report.path, contents[report.path])
    return Report(files, written=write_files)


def rewritten(
    codemod: str, found: Sequence[tuple[Path, str, bytes]], options: Options
) -> tuple[list[FileReport], dict[Path, bytes]]:
    """Return what becomes of files, and their new contents; nothing is written.

    Arguments:
        found: path, dotted name and content of each file.
    """
    reports: list[FileReport] = []
    sources: list[Source] = []
    by_source: dict[int, FileReport] = {}
    for path, name, content in found:
        report = FileReport(path)
        reports.append(report)
        try:
            source = parsed(content, path, name)
        except Unparsable as error:
            report.error = str(error)
            continue
        report.before = report.after = source.module.code
        sources.append(source)
        by_source[id(source)] = report
    project = Project(sources, options.engines)
    changed = CODEMODS[codemod](project, options, by_source)
    contents: dict[Path, bytes] = {}
    for source in sources:
        report, module = by_source[id(source)], changed[id(source)]
        report.after = module.code
        if report.is_changed:
            parsed(module.bytes, source.path)  # what could not be read again is never written
            contents[source.path] = module.bytes
    return reports, contents
