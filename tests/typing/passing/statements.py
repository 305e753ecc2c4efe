"""`select()` and its clauses, and the statements that write."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from odmantic import ObjectId
from odmantic.query import QueryExpression, SortExpression
from typing_extensions import assert_type

from mongotic import (
    Delete,
    Insert,
    Returning,
    Select,
    Update,
    and_,
    asc,
    col,
    delete,
    desc,
    insert,
    not_,
    ops,
    or_,
    select,
    update,
)

from .models import Address, User

# What a statement gives.
assert_type(select(User), Select[tuple[User]])
assert_type(select(User.name), Select[tuple[str]])
assert_type(select(User.nick), Select[tuple[str | None]])
assert_type(select(User.name, User.age), Select[tuple[str, int]])
assert_type(select(User.name, User.tags, User.nick), Select[tuple[str, list[str], str | None]])
assert_type(select(User.name, User.age, User.tags, User.nick), Select[tuple[str, int, list[str], str | None]])
assert_type(
    select(User.name, User.age, User.nick, User.email, User.tags, User.homes, User.created, User.id),
    Select[tuple[str, int, str | None, str, list[str], list[Address], datetime, ObjectId]],
)
assert_type(select(User.homes), Select[tuple[list[Address]]])
assert_type(select(col(User.name)), Select[tuple[str]])
assert_type(select(col(User.name), col(User.age)), Select[tuple[str, int]])
assert_type(select(User.name, col(User.age)), Select[tuple[str, int]])
assert_type(select(col(User.name), User.age), Select[tuple[str, int]])
assert_type(select(User.name, col(User.age), User.tags), Select[tuple[str, int, list[str]]])
assert_type(
    select(col(User.name), col(User.age), col(User.tags), col(User.nick)),
    Select[tuple[str, int, list[str], str | None]],
)
assert_type(
    select(User.name, col(User.nick), User.tags, col(User.homes)),
    Select[tuple[str, str | None, list[str], list[Address]]],
)
assert_type(
    select(col(User.nick), User.age, User.name, col(User.tags), User.homes, col(User.created)),
    Select[tuple[str | None, int, str, list[str], list[Address], datetime]],
)
ten = select(
    User.name, col(User.age), User.nick, User.email, col(User.tags), User.homes, User.created, User.id,
    col(User.homes).city, col(User.homes).street,
)  # fmt: skip
assert_type(
    ten, Select[tuple[str, int, str | None, str, list[str], list[Address], datetime, ObjectId, Any, Any]]
)  # fmt: skip

# Every clause gives a statement of the same kind.
by_age = select(User).where(User.age > 18).filter_by(name="Ann").order_by(User.age, desc(User.name), -col(User.age))
assert_type(by_age, Select[tuple[User]])
assert_type(by_age.order_by(None).limit(10).limit(None).offset(5).offset(None).yield_per(100), Select[tuple[User]])
assert_type(select(User.name, User.age).distinct().limit(3), Select[tuple[str, int]])

# Plain conditions: to a checker they are bools.
select(User).where(User.name == "Ann", User.age >= 18, User.age != 20, 18 < User.age)  # noqa: SIM300
select(User).where(User.nick == None)  # the field is null or missing
select(User).where({"age": {"$mod": [2, 0]}}, {"tags": {"$size": 1}})
select(User).where(User.id == ObjectId(), User.homes != [])
select(User).where(User.age > 18).where(User.age < 65)
assert_type(and_(User.age > 18, {"tags": "vip"}), QueryExpression)
assert_type(or_(User.age > 18, not_(User.name == "Ann"), col(User.age) == 3), QueryExpression)
select(User).where(or_(and_(User.age > 18, User.name == "Ann"), User.nick != None))
assert_type(asc(User.age), SortExpression)
assert_type(desc(col(User.age)), SortExpression)

# Statements that write.
assert_type(insert(User), Insert[User])
assert_type(insert(User).values([{"name": "Ann", "age": 3}, User(name="Bob")]), Insert[User])
assert_type(insert(User).values({"name": "Ann"}).values(name="Cid", age=3), Insert[User])
assert_type(insert(User).values(User(name="Ann")), Insert[User])
assert_type(insert(User).values(User(name=name) for name in ("Ann", "Bob")), Insert[User])
assert_type(update(User), Update[User])
assert_type(update(User).where(User.age < 18).values(age=18), Update[User])
assert_type(update(User).values({"age": 18}, name="Ann").filter_by(nick=None), Update[User])
assert_type(delete(User), Delete[User])
assert_type(delete(User).where(col(User.age) < 18, User.name == "Ann").filter_by(age=3), Delete[User])

# What an update can do besides setting.
assert_type(update(User).values(age=ops.inc(1), tags=ops.push("x"), name="Ann"), Update[User])
assert_type(update(User).values({"age": ops.inc(1)}, tags=ops.push(each=["x"], slice=5)), Update[User])
assert_type(update(User).values({col(User.homes): []}, age=3), Update[User])
assert_type(update(User).values({"address.city": "Rome"}, age=3), Update[User])
assert_type(update(User).values({col(User.homes): ops.pull(col(User.homes).city == "Rome")}), Update[User])
assert_type(
    update(User).values({col(User.homes): ops.push(Address(city="Rome"), sort=-col(User.homes).city)}), Update[User]
)
assert_type(update(User).values([{"id": ObjectId(), "age": 3}, {"id": ObjectId(), "age": ops.inc(1)}]), Update[User])
assert_type(
    update(User).values({"homes.$[one].city": "x"}).array_filters(one=col(User.homes).city == "Rome"), Update[User]
)
assert_type(update(User).where(User.name == "Ann").values(age=col(User.age)).upsert(), Update[User])
assert_type(update(User).values(age=3).execution_options(upsert=True, ordered=False), Update[User])
assert_type(update(User).values(age=3).returning(User), Returning[User])
assert_type(update(User).values(age=3).returning(User, before=True).order_by(-col(User.age)), Returning[User])
assert_type(delete(User).returning(User), Returning[User])
assert_type(insert(User).on_conflict_do_nothing(), Insert[User])
assert_type(insert(User).on_conflict_do_nothing(index_elements=["email"]), Insert[User])
assert_type(insert(User).on_conflict_do_update(set_=["age"], index_elements=[col(User.email)]), Insert[User])
assert_type(insert(User).on_conflict_do_update(set_={"age": ops.inc(1)}), Insert[User])
assert_type(insert(User).values(name="Ann").execution_options(ordered=False), Insert[User])
