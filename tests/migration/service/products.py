"""Products: prices and stock."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from odmantic import AIOEngine

from .database import get_engine
from .lookups import product_or_404
from .models import Product, ProductIn

router = APIRouter(prefix="/products")


@router.put("/{sku}")
async def put_product(sku: str, body: ProductIn, engine: AIOEngine = Depends(get_engine)) -> Product:
    return await engine.save(Product(sku=sku, **body.model_dump()))


@router.get("")
async def search(
    text: str = "", cheapest: bool = False, limit: int = 20, engine: AIOEngine = Depends(get_engine)
) -> list[Product]:
    queries = [{"title": {"$regex": text}}] if text else []
    sort = (Product.price, Product.sku) if cheapest else None
    return await engine.find(Product, *queries, sort=sort, limit=limit)


@router.get("/prices")
async def prices(engine: AIOEngine = Depends(get_engine)) -> dict[str, int]:
    return {product.sku: product.price async for product in engine.find(Product, sort=Product.sku)}


@router.get("/value")
async def value(engine: AIOEngine = Depends(get_engine)) -> int:
    stage = {"$group": {"_id": None, "value": {"$sum": {"$multiply": ["$price", "$stock"]}}}}
    groups = await engine.get_collection(Product).aggregate([stage]).to_list(length=None)
    return groups[0]["value"] if groups else 0


@router.get("/{sku}")
async def read_product(sku: str, engine: AIOEngine = Depends(get_engine)) -> Product:
    return await product_or_404(engine, sku)


@router.post("/reprice")
async def reprice(percent: int, engine: AIOEngine = Depends(get_engine)) -> int:
    changed = 0
    async for product in engine.find(Product, Product.price > 0):
        product.price += product.price * percent // 100
        await engine.save(product)
        changed += 1
    return changed


@router.delete("")
async def remove_unavailable(engine: AIOEngine = Depends(get_engine)) -> dict[str, int]:
    return {"removed": await engine.remove(Product, Product.stock == 0)}
