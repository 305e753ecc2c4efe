"""mongotic for asyncio: sessions that are awaited, and ODMantic's engine over PyMongo's own asyncio client."""

from mongotic_adapters.clients import create_async_engine, create_async_indexes
from mongotic_adapters.pymongo_async import AIOCursor, AIOEngine, AIOSession, AIOTransaction

from .result import AsyncScalarResult, AsyncSelectResult, AwaitedScalarResult
from .retrying import run_transaction
from .scoped import async_scoped_session
from .session import AsyncSession, async_sessionmaker
from .transaction import AsyncSessionTransaction

__all__ = [
    "AIOCursor",
    "AIOEngine",
    "AIOSession",
    "AIOTransaction",
    "AsyncScalarResult",
    "AsyncSelectResult",
    "AsyncSession",
    "AsyncSessionTransaction",
    "AwaitedScalarResult",
    "async_scoped_session",
    "async_sessionmaker",
    "create_async_engine",
    "create_async_indexes",
    "run_transaction",
]
