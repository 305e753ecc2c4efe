"""A service in plain ODMantic answers the same before and after it was rewritten, in both styles, with no hand edit."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import cast

import httpx
import pytest
from odmantic import AIOEngine
from pymongo.database import Database
from typer.testing import CliRunner

from mongotic_migration.cli import app as command
from tests.conftest import Document

SERVICE = Path(__file__).parent / "service"


@pytest.fixture(scope="module", params=["before", "call", "session"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The service as it is, or rewritten in one of the styles."""
    style = cast("str", request.param)
    folder = tmp_path_factory.mktemp(style)
    package = folder / f"shop_{style}"
    shutil.copytree(SERVICE, package, ignore=shutil.ignore_patterns("__pycache__"))
    if style != "before":
        rewritten = CliRunner().invoke(
            command, ["rewrite", "odmantic", str(package), "--style", style, "--write", "--check"]
        )
        assert rewritten.exit_code == 0, rewritten.output
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(f"{package.name}.app")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith(package.name)]:
            del sys.modules[name]


@pytest.fixture
async def client(service: ModuleType, motor_engine: AIOEngine) -> AsyncIterator[httpx.AsyncClient]:
    models = sys.modules[service.__name__.replace(".app", ".models")]
    await motor_engine.configure_database([models.Customer])
    transport = httpx.ASGITransport(app=service.make_app(motor_engine))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as opened:
        yield opened


async def customer(client: httpx.AsyncClient, name: str, balance: int = 100) -> str:
    made = await client.post("/customers", json={"email": f"{name}@x.org", "name": name, "balance": balance})
    assert made.status_code == 201, made.text
    return cast("str", made.json()["id"])


async def product(client: httpx.AsyncClient, sku: str, price: int = 10, stock: int = 5) -> None:
    stored = await client.put(f"/products/{sku}", json={"title": f"a {sku}", "price": price, "stock": stock})
    assert stored.status_code == 200, stored.text


async def order(client: httpx.AsyncClient, buyer: str, sku: str, quantity: int) -> httpx.Response:
    return await client.post("/orders", json={"customer": buyer, "lines": [{"sku": sku, "quantity": quantity}]})


def without_session(service: ModuleType) -> str:
    return Path(str(service.__file__)).with_name("customers.py").read_text("utf-8")


def test_the_rewritten_service_has_no_engine_calls(service: ModuleType) -> None:
    text = without_session(service)
    assert ("engine.find(" in text) is ("shop_before" in service.__name__)
    assert ("session.scalars(" in text) is ("shop_before" not in service.__name__)


async def test_a_customer_is_made_and_read(client: httpx.AsyncClient) -> None:
    key = await customer(client, "ann")
    read = await client.get(f"/customers/{key}")
    assert read.json() == {
        "id": key,
        "email": "ann@x.org",
        "name": "ann",
        "balance": 100,
        "address": {"street": "", "city": ""},
        "tags": [],
    }


async def test_an_address_is_taken_once(client: httpx.AsyncClient) -> None:
    await customer(client, "ann")
    again = await client.post("/customers", json={"email": "ann@x.org", "name": "other"})
    assert (again.status_code, again.json()) == (409, {"detail": "this address is taken"})


async def test_unknown_keys_are_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/customers/nonsense")).status_code == 404
    assert (await client.get("/customers/0123456789abcdef01234567")).status_code == 404
    assert (await client.get("/products/none")).status_code == 404


async def test_customers_come_in_pages(client: httpx.AsyncClient) -> None:
    people = [{"email": f"{n}@x.org", "name": f"n{n}", "balance": 10 - n} for n in range(7)]
    made = await client.post("/customers/bulk", json=people)
    assert made.json() == {"created": 7}
    page = (await client.get("/customers", params={"page": 2, "size": 3})).json()
    assert ([each["name"] for each in page["items"]], page["total"]) == (["n3", "n4", "n5"], 7)
    richest = (await client.get("/customers", params={"size": 2, "order": "balance"})).json()
    assert [each["name"] for each in richest["items"]] == ["n0", "n1"]


async def test_embedded_documents_are_updated(client: httpx.AsyncClient, raw: Database[Document]) -> None:
    key = await customer(client, "ann")
    await client.patch(f"/customers/{key}", json={"name": "Ann", "street": "Main", "city": "Rome"})
    moved = await client.patch(f"/customers/{key}", json={"city": "Oslo"})
    assert moved.json()["address"] == {"street": "Main", "city": "Oslo"}
    stored = raw["customer"].find_one({})
    assert stored is not None
    assert (stored["name"], stored["address"]) == ("Ann", {"street": "Main", "city": "Oslo"})


async def test_lists_are_updated(client: httpx.AsyncClient) -> None:
    key = await customer(client, "ann")
    for tag in ("vip", "new", "vip"):
        answer = await client.post(f"/customers/{key}/tags/{tag}")
    assert answer.json() == ["vip", "new"]
    assert (await client.get(f"/customers/{key}")).json()["tags"] == ["vip", "new"]


async def test_money_moves_or_stays(client: httpx.AsyncClient) -> None:
    ann, bob = await customer(client, "ann", 50), await customer(client, "bob", 0)
    move = {"source": "ann@x.org", "target": "bob@x.org", "amount": 30}
    assert (await client.post("/customers/transfer", json=move)).json() == {"source": 20, "target": 30}
    assert (await client.post("/customers/transfer", json=move)).status_code == 409
    assert (await client.post("/customers/transfer", json={**move, "target": "no@x.org"})).status_code == 404
    balances = [(await client.get(f"/customers/{key}")).json()["balance"] for key in (ann, bob)]
    assert balances == [20, 30]


