"""mongoengine: blocking only.

Run by `race`.
"""

from typing import Any

import mongoengine as me
from clock import Clock
from documents import USERS, Document, WrongResult, user

from peers import checks
from peers.race import SYNC, Acts, Stage


class Geo(me.EmbeddedDocument):
    latitude = me.FloatField(required=True)
    longitude = me.FloatField(required=True)


class Address(me.EmbeddedDocument):
    street = me.StringField(required=True)
    city = me.StringField(required=True)
    geo = me.EmbeddedDocumentField(Geo, required=True)


class Item(me.EmbeddedDocument):
    name = me.StringField(required=True)
    amount = me.IntField(required=True)
    price = me.FloatField(required=True)


class Common(me.Document):
    number = me.StringField(required=True)
    customer = me.StringField(required=True)
    quantity = me.IntField(required=True)
    paid = me.BooleanField(required=True)
    total = me.FloatField(required=True)
    placed = me.DateTimeField(required=True)
    tags = me.ListField(me.StringField(), required=True)
    address = me.EmbeddedDocumentField(Address, required=True)
    items = me.EmbeddedDocumentListField(Item, required=True)

    meta = {"abstract": True}


class Order(Common):
    meta = {"collection": "orders"}


class User(me.Document):
    name = me.StringField(required=True)
    email = me.StringField(required=True)
    active = me.BooleanField(required=True)

    meta = {"collection": "users"}


class OwnedOrder(Common):
    user = me.ReferenceField(User, db_field="user_id", required=True)

    meta = {"collection": "owned_orders"}


class Product(me.Document):
    name = me.StringField(required=True)
    email = me.StringField(required=True)
    quantity = me.IntField(required=True)
    active = me.BooleanField(required=True)

    meta = {"collection": "products"}


MODELS: dict[str, Any] = {"order": Order, "flat": Product, "order + user": OwnedOrder}


def connect(stage: Stage) -> None:
    """Connect the library's own client."""
    me.connect(db=stage.database, host=stage.uri, w=1)


def close(_stage: Stage) -> None:
    """Close that client."""
    me.disconnect()


def _instances(stage: Stage) -> list[Any]:
    """Return new instances: through the constructor, as a user makes them."""
    if stage.kind.name == "flat":
        return [Product(id=each.pop("_id"), **each) for each in stage.kind.documents(stage.count)]
    return [_order(each) for each in stage.kind.documents(stage.count)]


def _order(document: Any) -> Order:
    address = document.pop("address")
    items = [Item(**each) for each in document.pop("items")]
    place = Address(geo=Geo(**address.pop("geo")), **address)
    return Order(id=document.pop("_id"), address=place, items=items, **document)


def _dumped(instance: Any) -> Document:
    return instance.to_mongo().to_dict()


def insert(stage: Stage, clock: Clock) -> None:
    stage.empty()
    instances = _instances(stage)
    with clock:
        MODELS[stage.kind.name].objects.insert(instances, load_bulk=False)
    checks.check_stored(stage)


def read(stage: Stage, clock: Clock) -> None:
    with clock:
        found = list(MODELS[stage.kind.name].objects)
    checks.check_found(stage, map(_dumped, found))


def stream(stage: Stage, clock: Clock) -> None:
    with clock:
        total = sum(instance.quantity for instance in MODELS[stage.kind.name].objects.no_cache())
    checks.check_total(stage, total)


def change(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        for instance in list(MODELS[stage.kind.name].objects):
            instance.quantity += 1
            instance.save()
    checks.check_stored(stage, added=1)


def columns(stage: Stage, clock: Clock) -> None:
    with clock:
        found = list(Order.objects.scalar("number", "quantity"))
    checks.check_columns(stage, found)


def references(stage: Stage, clock: Clock) -> None:
    with clock:
        found = list(OwnedOrder.objects.select_related())
    for instance in found:
        if _dumped(instance.user) != user(int(str(instance.id), 16) % USERS):
            raise WrongResult(f"{instance.number} belongs to {instance.user!r}")
    checks.check_found(stage, map(_dumped, found))


def update(stage: Stage, clock: Clock) -> None:
    stage.fill()
    with clock:
        Order.objects(paid=True).update(total=1.5)
    checks.check_changed(stage)


def pages(stage: Stage, clock: Clock) -> None:
    found: list[Any] = []
    with clock:
        while page := list(_after(found).order_by("id").limit(checks.PAGE)):
            found += page
    checks.check_found(stage, map(_dumped, found))


def _after(found: list[Any]) -> Any:
    return Order.objects(id__gt=found[-1].id) if found else Order.objects


ACTS: Acts = {
    ("W1", SYNC): insert,
    ("W3", SYNC): read,
    ("W4", SYNC): stream,
    ("W7", SYNC): change,
    ("W8", SYNC): columns,
    ("W9", SYNC): references,
    ("W11", SYNC): update,
    ("W15", SYNC): pages,
}
