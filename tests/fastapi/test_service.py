"""The example service, asked over HTTP on a real uvicorn."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from docs.examples.service.app import create_app
from tests.conftest import Document
from tests.fastapi.conftest import served


@pytest.fixture
def shop(server_uri: str, raw: Database[Document]) -> Iterator[httpx.Client]:
    with served(create_app(server_uri, raw.name)) as client:
        yield client


@pytest.fixture
def publisher(shop: httpx.Client) -> str:
    answer = shop.post("/publishers", json={"name": "Penguin"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def new_book(publisher: str, **changes: object) -> dict[str, object]:
    return {"isbn": "1", "title": "Emma", "price": 8.5, "stock": 2, "publisher": publisher, **changes}


@pytest.fixture
def book(shop: httpx.Client, publisher: str) -> dict[str, Any]:
    answer = shop.post("/books", json=new_book(publisher))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_book_is_stored_and_read_with_its_publisher(
    shop: httpx.Client, book: dict[str, Any], publisher: str, raw: Database[Document]
) -> None:
    assert [str(found["publisher"]) for found in raw["book"].find()] == [publisher]
    assert shop.get(f"/books/{book['id']}").json() == {
        "id": book["id"],
        "isbn": "1",
        "title": "Emma",
        "price": 8.5,
        "stock": 2,
        "tags": [],
        "version": 1,
        "publisher": {"id": publisher, "name": "Penguin"},
    }


def test_books_are_listed_in_pages_and_by_tag(shop: httpx.Client, publisher: str) -> None:
    for number in range(5):
        shop.post("/books", json=new_book(publisher, isbn=str(number), title=f"T{number}", tags=[f"even{number % 2}"]))
    assert [found["isbn"] for found in shop.get("/books?limit=2&offset=1").json()] == ["1", "2"]
    assert [found["isbn"] for found in shop.get("/books?tag=even0").json()] == ["0", "2", "4"]
    assert shop.get("/books?limit=0").status_code == 422


def test_a_stream_keeps_the_session_open_until_its_end(shop: httpx.Client, publisher: str) -> None:
    for number in range(3):
        shop.post("/books", json=new_book(publisher, isbn=str(number)))
    assert shop.get("/books.csv").text == "0,8.5\n1,8.5\n2,8.5\n"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_there_is_404(shop: httpx.Client, method: str) -> None:
    answer = shop.request(method, "/books/65f1a6d1c2a4b8f0e1d2c3b4")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found"})


def test_what_is_no_key_is_422(shop: httpx.Client) -> None:
    answer = shop.get("/books/emma")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["path", "key"]


def test_a_second_document_with_one_key_is_409_and_tells_no_values(
    shop: httpx.Client, book: dict[str, Any], publisher: str, raw: Database[Document]
) -> None:
    answer = shop.post("/books", json=new_book(publisher, title="Another"))
    assert (answer.status_code, answer.json()) == (409, {"detail": "A document with this key exists already"})
    assert [found["title"] for found in raw["book"].find()] == ["Emma"]


def test_changes_are_stored_and_an_old_version_is_409(shop: httpx.Client, book: dict[str, Any]) -> None:
    changed = shop.patch(f"/books/{book['id']}", json={"version": 1, "price": 9.0})
    assert (changed.status_code, changed.json()["price"], changed.json()["version"]) == (200, 9.0, 2)
    assert shop.patch(f"/books/{book['id']}", json={"version": 1, "price": 10.0}).status_code == 409
    assert shop.get(f"/books/{book['id']}").json()["price"] == 9.0


def test_of_many_that_change_one_version_one_succeeds(shop: httpx.Client, book: dict[str, Any]) -> None:
    statuses: list[int] = []
    start = threading.Barrier(8)

    def change(price: float) -> None:
        start.wait()
        answer = httpx.patch(f"{shop.base_url}/books/{book['id']}", json={"version": 1, "price": price}, timeout=30)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=change, args=(price,)) for price in range(20, 28)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7


def test_a_deleted_book_is_gone(shop: httpx.Client, book: dict[str, Any], raw: Database[Document]) -> None:
    assert shop.delete(f"/books/{book['id']}").status_code == 204
    assert raw["book"].count_documents({}) == 0


def test_a_sale_takes_from_the_stock_or_does_nothing(
    shop: httpx.Client, book: dict[str, Any], raw: Database[Document]
) -> None:
    sold = shop.post(f"/books/{book['id']}/sales?copies=2")
    assert (sold.status_code, sold.json()["total"]) == (201, 17.0)
    refused = shop.post(f"/books/{book['id']}/sales")
    assert (refused.status_code, refused.json()) == (409, {"detail": "fewer than 1 copies are left"})
    assert [found["stock"] for found in raw["book"].find()] == [0]
    assert raw["sales"].count_documents({}) == 1
    assert shop.get("/sales").json() == {"1": 17.0}


def test_indexes_are_there_before_the_first_request(shop: httpx.Client, raw: Database[Document]) -> None:
    assert {name for name in raw["book"].index_information() if name != "_id_"}


def test_the_openapi_document_says_what_goes_in_and_out(shop: httpx.Client) -> None:
    found = shop.get("/openapi.json").json()
    read = found["paths"]["/books/{key}"]["get"]
    assert [(parameter["name"], parameter["schema"]["pattern"]) for parameter in read["parameters"]] == [
        ("key", "^[0-9a-fA-F]{24}$")
    ]
    assert read["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Book"}
    assert set(found["components"]["schemas"]["Book"]["properties"]) == {
        "id",
        "isbn",
        "title",
        "price",
        "stock",
        "tags",
        "version",
        "publisher",
    }
    assert "session" not in json.dumps(found["paths"]).lower()
    assert shop.get("/docs").status_code == 200


def test_the_command_serves_with_a_server_of_its_own_until_it_is_interrupted() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    command = [sys.executable, "-m", "docs.examples.service", "--port", str(port)]
    running = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
    try:
        assert answered(f"http://127.0.0.1:{port}/books", running) == []
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(30) in (0, -signal.SIGINT)


def answered(url: str, running: subprocess.Popen[bytes]) -> object:
    """What the service says, as soon as it does."""
    until = time.monotonic() + 60
    while True:
        assert running.poll() is None, "the service ended"
        try:
            return httpx.get(url).json()
        except httpx.TransportError:
            assert time.monotonic() < until
            time.sleep(0.1)
