"""`col()`: the operators that a class attribute has at run time, in types."""

from __future__ import annotations

import re
from datetime import datetime

import bson
from odmantic import ObjectId
from odmantic.query import SortExpression
from typing_extensions import assert_type

from mongotic import col, select
from mongotic.select_statement import Select
from mongotic_adapters.columns import Column, Expression

from .models import Address, User

assert_type(col(User.age), Column[int])
assert_type(col(User.nick), Column[str | None])
assert_type(col(User.tags), Column[list[str]])
assert_type(col(User.homes), Column[list[Address]])
assert_type(col(User.tags)[0], Column[str])
assert_type(col(User.homes)[-1], Column[Address])
assert_type(select(col(User.tags)[0], User.age), Select[tuple[str, int]])

age = col(User.age)
assert_type(age == 3, Expression)
assert_type(age != 3, Expression)
assert_type(age == None, Expression)
assert_type(age > 3, Expression)
assert_type(age >= 3, Expression)
assert_type(age < 3, Expression)
assert_type(3 < age, Expression)  # noqa: SIM300
assert_type(age <= col(User.age), Expression)
assert_type(age.in_([1, 2]), Expression)
assert_type(age.in_({1, 2}), Expression)
assert_type(age.in_(range(3)), Expression)
assert_type(age.in_(number for number in (1, None)), Expression)
assert_type(age.not_in((1, 2)), Expression)
assert_type(age.is_(None), Expression)
assert_type(age.is_not(None), Expression)
assert_type(age.between(1, 3), Expression)
assert_type(-age, SortExpression)
assert_type(age.asc(), SortExpression)
assert_type(age.desc(), SortExpression)

name = col(User.name)
assert_type(name.like("A%"), Expression)
assert_type(name.like("50|%", escape="|"), Expression)
assert_type(name.ilike("a%", "|"), Expression)
assert_type(col(User.nick).like("A%"), Expression)
assert_type(col(User.tags).like("A%"), Expression)
assert_type(col(User.tags).between("a", "b"), Expression)
assert_type(name.contains("nn"), Expression)
assert_type(name.startswith("A"), Expression)
assert_type(name.endswith("n"), Expression)
assert_type(name.match(re.compile("^A")), Expression)
assert_type(name.match("^A"), Expression)
assert_type(col(User.tags).contains("vip"), Expression)
assert_type(col(User.nick) > "a", Expression)
assert_type(col(User.created) < datetime.now(), Expression)
assert_type(col(User.id) == ObjectId(), Expression)
assert_type(col(User.id), Column[ObjectId])
# ODMantic's declares a field whose values are plain ones.
assert_type(col(User.id).in_([bson.ObjectId(), ObjectId()]), Expression)
assert_type(col(User.id).not_in({bson.ObjectId()}), Expression)

assert_type((age > 3) & (age < 5), Expression)
assert_type((age > 3) | (name == "Ann"), Expression)
assert_type(~(age > 3), Expression)

select(User).where((age > 3) & ~name.like("A%"), col(User.homes).city == "Rome").order_by(-age, name.asc())
