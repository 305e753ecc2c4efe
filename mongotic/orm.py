"""`Session` and `sessionmaker`, where mongotic 0.5 has them."""

from .session import Session, sessionmaker

__all__ = ["Session", "sessionmaker"]
