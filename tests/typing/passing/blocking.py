"""A blocking session, from what it is bound to until it is closed."""

from __future__ import annotations

from typing import Any

from odmantic import Model, SyncEngine
from pymongo import MongoClient
from typing_extensions import assert_type

from mongotic import (
    Result,
    Row,
    ScalarResult,
    SelectResult,
    Session,
    col,
    create_engine,
    create_indexes,
    delete,
    insert,
    select,
    sessionmaker,
    update,
)

from .models import Address, Book, User

Document = dict[str, Any]


def every_bind(engine: SyncEngine, client: MongoClient[Document], uri: str) -> None:
    untyped_documents = MongoClient[Any](uri)
    sessionmaker(engine)
    sessionmaker(engine, database="shop", info={"tenant": "a"})
    sessionmaker(client, database="shop")
    sessionmaker(untyped_documents, database="shop")
    sessionmaker(create_engine(uri, appname="shop"))
    sessionmaker(bind=SyncEngine(client, "shop"))
    Session(engine)
    Session(client, database="shop", info={"tenant": "a"})
    with engine.session() as odmantic_session:
        Session(odmantic_session)
    with engine.transaction() as transaction:
        sessionmaker(transaction)
    create_indexes(engine, User, Book)
    create_indexes(client, User, database="shop")


def queries(make: sessionmaker) -> None:
    with make() as session:
        assert_type(session, Session)

        assert_type(session.scalars(select(User)), ScalarResult[User])
        assert_type(session.scalars(select(User)).all(), list[User])
        assert_type(session.scalars(select(User)).one(), User)
        assert_type(session.scalars(select(User)).first(), User | None)
        assert_type(session.scalars(select(User)).one_or_none(), User | None)
        assert_type(session.scalars(select(User)).count(), int)
        assert_type(session.scalars(select(User)).exists(), bool)
        for user in session.scalars(select(User).where(User.age > 18)):
            assert_type(user, User)
        names = [user.name for user in session.scalars(select(User))]
        assert_type(names, list[str])

        assert_type(session.scalars(select(User.name)), ScalarResult[str])
        assert_type(session.scalars(select(User.name)).all(), list[str])
        assert_type(session.scalars(select(col(User.age))).one(), int)
        assert_type(session.scalars(select(User.homes)).one(), list[Address])
        assert_type(session.scalars(select(User.name).distinct()).count(), int)
        for age in session.scalars(select(User.age)):
            assert_type(age, int)

        assert_type(session.scalar(select(User)), User | None)
        assert_type(session.scalar(select(User.age)), int | None)
        assert_type(session.get(User, "507f1f77bcf86cd799439011"), User | None)
        assert_type(session.get(Book, "978"), Book | None)
        assert_type(session.get(Book, "978", populate_existing=True), Book | None)
        assert_type(session.get_one(Book, "978"), Book)


def rows(session: Session) -> None:
    assert_type(session.execute(select(User)), SelectResult[User])
    assert_type(session.execute(select(User)).all(), list[Row[User]])
    assert_type(session.execute(select(User)).scalars(), ScalarResult[User])
    assert_type(session.execute(select(User)).scalars().all(), list[User])

    result = session.execute(select(User.name, User.age))
    assert_type(result, SelectResult[str, int])
    assert_type(result.all(), list[Row[str, int]])
    assert_type(result.one(), Row[str, int])
    assert_type(result.first(), Row[str, int] | None)
    assert_type(result.one_or_none(), Row[str, int] | None)
    assert_type(result.count(), int)
    assert_type(result.exists(), bool)
    assert_type(result.scalars(), ScalarResult[str])
    for name, age in result:
        assert_type(name, str)
        assert_type(age, int)
    for row in result:
        label: str = row.name
        assert_type(row[1], int)
        assert_type(row[:2], tuple[str, int])
        print(label, row["age"])
    only, _ = result.one()
    assert_type(only, str)
    by_name = {name: age for name, age in result.all()}  # noqa: C416  # dict() takes pairs, and rows are more
    assert_type(by_name, dict[str, int])

    for name, nick, tags in session.execute(select(col(User.name), col(User.nick), col(User.tags))).all():
        assert_type(name, str)
        assert_type(nick, str | None)
        assert_type(tags, list[str])


def writes(session: Session, user: User, book: Book) -> None:
    session.add(user)
    session.add_all([user, book])
    session.add_all(User(name=name) for name in ("Ann", "Bob"))
    session.delete(book)
    session.expunge(user)
    session.expire(user)
    session.expire(user, ["age"])
    session.refresh(user)
    session.refresh(user, ["age", "name"])
    assert_type(session.merge(user), User)
    session.flush()
    session.commit()
    session.rollback()
    session.close()
    assert_type(session.new, list[Model])
    assert_type(session.dirty, list[Model])
    assert_type(session.deleted, list[Model])
    assert_type(user in session, bool)
    assert_type(list(session), list[Model])
    session.info["tenant"] = "a"

    assert_type(session.execute(insert(User).values(name="Ann")), Result)
    assert_type(session.execute(update(User).where(User.age < 18).values(age=18)), Result)
    assert_type(session.execute(delete(User).where(col(User.age) < 18)), Result)
    assert_type(session.execute(update(User), [{"id": User(name="Ann").id, "age": 3}]), Result)
    claimed = update(User).values(age=3).returning(User)
    assert_type(session.scalars(claimed).one(), User)
    assert_type(session.scalars(delete(User).returning(User)).one_or_none(), User | None)
    assert_type(session.scalar(claimed), User | None)
    assert_type(session.execute(claimed).all(), list[Row[User]])
    result = session.execute(insert(User).values([{"name": "Ann"}]))
    assert_type(result.rowcount, int)
    assert_type(result.matched_count, int)
    assert_type(result.modified_count, int)
    assert_type(result.inserted_ids[0].upper(), str | Any)
    assert_type(session.get(User, result.inserted_ids[0]), User | None)


def options(session: Session, user: User) -> None:
    fresh = select(User).execution_options(populate_existing=True, identity_map=True, detached=False)
    assert_type(session.scalars(fresh).all(), list[User])
    one_column = select(User.name).execution_options(detached=True)
    assert_type(session.scalars(one_column).all(), list[str])
    statement = update(User).values(age=18).execution_options(synchronize_session="fetch")
    assert_type(session.execute(statement), Result)
    assert_type(session.execute(delete(User).execution_options(synchronize_session=False)), Result)
    assert_type(session.clear_collection(User), Result)
    assert_type(session.merge(user, exclude_unset=True), User)
    assert_type(session.clone(user), User)
    assert_type(session.is_modified(user), bool)
    session.expire_all()
    session.expunge_all()
