"""A state machine that does to a real session whatever a user could, and compares it with the oracle after every step.

Two sessions on one database, and somebody else who writes to it without mongotic.  Run shortly by
`test_session_machine`, at length by `soak`.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from odmantic import AIOEngine, Model, SyncEngine
from pymongo.database import Database

from mongotic import FlushError, IntegrityError, Session, StaleDataError, delete, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import MongoticError, StaleDeleteWarning
from mongotic.inspection import inspect, object_session

from .models import COLLECTIONS, DEFAULTS, Book, Document, Inner, Note, Part, Publisher, Slip, encoded
from .oracle import Expected, Oracle, Refused, Sheet, Twin, Unmet

T = TypeVar("T")


class Driver:
    """A session of either kind, called alike."""

    def __init__(self, session: Session | AsyncSession, loop: asyncio.AbstractEventLoop | None) -> None:
        self.session: Any = session
        self._loop = loop

    def _done(self, value: Any) -> Any:
        return value if self._loop is None else self._loop.run_until_complete(value)

    def flush(self) -> None:
        self._done(self.session.flush())

    def commit(self) -> None:
        self._done(self.session.commit())

    def close(self) -> None:
        self._done(self.session.close())

    def rollback(self) -> None:
        self.session.rollback()

    def get(self, model: type[Model], key: object, *, overwrite: bool) -> Model | None:
        return cast("Model | None", self._done(self.session.get(model, key, populate_existing=overwrite)))

    def refresh(self, instance: Model, names: Sequence[str] | None) -> None:
        self._done(self.session.refresh(instance, names))

    def all(self, statement: Any) -> list[Model]:
        return cast("list[Model]", self._done(self.session.scalars(statement).all()))

    def execute(self, statement: Any) -> Any:
        return self._done(self.session.execute(statement))

    def each(self, statement: Any, visit: Callable[[Any], None]) -> None:
        """Iterate, holding nothing."""
        if self._loop is None:
            for instance in self.session.scalars(statement):
                visit(instance)
                del instance
            return

        async def go() -> None:
            async for instance in self.session.scalars(statement):
                visit(instance)
                del instance

        self._loop.run_until_complete(go())


KEYS = st.integers(1, 3)
WORDS = st.sampled_from(["", "a", "b", "c"])
NUMBERS = st.integers(0, 2)
SMALL = st.one_of(WORDS, NUMBERS, st.none(), st.lists(NUMBERS, max_size=2))
SHEETS = st.sampled_from([0, 0, 0, 1])
MODELS = st.sampled_from([Publisher, Book, Note])


@dataclass
class Place:
    """Where a machine works.

    Attributes:
        raw: the database, as PyMongo sees it.
        engine: of the kind of session that is tried.
        loop: what an awaiting session runs on; None for a blocking one.
        steps: how many operations were compared so far.
        has_transactions: whether the deployment has them.
    """

    raw: Database[Document]
    engine: SyncEngine | AIOEngine
    loop: asyncio.AbstractEventLoop | None = None
    steps: int = 0

    @cached_property
    def has_transactions(self) -> bool:
        hello = self.raw.client.admin.command("hello")
        return "setName" in hello or hello.get("msg") == "isdbgrid"


class SessionMachine(RuleBasedStateMachine):
    """Sessions against dictionaries; a subclass says where."""

    place: ClassVar[Place]

    instances = Bundle("instances")

    def __init__(self) -> None:
        super().__init__()
        for collection in COLLECTIONS.values():
            self.place.raw[collection].delete_many({})
        self.oracle = Oracle()
        self.sessions = [self.open(number) for number in (0, 1)]

    def open(self, number: int) -> Driver:
        cache_size = 1 if number else None  # nothing may depend on how much is held strongly
        atomic: Literal["auto"] | bool = False if number else "auto"
        if isinstance(self.place.engine, SyncEngine):
            return Driver(Session(self.place.engine, cache_size=cache_size, atomic=atomic), None)
        return Driver(AsyncSession(self.place.engine, cache_size=cache_size, atomic=atomic), self.place.loop)

    def teardown(self) -> None:
        for driver in self.sessions:
            driver.close()

    # -- what is done, to both ---------------------------------------------------------------------------------------

    def both(self, ask: Callable[[], T], act: Callable[[], Any]) -> tuple[T, Any] | None:
        """Do the same to the oracle and to the real thing; None if both refuse it, and in the same way."""
        self.place.steps += 1
        expected: Refused | None = None
        answer: Any = None
        try:
            answer = ask()
        except Refused as refused:
            expected = refused
        try:
            found = act()
        except MongoticError as error:
            self._same_error(expected, error)
            self._meet()
            return None
        assert expected is None, f"not refused: {expected!r}"
        return answer, found

    def _same_error(self, expected: Refused | None, error: MongoticError) -> None:
        assert expected is not None, f"raised, though nothing is wrong: {error!r}"
        assert isinstance(error, expected.error), f"{error!r} is no {expected.error.__name__}"
        if isinstance(error, FlushError):
            assert ids(error.written) == ids(twin.instance for twin in expected.written), f"written: {error!r}"
            assert ids(error.pending) == ids(twin.instance for twin in expected.pending), f"pending: {error!r}"
        if isinstance(error, StaleDataError):
            assert ids(error.instances) == ids(twin.instance for twin in expected.instances)
        if isinstance(error, IntegrityError):
            assert [id(error.instance)] == [id(twin.instance) for twin in expected.instances]

    def _meet(self) -> None:
        """Get to know the instances that the sessions have made."""
        for sheet, driver in zip(self.oracle.sheets, self.sessions, strict=True):
            for instance in driver.session:
                if id(instance) not in self.oracle.twins:
                    twin = sheet.held.get((type(instance), encoded(instance)["_id"]))
                    assert twin is not None, f"an instance from nowhere: {instance!r}"
                    self.oracle.met(twin, instance)
            for twin in sheet.held.values():
                assert not isinstance(twin.instance, Unmet), f"not loaded: {twin.instance.id!r}"

    def _saw(self, expected: Expected, instance: Model) -> None:
        if isinstance(expected.twin.instance, Unmet):
            self.oracle.met(expected.twin, instance)
        assert expected.twin.instance is instance, "another instance of a held document"
        assert encoded(instance) == expected.values, f"{encoded(instance)} is not {expected.values}"

    def twin(self, instance: Model) -> Twin:
        return self.oracle.twin(instance)

    def sheet(self, number: int) -> tuple[Sheet, Driver]:
        return self.oracle.sheets[number], self.sessions[number]

    def _make(self, model: type[Model], key: int, data: st.DataObject) -> Model:
        make: Callable[..., Model] = model
        if model is not Book:
            name = "name" if model is Publisher else "text"
            return make(id=key, **data.draw(st.fixed_dictionaries({}, optional={name: WORDS})))
        publishers = [twin.instance for twin in self.oracle.twins.values() if twin.model is Publisher]
        some = st.sampled_from(publishers) if publishers else st.nothing()
        publisher = data.draw(some | KEYS.map(lambda number: Publisher(id=number)))
        extra = st.fixed_dictionaries({}, optional={"title": WORDS, "pages": NUMBERS, "odd": SMALL})
        return make(id=key, publisher=publisher, **data.draw(extra))

    @initialize(
        publishers=st.integers(0, 2),
        books=st.integers(0, 2),
        notes=st.integers(0, 2),
        partial=st.booleans(),
        data=st.data(),
    )
    def fill(self, publishers: int, books: int, notes: int, data: st.DataObject, *, partial: bool) -> None:
        for model, number in ((Publisher, publishers), (Book, books), (Note, notes)):
            for key in range(1, number + 1):
                if partial:
                    self.they_create(model, key, data)
                elif model is not Book or publishers:
                    document = {"_id": key, **copy.deepcopy(DEFAULTS[model])}
                    if model is Book:
                        document["publisher"] = publishers
                    self._store(model, document)

    def _store(self, model: type[Model], document: Document) -> None:
        self.place.raw[COLLECTIONS[model]].insert_one(copy.deepcopy(document))
        self.oracle.data[model][document["_id"]] = document

    # -- rules: instances --------------------------------------------------------------------------------------------

    @rule(target=instances, model=MODELS, key=KEYS, data=st.data(), number=st.none() | SHEETS)
    def make(self, model: type[Model], key: int, data: st.DataObject, number: int | None) -> Model:
        instance = self._make(model, key, data)
        self.twin(instance)
        if isinstance(instance, Book):
            self.twin(instance.publisher)
        if number is not None:
            self.add(instance, number)
        return instance

    @rule(target=instances, word=WORDS)
    def make_slip(self, word: str) -> Model:
        instance = Slip(text=word)
        self.twin(instance)
        return instance

    @rule(target=instances, instance=instances)
    def clone(self, instance: Model) -> Any:
        if not isinstance(instance, Slip):
            return multiple()
        twin = self.sessions[0].session.clone(instance)
        assert {**encoded(twin), "_id": None} == {**encoded(instance), "_id": None}
        assert twin.id != instance.id
        self.twin(twin)
        return twin

    @rule(instance=instances, number=SHEETS)
    def add(self, instance: Model, number: int) -> None:
        sheet, driver = self.sheet(number)
        self.both(lambda: self.oracle.add(sheet, self.twin(instance)), lambda: driver.session.add(instance))

    @rule(instance=instances, number=SHEETS)
    def delete(self, instance: Model, number: int) -> None:
        sheet, driver = self.sheet(number)
        self.both(lambda: self.oracle.delete(sheet, self.twin(instance)), lambda: driver.session.delete(instance))

    @rule(instance=instances, number=SHEETS)
    def expunge(self, instance: Model, number: int) -> None:
        sheet, driver = self.sheet(number)
        self.both(lambda: self.oracle.expunge(sheet, self.twin(instance)), lambda: driver.session.expunge(instance))

    @rule(number=SHEETS)
    def expunge_all(self, number: int) -> None:
        sheet, driver = self.sheet(number)
        self.both(lambda: self.oracle.expunge_all(sheet), lambda: driver.session.expunge_all())

    @rule(target=instances, instance=instances, number=SHEETS, exclude_unset=st.booleans())
    def merge(self, instance: Model, number: int, *, exclude_unset: bool) -> Any:
        sheet, driver = self.sheet(number)
        found = self.both(
            lambda: self.oracle.merge(sheet, self.twin(instance), exclude_unset=exclude_unset),
            lambda: driver.session.merge(instance, exclude_unset=exclude_unset),
        )
        if found is None:
            return multiple()
        self._saw(*found)
        return multiple() if found[1] is instance else found[1]

    @rule(instance=instances, number=SHEETS, data=st.data(), whole=st.booleans())
    def expire(self, instance: Model, number: int, data: st.DataObject, *, whole: bool) -> None:
        sheet, driver = self.sheet(number)
        names = None if whole else data.draw(fields(instance))
        self.both(
            lambda: self.oracle.expire(sheet, self.twin(instance), names),
            lambda: driver.session.expire(instance, names),
        )

    @rule(number=SHEETS)
    def expire_all(self, number: int) -> None:
        sheet, driver = self.sheet(number)
        self.both(lambda: self.oracle.expire_all(sheet), lambda: driver.session.expire_all())

    # -- rules: changes ----------------------------------------------------------------------------------------------

    @rule(instance=instances, data=st.data())
    def change(self, instance: Model, data: st.DataObject) -> None:
        self.place.steps += 1
        data.draw(st.sampled_from(CHANGES[type(instance)]))(instance, data.draw(NUMBERS))

    @rule(first=instances, second=instances, third=instances, data=st.data())
    def change_several(self, first: Model, second: Model, third: Model, data: st.DataObject) -> None:
        for instance in (first, second, third):
            self.change(instance, data)

    @rule(instance=instances, other=instances)
    def refer(self, instance: Model, other: Model) -> None:
        if isinstance(instance, Book) and isinstance(other, Publisher):
            instance.publisher = other

    @rule(instance=instances)
    def change_back(self, instance: Model) -> None:
        """Give every field the value it was read with, in containers of its own."""
        twin = self.twin(instance)
        if twin.base is not None:
            for name in ("title", "pages", "tags", "notes", "free", "text", "items", "name"):
                if name in twin.base and name in type(instance).model_fields:
                    setattr(instance, name, copy.deepcopy(twin.base[name]))

    # -- rules: reading ----------------------------------------------------------------------------------------------

    @rule(target=instances, model=MODELS, number=SHEETS)
    def query(self, model: type[Model], number: int) -> Any:
        sheet, driver = self.sheet(number)
        statement = select(model).order_by(_id_of(model))
        known = set(self.oracle.twins)
        found = self.both(lambda: list(self.oracle.query(sheet, model)), lambda: driver.all(statement))
        if found is not None:
            expected, instances = found
            assert len(instances) == len(expected)
            for one, instance in zip(expected, instances, strict=True):
                self._saw(one, instance)
                if isinstance(instance, Book) and one.twin.base is not None and "publisher" not in one.twin.changed():
                    held = sheet.held[Publisher, instance.publisher.id]
                    if isinstance(held.instance, Unmet):
                        self.oracle.met(held, instance.publisher)
                    assert held.state == "marked" or held.instance is instance.publisher, "two objects of one document"
        self._meet()
        return self._unknown_of(known)

    def _unknown_of(self, known: set[int]) -> Any:
        return multiple(*(twin.instance for oid, twin in self.oracle.twins.items() if oid not in known))

    @rule(target=instances, model=MODELS, key=KEYS, number=SHEETS, overwrite=st.booleans())
    def get(self, model: type[Model], key: int, number: int, *, overwrite: bool) -> Any:
        sheet, driver = self.sheet(number)
        known = set(self.oracle.twins)
        found = self.both(
            lambda: self.oracle.get(sheet, model, key, overwrite=overwrite),
            lambda: driver.get(model, key, overwrite=overwrite),
        )
        if found is not None:
            expected, instance = found
            assert (expected is None) is (instance is None)
            if expected is not None:
                self._saw(expected, instance)
        self._meet()
        return self._unknown_of(known)

    @rule(instance=instances, number=SHEETS, data=st.data(), whole=st.booleans())
    def refresh(self, instance: Model, number: int, data: st.DataObject, *, whole: bool) -> None:
        sheet, driver = self.sheet(number)
        names = None if whole else data.draw(fields(instance))
        found = self.both(
            lambda: self.oracle.refresh(sheet, self.twin(instance), names), lambda: driver.refresh(instance, names)
        )
        if found is not None:
            assert encoded(instance) == found[0]
        self._meet()

    @rule(target=instances, number=SHEETS, changed=st.sets(KEYS), model=st.sampled_from([Publisher, Note]))
    def iterate(self, number: int, changed: set[int], model: type[Model]) -> Any:
        """Change some instances on the way, and hold none of them."""
        sheet, driver = self.sheet(number)
        held = dict(sheet.held)

        def visit(instance: Any) -> None:
            if instance.id in changed and (model, instance.id) not in held:
                (instance.tags.append("7") if model is Publisher else instance.items.append(7))

        statement = select(model).order_by(_id_of(model))
        found = self.both(lambda: list(self.oracle.query(sheet, model)), lambda: driver.each(statement, visit))
        assert found is not None
        unknown = [instance for instance in driver.session if id(instance) not in self.oracle.twins]
        kept = {(type(instance), encoded(instance)["_id"]) for instance in unknown}
        for expected in found[0]:
            if isinstance(expected.twin.instance, Unmet):
                if expected.twin.instance.id in changed:
                    expected.values = copy.deepcopy(expected.values)
                    expected.values["tags" if model is Publisher else "items"].append("7" if model is Publisher else 7)
                elif expected.twin.key not in kept:  # the last one may stay
                    del sheet.held[expected.twin.key]
        known = set(self.oracle.twins)
        self._meet()
        unknown.clear()
        for expected in found[0]:
            if not isinstance(expected.twin.instance, Unmet):
                assert encoded(expected.twin.instance) == expected.values
        return self._unknown_of(known)

    # -- rules: writing ----------------------------------------------------------------------------------------------

    @rule(number=SHEETS)
    def flush(self, number: int) -> None:
        sheet, driver = self.sheet(number)
        self._write(lambda: self.oracle.flush(sheet), driver.flush)

    @rule(number=SHEETS)
    def commit(self, number: int) -> None:
        sheet, driver = self.sheet(number)
        atomic = self.place.has_transactions and number == 0
        self._write(lambda: self.oracle.commit(sheet, atomic=atomic), driver.commit)

    def _write(self, ask: Callable[[], int], act: Callable[[], None]) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = self.both(ask, act)
        self._meet()
        assert all(issubclass(warning.category, StaleDeleteWarning) for warning in caught), caught
        if found is not None:
            assert bool(caught) is bool(found[0])
        self.same_database()

    @rule(number=SHEETS)
    def rollback(self, number: int) -> None:
        sheet, driver = self.sheet(number)
        found = self.both(lambda: self.oracle.rollback(sheet), driver.rollback)
        assert found is not None
        for twin in found[0]:
            assert twin.base is not None
            assert encoded(twin.instance) == twin.base, "not undone"

    @rule(number=SHEETS, key=KEYS, word=WORDS, model=MODELS)
    def update(self, number: int, key: int, word: str, model: type[Model]) -> None:
        sheet, driver = self.sheet(number)
        name = "name" if model is Publisher else "title" if model is Book else "text"

        def ask() -> int:
            found = [document for document in self.oracle.data[model].values() if document["_id"] >= key]
            for document in found:
                document[name] = word
                if model is Note:
                    document["version"] = int(document.get("version", DEFAULTS[Note]["version"]) or 0) + 1
            self.oracle.flag_expired(sheet, model)
            return len(found)

        statement = update(model).where(_id_of(model) >= key).values(**{name: word})
        found = self.both(ask, lambda: driver.execute(statement))
        assert found is not None
        assert found[1].matched_count == found[0]
        self.same_database()

    @rule(number=SHEETS, key=KEYS, model=MODELS)
    def delete_statement(self, number: int, key: int, model: type[Model]) -> None:
        sheet, driver = self.sheet(number)

        def ask() -> int:
            found = self.oracle.data[model].pop(key, None)
            self.oracle.flag_expired(sheet, model)
            return int(found is not None)

        found = self.both(ask, lambda: driver.execute(delete(model).where(_id_of(model) == key)))
        assert found is not None
        assert found[1].rowcount == found[0]
        self.same_database()

    # -- rules: somebody else ----------------------------------------------------------------------------------------

    @rule(model=MODELS, key=KEYS, data=st.data())
    def they_create(self, model: type[Model], key: int, data: st.DataObject) -> None:
        """A document with some keys missing, and one that no model knows."""
        if key in self.oracle.data[model]:
            return
        parts = st.fixed_dictionaries({}, optional={"name": WORDS, "inner": st.just({"depth": 1})})
        values: dict[type[Model], dict[str, st.SearchStrategy[Any]]] = {
            Publisher: {"name": WORDS, "tags": st.lists(WORDS, max_size=1), "unknown": NUMBERS},
            Note: {"text": WORDS, "version": NUMBERS, "part": parts, "unknown": NUMBERS},
            Book: {"title": WORDS, "notes": st.dictionaries(WORDS.filter(bool), NUMBERS), "part": parts, "more": SMALL},
        }
        document = {"_id": key, **data.draw(st.fixed_dictionaries({}, optional=values[model]))}
        if model is Book:
            publisher = data.draw(KEYS)
            if publisher not in self.oracle.data[Publisher]:
                return
            document["publisher"] = publisher
        self._store(model, document)

    @rule(model=MODELS, key=KEYS, data=st.data())
    def they_change(self, model: type[Model], key: int, data: st.DataObject) -> None:
        document = self.oracle.data[model].get(key)
        if document is None:
            return
        change = data.draw(st.sampled_from(THEIR_CHANGES[model]))(data.draw(NUMBERS))
        self.place.raw[COLLECTIONS[model]].update_one({"_id": key}, change)
        found = self.place.raw[COLLECTIONS[model]].find_one(
            {"_id": key}
        )  # what the server makes of it is not the matter
        assert found is not None
        self.oracle.data[model][key] = found

    @rule(model=MODELS, key=KEYS)
    def they_delete(self, model: type[Model], key: int) -> None:
        self.place.raw[COLLECTIONS[model]].delete_one({"_id": key})
        self.oracle.data[model].pop(key, None)

    # -- what holds at all times -------------------------------------------------------------------------------------

    def same_database(self) -> None:
        for model, collection in COLLECTIONS.items():
            stored = {document["_id"]: document for document in self.place.raw[collection].find()}
            assert stored == self.oracle.data[model], f"{collection}: {stored} is not {self.oracle.data[model]}"

    @invariant()
    def same_sessions(self) -> None:
        for sheet, driver in zip(self.oracle.sheets, self.sessions, strict=True):
            session = driver.session
            assert ids(session.new, ordered=True) == ids((twin.instance for twin in sheet.pending), ordered=True)
            assert ids(session.dirty) == ids(twin.instance for twin in sheet.dirty)
            assert ids(session.deleted) == ids(twin.instance for twin in sheet.marked)

    @invariant()
    def same_states(self) -> None:
        for twin in self.oracle.twins.values():
            if isinstance(twin.instance, Unmet):
                continue
            found = inspect(twin.instance)
            stored = twin.base is not None
            kept = twin.state in ("persistent", "merged", "marked")
            assert found.session is None if twin.session is None else found.session is self.real(twin.session), twin
            assert object_session(twin.instance) is found.session
            assert found.pending is (
                twin.state in ("pending", "returned") or (twin.state == "merged" and not stored)
            ), twin
            assert found.persistent is (kept and stored), twin
            assert found.deleted is (twin.state == "deleted"), twin
            assert found.identity == (twin.key[1] if stored else None), twin
            if twin.session is not None and kept:
                assert found.expired is twin.expired, twin
            for sheet, driver in zip(self.oracle.sheets, self.sessions, strict=True):
                assert (twin.instance in driver.session) is (twin.session is sheet and twin.state != "deleted"), twin

    def real(self, sheet: Sheet) -> object:
        return self.sessions[sheet.number].session


def ids(instances: Any, *, ordered: bool = False) -> list[int]:
    found = [id(instance) for instance in instances]
    return found if ordered else sorted(found)


def _id_of(model: type[Model]) -> Any:
    return cast("Any", model).id


def fields(instance: Model) -> st.SearchStrategy[list[str]]:
    names = [name for name in type(instance).model_fields if name not in ("id", "version")]
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)


Change = Callable[[Any, int], None]


def _set(name: str, value: Callable[[int], Any]) -> Change:
    return lambda instance, number: setattr(instance, name, value(number))


def _moved(instance: Any, number: int) -> None:
    """Take the first key of a dict out and put it in again with another value: it is the last one then."""
    if instance.notes:
        key = next(iter(instance.notes))
        instance.notes[key] = instance.notes.pop(key) + 1 + number


def _extra(instance: Any, number: int) -> None:
    instance.__pydantic_extra__["odd"] = number


def _renamed(instance: Any, number: int) -> None:
    if hasattr(instance.part, "__fields_modified__"):  # else ODMantic itself refuses: it has copied a default
        instance.part.name = str(number)


def _deepened(instance: Any, number: int) -> None:
    if hasattr(instance.part.inner, "__fields_modified__"):
        instance.part.inner.depth = number


PART: list[Change] = [
    _renamed,
    _deepened,
    lambda instance, number: instance.part.inner.marks.append(number),
    _set("part", lambda number: Part(inner=Inner(depth=number))),
]
CHANGES: dict[type[Model], list[Change]] = {
    Publisher: [_set("name", str), lambda instance, number: instance.tags.append(str(number))],
    Slip: [_set("text", str), lambda instance, number: instance.tags.append(str(number))],
    Note: [_set("text", str), lambda instance, number: instance.items.append(number), *PART],
    Book: [
        _set("title", str),
        _set("pages", lambda number: number or None),
        _set("tags", lambda number: [str(number)] * number),
        lambda instance, number: instance.tags.append(str(number)),
        lambda instance, number: instance.tags.clear(),
        lambda instance, number: instance.notes.__setitem__(str(number), number),
        lambda instance, number: instance.notes.pop("made", None),
        lambda instance, number: instance.notes.pop(str(number), None),
        lambda instance, number: instance.free.__setitem__("deep", {"a": [number]}),
        lambda instance, number: instance.free.setdefault("deep", {}).update({"b": number}),
        _moved,
        _extra,
        lambda instance, number: instance.__pydantic_extra__.pop("odd", None),
        *PART,
    ],
}
"""What a user may do to an instance."""

_TheirChange = Callable[[int], Document]
_THEIR_PARTS: list[_TheirChange] = [
    lambda number: {"$set": {"part": {"name": str(number)}}},
    lambda number: {"$unset": {"part": ""}},
]
THEIR_CHANGES: dict[type[Model], list[_TheirChange]] = {
    Publisher: [
        lambda number: {"$set": {"name": f"their {number}"}},
        lambda number: {"$push": {"tags": f"their {number}"}},
        lambda number: {"$set": {"unknown": number}},
    ],
    Note: [
        lambda number: {"$set": {"text": f"their {number}"}, "$inc": {"version": 1}},
        lambda number: {"$set": {"unknown": number}},
        lambda number: {"$unset": {"version": ""}},
        *_THEIR_PARTS,
    ],
    Book: [
        lambda number: {"$set": {"title": f"their {number}"}},
        lambda number: {"$push": {"tags": f"their {number}"}},
        lambda number: {"$set": {"notes.theirs": number}},
        lambda number: {"$unset": {"notes": ""}},
        lambda number: {"$unset": {"free": "", "pages": ""}},
        lambda number: {"$set": {"free.theirs": number}},
        lambda number: {"$set": {"more": {"a": number}}},
        *_THEIR_PARTS,
    ],
}
"""What somebody else may do to a document."""
