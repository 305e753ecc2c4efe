"""The pytest plugin at work in runs of users."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient

from tests.testing_kit.conftest import Run

MODEL = """
from odmantic import Field, Model

class User(Model):
    name: str = Field(unique=True)

"""

BLOCKING = f"""
import pytest
from mongotic import select
{MODEL}
@pytest.mark.parametrize("again", [1, 2])
def test_what_is_written_is_read(again, mongotic_session):
    mongotic_session.add(User(name="Ann"))
    mongotic_session.commit()
    assert mongotic_session.scalars(select(User)).count() == 1
    assert [user.name for user in mongotic_session.scalars(select(User))] == ["Ann"]
"""

AWAITING = f"""
import pytest
from mongotic import select
{MODEL}
MARK
@pytest.mark.parametrize("again", [1, 2])
async def test_what_is_written_is_read(again, mongotic_async_session):
    mongotic_async_session.add(User(name="Ann"))
    await mongotic_async_session.commit()
    assert await mongotic_async_session.scalars(select(User)).count() == 1
"""

MODELS = """
import pytest

@pytest.fixture(scope="session")
def mongotic_models():
    import test_it
    return [test_it.User]
"""

STRICT = ("-o", "asyncio_mode=strict")


def outcome(done: Any) -> str:
    """The last line of a run, without its time."""
    assert done.stdout, done.stderr
    return str(done.stdout.strip().splitlines()[-1]).partition(" in ")[0]


def leftovers(client: MongoClient[Any]) -> set[str]:
    return {name for name in client.list_database_names() if name.startswith("mongotic_test_")}


def test_what_a_test_commits_is_gone_for_the_next(run_pytest: Run, raw_client: MongoClient[Any]) -> None:
    done = run_pytest(BLOCKING)
    assert outcome(done) == "2 passed", done.stdout
    assert leftovers(raw_client) == set()


@pytest.mark.parametrize(
    ("mark", "arguments"),
    [
        ("@pytest.mark.asyncio", STRICT),
        ("", ("-o", "asyncio_mode=auto")),
        ("@pytest.mark.anyio", STRICT),
        ("@pytest.mark.anyio", ("-p", "no:asyncio")),
        ("@pytest.mark.asyncio", ("-p", "no:anyio", *STRICT)),
    ],
    ids=["asyncio strict", "asyncio auto", "anyio beside asyncio", "anyio alone", "asyncio alone"],
)
def test_async_tests_of_either_plugin(
    run_pytest: Run, raw_client: MongoClient[Any], mark: str, arguments: tuple[str, ...]
) -> None:
    backend = "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    done = run_pytest(AWAITING.replace("MARK", mark), *arguments, conftest=backend)
    assert outcome(done) == "2 passed", done.stdout
    assert leftovers(raw_client) == set()


def test_workers_of_xdist(run_pytest: Run, raw_client: MongoClient[Any]) -> None:
    done = run_pytest(BLOCKING.replace("[1, 2]", "range(12)"), "-n", "3")
    assert outcome(done) == "12 passed", done.stdout
    assert leftovers(raw_client) == set()


def test_a_test_that_commits_has_a_database_of_its_own(run_pytest: Run, raw_client: MongoClient[Any]) -> None:
    source = f"""
import pytest
from mongotic import IntegrityError, select
from mongotic.asyncio import async_sessionmaker
{MODEL}
pytestmark = pytest.mark.mongotic_commits

@pytest.mark.parametrize("again", [1, 2])
@pytest.mark.asyncio
async def test_refused(again, mongotic_async_bind, mongotic_session, mongotic_client, mongotic_database):
    maker = async_sessionmaker(mongotic_async_bind)
    async with maker.begin() as session:
        session.add(User(name="Ann"))
    with pytest.raises(IntegrityError):
        async with maker.begin() as session:
            session.add(User(name="Ann"))
    assert mongotic_session.scalars(select(User)).count() == 1
    assert mongotic_client[mongotic_database].user.count_documents({{}}) == 1
"""
    done = run_pytest(source, conftest=MODELS)
    assert outcome(done) == "2 passed", done.stdout
    assert leftovers(raw_client) == set()


def test_indexes_of_the_models_hold_in_transactions(run_pytest: Run) -> None:
    source = f"""
import pytest
from mongotic import IntegrityError
{MODEL}
@pytest.mark.parametrize("again", [1, 2])
def test_refused(again, mongotic_session):
    mongotic_session.add_all([User(name="Ann"), User(name="Ann")])
    with pytest.raises(IntegrityError):
        mongotic_session.flush()
"""
    done = run_pytest(source, conftest=MODELS)
    assert outcome(done) == "2 passed", done.stdout


def test_what_an_async_fixture_stores_is_there_and_gone(run_pytest: Run) -> None:
    source = f"""
import pytest, pytest_asyncio
from mongotic import select
{MODEL}
@pytest_asyncio.fixture
async def ann(mongotic_async_session):
    user = User(name="Ann")
    mongotic_async_session.add(user)
    await mongotic_async_session.commit()
    return user

@pytest.mark.asyncio
async def test_there(ann, mongotic_async_session):
    assert await mongotic_async_session.scalars(select(User)).all() == [ann]

@pytest.mark.asyncio
async def test_gone(mongotic_async_session):
    assert await mongotic_async_session.scalars(select(User)).all() == []
"""
    done = run_pytest(source)
    assert outcome(done) == "2 passed", done.stdout


def test_an_async_test_that_fails_leaves_nothing(run_pytest: Run, raw_client: MongoClient[Any]) -> None:
    failing = AWAITING.replace("MARK", "@pytest.mark.asyncio") + "    assert False\n"
    done = run_pytest(failing)
    assert outcome(done) == "2 failed", done.stdout
    assert "ResourceWarning" not in done.stdout
    assert leftovers(raw_client) == set()


def test_a_plain_test_that_asks_for_an_async_session_is_told(run_pytest: Run) -> None:
    done = run_pytest("def test_plain(mongotic_async_session): ...\n")
    assert outcome(done) == "1 error", done.stdout
    assert "test_plain is no async test" in done.stdout


def test_without_a_server_given_one_is_started(run_pytest: Run) -> None:
    source = (
        BLOCKING
        + "\ndef test_embedded(mongotic_server):\n    assert mongotic_server.embedded.uri == mongotic_server.uri\n"
    )
    done = run_pytest(source, MONGOTIC_TEST_URI="")
    assert outcome(done) == "3 passed", done.stdout


def test_a_server_without_transactions_gives_each_test_a_database(run_pytest: Run) -> None:
    from mongotic.testing import EmbeddedMongo

    with EmbeddedMongo(replica_set=False) as server, MongoClient[Any](server.uri) as client:
        done = run_pytest(BLOCKING, MONGOTIC_TEST_URI=server.uri)
        assert outcome(done) == "2 passed", done.stdout
        assert leftovers(client) == set()


def test_nothing_is_imported_before_a_fixture_is_asked_for(run_pytest: Run) -> None:
    source = """
import sys

def test_nothing():
    assert "pytest_mongotic" in sys.modules
    assert {"mongotic", "mongotic_adapters", "odmantic", "pymongo", "bson", "motor"} & set(sys.modules) == set()
"""
    done = run_pytest(source)
    assert outcome(done) == "1 passed", done.stdout


def test_the_marker_is_known(run_pytest: Run) -> None:
    done = run_pytest(
        BLOCKING.replace("@pytest.mark.parametrize", "@pytest.mark.mongotic_commits\n@pytest.mark.parametrize"),
        "--strict-markers",
    )
    assert outcome(done) == "2 passed", done.stdout
