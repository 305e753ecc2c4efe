"""Models as FastAPI takes them: request bodies, response models, the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timezone
from typing import Annotated, Any, Optional, TypeVar

import pytest
from bson import ObjectId
from odmantic import AIOEngine, EmbeddedModel, Model, Reference, SyncEngine
from odmantic import Field as ODMField
from pydantic import BaseModel, ConfigDict, Field
from pymongo.database import Database

from mongotic import select, sessionmaker
from mongotic.asyncio import AsyncSession, async_sessionmaker
from mongotic.model import MongoBaseModel
from tests.conftest import Document

fastapi: Any = pytest.importorskip("fastapi", reason="the extra `fastapi` is not installed")

F = TypeVar("F", bound=Callable[..., object])


class Bed(EmbeddedModel):
    row: int
    soil: str = ODMField(default="loam", key_name="s")


class Plant(MongoBaseModel):
    __tablename__ = "plants"

    name: str = Field(..., max_length=10, description="in the language of the house")
    height: float = Field(default=0.0, ge=0)
    sown: Optional[datetime] = None  # noqa: UP045  # as 0.5 code has it
    bed: Optional[Bed] = None  # noqa: UP045
    former: list[Bed] = Field(default_factory=list)


class PlainPlant(Model):
    model_config = {"collection": "plants"}

    name: str = ODMField(..., max_length=10, description="in the language of the house")
    height: float = ODMField(default=0.0, ge=0)
    sown: datetime | None = None
    bed: Bed | None = None
    former: list[Bed] = ODMField(default_factory=list)


class Gardener(MongoBaseModel):
    __tablename__ = "gardeners"
    name: str


class PlainGardener(Model):
    model_config = {"collection": "gardeners"}
    name: str


class Plot(MongoBaseModel):
    __tablename__ = "plots"
    number: int
    gardener: Gardener = Reference()


class PlainPlot(Model):
    model_config = {"collection": "plots"}
    number: int
    gardener: PlainGardener = Reference()


class Label(BaseModel):
    """What a service shows instead of the model."""

    model_config = ConfigDict(from_attributes=True)
    name: str
    height: float


class Growth(BaseModel):
    """What a service lets callers change."""

    height: float
    bed: Bed | None = None


def typed(**annotations: object) -> Callable[[F], F]:
    """Give a function annotations that are known at run time only; a `result` is what it returns."""

    def annotate(function: F) -> F:
        if "result" in annotations:
            annotations["return"] = annotations.pop("result")
        function.__annotations__.update(annotations)
        return function

    return annotate


async def ask(app: Any, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send one request to an ASGI application; return the status and the decoded body of its answer."""
    sent: list[dict[str, Any]] = []
    content = b"" if body is None else json.dumps(body).encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method}
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    where = {"path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": ""}
    await app({**scope, **where, "headers": headers, "client": ("test", 1), "server": ("test", 80)}, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(answer) if answer else None


@pytest.fixture(params=[Plant, PlainPlant])
def model(request: pytest.FixtureRequest) -> Any:  # one of two classes
    return request.param


@pytest.fixture
def app(model: Any, pymongo_engine: AIOEngine) -> Any:
    """A service with the usual endpoints for a model."""
    maker = async_sessionmaker(pymongo_engine)

    async def opened() -> AsyncIterator[AsyncSession]:
        async with maker() as session:
            yield session

    session_type = Annotated[AsyncSession, fastapi.Depends(opened)]

    @typed(plant=model, session=session_type)
    async def create(plant: Any, session: Any) -> Any:
        assert type(plant) is model
        session.add(plant)
        await session.commit()
        return plant

    @typed(session=session_type)
    async def read(key: str, session: Any) -> Any:
        found = await session.get(model, key)
        if found is None:
            raise fastapi.HTTPException(404)
        return found

    @typed(session=session_type, result=list[model])
    async def browse(session: Any) -> Any:
        return await session.scalars(select(model).order_by(model.name)).all()

    @typed(session=session_type)
    async def names(session: Any) -> Any:
        return await session.scalars(select(model.name).order_by(model.name)).all()

    @typed(session=session_type)
    async def labels(session: Any) -> Any:
        result = await session.execute(select(model.name, model.height).order_by(model.name))
        return await result.all()

    @typed(growth=Growth, session=session_type, result=model)
    async def change(key: str, growth: Any, session: Any) -> Any:
        plant = await session.get(model, key)
        plant.model_update(growth)
        await session.commit()
        return plant

    made = fastapi.FastAPI()
    made.post("/plants", response_model=model, status_code=201)(create)
    made.get("/plants")(browse)
    made.get("/names", response_model=list[str])(names)
    made.get("/labels", response_model=list[Label])(labels)
    made.get("/plants/{key}", response_model=model)(read)
    made.get("/plants/{key}/label", response_model=Label)(read)
    made.get("/plants/{key}/short", response_model=model, response_model_include={"name", "bed"})(read)
    made.get("/plants/{key}/set", response_model=model, response_model_exclude_defaults=True)(read)
    made.patch("/plants/{key}")(change)
    return made


@pytest.fixture
def ivy(raw: Database[Document]) -> str:
    """The key of a plant in the database."""
    document = {
        "name": "ivy",
        "height": 2.5,
        "sown": datetime(2024, 4, 1, tzinfo=timezone.utc),
        "bed": {"row": 3, "s": "clay"},
        "former": [{"row": 1, "s": "loam"}, {"row": 2, "s": "sand"}],
    }
    return str(raw["plants"].insert_one(document).inserted_id)


IVY: dict[str, object] = {
    "name": "ivy",
    "height": 2.5,
    "sown": "2024-04-01T00:00:00",
    "bed": {"row": 3, "soil": "clay"},
    "former": [{"row": 1, "soil": "loam"}, {"row": 2, "soil": "sand"}],
}


# -- request bodies -----------------------------------------------------------------------------------------------


async def test_a_body_is_stored_and_answered(app: Any, raw: Database[Document]) -> None:
    status, answer = await ask(app, "POST", "/plants", {"name": "fern", "height": 1, "bed": {"row": 4, "soil": "peat"}})
    document = raw["plants"].find_one() or {}
    assert status == 201
    assert answer == {
        "id": str(document["_id"]),
        "name": "fern",
        "height": 1.0,
        "sown": None,
        "bed": {"row": 4, "soil": "peat"},
        "former": [],
    }
    del document["_id"]
    assert document == {"name": "fern", "height": 1.0, "sown": None, "bed": {"row": 4, "s": "peat"}, "former": []}


async def test_a_body_may_bring_its_key(app: Any, raw: Database[Document]) -> None:
    key = "66aa66aa66aa66aa66aa66aa"
    status, answer = await ask(app, "POST", "/plants", {"id": key, "name": "fern"})
    assert (status, answer["id"]) == (201, key)
    assert raw["plants"].distinct("_id") == [ObjectId(key)]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "name"]),
        ({"name": "a very long name"}, ["body", "name"]),
        ({"name": "fern", "height": -1}, ["body", "height"]),
        ({"name": "fern", "bed": {"soil": "peat"}}, ["body", "bed", "row"]),
        ({"name": "fern", "former": [{"row": 1}, {"row": "x"}]}, ["body", "former", 1, "row"]),
        ({"id": "zz", "name": "fern"}, ["body", "id"]),
    ],
)
async def test_a_body_that_does_not_fit(app: Any, raw: Database[Document], body: object, place: list[object]) -> None:
    status, answer = await ask(app, "POST", "/plants", body)
    assert status == 422
    assert {tuple(error["loc"][: len(place)]) for error in answer["detail"]} == {tuple(place)}
    assert raw["plants"].count_documents({}) == 0


