"""Decides which session every engine call of a file goes through, or why it is left alone.  Called by `odmantic`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from .analysis import Analysis
from .bindings import Entered, dotted, origin_of
from .facade import Facade
from .functions import SessionFunctions
from .hazards import Hazards, root_of
from .kinds import ENGINE
from .provenance import MADE
from .regions import Plan, Region, free_name
from .sites import Block, Function, Refusal, Site
from .sources import Source
from .writes import check_write

SESSION_NAMES = ("session", "db_session", "mongotic_session")


class Planner:
    """Plans one file.

    Arguments:
        style: `call`, every call in a session of its own, or `session`, one session for each function.
        functions: those that take a session from now on.
    """

    def __init__(
        self, analysis: Analysis, source: Source, style: str, facade: Facade, functions: SessionFunctions
    ) -> None:
        self._project, self._source, self._style, self._facade = analysis.project, source, style, facade
        self._functions = functions
        found = analysis.of(source)
        self.sites, self.blocks, self.provenances = list(found.sites), found.blocks, found.provenances
        self._hazards = Hazards(analysis.project, source, self.provenances, analysis.opening())
        self.plan = Plan(refused=list(found.refused))
        self._refused: set[Site] = set()

    def run(self) -> Plan:
        """Return the plan."""
        calls = self._functions.calls_in(self._source)
        for site, helper in calls:
            self.plan.helpers[site] = helper
        self.sites += [site for site, _ in calls]
        self._check_forms()
        in_blocks = self._plan_blocks()
        rest = [site for site in self.sites if site not in in_blocks and site not in self._refused]
        functions: dict[int, tuple[Function, list[Site]]] = {}
        for site in rest:
            functions.setdefault(id(site.function), (site.function, []))[1].append(site)
        for block in self.blocks:
            functions.setdefault(id(block.function), (block.function, []))
        for function, sites in functions.values():
            self._plan_function(function, sites)
        return self.plan

    def _refuse(self, site: Site, reason: str) -> None:
        if site not in self._refused:
            self._refused.add(site)
            self.plan.refused.append((site.call, reason))

    def _check_forms(self) -> None:
        """Leave alone what has no form in a session, wherever that is."""
        for site in self.sites:
            try:
                if site.method in {"find", "find_one", "count", "aggregate", "count_documents"}:
                    self._facade.read(site, site.call, "session")
                elif site.method == "remove":
                    self._facade.remove(site, site.call, "session", is_used=True)
                elif site.method in {"save", "save_all", "delete"}:
                    check_write(self._source, site)
                    self._check_own(site)
                    if site.method == "delete":
                        self._check_delete(site)
                elif site.method in {"commit", "abort"} and site.call.args:
                    raise Refusal(f"{site.method}() takes no arguments")
                self._check_session_argument(site)
            except Refusal as refusal:
                self._refuse(site, str(refusal))

    def _check_own(self, site: Site) -> None:
        """See that an instance is no other function's, whose session may hold it."""
        if site.function is None or self._source.nearest(site.function, cst.FunctionDef) is None:
            return
        scope = self._source.scopes.get(site.carrier)
        own = {each.name for each in scope.assignments} if scope is not None else set[str]()
        root = root_of(site.call.args[0].value)
        if root and root not in own:
            raise Refusal(f"{root} belongs to the function around, whose session may hold it")

    def _check_delete(self, site: Site) -> None:
        found = self.provenances.of(site.call.args[0].value)
        if MADE in found.kinds:
            raise Refusal("what was made here need not be stored; session.delete() refuses an instance that is not")
        if not found.is_known:
            raise Refusal(
                "it cannot be told that the instance was read from the database, which session.delete() asks for"
            )
        if "DocumentNotFoundError" in self._source.module.code:
            raise Refusal("this file handles DocumentNotFoundError, which session.delete() does not raise")

    def _check_session_argument(self, site: Site) -> None:
        given = _session_argument(site)
        if given is None:
            return
        if site.thing.role != ENGINE:
            raise Refusal("it names another session than the one it is called on")
        if self._block_of(site, given) is None:
            raise Refusal("the session passed to it is not opened by a with statement around it")

    # -- blocks --------------------------------------------------------------------------------------------------

    def _block_of(self, site: Site, name: str) -> Block | None:
        """Return the innermost block around a call whose session has that name."""
        around = list(self._source.above(site.outer))
        for each in around:
            for block in self.blocks:
                if block.node is each and block.name == name and block.function is site.function:
                    return block
        return None

    def _own_block(self, site: Site) -> Block | None:
        given = _session_argument(site)
        if given is not None:
            return self._block_of(site, given)
        return self._block_of(site, dotted(site.receiver)) if site.thing.role != ENGINE else None

    def _plan_blocks(self) -> set[Site]:
        """Plan the blocks, the outer ones first; return the calls in them that belong to them."""
        owned: dict[Block, list[Site]] = {block: [] for block in self.blocks}
        for site in self.sites:
            block = self._own_block(site)
            if block is not None:
                owned[block].append(site)
            elif site.thing.role != ENGINE:
                self._refuse(site, "the session it is called on is not opened by a with statement around it")
            elif any(self._is_inside(site.outer, each) for each in self.blocks if each.opened == "transaction"):
                self._refuse(site, "it stands in the block of a transaction that it takes no part in")
        self._owned = owned
        self._left_blocks: dict[Block, str] = {}
        for block in self.blocks:
            if reason := self._block_reason(block):
                self._left_blocks[block] = reason
        for block in self.blocks:  # what is opened of a block that stays can only stay
            parent = self._parent_block(block)
            if parent in self._left_blocks:
                self._left_blocks.setdefault(block, self._left_blocks[parent])
        for block, reason in self._left_blocks.items():
            self.plan.refused.append((block.item, reason))
            for site in owned[block]:
                self._refuse(site, reason)
        return {site for sites in owned.values() for site in sites}

    def _parent_block(self, block: Block) -> Block | None:
        name = dotted(block.receiver)
        for each in self._source.above(block.node):
            for other in self.blocks:
                if other.node is each and other.name == name and name:
                    return other
        return None

    def _is_inside(self, node: cst.CSTNode, block: Block) -> bool:
        return any(each is block.node for each in self._source.above(node))

    def _block_reason(self, block: Block) -> str | None:
        """Return why a block stays ODMantic's, or None."""
        if refused := [site for site in self._owned[block] if site in self._refused]:
            line = self._source.line(refused[0].call)
            return f"{refused[0].method}() on line {line} is left alone, and has to go through the same session"
        if any(other.node is block.node and other is not block for other in self.blocks):
            return "two sessions are opened by one statement"
        if block.name and (reason := self._escapes(block)):
            return reason
        parent = self._parent_block(block)
        if parent is None and (thing := self._project.thing(self._source, block.receiver)) and thing.role != ENGINE:
            return "the session it is opened of is not opened by a with statement around it"
        sites = [site for each in (block, *self._children(block)) for site in self._owned[each]]
        transaction = block.opened == "transaction"
        return self._hazards.reason([block.node], sites, is_transaction=transaction, is_shared=False)

    def _children(self, block: Block) -> list[Block]:
        return [each for each in self.blocks if self._parent_block(each) is block]

    def _escapes(self, block: Block) -> str | None:
        """Return where a block's session is used for more than calls, or None."""
        known = {id(site.receiver) for site in self._owned[block]} | {id(each.receiver) for each in self.blocks}
        known |= {id(each.value) for site in self._owned[block] for each in site.call.args if _is_session(each)}
        scope = self._source.scopes.get(block.node)
        for assignment in scope[block.name] if scope is not None else ():
            if not isinstance(origin_of(self._source, assignment), Entered):
                return f"{block.name} is given other values, too"
            for access in assignment.references:
                if self._is_inside(access.node, block) and id(access.node) not in known:
                    line = self._source.line(access.node)
                    return f"{block.name} is used on line {line} for something that has no form in a session"
                if not any(self._is_inside(access.node, each) for each in self.blocks if each.name == block.name):
                    return f"{block.name} is used after its block"
        return None

    # -- functions -----------------------------------------------------------------------------------------------

    def _plan_function(self, function: Function, sites: Sequence[Site]) -> None:
        blocks = [block for block in self.blocks if block.function is function and block not in self._left_blocks]
        outer = [block for block in blocks if self._parent_block(block) is None]
        if self._functions.takes_session(function):
            assert function is not None
            region = Region(self._functions.name(function), "", self._functions.is_async(function))
            self._share(region, sites, outer)
        elif self._style == "session" and function is not None and (whole := self._whole(function, sites, outer)):
            self._share(whole, sites, outer)
        else:
            self._each_its_own(function, sites)
            self._open_blocks(outer, None)

    def _share(self, region: Region, sites: Iterable[Site], blocks: Iterable[Block]) -> None:
        for site in sites:
            self._put(site, region)
        self._open_blocks(blocks, region)

    def _put(self, site: Site, region: Region) -> None:
        region.sites.append(site)
        self.plan.region_of[site] = region

    def _whole(self, function: cst.FunctionDef, sites: Sequence[Site], blocks: Sequence[Block]) -> Region | None:
        """Return a session for a whole function, or None where each call is better off with its own."""
        engines = {dotted(site.receiver) if site not in self.plan.helpers else self._passed(site) for site in sites}
        engines |= {dotted(block.receiver) for block in blocks}
        kinds = {site.is_async for site in sites} | {block.is_async for block in blocks}
        places: list[cst.CSTNode] = [*(site.outer for site in sites), *(block.node for block in blocks)]
        if len(places) < 2 or len(engines) != 1 or "" in engines or len(kinds) != 1:
            return None
        body = function.body.body
        if not isinstance(function.body, cst.IndentedBlock):
            return None
        used = [number for number, each in enumerate(body) if any(self._holds(each, place) for place in places)]
        statements = body[used[0] : used[-1] + 1]
        owned = [site for block in self.blocks if block.function is function for site in self._owned[block]]
        if self._hazards.reason(statements, [*sites, *owned], is_transaction=False, is_shared=False):
            return None
        region = Region(self._session_name(function), engines.pop(), kinds.pop())
        if len(statements) == 1:
            self.plan.wrapped[id(statements[0])] = region
        else:
            self.plan.ranges.append((statements[0], statements[-1], region))
        return region

    def _passed(self, site: Site) -> str:
        return dotted(self.plan.helpers[site].argument.value)

    def _holds(self, statement: cst.CSTNode, node: cst.CSTNode) -> bool:
        return statement is node or any(each is statement for each in self._source.above(node))

    def _each_its_own(self, function: Function, sites: Sequence[Site]) -> None:
        """Give every statement with calls in it a session; those inside of a loop's body share the loop's."""
        regions: list[tuple[cst.CSTNode, list[Site]]] = []
        for site in sites:
            around = {id(each) for each in self._source.above(site.outer)}
            engine = self._engine(site)
            home = next(
                (found for carrier, found in regions if id(carrier) in around and self._engine(found[0]) == engine),
                None,
            )
            if home is not None:
                home.append(site)
            elif any(id(carrier) in around for carrier, _ in regions):
                self._refuse(site, "a session of another engine is open around it")
            else:
                regions.append((site.carrier, [site]))
        for carrier, found in regions:
            if reason := self._region_reason(carrier, found):
                for site in found:
                    self._refuse(site, reason)
                continue
            name = self._session_name(function)
            if carrier is not found[0].carrier or id(carrier) in self.plan.wrapped:
                continue
            region = Region(name, self._engine(found[0]), found[0].is_async)
            self.plan.wrapped[id(carrier)] = region
            for site in found:
                self._put(site, region)

    def _session_name(self, function: Function) -> str:
        """Return a name for a session; those of ODMantic's sessions that are rewritten are free again."""
        blocks = [block for block in self.blocks if block.function is function]
        kept = {block.name for block in blocks if block in self._left_blocks}
        freed = {block.name for block in blocks} - kept
        return free_name(self._source, function, SESSION_NAMES, frozenset(freed))

    def _engine(self, site: Site) -> str:
        node = self.plan.helpers[site].argument.value if site in self.plan.helpers else site.receiver
        return self._source.module.code_for_node(node)

    def _region_reason(self, carrier: cst.CSTNode, sites: Sequence[Site]) -> str | None:
        if len({site.is_async for site in sites}) > 1:
            return "engines of both kinds stand in one statement"
        if any(self._region_is_taken(carrier, site) for site in sites):
            return "another engine is used in the same statement"
        if any(self._holds(carrier, block.node) for block in self.blocks if block not in self._left_blocks):
            return "a session or transaction is opened inside of the statement"
        return self._hazards.reason([carrier], sites, is_transaction=False, is_shared=False)

    def _region_is_taken(self, carrier: cst.CSTNode, site: Site) -> bool:
        taken = self.plan.wrapped.get(id(carrier))
        return taken is not None and taken.engine != self._engine(site)

    def _open_blocks(self, blocks: Iterable[Block], region: Region | None) -> None:
        """Plan what becomes of blocks, inside a session that is open or not."""
        for block in blocks:
            opens = region is None
            engine = self._source.module.code_for_node(block.receiver)
            inner = region or Region(self._session_name(block.function), engine, block.is_async)
            own = Region(inner.session, inner.engine, block.is_async, block.opened == "transaction")
            for site in self._owned[block]:
                self._put(site, own)
            self.plan.blocks[id(block.node)] = (block, own, opens)
            self._open_blocks([each for each in self._children(block) if each not in self._left_blocks], own)


def _is_session(argument: cst.Arg) -> bool:
    return argument.keyword is not None and argument.keyword.value == "session"


def _session_argument(site: Site) -> str | None:
    """Return the name of the session a call is told to use, or None."""
    for argument in site.call.args:
        if _is_session(argument) and dotted(argument.value) != "None":
            return dotted(argument.value) or "?"
    return None
