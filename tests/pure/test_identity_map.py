"""One document, one place in the map: keys, weak references, and what is left of an instance that is gone."""

# ODMantic and bson leave types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import datetime
import decimal
import gc
import uuid
import weakref
from typing import Annotated, Any

import bson
import pytest
from bson import Binary, ObjectId
from odmantic import Field, Model
from odmantic.bson import WithBsonSerializer

from mongotic_adapters import instance_state
from mongotic_adapters.encoding import encode_instance
from mongotic_adapters.hydration import hydrate
from mongotic_adapters.identity_map import IdentityMap, identity_key, identity_of
from mongotic_adapters.instance_state import InstanceState, new_state, remember, state_of
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.states import State
from tests.pure import models
from tests.pure.models import KEY, NOON, Color, Grade


class User(Model):
    name: str


class Other(Model):
    name: str


class ByAny(Model):
    key: Any = Field(primary_field=True)


class ByMoment(Model):
    key: datetime.datetime = Field(primary_field=True)


class ByBinary(Model):
    key: Binary = Field(primary_field=True)


class ByDecimal(Model):
    key: decimal.Decimal = Field(primary_field=True)


class ByGrade(Model):
    key: Grade = Field(primary_field=True)


class ByColor(Model):
    key: Color = Field(primary_field=True)


class ByDay(Model):
    key: datetime.date = Field(primary_field=True)


class BySerialized(Model):
    key: Annotated[str, WithBsonSerializer(lambda word: word.lower())] = Field(primary_field=True)


def as_given(instance: Model) -> object:
    return identity_of(instance)


def as_stored(instance: Model) -> object:
    mapping = mapping_of(type(instance))
    return identity_key(mapping, bson.decode(bson.encode(encode_instance(mapping, instance)))["_id"])


KEYS: dict[str, Model] = {
    "ObjectId": User(id=KEY, name="a"),
    "str": models.Country(code="no", name="Norway"),
    "int": ByAny(key=1),
    "long": ByAny(key=2**40),
    "tuple": ByAny(key=(1, 2)),
    "dict": ByAny(key={"a": 1}),
    "datetime": ByMoment(key=NOON),
    "Decimal": ByDecimal(key=decimal.Decimal("1.50")),
    "enum": ByGrade(key=Grade.GOOD),
    "str enum": ByColor(key=Color.RED),
    "date": ByDay(key=datetime.date(2026, 1, 2)),
    "Binary of a kind": ByBinary(key=Binary(b"a", 5)),
}
DIFFERING: dict[str, Model] = {
    "embedded with renamed keys": models.Ticket(place=models.Place(row=1, seat=2), price=decimal.Decimal(1)),
    "aware datetime": ByMoment(key=NOON.replace(tzinfo=datetime.timezone.utc)),
    "Binary": ByBinary(key=Binary(b"a")),
    "own serializer": BySerialized(key="ABC"),
}


@pytest.mark.parametrize("instance", KEYS.values(), ids=KEYS)
def test_an_instance_and_its_document_have_one_place(instance: Model) -> None:
    assert as_given(instance) == as_stored(instance)
    assert hash(as_given(instance)) == hash(as_stored(instance))


@pytest.mark.parametrize("instance", DIFFERING.values(), ids=DIFFERING)
def test_an_instance_and_its_document_have_one_place_whatever_its_field_does(instance: Model) -> None:
    assert as_given(instance) == as_stored(instance)


def test_models_do_not_share_places() -> None:
    assert as_given(User(id=KEY, name="a")) != as_given(Other(id=KEY, name="a"))


def test_true_and_one_are_two_places() -> None:
    assert as_given(ByAny(key=True)) != as_given(ByAny(key=1))


@pytest.mark.parametrize("key", [[1], {"a": [1]}, models.Place(row=1, seat=2), {1, 2}], ids=str)
def test_a_key_python_cannot_hash_has_a_place(key: object) -> None:
    place = identity_key(mapping_of(ByAny), key)
    assert hash(place) == hash(identity_key(mapping_of(ByAny), key))


def test_equal_uuids_have_one_place() -> None:
    assert as_given(ByAny(key=uuid.UUID(int=1))) == as_given(ByAny(key=uuid.UUID(int=1)))


# -- the map ------------------------------------------------------------------------------------------------------


def put(found: IdentityMap, instance: Model) -> InstanceState:
    state = remember(instance)
    mapping = mapping_of(type(instance))
    found.put(identity_key(mapping, mapping.key_of(instance)), state, instance)
    return state