async def test_a_partial_body_changes_an_instance(app: Any, raw: Database[Document], ivy: str) -> None:
    status, answer = await ask(app, "PATCH", f"/plants/{ivy}", {"height": 3, "bed": {"row": 9}})
    expected = {**IVY, "height": 3.0, "bed": {"row": 9, "soil": "loam"}}
    assert (status, answer) == (200, {"id": ivy, **expected})
    assert (raw["plants"].find_one() or {})["bed"] == {"row": 9, "s": "loam"}


# -- responses ----------------------------------------------------------------------------------------------------


async def test_one_instance(app: Any, ivy: str) -> None:
    assert await ask(app, "GET", f"/plants/{ivy}") == (200, {"id": ivy, **IVY})
    assert (await ask(app, "GET", f"/plants/{ObjectId()}"))[0] == 404


async def test_a_list_of_instances(app: Any, raw: Database[Document], ivy: str) -> None:
    assert await ask(app, "GET", "/plants") == (200, [{"id": ivy, **IVY}])
    raw["plants"].insert_one({"name": "elm", "former": []})
    status, answer = await ask(app, "GET", "/plants")
    assert (status, [plant["name"] for plant in answer]) == (200, ["elm", "ivy"])
    raw["plants"].delete_many({})
    assert await ask(app, "GET", "/plants") == (200, [])


