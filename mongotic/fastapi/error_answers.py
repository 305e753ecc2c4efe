"""What a caller over HTTP is told when a session refuses: 404 for what is not there, 409 for what meets another.

Given to `FastAPI(exception_handlers=...)` or `Starlette(exception_handlers=...)`.  The messages of the errors name
values of documents, so they go to the log `mongotic.fastapi` and not to the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..exceptions import IntegrityError, NotFound, StaleDataError

logger = logging.getLogger("mongotic.fastapi")

# What Starlette and FastAPI call them; each takes the class of errors that it is registered for.
Handler: TypeAlias = Callable[[Request, Any], Coroutine[Any, Any, Response]]

ANSWERS: dict[type[Exception], tuple[int, str]] = {
    NotFound: (404, "Not found"),
    IntegrityError: (409, "A document with this key exists already"),
    StaleDataError: (409, "The document was changed or removed meanwhile; read it again"),
}


def exception_handlers() -> dict[int | type[Exception], Handler]:
    """Return the handlers by class of error: `NotFound` becomes 404, `IntegrityError` and `StaleDataError` become 409.

    The body is `{"detail": ...}`, as of FastAPI's own errors; the message of the error is logged at INFO.
    """
    return {kind: _handler(status, detail) for kind, (status, detail) in ANSWERS.items()}


def _handler(status: int, detail: str) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        if request.scope["type"] != "http":  # a WebSocket takes no answer; the server closes it
            raise error
        logger.info("%s %s: %d: %s", request.method, request.url.path, status, error)
        return JSONResponse({"detail": detail}, status_code=status)

    return answer
