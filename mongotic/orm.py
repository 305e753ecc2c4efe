"""`Session` and `sessionmaker`, where mongotic 0.5 has them, and what SQLAlchemy users look for in `orm`."""

from .inspection import make_transient, object_session
from .session import Session, sessionmaker

__all__ = ["Session", "make_transient", "object_session", "sessionmaker"]