async def test_columns(app: Any, ivy: str) -> None:
    assert await ask(app, "GET", "/names") == (200, ["ivy"])
    assert await ask(app, "GET", "/labels") == (200, [{"name": "ivy", "height": 2.5}])


async def test_a_response_model_of_its_own(app: Any, ivy: str) -> None:
    assert await ask(app, "GET", f"/plants/{ivy}/label") == (200, {"name": "ivy", "height": 2.5})


async def test_part_of_a_response(app: Any, raw: Database[Document], ivy: str) -> None:
    assert await ask(app, "GET", f"/plants/{ivy}/short") == (200, {"name": "ivy", "bed": IVY["bed"]})
    raw["plants"].update_one({}, {"$set": {"height": 0.0, "sown": None, "former": []}})
    assert await ask(app, "GET", f"/plants/{ivy}/set") == (200, {"id": ivy, "name": "ivy", "bed": IVY["bed"]})


async def test_a_response_leaves_the_instance_as_it_was(
    model: Any, pymongo_engine: AIOEngine, raw: Database[Document], ivy: str
) -> None:
    async with async_sessionmaker(pymongo_engine)() as session:
        plant: Any = await session.get(model, ivy)

        async def read() -> Any:
            return plant

        app = fastapi.FastAPI()
        app.get("/plant", response_model=model)(read)
        for _ in range(2):
            assert await ask(app, "GET", "/plant") == (200, {"id": ivy, **IVY})
        assert session.dirty == []
        plant.height = 4.0
        plant.bed.row = 5
        assert session.dirty == [plant]
        answer = (await ask(app, "GET", "/plant"))[1]
        assert (answer["height"], answer["bed"]["row"]) == (4.0, 5)
        assert session.dirty == [plant]
        await session.commit()
        session.expunge(plant)
        assert (await ask(app, "GET", "/plant"))[1]["height"] == 4.0
    assert (raw["plants"].find_one() or {})["height"] == 4.0
    assert (await ask(app, "GET", "/plant"))[0] == 200


async def test_a_blocking_session_in_a_plain_function(model: Any, sync_engine: SyncEngine, ivy: str) -> None:
    maker = sessionmaker(sync_engine)

    def opened() -> Iterator[Any]:
        with maker() as session:
            yield session

    @typed(session=Annotated[Any, fastapi.Depends(opened)])
    def browse(session: Any) -> Any:
        return session.scalars(select(model)).all()

    app = fastapi.FastAPI()
    app.get("/plants", response_model=list[model])(browse)
    assert await ask(app, "GET", "/plants") == (200, [{"id": ivy, **IVY}])


async def test_an_embedded_model_alone() -> None:
    @typed(bed=Bed, result=list[Bed])
    async def double(bed: Any) -> Any:
        assert type(bed) is Bed
        return [bed, Bed(row=bed.row + 1)]

    app = fastapi.FastAPI()
    app.post("/beds")(double)
    answer = await ask(app, "POST", "/beds", {"row": 1, "soil": "clay"})
    assert answer == (200, [{"row": 1, "soil": "clay"}, {"row": 2, "soil": "loam"}])


