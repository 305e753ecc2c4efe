"""Every error and warning of mongotic, in one place.

Raised by all layers; `mongotic.exceptions` shows them to users.  Two families share one base:
what the caller did wrong (`ArgumentError`, `InvalidRequestError`), raised before anything is sent,
and what the database answered (`FlushError`, `IntegrityError`, `OperationalError`).

An error that has a counterpart in ODMantic or PyMongo is also an instance of it, so that `except` clauses
written before mongotic came keep working.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from odmantic.exceptions import DocumentParsingError
from odmantic.exceptions import DuplicateKeyError as ODMDuplicateKeyError
from pymongo.errors import DuplicateKeyError as DriverDuplicateKeyError

if TYPE_CHECKING:
    from odmantic import Model
    from pydantic import ValidationError


class MongoticError(Exception):
    """Base of every error raised by mongotic.

    Attributes:
        is_transient: the same transaction may well succeed if it is tried again from its beginning, by
            `run_transaction` say.
        outcome_unknown: a transaction may have been committed, or not.
    """

    is_transient: bool = False
    outcome_unknown: bool = False

    def __reduce__(self) -> tuple[Callable[..., MongoticError], tuple[object, ...]]:
        # Constructors differ from class to class; task queues and process pools pickle errors all the same.
        return restored, (type(self), self.args, self.__dict__)


def restored(kind: type[MongoticError], args: tuple[object, ...], attributes: dict[str, object]) -> MongoticError:
    """Return an error as it was when it was pickled."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


# -- what the caller did wrong ------------------------------------------------------------------------------------


class ArgumentError(MongoticError, ValueError):
    """An argument cannot be used; nothing was sent."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument has a type that cannot be used; nothing was sent."""


class UnsupportedError(ArgumentTypeError, NotImplementedError):
    """What SQLAlchemy can do and MongoDB, or mongotic, cannot; the message says what to write instead."""


class InvalidRequestError(MongoticError):
    """The session or the instance is not in a state that allows this; nothing was sent."""


class PendingRollbackError(InvalidRequestError):
    """A transaction has failed and is undone; the session waits for `rollback()`."""


class UnmappedInstanceError(InvalidRequestError, TypeError):
    """Something that is no `odmantic.Model` instance was given to a session."""


class ResourceClosedError(InvalidRequestError):
    """The session was closed."""


class UnboundExecutionError(InvalidRequestError):
    """No database can be told for a model."""


# -- what a query found -------------------------------------------------------------------------------------------


class NotFound(MongoticError):
    """A query that must find a document found none."""


NoResultFound = NotFound


class MultipleResultsFound(MongoticError):
    """A query that must find at most one document found more."""


class DocumentError(MongoticError, DocumentParsingError):
    """A stored document does not fit its model.

    Attributes:
        model: the model class.
        key: the document's `_id`; None where it is not known: of a row whose query did not select it, and of what an
            engine's own `find` met.
        inner: Pydantic's `ValidationError`, as in ODMantic.
    """

    def __init__(self, key: object, model: type[Model], inner: ValidationError, *, of_row: bool = False) -> None:
        Exception.__init__(self, key, model, inner)
        self.key = key
        self._of_row = of_row
        self.model = model
        self.inner = inner

    def __str__(self) -> str:
        name = cast("type", self.model).__name__
        if self.key is None:
            advice = " (select its primary field too, to know which)" if self._of_row else ""
            return f"a document does not fit {name}{advice}: {self.inner}"
        return f"the document with _id {self.key!r} does not fit {name}: {self.inner}"

    __repr__ = __str__


# -- what the database answered -----------------------------------------------------------------------------------


class OperationalError(MongoticError):
    """The driver or the server failed.  Also an instance of the driver's own error class.

    Attributes:
        driver_error: the error as PyMongo raised it.
    """

    driver_error: Exception


@dataclass(frozen=True)
class RowError:
    """One row of a statement that was not written.

    Attributes:
        position: its place among the rows, from 0.
        key: its primary key.
        message: the server's reason.
        code: the server's number for it; 11000 for a key that exists already.
    """

    position: int
    key: object
    message: str
    code: int | None = None


class FlushError(MongoticError):
    """A flush, or an insert statement, could not write every instance.

    Attributes:
        written: the instances that were written before it failed.
        pending: the instances that were not; the next flush continues with them.
        errors: each row of an insert statement that failed.
    """

    errors: Sequence[RowError] = ()

    def __init__(self, message: str, *, written: Sequence[Model] = (), pending: Sequence[Model] = ()) -> None:
        super().__init__(message)
        self.written: list[Model] = list(written)
        self.pending: list[Model] = list(pending)

    def undone(self, planned: Sequence[Model]) -> None:
        """Say that it ran in a transaction: nothing of what was *planned* is written."""
        message = str(self.args[0]).replace(
            progress(self.written, self.pending), "Nothing was written: it ran in a transaction."
        )
        self.args = (message, *self.args[1:])
        self.written, self.pending = [], list(planned)


def progress(written: Sequence[Model], pending: Sequence[Model]) -> str:
    """Return how far a flush came, as part of a message."""
    return f"Written: {len(written)}; still pending: {len(pending)}."


class StaleDataError(FlushError):
    """A document to be updated was deleted, or its key changed, since it was read.

    Attributes:
        instances: the instances whose documents are gone.
    """

    def __init__(
        self, message: str, instances: Sequence[Model], *, written: Sequence[Model] = (), pending: Sequence[Model] = ()
    ) -> None:
        super().__init__(message, written=written, pending=pending)
        self.instances: list[Model] = list(instances)


class FlushOperationalError(FlushError, OperationalError):
    """The driver or the server failed in the middle of a flush."""


class BulkUpdateError(OperationalError):
    """An update by a list of rows could not be carried out as a whole.

    Attributes:
        written: the positions of the rows that are known to be carried out.
        pending: the positions of the others.
        errors: each row that failed.
        matched_count: documents that were met.
        modified_count: documents that were changed.
    """

    written: list[int]
    pending: list[int]
    errors: list[RowError]
    matched_count: int
    modified_count: int


class IntegrityError(FlushError, ODMDuplicateKeyError, DriverDuplicateKeyError):
    """A unique key exists already; the existing document was not touched.

    Attributes:
        instance: the instance that could not be written.
        driver_error: the error as PyMongo raised it.
        details: the server's answer, as in PyMongo.
    """

    def __init__(
        self,
        message: str,
        instance: Model,
        driver_error: DriverDuplicateKeyError,
        *,
        written: Sequence[Model] = (),
        pending: Sequence[Model] = (),
    ) -> None:
        DriverDuplicateKeyError.__init__(self, message, driver_error.code, driver_error.details)
        self.args = (message,)
        self.instance = instance
        self.model = type(instance)
        self.driver_error = driver_error
        self.written = list(written)
        self.pending = list(pending)

    def __str__(self) -> str:
        return str(self.args[0])


# -- warnings -----------------------------------------------------------------------------------------------------


class MongoticWarning(UserWarning):
    """Base of every warning of mongotic."""


class StaleDeleteWarning(MongoticWarning):
    """A document to be deleted was gone already."""


# Tracebacks show the name users import.
for _class in list(globals().values()):
    if isinstance(_class, type) and issubclass(_class, (MongoticError, MongoticWarning, RowError)):
        _class.__module__ = "mongotic.exceptions"
