from mongotic import Session


def done(session: Session, statement):
    return session.execute(statement)
