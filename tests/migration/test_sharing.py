"""When calls may share a session, and when each keeps its own: what a shared commit would write is looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from mongotic_migration.rewrite.running import Options, rewritten

HEAD = """\
from fastapi import Depends, FastAPI
from odmantic import AIOEngine, Model

app = FastAPI()


class User(Model):
    name: str
    age: int = 0


def get_engine() -> AIOEngine: ...


"""


def session_style(body: str) -> tuple[str, list[str]]:
    """Return what becomes of a body in the style `session`, and the reasons for what is left alone."""
    reports, _ = rewritten("odmantic", [(Path("a.py"), "a", (HEAD + body).encode())], Options("session"))
    return reports[0].after, [note.text for note in reports[0].left]


def sessions(text: str) -> int:
    return text.count("async with AsyncSession(engine) as session")


SHARED = {
    "what is changed is saved": """\
async def f(engine: AIOEngine):
    user = await engine.find_one(User)
    user.age = 1
    await engine.save(user)
    return await engine.count(User)
""",
    "saves that follow one another": """\
async def f(engine: AIOEngine):
    one = await engine.find_one(User, User.age == 1)
    two = await engine.find_one(User, User.age == 2)
    one.age, two.age = 3, 4
    await engine.save(one)
    await engine.save(two)
""",
    "a handler that leaves": """\
async def f(engine: AIOEngine, user: User):
    try:
        await engine.save(user)
    except ValueError:
        raise KeyError from None
    return await engine.count(User)
""",
}
APART = {
    "what is changed is not saved": """\
async def f(engine: AIOEngine):
    user = await engine.find_one(User)
    user.age = 1
    await engine.save(User(name="x"))
""",
    "it is saved only sometimes": """\
async def f(engine: AIOEngine, really: bool):
    user = await engine.find_one(User)
    user.age = 1
    if really:
        await engine.save(user)
    await engine.save(User(name="x"))
""",
    "a list of it is changed": """\
async def f(engine: AIOEngine):
    user = await engine.find_one(User)
    user.tags.append("x")
    await engine.save(User(name="x"))
""",
    "an element of what was found is changed": """\
async def f(engine: AIOEngine):
    users = await engine.find(User)
    for user in users:
        setattr(user, "age", 1)
    await engine.save(User(name="x"))
""",
    "a handler that goes on": """\
async def f(engine: AIOEngine, user: User):
    try:
        await engine.save(user)
    except ValueError:
        pass
    await engine.save(User(name="x"))
""",
    "a document that is read again": """\
async def f(engine: AIOEngine):
    before = await engine.find_one(User, User.age == 1)
    await engine.save(User(name="x"))
    after = await engine.find_one(User, User.age == 1)
    return before, after
""",
}


@pytest.mark.parametrize("body", SHARED.values(), ids=SHARED)
def test_these_share_one_session(body: str) -> None:
    text, left = session_style(body)
    assert (sessions(text), left) == (1, [])


@pytest.mark.parametrize("body", APART.values(), ids=APART)
def test_these_keep_their_own_sessions(body: str) -> None:
    text, left = session_style(body)
    assert sessions(text) == text.count("session.commit()") + text.count(".first()") + text.count(".all()")
    assert left == []


def test_a_transaction_whose_end_would_write_more_is_left_alone() -> None:
    text, left = session_style("""\
async def f(engine: AIOEngine):
    async with engine.transaction() as transaction:
        user = await transaction.find_one(User)
        user.age = 1
        await transaction.save(User(name="x"))
""")
    assert "engine.transaction()" in text
    assert set(left) == {"user is changed on line 18, and not saved before something else is"}


CURRENT = """\
async def current(engine: AIOEngine = Depends(get_engine)) -> User:
    return await engine.find_one(User)


"""


def test_an_endpoint_shares_the_session_of_what_it_is_given() -> None:
    text, left = session_style(
        CURRENT
        + """\
async def f(user: User = Depends(current), engine: AIOEngine = Depends(get_engine)):
    user.name = "x"
    await engine.save(user)
"""
    )
    assert "async def current(session: AsyncSession = Depends(get_session)) -> User:" in text
    assert "async def f(user: User = Depends(current), session: AsyncSession = Depends(get_session)):" in text
    assert left == []


def test_an_endpoint_that_does_not_save_what_it_changes_keeps_its_engine_and_so_does_who_gives_it() -> None:
    text, left = session_style(
        CURRENT
        + """\
async def f(user: User = Depends(current), engine: AIOEngine = Depends(get_engine)):
    user.name = "shown"
    await engine.save(User(name="x"))
    return user
"""
    )
    assert "async def f(user: User = Depends(current), engine: AIOEngine = Depends(get_engine)):" in text
    assert "async def current(engine: AIOEngine = Depends(get_engine)) -> User:" in text
    assert left == []


def test_a_function_that_is_not_only_called_keeps_its_engine() -> None:
    body = """\
async def helper(engine: AIOEngine) -> int:
    return await engine.count(User)


async def f(engine: AIOEngine):
    return await asyncio.gather(helper(engine), helper(engine))
"""
    text, _ = session_style(body)
    assert "async def helper(engine: AIOEngine) -> int:" in text
    assert "asyncio.gather(helper(engine), helper(engine))" in text


def test_a_parameter_of_unknown_origin_is_merged() -> None:
    text, _ = session_style("async def f(engine: AIOEngine, user: User):\n    await engine.save(user)\n")
    assert "session.merge(user)" in text


def test_a_delete_that_may_not_be_stored_is_left_alone() -> None:
    text, left = session_style("async def f(engine: AIOEngine, user: User):\n    await engine.delete(user)\n")
    assert "await engine.delete(user)" in text
    assert left == ["it cannot be told that the instance was read from the database, which session.delete() asks for"]


REPOSITORY = """\
class Repository:
    def __init__(self, engine: AIOEngine):
        self.engine = engine

    async def store(self, user: User):
        await self.engine.save(user)


"""


def test_what_is_read_is_not_lent_to_who_opens_a_session_of_its_own() -> None:
    text, left = session_style(
        REPOSITORY
        + """\
async def f(engine: AIOEngine, repository: Repository):
    user = await engine.find_one(User)
    await repository.store(user)
    async for other in engine.find(User):
        await repository.store(other)
"""
    )
    assert "        user = await session.scalars(select(User)).first()\n    await repository.store(user)" in text
    assert "    async for other in engine.find(User):\n        await repository.store(other)" in text
    assert left == ["what is read is passed on line 27 to a function that uses the engine itself"]


def test_what_is_yielded_belongs_to_no_session() -> None:
    text, left = session_style("""\
async def f(engine: AIOEngine):
    async for user in engine.find(User):
        yield user
""")
    assert "async for user in session.stream_scalars(select(User)):" in text
    assert left == []


def test_instances_of_another_engine_are_left_to_it() -> None:
    text, left = session_style("""\
async def f(one: AIOEngine, two: AIOEngine):
    for user in await one.find(User):
        await two.save(user)
""")
    assert "await session.scalars(select(User)).all()" in text
    assert "await two.save(user)" in text
    assert left == ["a session of another engine is open around it"]


def test_instances_of_the_function_around_are_left_to_it() -> None:
    text, left = session_style("""\
async def f(engine: AIOEngine):
    user = await engine.find_one(User)

    async def later():
        await engine.save(user)

    await later()
""")
    assert "        await engine.save(user)" in text
    assert left == ["user belongs to the function around, whose session may hold it"]
