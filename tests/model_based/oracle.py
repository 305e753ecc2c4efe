"""What a session must do, said over dictionaries: the model the real session is compared with.

It knows the database as dictionaries, each instance as a `Twin`, and each session as lists of those.  Every method does
to them what the method of that name must do to the real thing, or raises the `Refused` that the real one must raise as
an error of that class.  Written from the semantics, not from the code: nothing is remembered that a user could not see,
but for what the database is believed to hold.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from odmantic import Model

from mongotic import ArgumentError, IntegrityError, InvalidRequestError, NotFound, StaleDataError
from mongotic.exceptions import DocumentError

from .models import COLLECTIONS, DEFAULTS, Book, Document, Note, Publisher, as_read, encoded

Key: TypeAlias = tuple[type[Model], Any]
HELD = frozenset({"persistent", "merged", "marked", "returned"})


class Refused(Exception):  # noqa: N818  # what must happen, not what went wrong
    """The real session must raise *error*, with those instances written and pending."""

    def __init__(
        self,
        error: type[Exception],
        written: Iterable[Twin] = (),
        pending: Iterable[Twin] = (),
        instances: Iterable[Twin] = (),
    ) -> None:
        super().__init__(error.__name__)
        self.error = error
        self.written = list(written)
        self.pending = list(pending)
        self.instances = list(instances)


class Twin:
    """What is known of one instance.

    Attributes:
        instance: it.
        state: transient, pending, returned (added again), persistent, merged, marked, deleted, detached.
        session: the one that holds it.
        base: the document it is believed to have; None if there is none.
        absent: the embedded documents in that, which are only defaults.
        expired: the database may hold something newer.
        keys: what a partial merge writes; None for everything.
    """

    def __init__(self, instance: Model) -> None:
        self.instance = instance
        self.model = type(instance)
        self.state = "transient"
        self.session: Sheet | None = None
        self.base: Document | None = None
        self.absent: set[str] = set()
        self.expired = False
        self.keys: set[str] | None = None
        self.expunged_from: Sheet | None = None

    def __repr__(self) -> str:
        return f"<{self.model.__name__} {self.now['_id']!r}, {self.state}>"

    @property
    def now(self) -> Document:
        return encoded(self.instance)

    @property
    def key(self) -> Key:
        if isinstance(self.instance, Unmet):
            return self.model, self.instance.id
        return self.model, self.now["_id"]

    @property
    def target(self) -> Model | None:
        return self.instance.publisher if isinstance(self.instance, Book) else None

    def changed(self) -> set[str]:
        """The keys with values the database is not believed to hold."""
        assert self.base is not None
        now = self.now
        return {key for key in {**self.base, **now} if not same(self.base, now, key)}


@dataclass(eq=False)
class Sheet:
    """One session: what it holds."""

    number: int
    held: dict[Key, Twin] = field(default_factory=dict[Key, Twin])
    pending: list[Twin] = field(default_factory=list[Twin])
    merged: list[Twin] = field(default_factory=list[Twin])
    marked: list[Twin] = field(default_factory=list[Twin])
    deleted: list[Twin] = field(default_factory=list[Twin])

    def occupied(self, key: Key) -> bool:
        twin = self.held.get(key)
        return twin is not None and twin.state != "marked"

    def awaits(self, key: Key) -> bool:
        """Whether a new instance with that key waits for its insert."""
        return any(twin.key == key and twin.state == "pending" for twin in self.pending)

    @property
    def dirty(self) -> list[Twin]:
        return [twin for twin in self.held.values() if twin.state == "persistent" and twin.changed()]

    def all(self) -> list[Twin]:
        return [
            *self.held.values(),
            *(twin for twin in (*self.pending, *self.marked) if twin not in self.held.values()),
        ]


def same(one: Document, other: Document, key: str) -> bool:
    return key in one and key in other and alike(one[key], other[key])


def alike(one: Any, other: Any) -> bool:
    """Equal, and with keys in the same order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other, strict=True))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


