"""The engine of the service, and the dependency that gives it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from odmantic import AIOEngine


def get_engine(request: Request) -> AIOEngine:
    engine: AIOEngine = request.app.state.engine
    return engine


EngineDep = Annotated[AIOEngine, Depends(get_engine)]
