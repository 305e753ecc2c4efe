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

from mongotic_adapters.clients import create_engine, create_indexes

from . import event
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
    PendingRollbackError,
    ResourceClosedError,
    StaleDataError,
    UnboundExecutionError,
    UnmappedInstanceError,
    UnsupportedError,
)
from .expressions import and_, asc, col, desc, not_, or_, text, text_search
from .functions import case, distinct, func, literal
from .inspection import inspect, make_transient, object_session
from .model import MongoBaseModel
from .result import Result, Row, ScalarResult, SelectResult
from .retrying import run_transaction
from .scoped import scoped_session
from .select_function import select
from .select_statement import Select
from .session import Session, sessionmaker
from .statements import Delete, Insert, Update, delete, insert, update
from .transaction import SessionTransaction

__all__ = [
    "ArgumentError",
    "Delete",
    "DocumentError",
    "FlushError",
    "Insert",
    "IntegrityError",
    "InvalidRequestError",
    "MongoBaseModel",
    "MongoticError",
    "MultipleResultsFound",
    "NoResultFound",
    "NotFound",
    "OperationalError",
    "PendingRollbackError",
    "ResourceClosedError",
    "Result",
    "Row",
    "ScalarResult",
    "Select",
    "SelectResult",
    "Session",
    "SessionTransaction",
    "StaleDataError",
    "UnboundExecutionError",
    "UnmappedInstanceError",
    "UnsupportedError",
    "Update",
    "and_",
    "asc",
    "case",
    "col",
    "create_engine",
    "create_indexes",
    "delete",
    "desc",
    "distinct",
    "event",
    "func",
    "insert",
    "inspect",
    "literal",
    "make_transient",
    "not_",
    "object_session",
    "or_",
    "run_transaction",
    "scoped_session",
    "select",
    "sessionmaker",
    "text",
    "text_search",
    "update",
]