@dataclass
class Writing:
    """One update: dotted paths, and what the document must be like."""

    assigned: Document
    removed: list[str]
    objects: set[str]
    created: set[str]


def writing(base: Document, now: Document, absent: set[str]) -> Writing:
    """What an update must write to make *base* into *now*: only what differs, never a part of what is not there."""
    found = Writing({}, [], set(), set())

    def go(before: Document, after: Document, path: str) -> None:
        for key in {**before, **after}:
            inner = f"{path}{key}"
            if key in before and key in after and alike(before[key], after[key]):
                continue
            if key not in after:
                found.removed.append(inner)
            elif key in before and isinstance(before[key], dict) and isinstance(after[key], dict):
                if inner in absent:
                    found.assigned[inner] = after[key]
                    found.created.add(inner)
                elif before[key] == after[key]:  # in another order only
                    found.assigned[inner] = after[key]
                else:
                    go(before[key], after[key], f"{inner}.")
            else:
                found.assigned[inner] = after[key]

    go(base, now, "")
    found.objects = {path.rpartition(".")[0] for path in (*found.assigned, *found.removed) if "." in path}
    return found


def look(document: Document, path: str) -> tuple[Document | None, str]:
    """The document that holds the last step of *path*, and that step."""
    *steps, last = path.split(".")
    for step in steps:
        inner = document.get(step)
        if not isinstance(inner, dict):
            return None, last
        document = inner
    return document, last


def put(document: Document, path: str, value: Any) -> None:
    holder, last = look(document, path)
    assert holder is not None
    holder[last] = copy.deepcopy(value)


def _there(document: Document, path: str) -> bool:
    holder, last = look(document, path)
    return holder is not None and last in holder


