"""Writes `operators.md`: what every operator and function becomes in MongoDB, as the code makes it.

Run `python docs/operators.py`; a test fails while the table is not what this prints.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from odmantic import EmbeddedModel, Model

import mongotic
from mongotic import func, select
from mongotic_adapters import shell
from mongotic_adapters.columns import Column
from mongotic_adapters.computed import Computed
from mongotic_adapters.field_conditions import FieldConditions

TABLE = Path(__file__).with_name("operators.md")


class Item(EmbeddedModel):
    sku: str
    qty: int = 1


class Sale(Model):
    name: str
    city: str
    price: float
    qty: int
    sold: datetime
    tags: list[str] = []
    items: list[Item] = []
    place: dict[str, Any] | None = None


# What users write; evaluated here, with the names above, so that the table shows exactly what is run.
CONDITIONS = """
col(Sale.qty) == 3
col(Sale.qty) != 3
col(Sale.qty) > 3
col(Sale.qty) >= 3
col(Sale.qty) < 3
col(Sale.qty) <= 3
col(Sale.qty) == None
col(Sale.qty).is_(None)
col(Sale.qty).is_not(None)
col(Sale.qty).in_([1, 2])
col(Sale.qty).not_in([1, 2])
col(Sale.qty).between(1, 5)
col(Sale.qty).mod(4, 1)
col(Sale.qty).bits_all_set(5)
col(Sale.qty).bits_any_set([0, 2])
col(Sale.qty).bits_all_clear(5)
col(Sale.qty).bits_any_clear([0, 2])
col(Sale.name).like('A%')
col(Sale.name).ilike('%a_')
col(Sale.name).contains('a.')
col(Sale.name).startswith('A')
col(Sale.name).endswith('n')
col(Sale.name).regexp_match('^a', 'i')
col(Sale.name).match('^A')
col(Sale.name).exists()
col(Sale.name).type_('string', 'null')
col(Sale.tags).contains('vip')
col(Sale.tags).any('vip')
col(Sale.tags).all(['vip', 'new'])
col(Sale.tags).size(2)
col(Sale.items).any(col(Item.sku) == 'a')
col(Sale.items).elem_match(col(Item.sku) == 'a', col(Item.qty) > 2)
col(Sale.items).sku == 'a'
col(Sale.place).near((12.5, 41.9), max_distance=500, min_distance=10)
col(Sale.place).within([(12, 41), (13, 41), (13, 42)])
col(Sale.place).within_circle((12.5, 41.9), 500)
col(Sale.place).intersects([(12, 41), (13, 41), (13, 42)])
text_search('red wine')
and_(Sale.qty > 1, Sale.name == 'Ann')
or_(Sale.qty > 1, {'name': 'Ann'})
not_(Sale.qty > 1)
(col(Sale.qty) > 1) & (col(Sale.name) == 'Ann')
(col(Sale.qty) > 1) | (col(Sale.name) == 'Ann')
~(col(Sale.qty) > 1)
col(Sale.qty) > col(Sale.price)
col(Sale.price) * Sale.qty > 100
func.lower(Sale.name) == 'ann'
func.lower(Sale.name) == None
func.lower(Sale.name).in_(['ann', 'bob'])
func.lower(Sale.name).not_in(['ann', 'bob'])
func.length(Sale.name).between(2, 5)
func.lower(Sale.name).regexp_match('^a')
func.lower(Sale.name).startswith('a')
func.lower(Sale.name).endswith('n')
func.lower(Sale.name).contains('n')
func.lower(Sale.name).is_(None)
func.lower(Sale.name).is_not(None)
"""

VALUES = """
col(Sale.price) + 1
col(Sale.name) + '!'
col(Sale.sold) + timedelta(hours=1)
col(Sale.price) - Sale.qty
col(Sale.price) * Sale.qty
col(Sale.price) / 2
col(Sale.price) // 2
col(Sale.qty) // 2
col(Sale.qty) % 2
col(Sale.qty) ** 2
abs(col(Sale.price))
round(col(Sale.price), 2)
literal('$name')
case((Sale.qty > 5, 'many'), else_='few')
func.abs(Sale.price)
func.round(Sale.price, 1)
func.floor(Sale.price)
func.ceil(Sale.price)
func.sqrt(Sale.price)
func.coalesce(Sale.name, 'none')
func.lower(Sale.name)
func.upper(Sale.name)
func.length(Sale.name)
func.substr(Sale.name, 0, 3)
func.concat(Sale.name, ' of ', Sale.city)
func.trim(Sale.name)
func.ltrim(Sale.name)
func.rtrim(Sale.name, '.')
func.year(Sale.sold)
func.month(Sale.sold)
func.day(Sale.sold)
func.hour(Sale.sold, timezone='Europe/Rome')
func.minute(Sale.sold)
func.second(Sale.sold)
func.millisecond(Sale.sold)
func.week(Sale.sold)
func.iso_week(Sale.sold)
func.iso_week_year(Sale.sold)
func.day_of_week(Sale.sold)
func.iso_day_of_week(Sale.sold)
func.day_of_year(Sale.sold)
func.date_trunc('week', Sale.sold)
func.text_score()
"""

GROUPS = """
func.count()
func.count(Sale.city)
func.count(distinct(Sale.city))
func.sum(Sale.qty)
func.avg(Sale.qty)
func.min(Sale.qty)
func.max(Sale.qty)
func.first(Sale.name)
func.last(Sale.name)
func.push(Sale.name)
func.add_to_set(Sale.name)
"""

STATEMENTS = """
select(Sale.name, (col(Sale.price) * Sale.qty).label('total')).where(Sale.qty > 1).order_by(desc(Sale.sold)).limit(5)
select(Sale.name).order_by(asc(col(Sale.price) * Sale.qty))
select(func.year(Sale.sold).label('year'), func.count()).group_by('year').having(func.count() > 1).order_by('year')
select(func.count(), func.sum(Sale.qty)).where(Sale.qty > 1)
select(func.lower(Sale.city).label('city')).distinct()
"""

HEAD = """# Operators

