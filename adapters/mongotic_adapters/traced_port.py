"""A port whose commands are spans of OpenTelemetry.

Put in front of a session's port by the facade, where the program has set up tracing.  A span says which command, on
which collection, how many documents and how it ended, in the names of OpenTelemetry's conventions for databases; never
a value of a document.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from .commands import Batch, WriteReport
from .mapping import Mapping
from .port import Port
from .records import Records

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

CALLS = {
    "fetch": "find",
    "count": "count",
    "write": "write",
    "modify_many": "update",
    "find_and_modify": "findAndModify",
    "delete_many": "delete",
    "commit": "commitTransaction",
}
"""What is awaited once, and the command it is."""

STREAMS = {"batches": "find", "documents": "find", "aggregate": "aggregate", "raw": "aggregate"}
"""What is walked, batch by batch: its span ends with the walk."""


class TracedPort:
    """A port in front of another one; see `port.Port` for what each method does."""

    def __init__(self, port: Port, tracer: Tracer) -> None:
        self._port = port
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:  # a method of the port, or one around it
        found = getattr(self._port, name)
        if name == "commit" and not self._port.has_open_transaction:
            return found
        if name in CALLS:
            return self._call(CALLS[name], found)
        return self._stream(STREAMS[name], found) if name in STREAMS else found

    def _call(
        self, operation: str, method: Callable[..., Coroutine[Any, Any, object]]
    ) -> Callable[..., Coroutine[Any, Any, object]]:
        async def call(*arguments: object) -> object:
            with self._span(operation, *arguments) as span:
                answer = await method(*arguments)
                number = _documents(answer)
                if number is not None:
                    span.set_attribute("db.response.returned_rows", number)
                return answer

        return call

    def _stream(
        self, operation: str, method: Callable[..., AsyncGenerator[list[object], None]]
    ) -> Callable[..., AsyncGenerator[list[object], None]]:
        async def stream(*arguments: object) -> AsyncGenerator[list[object], None]:
            batches = method(*arguments)
            number = 0
            with self._span(operation, *arguments) as span:
                try:
                    async for batch in batches:
                        number += len(batch)
                        yield batch
                finally:
                    await batches.aclose()
                    span.set_attribute("db.response.returned_rows", number)

        return stream

    @contextmanager
    def _span(self, operation: str, *arguments: object) -> Generator[Span]:
        # Loaded by whoever has set up tracing.
        from opentelemetry.trace import SpanKind, Status, StatusCode

        attributes: dict[str, str | int] = {"db.system.name": "mongodb", "db.operation.name": operation}
        name = operation
        asked = arguments[0] if arguments else None
        mapping = asked if isinstance(asked, Mapping) else cast("Mapping | None", getattr(asked, "mapping", None))
        if mapping is not None:
            name = f"{operation} {mapping.collection}"
            attributes["db.collection.name"] = mapping.collection
            attributes["db.namespace"] = cast("Any", self._port).binding.collection(mapping).database.name
        if isinstance(asked, Batch) and len(asked.operations) > 1:
            attributes["db.operation.batch.size"] = len(asked.operations)
        # Never the current span: nothing is below it, and a generator may be left in another context than its own.
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        try:
            yield span
        except GeneratorExit:  # the rest of a stream is not wanted
            raise
        except BaseException as error:
            # Its class alone: messages name values.
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()


def _documents(answer: object) -> int | None:
    if isinstance(answer, (list, Records)):
        return len(cast("Sequence[object]", answer))
    if isinstance(answer, WriteReport):
        return None
    return answer if isinstance(answer, int) else None


def traced(port: Port) -> Port:
    """Return *port*, behind one that makes spans if the program has set up tracing: `set_tracer_provider(...)`."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return port
    provider = cast("Any", trace).get_tracer_provider()
    if isinstance(provider, cast("Any", trace).ProxyTracerProvider):  # nobody has
        return port
    return cast("Port", TracedPort(port, _tracer(provider)))


@lru_cache(maxsize=4)
def _tracer(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("mongotic")
