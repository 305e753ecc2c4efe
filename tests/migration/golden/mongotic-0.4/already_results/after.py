from mongotic import MongoBaseModel, delete, insert, update


class User(MongoBaseModel):
    __databasename__ = "golden_database"
    __tablename__ = "users"

    name: str
    age: int = 0


def prepared(session):
    session.execute(insert(User).values([{"name": "ann", "age": 30}, {"name": "bob", "age": 20}, {"name": "cid"}]))


EXPECTED = (2, 1, 1)


def grown(session):
    return session.execute(update(User).where(User.age > 0).values(age=40))


def run(session):
    prepared(session)
    result = session.execute(delete(User).where(User.name == "cid"))
    return grown(session).rowcount, result.rowcount, session.execute(delete(User).where(User.name == "ann")).rowcount