What each operator and function becomes. Made by `python docs/operators.py` from the code, and checked by a test.

- In a filter, comparison is MongoDB's: `!=`, `not_in` and `not_` also find documents in which the field is null or
  missing, `< <= > >=` find values of the same type only, and conditions look into lists.
- What is computed is compared in MongoDB's order of all values, in which null comes first: `col(Sale.qty) * 2 < 9`
  finds null, too.
- Constants are data. In expressions they stand under `$literal`, so that no text means a field and no dict an operator.
- In expressions a field is what is stored: a missing key is null, and no default of the model stands in for it. In a
  row, and among the keys of a group, it does.
- Null with anything gives null. The sum, average, minimum or maximum of nothing is None, and a count of it 0. `%` has
  the sign of the dividend, as in MongoDB; `//` rounds down.
"""


def written(lines: str) -> list[tuple[str, Any]]:
    """Return what users write, with what Python makes of it."""
    names = {**vars(mongotic), "Sale": Sale, "Item": Item, "timedelta": timedelta}
    return [(line, eval(line, names)) for line in lines.strip().splitlines()]


def table(title: str, head: str, lines: str, form: Callable[[Any], str]) -> str:
    """Return a table of two columns."""
    rows = [f"| `{_cell(line)}` | `{_cell(form(made))}` |" for line, made in written(lines)]
    return "\n".join([f"## {title}\n", f"| mongotic | {head} |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def filter_of(condition: Any) -> str:
    return shell.value(select(Sale).where(condition).command.filter)


def expression_of(value: Any) -> str:
    [stage] = select(value).select_from(Sale).pipeline()
    return shell.value(stage["$project"]["0"])  # type: ignore[index]  # a document


def group_of(value: Any) -> str:
    stages = select(value).group_by(Sale.city).pipeline()
    group = {key: kept for key, kept in stages[0]["$group"].items() if key != "_id"}  # type: ignore[attr-defined]  # the same
    return f"{shell.value(group)}, then {shell.value(stages[1]['$project']['0'])}"  # type: ignore[index]  # the same


def page() -> str:
    """Return the whole page."""
    parts = [
        HEAD,
        table("Conditions: `where()`, and `having()` for keys of groups", "filter", CONDITIONS, filter_of),
        table("Computed values: anywhere", "expression", VALUES, expression_of),
        table(
            "Functions of many documents: `select()`, `having()`, `order_by()`",
            "`$group`, and the value",
            GROUPS,
            group_of,
        ),
        table("Statements", "command", STATEMENTS, str),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def operators() -> set[str]:
    """Return the names of everything that belongs into the tables."""
    ordinary = {"asc", "desc", "label", "refusal"}
    methods = {
        name
        for kind in (Column, FieldConditions, Computed)
        for name, member in vars(kind).items()
        if callable(member) and not name.startswith("_") and not name.endswith("_")
    }
    methods |= {"in_", "is_", "type_"}
    aliases = {"eq", "ne", "gt", "gte", "lt", "lte"}  # ODMantic's names
    functions = {f"func.{name}" for name in vars(type(func)) if not name.startswith("_")}
    return {f".{name}" for name in methods - ordinary - aliases} | functions


if __name__ == "__main__":
    TABLE.write_text(page(), encoding="utf-8")
