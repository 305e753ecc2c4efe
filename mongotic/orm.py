"""Sessions, where mongotic 0.5 and SQLAlchemy have them, and what SQLAlchemy users look for beside them."""

from .inspection import make_transient, object_session
from .scoped import scoped_session
from .session import Session, sessionmaker

__all__ = ["Session", "make_transient", "object_session", "scoped_session", "sessionmaker"]
