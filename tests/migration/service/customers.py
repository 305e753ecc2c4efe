"""Customers: who they are, where they live, what they have."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from odmantic import AIOEngine
from odmantic.exceptions import DuplicateKeyError
from odmantic.query import asc, desc

from .database import EngineDep, get_engine
from .lookups import customer_or_404
from .models import Address, Customer, CustomerChange, CustomerIn, Order, Transfer

router = APIRouter(prefix="/customers")


def shown(customer: Customer) -> dict[str, object]:
    return {
        "id": str(customer.id),
        "email": customer.email,
        "name": customer.name,
        "balance": customer.balance,
        "address": customer.address.model_dump(),
        "tags": customer.tags,
    }


async def current_customer(key: str, engine: AIOEngine = Depends(get_engine)) -> Customer:
    return await customer_or_404(engine, key)


@router.get("")
async def list_customers(
    engine: EngineDep,
    page: Annotated[int, Query(ge=1)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 10,
    order: str = "name",
) -> dict[str, object]:
    # a page, and how many there are
    customers = await engine.find(
        Customer,
        sort=desc(Customer.balance) if order == "balance" else asc(Customer.name),
        skip=(page - 1) * size,
        limit=size,
    )
    return {"items": [shown(each) for each in customers], "total": await engine.count(Customer)}


@router.post("", status_code=201)
async def create_customer(body: CustomerIn, engine: EngineDep) -> dict[str, object]:
    try:
        customer = await engine.save(Customer(**body.model_dump()))
    except DuplicateKeyError as error:
        raise HTTPException(409, "this address is taken") from error
    return shown(customer)


@router.post("/bulk", status_code=201)
async def create_customers(bodies: list[CustomerIn], engine: EngineDep) -> dict[str, object]:
    customers = [Customer(email=body.email, name=body.name, balance=body.balance) for body in bodies]
    await engine.save_all(customers)
    return {"created": len(customers)}


@router.get("/{key}")
async def read_customer(customer: Annotated[Customer, Depends(current_customer)]) -> dict[str, object]:
    return shown(customer)


@router.patch("/{key}")
async def change_customer(key: str, body: CustomerChange, engine: EngineDep) -> dict[str, object]:
    customer = await customer_or_404(engine, key)
    if body.name is not None:
        customer.name = body.name
    if body.city is not None and body.street is not None:
        customer.address = Address(street=body.street, city=body.city)
    elif body.city is not None:
        customer.address.city = body.city  # only the city
    await engine.save(customer)
    return shown(customer)


@router.post("/{key}/tags/{tag}")
async def tag_customer(
    tag: str, engine: EngineDep, customer: Annotated[Customer, Depends(current_customer)]
) -> list[str]:
    if tag not in customer.tags:
        customer.tags.append(tag)
        await engine.save(customer)
    return customer.tags


@router.delete("/{key}", status_code=204)
async def delete_customer(key: str, engine: EngineDep) -> None:
    customer = await customer_or_404(engine, key)
    if await engine.count(Order, Order.customer == customer.id) > 0:
        raise HTTPException(409, "there are orders")
    await engine.delete(customer)


@router.post("/transfer")
async def transfer(body: Transfer, engine: EngineDep) -> dict[str, int]:
    async with engine.transaction() as transaction:
        source = await transaction.find_one(Customer, Customer.email == body.source)
        target = await transaction.find_one(Customer, Customer.email == body.target)
        if source is None or target is None:
            raise HTTPException(404, "no such customer")
        source.balance -= body.amount
        target.balance += body.amount
        await transaction.save(source)
        await transaction.save(target)
        if source.balance < 0:
            raise HTTPException(409, "not enough")
        await transaction.commit()
    return {"source": source.balance, "target": target.balance}
