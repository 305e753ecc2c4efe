"""`save`, `save_all` and `delete` as statements of a session.  Called by `odmantic`.

An instance that was read is updated by what differs; one made here, under a key of its own, is inserted; any other is
merged, which stays the upsert that ODMantic's `save` is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst

from .bindings import dotted
from .facade import code, line
from .provenance import Provenances
from .regions import Region, all_names
from .sites import Refusal, Site
from .sources import Source


def check_write(source: Source, site: Site) -> None:
    """See that a write stands where statements can take its place.

    Raises:
        Refusal: it is part of a larger expression, or its arguments cannot be read here.
    """
    positions = [each for each in site.call.args if each.keyword is None and not each.star]
    named = [each for each in site.call.args if each.keyword is not None and each.keyword.value != "session"]
    if len(positions) != 1 or named or any(each.star for each in site.call.args):
        raise Refusal(f"{site.method}() is written with more than the instance it is about")
    statement = source.parent(site.outer)
    whole = source.parent(statement) if statement is not None else None
    if isinstance(statement, cst.Expr) and isinstance(whole, cst.SimpleStatementLine) and len(whole.body) == 1:
        return
    kinds = (cst.Return, cst.AnnAssign) if site.method != "delete" else ()
    single = isinstance(statement, cst.Assign) and len(statement.targets) == 1 and site.method != "delete"
    if not (isinstance(statement, kinds) or single) or not isinstance(whole, cst.SimpleStatementLine):
        raise Refusal(f"{site.method}() is part of an expression, or shares its line with another statement")
    if len(whole.body) > 1:
        raise Refusal(f"{site.method}() shares its line with another statement")


@dataclass
class Writes:
    """Writes the statements of one file."""

    source: Source
    provenances: Provenances

    def statements(
        self, site: Site, region: Region, updated: cst.SimpleStatementLine
    ) -> list[cst.SimpleStatementLine | cst.For]:
        """Return what takes the place of the line of a write; *updated* is it with what was rewritten inside."""
        small = updated.body[0]
        call = _call_in(small)
        value = call.args[0].value
        before: list[cst.SimpleStatementLine] = []
        after: list[cst.SimpleStatementLine] = []
        if isinstance(small, cst.Expr):
            subject = value
        else:
            subject, before, after = self._used(small, value, site)
        staged = self._staged(site, region, subject)
        done = "flush" if region.in_transaction else "commit"
        wait = "await " if region.is_async else ""
        found: list[cst.SimpleStatementLine | cst.For] = [
            *before,
            *staged,
            line(f"{wait}{region.session}.{done}()"),
            *after,
        ]
        found[0] = found[0].with_changes(leading_lines=updated.leading_lines)
        found[-1] = found[-1].with_changes(trailing_whitespace=updated.trailing_whitespace)
        return found

    def _used(
        self, small: cst.BaseSmallStatement, value: cst.BaseExpression, site: Site
    ) -> tuple[cst.BaseExpression, list[cst.SimpleStatementLine], list[cst.SimpleStatementLine]]:
        """Return what is written, and the statements around it, where the value of the call is used."""
        many = site.method == "save_all"
        given = (
            value
            if not many or isinstance(value, (cst.List, cst.ListComp))
            else cst.Call(code("list"), [cst.Arg(value)])
        )
        target = _target(small)
        simple = bool(dotted(value)) and not many
        if simple:
            rest = [] if target is not None and dotted(target) == dotted(value) else [_with_value(small, value)]
            return value, [], rest
        if target is not None and isinstance(target, cst.Name):
            return target, [_with_value(small, given)], []
        name = cst.Name(self._name_for(value, site))
        first = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(name)], given)])
        return name, [first], [_with_value(small, name)]

    def _name_for(self, value: cst.BaseExpression, site: Site) -> str:
        wanted = "instances" if site.method == "save_all" else "instance"
        if isinstance(value, cst.Call) and site.method == "save" and (name := dotted(value.func).rpartition(".")[2]):
            wanted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        used = set(all_names(site.function if site.function is not None else self.source.module))
        names = [wanted, f"new_{wanted}", *(f"{wanted}_{number}" for number in range(2, 1000))]
        return next(name for name in names if name not in used)

    def _staged(
        self, site: Site, region: Region, subject: cst.BaseExpression
    ) -> list[cst.SimpleStatementLine | cst.For]:
        session = region.session
        if site.method == "delete":
            return [_call_line(f"{session}.delete", subject)]
        found = self.provenances.of(site.call.args[0].value)
        if found.is_read and found.sites <= set(region.sites) and dotted(subject):
            return []  # the session has read it, and writes what has changed in it
        if site.method == "save":
            return [_call_line(f"{session}.add" if found.is_known else f"{session}.merge", subject)]
        if found.is_known:
            return [_call_line(f"{session}.add_all", subject)]
        used = set(all_names(site.function if site.function is not None else self.source.module))
        names = ["instance", *(f"instance_{number}" for number in range(2, 1000))]
        name = next(name for name in names if name not in used)
        merging = _call_line(f"{session}.merge", cst.Name(name))
        return [cst.For(cst.Name(name), subject, cst.IndentedBlock([merging]))]


def _call_line(function: str, argument: cst.BaseExpression) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine([cst.Expr(cst.Call(code(function), [cst.Arg(argument)]))])


def _call_in(small: cst.BaseSmallStatement) -> cst.Call:
    value = small.value if isinstance(small, (cst.Expr, cst.Assign, cst.AnnAssign, cst.Return)) else None
    if isinstance(value, cst.Await):
        value = value.expression
    assert isinstance(value, cst.Call)
    return value


def _target(small: cst.BaseSmallStatement) -> cst.BaseExpression | None:
    if isinstance(small, cst.Assign):
        return small.targets[0].target
    return small.target if isinstance(small, cst.AnnAssign) else None


def _with_value(small: cst.BaseSmallStatement, value: cst.BaseExpression) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine([small.with_changes(value=value)])
