"""The two kinds of documents that are measured, as ODMantic models and as the plain dicts raw PyMongo works with.

Used by every workload.  A document follows from its number alone, so that results are checked without keeping a second
copy of what was stored: objects that stay alive would change how often the garbage collector runs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from bson import ObjectId
from odmantic import EmbeddedModel, Field, Model, Reference

Document: TypeAlias = dict[str, object]


class Geo(EmbeddedModel):
    latitude: float
    longitude: float


class Address(EmbeddedModel):
    street: str
    city: str
    geo: Geo


class Item(EmbeddedModel):
    name: str
    amount: int
    price: float


class Order(Model):
    """The "order" of the tables: ObjectId, 2 str, int, bool, float, datetime, 3 tags, embedded address with embedded
    geo, list of 3 embedded items."""

    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    number: str
    customer: str
    quantity: int
    paid: bool
    total: float
    placed: datetime
    tags: list[str]
    address: Address
    items: list[Item]

    model_config = {"collection": "orders"}


class Product(Model):
    """The "flat" document of the tables: five fields."""

    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    name: str
    email: str
    quantity: int
    active: bool

    model_config = {"collection": "products"}


class User(Model):
    """Whom an order of the third kind belongs to."""

    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    name: str
    email: str
    active: bool

    model_config = {"collection": "users"}


class OwnedOrder(Model):
    """An order that refers to a user."""

    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    number: str
    customer: str
    quantity: int
    paid: bool
    total: float
    placed: datetime
    tags: list[str]
    address: Address
    items: list[Item]
    user: User = Reference(key_name="user_id")

    model_config = {"collection": "owned_orders"}


Stored: TypeAlias = Order | Product | OwnedOrder
"""An instance of one of the kinds; all have the whole number `quantity`, which is what workloads change."""


class WrongResult(Exception):  # noqa: N818  # says what it is in the output
    """A contender did not do the work it was measured for."""


@dataclass(frozen=True)
class Kind:
    """One kind of document.

    Attributes:
        name: as the tables call it.
        model: its ODMantic model.
        document: gives the document with a number.
    """

    name: str
    model: type[Stored]
    document: Callable[[int], Document]

    def documents(self, count: int) -> list[Document]:
        """Return the first *count* documents."""
        return [self.document(number) for number in range(count)]

    def instances(self, count: int) -> list[Stored]:
        """Return the first *count* documents as new instances that nobody has stored."""
        return [self.instance(number) for number in range(count)]

    def instance(self, number: int) -> Stored:
        """Return the document with a number as a new instance that nobody has stored."""
        return self.model.model_validate(_by_field(self.document(number)))


def key(number: int) -> ObjectId:
    """Return the key of the document with that number."""
    return ObjectId(number.to_bytes(12, "big"))


def _number(stored: object) -> int:
    return int.from_bytes(stored.binary, "big") if isinstance(stored, ObjectId) else -1


def _by_field(document: Document) -> dict[str, object]:
    return {"id": document["_id"], **{name: value for name, value in document.items() if name != "_id"}}


def _order(number: int) -> Document:
    return {
        "_id": key(number),
        "number": f"2024-{number:07}",
        "customer": f"Customer {number % 977} of Northern Supplies",
        "quantity": number % 40,
        "paid": number % 3 == 0,
        "total": number % 1000 + 0.25,
        "placed": _START + timedelta(seconds=37 * number, milliseconds=number % 1000),
        "tags": [f"region-{number % 11}", "retail", f"week-{number % 53}"],
        "address": {
            "street": f"{number % 200} Long Harbour Road",
            "city": "Port Amelia",
            "geo": {"latitude": number % 90 + 0.125, "longitude": number % 180 + 0.625},
        },
        "items": [
            {"name": f"article {(number + step) % 501}", "amount": step + 1, "price": step + 9.75} for step in range(3)
        ],
    }


def _product(number: int) -> Document:
    return {
        "_id": key(number),
        "name": f"Article {number % 501}",
        "email": f"supplier{number}@example.com",
        "quantity": number % 40,
        "active": number % 3 == 0,
    }


USERS = 100
"""How many users the orders of the third kind belong to."""


def user(number: int) -> Document:
    """Return the user with a number below `USERS`."""
    return {
        "_id": key(number),
        "name": f"User {number}",
        "email": f"user{number}@example.com",
        "active": number % 3 == 0,
    }


def _owned_order(number: int) -> Document:
    return {**_order(number), "user_id": key(number % USERS)}


# BSON keeps milliseconds and no time zone; PyMongo gives naive datetimes in UTC.
_START = datetime(2024, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None)

ORDER = Kind("order", Order, _order)
FLAT = Kind("flat", Product, _product)
OWNED = Kind("order + user", OwnedOrder, _owned_order)


def check_documents(kind: Kind, found: Iterable[Document], count: int, added: int = 0) -> None:
    """Check that *found* are the first *count* documents, each once and equal in every field.

    Arguments:
        kind: the kind of documents.
        found: in any order.
        count: how many there must be.
        added: what was added to each `quantity`.

    Raises:
        WrongResult: they are not.
    """
    seen: set[int] = set()
    for document in found:
        number = _number(document["_id"])
        expected = kind.document(number)
        expected["quantity"] = int(str(expected["quantity"])) + added
        if document != expected:
            raise WrongResult(f"{kind.name} {number} is {document!r}, expected {expected!r}")
        seen.add(number)
    if seen != set(range(count)):
        raise WrongResult(f"{len(seen)} different {kind.name} documents, expected {count}")


def check_users(found: Iterable[OwnedOrder]) -> None:
    """Check that each order has the user it refers to, with every field.

    Raises:
        WrongResult: one has not.
    """
    for instance in found:
        expected = user(_number(instance.id) % USERS)
        dumped: Document = instance.user.model_dump_doc()
        if dumped != expected:
            raise WrongResult(f"{instance.number} belongs to {dumped!r}, expected {expected!r}")


def check_instances(kind: Kind, found: Iterable[Stored], count: int, added: int = 0) -> None:
    """Check that *found* are instances of the first *count* documents; see `check_documents`.

    Raises:
        WrongResult: they are not, or not all of the model's class.
    """
    check_documents(kind, (_dumped(kind, instance) for instance in found), count, added)


def _dumped(kind: Kind, instance: Stored) -> Document:
    if type(instance) is not kind.model:
        raise WrongResult(f"got {instance!r}, expected an instance of {kind.model.__name__}")
    dumped: Document = instance.model_dump_doc()
    return dumped
