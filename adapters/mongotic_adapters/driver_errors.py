"""From the driver's errors to mongotic's.

Called by the ports and the flows.  The translated error is also an instance of the driver's own class, with all its
attributes and labels, so that `except` clauses written for PyMongo or ODMantic keep working.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from bson.errors import BSONError, InvalidBSON
from odmantic import Model
from odmantic.exceptions import DuplicateKeyError as OdmanticDuplicate
from pymongo import errors as driver

from .commands import WriteReport
from .errors import (
    ArgumentError,
    FlushOperationalError,
    IntegrityError,
    MongoticError,
    OperationalError,
    RowError,
    progress,
    restored,
)
from .instance_state import state_of
from .port import ALL, Failure, WriteFailed

E = TypeVar("E", bound=OperationalError)

NO_TRANSACTIONS = 20
"""The server's code for a transaction that neither a replica set nor a mongos was asked for."""

_UNREACHABLE = "Is the server running, and is the address right? "
_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (driver.ServerSelectionTimeoutError, _UNREACHABLE),
    (driver.ConfigurationError, "Check the connection string. "),
    (driver.ExecutionTimeout, "It took longer than the time limit allows. "),
    (driver.ConnectionFailure, "The connection broke; the operation may have reached the server. "),
)


@contextmanager
def translated(action: str) -> Generator[None]:
    """Raise what the driver raises inside the block as an error of mongotic.

    Arguments:
        action: what is tried, as the beginning of the message: "find on 'users'".

    Raises:
        OperationalError: the driver or the server failed.
        ArgumentError: a value cannot be encoded; nothing was sent.
    """
    try:
        yield
    except driver.PyMongoError as error:
        raise adopted(OperationalError, f"{action} failed: {explained(error)}", error) from error
    except InvalidBSON as error:
        raise _undecodable(action, error) from error
    except MongoticError:
        raise
    except RuntimeError as error:
        if "loop" not in str(error):  # a value that raises it when the driver asks for its repr
            raise ArgumentError(f"{action}: a value cannot be encoded: {error}. Nothing was sent.") from error
        advice = "An asyncio client serves the event loop it was first used in; make one for each loop. "
        raise adopted(OperationalError, f"{action} failed: {advice}{error}", error) from error
    except Exception as error:  # the driver asks a value it refuses for its repr, which may raise anything
        raise ArgumentError(f"{action}: a value cannot be encoded: {error}. Nothing was sent.") from error


@contextmanager
def changing(action: str, *, in_transaction: bool, many: bool = True) -> Generator[None]:
    """Raise what a statement meets inside the block as an error that says what is known to be changed.

    Arguments:
        action: what is tried, as in `translated`.
        in_transaction: whether a transaction is under way.
        many: whether it may change several documents.

    Raises:
        OperationalError: the driver or the server failed.
        ArgumentError: a value cannot be encoded; nothing was sent.
    """
    try:
        with translated(action):
            yield
    except OperationalError as error:
        known = _known_to_be_done(error.driver_error, in_transaction=in_transaction, many=many)
        error.args = (f"{error.args[0]}. {known}",)
        raise


def _known_to_be_done(error: Exception, *, in_transaction: bool, many: bool) -> str:
    if in_transaction:
        return "The transaction is undone."
    if isinstance(error, driver.ServerSelectionTimeoutError):
        return "Nothing was sent."
    if isinstance(error, driver.WriteConcernError):
        return "It was carried out, but not confirmed by as many servers as asked for."
    if isinstance(error, (driver.ConnectionFailure, driver.ExecutionTimeout)):
        return "Whether it was carried out, or how much of it, is not known; read before you try it again."
    if many and isinstance(error, driver.WriteError):
        return "Documents that were changed before the error stay changed; how many is not known."
    return "Nothing was changed."


@contextmanager
def decoding(action: str) -> Generator[None]:
    """Raise what goes wrong inside the block, in reading what the server gave, as an error of mongotic.

    Raises:
        OperationalError: a document cannot be decoded.
    """
    try:
        yield
    except (BSONError, OverflowError, ValueError) as error:
        raise _undecodable(action, error) from error


def _undecodable(action: str, error: Exception) -> OperationalError:
    advice = "a document cannot be decoded; a date outside Python's years needs the client's datetime_conversion option"
    return adopted(OperationalError, f"{action} failed: {advice}: {error}", error)


@contextmanager
def writing() -> Generator[None]:
    """Raise what the driver raises inside the block as `WriteFailed`, telling what was written.

    Raises:
        WriteFailed: the batch was not written as a whole.
    """
    try:
        yield
    except driver.BulkWriteError as error:
        raise _bulk_failure(error) from error
    except driver.DuplicateKeyError as error:
        raise WriteFailed(0, error, duplicate=True, failures=[Failure(0, error, duplicate=True)]) from error
    except OdmanticDuplicate as error:  # an engine's own save
        raise WriteFailed(0, cast("Exception", cast("Any", error).driver_error), duplicate=True) from error
    except driver.WriteConcernError as error:
        # The write itself was done; only its replication was not confirmed. Nothing was counted: zero has it checked.
        raise WriteFailed(1, error, report=WriteReport(matched=0)) from error
    except driver.WriteError as error:
        raise WriteFailed(0, error, failures=[Failure(0, error, duplicate=False)]) from error
    except driver.PyMongoError as error:
        never_sent = isinstance(error, driver.ServerSelectionTimeoutError)
        raise WriteFailed(0, error, certain=never_sent or not isinstance(error, driver.ConnectionFailure)) from error
    except (BSONError, OverflowError, UnicodeError) as error:  # too large for a command, say
        raise WriteFailed(0, error) from error


