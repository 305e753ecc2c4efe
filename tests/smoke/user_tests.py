"""The tests of somebody who has installed the wheel and pytest, and nothing else; `clean_environment.py` runs them."""

import pytest
from odmantic import Model
from odmantic.session import SyncTransaction

from mongotic import Session, select


class User(Model):
    name: str


@pytest.mark.parametrize("again", [1, 2])
def test_a_commit_is_gone_for_the_next_test(again: int, mongotic_session: Session, mongotic_bind: object) -> None:
    assert isinstance(mongotic_bind, SyncTransaction)
    mongotic_session.add(User(name="Ann"))  # type: ignore[call-arg]  # as most users declare models: without an id
    mongotic_session.commit()
    assert [user.name for user in mongotic_session.scalars(select(User))] == ["Ann"]


@pytest.mark.mongotic_commits
def test_a_transaction_of_its_own(mongotic_session: Session) -> None:
    with mongotic_session.begin():
        mongotic_session.add(User(name="Ann"))  # type: ignore[call-arg]
    assert mongotic_session.scalars(select(User)).count() == 1
