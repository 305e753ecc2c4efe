"""Sessions, where mongotic 0.5 and SQLAlchemy have them."""

from .scoped import scoped_session
from .session import Session, sessionmaker

__all__ = ["Session", "scoped_session", "sessionmaker"]
