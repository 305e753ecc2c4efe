"""SQLAlchemy-2.0-style sessions and statements for ODMantic models and engines.

```python
from mongotic import select, sessionmaker

Session = sessionmaker(engine)  # the odmantic.SyncEngine you have

with Session() as session:
    user = session.scalars(select(User).where(User.email == "ann@example.com")).one()
    user.tags.append("vip")
    session.commit()
```
"""

from .exceptions import (
    ArgumentError,
    DocumentError,
    FlushError,
    IntegrityError,
    InvalidRequestError,
    MongoticError,
    MultipleResultsFound,
    NoResultFound,
    NotFound,
    OperationalError,
    ResourceClosedError,
    StaleDataError,
    UnboundExecutionError,
    UnmappedInstanceError,
)
from .expressions import and_, asc, desc, not_, or_
from .result import Result, ScalarResult
from .session import Session, sessionmaker
from .statements import Delete, Insert, Select, Update, delete, insert, select, update

__all__ = [
    "ArgumentError",
    "Delete",
    "DocumentError",
    "FlushError",
    "Insert",
    "IntegrityError",
    "InvalidRequestError",
    "MongoticError",
    "MultipleResultsFound",
    "NoResultFound",
    "NotFound",
    "OperationalError",
    "ResourceClosedError",
    "Result",
    "ScalarResult",
    "Select",
    "Session",
    "StaleDataError",
    "UnboundExecutionError",
    "UnmappedInstanceError",
    "Update",
    "and_",
    "asc",
    "delete",
    "desc",
    "insert",
    "not_",
    "or_",
    "select",
    "sessionmaker",
    "update",
]
