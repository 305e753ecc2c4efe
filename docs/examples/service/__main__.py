"""`python -m docs.examples.service`: the bookshop on http://127.0.0.1:8000/docs, with a MongoDB of its own.

MONGODB_URI names another server.
"""

from __future__ import annotations

import argparse
import os

import uvicorn

from mongotic.testing import EmbeddedMongo

from .app import create_app


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the bookshop.")
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    given = os.environ.get("MONGODB_URI")
    if given:
        uvicorn.run(create_app(given), port=port)
        return
    with EmbeddedMongo() as server:
        uvicorn.run(create_app(server.uri), port=port)


if __name__ == "__main__":
    main()
