"""Finding one document, or answering that there is none."""

from __future__ import annotations

from bson import ObjectId
from fastapi import HTTPException
from odmantic import AIOEngine

from .models import Customer, Order, Product


async def customer_or_404(engine: AIOEngine, key: str) -> Customer:
    if not ObjectId.is_valid(key):
        raise HTTPException(404, "no such customer")
    customer = await engine.find_one(Customer, Customer.id == ObjectId(key))
    if customer is None:
        raise HTTPException(404, "no such customer")
    return customer


async def product_or_404(engine: AIOEngine, sku: str) -> Product:
    product = await engine.find_one(Product, Product.sku == sku)
    if product is None:
        raise HTTPException(404, f"no product {sku}")
    return product


async def order_or_404(engine: AIOEngine, key: str) -> Order:
    order = await engine.find_one(Order, Order.id == ObjectId(key))
    if order is None:
        raise HTTPException(404, "no such order")
    return order


async def reserve(engine: AIOEngine, product: Product, quantity: int) -> None:
    """Take pieces out of the stock."""
    if product.stock < quantity:
        raise HTTPException(409, f"only {product.stock} of {product.sku}")
    product.stock -= quantity
    await engine.save(product)
