from mongotic import MongoBaseModel, delete, insert, update


class User(MongoBaseModel):
    __databasename__ = "golden_database"
    __tablename__ = "users"

    name: str
    age: int = 0


def prepared(session):
    session.execute(insert(User).values([{"name": "ann", "age": 30}, {"name": "bob", "age": 20}, {"name": "cid"}]))


EXPECTED = (2, "gone 1", True, 1)


def grown(session) -> int:
    return session.execute(update(User).where(User.age > 0).values(age=40))


def run(session):
    prepared(session)
    number = grown(session)
    text = f"gone {session.execute(delete(User).where(User.name == 'ann'))}"
    if session.execute(update(User).where(User.name == "bob").values(age=1)):
        session.execute(update(User).where(User.name == "cid").values(age=2))
    statement = delete(User)
    statement = statement.where(User.age == 1)
    print(session.execute(update(User).values(name="x")))
    none = session.execute(delete(User).where(User.name == "dan")) == 0
    gone: int = session.execute(statement)
    return number, text, none, gone