def _bulk_failure(error: driver.BulkWriteError) -> WriteFailed:
    details = cast("dict[str, object]", error.details)
    found = cast("list[dict[str, object]]", details.get("writeErrors") or [])
    matched, modified, removed = (cast("int", details.get(name, 0)) for name in ("nMatched", "nModified", "nRemoved"))
    upserts = cast("list[dict[str, object]]", details.get("upserted") or [])
    upserted = {cast("int", one["index"]): one["_id"] for one in upserts}
    counted = WriteReport(matched, modified, removed, upserted=upserted)
    if not found:
        return WriteFailed(ALL, error, report=counted)
    failures = [_failure(answer) for answer in found]
    first = failures[0]
    reason = first.error if first.duplicate else error
    return WriteFailed(first.position, reason, duplicate=first.duplicate, failures=failures, counted=counted)


def _failure(details: dict[str, object]) -> Failure:
    code = cast("int | None", details.get("code"))
    answer = {key: value for key, value in details.items() if key not in ("index", "op")}
    kind = driver.DuplicateKeyError if code == 11000 else driver.WriteError
    return Failure(cast("int", details["index"]), kind(str(details.get("errmsg")), code, answer), code == 11000)


def row_error(failure: Failure, position: int, key: object) -> RowError:
    """Return what is told of one row of a statement that failed."""
    return RowError(position, key, str(failure.error), getattr(failure.error, "code", None))


def key_taken(collection: str, key: object) -> WriteFailed:
    """Return the failure of a document whose key exists already, found out before it was sent."""
    answer: dict[str, object] = {"keyPattern": {"_id": 1}, "keyValue": {"_id": key}}
    error = driver.DuplicateKeyError(f"E11000 duplicate key in {collection}: _id {key!r}", 11000, answer)
    return WriteFailed(0, error, duplicate=True)


def integrity_error(
    failure: WriteFailed, instance: Model, name: str, written: Sequence[Model], pending: Sequence[Model]
) -> IntegrityError:
    """Return the error for an instance that met an existing key."""
    error = cast("driver.DuplicateKeyError", failure.error)
    details = cast("dict[str, object]", error.details or {})
    keys = cast("dict[str, object]", details.get("keyValue") or {"_id": name})
    state = state_of(instance)
    if state is None or state.owner is None:  # of a statement, which leaves nothing to be done later
        reached = f"Written: {len(written)}; not written: {len(pending)}."
    else:
        reached = progress(written, pending)
    message = (
        f"{name} was not written: a document with {_listed(keys)} exists already, and it was left as it is. "
        f"{reached} To overwrite it, read it and change it."
    )
    return IntegrityError(message, instance, error, written=written, pending=pending)


def flush_error(
    failure: WriteFailed, action: str, written: Sequence[Model], pending: Sequence[Model]
) -> FlushOperationalError:
    """Return the error for a flush, or an insert, that the driver or the server broke off."""
    doubt = "" if failure.certain else "Whether the pending ones reached the server is not known. "
    message = f"{action} failed: {explained(failure.error)} {doubt}{progress(written, pending)}"
    error = adopted(FlushOperationalError, message, failure.error)
    error.written, error.pending = list(written), list(pending)
    return error


def explained(error: Exception) -> str:
    """Return the driver's message with what to do about it."""
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
    if isinstance(error, driver.PyMongoError) and error.has_error_label("UnknownTransactionCommitResult"):
        advice = "Whether the transaction was committed is not known; read before you try it again. "
    elif isinstance(error, driver.OperationFailure) and error.code == NO_TRANSACTIONS and "replica set" in str(error):
        advice = "This server has no transactions: start it as a replica set, of one member if need be. "
    return f"{advice}{type(error).__name__}: {error}"


def adopted(kind: type[E], message: str, error: Exception) -> E:
    """Return an error of mongotic that is also an instance of the class of *error*, with its attributes."""
    combined = _combined(kind, type(error))
    made = combined.__new__(combined, message)
    # The driver's constructors differ from class to class; what they leave behind lies in __dict__ alone.
    made.__dict__.update(error.__dict__)
    made.args = (message,)
    made.driver_error = error
    if isinstance(error, driver.PyMongoError):
        made.is_transient = error.has_error_label("TransientTransactionError")
        made.outcome_unknown = error.has_error_label("UnknownTransactionCommitResult")
    return cast("E", made)


_classes: dict[tuple[type, type], type[OperationalError]] = {}


def _combined(kind: type[OperationalError], driver_class: type[Exception]) -> type[OperationalError]:
    found = _classes.get((kind, driver_class))
    if found is None:
        found = _classes[kind, driver_class] = _combine(kind, driver_class)
    return found


def _combine(kind: type[OperationalError], driver_class: type[Exception]) -> type[OperationalError]:
    def text(self: MongoticError) -> str:
        return str(self.args[0])

    def reduce(self: MongoticError) -> tuple[object, ...]:
        return _restored, (kind, driver_class, self.args, self.__dict__)

    body = {"__str__": text, "__reduce__": reduce, "__module__": kind.__module__}
    return type(kind.__name__, (kind, driver_class), body)


def _restored(
    kind: type[OperationalError],
    driver_class: type[Exception],
    args: tuple[object, ...],
    attributes: dict[str, object],
) -> MongoticError:
    return restored(_combined(kind, driver_class), args, attributes)


def _listed(keys: dict[str, object]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in keys.items())
