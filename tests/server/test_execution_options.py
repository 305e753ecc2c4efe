"""`execution_options` of statements, `populate_existing` and `get_one`."""

# pyright takes an attribute declared as Model or EmbeddedModel for unknown, because of ODMantic's metaclass.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import pytest
from odmantic import Field, Model, ObjectId, Reference
from pymongo.database import Database

from mongotic import NotFound, delete, insert, inspect, object_session, select, update
from mongotic.asyncio import AsyncSession
from mongotic.exceptions import ArgumentError
from tests.conftest import CommandLog, Document


class Team(Model):
    name: str = Field(primary_field=True)
    motto: str = ""


class Player(Model):
    number: int = Field(primary_field=True)
    name: str = ""
    goals: int = 0
    tags: list[str] = []
    team: Team = Reference()


class Open(Model):
    model_config = {"extra": "allow"}
    number: int = Field(primary_field=True)


class Plain(Model):
    name: str = ""


@pytest.fixture
async def ann(session: AsyncSession, raw: Database[Document], commands: CommandLog) -> Player:
    raw["team"].insert_many([{"_id": "red", "motto": "go"}, {"_id": "blue"}])
    raw["player"].insert_many(
        [{"_id": number, "name": f"p{number}", "goals": 0, "tags": [], "team": "red"} for number in range(5)]
    )
    found = await session.get_one(Player, 0)
    commands.sent.clear()
    return found


def theirs(raw: Database[Document], **values: Any) -> None:
    raw["player"].update_one({"_id": 0}, {"$set": values})


# -- get and get_one ----------------------------------------------------------------------------------------------


async def test_get_one_gives_what_get_gives_or_raises(session: AsyncSession, ann: Player, commands: CommandLog) -> None:
    assert await session.get_one(Player, 0) is ann
    assert await session.get_one(Player, "0") is ann
    assert commands.sent == []
    with pytest.raises(NotFound, match="no Player with the primary key 9"):
        await session.get_one(Player, 9)
    with pytest.raises(ArgumentError):
        await session.get_one(Player, "x")
    with pytest.raises(NotFound, match="Plain"):
        await session.get_one(Plain, str(ObjectId()))


