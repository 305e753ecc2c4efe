from odmantic import Model, SyncEngine


class User(Model):
    name: str
    age: int = 0


def run(engine: SyncEngine) -> object:
    engine.save(User(name="ann", age=30))
    engine.save_all([User(name="bob", age=20), User(name="cid", age=40)])
    names = [user.name for user in engine.find(User, sort=User.name)]
    for user in engine.find(User, User.age > 30):
        user.age = 1
        engine.save(user)
    bob = engine.find_one(User, User.name == "bob")
    if bob is not None:
        engine.delete(bob)
    users = list(engine.find(User, limit=5))
    with engine.transaction() as transaction:
        transaction.save(User(name="dan"))
    return names, len(users), engine.count(User), engine.remove(User, User.age == 1)