async def test_a_customer_without_orders_is_deleted(client: httpx.AsyncClient, raw: Database[Document]) -> None:
    ann, bob = await customer(client, "ann"), await customer(client, "bob")
    await product(client, "lamp")
    await order(client, bob, "lamp", 1)
    assert (await client.delete(f"/customers/{ann}")).status_code == 204
    assert (await client.delete(f"/customers/{bob}")).status_code == 409
    assert [each["name"] for each in raw["customer"].find()] == ["bob"]


async def test_products_are_put_over_each_other(client: httpx.AsyncClient, raw: Database[Document]) -> None:
    await product(client, "lamp", 10)
    await product(client, "lamp", 12)
    assert raw["product"].find_one({"_id": "lamp"}, {"_id": 0, "price": 1}) == {"price": 12}
    assert raw["product"].count_documents({}) == 1
    assert (await client.get("/products/lamp")).json()["price"] == 12


async def test_products_are_searched(client: httpx.AsyncClient) -> None:
    for sku, price in (("lamp", 30), ("table", 20), ("chair", 10)):
        await product(client, sku, price)
    found = await client.get("/products", params={"text": "a [tc]", "cheapest": True})
    assert [each["sku"] for each in found.json()] == ["chair", "table"]
    assert len((await client.get("/products", params={"limit": 2})).json()) == 2
    assert (await client.get("/products/prices")).json() == {"chair": 10, "lamp": 30, "table": 20}
    assert (await client.get("/products/value")).json() == 300


async def test_all_prices_rise(client: httpx.AsyncClient) -> None:
    await product(client, "lamp", 100)
    await product(client, "chair", 50)
    assert (await client.post("/products/reprice", params={"percent": 10})).json() == 2
    assert (await client.get("/products/prices")).json() == {"chair": 55, "lamp": 110}


async def test_what_is_sold_out_is_removed(client: httpx.AsyncClient) -> None:
    await product(client, "lamp", stock=0)
    await product(client, "chair", stock=1)
    assert (await client.delete("/products")).json() == {"removed": 1}
    assert (await client.get("/products/value")).json() == 10


async def test_an_order_takes_from_the_stock(client: httpx.AsyncClient, raw: Database[Document]) -> None:
    ann = await customer(client, "ann")
    await product(client, "lamp", price=10, stock=5)
    placed = await order(client, ann, "lamp", 3)
    assert placed.status_code == 201
    assert {name: placed.json()[name] for name in ("customer", "total", "status")} == {
        "customer": "ann",
        "total": 30,
        "status": "open",
    }
    assert (await client.get("/products/lamp")).json()["stock"] == 2
    assert (await order(client, ann, "lamp", 3)).status_code == 409
    assert (await order(client, ann, "none", 1)).status_code == 404
    assert raw["order"].count_documents({}) == 1
    assert raw["customer"].count_documents({}) == 1


async def test_an_order_is_paid_once(client: httpx.AsyncClient) -> None:
    ann, bob = await customer(client, "ann", 100), await customer(client, "bob", 5)
    await product(client, "lamp", price=40, stock=9)
    key = (await order(client, ann, "lamp", 2)).json()["id"]
    assert (await client.post(f"/orders/{key}/pay")).json()["status"] == "paid"
    assert (await client.get(f"/customers/{ann}")).json()["balance"] == 20
    assert (await client.post(f"/orders/{key}/pay")).status_code == 409
    poor = (await order(client, bob, "lamp", 1)).json()["id"]
    assert (await client.post(f"/orders/{poor}/pay")).status_code == 402
    assert (await client.get(f"/orders/{poor}")).json()["status"] == "open"
    assert (await client.get(f"/customers/{bob}")).json()["balance"] == 5


async def test_an_order_is_cancelled(client: httpx.AsyncClient) -> None:
    ann = await customer(client, "ann")
    await product(client, "lamp")
    key = (await order(client, ann, "lamp", 1)).json()["id"]
    cancelled = (await client.post(f"/orders/{key}/cancel")).json()
    assert (cancelled["status"], cancelled["lines"]) == ("cancelled", [{"sku": "lamp", "quantity": 0}])
    assert (await client.post(f"/orders/{key}/cancel")).status_code == 409
    assert (await client.get(f"/orders/{key}")).json() == cancelled


async def test_orders_are_listed_counted_and_exported(client: httpx.AsyncClient) -> None:
    ann = await customer(client, "ann")
    await product(client, "lamp", price=10, stock=9)
    await product(client, "chair", price=5, stock=9)
    first = (await order(client, ann, "lamp", 1)).json()["id"]
    await order(client, ann, "chair", 4)
    await client.post(f"/orders/{first}/cancel")
    assert [each["total"] for each in (await client.get("/orders")).json()] == [20, 10]
    assert [each["total"] for each in (await client.get("/orders", params={"status": "open"})).json()] == [20]
    assert (await client.get("/orders/summary")).json() == {"open": 1, "paid": 0, "cancelled": 1}
    assert (await client.get("/orders/export")).text == "ann;10\nann;20\n"
