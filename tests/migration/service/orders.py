"""Orders: placed by customers, of products."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from odmantic import AIOEngine
from odmantic.query import desc

from .database import EngineDep
from .lookups import customer_or_404, order_or_404, product_or_404, reserve
from .models import Order, OrderIn

router = APIRouter(prefix="/orders")


class Summaries:
    """Counts over all orders."""

    def __init__(self, engine: AIOEngine) -> None:
        self.engine = engine

    async def by_status(self) -> dict[str, int]:
        states = ["open", "paid", "cancelled"]
        return {state: await self.engine.count(Order, Order.status == state) for state in states}


def shown(order: Order) -> dict[str, object]:
    lines = [each.model_dump() for each in order.lines]
    customer = order.customer.name
    return {"id": str(order.id), "customer": customer, "lines": lines, "status": order.status, "total": order.total}


@router.post("", status_code=201)
async def place(body: OrderIn, engine: EngineDep) -> dict[str, object]:
    customer = await customer_or_404(engine, body.customer)
    total = 0
    for line in body.lines:
        product = await product_or_404(engine, line.sku)
        await reserve(engine, product, line.quantity)
        total += product.price * line.quantity
    order = Order(customer=customer, lines=body.lines, total=total)
    await engine.save(order)
    return shown(order)


@router.get("")
async def list_orders(engine: EngineDep, status: str | None = None) -> list[dict[str, object]]:
    queries = [] if status is None else [Order.status == status]
    orders = await engine.find(Order, *queries, sort=(desc(Order.total), Order.id))
    return [shown(order) for order in orders]


@router.get("/summary")
async def summary(engine: EngineDep) -> dict[str, int]:
    return await Summaries(engine).by_status()


@router.get("/export")
async def export(engine: EngineDep) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        async for order in engine.find(Order, sort=Order.total):
            yield f"{order.customer.name};{order.total}\n"

    return StreamingResponse(lines(), media_type="text/csv")


@router.get("/{key}")
async def read(key: str, engine: EngineDep) -> dict[str, object]:
    return shown(await order_or_404(engine, key))


@router.post("/{key}/pay")
async def pay(key: str, engine: EngineDep) -> dict[str, object]:
    async with engine.transaction() as transaction:
        order = await transaction.find_one(Order, Order.status == "open", {"_id": parsed(key)})
        if order is None:
            raise HTTPException(409, "not open")
        if order.customer.balance < order.total:
            await transaction.abort()
            raise HTTPException(402, "not enough")
        order.status = "paid"
        order.customer.balance -= order.total
        await transaction.save(order)
        await transaction.commit()
    return shown(order)


@router.post("/{key}/cancel")
async def cancel(key: str, engine: EngineDep) -> dict[str, object]:
    order = await order_or_404(engine, key)
    if order.status != "open":
        raise HTTPException(409, "too late")
    order.status = "cancelled"
    order.lines[0].quantity = 0
    await engine.save(order)
    return shown(order)


def parsed(key: str) -> object:
    from bson import ObjectId

    return ObjectId(key)
