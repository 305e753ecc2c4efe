"""mongotic for asyncio: sessions that are awaited, over ODMantic's `AIOEngine`."""

from .result import AsyncScalarResult
from .session import AsyncSession, async_sessionmaker

__all__ = ["AsyncScalarResult", "AsyncSession", "async_sessionmaker"]
