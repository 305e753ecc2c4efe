"""The table of states: every pair is decided, and every state can be reached."""

from __future__ import annotations

import itertools

import pytest

from mongotic_adapters.errors import InvalidRequestError
from mongotic_adapters.states import MOVES, REFUSALS, Move, State, move

PAIRS = list(itertools.product(State, Move))
ALLOWED = [pair for pair in PAIRS if pair in MOVES]
REFUSED = [pair for pair in PAIRS if pair not in MOVES]


def pair_name(part: State | Move) -> str:
    return part.name


@pytest.mark.parametrize(("state", "what"), ALLOWED, ids=pair_name)
def test_a_move_in_the_table_gives_the_state_it_names(state: State, what: Move) -> None:
    assert move(state, what, lambda: "User 1") is MOVES[state, what]


@pytest.mark.parametrize(("state", "what"), REFUSED, ids=pair_name)
def test_any_other_move_is_refused_with_its_reason(state: State, what: Move) -> None:
    reason = REFUSALS.get((state, what), f"an instance that is {state.value} cannot")
    with pytest.raises(InvalidRequestError) as caught:
        move(state, what, lambda: "User 1")
    assert str(caught.value) == f"cannot {what.value} User 1: {reason}"


def test_no_move_is_both_allowed_and_refused() -> None:
    assert [pair for pair in REFUSALS if pair in MOVES] == []


def test_the_moves_a_user_makes_are_refused_in_a_sentence_of_their_own() -> None:
    by_users = {Move.ADD, Move.MERGE, Move.DELETE}
    assert {pair for pair in REFUSED if pair[1] in by_users} == set(REFUSALS)


def test_every_state_can_be_reached_from_transient() -> None:
    reached = {State.TRANSIENT}
    while True:
        further = {after for (before, _), after in MOVES.items() if before in reached} - reached
        if not further:
            break
        reached |= further
    assert reached == set(State)


def test_every_state_can_be_left_for_good() -> None:
    at_rest = {State.TRANSIENT, State.DETACHED}
    assert {state for state in State if MOVES.get((state, Move.RELEASE)) not in at_rest} == at_rest


def test_every_kind_of_move_is_possible_somewhere() -> None:
    assert {what for _, what in MOVES} == set(Move)


def test_what_is_released_is_never_lost_by_a_flush() -> None:
    assert {state for state, what in MOVES if what is Move.FLUSH} == {
        State.PENDING,
        State.RETURNED,
        State.PERSISTENT,
        State.MERGED,
        State.MARKED,
    }
