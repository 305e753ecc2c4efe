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

from . import event, ops
from .exceptions import (
    ArgumentError,
    BulkUpdateError,
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
from .loading_options import LoadOption, joinedload, noload, raiseload, selectinload
from .model import MongoBaseModel
from .result import Result, Row, ScalarResult, SelectResult
from .retrying import run_transaction
from .scoped import scoped_session
from .select_function import select
from .select_statement import Select
from .session import Session, sessionmaker
from .statements import Delete, Insert, Returning, Update, delete, insert, update
from .transaction import SessionTransaction

__all__ = [
    "ArgumentError",
    "BulkUpdateError",
    "Delete",
    "DocumentError",
    "FlushError",
    "Insert",
    "IntegrityError",
    "InvalidRequestError",
    "LoadOption",
    "MongoBaseModel",
    "MongoticError",
    "MultipleResultsFound",
    "NoResultFound",
    "NotFound",
    "OperationalError",
    "PendingRollbackError",
    "ResourceClosedError",
    "Result",
    "Returning",
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
    "joinedload",
    "literal",
    "make_transient",
    "noload",
    "not_",
    "object_session",
    "ops",
    "or_",
    "raiseload",
    "run_transaction",
    "scoped_session",
    "select",
    "selectinload",
    "sessionmaker",
    "text",
    "text_search",
    "update",
]
