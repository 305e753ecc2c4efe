"""What a step of the demo is: one question or change, written four times.

ODMantic and mongotic, blocking and awaited, stand below each other in `queries.py` and `changes.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

from odmantic import AIOEngine, SyncEngine

from mongotic import Session
from mongotic.asyncio import AsyncSession

Answer: TypeAlias = Sequence[object] | int
"""What was read, or how many documents were counted or changed."""


class Step(ABC):
    """One question or change.

    Attributes:
        asked: what, in words.
        changes: it writes, so that the databases are compared after it.
    """

    asked: str
    changes: bool

    def prepare(self) -> None:
        """Do what is needed before each run, and is not measured."""
        return

    @abstractmethod
    def odmantic(self, engine: SyncEngine) -> Answer: ...

    @abstractmethod
    def mongotic(self, session: Session) -> Answer: ...

    @abstractmethod
    async def odmantic_async(self, engine: AIOEngine) -> Answer: ...

    @abstractmethod
    async def mongotic_async(self, session: AsyncSession) -> Answer: ...