async def test_get_overwrites_unwritten_changes_when_asked_to(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    ann.goals, ann.name = 7, "mine"
    ann.tags.append("mine")
    theirs(raw, goals=3)
    assert (await session.get_one(Player, 0)).goals == 7
    assert await session.get(Player, 0, populate_existing=True) is ann
    assert (ann.goals, ann.name, ann.tags) == (3, "p0", [])
    assert session.dirty == []


async def test_get_of_what_is_gone_detaches_when_asked_anew(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    raw["player"].delete_one({"_id": 0})
    assert await session.get(Player, 0) is ann
    assert await session.get(Player, 0, populate_existing=True) is None
    assert object_session(ann) is None
    with pytest.raises(NotFound):
        await session.get_one(Player, 0, populate_existing=True)


async def test_what_is_marked_for_deletion_stays_marked(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    session.delete(ann)
    theirs(raw, goals=3)
    assert await session.get(Player, 0, populate_existing=True) is ann
    assert (ann.goals, session.deleted) == (3, [ann])


# -- queries ------------------------------------------------------------------------------------------------------


ALL = select(Player).order_by(Player.number)


async def test_a_query_overwrites_unwritten_changes_when_asked_to(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    other = Team(name="green")
    ann.goals, ann.team = 7, other
    theirs(raw, name="theirs")
    await session.scalars(ALL).all()
    assert (ann.goals, ann.name, ann.team.name) == (7, "theirs", "green")
    found = await session.scalars(ALL.execution_options(populate_existing=True)).all()
    assert found[0] is ann
    assert (ann.goals, ann.team.name, session.dirty) == (0, "red", [])


@pytest.mark.parametrize("how", ["first", "one_or_none", "rows", "stream", "stream in batches"])
async def test_every_way_of_asking_overwrites(
    session: AsyncSession, ann: Player, raw: Database[Document], how: str
) -> None:
    ann.goals = 7
    statement = ALL.where(Player.number == 0).execution_options(populate_existing=True, identity_map=True)
    match how:
        case "first":
            await session.scalars(statement).first()
        case "one_or_none":
            await session.scalars(statement).one_or_none()
        case "rows":
            await (await session.execute(statement)).all()
        case "stream":
            [player async for player in session.scalars(statement)]
        case _:
            [player async for player in session.scalars(statement.yield_per(1))]
    assert (ann.goals, session.dirty) == (0, [])


async def test_keys_that_are_no_fields_are_overwritten_too(session: AsyncSession, raw: Database[Document]) -> None:
    raw["open"].insert_one({"_id": 1, "old": 1})
    one: Any = await session.get_one(Open, 1)
    one.mine = 1
    raw["open"].replace_one({"_id": 1}, {"new": 1})
    await session.scalars(select(Open).execution_options(populate_existing=True)).all()
    assert one.__pydantic_extra__ == {"new": 1}
    assert session.dirty == []


async def test_detached_instances_are_copies(
    session: AsyncSession, ann: Player, raw: Database[Document], commands: CommandLog
) -> None:
    found = await session.scalars(ALL.execution_options(detached=True)).all()
    assert found[0] == ann
    assert found[0] is not ann
    assert found[0].team is found[1].team is not ann.team
    assert all(inspect(player).detached and player not in session for player in found)
    found[1].goals = 5
    assert session.dirty == []
    session.add(found[1])
    commands.sent.clear()
    await session.commit()
    assert commands.names() == ["update player"]
    assert raw["player"].find_one({"_id": 1}, {"_id": 0, "goals": 1}) == {"goals": 5}


async def test_rows_and_streams_give_detached_copies(session: AsyncSession, ann: Player) -> None:
    statement = ALL.execution_options(detached=True)
    rows = await (await session.execute(statement)).all()
    assert rows[0][0] is not ann
    streamed = [player async for player in session.scalars(statement)]
    assert streamed[0] is not ann
    one = await session.scalars(statement.limit(1)).one()
    assert not any(inspect(player).session for player in (rows[0][0], one))
    assert [player.number for player in session if isinstance(player, Player)] == [0]


async def test_iteration_after_yield_per_gives_the_sessions_own_when_asked_to(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    async for player in session.scalars(ALL.yield_per(2)):
        player.goals = 9
    assert (ann.goals, session.dirty) == (0, [])
    async for player in session.scalars(ALL.yield_per(2).execution_options(identity_map=True)):
        player.goals = 9
    assert (ann.goals, len(session.dirty)) == (9, 5)
    await session.commit()
    assert raw["player"].count_documents({"goals": 9}) == 5


async def test_options_are_added_to_a_new_statement(session: AsyncSession, ann: Player) -> None:
    one = ALL.execution_options(populate_existing=True)
    other = one.execution_options(detached=True).execution_options(populate_existing=False)
    assert (ALL.query_options.populate_existing, one.query_options.populate_existing) == (False, True)
    assert (other.query_options.populate_existing, other.query_options.detached) == (False, True)
    assert one.where(Player.number == 0).limit(1).query_options.populate_existing
    ann.goals = 7
    await session.scalars(one.order_by(None)).all()
    assert ann.goals == 0


@pytest.mark.parametrize("value", [None, 1, "yes", 0, []])
@pytest.mark.parametrize("name", ["populate_existing", "identity_map", "detached"])
def test_options_of_queries_are_true_or_false(name: Any, value: Any) -> None:
    with pytest.raises(ArgumentError, match=rf"execution_options\({name}=...\) takes True or False, got"):
        ALL.execution_options(**{name: value})


def test_unknown_options_are_refused() -> None:
    statements: list[Any] = [ALL, update(Player), delete(Player)]
    for statement in statements:
        for name in ("stream_results", "synchronize_sessions", ""):
            with pytest.raises(ArgumentError, match=f"knows no '{name}' here; it takes"):
                statement.execution_options(**{name: True})


# -- update and delete --------------------------------------------------------------------------------------------


async def test_a_statement_expires_all_of_the_model_and_leaves_their_values(
    session: AsyncSession, ann: Player, commands: CommandLog
) -> None:
    other = await session.get_one(Player, 1)
    ann.name = "mine"
    commands.sent.clear()
    await session.execute(update(Player).where(Player.number == 0).values(goals=4))
    assert commands.names() == ["update player"]
    assert [inspect(one).expired for one in (ann, other, ann.team)] == [True, True, False]
    assert (ann.goals, ann.name, session.dirty) == (0, "mine", [ann])
    assert await session.get(Player, 0) is ann
    assert (ann.goals, ann.name, inspect(ann).expired) == (4, "mine", False)
    await session.commit()
    await session.refresh(ann)
    assert (ann.goals, ann.name) == (4, "mine")


async def test_a_statement_that_fetches_brings_exactly_what_it_matched(
    session: AsyncSession, ann: Player, raw: Database[Document], commands: CommandLog
) -> None:
    other = await session.get_one(Player, 1)
    raw["player"].update_one({"_id": 1}, {"$set": {"goals": 99}})
    ann.name = "mine"
    commands.sent.clear()
    statement = update(Player).where(Player.goals == 0).values(goals=4)
    result = await session.execute(statement.execution_options(synchronize_session="fetch"))
    assert commands.names() == ["find player", "update player", "find player"]
    assert result.rowcount == 4
    assert (ann.goals, ann.name, session.dirty) == (4, "mine", [ann])
    assert (other.goals, inspect(ann).expired, inspect(other).expired) == (0, False, False)
    assert [player.number for player in session if isinstance(player, Player)] == [0, 1]  # nothing else was read


async def test_a_statement_that_fetches_and_matches_nothing_held_asks_once(
    session: AsyncSession, ann: Player, commands: CommandLog
) -> None:
    statement = update(Player).where(Player.number == 3).values(goals=4)
    await session.execute(statement.execution_options(synchronize_session="fetch"))
    assert commands.names() == ["find player", "update player"]


async def test_a_statement_that_does_not_synchronize_leaves_everything(
    session: AsyncSession, ann: Player, commands: CommandLog
) -> None:
    await session.execute(update(Player).values(goals=4).execution_options(synchronize_session=False))
    assert commands.names() == ["update player"]
    assert (ann.goals, inspect(ann).expired) == (0, False)
    assert await session.get_one(Player, 0) is ann
    assert ann.goals == 0


async def test_a_deletion_that_fetches_detaches_what_it_removed(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    other, marked = await session.get_one(Player, 1), await session.get_one(Player, 2)
    ann.goals = 1
    session.delete(marked)
    statement = delete(Player).where(Player.number.in_([0, 2]))  # type: ignore[attr-defined]
    assert (await session.execute(statement.execution_options(synchronize_session="fetch"))).rowcount == 2
    assert [one in session for one in (ann, other, marked)] == [False, True, False]
    assert (session.dirty, session.deleted) == ([], [])
    assert inspect(ann).session is None
    await session.commit()
    session.add(ann)  # it is new again
    await session.commit()
    assert raw["player"].find_one({"_id": 0}, {"goals": 1}) == {"_id": 0, "goals": 1}


async def test_a_deletion_that_expires_lets_the_next_look_find_out(session: AsyncSession, ann: Player) -> None:
    await session.execute(delete(Player).where(Player.number == 0))
    assert inspect(ann).expired
    assert await session.get(Player, 0) is None
    assert ann not in session


async def test_new_instances_are_no_ones_of_a_statement(session: AsyncSession, ann: Player) -> None:
    new = Player(number=77, team=ann.team)
    session.add(new)
    for synchronize in ("expire", "fetch", False):
        options: Any = {"synchronize_session": synchronize}
        await session.execute(update(Player).values(goals=4).execution_options(**options))
        assert (new.goals, inspect(new).expired, session.new) == (0, False, [new])


async def test_clear_collection_removes_everything(
    session: AsyncSession, ann: Player, raw: Database[Document], commands: CommandLog
) -> None:
    result = await session.clear_collection(Player)
    assert (result.rowcount, raw["player"].count_documents({}), raw["team"].count_documents({})) == (5, 0, 2)
    assert commands.names() == ["delete player"]
    assert inspect(ann).expired
    assert (await session.clear_collection(Player)).rowcount == 0
    with pytest.raises(ArgumentError, match="expected a class derived from"):
        await session.clear_collection("player")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("value", [None, True, "evaluate", "auto", 0, [], {}])
def test_what_synchronize_session_takes(value: Any) -> None:
    for statement in (update(Player), delete(Player)):
        with pytest.raises(ArgumentError, match=r'synchronize_session=...\) takes "expire", "fetch" or False, got'):
            statement.execution_options(synchronize_session=value)


async def test_a_statement_that_fails_leaves_held_instances_to_be_read_again(
    session: AsyncSession, ann: Player, raw: Database[Document]
) -> None:
    raw["player"].create_index("name", unique=True)
    for synchronize in ("expire", "fetch"):
        options: Any = {"synchronize_session": synchronize}
        statement = update(Player).values(name="same").execution_options(**options)
        with pytest.raises(Exception, match="E11000"):
            await session.execute(statement)
        assert inspect(ann).expired
        assert (await session.get_one(Player, 0)).name == "same"
        raw["player"].update_one({"_id": 0}, {"$set": {"name": "p0"}})


async def test_insert_takes_no_other_option() -> None:
    options: Any = {"synchronize_session": False}
    with pytest.raises(ArgumentError, match="ordered"):
        insert(Player).execution_options(**options)
