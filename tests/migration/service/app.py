"""The application: `make_app(engine)`."""

from __future__ import annotations

from fastapi import FastAPI
from odmantic import AIOEngine

from . import customers, orders, products


def make_app(engine: AIOEngine) -> FastAPI:
    """Return the service over an engine."""
    app = FastAPI()
    app.state.engine = engine
    app.include_router(customers.router)
    app.include_router(products.router)
    app.include_router(orders.router)
    return app
