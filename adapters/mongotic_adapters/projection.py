"""The columns of a query: what is fetched for them, and the rows made of it.

Made by the facade's `select()`, once per statement; everything that can be found out before there are documents is
found out then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from pydantic import ValidationError

from . import unsupported
from .column_path import Path
from .column_reader import ColumnReader
from .columns import Column, KeyText
from .encoding import Document
from .errors import ArgumentError, DocumentError
from .rows import AnyRow, row_class
from .values_validator import Values

Extract = Callable[[Sequence[Document]], list[Values]]
"""From documents to columns of values."""


class Projection:
    """The columns of one query.

    Arguments:
        columns: at least one; all of one model.

    Attributes:
        mapping: the model.
        columns: the columns.
        readers: their readers.
        names: what each is called in a row.
        keys: the projection for `find`: just these keys.

    Raises:
        ArgumentError: the columns are of several models, or one is there twice.
    """

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self.columns = tuple(columns)
        self.readers = [ColumnReader(column) for column in columns]
        self.mapping = self.readers[0].mapping
        self._expect_one_model()
        paths = tuple(reader.dotted for reader in self.readers)
        self._texts = [isinstance(column, KeyText) for column in columns]
        self.names = _names([reader.path for reader in self.readers], self._texts)
        self.keys = _keys([key for reader in self.readers for key in reader.keys])
        self._row = row_class(self.names, paths)

    def rows(self, documents: Sequence[Document]) -> list[AnyRow]:
        """Return the row of each document.

        Raises:
            DocumentError: a value does not fit its field.
        """
        return list(map(self._row, zip(*self._columns(documents, self._values), strict=True)))

    def firsts(self, documents: Sequence[Document]) -> Values:
        """Return the value of the first column in each document; see `rows`."""
        return self._columns(documents, self._values)[0]

    def computed_rows(self, documents: Sequence[Document]) -> list[AnyRow]:
        """Return the rows of documents that hold each column's value under its position; see `rows`."""
        return list(map(self._row, zip(*self._columns(documents, self._computed), strict=True)))

    def computed_firsts(self, documents: Sequence[Document]) -> Values:
        """Return the values of the first column of such documents; see `rows`."""
        return self._columns(documents, self._computed)[0]

    def _values(self, documents: Sequence[Document]) -> list[Values]:
        return self._with_texts([reader.values(documents) for reader in self.readers])

    def _computed(self, documents: Sequence[Document]) -> list[Values]:
        return self._with_texts([reader.computed(documents, index) for index, reader in enumerate(self.readers)])

    def _with_texts(self, columns: list[Values]) -> list[Values]:
        return [list(map(str, values)) if text else values for text, values in zip(self._texts, columns, strict=True)]

    def _columns(self, documents: Sequence[Document], extract: Extract) -> list[Values]:
        try:
            return extract(documents)
        except ValidationError as error:
            raise self._explained(documents, extract, error) from None

    def _explained(self, documents: Sequence[Document], extract: Extract, error: ValidationError) -> DocumentError:
        """Return the error for the first document that does not fit; its key is known if it was selected."""
        for document in documents:
            try:
                extract([document])
            except ValidationError as found:
                return DocumentError(document.get("_id"), self.mapping.document_model, found, of_row=True)
        return DocumentError(None, self.mapping.document_model, error, of_row=True)

    def _expect_one_model(self) -> None:
        for reader in self.readers:
            if reader.mapping is not self.mapping:
                raise unsupported.columns_of_two_models(self.readers[0], reader)


def _names(paths: Sequence[Path], texts: Sequence[bool]) -> tuple[str, ...]:
    """Return what the columns are called: by the field's name, or by the whole path where that is not enough.

    Arguments:
        paths: the way to each.
        texts: which of them are the key as text, which is called `_id`.
    """
    short = ["_id" if text else path[-1].name for path, text in zip(paths, texts, strict=True)]
    last = Counter(short)
    long = ["_".join(step.name for step in path) for path in paths]
    names = tuple(whole if last[name] > 1 else name for name, whole in zip(short, long, strict=True))
    for name, number in Counter(names).items():
        if number > 1:
            raise ArgumentError(f"select(): two columns would be called {name!r}; select each column once")
    return names


def _keys(keys: Sequence[str]) -> Document:
    """Return the projection that gives the keys; MongoDB refuses a key together with one inside of it."""
    wanted = [key for key in keys if not any(key.startswith(f"{other}.") for other in keys)]
    projection = cast("Document", dict.fromkeys(wanted, 1))
    if not any(key.partition(".")[0] == "_id" for key in keys):
        projection["_id"] = 0
    return projection
