"""Spans of OpenTelemetry, and comments that say where a command comes from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from odmantic import Field, Model
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mongotic import IntegrityError, delete, func, insert, select, update
from tests.conftest import Backend, CommandLog, Document


class User(Model):
    number: int = Field(primary_field=True)
    name: str = ""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """The provider of the program.  OpenTelemetry takes one, once and for all: the tests after these would have it."""
    provider = TracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return provider


@pytest.fixture
def spans(provider: TracerProvider) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def attributes(span: ReadableSpan) -> Document:
    return dict(span.attributes or {})


async def test_each_command_is_a_span_without_values(backend: Backend, spans: InMemorySpanExporter) -> None:
    async with backend.maker()() as session:
        session.add_all([User(number=number, name="secret") for number in range(3)])
        await session.commit()
        await session.scalars(select(User).where(User.name == "secret")).all()
        [user async for user in session.scalars(select(User))]
        await session.scalars(select(User)).count()
        await session.scalars(select(func.count()).select_from(User)).all()
        await session.execute(update(User).values(name="secret"))
        async with session.begin():
            await session.execute(delete(User).where(User.number == 1))
    assert names(spans) == [
        "write user",
        "find user",
        "find user",
        "count user",
        "aggregate user",
        "update user",
        "delete user",
        "commitTransaction",
    ]
    first, read, walk, *_ = spans.get_finished_spans()
    where = {"db.system.name": "mongodb", "db.collection.name": "user", "db.namespace": backend.database}
    assert attributes(first) == {**where, "db.operation.name": "write", "db.operation.batch.size": 3}
    assert attributes(read) == {**where, "db.operation.name": "find", "db.response.returned_rows": 3}
    assert attributes(walk) == attributes(read)
    assert "secret" not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_a_command_that_fails_is_an_error_without_its_message(
    backend: Backend, spans: InMemorySpanExporter
) -> None:
    async with backend.maker()() as session:
        session.add(User(number=1))
        await session.commit()
    async with backend.maker()() as session:
        session.add(User(number=1, name="secret"))
        with pytest.raises(IntegrityError):
            await session.commit()
    failed = spans.get_finished_spans()[-1]
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert "error.type" in attributes(failed)
    assert (failed.status.description, list(failed.events)) == (None, [])


async def test_spans_are_below_the_span_of_the_caller(
    backend: Backend, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    with provider.get_tracer("test").start_as_current_span("request") as request:
        async with backend.maker()() as session:
            async for _ in session.scalars(select(User).yield_per(1)):
                break
            await session.scalars(select(User)).all()
    below = [span.parent.span_id for span in spans.get_finished_spans() if span.parent]
    assert below == [request.get_span_context().span_id] * 2


async def test_every_command_says_on_request_which_line_has_sent_it(backend: Backend, commands: CommandLog) -> None:
    async with backend.maker(origin_comments=True)() as session:
        session.add(User(number=1))
        await session.commit()
        session.add_all([User(number=2), User(number=3)])
        await session.commit()
        await session.scalars(select(User)).all()
        await session.scalars(select(User.name)).all()
        await session.scalars(select(User)).count()
        await session.execute(insert(User).values(number=4))
        await session.execute(update(User).values(name="x"))
        await session.execute(update(User).where(User.number == 1).values(name="y").returning(User))
        await session.execute(delete(User))
    comments = [command["comment"] for command in commands.sent if "Transaction" not in next(iter(command))]
    assert len(comments) >= 9
    where = f"{__name__}:"
    if backend.name != "sync":  # what is awaited was asked for here; the blocking session is dressed by conftest
        assert all(comment.startswith(where) for comment in comments), comments
        lines = [int(comment.removeprefix(where).split(" ")[0]) for comment in comments]
        assert lines == sorted(lines)
    assert not any(comment.startswith("mongotic") for comment in comments)


async def test_a_comment_of_ones_own_stays(backend: Backend, commands: CommandLog) -> None:
    async with backend.maker(origin_comments=True)() as session:
        await session.scalars(select(User).execution_options(comment="mine")).all()
    assert [command["comment"] for command in commands.sent] == ["mine"]


async def test_without_being_asked_there_is_no_comment(backend: Backend, commands: CommandLog) -> None:
    async with backend.maker()() as session:
        await session.scalars(select(User)).all()
    assert [command.get("comment") for command in commands.sent] == [None]


async def test_a_comment_names_the_span(backend: Backend, commands: CommandLog, provider: TracerProvider) -> None:
    with provider.get_tracer("test").start_as_current_span("request") as request:
        async with backend.maker(origin_comments=True)() as session:
            await session.scalars(select(User)).all()
    context = request.get_span_context()
    (comment,) = [command["comment"] for command in commands.sent]
    flags = int(context.trace_flags)
    assert comment.endswith(f" traceparent=00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}")


def test_opentelemetry_is_never_imported_by_us(server_uri: str) -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from mongotic import MongoBaseModel, Session, create_engine, select\n"
        "class User(MongoBaseModel):\n    __tablename__ = 'user'\n    name: str\n"
        f"with create_engine({server_uri!r}) as client:\n"
        "    with Session(client, database='none', origin_comments=True) as session:\n"
        "        print(session.scalars(select(User)).all())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
