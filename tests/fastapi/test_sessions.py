"""Sessions of requests: in FastAPI and in Starlette alone, blocking and awaiting, committed and not."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any, cast

import pytest
from fastapi import FastAPI, HTTPException
from odmantic import Field, Model, ObjectId
from pymongo.database import Database
from starlette.applications import Starlette
from starlette.convertors import register_url_convertor
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mongotic import InvalidRequestError, Session, create_engine, sessionmaker
from mongotic.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from mongotic.fastapi import (
    DocumentId,
    ObjectIdConvertor,
    async_session_dependency,
    exception_handlers,
    lifespan,
    open_async_session,
    open_session,
    session_dependency,
)
from tests.conftest import Document
from tests.fastapi.conftest import served

Maker = Callable[[], "sessionmaker | async_sessionmaker[Any]"]


class Note(Model):
    id: ObjectId = Field(primary_field=True, default_factory=ObjectId)
    text: str


@pytest.fixture(params=["blocking", "awaiting"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(kind: str, server_uri: str, raw: Database[Document]) -> Maker:
    if kind == "blocking":
        return lambda: sessionmaker(create_engine(server_uri), database=raw.name)
    return lambda: async_sessionmaker(create_async_engine(server_uri), database=raw.name)


@pytest.fixture
def fast(connect: Maker, kind: str) -> FastAPI:
    app = FastAPI(lifespan=lifespan(connect, Note), exception_handlers=exception_handlers())
    if kind == "blocking":
        blocking_endpoints(app)
    else:
        awaiting_endpoints(app)
    return app


def awaiting_endpoints(app: FastAPI) -> None:
    @app.post("/committed")
    async def committed(text: str, session: Annotated[AsyncSession, async_session_dependency(commit=True)]) -> None:
        session.add(Note(text=text))
        if text == "refused":
            raise HTTPException(400)

    @app.post("/forgotten")
    async def forgotten(text: str, session: Annotated[AsyncSession, async_session_dependency()]) -> None:
        session.add(Note(text=text))

    @app.get("/notes/{key}")
    async def read(
        key: DocumentId,
        session: Annotated[AsyncSession, async_session_dependency()],
        same: Annotated[AsyncSession, async_session_dependency()],
    ) -> Note:
        assert session is same
        return await session.get_one(Note, key)


def blocking_endpoints(app: FastAPI) -> None:
    @app.post("/committed")
    def committed(text: str, session: Annotated[Session, session_dependency(commit=True)]) -> None:
        session.add(Note(text=text))
        if text == "refused":
            raise HTTPException(400)

    @app.post("/forgotten")
    def forgotten(text: str, session: Annotated[Session, session_dependency()]) -> None:
        session.add(Note(text=text))

    @app.get("/notes/{key}")
    def read(
        key: DocumentId,
        session: Annotated[Session, session_dependency()],
        same: Annotated[Session, session_dependency()],
    ) -> Note:
        assert session is same
        return session.get_one(Note, key)


def test_a_session_commits_only_when_it_is_told_to(fast: FastAPI, raw: Database[Document]) -> None:
    with served(fast) as client:
        assert client.post("/committed?text=kept").status_code == 200
        assert client.post("/committed?text=refused").status_code == 400
        assert client.post("/forgotten?text=lost").status_code == 200
        (stored,) = raw["note"].find()
        assert stored["text"] == "kept"
        assert client.get(f"/notes/{stored['_id']}").json() == {"id": str(stored["_id"]), "text": "kept"}
        assert client.get("/notes/65f1a6d1c2a4b8f0e1d2c3b4").status_code == 404


def test_a_commit_that_fails_is_what_the_caller_is_told(fast: FastAPI, raw: Database[Document]) -> None:
    raw["note"].create_index("text", unique=True)
    with served(fast) as client:
        assert client.post("/committed?text=once").status_code == 200
        assert client.post("/committed?text=once").status_code == 409


async def test_the_client_is_closed_and_made_anew_at_each_start(server_uri: str) -> None:
    made: list[Any] = []

    def connect() -> async_sessionmaker:
        made.append(create_async_engine(server_uri))
        return async_sessionmaker(made[-1], database="shop")

    app = Starlette(lifespan=lifespan(connect))
    for _ in range(2):
        async with app.router.lifespan_context(app):
            sessions = cast("async_sessionmaker", app.state.sessions)
            async with sessions() as session:
                assert await session.get(Note, "65f1a6d1c2a4b8f0e1d2c3b4") is None
        assert app.state.sessions is None
    assert len(made) == 2
    for client in made:
        with pytest.raises(Exception, match="after close"):
            await client.admin.command("ping")


async def test_a_motor_engine_serves_as_well(motor_engine: Any) -> None:
    app = Starlette()
    app.state.sessions = async_sessionmaker(motor_engine)
    request = Request({"type": "http", "app": app})
    async with open_async_session(request, commit=True) as session:
        session.add(Note(text="motor"))
    assert await motor_engine.count(Note) == 1


# -- Starlette alone ----------------------------------------------------------------------------------------------


async def read_awaiting(request: Request) -> JSONResponse:
    async with open_async_session(request, commit=True) as session:
        note = await session.get_one(Note, request.path_params["key"])
        note.text += "!"
        return JSONResponse({"text": note.text})


def read_blocking(request: Request) -> JSONResponse:
    with open_session(request, commit=True) as session:
        note = session.get_one(Note, request.path_params["key"])
        note.text += "!"
        return JSONResponse({"text": note.text})


def test_starlette_alone(connect: Maker, kind: str, raw: Database[Document], caplog: pytest.LogCaptureFixture) -> None:
    register_url_convertor("objectid", ObjectIdConvertor())
    read = read_blocking if kind == "blocking" else read_awaiting
    app = Starlette(
        routes=[Route("/notes/{key:objectid}", read, name="note")],
        lifespan=lifespan(connect, Note),
        exception_handlers=dict(exception_handlers()),
    )
    key = raw["note"].insert_one({"text": "a"}).inserted_id
    assert app.url_path_for("note", key=key) == f"/notes/{key}"
    with served(app) as client, caplog.at_level(logging.INFO, "mongotic.fastapi"):
        assert client.get(f"/notes/{key}").json() == {"text": "a!"}
        missing = client.get("/notes/65f1a6d1c2a4b8f0e1d2c3b4")
        assert (missing.status_code, missing.json()) == (404, {"detail": "Not found"})
        assert client.get("/notes/other").text == "Not Found"
    assert [found["text"] for found in raw["note"].find()] == ["a!"]
    assert any("65f1a6d1c2a4b8f0e1d2c3b4" in record.getMessage() for record in caplog.records)


def test_fastapi_is_not_imported_where_starlette_is_enough() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None; import mongotic.fastapi as m; m.lifespan; m.open_async_session; "
        "m.exception_handlers(); print('without')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "without\n"


async def test_an_application_without_a_maker_is_told_how_to_get_one(sync_engine: Any, motor_engine: Any) -> None:
    app = Starlette()
    request = Request({"type": "http", "app": app})
    with pytest.raises(InvalidRequestError, match=r"to be an async_sessionmaker, and is nothing; .*lifespan="):
        async with open_async_session(request):
            pass
    app.state.sessions = async_sessionmaker(motor_engine)
    with (
        pytest.raises(InvalidRequestError, match="to be a sessionmaker, and is a async_sessionmaker"),
        open_session(request),
    ):
        pass


async def test_an_error_on_a_websocket_is_left_to_the_server() -> None:
    (kind, answer) = next(iter(exception_handlers().items()))
    assert isinstance(kind, type)
    error = kind("gone")
    websocket: Any = HTTPConnection({"type": "websocket"})  # what Starlette hands over then
    with pytest.raises(kind) as raised:
        await answer(websocket, error)
    assert raised.value is error