def test_an_instance_is_found_by_its_key() -> None:
    identities, user = IdentityMap(), User(name="a")
    state = put(identities, user)
    assert identities.find(identity_key(mapping_of(User), user.id)) is state
    assert identities.find(identity_key(mapping_of(User), ObjectId())) is None
    assert identities.find(identity_key(mapping_of(Other), user.id)) is None
    assert len(identities.states()) == 1


def test_instances_come_in_order_of_arrival() -> None:
    identities, users = IdentityMap(), [User(name=str(number)) for number in range(5)]
    states = [put(identities, user) for user in users]
    assert all(found is state for found, state in zip(identities.states(), states, strict=True))


def test_an_instance_is_held() -> None:
    identities = IdentityMap()
    state = put(identities, User(name="a"))
    gc.collect()
    assert state() is not None


def test_a_released_instance_lives_as_long_as_somebody_else_holds_it() -> None:
    identities, user = IdentityMap(), User(name="a")
    key = identity_key(mapping_of(User), user.id)
    state = put(identities, user)
    identities.release(state)
    assert identities.find(key) is state
    del user
    gc.collect()
    assert state() is None
    assert identities.find(key) is None


def test_a_released_instance_can_be_held_again() -> None:
    identities, user = IdentityMap(), User(name="a")
    state = put(identities, user)
    identities.release(state)
    identities.hold(state, user)
    del user
    gc.collect()
    assert state() is not None


def test_removing_lets_go_and_twice_does_nothing() -> None:
    identities, user = IdentityMap(), User(name="a")
    state = put(identities, user)
    identities.remove(state)
    identities.remove(state)
    del user
    gc.collect()
    assert (len(identities.states()), state()) == (0, None)


def test_removing_one_leaves_another_that_took_its_place() -> None:
    identities = IdentityMap()
    one, other = User(id=KEY, name="one"), User(id=KEY, name="other")
    first, second = put(identities, one), put(identities, other)
    identities.remove(first)
    assert identities.find(identity_key(mapping_of(User), KEY)) is second


def test_clearing_lets_go_of_all() -> None:
    identities = IdentityMap()
    state = put(identities, User(name="a"))
    identities.clear()
    gc.collect()
    assert (len(identities.states()), state()) == (0, None)


# -- what is remembered of an instance ----------------------------------------------------------------------------


def test_equal_instances_are_remembered_apart() -> None:
    one, other = User(id=KEY, name="a"), User(id=KEY, name="a")
    assert one == other
    assert remember(one) is not remember(other)
    assert remember(one) is remember(one)


def test_nothing_is_remembered_of_a_stranger() -> None:
    assert state_of(User(name="a")) is None


def test_an_instance_that_is_gone_is_forgotten() -> None:
    user = User(name="a")
    oid = remember(user).oid
    watch = weakref.ref(user)
    del user
    gc.collect()
    assert watch() is None
    assert oid not in known_states()


def test_an_instance_in_a_circle_is_forgotten_too() -> None:
    holder = ByAny(key=[])
    holder.__dict__["key"].append(holder)
    oid = remember(holder).oid
    del holder
    gc.collect()
    assert oid not in known_states()


def test_an_id_used_again_does_not_bring_back_the_former_state() -> None:
    former, user = User(name="former"), User(name="a")
    stale = new_state(former)
    stale.state = State.PERSISTENT
    known_states()[id(user)] = stale
    assert state_of(user) is None
    assert remember(user).state is State.TRANSIENT
    assert remember(user) is not stale


def test_a_late_farewell_does_not_forget_the_next_instance_with_that_id() -> None:
    user = User(name="a")
    former = User(name="former")
    stale = new_state(former)
    stale.oid = id(user)
    state = remember(user)
    del former
    gc.collect()
    assert state_of(user) is state


def test_many_instances_leave_nothing_behind() -> None:
    gc.collect()
    before = len(known_states())
    for number in range(1000):
        remember(User(name=str(number)))
    gc.collect()
    assert len(known_states()) == before


def test_a_state_is_told_apart_from_others_without_comparing_instances() -> None:
    class Touchy(Model):
        name: str

        def __eq__(self, other: object) -> bool:
            raise AssertionError("instances must not be compared")

    one, other = Touchy(name="a"), Touchy(name="a")
    assert remember(one) is not remember(other)
    identities = IdentityMap()
    put(identities, one)
    put(identities, other)
    assert len(identities.states()) == 2


def test_a_hydrated_instance_can_be_remembered() -> None:
    user = hydrate(mapping_of(User), {"_id": KEY, "name": "a"}, {})
    assert remember(user)() is user


def known_states() -> dict[int, InstanceState]:
    states: dict[int, InstanceState] = getattr(instance_state, "_states")  # noqa: B009  # hidden on purpose
    return states
