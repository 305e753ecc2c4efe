"""mongotic for asyncio: sessions that are awaited, and ODMantic's engine over PyMongo's own asyncio client."""

from mongotic_adapters.clients import create_async_engine, create_async_indexes
from mongotic_adapters.pymongo_async import AIOCursor, AIOEngine, AIOSession, AIOTransaction

from .result import AsyncScalarResult, AsyncSelectResult, AwaitedScalarResult
from .session import AsyncSession, async_sessionmaker

__all__ = [
    "AIOCursor",
    "AIOEngine",
    "AIOSession",
    "AIOTransaction",
    "AsyncScalarResult",
    "AsyncSelectResult",
    "AsyncSession",
    "AwaitedScalarResult",
    "async_sessionmaker",
    "create_async_engine",
    "create_async_indexes",
]