class Oracle:
    """The database and the sessions, as dictionaries."""

    def __init__(self) -> None:
        self.data: dict[type[Model], dict[Any, Document]] = {model: {} for model in COLLECTIONS}
        self.sheets = [Sheet(0), Sheet(1)]
        self.twins: dict[int, Twin] = {}

    def twin(self, instance: Model) -> Twin:
        found = self.twins.get(id(instance))
        if found is None:
            found = self.twins[id(instance)] = Twin(instance)
        return found

    # -- what a user does ----------------------------------------------------------------------------------------

    def _free(self, sheet: Sheet, twin: Twin) -> None:
        if twin.session is not None and twin.session is not sheet:
            raise Refused(InvalidRequestError)

    def _vacant(self, sheet: Sheet, twin: Twin) -> None:
        if sheet.occupied(twin.key) or sheet.awaits(twin.key):
            raise Refused(InvalidRequestError)

    def _target(self, sheet: Sheet, twin: Twin) -> Twin | None:
        """What *twin* refers to, once one document is one instance."""
        target = twin.target
        if target is None:
            return None
        held = sheet.held.get((type(target), encoded(target)["_id"]))
        return self.twin(target) if held is None or held.state == "marked" else held

    def add(self, sheet: Sheet, twin: Twin) -> None:
        added: list[Twin] = []
        try:
            self._add_with_target(sheet, twin, added)
        except Refused:
            for other in added:
                if other.state in ("pending", "returned"):
                    self._release(other)
            raise

    def _add_with_target(self, sheet: Sheet, twin: Twin, added: list[Twin]) -> None:
        target = self._target(sheet, twin)
        if target is not None:
            self._add_target(sheet, target, added)
        self._add_one(sheet, twin, added)

    def _add_target(self, sheet: Sheet, target: Twin, added: list[Twin]) -> None:
        if target.session is not None or (target.state == "detached" and target.base is None):
            return
        if target.state == "transient" or not sheet.occupied(target.key):
            self._add_with_target(sheet, target, added)

    def _add_one(self, sheet: Sheet, twin: Twin, added: list[Twin]) -> None:
        self._free(sheet, twin)
        if twin.state == "deleted":
            raise Refused(InvalidRequestError)
        if twin.session is None:
            self._vacant(sheet, twin)
            twin.session = sheet
            twin.state = "pending" if twin.base is None else "returned"
            if twin.state == "returned":
                sheet.held[twin.key] = twin
            sheet.pending.append(twin)
            added.append(twin)
        elif twin.state == "marked":
            if sheet.awaits(twin.key) or sheet.held.get(twin.key) is not twin:
                raise Refused(InvalidRequestError)
            twin.state = "persistent"
            sheet.marked.remove(twin)

    def delete(self, sheet: Sheet, twin: Twin) -> None:
        self._free(sheet, twin)
        if twin.state == "marked":
            return
        if twin.base is None or twin.state in ("transient", "pending", "merged", "deleted"):
            raise Refused(InvalidRequestError)
        if twin.session is None:
            self._vacant(sheet, twin)
        if any(other is not twin and other.key == twin.key for other in sheet.marked):
            raise Refused(InvalidRequestError)
        self._no_longer_pending(twin)
        twin.session = sheet
        sheet.held[twin.key] = twin
        if twin not in sheet.marked:
            sheet.marked.append(twin)
        twin.state = "marked"

    def expunge(self, sheet: Sheet, twin: Twin) -> None:
        if twin.session is sheet:
            self._release(twin)
            twin.expunged_from = sheet

    def expunge_all(self, sheet: Sheet) -> None:
        for twin in (*sheet.all(), *sheet.deleted):
            self._release(twin)

    def _release(self, twin: Twin) -> None:
        sheet = twin.session
        assert sheet is not None
        self._drop(twin)
        was_new = twin.state == "pending" or (twin.state == "merged" and twin.base is None)
        twin.state = "transient" if was_new else "detached"

    def _drop(self, twin: Twin) -> None:
        sheet = twin.session
        assert sheet is not None
        key = twin.key
        self._no_longer_pending(twin)
        for part in (sheet.marked, sheet.merged, sheet.deleted):
            if twin in part:
                part.remove(twin)
        if sheet.held.get(key) is twin:
            del sheet.held[key]
            for other in sheet.marked:  # it had taken the place of one that was to be deleted
                if other.key == key:
                    sheet.held[key] = other
        twin.session = None

    def _no_longer_pending(self, twin: Twin) -> None:
        if twin.session is not None and twin in twin.session.pending:
            twin.session.pending.remove(twin)

    def _lost(self, twin: Twin) -> None:
        self._release(twin)
        twin.base = None

    def expire(self, sheet: Sheet, twin: Twin, names: list[str] | None) -> None:
        if twin.session is not sheet or twin.state not in ("persistent", "marked"):
            raise Refused(InvalidRequestError)
        self._forget_changes(twin, names)
        twin.expired = True

    def _forget_changes(self, twin: Twin, names: list[str] | None) -> None:
        assert twin.base is not None
        now = twin.now
        keys = {*twin.base, *now} if names is None else set(names)
        twin.base = {
            **{key: value for key, value in twin.base.items() if key not in keys},
            **{key: value for key, value in now.items() if key in keys},
        }

    def expire_all(self, sheet: Sheet) -> None:
        for twin in sheet.held.values():
            twin.expired = twin.state in ("persistent", "marked")
            if twin.expired:
                self._forget_changes(twin, None)

    def merge(self, sheet: Sheet, twin: Twin, *, exclude_unset: bool) -> Expected:
        """What merge must return."""
        self._free(sheet, twin)
        if twin.state in ("transient", "pending") and "id" not in twin.instance.model_fields_set:
            self.add(sheet, twin)
            return Expected(twin, twin.now)
        if any(other is not sheet.held.get(twin.key) and other.key == twin.key for other in sheet.marked):
            raise Refused(InvalidRequestError)
        added: list[Twin] = []
        try:
            return self._merge_one(sheet, twin, added, exclude_unset=exclude_unset)
        except Refused:
            for other in added:
                self._release(other)
            raise

    def _merge_one(self, sheet: Sheet, twin: Twin, added: list[Twin], *, exclude_unset: bool) -> Expected:
        present = sheet.held.get(twin.key)
        if present is None and twin.session is not sheet and sheet.awaits(twin.key):
            raise Refused(InvalidRequestError)
        target = self._target(sheet, twin)
        if target is not None:
            self._merge_target(sheet, target, added, exclude_unset=exclude_unset)
        wanted = None
        if exclude_unset:
            wanted = {"_id" if name == "id" else name for name in twin.instance.model_fields_set}
            wanted |= set(twin.instance.__pydantic_extra__ or ())
        present = sheet.held.get(twin.key)
        found = twin if present is None else present
        if found.state in ("marked", "deleted"):
            raise Refused(InvalidRequestError)
        if found is twin and twin.session is not sheet and sheet.awaits(twin.key):
            raise Refused(InvalidRequestError)
        values = mixed(found.now, twin.now, ({*found.now, *twin.now} if wanted is None else wanted) - {"_id"})
        if wanted is not None and found.base is not None:
            wanted |= found.changed()
        if found in sheet.merged:
            wanted = None if wanted is None or found.keys is None else wanted | found.keys
        else:
            sheet.merged.append(found)
        self._no_longer_pending(found)
        found.keys = wanted
        found.session = sheet
        found.state = "merged"
        sheet.held[found.key] = found
        return Expected(found, values)

    def _merge_target(self, sheet: Sheet, target: Twin, added: list[Twin], *, exclude_unset: bool) -> None:
        is_new = target.state == "transient" and target.session is None
        has_place = target.key in sheet.held or sheet.awaits(target.key)
        if is_new and not has_place and "id" in target.instance.model_fields_set:
            added.append(target)
            self._merge_one(sheet, target, added, exclude_unset=exclude_unset)
        else:
            self._add_target(sheet, target, added)

    def rollback(self, sheet: Sheet) -> list[Twin]:
        """Returns those whose values must be those of their base now."""
        restored: list[Twin] = []
        for twin in list(sheet.pending):
            was = twin.state
            self._drop(twin)
            twin.state = "transient" if was == "pending" else "detached"
            if was == "returned":
                restored.append(twin)
        for twin in list(sheet.merged):
            if twin.base is None:
                self._release(twin)
            else:
                twin.state = "persistent"
        sheet.merged.clear()
        for twin in sheet.marked:
            twin.state = "persistent"
        sheet.marked.clear()
        self._settle_deleted(sheet)
        return restored + [twin for twin in sheet.held.values() if twin.base is not None]

    def _settle_deleted(self, sheet: Sheet) -> None:
        for twin in list(sheet.deleted):
            self._drop(twin)
            twin.state = "detached"

    def commit(self, sheet: Sheet, *, atomic: bool) -> int:
        gone = self.flush(sheet, atomic=atomic)
        self._settle_deleted(sheet)
        return gone

    # -- reading -------------------------------------------------------------------------------------------------

    def query(self, sheet: Sheet, model: type[Model], keys: list[Any] | None = None) -> Iterator[Expected]:
        """What a query must give, one by one."""
        data = self.data[model]
        wanted = sorted(data) if keys is None else [key for key in sorted(keys) if key in data]
        documents = [data[key] for key in wanted]
        if model is Book:
            self._load_targets(sheet, documents)
        for document in documents:
            yield self._load(sheet, model, document)

    def _join_target(self, sheet: Sheet, document: Document) -> None:
        """What one book refers to is read along with it, also where the session holds it."""
        target = self.data[Publisher].get(document["publisher"])
        if target is not None:
            self._load(sheet, Publisher, target)

    def _load_targets(self, sheet: Sheet, documents: list[Document]) -> None:
        for key in {document["publisher"] for document in documents}:
            if (Publisher, key) not in sheet.held and key in self.data[Publisher]:
                # The instance does not exist yet; the machine tells of it by `met`.
                sheet.held[Publisher, key] = self._unmet(sheet, Publisher, self.data[Publisher][key])

    def _unmet(self, sheet: Sheet, model: type[Model], document: Document) -> Twin:
        twin = Twin.__new__(Twin)
        twin.model = model
        twin.state, twin.session, twin.expired, twin.keys = "persistent", sheet, False, None
        twin.base, twin.absent = as_read(model, document)
        twin.expunged_from = None
        twin.instance = Unmet(model, document["_id"])  # type: ignore[assignment]  # until the machine sees it
        return twin

    def met(self, twin: Twin, instance: Model) -> None:
        """The instance that was expected is there."""
        assert isinstance(twin.instance, Unmet)
        assert id(instance) not in self.twins, "an instance that was known already"
        twin.instance = instance
        self.twins[id(instance)] = twin

    def _load(self, sheet: Sheet, model: type[Model], document: Document, *, overwrite: bool = False) -> Expected:
        key = (model, document["_id"])
        twin = sheet.held.get(key)
        is_missed = model is Book and (Publisher, document["publisher"]) not in sheet.held
        if is_missed and (twin is None or twin.state != "merged" or overwrite):
            raise Refused(DocumentError)
        if twin is None:
            twin = sheet.held[key] = self._unmet(sheet, model, document)
            assert twin.base is not None
            return Expected(twin, twin.base)
        if isinstance(twin.instance, Unmet):
            assert twin.base is not None
            return Expected(twin, twin.base)
        read, absent = as_read(model, document)
        twin.expired = False
        if overwrite:
            self._overwritten(twin, read, absent)
            return Expected(twin, read)
        if twin.state == "merged":
            return Expected(twin, twin.now)
        mine = twin.changed()
        if mine and model is Note:  # changes of what was read before must not pass for changes of what is read now
            mine.add("version")
        return Expected(twin, self._renewed(twin, read, absent, {*read, *twin.now} - mine))

    def _overwritten(self, twin: Twin, read: Document, absent: set[str]) -> None:
        twin.base, twin.absent = read, absent
        if twin.state == "merged":
            assert twin.session is not None
            twin.session.merged.remove(twin)
            twin.state = "persistent"

    def _renewed(self, twin: Twin, read: Document, absent: set[str], keys: set[str]) -> Document:
        """What *twin* must hold when the fields under *keys* take the values read."""
        assert twin.base is not None
        now = twin.now
        twin.base = mixed(twin.base, read, keys)
        twin.absent = {path for path in twin.absent if path.partition(".")[0] not in keys} | {
            path for path in absent if path.partition(".")[0] in keys
        }
        return mixed(now, read, keys)

    def get(self, sheet: Sheet, model: type[Model], key: Any, *, overwrite: bool = False) -> Expected | None:
        held = sheet.held.get((model, key))
        if held is not None and not overwrite and not held.expired:
            return Expected(held, held.now)
        document = self.data[model].get(key)
        if document is None:
            if held is not None and held.state == "merged" and not overwrite:
                return Expected(held, held.now)
            if held is not None:
                self._lost(held)
            return None
        if model is Book:
            self._join_target(sheet, document)
        return self._load(sheet, model, document, overwrite=overwrite)

    def refresh(self, sheet: Sheet, twin: Twin, names: list[str] | None) -> Document:
        """What *twin* must hold afterwards."""
        self._free(sheet, twin)
        if twin.base is None:
            raise Refused(ArgumentError)
        if twin.session is None:
            self._vacant(sheet, twin)
            if twin.key in sheet.held:
                raise Refused(InvalidRequestError)
        document = self.data[twin.model].get(twin.key[1])
        if document is None:
            raise Refused(NotFound)
        if twin.model is Book and (names is None or "publisher" in names):
            self._join_target(sheet, document)
            if (Publisher, document["publisher"]) not in sheet.held:
                raise Refused(DocumentError)
        if twin.session is None:
            twin.session = sheet
            twin.state = "persistent"
        sheet.held[twin.key] = twin
        twin.expired = False
        read, absent = as_read(twin.model, document)
        if names is None:
            self._overwritten(twin, read, absent)
            return read
        return self._renewed(twin, read, absent, set(names))

    # -- writing -------------------------------------------------------------------------------------------------

    def cascade(self, sheet: Sheet) -> None:
        for twin in [
            *(t for t in sheet.held.values() if t.state in ("persistent", "returned")),
            *sheet.pending,
            *sheet.merged,
        ]:
            target = self._target(sheet, twin)
            if target is not None and (target.expunged_from is not sheet or target.base is None):
                self._add_target(sheet, target, [])

    def flush(self, sheet: Sheet, *, atomic: bool = False) -> int:
        """Write everything; returns how many documents to be deleted were gone.

        Where it is *atomic* and takes more than one command, a refusal leaves everything as it was.
        """
        self.cascade(sheet)
        marked = {twin.key: twin for twin in sheet.marked}
        plan: list[list[tuple[str, Twin, Any]]] = []
        inserts = [
            ("replace", twin, marked[twin.key]) if twin.key in marked else ("insert", twin, None)
            for twin in sheet.pending
            if twin.state == "pending" or twin.key in marked
        ]
        consumed = [what[2] for what in inserts]
        for twin in sheet.held.values():
            is_update = twin.state in ("persistent", "returned") and twin.key not in marked
            if is_update and twin.model is Note and "version" in twin.changed():
                raise Refused(ArgumentError)
        updates = [
            ("update", twin, None)
            for twin in sheet.held.values()
            if twin.state in ("persistent", "returned") and twin.key not in marked and twin.changed()
        ]
        # A new instance takes the place of one whose document is gone: that is never written.
        ousted = [twin for twin in (*sheet.merged, *(change[1] for change in updates)) if sheet.awaits(twin.key)]
        updates = [change for change in updates if change[1] not in ousted]
        plan += sorted(self._steps(inserts), key=lambda step: step[0][1].model is Book)
        plan += sorted(
            self._steps([("merge", twin, None) for twin in sheet.merged if twin not in ousted]),
            key=lambda s: s[0][1].model is Book,
        )
        plan += self._steps(updates)
        plan += self._steps([("delete", twin, None) for twin in sheet.marked if twin not in consumed])
        unchanged = [
            twin for twin in sheet.pending if twin.state == "returned" and twin.key not in marked and not twin.changed()
        ]
        if not atomic or len(plan) < 2:
            return self._write_all(sheet, plan, ousted, unchanged)
        put_back = self._kept()
        try:
            return self._write_all(sheet, plan, ousted, unchanged)
        except Refused as refused:
            put_back()
            refused.written, refused.pending = [], [*(change[1] for step in plan for change in step), *ousted]
            raise

    def _write_all(self, sheet: Sheet, plan: list[Any], ousted: list[Twin], unchanged: list[Twin]) -> int:
        for twin in unchanged:
            twin.state = "persistent"
            self._no_longer_pending(twin)
        written: list[Twin] = []
        gone = 0
        for step in plan:
            gone += self._write(sheet, step, written, plan, ousted)
        if ousted:
            raise Refused(StaleDataError, written, ousted, ousted)
        return gone

    def _kept(self) -> Callable[[], None]:
        """Returns what lets the database and the sessions be again as they are now."""
        data = copy.deepcopy(self.data)
        held = [twin for sheet in self.sheets for twin in sheet.all()]
        twins = [
            (twin, dict(vars(twin))) for twin in {id(twin): twin for twin in (*self.twins.values(), *held)}.values()
        ]
        sheets = [
            (sheet, {name: copy.copy(part) for name, part in vars(sheet).items() if name != "number"})
            for sheet in self.sheets
        ]

        def put_back() -> None:
            self.data = data
            for sheet, parts in sheets:
                met = {key: twin for key, twin in sheet.held.items() if isinstance(twin.instance, Unmet)}
                vars(sheet).update(parts)
                sheet.held = {**met, **sheet.held}  # what was loaded on the way stays
            for twin, attributes in twins:
                vars(twin).update(attributes)

        return put_back

    @staticmethod
    def _steps(changes: list[Any]) -> list[Any]:
        groups: dict[type[Model], list[Any]] = {}
        for change in changes:
            steps = groups.setdefault(change[1].model, [])
            is_alone = change[1].model is Note and change[0] in ("update", "delete")  # to tell which has missed
            if not steps or is_alone or (steps[-1][0][0] == "insert") is not (change[0] == "insert"):
                steps.append([])
            steps[-1].append(change)
        return [step for steps in groups.values() for step in steps]

    def _write(self, sheet: Sheet, step: list[Any], written: list[Twin], plan: list[Any], ousted: list[Twin]) -> int:
        stale: list[Twin] = []
        gone: list[Twin] = []

        def refused(error: type[Exception], instances: list[Twin]) -> Refused:
            done = {id(twin) for twin in written}
            pending = [change[1] for part in plan for change in part if id(change[1]) not in done]
            return Refused(error, written, pending + ousted, instances)

        if step[0][0] == "update":
            stale = self._update_all([twin for _, twin, _ in step], written)
            if stale:
                raise refused(StaleDataError, stale)
            return 0
        for kind, twin, replaced in step:
            data = self.data[twin.model]
            key = twin.key[1]
            document = data.get(key)
            if kind == "insert":
                if document is not None:
                    raise refused(IntegrityError, [twin])
                data[key] = self._first(twin, 1)
                self._written(twin, data[key])
            elif kind == "replace":
                if document is not None and not self._fits_version(twin.model, document, replaced.base):
                    raise refused(StaleDataError, [twin])
                data[key] = self._first(twin, replaced.base.get("version", 0) + 1)
                self._removed(sheet, replaced)
                self._written(twin, data[key])
            elif kind == "merge":
                is_asked = self._asks_version(twin)
                if is_asked and document is not None and not self._fits_version(twin.model, document, twin.now):
                    raise refused(StaleDataError, [twin])
                self._merge(twin, document)
            elif document is None:
                gone.append(twin)
                self._removed(sheet, twin)
            elif not self._fits_version(twin.model, document, twin.base):
                stale.append(twin)
                continue
            else:
                del data[key]
                self._removed(sheet, twin)
            written.append(twin)
        if stale:
            raise refused(StaleDataError, stale)
        if gone and step[0][1].model is Note:
            raise refused(StaleDataError, gone)
        return len(gone)

    @staticmethod
    def _fits_version(model: type[Model], document: Document, believed: Document | None) -> bool:
        if model is not Note:
            return True
        assert believed is not None
        version = document.get("version")
        return version == believed["version"] or (version is None and believed["version"] == DEFAULTS[Note]["version"])

    @staticmethod
    def _first(twin: Twin, version: int) -> Document:
        return {**twin.now, "version": version} if twin.model is Note else twin.now

    @staticmethod
    def _asks_version(twin: Twin) -> bool:
        """Whether a merge says which version it was made of; else it counts up whichever the document has."""
        return twin.keys is None or twin.base is not None or "version" in twin.keys

    def _merge(self, twin: Twin, document: Document | None) -> None:
        now = twin.now
        if twin.model is Note:
            asks = self._asks_version(twin)
            # What was not read is counted by a step that makes something else than the default of a missing version.
            step = 1 if asks else DEFAULTS[Note]["version"] + 1
            now["version"] = (now if asks else document or {}).get("version", 0) + step
        if document is None:
            document = self.data[twin.model][now["_id"]] = copy.deepcopy(now)
        else:
            keys = set(now) if twin.keys is None else twin.keys | {"version"} & set(now)
            document.update((key, copy.deepcopy(value)) for key, value in now.items() if key in keys)
        if twin.keys is None:
            self._written(twin, now)
            return
        sheet = twin.session
        self._written(twin, now)
        twin.expired = True
        assert sheet is not None
        if twin.model is Book:
            self._load_targets(sheet, [document])
        twin.base, twin.absent = as_read(twin.model, document)
        twin.expired = False

    def _update_all(self, twins: list[Twin], written: list[Twin]) -> list[Twin]:
        """Write what differs of each; returns those that must be reported as not written."""
        stale: list[Twin] = []
        done: list[tuple[Twin, Document, Writing]] = []
        alike = 0
        for twin in twins:
            assert twin.base is not None
            document = self.data[twin.model].get(twin.key[1])
            now, found = twin.now, writing(twin.base, twin.now, twin.absent)
            if twin.model is Note:
                now["version"] = found.assigned["version"] = twin.base["version"] + 1
            if document is not None and self._fits(twin, document, found):
                self._change(document, found)
                done.append((twin, now, found))
            else:
                stale.append(twin)
                if document is not None and found.created and self._shows(document, found):
                    alike += 1
        if alike:  # somebody has written the very same: the server only counts, so it cannot be told whose it is
            stale += [twin for twin, _, found in done if found.created]
        for twin, now, found in done:
            if twin not in stale:
                inside = [path for path in twin.absent if any(f"{path}.".startswith(f"{a}.") for a in found.assigned)]
                absent = twin.absent - set(inside)
                self._written(twin, now)
                twin.absent = absent
                written.append(twin)
        return stale

    def _fits(self, twin: Twin, document: Document, found: Writing) -> bool:
        holders = [look(document, path) for path in found.objects]
        return (
            self._fits_version(twin.model, document, twin.base)
            and all(holder is not None and isinstance(holder.get(last), dict) for holder, last in holders)
            and not any(_there(document, path) for path in found.created)
        )

    @staticmethod
    def _shows(document: Document, found: Writing) -> bool:
        return all(
            _there(document, path) and holder is not None and holder[last] == found.assigned[path]
            for path, (holder, last) in ((path, look(document, path)) for path in found.assigned)
        ) and not any(_there(document, path) for path in found.removed)

    @staticmethod
    def _change(document: Document, found: Writing) -> None:
        for path, value in found.assigned.items():
            put(document, path, value)
        for path in found.removed:
            holder, last = look(document, path)
            if holder is not None:
                holder.pop(last, None)

    def _written(self, twin: Twin, document: Document) -> None:
        assert twin.session is not None
        sheet = twin.session
        self._no_longer_pending(twin)
        if twin in sheet.merged:
            sheet.merged.remove(twin)
        twin.state = "persistent"
        twin.base = copy.deepcopy(document)
        twin.absent = set()
        other = sheet.held.get(twin.key)
        if other is not None and other is not twin:
            self._lost(other)
        sheet.held[twin.key] = twin

    def _removed(self, sheet: Sheet, twin: Twin) -> None:
        if sheet.held.get(twin.key) is twin:
            del sheet.held[twin.key]
        sheet.marked.remove(twin)
        sheet.deleted.append(twin)
        twin.state = "deleted"
        twin.base = None

    def flag_expired(self, sheet: Sheet, model: type[Model]) -> None:
        for twin in sheet.held.values():
            if twin.model is model:
                twin.expired = True


class Unmet:
    """Stands for an instance that a query is expected to make."""

    def __init__(self, model: type[Model], key: Any) -> None:
        self.model = model
        self.id = key


@dataclass
class Expected:
    """One instance a query must give, and its values."""

    twin: Twin
    values: Document


def mixed(one: Document, other: Document, keys: set[str]) -> Document:
    """*one*, with what *other* has or has not under *keys*."""
    return {
        **{key: value for key, value in one.items() if key not in keys},
        **{key: value for key, value in other.items() if key in keys},
    }
