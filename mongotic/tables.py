"""Results as tables of HTML, for notebooks: `_repr_html_` of what queries give.

Called by `query_results` and `mongotic.asyncio.result`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import cast

from odmantic import Model

from mongotic_adapters.rows import AnyRow, Row
from mongotic_adapters.shown import shown

SHOWN = 20
"""How many items a table has."""


def html_table(items: Sequence[object], *, more: bool) -> str:
    """Return the items as a table.

    Arguments:
        items: instances, rows, mappings or values.
        more: say that there are more than these.
    """
    rows = [_values(item) for item in items]
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(_cell(row, name) for name in names)}</tr>" for row in rows)
    rest = f"<p>the first {len(items)}; there are more</p>" if more else f"<p>{len(items)} in all</p>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _values(item: object) -> Mapping[str, object]:
    if isinstance(item, Row):
        row = cast("AnyRow", cast("object", item))
        entity: object = row[0] if len(row) == 1 else None
        return _values(entity) if isinstance(entity, Model) else row._asdict()  # pyright: ignore[reportPrivateUsage]  # a public name of named tuples
    if isinstance(item, Mapping):
        return {str(key): value for key, value in cast("Mapping[object, object]", item).items()}
    if isinstance(item, Model):
        # Not by attribute: a reference that was not loaded may refuse to be read.
        return {name: item.__dict__.get(name) for name in type(item).model_fields}
    return {"value": item}


def _cell(row: Mapping[str, object], name: str) -> str:
    if name not in row:
        return "<td></td>"
    value = row[name]
    return f"<td>{escape(value if isinstance(value, str) and len(value) <= 200 else shown(value))}</td>"
