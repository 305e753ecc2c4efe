"""Statements and what they are made of, where mongotic 0.5 has them."""

from .expressions import and_, asc, col, desc, not_, or_
from .select_function import select
from .statements import delete, insert, update

__all__ = ["and_", "asc", "col", "delete", "desc", "insert", "not_", "or_", "select", "update"]
