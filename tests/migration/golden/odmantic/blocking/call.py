from odmantic import Model, SyncEngine
from mongotic import Session, delete, select


class User(Model):
    name: str
    age: int = 0


def run(engine: SyncEngine) -> object:
    with Session(engine) as session:
        session.add(User(name="ann", age=30))
        session.commit()
    with Session(engine) as session:
        session.add_all([User(name="bob", age=20), User(name="cid", age=40)])
        session.commit()
    with Session(engine) as session:
        names = [user.name for user in session.scalars(select(User).order_by(User.name))]
    with Session(engine) as session:
        for user in session.scalars(select(User).where(User.age > 30)):
            user.age = 1
            session.commit()
    with Session(engine) as session:
        bob = session.scalars(select(User).where(User.name == "bob")).first()
    if bob is not None:
        with Session(engine) as session:
            session.delete(bob)
            session.commit()
    with Session(engine) as session:
        users = session.scalars(select(User).limit(5)).all()
    with Session(engine) as session, session.begin():
        session.add(User(name="dan"))
        session.flush()
    with Session(engine) as session:
        return names, len(users), session.scalars(select(User)).count(), session.execute(delete(User).where(User.age == 1)).rowcount
