"""The documents of the shop."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from odmantic import EmbeddedModel, Field, Model, Reference
from pydantic import BaseModel


class Address(EmbeddedModel):
    street: str = ""
    city: str = ""


class Customer(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    email: str = Field(unique=True)
    name: str
    balance: int = 0
    address: Address = Address()
    tags: list[str] = []


class Product(Model):
    sku: str = Field(primary_field=True)
    title: str
    price: int
    stock: int = 0


class Line(EmbeddedModel):
    sku: str
    quantity: int


class Order(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    customer: Customer = Reference()
    lines: list[Line] = []
    status: str = "open"
    total: int = 0
    placed: datetime = datetime(2024, 1, 1)


class CustomerIn(BaseModel):
    email: str
    name: str
    balance: int = 0


class CustomerChange(BaseModel):
    name: str | None = None
    city: str | None = None
    street: str | None = None


class ProductIn(BaseModel):
    title: str
    price: int
    stock: int = 0


class OrderIn(BaseModel):
    customer: str
    lines: list[Line]


class Transfer(BaseModel):
    source: str
    target: str
    amount: int