@pytest.mark.parametrize(("plot_model", "gardener_model"), [(Plot, Gardener), (PlainPlot, PlainGardener)])
async def test_a_referenced_instance_is_nested(
    plot_model: Any, gardener_model: Any, pymongo_engine: AIOEngine, raw: Database[Document]
) -> None:
    maker = async_sessionmaker(pymongo_engine)

    @typed(plot=plot_model, result=plot_model)
    async def create(plot: Any) -> Any:
        assert type(plot.gardener) is gardener_model
        async with maker() as session:
            session.add(plot)
            await session.commit()
            return plot

    async def browse() -> Any:
        async with maker() as session:
            return await session.scalars(select(plot_model)).all()

    app = fastapi.FastAPI()
    app.post("/plots")(create)
    app.get("/plots", response_model=list[plot_model])(browse)
    status, answer = await ask(app, "POST", "/plots", {"number": 1, "gardener": {"name": "Uma"}})
    gardener = raw["gardeners"].find_one() or {}
    plot = raw["plots"].find_one() or {}
    assert plot["gardener"] == gardener["_id"]
    expected = {
        "id": str(plot["_id"]),
        "number": 1,
        "gardener": {"id": str(gardener["_id"]), "name": "Uma"},
    }
    assert (status, answer) == (200, expected)
    assert await ask(app, "GET", "/plots") == (200, [expected])


# -- the OpenAPI document -----------------------------------------------------------------------------------------


def resolved(document: Any, schema: Any) -> Any:
    """Return what a `$ref` stands for."""
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def content(holder: Any) -> Any:
    return holder["content"]["application/json"]["schema"]


async def test_the_body_in_the_document(app: Any, model: Any) -> None:
    status, document = await ask(app, "GET", "/openapi.json")
    assert status == 200
    body = resolved(document, content(document["paths"]["/plants"]["post"]["requestBody"]))
    assert body["title"] == model.__name__
    assert body["required"] == ["name"]
    assert sorted(body["properties"]) == ["bed", "former", "height", "id", "name", "sown"]
    assert body["properties"]["id"]["type"] == "string"
    name = {"type": "string", "maxLength": 10, "title": "Name", "description": "in the language of the house"}
    assert body["properties"]["name"] == name
    assert body["properties"]["height"] == {"type": "number", "minimum": 0, "title": "Height", "default": 0.0}


async def test_the_embedded_model_in_the_document(app: Any) -> None:
    document = (await ask(app, "GET", "/openapi.json"))[1]
    body = resolved(document, content(document["paths"]["/plants"]["post"]["requestBody"]))
    one, nothing = body["properties"]["bed"]["anyOf"]
    assert nothing == {"type": "null"}
    assert body["properties"]["former"]["items"] == one
    bed = resolved(document, one)
    assert (bed["title"], bed["required"]) == ("Bed", ["row"])
    assert {name: field["type"] for name, field in bed["properties"].items()} == {"row": "integer", "soil": "string"}


async def test_the_responses_in_the_document(app: Any, model: Any) -> None:
    document = (await ask(app, "GET", "/openapi.json"))[1]
    created = resolved(document, content(document["paths"]["/plants"]["post"]["responses"]["201"]))
    listed = content(document["paths"]["/plants"]["get"]["responses"]["200"])
    assert created["title"] == model.__name__
    assert sorted(created["properties"]) == ["bed", "former", "height", "id", "name", "sown"]
    assert listed["type"] == "array"
    assert resolved(document, listed["items"]) == created
    label = content(document["paths"]["/labels"]["get"]["responses"]["200"])
    assert resolved(document, label["items"])["title"] == "Label"


async def test_a_key_in_a_response_is_always_there(app: Any) -> None:
    document = (await ask(app, "GET", "/openapi.json"))[1]
    created = resolved(document, content(document["paths"]["/plants"]["post"]["responses"]["201"]))
    assert created["properties"]["id"]["type"] == "string"
    assert "name" in created["required"]
